//! `summary.json`: how the run went, beside what its responses tell.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::config::RunConfig;
use crate::load::response::OutcomeClass;
use crate::server_side::ServerSample;
use crate::tally::stats::RunStats;

/// Goes up when a field changes its meaning or goes away.
pub const FORMAT_VERSION: u32 = 1;

/// Figures that hooks added, by the name of the hook.
pub type Contributed = BTreeMap<String, serde_json::Value>;

/// The content of `summary.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunSummary {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// Always `run`.
    pub kind: String,
    /// As in the configuration.
    pub run_id: String,
    /// When the run was over; of a run that was killed, unknown.
    #[schemars(with = "Option<String>")]
    pub finished_at: Option<Timestamp>,
    /// Whether a signal cut the run short, or it was killed.
    pub interrupted: bool,
    /// Whether this was put together from the other files, because the run never wrote it.
    pub rebuilt: bool,
    /// Requests that the bound asked for, where it is a count.
    pub planned: Option<u64>,
    /// Arrivals that were due and never sent, because the run ended first.
    pub unsent: Option<u64>,
    /// Requests in flight that an interruption dropped.
    pub dropped: Option<u64>,
    /// The untimed requests before the run.
    pub before: Before,
    /// What the client itself used; unknown in a rebuilt summary.
    pub client_use: Option<ClientUse>,
    /// Whether the client kept up, so that the figures are the server's; unknown in a rebuilt
    /// summary.
    #[serde(default)]
    pub validity: Option<Validity>,
    /// Whether answers were right; only in a run that knew what is right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<Answers>,
    /// The headline figures again, for people and scripts that read one file.
    pub headline: Headline,
    /// Figures that hooks added.
    pub contributed: Contributed,
}

/// The untimed requests before a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Before {
    /// Fits that made the series.
    pub set_up: u64,
    /// Warm-up requests.
    pub warm_up: u64,
    /// One line a failed one, the first few.
    pub failures: Vec<String>,
    /// How many failed.
    pub failed: u64,
}

/// What the client itself used during the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClientUse {
    /// Processor time, user and system.
    pub cpu_s: f64,
    /// That, by the wall clock and the processors it may use.
    pub cpu_share: Option<f64>,
    /// Largest resident memory of the process.
    pub max_rss_bytes: u64,
    /// Connections opened.
    pub connections: u64,
    /// Of those, after one had been lost.
    pub reconnects: u64,
    /// Processor time of the threads that send, by the wall clock and the processors that so many
    /// threads can use.
    #[serde(default)]
    pub senders_share: Option<f64>,
    /// Time that senders waited for responses to be written.
    pub waited_for_disk_ns: u64,
    /// Requests in flight, summed over the nanoseconds of the run by a clock that the records have no part in: what
    /// Little's law holds against them. Unknown when some were dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight_ns: Option<u64>,
}

/// What came of holding answers against what is right.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Answers {
    /// 2xx replies to fit, predict and columns that were checked.
    pub checked: u64,
    /// Points in them.
    pub points: u64,
    /// Replies with something wrong in them.
    pub wrong: u64,
    /// Points that were answered wrong.
    pub wrong_points: u64,
    /// Wrong replies that came in time, and would have been good.
    pub wrong_in_time: u64,
    /// Points so close to a bound that the order of additions decides; neither right nor wrong.
    pub undecidable: u64,
    /// 2xx replies that could not be checked: longer than is kept, or by a version of which nothing
    /// is known in a run that was cut short.
    pub unchecked: u64,
    /// The first few that were wrong.
    pub examples: Vec<WrongAnswer>,
}

/// An answer that was wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WrongAnswer {
    /// The request's number in the run.
    pub index: u64,
    /// The number of its series.
    pub series: u64,
    /// What is wrong, and what is right.
    pub what: String,
}

impl Answers {
    /// Takes the wrong answers out of what is good: a wrong answer in time is none.
    pub fn correct(&self, stats: &mut RunStats) {
        stats.good = stats.good.saturating_sub(self.wrong_in_time);
        let wall_s = stats.wall_ns as f64 / 1e9;
        stats.goodput_rps = (stats.wall_ns > 0).then(|| stats.good as f64 / wall_s);
    }

    /// Those of several runs together.
    #[must_use]
    pub fn sum<'a>(all: impl IntoIterator<Item = &'a Self>) -> Option<Self> {
        all.into_iter().cloned().reduce(|mut sum, one| {
            sum.checked += one.checked;
            sum.points += one.points;
            sum.wrong += one.wrong;
            sum.wrong_points += one.wrong_points;
            sum.wrong_in_time += one.wrong_in_time;
            sum.undecidable += one.undecidable;
            sum.unchecked += one.unchecked;
            sum.examples.extend(one.examples);
            sum
        })
    }
}

/// Whether a run measured the server rather than its own client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Validity {
    /// Whether there is no reason against it.
    pub valid: bool,
    /// What is wrong, a sentence each.
    pub reasons: Vec<String>,
}

impl Validity {
    /// Valid without a reason against it.
    #[must_use]
    pub fn of(reasons: Vec<String>) -> Self {
        Self {
            valid: reasons.is_empty(),
            reasons,
        }
    }
}

/// The figures people ask for first; times in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Headline {
    /// Requests with a known outcome.
    pub requests: u64,
    /// 2xx replies.
    pub ok: u64,
    /// Share of requests without a 2xx reply.
    pub error_rate: Option<f64>,
    /// By the wall clock.
    pub completed_rps: Option<f64>,
    /// By the wall clock, good replies only.
    pub goodput_rps: Option<f64>,
    /// By the send window.
    pub offered_rps: Option<f64>,
    /// Of 2xx replies, from the intended start.
    pub p50_ms: Option<f64>,
    /// 95th percentile.
    pub p95_ms: Option<f64>,
    /// 99th percentile.
    pub p99_ms: Option<f64>,
    /// The longest.
    pub max_ms: Option<f64>,
}

/// The content of `stats.json`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct StatsFile {
    /// Computed from the responses.
    #[serde(flatten)]
    pub stats: RunStats,
    /// Figures that hooks added.
    pub contributed: Contributed,
}

/// By hand, because serde cannot read maps with numbers as keys through `flatten`.
impl<'de> Deserialize<'de> for StatsFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut file = serde_json::Map::deserialize(deserializer)?;
        let contributed = file.remove("contributed");
        let contributed = contributed.ok_or_else(|| D::Error::missing_field("contributed"))?;
        Ok(Self {
            stats: serde_json::from_value(file.into()).map_err(D::Error::custom)?,
            contributed: serde_json::from_value(contributed).map_err(D::Error::custom)?,
        })
    }
}

/// A run as its folder has it.
#[derive(Debug, Clone, PartialEq)]
pub struct RunData {
    /// `run_config.json`.
    pub config: RunConfig,
    /// `summary.json`, or what can be told without it.
    pub summary: RunSummary,
    /// Computed from the responses.
    pub stats: RunStats,
    /// `timeline.jsonl`: the server as it was seen; empty where it was not looked at.
    pub timeline: Vec<ServerSample>,
}

impl Headline {
    /// Those of a run. Quantiles without enough samples are left out.
    #[must_use]
    pub fn of(stats: &RunStats) -> Self {
        let quantile = |q| {
            let quantile = stats.ok.last.at(q).filter(|quantile| quantile.enough)?;
            Some(quantile.value_ns as f64 / 1e6)
        };
        Self {
            requests: stats.requests,
            ok: stats.count(OutcomeClass::Ok),
            error_rate: stats.error_rate(),
            completed_rps: stats.completed_rps,
            goodput_rps: stats.goodput_rps,
            offered_rps: stats.send_window.offered_rps,
            p50_ms: quantile(0.5),
            p95_ms: quantile(0.95),
            p99_ms: quantile(0.99),
            max_ms: stats.ok.last.max_ns.map(|ns| ns as f64 / 1e6),
        }
    }
}
