//! The record that every request of a run leaves, one line of `responses.jsonl`.
//!
//! All moments are nanoseconds since the run's start on one monotonic clock, so that differences
//! are exact and survive being written and read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a request asks for.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// `POST /fit/{series_id}`.
    Fit,
    /// `POST /predict/{series_id}` with one point.
    Predict,
    /// `POST /predict/{series_id}` with many points in columns.
    Columns,
    /// `POST /update/{series_id}` with a point a line, answered a line a point.
    Ndjson,
    /// `POST /update/{series_id}` with one point.
    Update,
    /// `GET /healthcheck`.
    Health,
    /// A request read from a file that names its own method and path.
    Custom,
}

/// How a request ended. Latencies of different classes are never mixed: a refusal is quick, and a
/// timeout has the length of the timeout.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeClass {
    /// A whole reply with a 2xx status.
    Ok,
    /// Turned away under load: 429 or 503.
    Shed,
    /// Any other 4xx: the request was wrong.
    Refused,
    /// Any other status: the server failed, or redirected.
    Failed,
    /// No whole reply within the timeout.
    TimedOut,
    /// No connection, or one that broke.
    Transport,
}

/// One request and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResponseRecord {
    /// The request's number in the run, from 0. Its payload is a function of seed and this number.
    pub index: u64,
    /// What it asked for.
    pub op: Op,
    /// The connection it went over, from 0.
    pub client: u32,
    /// When the load's shape asked for it. In a closed loop, when it was sent.
    pub intended_ns: u64,
    /// When its first byte was given to the operating system, or its connection was tried.
    pub sent_ns: u64,
    /// Of the time between these two, how long all connections that the run may have were busy;
    /// the rest was the client's own. None is 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waited_ns: Option<u64>,
    /// When the first byte of a reply's body was there; in a stream, the first line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_ns: Option<u64>,
    /// When its outcome was known.
    pub last_ns: u64,
    /// How it ended.
    pub class: OutcomeClass,
    /// The reply's status; none without a whole reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Points in the request.
    pub points_in: u32,
    /// Points scored in the reply.
    pub points_out: u32,
    /// Bytes of the request.
    pub bytes_out: u32,
    /// Bytes of the reply.
    pub bytes_in: u32,
    /// What the server says it took (`X-Response-Time`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_ns: Option<u64>,
    /// Why it failed, with the beginning of what the server said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Box<str>>,
}

impl OutcomeClass {
    /// Every class, in the order in which they are reported.
    pub const ALL: [Self; 6] = [
        Self::Ok,
        Self::Shed,
        Self::Refused,
        Self::Failed,
        Self::TimedOut,
        Self::Transport,
    ];

    /// The class of a whole reply.
    #[must_use]
    pub fn of_status(status: u16) -> Self {
        match status {
            200..=299 => Self::Ok,
            429 | 503 => Self::Shed,
            400..=499 => Self::Refused,
            _ => Self::Failed,
        }
    }
}

impl OutcomeClass {
    /// Its name in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Shed => "shed",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Transport => "transport",
        }
    }
}

impl Op {
    /// Every kind, in the order in which they are reported.
    pub const ALL: [Self; 7] = [
        Self::Fit,
        Self::Predict,
        Self::Columns,
        Self::Ndjson,
        Self::Update,
        Self::Health,
        Self::Custom,
    ];

    /// Its name in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fit => "fit",
            Self::Predict => "predict",
            Self::Columns => "columns",
            Self::Ndjson => "ndjson",
            Self::Update => "update",
            Self::Health => "health",
            Self::Custom => "custom",
        }
    }
}
