//! A histogram of fixed bounds that any thread adds to without a lock.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts of observations by upper bound, and their sum. One observation is two atomic additions.
pub struct Histogram {
    bounds: &'static [f64],
    /// One more than bounds: the last one counts what is above all of them.
    counts: Box<[AtomicU64]>,
    /// In units of 1e-9 of what is observed: exact sums that do not depend on the order.
    sum: AtomicU64,
}

/// What a [`Histogram`] held at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The bounds.
    pub bounds: &'static [f64],
    /// Observations between the bound before and this one; the last above all bounds.
    pub counts: Vec<u64>,
    /// Sum of the observations.
    pub sum: f64,
}

impl Snapshot {
    /// Observations.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

const UNITS: f64 = 1e9;

impl Histogram {
    /// A histogram whose buckets end at `bounds`, which increase and are inclusive.
    #[must_use]
    pub fn new(bounds: &'static [f64]) -> Self {
        Self {
            bounds,
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
        }
    }

    /// Adds `value`, which is not negative.
    pub fn observe(&self, value: f64) {
        let at = self.bounds.partition_point(|bound| *bound < value);
        self.counts[at].fetch_add(1, Ordering::Relaxed);
        self.sum
            .fetch_add((value * UNITS) as u64, Ordering::Relaxed);
    }

    /// Whether anything was observed.
    #[must_use]
    pub fn is_used(&self) -> bool {
        let mut counts = self.counts.iter();
        counts.any(|count| count.load(Ordering::Relaxed) > 0)
    }

    /// What it holds now. Taken while others add, it may miss their latest observations.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            bounds: self.bounds,
            counts: self
                .counts
                .iter()
                .map(|count| count.load(Ordering::Relaxed))
                .collect(),
            sum: self.sum.load(Ordering::Relaxed) as f64 / UNITS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_inclusive_and_what_is_above_them_is_counted() {
        let histogram = Histogram::new(&[0.001, 0.01]);
        for value in [0.0, 0.001, 0.0011, 0.01, 5.0] {
            histogram.observe(value);
        }
        let snapshot = histogram.snapshot();
        assert_eq!(snapshot.counts, [2, 2, 1]);
        assert!((snapshot.sum - 5.0121).abs() < 1e-8, "{}", snapshot.sum);
    }
}
