//! `GET /series` and what is below it: which series and versions there are.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::feedback::FeedbackObeyed;
use crate::fit::{Calibration, Warning};
use crate::version_diff::VersionDiff;
use crate::{AliasReply, Code};

/// Labels of a reply.
pub type LabelsReply<'a> = BTreeMap<&'a str, &'a str>;

/// A page of series.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SeriesListReply<'a> {
    /// In the order of their ids.
    pub series: Vec<SeriesEntry<'a>>,
    /// For the next page; null when there is nothing more. A page may be short of its limit before that.
    pub next_cursor: Option<String>,
}

/// A series of a page. One whose records are damaged has an id and a `problem`, and nothing else.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct SeriesEntry<'a> {
    /// The series.
    #[schema(schema_with = crate::schema::series_id)]
    pub series_id: &'a str,
    /// Its latest version, a bare number.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "text_or_none"
    )]
    #[schema(schema_with = crate::schema::version, required = false)]
    pub latest_version: Option<u64>,
    /// How many versions it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 1)]
    pub versions: Option<u64>,
    /// The labels of its newest fit that named any.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = crate::schema::labels, required = false)]
    pub labels: Option<LabelsReply<'a>>,
    /// When the latest version was fitted, Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub fitted_at: Option<i64>,
    /// The code of what is wrong with its records, if anything is.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "code_or_none"
    )]
    #[schema(schema_with = crate::schema::damaged, required = false)]
    pub problem: Option<Code>,
}

/// A series.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SeriesReply<'a> {
    /// The series.
    #[schema(schema_with = crate::schema::series_id)]
    pub series_id: &'a str,
    /// Its latest version, a bare number.
    #[serde(serialize_with = "crate::version_as_text")]
    #[schema(schema_with = crate::schema::version)]
    pub latest_version: u64,
    /// Its first version that is there, a bare number.
    #[serde(serialize_with = "crate::version_as_text")]
    #[schema(schema_with = crate::schema::version)]
    pub first_version: u64,
    /// How many versions it has.
    #[schema(minimum = 1)]
    pub versions: u64,
    /// The labels of its newest fit that named any.
    #[schema(schema_with = crate::schema::labels)]
    pub labels: LabelsReply<'a>,
    /// When the latest version was fitted, Unix seconds.
    pub fitted_at: i64,
    /// Its aliases, in the order of their names.
    pub aliases: Vec<AliasReply<'a>>,
    /// Whether it has an online state.
    pub online: bool,
    /// Its latest version.
    pub last_fit: VersionEntry<'a>,
}

/// A page of versions.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct VersionsReply<'a> {
    /// The series.
    #[schema(schema_with = crate::schema::series_id)]
    pub series_id: &'a str,
    /// The newest first, unless `order=asc` was asked for.
    pub versions: Vec<VersionEntry<'a>>,
    /// For the next page; null when there is nothing more.
    pub next_cursor: Option<String>,
}

/// A version of a page. One whose record is damaged has a number, its aliases and a `problem`.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct VersionEntry<'a> {
    /// The bare number.
    #[serde(serialize_with = "crate::version_as_text")]
    #[schema(schema_with = crate::schema::version)]
    pub version: u64,
    /// The aliases that point to it.
    pub aliases: Vec<&'a str>,
    /// When it was fitted, Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub fitted_at: Option<i64>,
    /// When it was imported, Unix seconds; absent if it was fitted here.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub imported_at: Option<i64>,
    /// The model.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub model: Option<&'a str>,
    /// Points it was fitted on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub points_used: Option<u64>,
    /// First timestamp of those points, in the model's time unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub trained_from: Option<i64>,
    /// Last timestamp of those points, in the model's time unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub trained_to: Option<i64>,
    /// The share of normal points that may alarm.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = crate::schema::probability, required = false)]
    pub alarm_rate: Option<f64>,
    /// Hash of the model's bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = crate::schema::model_hash, required = false)]
    pub model_hash: Option<&'a str>,
    /// Bytes that model and training points take in the store, before its compression.
    #[schema(minimum = 0)]
    pub size_bytes: u64,
    /// The labels it was fitted with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = crate::schema::labels, required = false)]
    pub labels: Option<LabelsReply<'a>>,
    /// The code of what is wrong with its record, if anything is.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "code_or_none"
    )]
    #[schema(schema_with = crate::schema::damaged, required = false)]
    pub problem: Option<Code>,
}

/// A version with all that is known of how it was made.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct VersionReply<'a> {
    /// The series.
    #[schema(schema_with = crate::schema::series_id)]
    pub series_id: &'a str,
    /// The bare number.
    #[serde(serialize_with = "crate::version_as_text")]
    #[schema(schema_with = crate::schema::version)]
    pub version: u64,
    /// When it was fitted, Unix seconds.
    pub fitted_at: i64,
    /// When it was imported, Unix seconds; absent if it was fitted here.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub imported_at: Option<i64>,
    /// The model, never `auto`.
    pub model: &'a str,
    /// Why `auto` chose it; absent when the caller named the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub chosen_because: Option<&'a str>,
    /// Points it was fitted on.
    pub points_used: u64,
    /// First timestamp of those points, in the model's time unit.
    pub trained_from: i64,
    /// Last timestamp of those points, in the model's time unit.
    pub trained_to: i64,
    /// Seasonal periods in `time_unit`, shortest first; empty for a model without seasons.
    pub periods: &'a [i64],
    /// What the p-values rest on.
    pub calibration: Calibration<'a>,
    /// What the fit was asked for, defaults filled in.
    pub parameters: ParametersReply<'a>,
    /// The labels it was fitted with.
    #[schema(schema_with = crate::schema::labels)]
    pub labels: LabelsReply<'a>,
    /// Hash of the model's bytes, which `ETag` tells as well.
    #[schema(schema_with = crate::schema::model_hash)]
    pub model_hash: &'a str,
    /// Bytes that model and training points take in the store, before its compression.
    #[schema(minimum = 0)]
    pub size_bytes: u64,
    /// What a careful reader of the model should know; empty when there is nothing.
    pub warnings: Vec<Warning<'a>>,
    /// Points that the fit treated as feedback says; absent where the series had none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub feedback: Option<FeedbackObeyed>,
    /// What differs from the version of `diff_from`; absent where none was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub diff: Option<VersionDiff>,
}

/// What a fit was asked for. Of a version that an earlier release stored, and of a frozen online state, only what
/// the model itself tells is there.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ParametersReply<'a> {
    /// The model that was asked for, `auto` among them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub model: Option<&'a str>,
    /// The share of normal points that may alarm.
    #[schema(schema_with = crate::schema::probability)]
    pub alarm_rate: f64,
    /// Width of the band in standard deviations, if it was given so.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub sigma: Option<f64>,
    /// `both`, `above` or `below`.
    #[schema(schema_with = crate::schema::direction)]
    pub direction: &'a str,
    /// Deviations below it never alarm.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub min_deviation: Option<MinDeviationReply>,
    /// `auto`, or the periods that were named.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = crate::schema::seasonality, required = false)]
    pub seasonality: Option<SeasonalityReply<'a>>,
    /// The IANA time zone whose clock the seasons follow.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub timezone: Option<&'a str>,
    /// What one tick of every timestamp is.
    #[schema(schema_with = crate::schema::time_unit)]
    pub time_unit: &'a str,
    /// Stretches left out of the history, in ticks, both ends included.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub exclude: Option<Vec<ExcludedReply>>,
}

/// The smallest deviation that may alarm: the larger of both.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct MinDeviationReply {
    /// In the unit of the series.
    pub abs: f64,
    /// As a share of the magnitude of the expected value.
    pub rel: f64,
}

/// A stretch left out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct ExcludedReply {
    /// First tick left out.
    pub from: i64,
    /// Last tick left out.
    pub to: i64,
}

/// Which seasons a model was to have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SeasonalityReply<'a> {
    /// Those found in the history.
    Auto,
    /// These periods.
    Periods(&'a [i64]),
}

impl Serialize for SeasonalityReply<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str("auto"),
            Self::Periods(periods) => periods.serialize(serializer),
        }
    }
}

fn text_or_none<S: Serializer>(version: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
    match version {
        Some(version) => serializer.collect_str(version),
        None => serializer.serialize_none(),
    }
}

fn code_or_none<S: Serializer>(code: &Option<Code>, serializer: S) -> Result<S::Ok, S::Error> {
    code.map(Code::slug).serialize(serializer)
}
