//! `POST /detect`: a whole series in, verdicts on all of its points out, nothing stored.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Rejection;
use crate::decode::{object, objects, present, required};
use crate::fit::{Calibration, Excluded, MinDeviation, Seasonality, Warning};
use crate::predict::VerdictColumns;

/// The body of a detection. `timestamps` and `values` are required and of equal length; everything
/// else has a default, or belongs to a fit and is there to be refused by its own name.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetectRequest {
    #[serde(default, deserialize_with = "present")]
    timestamps: Option<Vec<i64>>,
    #[serde(default, deserialize_with = "present")]
    values: Option<Vec<f64>>,
    /// The share of normal points that may alarm.
    #[serde(default)]
    pub alarm_rate: Option<f64>,
    /// `both`, which is the only side of a stretch.
    #[serde(default)]
    pub direction: Option<String>,
    /// `"auto"` by default, or a list of periods in `time_unit`.
    #[serde(default)]
    pub seasonality: Option<Seasonality>,
    /// IANA time zone whose clock the seasons follow; UTC by default.
    #[serde(default)]
    pub timezone: Option<String>,
    /// `s` by default, `ms`, `us` or `ns`: what one tick of every timestamp is.
    #[serde(default)]
    pub time_unit: Option<String>,
    /// Points that the series must have; 3 by default, and no fewer.
    #[serde(default)]
    pub min_points: Option<u64>,
    /// Of a fit.
    #[serde(default)]
    pub model: Option<String>,
    /// Of a fit.
    #[serde(default)]
    pub sigma: Option<f64>,
    /// Of a fit.
    #[serde(default, deserialize_with = "object")]
    pub min_deviation: Option<MinDeviation>,
    /// Of a fit.
    #[serde(default, deserialize_with = "objects")]
    pub exclude: Option<Vec<Excluded>>,
}

impl DetectRequest {
    /// A request of a series alone: times in seconds, and values.
    #[must_use]
    pub fn of_series((timestamps, values): (Vec<i64>, Vec<f64>)) -> Self {
        Self {
            timestamps: Some(timestamps),
            values: Some(values),
            ..Self::default()
        }
    }

    /// Takes the columns out: timestamps in `time_unit`, values.
    ///
    /// # Errors
    /// `missing_field`, naming the column that is not there.
    pub fn take_columns(&mut self) -> Result<(Vec<i64>, Vec<f64>), Rejection> {
        let timestamps = required(self.timestamps.take(), "timestamps")?;
        let values = required(self.values.take(), "values")?;
        Ok((timestamps, values))
    }
}

/// The verdicts on a whole series.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DetectReply<'a> {
    /// The share of normal points that may alarm.
    #[schema(schema_with = crate::schema::probability)]
    pub alarm_rate: f64,
    /// What one tick of every timestamp is.
    #[schema(schema_with = crate::schema::time_unit)]
    pub time_unit: &'a str,
    /// Seasonal periods that were looked at, in `time_unit`, shortest first.
    pub periods: &'a [i64],
    /// Points in the stretches that were compared, shortest first.
    pub windows: &'a [usize],
    /// What the p-values rest on.
    pub calibration: Calibration<'a>,
    /// What a careful reader of the verdicts should know; empty when there is nothing.
    pub warnings: Vec<Warning<'a>>,
    /// The columns.
    #[serde(flatten)]
    pub verdicts: VerdictColumns<'a>,
}
