//! Counts of p-values: tenths in the body, 1–2–5 steps a decade below 0.1.
//!
//! Under a calibrated model every bin holds its own width of the points. The bins below 0.1 are where the
//! alarms are; below 1e-6 one bin takes the rest, as nobody counts long enough to tell more apart.

/// Number of bins.
pub const BINS: usize = 25;

/// Ends of the bins, `[EDGES[i], EDGES[i + 1])`; the last bin has 1 in it as well.
pub const EDGES: [f64; BINS + 1] = [
    0.0, 1e-6, 2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2,
    0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0,
];

/// Index of the edge 0.1.
const BODY: usize = 16;

/// The bin of a p-value in [0, 1].
///
/// In the body by the first digit, which rounding may put one too high. Below it counts the edges
/// passed, without a branch that would be guessed wrong.
#[inline(always)]
pub(super) fn bin_of(p: f64) -> usize {
    if p >= EDGES[BODY] {
        let bin = (BODY - 1 + (10.0 * p) as usize).min(BINS - 1);
        bin - usize::from(p < EDGES[bin])
    } else {
        let passed = EDGES[1..BODY].iter().map(|edge| u64::from(p >= *edge));
        passed.sum::<u64>() as usize
    }
}

/// Number of p-values below an edge.
pub(super) fn below(counts: &[u64; BINS], edge: f64) -> u64 {
    let bins = EDGES[1..].iter().take_while(|end| **end <= edge).count();
    counts[..bins]
        .iter()
        .fold(0, |sum, n| sum.saturating_add(*n))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bin_starts_at_its_edge_and_ends_before_the_next() {
        assert!(EDGES.is_sorted_by(|a, b| a < b));
        for (i, edge) in EDGES.into_iter().enumerate().take(BINS).skip(1) {
            assert_eq!(bin_of(edge), i, "{edge}");
            assert_eq!(bin_of(edge.next_down()), i - 1, "{edge}");
        }
        for (p, bin) in [(0.0, 0), (f64::MIN_POSITIVE, 0), (1.0, BINS - 1)] {
            assert_eq!(bin_of(p), bin, "{p}");
        }
        assert_eq!(EDGES[BODY], 0.1);
    }

    #[test]
    fn what_is_below_an_edge_is_counted_without_the_bin_above() {
        let counts: [u64; BINS] = std::array::from_fn(|i| 1 << i);
        assert_eq!(below(&counts, 1e-6), 1);
        assert_eq!(below(&counts, 1e-3), (1 << 10) - 1);
        assert_eq!(below(&counts, 1.0), (1 << BINS) - 1);
        assert_eq!(below(&[u64::MAX; BINS], 1.0), u64::MAX);
    }
}
