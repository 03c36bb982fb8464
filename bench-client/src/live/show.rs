//! `--show LABEL=STATISTIC`: lines of the user's own.

use std::fmt;
use std::sync::Arc;

use crate::tally::stats::RunStats;

/// A statistic that can be read from the figures of a run.
pub trait Figure: fmt::Debug + Send + Sync {
    /// Its value; none where there is none yet.
    fn read(&self, stats: &RunStats) -> Option<f64>;
}

/// A line of the display.
#[derive(Debug, Clone)]
pub struct Show {
    /// What it is called.
    pub label: String,
    /// What it shows.
    pub figure: Arc<dyn Figure>,
}
