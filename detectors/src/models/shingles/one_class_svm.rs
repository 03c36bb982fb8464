//! `one_class_svm`: distance from the boundary around the training windows, in kernel space.
//!
//! ```text
//! novelty(w) = −ln( Σ_i a_i exp(−‖w − s_i‖² / width) / Σ_i a_i )
//! ```
//!
//! with the support vectors s_i and their weights a_i from the one-class support vector machine of
//! Schölkopf et al., *Estimating the Support of a High-Dimensional Distribution*, Neural Computation
//! 13, 2001, as `linfa` solves it, with a Gaussian kernel. What differs here: their decision value is
//! the sum less a constant; minus the logarithm of the sum puts windows in the same order, is never
//! negative, and goes on growing where the kernel is too small to tell far from farther.
//!
//! [`NU`] bounds the share of training windows left outside. The width is a tenth quantile of squared
//! distances between training windows. The more usual median (Gretton et al., *A Kernel Two-Sample
//! Test*, JMLR 13, 2012, section 8) is too wide here: windows of a seasonal series lie along a closed
//! curve, and a flat line, which is the middle of that curve, would be well inside of the boundary.
//! Windows that are the same count once: to the solver they are one direction of the problem.
//!
//! The solver takes exponentials from the C library and stops within 0.001 of the optimum. Weights
//! are rounded to `f32`, but other than for the rest of this crate byte-identical models from
//! different kinds of processor are usual, not promised. Scoring keeps the promise.

use linfa::dataset::{Dataset, Pr};
use linfa::prelude::ParamGuard;
use linfa::traits::Fit;
use linfa_svm::Svm;
use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

use super::windows::Windows;
use super::{Novelty, ShingleError, all_finite, bounded, linear, quantile, require};
use crate::stats::elementary::{exp, ln};

/// Share of the training windows that may be outside of the boundary.
pub(crate) const NU: f64 = 0.1;
/// Windows that the boundary is drawn around: cost grows with their square.
pub(crate) const TRAINING_MAX: usize = 512;

const M_MIN: usize = 2;
const M_MAX: usize = 256;
const WINDOWS_MIN: usize = 16;
/// Of squared distances; see the module.
const WIDTH_QUANTILE: f64 = 0.1;
/// Numbers in the training windows.
const NUMBERS_MAX: usize = 1 << 15;
/// Violation of the conditions of the optimum at which the solver stops.
const TOLERANCE: f64 = 1e-3;
/// Weights below this share of the largest are left out.
const WEIGHT_MIN: f64 = 1e-6;

/// A fitted model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct OneClassSvm {
    m: u32,
    width: f32,
    /// Sum of 1.
    weights: Vec<f32>,
    /// Support vectors, `m` numbers each.
    vectors: Vec<f32>,
}

impl OneClassSvm {
    /// At most 512 windows and 32,768 numbers.
    ///
    /// # Errors
    ///
    /// Windows of fewer than 2 or more than 256 points, fewer than 16 of them, or all the same.
    pub(crate) fn fit(windows: &Windows<'_>) -> Result<Self, ShingleError> {
        require(windows, M_MIN..=M_MAX, WINDOWS_MIN)?;
        let m = windows.m();
        let windows = windows.thinned(TRAINING_MAX.min(NUMBERS_MAX / m));
        let rows = distinct(&windows);
        let width = width(&rows).ok_or(ShingleError::Constant)?;
        let vectors: Vec<f32> = rows
            .iter()
            .flat_map(|row| row.iter().map(|&x| x as f32))
            .collect();
        let weights = weights(&rows, m, f64::from(width)).ok_or(ShingleError::NotConverged)?;
        let mut model = Self {
            m: m as u32,
            width,
            weights: Vec::new(),
            vectors: Vec::new(),
        };
        let largest = weights.iter().copied().fold(0.0, f64::max);
        let kept = |weight: f64| weight > WEIGHT_MIN * largest;
        let sum: f64 = weights.iter().copied().filter(|&weight| kept(weight)).sum();
        for (&weight, vector) in weights.iter().zip(vectors.chunks_exact(m)) {
            if kept(weight) {
                model.weights.push((weight / sum) as f32);
                model.vectors.extend_from_slice(vector);
            }
        }
        if model.check(m) {
            Ok(model)
        } else {
            Err(ShingleError::NotConverged)
        }
    }

    /// Whether the numbers are ones a fit for windows of `m` points can give.
    pub(crate) fn check(&self, m: usize) -> bool {
        (M_MIN..=M_MAX).contains(&m)
            && self.m as usize == m
            && self.width.is_finite()
            && self.width >= f32::MIN_POSITIVE
            && (1..=TRAINING_MAX).contains(&self.weights.len())
            && self.vectors.len() == m * self.weights.len()
            && all_finite(&self.vectors)
            && self
                .weights
                .iter()
                .all(|&weight| weight > 0.0 && weight <= 1.0)
            // Above 1 the logarithm of the sum could be positive.
            && self.weights.iter().map(|&weight| f64::from(weight)).sum::<f64>() < 1.001
    }
}

/// The windows without repetitions, in the order of their values.
fn distinct<'a>(windows: &'a Windows<'_>) -> Vec<&'a [f64]> {
    let mut rows: Vec<&[f64]> = windows.rows().collect();
    let order = |a: &&[f64], b: &&[f64]| {
        let pairs = a.iter().zip(*b);
        let mut unequal = pairs.map(|(x, y)| x.total_cmp(y)).filter(|o| o.is_ne());
        unequal.next().unwrap_or(std::cmp::Ordering::Equal)
    };
    rows.sort_by(order);
    rows.dedup();
    rows
}

/// A low quantile of squared distances between the rows; at least a small part of their mean.
fn width(rows: &[&[f64]]) -> Option<f32> {
    let mut squares = Vec::new();
    // Each with the one half-way round, a third, a fourth, …: some thousand pairs of all distances.
    for part in 2..10 {
        let offset = rows.len() / part;
        if offset == 0 {
            break;
        }
        squares.extend((0..rows.len()).map(|i| {
            let (a, b) = (rows[i], rows[(i + offset) % rows.len()]);
            let square: f64 = a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum();
            square
        }));
    }
    let mean = squares.iter().sum::<f64>() / squares.len().max(1) as f64;
    let low = quantile(&mut squares, WIDTH_QUANTILE);
    let width = low.max(1e-3 * mean) as f32;
    (width.is_finite() && width >= f32::MIN_POSITIVE).then_some(width)
}

/// A weight for each row; `None` if the solver gives none.
fn weights(rows: &[&[f64]], m: usize, width: f64) -> Option<Vec<f64>> {
    let records = Array2::from_shape_fn((rows.len(), m), |(i, j)| rows[i][j]);
    let targets = Array1::from_elem(rows.len(), ());
    let params = Svm::<f64, Pr>::params()
        .eps(TOLERANCE)
        .nu_weight(NU)
        .gaussian_kernel(width)
        .check()
        .ok()?;
    let fitted: Svm<f64, bool> = params.fit(&Dataset::new(records, targets)).ok()?;
    fitted
        .alpha
        .iter()
        .all(|a| a.is_finite())
        .then_some(fitted.alpha)
}

impl Novelty for OneClassSvm {
    fn novelty(&self, window: &[f64]) -> f64 {
        let window: Vec<f64> = window.iter().map(|&value| bounded(value)).collect();
        let width = f64::from(self.width);
        let exponents: Vec<f64> = self
            .vectors
            .chunks_exact(window.len())
            .map(|vector| linear::squared_distance_f32(&window, vector) / width)
            .collect();
        let least = exponents.iter().copied().fold(f64::MAX, f64::min);
        let sum: f64 = exponents
            .iter()
            .zip(&self.weights)
            .map(|(exponent, &weight)| f64::from(weight) * exp(least - exponent))
            .sum();
        (least - ln(sum.max(f64::MIN_POSITIVE))).clamp(0.0, f64::MAX)
    }

    /// The boundary says what is inside, not what would be in its middle.
    fn expected(&self, _context: &[f64]) -> Option<f64> {
        None
    }

    fn heap_bytes(&self) -> usize {
        4 * (self.weights.capacity() + self.vectors.capacity())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::shingles::laws::{self, M, fitted, sine};

    laws::laws!(OneClassSvm, -4.0, [sine, beats]);

    #[test]
    fn a_share_of_nu_is_outside() {
        let series = sine(511 + M, 6);
        let windows = Windows::new(&series, M, 512).unwrap();
        let rows = distinct(&windows);
        let width = f64::from(width(&rows).unwrap());
        let weights = weights(&rows, M, width).unwrap();
        // In the dual, weights are bounded by 1 and add up to nu times the windows; at most that
        // many are at the bound, and at least that many are not zero.
        let sum: f64 = weights.iter().sum();
        let expected = NU * rows.len() as f64;
        assert!((sum - expected).abs() < 1e-6 * expected, "{sum}");
        let at_bound = weights.iter().filter(|&&a| a >= 1.0).count() as f64;
        let support = weights.iter().filter(|&&a| a > 0.0).count() as f64;
        assert!(at_bound <= expected && support >= expected);
    }

    #[test]
    fn novelty_orders_like_the_decision_value() {
        let model = fitted(OneClassSvm::fit, &sine(2_000, 6), M).unwrap();
        let decision = |window: &[f64]| -> f64 {
            let vectors = model.vectors.chunks_exact(M);
            let terms = vectors.zip(&model.weights).map(|(vector, &weight)| {
                let square = linear::squared_distance_f32(window, vector);
                f64::from(weight) * libm::exp(-square / f64::from(model.width))
            });
            terms.sum()
        };
        let series = sine(300, 9);
        for (a, b) in series.windows(M).zip(series[60..].windows(M)) {
            let (a, b) = (
                (decision(a), model.novelty(a)),
                (decision(b), model.novelty(b)),
            );
            assert_eq!(a.0 > b.0, a.1 < b.1);
        }
    }

    #[test]
    fn repeated_windows_count_once_and_a_flat_line_is_outside() {
        let step = std::f64::consts::TAU / 20.0;
        let series: Vec<f64> = (0..2_000)
            .map(|i| libm::sin(f64::from(i % 20) * step))
            .collect();
        let windows = Windows::new(&series, M, 512).unwrap();
        assert_eq!(distinct(&windows).len(), 20);
        let model = OneClassSvm::fit(&windows).unwrap();
        assert!(model.weights.len() <= 20);
        // The middle of the curve that the windows lie on.
        let (seen, flat) = (model.novelty(&series[7..7 + M]), model.novelty(&[0.0; M]));
        assert!(flat > 2.0 * seen, "{seen} {flat}");
    }

    #[test]
    fn grows_beyond_the_range() {
        laws::grows_beyond_the_range(OneClassSvm::fit);
    }
}
