//! What a detection says.

use crate::fitted::{Calibration, Warning};
use crate::params::TimeUnit;
use crate::score::Score;

/// The verdicts on a whole series.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    /// One for every point, in the order of the series.
    pub points: Vec<Score>,
    /// Share of normal points that may alarm.
    pub alarm_rate: f64,
    /// What one tick of a timestamp is.
    pub time_unit: TimeUnit,
    /// Periods of the seasons that were looked at, in ticks, shortest first.
    pub periods: Vec<i64>,
    /// Points in the stretches that were compared, shortest first.
    pub windows: Vec<usize>,
    /// What the p-values rest on.
    pub calibration: Calibration,
    /// What a user should know about them.
    pub warnings: Vec<Warning>,
}

impl Scores {
    /// Number of points that raise an alarm.
    pub fn n_anomalies(&self) -> usize {
        self.points.iter().filter(|score| score.anomaly).count()
    }
}
