//! `POST /predict/{series_id}`: points in, verdicts out, one or in columns.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Rejection;
use crate::decode::{present, required};
use crate::problem::{Code, FieldError, Loc};
use crate::timestamp::Timestamp;

/// The body of a predict: `timestamp` and `value`, or `timestamps` and `values`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PredictRequest {
    #[serde(default, deserialize_with = "present")]
    timestamp: Option<Timestamp>,
    #[serde(default, deserialize_with = "present")]
    value: Option<f64>,
    #[serde(default, deserialize_with = "present")]
    timestamps: Option<Vec<Timestamp>>,
    #[serde(default, deserialize_with = "present")]
    values: Option<Vec<f64>>,
}

/// What a checked predict body asks for.
#[derive(Debug, PartialEq)]
pub enum Points<T = Timestamp> {
    /// One point: time, value.
    One(T, f64),
    /// Columns of equal length.
    Columns(Vec<T>, Vec<f64>),
}

impl Points {
    /// The same points with times in ticks, so many to a second.
    ///
    /// # Errors
    /// `timestamp_invalid` for an instant past the last tick.
    pub fn in_ticks(self, per_second: i64) -> Result<Points<i64>, Rejection> {
        let refused = |loc: Vec<Loc>| {
            let reason = "past the last time that the model's time_unit can tell";
            Rejection::one(Code::TimestampInvalid, FieldError::new(loc, reason))
        };
        match self {
            Self::One(time, value) => {
                let loc = || vec![Loc::from("body"), Loc::from("timestamp")];
                let ticks = time.ticks(per_second).ok_or_else(|| refused(loc()))?;
                Ok(Points::One(ticks, value))
            }
            Self::Columns(times, values) => {
                if let Some(index) = times.iter().position(|t| t.ticks(per_second).is_none()) {
                    let loc = [Loc::from("body"), Loc::from("timestamps"), Loc::from(index)];
                    return Err(refused(loc.into()));
                }
                let ticks = times.into_iter().filter_map(|t| t.ticks(per_second));
                Ok(Points::Columns(ticks.collect(), values))
            }
        }
    }
}

impl PredictRequest {
    /// One point or columns, never a mixture.
    ///
    /// # Errors
    /// `missing_field`, `conflicting_fields` or `lengths_differ`.
    pub fn into_points(self) -> Result<Points, Rejection> {
        if self.timestamps.is_none() && self.values.is_none() {
            let timestamp = required(self.timestamp, "timestamp")?;
            let value = required(self.value, "value")?;
            return Ok(Points::One(timestamp, value));
        }
        if self.timestamp.is_some() || self.value.is_some() {
            let field = if self.timestamp.is_some() {
                "timestamp"
            } else {
                "value"
            };
            return Err(Rejection::one(
                Code::ConflictingFields,
                FieldError::new(
                    [Loc::from("body"), Loc::from(field)],
                    format!("`{field}` belongs to a single point and does not go with columns"),
                ),
            ));
        }
        let timestamps = required(self.timestamps, "timestamps")?;
        let values = required(self.values, "values")?;
        if timestamps.len() != values.len() {
            return Err(Rejection::lengths_differ(timestamps.len(), values.len()));
        }
        Ok(Points::Columns(timestamps, values))
    }
}

/// The verdict on one point.
///
/// `anomaly` ⇔ `p_value < alarm_rate` ⇔ `anomaly_score > 1` ⇔ `value` outside
/// [`lower_bound`, `upper_bound`], exactly, in every reply.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PointReply<'a> {
    /// The verdict.
    pub anomaly: bool,
    /// The version that gave it, as a bare number.
    #[serde(serialize_with = "crate::version_as_text")]
    #[schema(schema_with = crate::schema::version_or_none)]
    pub model_version: u64,
    /// Ticks since 1970 in the unit of the model, seconds by default.
    pub timestamp: i64,
    /// As sent.
    pub value: f64,
    /// `ln(p_value) / ln(alarm_rate)`.
    pub anomaly_score: f64,
    /// Probability of a normal point at least as far out.
    #[schema(schema_with = crate::schema::probability)]
    pub p_value: f64,
    /// 0 when normal, rising towards 1 with the score.
    #[schema(schema_with = crate::schema::probability)]
    pub severity: f64,
    /// What the model expects at that time.
    pub expected_value: f64,
    /// Lower end of the normal range; the lowest finite double where the model has no such end.
    pub lower_bound: f64,
    /// Upper end of the normal range; the highest finite double where the model has no such end.
    pub upper_bound: f64,
    /// `above` or `below`: the side of the expected value on which the point lies; `none` on it.
    #[schema(schema_with = crate::schema::side)]
    pub direction: &'a str,
    /// `ok`, `warming_up` or `extrapolated`.
    #[schema(schema_with = crate::schema::status)]
    pub status: &'a str,
    /// Whether `p_value` lies beyond what the calibration's points can show and rests on the tail
    /// fitted to them.
    pub tail_extrapolated: bool,
    /// Hash of the model's bytes.
    #[schema(schema_with = crate::schema::model_hash)]
    pub model_hash: &'a str,
    /// With `?explain=true`: why, the strongest reason first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reasons: Option<Vec<Reason<'a>>>,
}

/// Why a point has its score.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Reason<'a> {
    /// Stable, for programs.
    pub code: &'static str,
    /// For people.
    pub detail: &'a str,
    /// The numbers in it.
    #[serde(serialize_with = "as_map")]
    #[schema(value_type = std::collections::BTreeMap<String, f64>)]
    pub numbers: &'a [(&'static str, f64)],
}

fn as_map<S: serde::Serializer>(
    numbers: &[(&'static str, f64)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(numbers.iter().copied())
}

/// A column of the reply that a caller may select with `?fields=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Column {
    /// `timestamps`
    Timestamps,
    /// `values`
    Values,
    /// `anomaly`
    Anomaly,
    /// `anomaly_score`
    AnomalyScore,
    /// `p_value`
    PValue,
    /// `severity`
    Severity,
    /// `expected_value`
    ExpectedValue,
    /// `lower_bound`
    LowerBound,
    /// `upper_bound`
    UpperBound,
    /// `direction`
    Direction,
    /// `status`
    Status,
    /// `tail_extrapolated`
    TailExtrapolated,
}

impl Column {
    /// Every column, in the order of the reply.
    pub const ALL: [Self; 12] = [
        Self::Timestamps,
        Self::Values,
        Self::Anomaly,
        Self::AnomalyScore,
        Self::PValue,
        Self::Severity,
        Self::ExpectedValue,
        Self::LowerBound,
        Self::UpperBound,
        Self::Direction,
        Self::Status,
        Self::TailExtrapolated,
    ];

    /// The column's key in the reply.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Timestamps => "timestamps",
            Self::Values => "values",
            Self::Anomaly => "anomaly",
            Self::AnomalyScore => "anomaly_score",
            Self::PValue => "p_value",
            Self::Severity => "severity",
            Self::ExpectedValue => "expected_value",
            Self::LowerBound => "lower_bound",
            Self::UpperBound => "upper_bound",
            Self::Direction => "direction",
            Self::Status => "status",
            Self::TailExtrapolated => "tail_extrapolated",
        }
    }
}

/// The columns a caller asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Columns(u16);

impl Columns {
    /// Every column.
    pub const ALL: Self = Self((1 << Column::ALL.len()) - 1);

    /// Reads a comma-separated list of column names.
    ///
    /// # Errors
    /// `invalid_query`, naming the first unknown column.
    pub fn parse(list: &str) -> Result<Self, Rejection> {
        let mut chosen = 0;
        for name in list.split(',') {
            let Some(column) = Column::ALL.into_iter().find(|c| c.name() == name.trim()) else {
                let known: Vec<_> = Column::ALL.iter().map(|c| c.name()).collect();
                return Err(Rejection::one(
                    Code::InvalidQuery,
                    FieldError::new(
                        [Loc::from("query"), Loc::from("fields")],
                        format!(
                            "{name:?} is not a column: expected some of {}",
                            known.join(", ")
                        ),
                    ),
                ));
            };
            chosen |= 1 << column as u16;
        }
        Ok(Self(chosen))
    }

    /// Whether `column` was asked for.
    #[must_use]
    pub const fn has(self, column: Column) -> bool {
        self.0 & (1 << column as u16) != 0
    }

    /// Whether nothing was asked for beyond `columns`.
    #[must_use]
    pub fn are_within(self, columns: &[Column]) -> bool {
        Column::ALL
            .into_iter()
            .all(|c| !self.has(c) || columns.contains(&c))
    }
}

/// The verdicts on many points, as columns of equal length in the order of the request.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct ColumnsReply<'a> {
    /// The version that gave the verdicts, as a bare number.
    #[serde(serialize_with = "crate::version_as_text")]
    #[schema(schema_with = crate::schema::version_or_none)]
    pub model_version: u64,
    /// Hash of the model's bytes.
    #[schema(schema_with = crate::schema::model_hash)]
    pub model_hash: &'a str,
    /// The columns.
    #[serde(flatten)]
    pub verdicts: VerdictColumns<'a>,
    /// See `PointReply::reasons`; empty for a point that is no anomaly.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reasons: Option<Vec<Vec<Reason<'a>>>>,
}

/// Columns of equal length, an entry a point. A column that was not asked for is left out. Each entry
/// is what `PointReply` has.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct VerdictColumns<'a> {
    /// Length of every column.
    pub n_points: usize,
    /// How many of them are anomalous.
    pub n_anomalies: usize,
    /// Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub timestamps: Option<&'a [i64]>,
    /// As sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub values: Option<&'a [f64]>,
    /// The verdicts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub anomaly: Option<Vec<bool>>,
    /// See `PointReply::anomaly_score`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub anomaly_score: Option<Vec<f64>>,
    /// See `PointReply::p_value`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub p_value: Option<Vec<f64>>,
    /// See `PointReply::severity`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub severity: Option<Vec<f64>>,
    /// See `PointReply::expected_value`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub expected_value: Option<Vec<f64>>,
    /// See `PointReply::lower_bound`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub lower_bound: Option<Vec<f64>>,
    /// See `PointReply::upper_bound`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub upper_bound: Option<Vec<f64>>,
    /// See `PointReply::direction`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = crate::schema::sides, required = false)]
    pub direction: Option<Vec<&'static str>>,
    /// See `PointReply::status`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = crate::schema::statuses, required = false)]
    pub status: Option<Vec<&'static str>>,
    /// See `PointReply::tail_extrapolated`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub tail_extrapolated: Option<Vec<bool>>,
}
