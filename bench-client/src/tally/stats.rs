//! The figures of a run, as `stats.json` carries them: a pure function of its responses and
//! of how long it was to last, so that a folder that is loaded has the same figures to the last digit.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::load::response::{Op, OutcomeClass};

/// Goes up when a field changes its meaning or goes away.
pub const FORMAT_VERSION: u32 = 1;

/// Everything that is computed from the responses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunStats {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// Requests with a known outcome.
    pub requests: u64,
    /// Requests a class; every class is there.
    pub outcomes: BTreeMap<OutcomeClass, u64>,
    /// Requests a status, −1 standing for no reply.
    pub statuses: BTreeMap<i32, u64>,
    /// The commonest failures, most frequent first.
    pub errors: Vec<ErrorKind>,
    /// Failures of kinds that are not in `errors`.
    pub other_errors: u64,
    /// When requests went out.
    pub send_window: SendWindow,
    /// From the run's start to the last outcome, or to the end of the duration that it was to last,
    /// where that is later and it was not cut short.
    pub wall_ns: u64,
    /// Requests with any outcome, by `wall_ns`.
    pub completed_rps: Option<f64>,
    /// 2xx replies within the time that counts as good, by `wall_ns`.
    pub goodput_rps: Option<f64>,
    /// 2xx replies within the time that counts as good.
    pub good: u64,
    /// Points sent, of requests with any outcome.
    pub points_in: u64,
    /// Points scored.
    pub points_out: u64,
    /// `points_in` by `wall_ns`.
    pub points_in_per_s: Option<f64>,
    /// `points_out` by `wall_ns`.
    pub points_out_per_s: Option<f64>,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Sends more than a millisecond after they were meant to be.
    pub late_sends: u64,
    /// Of those, the ones that were this late by the client alone: time in which all connections
    /// were busy is left out.
    #[serde(default)]
    pub late_by_client: u64,
    /// From when they were sent to their outcomes, summed over all requests.
    #[serde(default)]
    pub in_flight_ns: u64,
    /// Latencies of 2xx replies.
    pub ok: Latencies,
    /// Latency from the intended start to the outcome, by class; only those that occurred.
    pub by_outcome: BTreeMap<OutcomeClass, LatencyStats>,
    /// The same apart for each kind of request that occurred.
    pub by_op: BTreeMap<Op, OpStats>,
    /// The run cut into windows of equal length.
    pub timeline: Timeline,
    /// Every n-th response, for plots of single requests.
    pub sample: Vec<SamplePoint>,
}

/// Failures that say the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorKind {
    /// What they say.
    pub message: String,
    /// How many say it.
    pub count: u64,
    /// The lowest index among them.
    pub first_index: u64,
}

/// From the first send to the last.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SendWindow {
    /// When the first request was sent.
    pub first_sent_ns: Option<u64>,
    /// When the last request was sent.
    pub last_sent_ns: Option<u64>,
    /// Their difference.
    pub window_ns: u64,
    /// (N − 1) / window: what the server was offered.
    pub offered_rps: Option<f64>,
    /// 60·N / window, the rate that LLMeter reports.
    pub requests_per_minute: Option<f64>,
    /// The window is shorter than the median latency, so that its rates say nothing.
    pub says_nothing: bool,
}

/// Distributions of 2xx replies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Latencies {
    /// Intended start to last byte: what a caller waits.
    pub last: LatencyStats,
    /// Intended start to the first byte of the body, in streams to the first score.
    pub first: LatencyStats,
    /// Sent to last byte: without the wait in the client.
    pub service: LatencyStats,
    /// Streams: (last − first) / (scores − 1).
    pub per_point: LatencyStats,
    /// Intended start to sent, of all requests whatever their outcome.
    pub send_lag: LatencyStats,
    /// The part of that which is the client's own: without the time in which all connections were
    /// busy.
    #[serde(default)]
    pub own_lag: LatencyStats,
    /// What the server says it took.
    pub server: LatencyStats,
}

/// One kind of request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OpStats {
    /// Requests with a known outcome.
    pub requests: u64,
    /// Requests a class; every class is there.
    pub outcomes: BTreeMap<OutcomeClass, u64>,
    /// Points scored.
    pub points_out: u64,
    /// Intended start to last byte of 2xx replies.
    pub last: LatencyStats,
    /// Intended start to the first byte of the body, in streams to the first score.
    pub first: LatencyStats,
}

/// A distribution of durations in nanoseconds. Count, extremes and mean are exact; quantiles are
/// those of a histogram with three digits, never outside the extremes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LatencyStats {
    /// Durations.
    pub count: u64,
    /// The shortest.
    pub min_ns: Option<u64>,
    /// The longest.
    pub max_ns: Option<u64>,
    /// Their mean.
    pub mean_ns: Option<f64>,
    /// Their standard deviation (population).
    pub stddev_ns: Option<f64>,
    /// p50, p75, p90, p95, p99, p99.9, p99.99, in this order.
    pub quantiles: Vec<Quantile>,
    /// The distribution itself in at most a few hundred bins, those that are not empty, ascending.
    pub bins: Vec<Bin>,
}

/// A quantile with how sure it is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Quantile {
    /// Which, within 0..1.
    pub q: f64,
    /// Its value by nearest rank.
    pub value_ns: u64,
    /// Lower end of an exact 95 % interval (binomial, of order statistics); none if the sample is
    /// too small to have one.
    pub low_ns: Option<u64>,
    /// Upper end.
    pub high_ns: Option<u64>,
    /// Whether there are enough samples for it to be said at all.
    pub enough: bool,
}

/// A range of a distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Bin {
    /// Lower end, included.
    pub from_ns: u64,
    /// Upper end, not included.
    pub to_ns: u64,
    /// Durations within.
    pub count: u64,
}

/// The run in windows of equal length, by when outcomes were known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Timeline {
    /// Length of every window.
    pub window_ns: u64,
    /// From the run's start; windows without an outcome are there too.
    pub windows: Vec<Window>,
}

/// What happened in one window.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Window {
    /// Requests sent within.
    pub sent: u64,
    /// Outcomes a class; only those that occurred.
    pub outcomes: BTreeMap<OutcomeClass, u64>,
    /// Points scored.
    pub points_out: u64,
    /// Latency (intended start to last byte) of 2xx replies in nanoseconds, two digits: minimum.
    pub min_ns: Option<u64>,
    /// First quartile.
    pub p25_ns: Option<u64>,
    /// Median.
    pub p50_ns: Option<u64>,
    /// Third quartile.
    pub p75_ns: Option<u64>,
    /// 95th percentile.
    pub p95_ns: Option<u64>,
    /// 99th percentile.
    pub p99_ns: Option<u64>,
    /// Maximum.
    pub max_ns: Option<u64>,
}

/// One request of the sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SamplePoint {
    /// Its number.
    pub index: u64,
    /// When its outcome was known.
    pub at_ns: u64,
    /// From its intended start to its outcome.
    pub latency_ns: u64,
    /// How it ended.
    pub class: OutcomeClass,
}

impl LatencyStats {
    /// The value of a quantile that `stats.json` has, whether or not there are enough samples.
    #[must_use]
    pub fn at(&self, q: f64) -> Option<&Quantile> {
        self.quantiles.iter().find(|quantile| quantile.q == q)
    }
}

impl RunStats {
    /// Requests of one class.
    #[must_use]
    pub fn count(&self, class: OutcomeClass) -> u64 {
        self.outcomes.get(&class).copied().unwrap_or_default()
    }

    /// The share of requests without a 2xx reply; none without requests.
    #[must_use]
    pub fn error_rate(&self) -> Option<f64> {
        let failed = self.requests - self.count(OutcomeClass::Ok);
        (self.requests > 0).then(|| failed as f64 / self.requests as f64)
    }
}
