//! What a ledger's lines say.

use serde::{Deserialize, Serialize};

use crate::load::response::Op;
use crate::results::config::WorkloadSpec;

/// Goes up when an entry changes its meaning.
pub const FORMAT_VERSION: u32 = 1;

/// What a run wrote down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Entry {
    /// The first line: from it every payload can be worked out again.
    Begun(Begun),
    /// Written before any of them is sent: from here on, requests with numbers below `until` may
    /// have been.
    Intended {
        /// The first number that was not.
        until: u64,
    },
    /// A write was sent, and answered with its number.
    Acknowledged(Acknowledged),
    /// A write was sent and refused as wrong; it did not happen.
    Refused(Write),
    /// A write was sent, and nobody knows whether it happened.
    Unknown(Write),
    /// The last line.
    Ended {
        /// Whether the run was cut short, so that requests may have been sent that have no line.
        interrupted: bool,
    },
}

/// The run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Begun {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// Part of the names of series.
    pub run_id: String,
    /// The server.
    pub base_url: String,
    /// Decides every random value.
    pub seed: u64,
    /// What was sent.
    pub workload: WorkloadSpec,
}

/// A fit or an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Write {
    /// The request's number in the run; none of a fit before the run.
    pub index: Option<u64>,
    /// What it is.
    pub op: Op,
    /// The number of its series.
    pub series: u64,
    /// Of a fit, which of the series' trainings.
    pub training: Option<u64>,
}

/// A write and the server's word for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledged {
    /// What was written.
    #[serde(flatten)]
    pub write: Write,
    /// When it was sent, in nanoseconds since the run's start; 0 of a fit before the run.
    pub sent_ns: u64,
    /// When the acknowledgement was there.
    pub acked_ns: u64,
    /// Of a fit, its version; of an update, its `state_seq`.
    pub number: u64,
    /// Of a fit, what the server calls the model's hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
}
