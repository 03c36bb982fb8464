//! Tables of rates, outcomes, errors, and whatever hooks added.

use maud::{Markup, html};
use serde_json::Value;

use super::super::charts::class_name;
use super::super::figures::{UNKNOWN, bytes, count, nanos, percent, rate, significant};
use super::scroll;
use super::words::op_name;
use crate::chaos;
use crate::load::response::OutcomeClass;
use crate::results::summary::{Contributed, RunData};
use crate::server_side;
use crate::tally::stats::RunStats;

/// Rates over the send window and over the wall clock, which answer different questions.
pub(super) fn rates(run: &RunData) -> Markup {
    let stats = &run.stats;
    let window = &stats.send_window;
    let minute = window
        .requests_per_minute
        .map_or_else(|| UNKNOWN.to_owned(), |n| format!("{}/min", significant(n)));
    let wall = nanos(Some(stats.wall_ns));
    let sending = nanos(Some(window.window_ns));
    let rows = [
        (
            "Offered",
            rate(window.offered_rps),
            "send window",
            "(N − 1) ÷ window: what the server was offered",
        ),
        (
            "Requests a minute",
            minute,
            "send window",
            "60·N ÷ window, as LLMeter counts",
        ),
        (
            "Completed",
            rate(stats.completed_rps),
            "wall clock",
            "requests with any outcome",
        ),
        (
            "Goodput",
            rate(stats.goodput_rps),
            "wall clock",
            "2xx replies in good time",
        ),
        (
            "Points sent",
            rate(stats.points_in_per_s),
            "wall clock",
            "in requests with any outcome",
        ),
        (
            "Points scored",
            rate(stats.points_out_per_s),
            "wall clock",
            "in replies",
        ),
    ];
    html! {
        section {
            h2 { "Rates" }
            @if window.says_nothing {
                p.callout { "The send window is shorter than the median latency: all requests were on \
                    their way before half of the replies were there, so that rates over the send window \
                    say nothing about the server." }
            }
            (scroll(&html! {
                table.figures {
                    thead { tr { th { "Rate" } th {} th { "Over" } th.words { "What it counts" } } }
                    tbody {
                        @for (name, value, over, meaning) in &rows {
                            tr.doubtful[window.says_nothing && *over == "send window"] {
                                th { (name) } td { (value) }
                                td { (over) " (" (if *over == "wall clock" { &wall } else { &sending }) ")" }
                                td.words { (meaning) }
                            }
                        }
                    }
                }
            }))
            p.aside { (count(stats.points_in)) " points and " (bytes(stats.bytes_out)) " sent, "
                (count(stats.points_out)) " points and " (bytes(stats.bytes_in)) " received. The send window \
                runs from the first send to the last, the wall clock from the run's start to the last outcome, \
                or to the end of its duration if that is later." }
        }
    }
}

/// How requests ended, by kind, and what failures said.
pub(super) fn outcomes(stats: &RunStats) -> Markup {
    html! {
        section {
            h2 { "Outcomes" }
            (scroll(&html! {
                table.figures {
                    thead { tr {
                        th { "Request" } th { "Requests" }
                        @for class in OutcomeClass::ALL { th { (class_name(class)) } }
                        th { "Without 2xx" } th { "Points scored" }
                    } }
                    tbody {
                        @for (op, of_op) in &stats.by_op {
                            @let n = |class| of_op.outcomes.get(&class).copied().unwrap_or_default();
                            (row(op_name(*op), of_op.requests, n, of_op.points_out))
                        }
                        @if stats.by_op.len() != 1 {
                            (row("all", stats.requests, |class| stats.count(class), stats.points_out))
                        }
                    }
                }
            }))
            (errors(stats))
        }
    }
}

fn row(name: &str, requests: u64, n: impl Fn(OutcomeClass) -> u64, points: u64) -> Markup {
    let failed = requests.saturating_sub(n(OutcomeClass::Ok));
    let share = (requests > 0).then(|| failed as f64 / requests as f64);
    html! {
        tr {
            th { (name) } td { (count(requests)) }
            @for class in OutcomeClass::ALL { td { (count(n(class))) } }
            td { (percent(share)) } td { (count(points)) }
        }
    }
}

fn errors(stats: &RunStats) -> Markup {
    html! {
        @if !stats.errors.is_empty() {
            h3 { "Failures" }
            (scroll(&html! {
                table.failures {
                    thead { tr { th { "Requests" } th { "First" } th { "What they say" } } }
                    tbody {
                        @for error in &stats.errors {
                            tr {
                                td { (count(error.count)) } td { "#" (error.first_index) }
                                td { code { (error.message) } }
                            }
                        }
                    }
                }
            }))
            @if stats.other_errors > 0 {
                p.aside { (count(stats.other_errors)) " more failures of other kinds are in "
                    code { "responses.jsonl" } "." }
            }
        }
    }
}

/// What hooks added, whatever its shape, but for what has a section of its own.
pub(super) fn contributed(contributed: &Contributed) -> Markup {
    let shown = [chaos::NAME, server_side::NAME];
    let others = || {
        contributed
            .iter()
            .filter(|(hook, _)| !shown.contains(&hook.as_str()))
    };
    html! {
        @if others().next().is_some() {
            section {
                h2 { "Contributed figures" }
                @for (hook, figures) in others() {
                    h3 { (hook) }
                    dl.config {
                        @for (name, value) in leaves(figures) { div { dt { (name) } dd { (value) } } }
                    }
                }
            }
        }
    }
}

/// The values of a JSON tree with their paths, in order.
pub(in crate::report) fn leaves(value: &Value) -> Vec<(String, String)> {
    let mut out = Vec::new();
    walk(value, String::new(), &mut out);
    out
}

fn walk(value: &Value, path: String, out: &mut Vec<(String, String)>) {
    let under = |name: &str| match path.as_str() {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    };
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                walk(value, under(name), out);
            }
        }
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            for (i, value) in items.iter().enumerate() {
                walk(value, under(&i.to_string()), out);
            }
        }
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(shown).collect();
            out.push((path, items.join(", ")));
        }
        leaf => out.push((path, shown(leaf))),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(n) if n.is_u64() => count(n.as_u64().unwrap_or_default()),
        Value::Null => UNKNOWN.to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn any_json_becomes_rows() {
        let value = json!({"a": {"b": 1_234, "c": [1, 2]}, "d": null, "e": [{"f": true}], "g": "x", "h": {}});
        let pair = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let expected = [
            ("a.b", "1,234"),
            ("a.c", "1, 2"),
            ("d", "–"),
            ("e.0.f", "true"),
            ("g", "x"),
            ("h", "{}"),
        ];
        assert_eq!(leaves(&value), expected.map(pair));
        assert_eq!(leaves(&json!(7)), [pair(("", "7"))]);
    }
}
