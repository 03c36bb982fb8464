//! The server's own view of a run: what its process uses, by `/proc`, and what its metrics say, on the client's time
//! axis; and whether it counted the same requests as the client. It joins a run as a
//! [hook](crate::load::hooks::Hook), on a thread of its own.

mod exposition;
mod hook;
mod metrics;
mod process;
mod reconcile;
mod sampler;
pub mod timeline;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use hook::ServerSide;
pub use metrics::{Gauges, MetricsError, MetricsSource, Reading};
pub use process::ProcessUse;
pub use reconcile::{Agreement, Counted, Reconciliation};
pub use sampler::{EVERY, Sampling};
pub use timeline::ServerSample;

use crate::results::summary::Contributed;

/// What the figures are filed under.
pub const NAME: &str = "server";

/// The server's view in figures: the content that the hook contributes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServerFigures {
    /// What looking at it took.
    pub sampling: Sampling,
    /// Processors that it used, mean over the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processors: Option<f64>,
    /// Largest resident memory that was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_rss_bytes: Option<f64>,
    /// Most open file descriptors that were seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_fds: Option<f64>,
    /// Where its metrics were read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics_url: Option<String>,
    /// Requests that it was working on, mean over samples, the reading itself left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<f64>,
    /// Whether it counted the same requests as the client, where it counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<Reconciliation>,
}

impl ServerFigures {
    fn of(
        samples: &[ServerSample],
        sampling: Sampling,
        metrics_url: Option<String>,
        counts: Option<Reconciliation>,
    ) -> Self {
        let most =
            |of: fn(&ServerSample) -> Option<f64>| samples.iter().filter_map(of).reduce(f64::max);
        let in_flight = |sample: &ServerSample| Some((sample.metrics?.in_flight? - 1.0).max(0.0));
        Self {
            sampling,
            processors: mean(timeline::processors(samples).map(|(_, used)| used)),
            max_rss_bytes: most(ServerSample::rss_bytes),
            max_fds: most(ServerSample::fds),
            metrics_url,
            in_flight: mean(samples.iter().filter_map(in_flight)),
            counts,
        }
    }

    /// What the hook contributed to a run, if it had one.
    #[must_use]
    pub fn of_run(contributed: &Contributed) -> Option<Self> {
        serde_json::from_value(contributed.get(NAME)?.clone()).ok()
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (n, sum) = values.fold((0_u64, 0.0), |(n, sum), value| (n + 1, sum + value));
    (n > 0).then(|| sum / n as f64)
}
