//! What a run prints: for each model and baseline how well it ranks, how often it alarms on normal
//! points, and what NAB says.

use std::fmt::Write;

use detectors::eval::nab::{NabCorpus, NabSeries, PROFILES};
use detectors::{online, whole};

use super::metrics::ALARM_RATES;
use super::mode::Mode;
use super::online::MODEL;
use super::peers::{self, Peer, Standing};
use super::summary::{AlarmRow, MEANS, Mean, Row, alarm_rows, rows};
use super::via::Via;
use super::{ScorerResult, Settings};

/// The whole report.
pub fn render(settings: &Settings, results: &[ScorerResult], peers: &[Peer]) -> String {
    let mut text = String::new();
    for (index, result) in results.iter().enumerate() {
        // A baseline runs here whatever runs the models.
        let (kind, via) = match &settings.via {
            _ if index >= settings.models.len() => ("baseline", String::new()),
            Via::Process => ("model", String::new()),
            Via::Http(base) => ("model", format!(", via http {base}")),
        };
        let points: usize = result.series.iter().map(|one| one.rows).sum();
        line(
            &mut text,
            format_args!(
                "== {kind} {}, mode {}{via}, alarm rate {:e}: {} series, {points} points",
                result.name,
                settings.mode,
                settings.alarm_rate,
                result.series.len()
            ),
        );
        match (settings.mode, index) {
            // Those of a service are its own.
            _ if settings.via != Via::Process => {}
            (Mode::Whole, 0) => line(&mut text, format_args!("{:?}", whole::CONSTANTS)),
            _ if result.name == MODEL => {
                line(&mut text, format_args!("{:?}", online::CONSTANTS));
            }
            _ => {}
        }
        notes(&mut text, result);
        ranking(&mut text, &rows(&result.series));
        alarms(&mut text, &alarm_rows(&result.series), settings.alarm_rate);
        if settings.nab_windows.is_some() {
            nab(&mut text, result);
        }
        text.push('\n');
    }
    published(&mut text, results, peers);
    text
}

/// Writing to a `String` cannot fail.
fn line(text: &mut String, line: impl std::fmt::Display) {
    let _ = writeln!(text, "{line}");
}

fn notes(text: &mut String, result: &ScorerResult) {
    let refused: Vec<_> = result
        .series
        .iter()
        .filter_map(|one| Some((&one.file, one.refused.as_ref()?)))
        .collect();
    if !refused.is_empty() {
        let count = refused.len();
        line(
            text,
            format_args!("{count} fits refused, scored 0 with p 1:"),
        );
    }
    for (file, reason) in refused {
        line(text, format_args!("  {file}: {reason}"));
    }
    for one in result.series.iter().filter(|one| one.out_of_order > 0) {
        line(
            text,
            format_args!(
                "  {}: {} rows not later than the row before, left out of the fit",
                one.file, one.out_of_order
            ),
        );
    }
    let unscored: usize = result.series.iter().map(|one| one.unscored).sum();
    if unscored > 0 {
        line(
            text,
            format_args!(
                "{unscored} rows of fits have score 0 and p 1: a service scores none before the end of \
                 a fit with a model that judges windows"
            ),
        );
    }
}

fn ranking(text: &mut String, rows: &[Row]) {
    let mut head = format!("\n{:<14} {:>6}", "", "series");
    for (name, _) in MEANS {
        let _ = write!(head, " {name:>15}");
    }
    line(text, head);
    for row in rows {
        let mut cells = format!("{:<14} {:>6}", row.name, row.series);
        for mean in row.means {
            let _ = write!(cells, " {:>15}", with_error(mean));
        }
        line(text, cells);
    }
}

fn with_error(mean: Mean) -> String {
    match (mean.mean, mean.error) {
        (Some(mean), Some(error)) => format!("{mean:.3} ± {error:.3}"),
        (Some(mean), None) => format!("{mean:.3}        "),
        (None, _) => "–".to_owned(),
    }
}

fn alarms(text: &mut String, rows: &[AlarmRow], alarm_rate: f64) {
    line(
        text,
        format_args!(
            "\n{:<14} {:>8} {:^46} {:>6} {:^27}",
            "",
            "normal",
            "observed / requested alarms [95 %]",
            "≤ 2×",
            format!("at alarm rate {alarm_rate:e}")
        ),
    );
    line(
        text,
        format_args!(
            "{:<14} {:>8} {:>8} {:>8} {:>17} {:>10} {:>6} {:>10} {:>8} {:>8}",
            "",
            "points",
            "at 1e-2",
            "at 1e-3",
            "",
            "at 1e-4",
            "1e-3",
            "alerts/day",
            "event-F1",
            "delay"
        ),
    );
    for row in rows {
        let ratio = |rate: usize| {
            let ratio = row.pooled[rate].ratio(ALARM_RATES[rate]);
            number(ratio, 2)
        };
        let interval = row.pooled[1]
            .interval()
            .map_or_else(String::new, |(low, high)| {
                let (low, high) = (low / ALARM_RATES[1], high / ALARM_RATES[1]);
                format!("[{low:.2}, {high:.2}]")
            });
        let within = row.within_two.map(|share| 100.0 * share);
        line(
            text,
            format_args!(
                "{:<14} {:>8} {:>8} {:>8} {:>17} {:>10} {:>5}% {:>10} {:>8} {:>8}",
                row.name,
                row.pooled[0].points,
                ratio(0),
                ratio(1),
                interval,
                ratio(2),
                number(within, 0),
                number(row.alerts_a_day, 2),
                number(row.event_f1, 3),
                number(row.median_delay, 1),
            ),
        );
    }
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
}

/// VUS-PR of ours and of others on the series that others are published for.
fn published(text: &mut String, results: &[ScorerResult], peers: &[Peer]) {
    if peers.is_empty() {
        return;
    }
    line(
        text,
        format_args!(
            "{:<26} {:>7} {:>7} {:>7}",
            "VUS-PR, published series", "micro", "macro", "series"
        ),
    );
    for Standing {
        name,
        micro,
        macro_mean,
        series,
    } in peers::standings(results, peers)
    {
        line(
            text,
            format_args!("{name:<26} {micro:>7.3} {macro_mean:>7.3} {series:>7}"),
        );
    }
}

fn nab(text: &mut String, result: &ScorerResult) {
    let scores = || result.series.iter().filter_map(|one| one.nab.as_ref());
    let every = scores().map(|nab| nab.every.clone()).collect();
    let alerts = scores().map(|nab| nab.alerts.clone()).collect();
    nab_block(text, "NAB", every);
    nab_block(text, "NAB, alerts", alerts);
}

fn nab_block(text: &mut String, name: &str, series: Vec<NabSeries>) {
    let count = series.len();
    let corpus = NabCorpus::new(series);
    line(
        text,
        format_args!(
            "\n{name:<14} {:>15} {:>12} {:>9} {:>10} {:>12}   ({count} series)",
            "score", "threshold", "windows", "false rows", "false alerts"
        ),
    );
    for profile in &PROFILES {
        let Some(best) = corpus.best(profile) else {
            line(text, format_args!("{:<14} no window", profile.name));
            continue;
        };
        let threshold = best.threshold.unwrap_or(f64::INFINITY);
        let error = corpus.standard_error_at(profile, threshold);
        let (mut found, mut windows, mut rows, mut alerts) = (0, 0, 0, 0);
        for one in corpus.series_at(profile, threshold) {
            found += one.windows_found;
            windows += one.windows;
            rows += one.false_rows;
            alerts += one.false_alerts;
        }
        let score = match error {
            Some(error) => format!("{:.2} ± {error:.2}", best.score),
            None => format!("{:.2}", best.score),
        };
        let threshold = best.threshold.map_or_else(
            || "no alarm".to_owned(),
            |threshold| format!("{threshold:.5}"),
        );
        line(
            text,
            format_args!(
                "{:<14} {score:>15} {threshold:>12} {:>9} {rows:>10} {alerts:>12}",
                profile.name,
                format!("{found}/{windows}")
            ),
        );
    }
    for profile in &PROFILES {
        if let Some(score) = corpus.transferred(profile) {
            line(
                text,
                format_args!(
                    "{:<14} {score:>15.2}   at the threshold of the other half",
                    profile.name
                ),
            );
        }
    }
}
