//! Mean and sum of squared deviations in two passes.
//!
//! Sums are pairwise (Higham, *The accuracy of floating point summation*, SIAM J. Sci. Comput. 14,
//! 1993): blocks of up to 128 values in eight running sums, so that the error grows with log n and
//! the adds do not wait for each other. The order is the one NumPy uses, hence the same mean to the
//! last bit. The second pass takes out what rounding of the mean left in it (Chan, Golub &
//! LeVeque, *Algorithms for computing the sample variance*, Am. Stat. 37, 1983).

/// Magnitudes between which neither a sum nor a square of `f64` values leaves the range.
const SAFE: std::ops::RangeInclusive<f64> = 1e-120..=1e130;

const BLOCK: usize = 128;

/// Mean and spread of at least one value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moments {
    pub(crate) mean: f64,
    n: f64,
    /// Sum of squared deviations of the values times `shrink`.
    squares: f64,
    /// The power of two by which the values were multiplied.
    shrink: f64,
}

impl Moments {
    pub(crate) fn of(values: &[f64]) -> Self {
        let largest = max_magnitude(values);
        if SAFE.contains(&largest) {
            return Self::scaled(values, 1.0, largest);
        }
        // A power of two changes no digit, save of values that are negligible beside the largest.
        let shrink = power_of_two_near_inverse(largest);
        let scaled: Vec<f64> = values.iter().map(|value| value * shrink).collect();
        let moments = Self::scaled(&scaled, shrink, largest * shrink);
        Self {
            mean: moments.mean / shrink,
            ..moments
        }
    }

    fn scaled(values: &[f64], shrink: f64, largest: f64) -> Self {
        let n = values.len() as f64;
        let mean = pairwise(values, |value| value) / n;
        let rest = pairwise(values, |value| value - mean);
        let squares = pairwise(values, |value| (value - mean) * (value - mean)) - rest * rest / n;
        // Values that differ in their last bit only: the true sum is at least half the squared
        // range, and the range at least one unit in the last place of the largest.
        let ulp = largest * f64::EPSILON * 0.5;
        Self {
            mean,
            n,
            squares: squares.max(0.5 * ulp * ulp),
            shrink,
        }
    }

    /// `√(Σ(x − mean)² / n)`; infinite beyond `f64`.
    pub(crate) fn population_std(&self) -> f64 {
        (self.squares / self.n).sqrt() / self.shrink
    }

    /// `√(Σ(x − mean)² / (n − 1))`, n ≥ 2; infinite beyond `f64`.
    pub(crate) fn sample_std(&self) -> f64 {
        (self.squares / (self.n - 1.0)).sqrt() / self.shrink
    }
}

pub(crate) fn max_magnitude(values: &[f64]) -> f64 {
    let mut lanes = [0.0_f64; 8];
    let mut chunks = values.chunks_exact(8);
    for chunk in &mut chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = lane.max(value.abs());
        }
    }
    let rest = chunks
        .remainder()
        .iter()
        .fold(0.0_f64, |largest, value| largest.max(value.abs()));
    lanes.iter().fold(rest, |largest, &lane| largest.max(lane))
}

/// A power of two that brings a positive finite value near 1.
///
/// Between 2^-1000 and 2^1000, so that its inverse is exact as well; that leaves the smallest
/// subnormal at 2^-74.
pub(crate) fn power_of_two_near_inverse(value: f64) -> f64 {
    let (_, exponent) = libm::frexp(value);
    libm::ldexp(1.0, (-exponent).clamp(-1000, 1000))
}

fn pairwise(values: &[f64], term: impl Fn(f64) -> f64 + Copy) -> f64 {
    if values.len() > BLOCK {
        let half = values.len() / 2;
        let (left, right) = values.split_at(half - half % 8);
        return pairwise(left, term) + pairwise(right, term);
    }
    if values.len() < 8 {
        return values.iter().fold(0.0, |sum, &value| sum + term(value));
    }
    let mut chunks = values.chunks_exact(8);
    let mut lanes = [0.0; 8];
    for chunk in &mut chunks {
        for (lane, &value) in lanes.iter_mut().zip(chunk) {
            *lane += term(value);
        }
    }
    let [a, b, c, d, e, f, g, h] = lanes;
    let sum = ((a + b) + (c + d)) + ((e + f) + (g + h));
    chunks
        .remainder()
        .iter()
        .fold(sum, |sum, &value| sum + term(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_offset_costs_no_digits() {
        // mean 1e9 + 1.5, deviations ±0.5 and ±1.5: the textbook formula finds 0 here.
        let values: Vec<f64> = (0..4000).map(|i| 1e9 + f64::from(i % 4)).collect();
        let moments = Moments::of(&values);
        assert_eq!(moments.mean, 1e9 + 1.5);
        assert_eq!(moments.population_std(), 1.25_f64.sqrt());
    }

    #[test]
    fn a_mean_that_is_rounded_is_corrected_for() {
        // The true mean lies half way between two `f64`; the standard deviation is 1.
        let values = [1e16, 1e16 + 2.0];
        assert_eq!(Moments::of(&values).population_std(), 1.0);
    }

    #[test]
    fn both_ends_of_the_range_are_used() {
        for scale in [1e-300, 1e-150, 1.0, 1e150, 1e307] {
            let values = [1.0, 2.0, 3.0, 4.0, 5.0].map(|value| value * scale);
            let moments = Moments::of(&values);
            let close = |found: f64, expected: f64| (found / expected - 1.0).abs() < 1e-14;
            assert!(close(moments.mean, 3.0 * scale), "{scale:e}");
            assert!(
                close(moments.population_std(), 2.0_f64.sqrt() * scale),
                "{scale:e}"
            );
            assert!(
                close(moments.sample_std(), 2.5_f64.sqrt() * scale),
                "{scale:e}"
            );
        }
    }

    #[test]
    fn values_an_ulp_apart_have_a_positive_spread() {
        for n in [2, 3, 9, 1_000, 100_000] {
            let mut values = vec![0.1; n];
            values[n / 2] = 0.1_f64.next_up();
            assert!(Moments::of(&values).population_std() > 0.0, "{n}");
        }
    }

    #[test]
    fn pairwise_sums_are_nearly_exact() {
        let n = 1_000_000;
        let values: Vec<f64> = vec![0.1; n];
        let sum = pairwise(&values, |value| value);
        let exact = 100_000.0;
        assert!((sum - exact).abs() < 1e-9, "{sum}");
        let plain: f64 = values.iter().sum();
        assert!((plain - exact).abs() > 1e-7, "control: {plain}");
    }
}
