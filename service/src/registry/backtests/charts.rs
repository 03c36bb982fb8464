//! What the report of a backtest draws, as it is stored beside the job.

use detectors::backtest::Bucket;
use serde::{Deserialize, Serialize};

/// The charts of a backtest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Charts {
    /// One a contender.
    pub contenders: Vec<Chart>,
}

/// Stretches of points beside each other; columns of equal length.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Chart {
    /// The contender.
    pub name: String,
    /// First timestamps.
    pub from: Vec<i64>,
    /// Last timestamps.
    pub to: Vec<i64>,
    /// Lowest values.
    pub low: Vec<f64>,
    /// Highest values.
    pub high: Vec<f64>,
    /// Lower bounds, where there are some.
    pub lower: Vec<Option<f64>>,
    /// Upper bounds, where there are some.
    pub upper: Vec<Option<f64>>,
    /// Values of the strongest alarms, where there are some.
    pub alarm: Vec<Option<f64>>,
    /// Whether a point is labelled.
    pub labelled: Vec<bool>,
}

impl Chart {
    pub(super) fn empty(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    pub(super) fn of(name: &str, buckets: &[Bucket]) -> Self {
        Self {
            name: name.to_owned(),
            from: buckets.iter().map(|bucket| bucket.from).collect(),
            to: buckets.iter().map(|bucket| bucket.to).collect(),
            low: buckets.iter().map(|bucket| bucket.low).collect(),
            high: buckets.iter().map(|bucket| bucket.high).collect(),
            lower: buckets.iter().map(|bucket| bucket.lower).collect(),
            upper: buckets.iter().map(|bucket| bucket.upper).collect(),
            alarm: buckets.iter().map(|bucket| bucket.alarm).collect(),
            labelled: buckets.iter().map(|bucket| bucket.labelled).collect(),
        }
    }
}
