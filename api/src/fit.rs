//! `POST /fit/{series_id}`: the history of a series in, a model version out.

use std::fmt;

use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Rejection;
use crate::decode::{object, objects, present, required};
use crate::labels::Labels;
use crate::timestamp::Timestamp;

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
    /// Deviations below it never alarm.
    #[serde(default, deserialize_with = "object")]
    pub min_deviation: Option<MinDeviation>,
    /// `"auto"` by default, or a list of periods in `time_unit`.
    #[serde(default)]
    pub seasonality: Option<Seasonality>,
    /// IANA time zone whose clock the seasons follow; UTC by default.
    #[serde(default)]
    pub timezone: Option<String>,
    /// `s` by default, `ms`, `us` or `ns`: what one tick of every timestamp is.
    #[serde(default)]
    pub time_unit: Option<String>,
    /// Stretches left out of the history, both ends included.
    #[serde(default, deserialize_with = "objects")]
    pub exclude: Option<Vec<Excluded>>,
    /// Labels of the version and, from then on, of the series; left out, those of the series stay.
    #[serde(default)]
    pub labels: Option<Labels>,
    /// An alias that is to point to the version from the moment it is stored.
    #[serde(default)]
    pub set_alias: Option<String>,
}

/// The smallest deviation that may raise an alarm: the larger of both.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MinDeviation {
    /// In the unit of the series.
    pub abs: f64,
    /// As a share of the magnitude of the expected value.
    pub rel: f64,
}

/// Which seasons the model is to have.
#[derive(Clone, Debug, PartialEq)]
pub enum Seasonality {
    /// Those found in the history.
    Auto,
    /// These periods.
    Periods(Vec<i64>),
}

/// A stretch of time left out.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Excluded {
    /// First time left out.
    pub from: Timestamp,
    /// Last time left out.
    pub to: Timestamp,
}

impl<'de> Deserialize<'de> for Seasonality {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SeasonalityVisitor;
        impl<'de> Visitor<'de> for SeasonalityVisitor {
            type Value = Seasonality;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"auto\" or a list of periods")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Seasonality, E> {
                match text {
                    "auto" => Ok(Seasonality::Auto),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Seasonality, A::Error> {
                let mut periods = Vec::new();
                while let Some(period) = list.next_element()? {
                    periods.push(period);
                }
                Ok(Seasonality::Periods(periods))
            }
        }
        deserializer.deserialize_any(SeasonalityVisitor)
    }
}

impl FitRequest {
    /// A request of a history alone: times in seconds, and values.
    #[must_use]
    pub fn of_history((timestamps, values): (Vec<i64>, Vec<f64>)) -> Self {
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

/// The reply of a fit whose version is stored durably.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FitReply<'a> {
    /// As in the path.
    #[schema(schema_with = crate::schema::series_id)]
    pub series_id: &'a str,
    /// The bare number, `"1"` for the first version.
    #[serde(serialize_with = "crate::version_as_text")]
    #[schema(schema_with = crate::schema::version)]
    pub version: u64,
    /// The alias that points to it, if the request set one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = crate::schema::alias, required = false)]
    pub alias: Option<&'a str>,
    /// Points the model was fitted on: those sent, less those that `exclude` leaves out.
    pub points_used: usize,
    /// The model that was fitted, never `auto`.
    pub model: &'a str,
    /// Why `auto` chose it; absent when the caller named the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub chosen_because: Option<&'a str>,
    /// The share of normal points that may alarm.
    #[schema(schema_with = crate::schema::probability)]
    pub alarm_rate: f64,
    /// `both`, `above` or `below`.
    #[schema(schema_with = crate::schema::direction)]
    pub direction: &'a str,
    /// What one tick of every timestamp is.
    #[schema(schema_with = crate::schema::time_unit)]
    pub time_unit: &'a str,
    /// Seasonal periods in `time_unit`, shortest first; empty for a model without seasons.
    pub periods: &'a [i64],
    /// What the p-values rest on.
    pub calibration: Calibration<'a>,
    /// Hash of the model's bytes: equal data and parameters give an equal hash.
    #[schema(schema_with = crate::schema::model_hash)]
    pub model_hash: &'a str,
    /// First timestamp of the points used.
    pub trained_from: i64,
    /// Last timestamp of the points used.
    pub trained_to: i64,
    /// From the first byte of the body read to the synced commit, in milliseconds.
    #[schema(minimum = 0)]
    pub duration_ms: f64,
    /// What a careful reader of the model should know; empty when there is nothing.
    pub warnings: Vec<Warning<'a>>,
}

/// What the p-values of a model rest on.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Calibration<'a> {
    /// Points the reference distribution was estimated from.
    pub n: u64,
    /// How a deviation becomes a p-value, such as `student_t`.
    pub method: &'a str,
    /// The smallest alarm rate those points can vouch for; below it p-values rest on the tail of a
    /// distribution.
    pub min_attainable_alarm_rate: f64,
}

/// A warning with a stable code.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Warning<'a> {
    /// Stable, for programs.
    pub code: &'a str,
    /// For people.
    pub detail: &'a str,
}
