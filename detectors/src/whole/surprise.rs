//! How rare each number of a profile is among all of them: −log₁₀ of tail probabilities, which is
//! what views of different units have in common.
//!
//! In the body the probability is a rank, beyond the outermost [`tail_share`] that of a generalised
//! Pareto distribution ([`Pareto`]). Its shape is not raised where few events made the tail, as it is
//! for a single model's p-values: this is evidence to be added up, and the sum is calibrated again.
//!
//! [`tail_share`]: super::constants::Constants::tail_share

use std::f64::consts::LN_10;

use super::constants::CONSTANTS;
use crate::stats::elementary::ln;
use crate::stats::pareto::{Pareto, Reach};

/// A tail has at least so many points, and at most a quarter.
const TAIL_POINTS_MIN: usize = 10;

/// Scale of a tail at least, as a share of the range of the profile.
const SCALE_MIN: f64 = 1e-3;

/// Points in a tail of so large a share.
fn points_in_tail(n: usize, share: f64) -> usize {
    ((share * n as f64) as usize)
        .max(TAIL_POINTS_MIN)
        .min(n / 4)
        .max(1)
}

/// What lies beyond a threshold.
pub(super) struct UpperTail {
    pub(super) threshold: f64,
    pub(super) beyond: Pareto,
}

impl UpperTail {
    /// ln P(X > x) for x beyond the threshold.
    fn ln_p(&self, x: f64) -> f64 {
        self.beyond.tail(x - self.threshold, Reach::Near).ln_p
    }

    /// What so large a share exceeds, at most that of the tail.
    pub(super) fn quantile(&self, share: f64) -> f64 {
        self.threshold + self.beyond.quantile(share, Reach::Near)
    }
}

/// The tail above the largest `share` of at least two values, which are reordered; `None` where all
/// are equal.
pub(super) fn upper_tail(values: &mut [f64], share: f64) -> Option<UpperTail> {
    let n = values.len();
    let in_tail = points_in_tail(n, share);
    let (below, threshold, above) =
        values.select_nth_unstable_by(n.checked_sub(1 + in_tail)?, f64::total_cmp);
    let threshold = *threshold;
    let most = above.iter().copied().fold(threshold, f64::max);
    let least = below.iter().copied().fold(threshold, f64::min);
    if most <= least {
        return None;
    }
    let beyond: Vec<f64> = above.iter().map(|value| value - threshold).collect();
    let mass = in_tail as f64 / n as f64;
    Some(UpperTail {
        threshold,
        beyond: Pareto::as_estimated(mass, &beyond, SCALE_MIN * (most - least)),
    })
}

/// −log₁₀ P(X ≥ x) of each value of a profile of which large values are strange; not more than 2³²
/// values.
pub(super) fn of_large(profile: &[f64]) -> Vec<f64> {
    let n = profile.len();
    let mut surprises = vec![0.0; n];
    let Some(tail) = upper_tail(&mut profile.to_vec(), CONSTANTS.tail_share) else {
        return surprises;
    };
    let mut order: Vec<(f64, u32)> = profile.iter().copied().zip(0..).collect();
    order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let threshold = order[n - 1 - points_in_tail(n, CONSTANTS.tail_share)].0;
    let mut below = 0;
    for ties in order.chunk_by(|a, b| a.0 == b.0) {
        let x = ties[0].0;
        let surprise = if x > threshold {
            -tail.ln_p(x) / LN_10
        } else {
            // Ties share the middle of their ranks.
            let middle = below as f64 + 0.5 * ties.len() as f64;
            -ln(1.0 - middle / n as f64) / LN_10
        };
        for (_, index) in ties {
            surprises[*index as usize] = surprise;
        }
        below += ties.len();
    }
    surprises
}

/// By how much each value of a view is rarer, in powers of ten, than the share that lies in the tails:
/// 0 in the body, −log₁₀ P(X ≥ x | X in the tail) in either tail.
///
/// What is in the body of every view says nothing; summed over many views it would drown what few
/// views say clearly.
pub(super) fn beyond_tails(view: &[f64]) -> Vec<f64> {
    let mut values = view.to_vec();
    let above = upper_tail(&mut values, CONSTANTS.tail_share);
    values.iter_mut().for_each(|value| *value = -*value);
    let below = upper_tail(&mut values, CONSTANTS.tail_share);
    let (Some(above), Some(below)) = (above, below) else {
        return vec![0.0; view.len()];
    };
    view.iter()
        .map(|x| excess(&above, *x).max(excess(&below, -*x)))
        .collect()
}

fn excess(tail: &UpperTail, x: f64) -> f64 {
    if x <= tail.threshold {
        return 0.0;
    }
    (ln(f64::from(tail.beyond.mass)) - tail.ln_p(x)).max(0.0) / LN_10
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The quantiles of an exponential distribution, out of order.
    fn exponential(n: usize) -> Vec<f64> {
        (0..n)
            .map(|i| -(1.0 - ((i * 7919 % n) as f64 + 0.5) / n as f64).ln())
            .collect()
    }

    #[test]
    fn surprise_is_the_logarithm_of_the_tail() {
        let profile = exponential(10_007);
        for (x, surprise) in profile.iter().zip(of_large(&profile)) {
            let expected = x / LN_10;
            assert!(
                (surprise - expected).abs() < 0.05 + 0.05 * expected,
                "{x}: {surprise}"
            );
        }
    }

    #[test]
    fn surprise_rises_with_the_value_and_with_nothing_else() {
        let profile = exponential(500);
        let surprises = of_large(&profile);
        let mut order: Vec<usize> = (0..500).collect();
        order.sort_by(|a, b| profile[*a].total_cmp(&profile[*b]));
        assert!(
            order
                .windows(2)
                .all(|pair| surprises[pair[0]] < surprises[pair[1]])
        );
    }

    #[test]
    fn both_tails_count_from_their_share_on() {
        let mut view = exponential(1_000);
        let mirrored: Vec<f64> = view.iter().map(|x| -x).collect();
        view.extend(mirrored);
        let excess = beyond_tails(&view);
        let share = excess.iter().filter(|e| **e > 0.0).count() as f64 / 2_000.0;
        assert!(
            (share - 2.0 * CONSTANTS.tail_share).abs() < 0.002,
            "{share}"
        );
        assert!((0..1_000).all(|i| (excess[i] - excess[i + 1_000]).abs() < 1e-3));
    }

    #[test]
    fn equal_values_are_no_surprise() {
        assert_eq!(of_large(&[3.0; 50]), [0.0; 50]);
        assert_eq!(beyond_tails(&[3.0; 50]), [0.0; 50]);
        assert_eq!(beyond_tails(&[3.0]), [0.0]);
    }
}
