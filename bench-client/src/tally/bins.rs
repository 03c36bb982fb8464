//! Bins for charts: twenty a decade of nanoseconds, with the same edges in every run, so that the
//! distributions of two runs can be laid over each other.

use std::sync::LazyLock;

use super::stats::Bin;

/// Bins a decade of time.
const PER_DECADE: u32 = 20;

/// Decades, of which the last ends beyond the last bucket of the histogram.
const DECADES: u32 = 13;

/// 0, and then the whole numbers nearest to 10^(k/20), those apart. 1 ns to 2 h 46 min.
static EDGES: LazyLock<Vec<u64>> = LazyLock::new(|| {
    let edge = |k| libm::exp10(f64::from(k) / f64::from(PER_DECADE)).round() as u64;
    let mut edges: Vec<u64> = [0]
        .into_iter()
        .chain((0..=PER_DECADE * DECADES).map(edge))
        .collect();
    edges.dedup();
    edges
});

/// Puts a histogram's buckets, given in ascending order, into bins.
#[derive(Debug, Default)]
pub(super) struct Bins {
    bins: Vec<Bin>,
    /// The edge above the last bin.
    above: usize,
}

impl Bins {
    /// Adds a bucket by its lower end, which is in or after the bin of the one before.
    pub(super) fn add(&mut self, from_ns: u64, count: u64) {
        let edges = &*EDGES;
        if let Some(last) = self.bins.last_mut()
            && from_ns < last.to_ns
        {
            last.count += count;
            return;
        }
        self.above += edges[self.above..].partition_point(|&edge| edge <= from_ns);
        // The last edge is beyond any bucket.
        self.above = self.above.clamp(1, edges.len() - 1);
        self.bins.push(Bin {
            from_ns: edges[self.above - 1],
            to_ns: edges[self.above],
            count,
        });
    }

    pub(super) fn into_vec(self) -> Vec<Bin> {
        self.bins
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_ascend_twenty_a_decade_and_are_few() {
        assert!(EDGES.is_sorted_by(|a, b| a < b));
        assert!(EDGES.len() <= 260, "{}", EDGES.len());
        assert_eq!(EDGES[..4], [0, 1, 2, 3]);
        for decade in [1_000, 1_000_000, 1_000_000_000, 1_000_000_000_000] {
            let at = |edge| EDGES.binary_search(&edge).unwrap();
            assert_eq!(at(10 * decade) - at(decade), 20);
        }
    }

    #[test]
    fn every_bucket_is_counted_in_the_bin_that_it_begins_in() {
        let mut bins = Bins::default();
        for (from, count) in [
            (0, 1),
            (1_000_000, 2),
            (1_100_000, 3),
            (1_122_018, 4),
            (9_000_000, 5),
        ] {
            bins.add(from, count);
        }
        let bins = bins.into_vec();
        let counts: Vec<u64> = bins.iter().map(|bin| bin.count).collect();
        assert_eq!(counts, [1, 5, 4, 5]);
        assert_eq!((bins[0].from_ns, bins[0].to_ns), (0, 1));
        assert_eq!((bins[1].from_ns, bins[1].to_ns), (1_000_000, 1_122_018));
        assert_eq!((bins[3].from_ns, bins[3].to_ns), (8_912_509, 10_000_000));
    }
}
