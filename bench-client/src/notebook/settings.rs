//! Everything that decides what a run sends and when.

use std::time::Duration;

use crate::base_url::BaseUrl;

/// Whether a burst finds its connections open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connections {
    /// As in the notebook: the sequential warm-up leaves about one open, and the burst opens the
    /// others inside the timed span.
    AsWarmUpLeavesThem,
    /// A concurrent, untimed round of health checks opens one a worker first.
    OpenedBefore,
}

/// A run's settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The server.
    pub base_url: BaseUrl,
    /// Part of every series' name.
    pub run_id: String,
    /// Decides every random value.
    pub seed: u64,
    /// Measured calls a phase.
    pub calls: usize,
    /// Calls allowed on the wire at the same time, and idle connections kept.
    pub workers: usize,
    /// How long a fit may take.
    pub fit_timeout: Duration,
    /// How long a prediction may take.
    pub predict_timeout: Duration,
    /// Sequential untimed calls before each burst, at most `calls`.
    pub warm_up: usize,
    /// The pause between the phases.
    pub cool_down: Duration,
    /// Whether a burst finds its connections open.
    pub connections: Connections,
}

impl Settings {
    /// Series `i` of the fit phase.
    #[must_use]
    pub fn fit_series(&self, i: usize) -> String {
        format!("benchmark_stress_{}_{i}", self.run_id)
    }

    /// Series of the fit phase's warm-up call `i`.
    #[must_use]
    pub fn fit_warm_up_series(&self, i: usize) -> String {
        format!("benchmark_stress_{}_warmup_{i}", self.run_id)
    }

    /// The one series of the predict phase.
    #[must_use]
    pub fn predict_series(&self) -> String {
        format!("benchmark_predict_{}", self.run_id)
    }

    /// Warm-up calls that are made.
    #[must_use]
    pub fn warm_up_calls(&self) -> usize {
        self.warm_up.min(self.calls)
    }
}
