//! `GET /series/{series_id}/calibration`: how often a version alarms against how often it was asked to.

use serde::Serialize;
use utoipa::ToSchema;

/// The reply; `null` stands where there is nothing to divide by.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CalibrationReply<'a> {
    /// As in the path.
    #[schema(schema_with = crate::schema::series_id)]
    pub series_id: &'a str,
    /// The version that was watched, or from which the online state that was watched began, as a
    /// bare number.
    #[serde(serialize_with = "crate::version_as_text")]
    #[schema(schema_with = crate::schema::version_or_none)]
    pub model_version: u64,
    /// Hash of the model's bytes.
    #[schema(schema_with = crate::schema::model_hash)]
    pub model_hash: &'a str,
    /// Unix seconds of the first point counted; `null` before it. No earlier than the start of the
    /// server.
    pub since: Option<u64>,
    /// The target: the share of normal points that may alarm.
    #[schema(schema_with = crate::schema::probability)]
    pub alarm_rate: f64,
    /// Points scored since.
    pub n_scored: u64,
    /// Alarms among them.
    pub n_alarms: u64,
    /// `n_alarms / n_scored`.
    pub observed_alarm_rate: Option<f64>,
    /// The rates that go with such a count.
    pub observed_alarm_rate_interval: RateInterval,
    /// `observed_alarm_rate / alarm_rate`.
    pub ratio: Option<f64>,
    /// p-values of the points.
    pub p_value_histogram: Histogram<'a>,
    /// What other alarm rates would have given.
    pub rates: Vec<ObservedRate>,
    /// Whether small p-values come too often.
    pub drift: Drift<'a>,
    /// Whether alarms come too rarely.
    pub under_alarming: UnderAlarming,
    /// With `?state=online`: the control of the alarm rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub online: Option<OnlineControl>,
}

/// How an online state keeps its long-run alarm rate. It is part of the state: a restart keeps it,
/// unlike the counts beside it.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct OnlineControl {
    /// Points learnt by updates.
    pub state_seq: u64,
    /// Points that the control has seen, those after the warm-up.
    pub n_points: u64,
    /// Alarms among them.
    pub n_alarms: u64,
    /// `n_alarms / n_points`.
    pub observed_alarm_rate: Option<f64>,
    /// What is added to ln p: above 0 while alarms come more often than asked.
    pub log_factor: f64,
}

/// An interval for a rate.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct RateInterval {
    /// Lower end.
    pub lower: f64,
    /// Upper end.
    pub upper: f64,
    /// Share of such intervals, at least, that have the rate inside.
    pub confidence: f64,
    /// `clopper_pearson`.
    pub method: &'static str,
}

/// Counts in bins; the bin of `counts[i]` is `[edges[i], edges[i + 1])`, the last one with 1 in it.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Histogram<'a> {
    /// One more than there are counts.
    pub edges: &'a [f64],
    /// Points in each bin.
    pub counts: &'a [u64],
}

/// How often p-values were below an alarm rate, among the points of the histogram.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct ObservedRate {
    /// The rate.
    pub alarm_rate: f64,
    /// Points below it.
    pub n_alarms: u64,
    /// Their share.
    pub observed_alarm_rate: Option<f64>,
    /// The rates that go with such a count.
    pub observed_alarm_rate_interval: RateInterval,
    /// `observed_alarm_rate / alarm_rate`.
    pub ratio: Option<f64>,
}

/// The drift verdict and what it rests on.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Drift<'a> {
    /// `ok`, `drifting` or `stale`.
    #[schema(schema_with = crate::schema::verdict)]
    pub verdict: &'a str,
    /// Unix seconds since when that has been the verdict; `null` before the first point.
    pub since: Option<u64>,
    /// log₁₀ of the test martingale now.
    pub log10_evidence: f64,
    /// log₁₀ of its maximum since the first point.
    pub log10_evidence_max: f64,
    /// Probability, at most, that a calibrated model ever gets as much evidence against it as there
    /// was in this episode.
    #[schema(schema_with = crate::schema::probability)]
    pub false_alarm_probability_bound: f64,
    /// `restarted_test_martingale`.
    pub method: &'static str,
    /// The points since the evidence last rose above 1.
    pub episode: Episode,
}

/// Points since the evidence last rose above 1; all 0 while it is below.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct Episode {
    /// Points.
    pub n_scored: u64,
    /// Alarms among them.
    pub n_alarms: u64,
    /// `n_alarms / n_scored`.
    pub observed_alarm_rate: Option<f64>,
}

/// Evidence that alarms come less than half as often as asked for, over all points.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct UnderAlarming {
    /// Whether the evidence is at least 100.
    pub detected: bool,
    /// log₁₀ of the evidence.
    pub log10_evidence: f64,
    /// Probability, at most, of as much evidence at any time while alarms come half as often or more.
    #[schema(schema_with = crate::schema::probability)]
    pub false_alarm_probability_bound: f64,
}
