//! What a history says of stretches of time: how many of its points are independent of each other,
//! and how far the level of a stretch lies from that of the whole.
//!
//! Both by batch means (Conway 1963; Alexopoulos & Seila 1998): of independent points the mean of m has an
//! m-th of the variance of one, and by as much as it has more, the points are fewer than they seem.
//!
//! What differs: values beyond the outermost twentieths are drawn in, so that an outage does not
//! pass for a level; and the level of a stretch is its median.

use super::elementary::{exp, ln};
use super::order::median_of;

/// Batches by which the independent points are counted.
pub(crate) const BATCHES: usize = 8;

/// Stretches by which the level is told. Their spread has one degree of freedom less.
const STRETCHES: usize = 4;

/// `∛(4√3/π)`: P(|T| ≥ t) of Student's t on 3 degrees of freedom is at most (this / t)³, and nearly that
/// from t = 5 on.
const T3_REACH: f64 = 1.301_638_089_207_149_3;

/// Number of independent points among values in order of time, between 1 and their number; `low` and
/// `high` are where the outermost twentieths begin.
pub(crate) fn independent_points(in_time: &[f64], low: f64, high: f64) -> f64 {
    let n = in_time.len();
    let drawn_in = |z: &f64| z.clamp(low, high);
    let mean = in_time.iter().map(drawn_in).sum::<f64>() / n as f64;
    let squares = |values: &[f64]| -> f64 {
        let squares = values.iter().map(|z| (drawn_in(z) - mean).powi(2));
        squares.sum()
    };
    let variance = squares(in_time) / n as f64;
    if variance <= 0.0 || n < BATCHES {
        return n as f64;
    }
    let between: f64 = batches(in_time, BATCHES)
        .map(|batch| {
            let sum: f64 = batch.iter().map(|z| drawn_in(z) - mean).sum();
            (sum / batch.len() as f64).powi(2)
        })
        .sum();
    let inflation = between / (BATCHES - 1) as f64 * (n as f64 / BATCHES as f64) / variance;
    n as f64 / inflation.clamp(1.0, n as f64)
}

/// The a of P(|level of a stretch to come| ≥ z) = (a/z)³: the tail of the prediction interval of a
/// normal level of which four are known (Student's t on 3 degrees of freedom).
pub(crate) fn level_reach(in_time: &[f64]) -> f64 {
    let squares: f64 = batches(in_time, STRETCHES)
        .map(|stretch| median_of(&mut stretch.to_vec()).powi(2))
        .sum();
    let count = STRETCHES as f64;
    T3_REACH * (squares / count * (1.0 + 1.0 / count)).sqrt()
}

/// The z that the level of a stretch to come exceeds with probability `p` on either side.
pub(crate) fn level_quantile(reach: f64, p: f64) -> f64 {
    if p >= 1.0 || reach <= 0.0 {
        return 0.0;
    }
    reach * exp(-ln(p) / 3.0)
}

/// Consecutive parts of nearly the same length, none of them empty where there are as many values.
fn batches(values: &[f64], n: usize) -> impl Iterator<Item = &[f64]> {
    let len = values.len();
    (0..n)
        .map(move |i| &values[i * len / n..(i + 1) * len / n])
        .filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::student_t::StudentT;

    fn noise(n: usize) -> Vec<f64> {
        let mut state = 1_u64;
        (0..n)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                (state >> 33) as f64 / f64::from(1_u32 << 30) - 1.0
            })
            .collect()
    }

    fn independent(values: &[f64]) -> f64 {
        independent_points(values, -0.9, 0.9)
    }

    #[test]
    fn points_of_noise_are_independent_and_repeated_ones_are_not() {
        let noise = noise(4_000);
        assert!(independent(&noise) > 1_500.0, "{}", independent(&noise));
        let repeated: Vec<f64> = (0..4_000).map(|i| noise[i / 100]).collect();
        let found = independent(&repeated);
        assert!((10.0..100.0).contains(&found), "{found}");
    }

    #[test]
    fn a_single_outlier_is_no_level_and_no_dependence() {
        let mut values = noise(4_000);
        let (before, level) = (independent(&values), level_reach(&values));
        values[17] = 1e30;
        assert!((independent(&values) / before - 1.0).abs() < 0.1);
        assert!((level_reach(&values) / level - 1.0).abs() < 0.1);
    }

    #[test]
    fn the_level_of_noise_is_known_and_that_of_steps_is_not() {
        assert!(level_reach(&noise(4_000)) < 0.1);
        let steps: Vec<f64> = (0..4_000)
            .map(|i| [-2.0, 1.0, 2.0, -1.0][i / 1_000])
            .collect();
        assert!((2.0..4.0).contains(&level_reach(&steps)));
    }

    #[test]
    fn the_tail_of_the_level_is_that_of_students_t() {
        let t = StudentT::new(3);
        for (z, slack) in [(5.0, 0.15), (20.0, 0.02), (1e3, 1e-4)] {
            let p = (T3_REACH / z).powi(3);
            let ratio = p / t.two_sided(z).p;
            assert!((1.0..1.0 + slack).contains(&ratio), "{z}: {ratio}");
        }
        for p in [0.5, 1e-3, 1e-300] {
            let z = level_quantile(2.5, p);
            assert!(((2.5 / z).powi(3) / p - 1.0).abs() < 1e-12);
        }
        assert_eq!(
            (level_quantile(0.0, 0.1), level_quantile(1.0, 1.0)),
            (0.0, 0.0)
        );
    }

    #[test]
    fn equal_and_few_values_have_an_answer() {
        assert_eq!(independent_points(&[1.0; 50], 1.0, 1.0), 50.0);
        assert_eq!(independent_points(&[1.0, 2.0], 1.0, 2.0), 2.0);
        assert_eq!(level_reach(&[0.0; 50]), 0.0);
    }
}
