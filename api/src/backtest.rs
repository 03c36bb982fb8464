//! `POST /backtest/{series_id}` and `/backtests`: what detectors would have said of a history, as a job.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Rejection;
use crate::decode::{object, objects, present};
use crate::fit::{Excluded, MinDeviation, Seasonality};
use crate::problem::{Code, FieldError, Loc};
use crate::timestamp::Timestamp;

/// Timestamps and values.
type Points = (Vec<i64>, Vec<f64>);

/// The body of a backtest. Everything has a default.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BacktestRequest {
    #[serde(default, deserialize_with = "present")]
    timestamps: Option<Vec<i64>>,
    #[serde(default, deserialize_with = "present")]
    values: Option<Vec<f64>>,
    /// Without points: the version whose training points are replayed; the latest by default.
    #[serde(default)]
    pub history_of: Option<String>,
    /// `s` by default, `ms`, `us` or `ns`: what one tick of every timestamp is.
    #[serde(default)]
    pub time_unit: Option<String>,
    /// Stretches and points that are anomalies.
    #[serde(default, deserialize_with = "objects")]
    pub labels: Option<Vec<LabelRequest>>,
    /// What is fitted as the replay goes on; `auto` with its defaults where there is no version either.
    #[serde(default, deserialize_with = "objects")]
    pub candidates: Option<Vec<CandidateRequest>>,
    /// Versions of the series, by number or alias.
    #[serde(default)]
    pub versions: Option<Vec<String>>,
    /// Share of the points that the first fit is made on; 0.5 by default.
    #[serde(default)]
    pub train_share: Option<f64>,
    /// The same as a number of points.
    #[serde(default)]
    pub train_points: Option<u64>,
    /// Points after which each candidate is fitted anew; never by default.
    #[serde(default)]
    pub refit_every: Option<u64>,
    /// Points before it that a new fit is made on, the latest ones; all by default.
    #[serde(default)]
    pub refit_window: Option<u64>,
    /// What is done with the one that wins.
    #[serde(default, deserialize_with = "object")]
    pub set_alias: Option<SetAliasRequest>,
}

/// A label: a point, or a stretch with both its ends.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelRequest {
    /// The point.
    #[serde(default)]
    pub timestamp: Option<Timestamp>,
    /// The first time of the stretch.
    #[serde(default)]
    pub from: Option<Timestamp>,
    /// The last time of the stretch.
    #[serde(default)]
    pub to: Option<Timestamp>,
}

impl LabelRequest {
    /// The first and the last time.
    ///
    /// # Errors
    /// A sentence that says what is missing or too much.
    pub fn ends(self) -> Result<(Timestamp, Timestamp), &'static str> {
        match (self.timestamp, self.from, self.to) {
            (Some(timestamp), None, None) => Ok((timestamp, timestamp)),
            (None, Some(from), Some(to)) => Ok((from, to)),
            (Some(_), ..) => Err("`timestamp` does not go with `from` and `to`"),
            (None, ..) => Err("expected `timestamp`, or `from` and `to`"),
        }
    }
}

/// What is fitted as the replay goes on: the parameters of a fit.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CandidateRequest {
    /// What it is called in the result; by default its model.
    #[serde(default)]
    pub name: Option<String>,
    /// Whether it is the online state, which learns from every point, instead of a model.
    #[serde(default)]
    pub online: Option<bool>,
    /// `"auto"` by default, or the name of a model.
    #[serde(default)]
    pub model: Option<String>,
    /// The share of normal points that may alarm.
    #[serde(default)]
    pub alarm_rate: Option<f64>,
    /// For `gaussian`, instead of `alarm_rate`.
    #[serde(default)]
    pub sigma: Option<f64>,
    /// `both`, `above` or `below`.
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
    /// Stretches that fits leave out of the history.
    #[serde(default, deserialize_with = "objects")]
    pub exclude: Option<Vec<Excluded>>,
}

/// What is done with the contender that wins.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetAliasRequest {
    /// The alias that is to point to it.
    pub alias: String,
    /// By which rule it wins.
    #[serde(default, rename = "if")]
    pub rule: Option<String>,
}

impl BacktestRequest {
    /// Takes the columns out; `None` where there are none.
    ///
    /// # Errors
    /// `missing_field`, naming the column that is not there beside the other.
    pub fn take_columns(&mut self) -> Result<Option<Points>, Rejection> {
        let missing = |name: &str| {
            let loc = [Loc::from("body"), Loc::from(name)];
            let error = FieldError::new(loc, format!("`{name}` is missing"));
            Rejection::one(Code::MissingField, error)
        };
        match (self.timestamps.take(), self.values.take()) {
            (None, None) => Ok(None),
            (Some(timestamps), Some(values)) => Ok(Some((timestamps, values))),
            (None, Some(_)) => Err(missing("timestamps")),
            (Some(_), None) => Err(missing("values")),
        }
    }
}

/// How a backtest stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BacktestStatus {
    /// It waits for its turn.
    Queued,
    /// It is under way.
    Running,
    /// It has a result.
    Succeeded,
    /// It ended without one; `error` says why.
    Failed,
    /// Somebody cancelled it.
    Cancelled,
    /// The server stopped before it ended.
    Interrupted,
}

impl BacktestStatus {
    /// Whether nothing comes any more.
    #[must_use]
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }

    /// The status as it is told.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
        }
    }
}

/// A backtest as it is told, and as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Backtest {
    /// The job.
    #[schema(schema_with = crate::schema::job_id)]
    pub job_id: String,
    /// The series.
    #[schema(schema_with = crate::schema::series_id)]
    pub series_id: String,
    /// How it stands.
    pub status: BacktestStatus,
    /// Points passed, of all that its contenders are to pass.
    #[schema(schema_with = crate::schema::probability)]
    pub progress: f64,
    /// When it was asked for, Unix seconds.
    pub created_at: i64,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub started_at: Option<i64>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub finished_at: Option<i64>,
    /// What was asked for.
    pub asked: BacktestAsked,
    /// Why it failed, or was interrupted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub error: Option<String>,
    /// What came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub result: Option<BacktestResult>,
}

/// What a backtest was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BacktestAsked {
    /// Points of the history.
    pub points: usize,
    /// Its first timestamp.
    pub from: i64,
    /// Its last timestamp.
    pub to: i64,
    /// The version whose training points are the history; absent where the points were sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = crate::schema::version, required = false)]
    pub history_of: Option<String>,
    /// What one tick of every timestamp is.
    #[schema(schema_with = crate::schema::time_unit)]
    pub time_unit: String,
    /// Points before the first one that is scored.
    pub train_points: usize,
    /// Points after which candidates are fitted anew; absent where they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub refit_every: Option<usize>,
    /// Points that a new fit is made on; absent where it is made on all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub refit_window: Option<usize>,
    /// Points labelled as anomalies; absent where no labels were given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub labelled_points: Option<usize>,
    /// Names of what is compared.
    pub contenders: Vec<String>,
    /// The alias that is to point to the winner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = crate::schema::alias, required = false)]
    pub set_alias: Option<String>,
}

/// What came of a backtest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BacktestResult {
    /// What is compared, side by side.
    pub contenders: Vec<BacktestContender>,
    /// Points that every contender with a score has scored: those `compared` is about.
    pub compared_points: usize,
    /// The first timestamp of those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub compared_from: Option<i64>,
    /// What was done with the winner; absent where nothing was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub promotion: Option<BacktestPromotion>,
    /// From its beginning to its end, in milliseconds.
    pub duration_ms: f64,
}

/// One that is compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BacktestContender {
    /// Its name.
    pub name: String,
    /// `candidate`, `online` or `version`.
    #[schema(schema_with = crate::schema::contender_kind)]
    pub kind: String,
    /// The version, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = crate::schema::version, required = false)]
    pub version: Option<String>,
    /// The model that scored last, never `auto`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub model: Option<String>,
    /// Why there is no score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub error: Option<String>,
    /// Fits that were made.
    pub fits: usize,
    /// Fits that failed, after which the model of before went on.
    pub failed_fits: usize,
    /// The first timestamp that was scored: of a version, one later than all it was fitted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub scored_from: Option<i64>,
    /// What its alarms are worth, over all points that it scored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub measured: Option<BacktestMeasured>,
    /// The same over the points that all have scored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub compared: Option<BacktestMeasured>,
    /// The strongest alarms, strongest first.
    pub top_alarms: Vec<BacktestAlarm>,
    /// p-values of the points that it scored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub p_values: Option<BacktestPValues>,
}

/// What alarms are worth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BacktestMeasured {
    /// Points scored.
    pub points: usize,
    /// Points that alarmed.
    pub alarms: usize,
    /// Runs of alarms.
    pub alerts: usize,
    /// Alarms in a week of the time axis.
    pub alarms_per_week: Option<f64>,
    /// Alerts in a week of the time axis.
    pub alerts_per_week: Option<f64>,
    /// Alarms among the points that are not labelled, against what was asked for.
    pub alarm_rate: BacktestRate,
    /// Alarms against labels; absent where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub labelled: Option<BacktestLabelled>,
}

/// Alarms among the points that are not labelled as anomalies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BacktestRate {
    /// The rate asked for.
    #[schema(schema_with = crate::schema::probability)]
    pub target: f64,
    /// Points that are not labelled.
    pub points: usize,
    /// Alarms among them.
    pub alarms: usize,
    /// `alarms / points`.
    pub observed: Option<f64>,
    /// Lower end of the exact interval of 95 % (Clopper and Pearson).
    #[schema(schema_with = crate::schema::probability)]
    pub lower: f64,
    /// Upper end.
    #[schema(schema_with = crate::schema::probability)]
    pub upper: f64,
    /// Whether the rate asked for is in the interval.
    pub agrees: bool,
}

/// Alarms against labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BacktestLabelled {
    /// Points labelled.
    pub points: usize,
    /// Point by point.
    pub by_point: BacktestByPoint,
    /// Event by event: an event is a run of labelled points, found by an alarm in it or up to 7 points after it.
    pub by_event: BacktestByEvent,
}

/// Point by point.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BacktestByPoint {
    /// Share of alarms that are right.
    pub precision: Option<f64>,
    /// Share of labelled points that alarmed.
    pub recall: Option<f64>,
    /// Harmonic mean of both.
    pub f1: Option<f64>,
}

/// Event by event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BacktestByEvent {
    /// Events.
    pub events: usize,
    /// Events found in time.
    pub found: usize,
    /// Alerts that belong to no event.
    pub false_alerts: usize,
    /// Share of alerts that belong to an event.
    pub precision: Option<f64>,
    /// Share of events found.
    pub recall: Option<f64>,
    /// `2·found / (found + false alerts + events)`.
    pub f1: Option<f64>,
    /// Median of the points from the first of an event to its first alarm.
    pub median_delay_points: Option<f64>,
    /// The same in seconds.
    pub median_delay_seconds: Option<f64>,
    /// Events that were not found, the first 100.
    pub missed: Vec<BacktestEvent>,
}

/// A stretch of labelled points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BacktestEvent {
    /// Its first timestamp.
    pub from: i64,
    /// Its last timestamp.
    pub to: i64,
}

/// An alarm.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BacktestAlarm {
    /// When.
    pub timestamp: i64,
    /// The value.
    pub value: f64,
    /// Above 1; 2 where the alarm rate is squared.
    pub anomaly_score: f64,
    /// The p-value.
    #[schema(schema_with = crate::schema::probability)]
    pub p_value: f64,
    /// What was expected.
    pub expected_value: f64,
    /// Lowest normal value.
    pub lower_bound: f64,
    /// Highest normal value.
    pub upper_bound: f64,
    /// Whether the point is labelled; absent where there are no labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub labelled: Option<bool>,
}

/// A histogram of p-values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BacktestPValues {
    /// Ends of the bins, one more than there are bins.
    pub edges: Vec<f64>,
    /// Points in each bin.
    pub counts: Vec<u64>,
}

/// What was done with the winner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BacktestPromotion {
    /// The alias.
    #[schema(schema_with = crate::schema::alias)]
    pub alias: String,
    /// By which rule.
    #[schema(schema_with = crate::schema::promotion_rule)]
    pub rule: String,
    /// Whether the alias points to the winner now.
    pub promoted: bool,
    /// The name of the winner, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub winner: Option<String>,
    /// The version that the alias points to now, if it was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = crate::schema::version, required = false)]
    pub version: Option<String>,
    /// The version that it pointed to when the backtest was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = crate::schema::version, required = false)]
    pub held_by: Option<String>,
    /// Why, in a sentence.
    pub reason: String,
}

/// A page of backtests, the newest first and without their results.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BacktestsReply {
    /// The backtests.
    pub backtests: Vec<Backtest>,
    /// Where the next page begins; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = crate::schema::job_id, required = false)]
    pub next_cursor: Option<String>,
}
