//! `run_config.json`: what was asked for, by which client, on which machine. Written before the
//! first request, so that a run that was killed can still be read.

use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::host::{ClientBuild, Host};
use crate::load::response::Op;

/// Goes up when a field changes its meaning or goes away.
pub const FORMAT_VERSION: u32 = 1;

/// The content of `run_config.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunConfig {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// UTC start as `%Y%m%d_%H%M%S`, and eight random hexadecimal digits; part of the names of series.
    pub run_id: String,
    /// What the user calls it.
    pub name: Option<String>,
    /// When the first request could go out.
    #[schemars(with = "String")]
    pub started_at: Timestamp,
    /// The command line, to run it again.
    pub command: Vec<String>,
    /// The server.
    pub base_url: String,
    /// Decides every random value.
    pub seed: u64,
    /// What is sent.
    pub workload: WorkloadSpec,
    /// When and how it is sent.
    pub load: LoadSpec,
    /// The client that measured.
    pub client: ClientBuild,
    /// The client's machine.
    pub host: Host,
    /// The runs that were merged into this, also by way of others, the earliest first; none in a
    /// run that was measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merged_from: Vec<MergedRun>,
}

/// A run that was merged into another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MergedRun {
    /// Its folder, as it was given.
    pub dir: String,
    /// Its id.
    pub run_id: String,
    /// When its first request could go out.
    #[schemars(with = "String")]
    pub started_at: Timestamp,
    /// Requests with a known outcome.
    pub requests: u64,
    /// Its wall clock, from its own start.
    #[serde(default)]
    pub wall_ns: u64,
}

/// What is sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorkloadSpec {
    /// Kinds of request with their weights, such as predict 8, fit 1.
    pub mix: Vec<Share>,
    /// Series that requests are spread over, round robin.
    pub series: u32,
    /// Points in the body of a fit.
    pub points_per_fit: u32,
    /// Points in a request with columns or NDJSON.
    pub batch: u32,
    /// Different payloads made ahead of a run; requests take them in turn. Updates are always new.
    pub distinct: u32,
    /// The file payloads were read from, instead of being generated.
    pub payloads: Option<PayloadFile>,
    /// Whether the series were fitted before the run, untimed.
    pub set_up: bool,
    /// Fits ask for the reference model, whose normal points are within so many population standard
    /// deviations of the mean, so that answers can be checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sigma: Option<f64>,
}

/// One kind of request in a mix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Share {
    /// The kind.
    pub op: Op,
    /// Its weight.
    pub weight: u32,
}

/// Where payloads came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PayloadFile {
    /// The path as it was given.
    pub path: String,
    /// BLAKE3 of its bytes in hex, so that two runs can be told to have sent the same.
    pub blake3: String,
    /// Payloads in it.
    pub payloads: u64,
}

/// When and how requests are sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoadSpec {
    /// What decides when a request is sent.
    pub pace: Pace,
    /// What ends the run.
    pub bound: Bound,
    /// Longest from sending a request to the end of its reply.
    pub timeout_ns: u64,
    /// 2xx replies later than this after their intended start do not count as good.
    pub good_within_ns: u64,
    /// Threads that send, each with its own connections.
    pub threads: u32,
    /// Untimed requests before the run.
    pub warm_up: u32,
    /// Whether the client waits for the disk rather than buffer responses in memory.
    pub low_memory: bool,
}

/// What decides when a request is sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "loop")]
pub enum Pace {
    /// Each client sends its next request when the reply to the last one is there.
    Closed {
        /// Clients, a connection each.
        clients: u32,
    },
    /// Requests are sent at moments fixed beforehand, whether or not replies keep up.
    Open {
        /// The moments.
        arrivals: Arrivals,
        /// Connections opened before the run.
        connections: u32,
        /// Connections at most; arrivals that find none free wait, which counts as their latency.
        max_connections: u32,
    },
}

/// How requests arrive in an open loop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "process")]
pub enum Arrivals {
    /// Equal distances.
    Constant {
        /// Requests a second.
        per_s: f64,
    },
    /// Independent exponential distances.
    Poisson {
        /// Requests a second on average.
        per_s: f64,
    },
    /// `size` at once, then a pause, `per_s` on average.
    Burst {
        /// Requests a second on average.
        per_s: f64,
        /// Requests at once.
        size: u32,
    },
    /// A rate that changes in straight lines from stage to stage, and stays at the last.
    Stages {
        /// Corners, ascending in time, the first at 0.
        stages: Vec<Stage>,
    },
    /// Moments read from a file.
    Trace {
        /// The path as it was given.
        path: String,
        /// BLAKE3 of its bytes in hex.
        blake3: String,
        /// Arrivals in it.
        arrivals: u64,
    },
}

/// A corner of a rate that changes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stage {
    /// When, from the run's start.
    pub at_ns: u64,
    /// Requests a second then.
    pub per_s: f64,
}

/// What ends a run. Whatever it is, requests in flight then are finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "until")]
pub enum Bound {
    /// So many requests by every client of a closed loop.
    RequestsPerClient {
        /// Requests.
        n: u64,
    },
    /// So many requests in all.
    Requests {
        /// Requests.
        n: u64,
    },
    /// So long, from the run's start to the last send.
    Duration {
        /// Nanoseconds.
        ns: u64,
    },
}

impl LoadSpec {
    /// Requests that the bound asks for, where it is a count.
    #[must_use]
    pub fn planned(&self) -> Option<u64> {
        match (self.bound, &self.pace) {
            (Bound::Requests { n }, _) => Some(n),
            (Bound::RequestsPerClient { n }, Pace::Closed { clients }) => {
                Some(n.saturating_mul(u64::from(*clients)))
            }
            (Bound::RequestsPerClient { .. }, Pace::Open { .. }) | (Bound::Duration { .. }, _) => {
                None
            }
        }
    }
}

impl LoadSpec {
    /// How long requests are sent, where that is known beforehand: not of a run that a count ends, or
    /// whose arrivals may end before its time.
    fn lasts(&self) -> Option<Duration> {
        let Bound::Duration { ns } = self.bound else {
            return None;
        };
        let may_end = match &self.pace {
            Pace::Closed { .. } => false,
            Pace::Open { arrivals, .. } => match arrivals {
                Arrivals::Trace { .. } => true,
                Arrivals::Stages { stages } => stages.last().is_none_or(|last| last.per_s <= 0.0),
                Arrivals::Constant { .. } | Arrivals::Poisson { .. } | Arrivals::Burst { .. } => {
                    false
                }
            },
        };
        (!may_end).then_some(Duration::from_nanos(ns))
    }
}

impl RunConfig {
    /// How long the run is to last at least, from its start to the end of its wall clock; zero if only
    /// its outcomes tell. A run that was cut short did not last so long, except a merged one, whose
    /// runs are over.
    #[must_use]
    pub fn lasts(&self) -> Duration {
        let ends = self.merged_from.iter().map(|run| {
            let later = run.started_at.duration_since(self.started_at);
            let later = Duration::try_from(later).unwrap_or_default();
            later.saturating_add(Duration::from_nanos(run.wall_ns))
        });
        let merged = ends.max();
        merged.unwrap_or_else(|| self.load.lasts().unwrap_or_default())
    }

    /// Requests that were asked for, where that is a count: of a merged run, those of its runs.
    #[must_use]
    pub fn planned(&self) -> Option<u64> {
        if self.merged_from.is_empty() {
            return self.load.planned();
        }
        Some(self.merged_from.iter().map(|run| run.requests).sum())
    }
}
