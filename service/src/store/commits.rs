//! What the committer has done, for metrics.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::metrics::{Histogram, SECONDS};

/// Bounds of the changes in one batch.
const RECORDS: &[f64] = &[
    1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1_024.0, 4_096.0,
];

/// Commits of a store since it was opened.
pub struct Commits {
    /// Changes a commit: those that share one sync.
    pub records: Histogram,
    /// Seconds a commit took, the sync included.
    pub seconds: Histogram,
    failures: AtomicU64,
    refused: AtomicU64,
}

impl Default for Commits {
    fn default() -> Self {
        Self {
            records: Histogram::new(RECORDS),
            seconds: Histogram::new(SECONDS),
            failures: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }
}

impl Commits {
    /// Counts a commit that is durable.
    pub(super) fn done(&self, records: usize, took: Duration) {
        self.records.observe(records as f64);
        self.seconds.observe(took.as_secs_f64());
    }

    /// Counts changes that were not stored, because a write failed now or before.
    pub(super) fn failed(&self, changes: usize) {
        self.failures.fetch_add(changes as u64, Relaxed);
    }

    /// Counts a change for which there was no room in the queue.
    pub(super) fn refuse(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    /// Changes that were refused for that reason.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// Changes that were not stored because a write failed.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failures.load(Relaxed)
    }
}
