//! The table of latencies.

use std::fmt::Write;

use super::numbers::{count, ms};
use super::table::Table;
use crate::load::response::OutcomeClass;
use crate::tally::statistic::quantile_name;
use crate::tally::stats::{LatencyStats, RunStats};

/// Quantiles in the table, which has to fit a terminal.
pub(super) const QUANTILES: [f64; 4] = [0.5, 0.95, 0.99, 0.999];

/// A row a distribution that has a duration in it, with intervals in a row of their own.
pub(super) fn write(text: &mut String, stats: &RunStats) -> std::fmt::Result {
    let mut head = vec![String::new(), "count".to_owned(), "min".to_owned()];
    head.extend(QUANTILES.map(quantile_name));
    head.push("max".to_owned());
    let mut table = Table::right(2);
    table.row(head);
    let ok = &stats.ok;
    let mut rows = vec![
        ("last".to_owned(), &ok.last),
        ("first".to_owned(), &ok.first),
        ("service".to_owned(), &ok.service),
        ("per point".to_owned(), &ok.per_point),
        ("server".to_owned(), &ok.server),
    ];
    // In a closed loop there is none.
    if ok.send_lag.max_ns > Some(0) {
        rows.push(("send lag".to_owned(), &ok.send_lag));
    }
    if stats.by_op.len() > 1 {
        rows.extend(
            stats
                .by_op
                .iter()
                .map(|(op, stats)| (op.name().to_owned(), &stats.last)),
        );
    }
    let failed = stats
        .by_outcome
        .iter()
        .filter(|(class, _)| **class != OutcomeClass::Ok);
    rows.extend(failed.map(|(class, latencies)| (class.name().to_owned(), latencies)));
    for (name, latencies) in rows {
        for row in latency_rows(name, latencies) {
            table.row(row);
        }
    }
    writeln!(
        text,
        "\nLatency in ms, beneath quantiles their 95 % interval"
    )?;
    writeln!(text, "{table}")
}

/// A row of values and one of intervals; nothing without durations.
fn latency_rows(name: String, latencies: &LatencyStats) -> Vec<Vec<String>> {
    let (Some(min), Some(max)) = (latencies.min_ns, latencies.max_ns) else {
        return Vec::new();
    };
    let end = |ns: Option<u64>| ns.map_or("…".to_owned(), |ns| ms(ns as f64));
    let mut values = vec![name, count(latencies.count), ms(min as f64)];
    let mut intervals = vec![String::new(); 3];
    for q in QUANTILES {
        let (value, interval) = match latencies.at(q) {
            Some(quantile) if quantile.enough => (
                ms(quantile.value_ns as f64),
                format!("{}–{}", end(quantile.low_ns), end(quantile.high_ns)),
            ),
            _ => ("too few".to_owned(), String::new()),
        };
        values.push(value);
        intervals.push(interval);
    }
    values.push(ms(max as f64));
    if min == max || intervals.iter().all(String::is_empty) {
        return vec![values];
    }
    vec![values, intervals]
}
