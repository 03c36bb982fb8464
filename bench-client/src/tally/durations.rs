//! A distribution of durations in constant memory: a histogram for its shape, whole numbers for
//! what is said exactly. Nothing in it depends on the order of the durations.

use hdrhistogram::Histogram;

use super::bins::Bins;
use super::order_statistics::{Ranks, needed};
use super::stats::{LatencyStats, Quantile};

/// The quantiles of [`LatencyStats`].
pub const QUANTILES: [f64; 7] = [0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999];

/// Longer durations are counted in the last bucket; their maximum is exact all the same.
const LONGEST_NS: u64 = 600_000_000_000;

/// Significant digits of a bucket.
const DIGITS: u8 = 3;

/// Durations in nanoseconds. Costs nothing until the first, and then about 250 KiB.
#[derive(Debug, Clone, Default)]
pub struct Durations {
    count: u64,
    min: u64,
    max: u64,
    sum: u128,
    squares: u128,
    histogram: Option<Histogram<u64>>,
}

impl Durations {
    /// Adds one.
    #[inline]
    pub fn record(&mut self, ns: u64) {
        self.histogram
            .get_or_insert_with(empty)
            .saturating_record(ns);
        self.min = if self.count == 0 {
            ns
        } else {
            self.min.min(ns)
        };
        self.max = self.max.max(ns);
        self.count += 1;
        let ns = u128::from(ns);
        self.sum += ns;
        self.squares = self.squares.saturating_add(ns * ns);
    }

    /// Adds all of another.
    pub fn merge(&mut self, other: &Self) {
        let Some(theirs) = &other.histogram else {
            return;
        };
        self.histogram
            .get_or_insert_with(empty)
            .add(theirs)
            .expect("both have the same bounds");
        self.min = if self.count == 0 {
            other.min
        } else {
            self.min.min(other.min)
        };
        self.max = self.max.max(other.max);
        self.count += other.count;
        self.sum += other.sum;
        self.squares = self.squares.saturating_add(other.squares);
    }

    /// How many.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The histogram, once there is a duration in it.
    #[must_use]
    pub fn histogram(&self) -> Option<&Histogram<u64>> {
        self.histogram.as_ref()
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let buckets = self
            .histogram
            .as_ref()
            .map_or(0, Histogram::distinct_values);
        buckets * size_of::<u64>()
    }

    /// Everything that is said of them, in one pass over the histogram.
    #[must_use]
    pub fn stats(&self) -> LatencyStats {
        let Some(histogram) = &self.histogram else {
            return LatencyStats::default();
        };
        let ranks = QUANTILES.map(|q| Ranks::of(self.count, q));
        let mut wanted = Vec::with_capacity(3 * ranks.len());
        for ranks in &ranks {
            wanted.extend(
                [Some(ranks.value), ranks.low, ranks.high]
                    .into_iter()
                    .flatten(),
            );
        }
        wanted.sort_unstable();
        let mut bins = Bins::default();
        let values = values_at(histogram, &wanted, (self.min, self.max), |from, count| {
            bins.add(from, count);
        });
        let value = |rank: u64| {
            let at = wanted.partition_point(|&wanted| wanted < rank);
            values.get(at).copied().unwrap_or(self.max)
        };
        let quantile = |(q, ranks): (f64, Ranks)| Quantile {
            q,
            value_ns: value(ranks.value),
            low_ns: ranks.low.map(value),
            high_ns: ranks.high.map(value),
            enough: self.count >= needed(q),
        };
        LatencyStats {
            count: self.count,
            min_ns: Some(self.min),
            max_ns: Some(self.max),
            mean_ns: Some(self.sum as f64 / self.count as f64),
            stddev_ns: Some(self.stddev()),
            quantiles: QUANTILES.into_iter().zip(ranks).map(quantile).collect(),
            bins: bins.into_vec(),
        }
    }

    /// √(n·Σx² − (Σx)²) / n. In whole numbers, because the two terms are nearly equal.
    fn stddev(&self) -> f64 {
        let n = u128::from(self.count);
        let (squares, square) = (n.checked_mul(self.squares), self.sum.checked_mul(self.sum));
        if let (Some(squares), Some(square)) = (squares, square) {
            return (squares.saturating_sub(square) as f64).sqrt() / n as f64;
        }
        // Beyond any run: 10¹⁰ durations of 10 minutes.
        let mean = self.sum as f64 / n as f64;
        (self.squares as f64 / n as f64 - mean * mean)
            .max(0.0)
            .sqrt()
    }
}

fn empty() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_NS, DIGITS).expect("bounds and digits are valid")
}

/// The values at `ranks`, which ascend from 1, in one pass, in which `seen` gets every bucket that
/// is not empty (lower end, count).
///
/// As in other HdrHistograms a value is the highest of its bucket; here it is never outside the
/// `extremes`, and the first and last rank are those.
pub(super) fn values_at<C: hdrhistogram::Counter>(
    histogram: &Histogram<C>,
    ranks: &[u64],
    (min, max): (u64, u64),
    mut seen: impl FnMut(u64, u64),
) -> Vec<u64> {
    let mut total = 0;
    let mut values = Vec::with_capacity(ranks.len());
    for bucket in histogram.iter_recorded() {
        let value = bucket.value_iterated_to();
        let count = bucket.count_at_value().as_u64();
        seen(histogram.lowest_equivalent(value), count);
        total += count;
        while let Some(&rank) = ranks.get(values.len())
            && rank <= total
        {
            values.push(if rank == 1 {
                min
            } else {
                value.clamp(min, max)
            });
        }
    }
    for (value, &rank) in values.iter_mut().zip(ranks) {
        if rank == total {
            *value = max;
        }
    }
    values
}
