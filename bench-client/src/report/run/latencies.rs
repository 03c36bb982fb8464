//! Tables of latencies: by metric, by kind of request, by class of outcome. A quantile stands with
//! its interval, or not at all.

use maud::{Markup, html};

use super::super::charts::class_name;
use super::super::figures::{UNKNOWN, count, duration, nanos, quantile_name};
use super::scroll;
use super::words::op_name;
use crate::load::response::Op;
use crate::tally::stats::{LatencyStats, Quantile, RunStats};

/// The quantiles that `stats.json` has.
const SHOWN: [f64; 7] = [0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999];

/// A row: what it is called, what that means, the distribution.
type Row<'a> = (String, &'a str, &'a LatencyStats);

pub(super) fn section(stats: &RunStats) -> Markup {
    let ok = &stats.ok;
    let metrics: [Row<'_>; 7] = [
        (
            "Last byte".into(),
            "intended start to last byte: what a caller waits",
            &ok.last,
        ),
        (
            "First byte".into(),
            "intended start to first byte; in streams, to the first score",
            &ok.first,
        ),
        (
            "Service".into(),
            "sent to last byte: without the wait in the client",
            &ok.service,
        ),
        (
            "Per point".into(),
            "streams: from the first score to the last, a score",
            &ok.per_point,
        ),
        (
            "Send lag".into(),
            "intended start to sent, all requests",
            &ok.send_lag,
        ),
        (
            "Own lag".into(),
            "of the send lag, what is the client’s own: without waiting for a free connection",
            &ok.own_lag,
        ),
        ("Server".into(), "what the server says it took", &ok.server),
    ];
    // Only of a stream is the first byte long before the last.
    let first = |op: Op| (op == Op::Ndjson).then(|| format!("{}, first score", op_name(op)));
    let ops = stats.by_op.iter().flat_map(|(op, of_op)| {
        let last = (op_name(*op).to_owned(), "last byte", &of_op.last);
        let first = first(*op).map(|name| (name, "first byte", &of_op.first));
        [Some(last), first].into_iter().flatten()
    });
    let classes = stats
        .by_outcome
        .iter()
        .map(|(class, latency)| (class_name(*class).to_owned(), "", latency));
    html! {
        section {
            h2 { "Latencies" }
            p.aside { "Of 2xx replies unless said otherwise. Beneath a quantile is its 95 % interval; \
                where there are too few samples for one, none is shown." }
            (table("Metric", &metrics))
            @if !stats.by_op.is_empty() {
                h3 { "By kind of request" }
                (table("Request", &ops.collect::<Vec<_>>()))
            }
            @if !stats.by_outcome.is_empty() {
                h3 { "By outcome" }
                p.aside { "Intended start to outcome, each class apart: a refusal is quick and a timeout \
                    has the length of the timeout, so that one percentile over both would say nothing." }
                (table("Outcome", &classes.collect::<Vec<_>>()))
            }
        }
    }
}

fn table(first: &str, rows: &[Row<'_>]) -> Markup {
    scroll(&html! {
        table.figures.latencies {
            thead { tr {
                th { (first) } th { "Count" } th { "Min" } th { "Mean" br; "± std. dev." }
                @for q in SHOWN { th { (quantile_name(q)) } }
                th { "Max" }
            } }
            tbody { @for row in rows { (line(row)) } }
        }
    })
}

fn line((name, meaning, latency): &Row<'_>) -> Markup {
    let real = |ns: Option<f64>| ns.map_or_else(|| UNKNOWN.to_owned(), duration);
    html! {
        tr {
            th title=[(!meaning.is_empty()).then_some(meaning)] { (name) }
            td { (count(latency.count)) } td { (nanos(latency.min_ns)) } td {
                (real(latency.mean_ns))
                @if let Some(deviation) = latency.stddev_ns { span.interval { "± " (duration(deviation)) } }
            }
            @for q in SHOWN { td { (cell(latency, q)) } }
            td { (nanos(latency.max_ns)) }
        }
    }
}

fn cell(latency: &LatencyStats, q: f64) -> Markup {
    html! {
        @match latency.at(q) {
            None => (UNKNOWN),
            Some(Quantile { enough: false, .. }) => span.few { "too few" },
            Some(quantile) => {
                (duration(quantile.value_ns as f64))
                @if let (Some(low), Some(high)) = (quantile.low_ns, quantile.high_ns) {
                    span.interval { (range(low, high)) }
                }
            }
        }
    }
}

/// Both ends, with the unit once where it is the same.
fn range(low: u64, high: u64) -> String {
    let (low, high) = (duration(low as f64), duration(high as f64));
    match (low.split_once(' '), high.split_once(' ')) {
        (Some((value, a)), Some((_, b))) if a == b => format!("{value}–{high}"),
        _ => format!("{low}–{high}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_names_its_unit_once() {
        assert_eq!(range(1_000_000, 2_500_000), "1.00–2.50 ms");
        assert_eq!(range(900_000, 2_500_000), "900 µs–2.50 ms");
    }

    #[test]
    fn a_quantile_of_too_few_is_no_number() {
        let quantile = |enough| Quantile {
            q: 0.99,
            value_ns: 7_654_321,
            low_ns: None,
            high_ns: None,
            enough,
        };
        let latency = |enough| LatencyStats {
            quantiles: vec![quantile(enough)],
            ..LatencyStats::default()
        };
        let shown = |enough| cell(&latency(enough), 0.99).into_string();
        assert!(shown(false).contains("too few") && !shown(false).contains("7.65"));
        assert!(shown(true).contains("7.65 ms"));
        assert_eq!(cell(&latency(true), 0.5).into_string(), "–");
    }
}
