//! Median and absolute deviations from it, by selection in linear time.

use super::moments::{max_magnitude, power_of_two_near_inverse};

/// Median, and the two spreads about it; at least one value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OrderStatistics {
    pub(crate) median: f64,
    /// Median absolute deviation about the median.
    pub(crate) mad: f64,
    /// Mean absolute deviation about the median.
    pub(crate) mean_deviation: f64,
}

impl OrderStatistics {
    pub(crate) fn of(values: &[f64]) -> Self {
        // A deviation of two finite values may be infinite; half of one may not.
        let largest = max_magnitude(values);
        let shrink = if (1e-290..=1e300).contains(&largest) {
            1.0
        } else {
            power_of_two_near_inverse(largest)
        };
        let mut work: Vec<f64> = values.iter().map(|value| value * shrink).collect();
        let median = median_of(&mut work);
        let mut sum = 0.0;
        for value in &mut work {
            *value = (*value - median).abs();
            sum += *value;
        }
        let mad = median_of(&mut work);
        Self {
            median: median / shrink,
            mad: mad / shrink,
            mean_deviation: sum / values.len() as f64 / shrink,
        }
    }
}

/// Median of at least one value; reorders them.
pub(crate) fn median_of(values: &mut [f64]) -> f64 {
    let middle = values.len() / 2;
    let even = values.len().is_multiple_of(2);
    let (below, &mut upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    if !even {
        return upper;
    }
    let lower = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    0.5 * lower + 0.5 * upper
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_sorting() {
        for n in 1..60_usize {
            let values: Vec<f64> = (0..n).map(|i| ((i * 31) % 47) as f64 - 20.0).collect();
            let by_sorting = |values: &[f64]| {
                let mut sorted = values.to_vec();
                sorted.sort_by(f64::total_cmp);
                0.5 * sorted[(n - 1) / 2] + 0.5 * sorted[n / 2]
            };
            let median = by_sorting(&values);
            let deviations: Vec<f64> = values.iter().map(|value| (value - median).abs()).collect();
            let found = OrderStatistics::of(&values);
            assert_eq!(
                (found.median, found.mad),
                (median, by_sorting(&deviations)),
                "{n}"
            );
            assert_eq!(
                found.mean_deviation,
                deviations.iter().sum::<f64>() / n as f64
            );
        }
    }

    #[test]
    fn both_ends_of_the_range_are_used() {
        let found = OrderStatistics::of(&[f64::MAX, -f64::MAX, 0.0, f64::MAX]);
        assert_eq!(found.median, 0.5 * f64::MAX);
        assert_eq!(found.mad, 0.5 * f64::MAX);
        assert_eq!(found.mean_deviation, 0.75 * f64::MAX);
        let tiny = f64::from_bits(2);
        let found = OrderStatistics::of(&[0.0, tiny, 3.0 * tiny]);
        assert_eq!((found.median, found.mad), (tiny, tiny));
    }
}
