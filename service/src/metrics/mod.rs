//! What the server counts and times of its own work, and how it is told.
//!
//! Each module counts in atomics of its own; [`export`] reads them when somebody asks. Nothing is global: two servers in
//! one process count apart.

mod connections;
pub mod export;
pub mod histogram;
pub mod latency;
mod work;

pub use connections::{Closed, Connection, Connections, NotAfter};
pub use histogram::Histogram;
pub use latency::LatencyWindow;
pub use work::WorkTimes;

use std::sync::{Arc, OnceLock};

use crate::http::HttpCounts;

/// Bounds of times, in seconds: from what a predict takes to what nobody waits for any more.
pub const SECONDS: &[f64] = &[
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0, 2.0, 3.0, 5.0, 10.0, 30.0,
];

/// The counts and times of one server.
#[derive(Default)]
pub struct Metrics {
    /// Successful predicts.
    pub inference: LatencyWindow,
    /// Successful fits.
    pub training: LatencyWindow,
    /// Replies.
    pub http: HttpCounts,
    /// Connections.
    pub connections: Connections,
    /// When the certificate ends.
    pub certificate: Arc<NotAfter>,
    /// Times of the work itself.
    pub work: Arc<WorkTimes>,
    /// Bytes for models, requests and connections.
    pub memory_budget: OnceLock<usize>,
    /// Who asks for all of them waits for who does already: to tell them takes a thread.
    pub(crate) telling: tokio::sync::Mutex<()>,
}
