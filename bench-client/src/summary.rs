//! A phase in a few figures, as `summary.json` carries them.
//!
//! All figures are over all calls, failures included, as the notebook has them. A failure can be
//! quicker than an answer, so that the count of failures has to be read first.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::record::CallRecord;
use crate::runner::Burst;
use crate::stats::Sorted;

/// Five figures of a latency distribution in milliseconds; all `null` without calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct LatencySummary {
    /// The shortest.
    pub min_ms: Option<f64>,
    /// The median, type 7.
    pub p50_ms: Option<f64>,
    /// The 95th percentile, type 7.
    pub p95_ms: Option<f64>,
    /// The longest.
    pub max_ms: Option<f64>,
    /// The arithmetic mean.
    pub mean_ms: Option<f64>,
}

/// One phase's calls in figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PhaseSummary {
    /// Calls that were meant to be made.
    pub planned_calls: usize,
    /// Calls with a known outcome; fewer than planned only after an interruption.
    pub total_calls: usize,
    /// Calls answered with status 200.
    pub success_count: usize,
    /// Every other call.
    pub error_count: usize,
    /// Latency from sending, which is after the wait for a worker.
    #[serde(flatten)]
    pub latency: LatencySummary,
    /// Latency from the burst's start, when every call was meant to start.
    pub since_intended: LatencySummary,
    /// Calls allowed on the wire at the same time.
    pub workers: usize,
    /// Seconds from the burst's start to the last outcome.
    pub wall_s: f64,
    /// Calls a status, −1 standing for no reply.
    pub status_codes: BTreeMap<i32, usize>,
    /// The untimed calls before the burst.
    pub warm_up: WarmUp,
    /// The connections opened before the burst, when that was asked for.
    pub warm_connections: Option<WarmConnections>,
}

/// The untimed calls before a burst.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WarmUp {
    /// Calls made.
    pub calls: usize,
    /// One line a failed call.
    pub failures: Vec<String>,
}

/// The round of concurrent health checks that opens connections before a burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WarmConnections {
    /// Health checks sent at once, one a worker.
    pub requested: usize,
    /// Health checks that got any reply, so that their connection could be kept.
    pub answered: usize,
}

impl LatencySummary {
    /// Condenses a sample of milliseconds.
    #[must_use]
    pub fn of(sample: &Sorted) -> Self {
        Self {
            min_ms: sample.min(),
            p50_ms: sample.quantile(0.50),
            p95_ms: sample.quantile(0.95),
            max_ms: sample.max(),
            mean_ms: sample.mean(),
        }
    }
}

/// What surrounded a burst.
#[derive(Debug, Clone, Default)]
pub struct Circumstances {
    /// Calls that were meant to be made.
    pub planned_calls: usize,
    /// Calls allowed on the wire at the same time.
    pub workers: usize,
    /// The untimed calls before the burst.
    pub warm_up: WarmUp,
    /// The connections opened before the burst, when that was asked for.
    pub warm_connections: Option<WarmConnections>,
}

impl PhaseSummary {
    /// Condenses a burst.
    #[must_use]
    pub fn of(burst: &Burst, around: Circumstances) -> Self {
        let records = &burst.records;
        let sorted = |figure: fn(&CallRecord) -> f64| {
            LatencySummary::of(&Sorted::new(records.iter().map(figure).collect()))
        };
        let success_count = records.iter().filter(|record| record.ok).count();
        let mut status_codes = BTreeMap::new();
        for record in records {
            *status_codes.entry(record.status_or_no_reply()).or_default() += 1;
        }
        Self {
            planned_calls: around.planned_calls,
            total_calls: records.len(),
            success_count,
            error_count: records.len() - success_count,
            latency: sorted(|record| record.delta_ms),
            since_intended: sorted(|record| record.since_intended_ms),
            workers: around.workers,
            wall_s: burst.wall.as_secs_f64(),
            status_codes,
            warm_up: around.warm_up,
            warm_connections: around.warm_connections,
        }
    }

    /// Whether every planned call was made and answered with 200.
    #[must_use]
    pub fn all_ok(&self) -> bool {
        self.success_count == self.planned_calls
    }

    /// The notebook's closing line of a burst.
    #[must_use]
    pub fn finished_line(&self) -> String {
        finished_line(
            self.total_calls,
            self.workers,
            Duration::from_secs_f64(self.wall_s),
        )
    }
}

fn finished_line(calls: usize, workers: usize, wall: Duration) -> String {
    let seconds = wall.as_secs_f64();
    format!("Finished {calls} calls with {workers} workers in {seconds:.2}s")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(call_index: usize, status_code: Option<u16>, delta_ms: f64) -> CallRecord {
        CallRecord {
            call_index,
            series_id: "s".into(),
            status_code,
            ok: status_code == Some(200),
            delta_ms,
            start_epoch_ms: 0.0,
            end_epoch_ms: delta_ms,
            error: None,
            body_preview: None,
            since_intended_ms: delta_ms + 100.0,
        }
    }

    fn burst(records: Vec<CallRecord>) -> Burst {
        let wall = Duration::from_millis(1_234);
        Burst { records, wall }
    }

    #[test]
    fn counts_every_call_and_takes_figures_over_all_of_them() {
        let records = vec![
            call(0, Some(200), 10.0),
            call(1, Some(500), 20.0),
            call(2, None, 30.0),
            call(3, Some(200), 40.0),
        ];
        let around = Circumstances {
            planned_calls: 4,
            workers: 2,
            ..Circumstances::default()
        };
        let summary = PhaseSummary::of(&burst(records), around);
        assert_eq!((summary.success_count, summary.error_count), (2, 2));
        assert_eq!(summary.latency.p50_ms, Some(25.0));
        assert_eq!(summary.latency.p95_ms, Some(38.5));
        assert_eq!(summary.latency.mean_ms, Some(25.0));
        assert_eq!(summary.since_intended.min_ms, Some(110.0));
        let codes: Vec<_> = summary.status_codes.clone().into_iter().collect();
        assert_eq!(codes, [(-1, 1), (200, 2), (500, 1)]);
        assert!(!summary.all_ok());
        assert_eq!(
            summary.finished_line(),
            "Finished 4 calls with 2 workers in 1.23s"
        );
    }

    #[test]
    fn no_calls_give_null_and_survive_json() {
        let around = Circumstances {
            planned_calls: 4,
            ..Circumstances::default()
        };
        let summary = PhaseSummary::of(&burst(vec![]), around);
        assert!(!summary.all_ok());
        let json = serde_json::to_value(&summary).unwrap();
        assert_eq!(json["min_ms"], serde_json::Value::Null);
        assert_eq!(json["since_intended"]["mean_ms"], serde_json::Value::Null);
        assert_eq!(
            serde_json::from_value::<PhaseSummary>(json).unwrap(),
            summary
        );
    }
}
