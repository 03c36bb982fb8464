//! What a run leaves behind: `summary.json` as a type, and the records beside it.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::settings::{Connections, Settings};
use crate::host::{ClientBuild, Host};
use crate::record::CallRecord;
use crate::summary::PhaseSummary;

/// Goes up when a field of [`NotebookSummary`] changes its meaning or goes away.
pub(super) const FORMAT_VERSION: u32 = 1;

/// A finished or interrupted run.
#[derive(Debug, Clone)]
pub struct NotebookRun {
    /// The run in figures.
    pub summary: NotebookSummary,
    /// The fit phase's calls.
    pub fit: Vec<CallRecord>,
    /// The predict phase's calls.
    pub predict: Vec<CallRecord>,
}

/// The content of `summary.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NotebookSummary {
    /// Version of this format.
    pub format_version: u32,
    /// Always `notebook`.
    pub kind: String,
    /// UTC start as `%Y%m%d_%H%M%S`; part of every series' name.
    pub run_id: String,
    /// When the run began.
    pub started_at: Timestamp,
    /// When the run was over.
    pub finished_at: Timestamp,
    /// Whether a signal cut the run short.
    pub interrupted: bool,
    /// What was asked for.
    pub config: Config,
    /// The client that measured.
    pub client: ClientBuild,
    /// The client's machine.
    pub host: Host,
    /// The fit phase; `null` if it was not measured.
    pub fit: Option<PhaseSummary>,
    /// The predict phase; `null` if it was not measured.
    pub predict: Option<PhaseSummary>,
    /// Why the predict phase was not measured.
    pub predict_not_measured: Option<String>,
}

/// The settings as they are saved; durations in seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// The server.
    pub base_url: String,
    /// Decides every random value.
    pub seed: u64,
    /// Measured calls a phase.
    pub calls: usize,
    /// Calls allowed on the wire at the same time.
    pub workers: usize,
    /// How long a fit may take.
    pub fit_timeout_s: f64,
    /// How long a prediction may take.
    pub predict_timeout_s: f64,
    /// Sequential untimed calls before each burst.
    pub warm_up_calls: usize,
    /// The pause between the phases.
    pub cool_down_s: f64,
    /// Idle connections kept by each phase's client.
    pub pool_max_idle_per_host: usize,
    /// Whether a health-check round opened the connections before each burst.
    pub warm_connections: bool,
}

impl Config {
    pub(super) fn of(settings: &Settings) -> Self {
        Self {
            base_url: settings.base_url.to_string(),
            seed: settings.seed,
            calls: settings.calls,
            workers: settings.workers,
            fit_timeout_s: settings.fit_timeout.as_secs_f64(),
            predict_timeout_s: settings.predict_timeout.as_secs_f64(),
            warm_up_calls: settings.warm_up_calls(),
            cool_down_s: settings.cool_down.as_secs_f64(),
            pool_max_idle_per_host: settings.workers,
            warm_connections: settings.connections == Connections::OpenedBefore,
        }
    }
}

impl NotebookSummary {
    /// Whether both phases were measured in full and every call was answered with 200.
    #[must_use]
    pub fn all_ok(&self) -> bool {
        let phases = [&self.fit, &self.predict];
        !self.interrupted
            && phases
                .into_iter()
                .all(|p| p.as_ref().is_some_and(PhaseSummary::all_ok))
    }

    /// How long the whole run took, cool-down included.
    #[must_use]
    pub fn took(&self) -> Duration {
        Duration::try_from(self.finished_at.duration_since(self.started_at)).unwrap_or_default()
    }
}
