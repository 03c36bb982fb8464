//! Times of the work itself, without waiting and writing.

use std::time::Instant;

use super::{Histogram, SECONDS};

/// How long fits and scores take on their thread.
pub struct WorkTimes {
    /// Seconds a fit.
    pub fits: Histogram,
    /// Seconds a predict, all of its points.
    pub scores: Histogram,
}

impl Default for WorkTimes {
    fn default() -> Self {
        Self {
            fits: Histogram::new(SECONDS),
            scores: Histogram::new(SECONDS),
        }
    }
}

impl Histogram {
    /// Runs `work` and adds the seconds that it took.
    pub fn time<T>(&self, work: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let result = work();
        self.observe(begun.elapsed().as_secs_f64());
        result
    }
}
