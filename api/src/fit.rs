//! `POST /fit/{series_id}`: the history of a series in, a model version out.

use serde::{Deserialize, Serialize};

use crate::Rejection;
use crate::decode::{present, required};

/// The body of a fit. `timestamps` and `values` are required and of equal length;
/// everything else has a default.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FitRequest {
    #[serde(default, deserialize_with = "present")]
    timestamps: Option<Vec<i64>>,
    #[serde(default, deserialize_with = "present")]
    values: Option<Vec<f64>>,
    /// `"auto"` by default, or the name of a model.
    #[serde(default)]
    pub model: Option<String>,
    /// The share of normal points that may alarm.
    #[serde(default)]
    pub alarm_rate: Option<f64>,
    /// For `gaussian`, instead of `alarm_rate`: how many standard deviations are normal.
    #[serde(default)]
    pub sigma: Option<f64>,
    /// `both`, `above` or `below`: the side on which a point may be anomalous.
    #[serde(default)]
    pub direction: Option<String>,
}

impl FitRequest {
    /// Takes the columns out: timestamps in Unix seconds, values.
    ///
    /// # Errors
    /// `missing_field`, naming the column that is not there.
    pub fn take_columns(&mut self) -> Result<(Vec<i64>, Vec<f64>), Rejection> {
        let timestamps = required(self.timestamps.take(), "timestamps")?;
        let values = required(self.values.take(), "values")?;
        Ok((timestamps, values))
    }
}

/// The reply of a fit whose version is stored durably.
#[derive(Clone, Debug, Serialize)]
pub struct FitReply<'a> {
    /// As in the path.
    pub series_id: &'a str,
    /// The bare number, `"1"` for the first version.
    #[serde(serialize_with = "crate::version_as_text")]
    pub version: u64,
    /// Points the model was fitted on.
    pub points_used: usize,
    /// The model that was fitted, never `auto`.
    pub model: &'a str,
    /// Why `auto` chose it; absent when the caller named the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chosen_because: Option<&'a str>,
    /// The share of normal points that may alarm.
    pub alarm_rate: f64,
    /// `both`, `above` or `below`.
    pub direction: &'a str,
    /// Seasonal periods in seconds; empty for a model without seasons.
    pub periods: &'a [i64],
    /// What the p-values rest on.
    pub calibration: Calibration<'a>,
    /// Hash of the model's bytes: equal data and parameters give an equal hash.
    pub model_hash: &'a str,
    /// First timestamp of the training data.
    pub trained_from: i64,
    /// Last timestamp of the training data.
    pub trained_to: i64,
    /// From the first byte of the body read to the synced commit, in milliseconds.
    pub duration_ms: f64,
    /// What a careful reader of the model should know; empty when there is nothing.
    pub warnings: Vec<Warning<'a>>,
}

/// What the p-values of a model rest on.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Calibration<'a> {
    /// Points the reference distribution was estimated from.
    pub n: u64,
    /// How a deviation becomes a p-value, such as `student_t`.
    pub method: &'a str,
    /// No smaller alarm rate can be told apart from zero.
    pub min_attainable_alarm_rate: f64,
}

/// A warning with a stable code.
#[derive(Clone, Debug, Serialize)]
pub struct Warning<'a> {
    /// Stable, for programs.
    pub code: &'a str,
    /// For people.
    pub detail: &'a str,
}
