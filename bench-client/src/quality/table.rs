//! What a run prints: for each model and baseline how well it ranks, how often it alarms on normal
//! points, and what NAB says.

use std::fmt::Write;

use detectors::eval::nab::{NabCorpus, NabSeries, PROFILES};
use detectors::whole::CONSTANTS;

use super::metrics::ALARM_RATES;
use super::mode::Mode;
use super::published::Published;
use super::summary::{AlarmRow, MEANS, Mean, Row, alarm_rows, rows};
use super::{ScorerResult, Settings};

/// The whole report.
pub fn render(
    settings: &Settings,
    results: &[ScorerResult],
    published: Option<&Published>,
) -> String {
    let mut text = String::new();
    for (index, result) in results.iter().enumerate() {
        let kind = if index < settings.models.len() {
            "model"
        } else {
            "baseline"
        };
        let points: usize = result.series.iter().map(|one| one.rows).sum();
        line(
            &mut text,
            format_args!(
                "== {kind} {}, mode {}, alarm rate {:e}: {} series, {points} points",
                result.name,
                settings.mode,
                settings.alarm_rate,
                result.series.len()
            ),
        );
        if (settings.mode, index) == (Mode::Whole, 0) {
            line(&mut text, format_args!("{CONSTANTS:?}"));
        }
        notes(&mut text, result);
        ranking(&mut text, &rows(&result.series));
        if let Some(published) = published.filter(|_| index < settings.models.len()) {
            line(&mut text, published.beside(&result.series));
        }
        alarms(&mut text, &alarm_rows(&result.series), settings.alarm_rate);
        if settings.nab_windows.is_some() {
            nab(&mut text, result);
        }
        text.push('\n');
    }
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

fn nab(text: &mut String, result: &ScorerResult) {
    let series: Vec<NabSeries> = result
        .series
        .iter()
        .filter_map(|one| one.nab.clone())
        .collect();
    let count = series.len();
    let corpus = NabCorpus::new(series);
    line(
        text,
        format_args!(
            "\n{:<14} {:>15} {:>12} {:>9} {:>10} {:>12}   ({count} series)",
            "NAB", "score", "threshold", "windows", "false rows", "false alerts"
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
}
