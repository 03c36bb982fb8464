//! `comparison.json`, and its gate.

use schemars::JsonSchema;
use serde::Serialize;

use super::items::Item;
use crate::stats::Sorted;

/// The content of `comparison.json`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Comparison {
    /// A request a point.
    pub baseline: Side,
    /// A request a batch.
    pub optimized: Side,
    /// By how many percent of the baseline's the optimized percentile is lower; below 0 if higher.
    pub improvement: Percentiles,
}

/// One way; requests are points.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Side {
    /// Points.
    pub total_requests: usize,
    /// Points with a 2xx reply.
    pub successful_requests: usize,
    /// All others.
    pub failed_requests: usize,
    /// Of the latencies of successful ones in milliseconds; null without any.
    #[serde(flatten)]
    pub percentiles: Percentiles,
}

/// Percentiles by linear interpolation, as pandas has them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Percentiles {
    /// The median.
    pub p50: Option<f64>,
    /// The 95th.
    pub p95: Option<f64>,
    /// The 99th.
    pub p99: Option<f64>,
}

impl Percentiles {
    /// Those of some latencies.
    #[must_use]
    pub fn of(latencies: Vec<f64>) -> Self {
        let sorted = Sorted::new(latencies);
        Self {
            p50: sorted.quantile(0.5),
            p95: sorted.quantile(0.95),
            p99: sorted.quantile(0.99),
        }
    }

    fn improvement(self, optimized: Self) -> Self {
        let percent = |before: Option<f64>, after: Option<f64>| {
            let (before, after) = (before?, after?);
            (before > 0.0).then(|| (before - after) / before * 100.0)
        };
        Self {
            p50: percent(self.p50, optimized.p50),
            p95: percent(self.p95, optimized.p95),
            p99: percent(self.p99, optimized.p99),
        }
    }
}

impl Side {
    /// Of the points of one way.
    #[must_use]
    pub fn of(items: &[Item]) -> Self {
        let ok: Vec<f64> = items
            .iter()
            .filter(|item| item.is_ok())
            .map(|item| item.latency_ms)
            .collect();
        Self {
            total_requests: items.len(),
            successful_requests: ok.len(),
            failed_requests: items.len() - ok.len(),
            percentiles: Percentiles::of(ok),
        }
    }
}

impl Comparison {
    /// Of the points of both ways.
    #[must_use]
    pub fn of(baseline: &[Item], optimized: &[Item]) -> Self {
        let (baseline, optimized) = (Side::of(baseline), Side::of(optimized));
        Self {
            improvement: baseline.percentiles.improvement(optimized.percentiles),
            baseline,
            optimized,
        }
    }
}

/// Whether the 95th percentile of all points is at most `p95_ms`, one that failed counting as one that
/// never came. Without points, nothing passes.
#[must_use]
pub fn gate(items: &[Item], p95_ms: f64) -> bool {
    let latency = |item: &Item| {
        if item.is_ok() {
            item.latency_ms
        } else {
            f64::INFINITY
        }
    };
    let sorted = Sorted::new(items.iter().map(latency).collect());
    // Between a number and infinity there is no middle: the next one up counts.
    let last = sorted.values().len().checked_sub(1);
    let rank = last.map(|last| (last as f64 * 0.95).ceil() as usize);
    let next = rank.and_then(|rank| sorted.values().get(rank));
    next.is_some_and(|next| {
        if next.is_finite() {
            sorted.quantile(0.95).is_some_and(|p95| p95 <= p95_ms)
        } else {
            false
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(latencies: &[f64], failed: usize) -> Vec<Item> {
        let item = |(n, latency): (usize, &f64)| Item {
            request_id: n as u64,
            timestamp_ms: 0.0,
            latency_ms: *latency,
            status_code: if n < failed { -1 } else { 200 },
        };
        latencies.iter().enumerate().map(item).collect()
    }

    #[test]
    fn the_file_has_the_shape_that_was_agreed() {
        let to_100: Vec<f64> = (1..=100).map(f64::from).collect();
        let half: Vec<f64> = to_100.iter().map(|ms| ms / 2.0).collect();
        let comparison = Comparison::of(&items(&to_100, 0), &items(&half, 1));
        let json = serde_json::to_value(&comparison).unwrap();
        assert_eq!(
            json["baseline"],
            serde_json::json!({
                "total_requests": 100, "successful_requests": 100, "failed_requests": 0,
                "p50": 50.5, "p95": 95.05, "p99": 99.01,
            })
        );
        assert_eq!(json["optimized"]["failed_requests"], 1);
        let improvement = Comparison::of(&items(&to_100, 0), &items(&half, 0)).improvement;
        assert_eq!((improvement.p50, improvement.p95), (Some(50.0), Some(50.0)));
        let keys: Vec<_> = json.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["baseline", "improvement", "optimized"]);
        let none = serde_json::to_value(Comparison::of(&[], &[])).unwrap();
        assert!(none["improvement"]["p50"].is_null());
    }

    #[test]
    fn the_gate_passes_and_fails_and_failures_never_come() {
        let fast = [10.0; 100];
        assert!(gate(&items(&fast, 0), 10.0));
        assert!(!gate(&items(&fast, 0), 9.999));
        assert!(gate(&items(&fast, 4), 800.0));
        assert!(
            !gate(&items(&fast, 6), 800.0),
            "six of a hundred never came"
        );
        assert!(!gate(&[], 800.0));
    }
}
