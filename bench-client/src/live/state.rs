//! What a run is doing, as the display needs it.

use std::time::Duration;

/// A run at one moment, beside the statistics of its responses.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveState {
    /// Since the run's start; before it, since the set-up began.
    pub elapsed: Duration,
    /// Where the run is.
    pub phase: Phase,
    /// Requests sent.
    pub sent: u64,
    /// Of those, without an outcome so far.
    pub in_flight: u64,
    /// Records that are not written yet.
    pub backlog: u64,
    /// Connections open.
    pub connections: u64,
    /// Sends more than a millisecond after they were meant to be.
    pub late_sends: u64,
    /// Processor time of this process by the wall clock and the processors it may use, 0..1.
    pub cpu_share: Option<f64>,
    /// Resident memory of this process.
    pub rss_bytes: Option<u64>,
}

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Series are being fitted.
    SettingUp {
        /// Series fitted.
        done: u64,
        /// Series to fit.
        total: u64,
    },
    /// Untimed requests.
    WarmingUp,
    /// Requests are being sent.
    Running,
    /// The bound is reached; requests in flight are finished.
    Finishing,
    /// All outcomes are known and are being written.
    Writing,
}
