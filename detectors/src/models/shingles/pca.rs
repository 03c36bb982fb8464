//! `pca`: distance of a window from the plane that most windows lie near.
//!
//! ```text
//! novelty(w) = √Q,   Q = ‖d − PᵀP d‖²,   d = w − mean
//! ```
//!
//! with the rows of P the leading eigenvectors of the covariance of the training windows, as many as
//! explain [`EXPLAINED`] of its trace, at most [`COMPONENTS_MAX`]. Q is the squared prediction error
//! of Jackson & Mudholkar, *Control Procedures for Residuals Associated with Principal Component
//! Analysis*, Technometrics 21, 1979; of Q its root is given, which has the unit of the values.
//! Their normal approximation to the law of Q is not used: thresholds are set elsewhere, from data.
//!
//! Q as a function of the last value alone is a parabola; where it is lowest is the expected value.

use serde::{Deserialize, Serialize};

use super::symmetric::Eigen;
use super::windows::Windows;
use super::{Novelty, ShingleError, all_finite, bounded, linear, require};

/// Share of the variance that the components explain.
pub(crate) const EXPLAINED: f64 = 0.9;
/// Components, at most.
pub(crate) const COMPONENTS_MAX: usize = 32;

const M_MIN: usize = 3;
const M_MAX: usize = 256;
const WINDOWS_MIN: usize = 8;
/// Multiplications for the covariance: longer windows are taken in smaller numbers.
const COST_MAX: usize = 1 << 26;
/// Curvature of the parabola below which the last value does not matter to Q.
const CURVATURE_MIN: f64 = 1e-6;

/// A fitted model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pca {
    mean: Vec<f32>,
    /// Unit vectors, the leading one first, `m` numbers each.
    components: Vec<f32>,
}

impl Pca {
    /// `O(n·m² + m³)` with `n·m²` bounded.
    ///
    /// # Errors
    ///
    /// Windows of fewer than 3 or more than 256 points, fewer than 8 of them, or all the same.
    pub(crate) fn fit(windows: &Windows<'_>) -> Result<Self, ShingleError> {
        require(windows, M_MIN..=M_MAX, WINDOWS_MIN)?;
        let m = windows.m();
        let windows = windows.thinned(COST_MAX / (m * m));
        if windows.is_constant() {
            return Err(ShingleError::Constant);
        }
        let mean = linear::mean(windows.rows(), m);
        let covariance = linear::covariance(windows.rows(), &mean);
        let Eigen { values, vectors } = Eigen::of(covariance, m)?;
        let trace: f64 = values.iter().map(|value| value.max(0.0)).sum();
        let mut explained = 0.0;
        let mut count = 0;
        // A plane of all dimensions would leave no distance from it.
        while count < COMPONENTS_MAX.min(m - 1) && explained < EXPLAINED * trace {
            explained += values[count].max(0.0);
            count += 1;
        }
        Ok(Self {
            mean: mean.iter().map(|&x| x as f32).collect(),
            components: vectors[..count * m].iter().map(|&x| x as f32).collect(),
        })
    }

    /// Whether the numbers are ones a fit for windows of `m` points can give.
    pub(crate) fn check(&self, m: usize) -> bool {
        (M_MIN..=M_MAX).contains(&m)
            && self.mean.len() == m
            && self.components.len().is_multiple_of(m)
            && self.components.len() / m <= COMPONENTS_MAX.min(m - 1)
            && all_finite(&self.mean)
            && self.components.iter().all(|x| x.abs() <= 1.001)
    }

    /// What is left of a deviation from the mean.
    fn residual(&self, mut deviation: Vec<f64>) -> Vec<f64> {
        let m = deviation.len();
        let components = self.components.chunks_exact(m);
        let shares: Vec<f64> = components
            .clone()
            .map(|component| linear::dot_f32(&deviation, component))
            .collect();
        for (component, share) in components.zip(shares) {
            for (d, &p) in deviation.iter_mut().zip(component) {
                *d -= share * f64::from(p);
            }
        }
        deviation
    }

    fn deviation(&self, values: &[f64]) -> Vec<f64> {
        values
            .iter()
            .zip(&self.mean)
            .map(|(&x, &mean)| bounded(x) - f64::from(mean))
            .collect()
    }
}

impl Novelty for Pca {
    fn novelty(&self, window: &[f64]) -> f64 {
        let residual = self.residual(self.deviation(window));
        linear::dot(&residual, &residual).sqrt()
    }

    fn expected(&self, context: &[f64]) -> Option<f64> {
        let mut deviation = self.deviation(context);
        let last = deviation.len();
        deviation.push(0.0);
        let known = self.residual(deviation);
        let mut unit = vec![0.0; last + 1];
        unit[last] = 1.0;
        // The residual is known + t·slope.
        let slope = self.residual(unit);
        let curvature = linear::dot(&slope, &slope);
        if curvature < CURVATURE_MIN {
            return None;
        }
        let t = -linear::dot(&known, &slope) / curvature;
        Some(t + f64::from(self.mean[last]))
    }

    fn heap_bytes(&self) -> usize {
        4 * (self.mean.capacity() + self.components.capacity())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::shingles::laws::{self, M, SEASON, fitted, sine};
    use linfa::DatasetBase;
    use linfa::traits::Fit;

    laws::laws!(Pca, -4.0, [sine, beats]);

    /// The planes agree although the library finds its vectors in another way.
    #[test]
    fn the_plane_is_that_of_linfa() {
        let series = sine(2_000, 6);
        let windows = Windows::new(&series, M, 4_096).unwrap();
        let ours = Pca::fit(&windows).unwrap();
        assert_eq!(ours.components.len(), 2 * M, "a sine spans a plane");
        let scale = 1.0 / (windows.len() as f64).sqrt();
        let records = windows.matrix() * scale;
        let theirs = linfa_reduction::Pca::params(2)
            .fit(&DatasetBase::from(records))
            .unwrap();
        for vector in theirs.components().rows() {
            let residual = ours.residual(vector.to_vec());
            assert!(linear::dot(&residual, &residual) < 1e-10);
        }
    }

    #[test]
    fn expected_value_has_the_least_novelty() {
        let model = fitted(Pca::fit, &sine(2_000, 6), M).unwrap();
        let mut window = sine(M, 8);
        let expected = model.expected(&window[..M - 1]).unwrap();
        let mut at = |value: f64| {
            window[M - 1] = value;
            model.novelty(&window)
        };
        let least = at(expected);
        for step in [1e-3, 0.1, 3.0] {
            assert!(at(expected + step) > least && at(expected - step) > least);
        }
    }

    #[test]
    fn continues_a_sine() {
        let clean: Vec<f64> = (0..800)
            .map(|i| libm::sin(std::f64::consts::TAU * f64::from(i) / SEASON as f64))
            .collect();
        let model = fitted(Pca::fit, &clean[..600], M).unwrap();
        for window in clean[600..].windows(M) {
            let expected = model.expected(&window[..M - 1]).unwrap();
            assert!((expected - window[M - 1]).abs() < 1e-5);
            assert!(model.novelty(window) < 1e-5);
        }
    }

    #[test]
    fn grows_beyond_the_range() {
        laws::grows_beyond_the_range(Pca::fit);
    }
}
