//! Why a workload cannot be made.

use std::io;

/// Why a workload cannot be made. Nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum WorkloadError {
    /// Nothing to send.
    #[error("the mix has no kind of request with a weight above 0")]
    EmptyMix,
    /// A kind that cannot be generated.
    #[error("custom requests are read from a file of payloads, and there is none")]
    CustomWithoutFile,
    /// The file of payloads cannot be read.
    #[error("cannot read the payloads {path}: {reason}")]
    Unreadable {
        /// The path as it was given.
        path: String,
        /// Why.
        #[source]
        reason: io::Error,
    },
    /// A line of the file of payloads is no payload.
    #[error("{path}:{line}: {reason}")]
    Line {
        /// The path as it was given.
        path: String,
        /// From 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// The file of payloads as a whole cannot be used.
    #[error("{path}: {reason}")]
    File {
        /// The path as it was given.
        path: String,
        /// What is wrong.
        reason: String,
    },
}
