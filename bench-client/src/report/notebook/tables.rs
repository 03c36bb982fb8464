//! The report's tables: figures beside the notebook's, failures, configuration.

use std::collections::BTreeMap;

use maud::{Markup, html};

use crate::notebook::{NotebookSummary, Recorded};
use crate::record::CallRecord;
use crate::summary::{LatencySummary, PhaseSummary};

/// Kinds of failure listed; a run that fails in more ways is described by its CSV.
const MOST_FAILURE_KINDS: usize = 10;

/// One latency figure: its name, and how to read it.
type Figure = (&'static str, fn(&LatencySummary) -> Option<f64>);

const FIGURES: [Figure; 5] = [
    ("min", |latency| latency.min_ms),
    ("p50", |latency| latency.p50_ms),
    ("p95", |latency| latency.p95_ms),
    ("max", |latency| latency.max_ms),
    ("mean", |latency| latency.mean_ms),
];

/// A phase's figures beside those that the notebook recorded.
pub(super) fn side_by_side(summary: &PhaseSummary, recorded: &Recorded) -> Markup {
    let comparable = comparable(summary, recorded);
    let ratio = |recorded: Option<f64>, now: Option<f64>| match (&comparable, recorded, now) {
        (Ok(()), Some(recorded), Some(now)) if now > 0.0 => times(recorded / now),
        _ => "–".to_owned(),
    };
    html! {
        div.scroll {
            table.figures {
                thead { tr {
                    th {} th { "This run" } th { "From burst start" }
                    th { "Notebook" } th { "Ratio" }
                } }
                tbody {
                    tr {
                        th { "ok" }
                        td { (summary.success_count) "/" (summary.total_calls) }
                        td {} td { (recorded.calls) "/" (recorded.calls) } td {}
                    }
                    tr {
                        th { "wall " span.unit { "s" } }
                        td { (format!("{:.3}", summary.wall_s)) }
                        td {} td { (format!("{:.2}", recorded.wall_s)) }
                        td { (ratio(Some(recorded.wall_s), Some(summary.wall_s))) }
                    }
                    @for (name, read) in FIGURES {
                        @let now = read(&summary.latency);
                        tr {
                            th { (name) " " span.unit { "ms" } }
                            td { (ms(now)) } td { (ms(read(&summary.since_intended))) }
                            td { (ms(read(&recorded.latency))) }
                            td { (ratio(read(&recorded.latency), now)) }
                        }
                    }
                }
            }
        }
        @if comparable.is_ok() { p.aside { "Ratio: notebook ÷ this run." } }
        @if let Err(reason) = &comparable { p.aside { "No ratios: " (reason) "." } }
    }
}

/// A failed call can be quicker than an answer and fewer calls are another test, so that only a
/// complete run of the notebook's shape is set against it.
fn comparable(summary: &PhaseSummary, recorded: &Recorded) -> Result<(), String> {
    let shape = (summary.planned_calls, summary.workers);
    if shape != (recorded.calls, recorded.workers) {
        return Err(format!(
            "the notebook made {} calls with {} workers, this run {} with {}",
            recorded.calls, recorded.workers, shape.0, shape.1
        ));
    }
    if !summary.all_ok() {
        return Err("not every call was answered with 200".to_owned());
    }
    Ok(())
}

/// What preceded the burst, where it went wrong or differs from the notebook.
pub(super) fn warm_up(summary: &PhaseSummary) -> Markup {
    let failures = &summary.warm_up.failures;
    html! {
        @if let Some(first) = failures.first() {
            p.callout {
                (failures.len()) " of " (summary.warm_up.calls) " warm-up calls failed; the first: "
                code { (first) }
            }
        }
        @if let Some(warm) = summary.warm_connections {
            p.aside {
                "Connections opened before the burst: " (warm.answered) " of " (warm.requested)
                " health checks answered."
            }
        }
    }
}

/// The failed calls by kind, most frequent first.
pub(super) fn failures(records: &[CallRecord]) -> Markup {
    let mut kinds: BTreeMap<&str, Vec<&CallRecord>> = BTreeMap::new();
    for record in records.iter().filter(|record| !record.ok) {
        let error = record.error.as_deref().unwrap_or_default();
        kinds.entry(error).or_default().push(record);
    }
    let mut kinds: Vec<_> = kinds.into_iter().collect();
    kinds.sort_by_key(|(_, calls)| std::cmp::Reverse(calls.len()));
    let unlisted = kinds.len().saturating_sub(MOST_FAILURE_KINDS);
    html! {
        @if !kinds.is_empty() {
            h3 { "Failures" }
            div.scroll {
                table.failures {
                    thead { tr { th { "Calls" } th { "First" } th { "Error" } th { "Reply" } } }
                    tbody {
                        @for (error, calls) in kinds.iter().take(MOST_FAILURE_KINDS) {
                            tr {
                                td { (calls.len()) } td { "#" (calls[0].call_index) }
                                td { (error) }
                                td { code { (calls[0].body_preview.as_deref().unwrap_or("–")) } }
                            }
                        }
                    }
                }
            }
            @if unlisted > 0 { p.aside { (unlisted) " more kinds are in the CSV file." } }
        }
    }
}

/// What was asked for, of which server, by which client, on which machine.
pub(super) fn configuration(summary: &NotebookSummary) -> Markup {
    let config = &summary.config;
    let client = &summary.client;
    let host = &summary.host;
    let rows = [
        ("Server", config.base_url.clone()),
        ("Seed", config.seed.to_string()),
        ("Calls in each phase", config.calls.to_string()),
        ("Workers", config.workers.to_string()),
        (
            "Connection pool",
            format!("{} idle kept", config.pool_max_idle_per_host),
        ),
        ("Warm-up calls", config.warm_up_calls.to_string()),
        (
            "Connections before a burst",
            (if config.warm_connections {
                "one a worker"
            } else {
                "as the warm-up leaves them"
            })
            .to_owned(),
        ),
        ("Fit timeout", seconds(config.fit_timeout_s)),
        ("Predict timeout", seconds(config.predict_timeout_s)),
        ("Cool-down", seconds(config.cool_down_s)),
        ("Whole run", seconds(summary.took().as_secs_f64())),
        (
            "Client",
            format!(
                "{} {} ({} build)",
                client.name, client.version, client.profile
            ),
        ),
        (
            "Client’s machine",
            format!("{}, {}, {} CPUs", host.os, host.arch, host.cpus),
        ),
    ];
    html! {
        section {
            h2 { "Configuration" }
            dl.config {
                @for (name, value) in &rows { div { dt { (name) } dd { (value) } } }
            }
        }
    }
}

/// Seconds, or milliseconds below one second.
pub(super) fn seconds(value: f64) -> String {
    match value {
        short if short > 0.0 && short < 0.1 => format!("{:.1} ms", short * 1e3),
        medium if medium > 0.0 && medium < 1.0 => format!("{:.0} ms", medium * 1e3),
        whole if whole.fract() == 0.0 || whole >= 100.0 => format!("{whole:.0} s"),
        other => format!("{other:.2} s"),
    }
}

/// A burst's duration to the digits that the notebook printed.
pub(super) fn recorded_wall(recorded: &Recorded) -> String {
    format!("{:.2} s", recorded.wall_s)
}

fn ms(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.2}"))
}

fn times(ratio: f64) -> String {
    if ratio >= 10.0 {
        format!("{ratio:.0}×")
    } else {
        format!("{ratio:.1}×")
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::notebook::RECORDED_FIT;

    #[test]
    fn ratios_need_the_notebooks_shape_and_no_failure() {
        let mut summary = sample::run().summary.fit.unwrap();
        let shape = comparable(&summary, &RECORDED_FIT).unwrap_err();
        assert!(shape.contains("this run 4 with 2"), "{shape}");
        (summary.planned_calls, summary.workers) = (100, 100);
        (summary.total_calls, summary.success_count) = (100, 99);
        assert!(comparable(&summary, &RECORDED_FIT).is_err());
        summary.success_count = 100;
        summary.wall_s = 0.058;
        let table = side_by_side(&summary, &RECORDED_FIT).into_string();
        assert!(
            table.contains("<td>0.058</td>") && table.contains("<td>20×</td>"),
            "{table}"
        );
    }

    #[test]
    fn failures_are_grouped_by_kind() {
        let mut records = sample::run().fit;
        assert_eq!(failures(&records[1..]).into_string(), "");
        records.push(records[0].clone());
        let table = failures(&records).into_string();
        assert_eq!(table.matches("HTTP 500").count(), 1);
        assert!(table.contains("<td>2</td><td>#0</td>"), "{table}");
    }

    #[test]
    fn durations_read_well() {
        let shown = [0.0583, 0.25, 1.16, 60.0, 0.0].map(seconds);
        assert_eq!(shown, ["58.3 ms", "250 ms", "1.16 s", "60 s", "0 s"]);
    }
}
