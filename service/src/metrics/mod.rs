//! What the server counts and times of its own work.

pub mod histogram;
pub mod latency;

pub use histogram::Histogram;
pub use latency::LatencyWindow;

/// The counts and times of one server.
#[derive(Default)]
pub struct Metrics {
    /// Successful predicts.
    pub inference: LatencyWindow,
    /// Successful fits.
    pub training: LatencyWindow,
}
