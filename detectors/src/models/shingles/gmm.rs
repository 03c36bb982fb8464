//! `gmm`: how improbable the last point and a few before it are together.
//!
//! ```text
//! novelty(w) = max possible ln p − ln p(x),   p(x) = Σ_c weight_c · N(x; mean_c, covariance_c)
//! ```
//!
//! x are at most [`LAGS_MAX`] values of the window, at distances 0, 1, 2, 4, 8, … before the last
//! point and at the far end: full covariances in the dimension of the window would have more
//! numbers than the training windows can determine. The mixture is fitted by expectation
//! maximisation (Dempster, Laird & Rubin, JRSS B 39, 1977) as `linfa` does it, from its own k-means;
//! the number of components, of [`COUNTS`], is the one with the least Bayesian information criterion
//! (Schwarz, Ann. Stat. 6, 1978). One component is computed here, without iteration, so there is a
//! model where the iteration fails. ln p is bounded above by its value were every component at its
//! peak, and that bound less ln p is the novelty: it is never negative.
//!
//! The value expected after a context is the conditional mean: each component's regression of the
//! last value on the others, weighted by how probable the component makes the context (Sung,
//! *Gaussian Mixture Regression*, 2004).
//!
//! The library multiplies matrices with instructions chosen by the processor and takes logarithms
//! from the C library. What it finds is rounded to `f32` here, which hides differences in the last
//! bits of an `f64` all but always; byte-identical models from different kinds of processor are
//! therefore usual but, other than for the rest of this crate, not promised. Scoring keeps the
//! promise. Its distances are measured on the threads of `rayon`'s pool, as for `kmeans`.

use std::f64::consts::TAU;

use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_clustering::GaussianMixtureModel;
use ndarray::Array2;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};

use super::windows::Windows;
use super::{Novelty, ShingleError, all_finite, bounded, linear, require};
use crate::stats::elementary::{exp, ln};

/// Values of a window that the mixture is about.
pub(crate) const LAGS_MAX: usize = 8;
/// Numbers of components that are tried.
pub(crate) const COUNTS: [usize; 4] = [1, 2, 3, 5];

const M_MIN: usize = 2;
const M_MAX: usize = 1_024;
const WINDOWS_MIN: usize = 16;
/// Windows that the mixture is fitted to.
const TRAINING_MAX: usize = 384;
const SEED: u64 = 0x676D_6D00_0000_0001;
/// Added to every variance, in that of the training values: a component on a single value has a
/// density all the same.
const VARIANCE_MIN: f64 = 1e-4;
/// Diagonal entry of a whitening matrix, at most.
const PRECISION_MAX: f32 = 1e12;

/// A fitted model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Gmm {
    m: u32,
    components: Vec<Component>,
}

/// One Gaussian, its dimensions in the order of [`lags`]: the last point comes last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Component {
    ln_weight: f32,
    mean: Vec<f32>,
    /// W with `W·covariance·Wᵀ = 1`, lower triangular, its rows without the zeros. Its first rows
    /// whiten the first dimensions alone, and the last tells the last value from the others.
    whitening: Vec<f32>,
}

impl Gmm {
    /// At most 384 windows of 8 values, three mixtures of up to 100 iterations.
    ///
    /// # Errors
    ///
    /// Windows of fewer than 2 or more than 1,024 points, fewer than 16 of them, or all the same.
    pub(crate) fn fit(windows: &Windows<'_>) -> Result<Self, ShingleError> {
        require(windows, M_MIN..=M_MAX, WINDOWS_MIN)?;
        let m = windows.m();
        let windows = windows.thinned(TRAINING_MAX);
        let lags: Vec<usize> = lags(m).collect();
        let sample = Sample {
            rows: windows
                .rows()
                .flat_map(|row| lags.iter().map(move |lag| row[m - 1 - lag]))
                .collect(),
            d: lags.len(),
        };
        let mut best: Option<(f64, Vec<Component>)> = None;
        for k in COUNTS {
            if k > 1 && k * WINDOWS_MIN > windows.len() {
                break;
            }
            let mixture = if k == 1 {
                Some(sample.single()?)
            } else {
                sample.mixture(k)
            };
            let Some(components) = mixture else { continue };
            let model = Self {
                m: m as u32,
                components,
            };
            let criterion = sample.criterion(&model);
            if criterion.is_finite() && best.as_ref().is_none_or(|(least, _)| criterion < *least) {
                best = Some((criterion, model.components));
            }
        }
        let (_, components) = best.ok_or(ShingleError::NotConverged)?;
        Ok(Self {
            m: m as u32,
            components,
        })
    }

    /// Whether the numbers are ones a fit for windows of `m` points can give.
    pub(crate) fn check(&self, m: usize) -> bool {
        (M_MIN..=M_MAX).contains(&m)
            && self.m as usize == m
            && (1..=COUNTS[COUNTS.len() - 1]).contains(&self.components.len())
            && self
                .components
                .iter()
                .all(|component| component.check(lags(m).count()))
    }

    /// −ln of Σ exp(ln weight − ½ z² + Σ ln W_ii), without the constant that all share.
    fn minus_ln(terms: impl Iterator<Item = f64> + Clone) -> f64 {
        let least = terms.clone().fold(f64::INFINITY, f64::min);
        let sum: f64 = terms.map(|term| exp(least - term)).sum();
        least - ln(sum)
    }

    fn minus_ln_density(&self, x: &[f64]) -> f64 {
        Self::minus_ln(self.components.iter().map(|component| component.term(x)))
    }

    fn least_minus_ln_density(&self) -> f64 {
        let peaks = self.components.iter().map(Component::peak);
        Self::minus_ln(peaks.map(|peak| -peak))
    }
}

impl Component {
    fn new(weight: f64, mean: impl Iterator<Item = f64>, covariance: &[f64]) -> Option<Self> {
        let mean: Vec<f32> = mean.map(|x| x as f32).collect();
        let d = mean.len();
        let w = linear::whitening(covariance, d)?;
        let component = Self {
            ln_weight: ln(weight.clamp(f64::MIN_POSITIVE, 1.0)) as f32,
            mean,
            whitening: (0..d)
                .flat_map(|i| w[i * d..=i * d + i].iter().map(|&x| x as f32))
                .collect(),
        };
        component.check(d).then_some(component)
    }

    fn check(&self, d: usize) -> bool {
        self.ln_weight.is_finite()
            && self.ln_weight <= 0.0
            && self.ln_weight >= -710.0
            && self.mean.len() == d
            && self.whitening.len() == d * (d + 1) / 2
            && all_finite(&self.mean)
            && self.whitening.iter().all(|x| x.abs() <= PRECISION_MAX)
            && (0..d).all(|i| self.row(i)[i] >= 1.0 / PRECISION_MAX)
    }

    fn row(&self, i: usize) -> &[f32] {
        &self.whitening[i * (i + 1) / 2..][..=i]
    }

    /// Logarithm of the weighted density at the mean, without the constant that all share.
    fn peak(&self) -> f64 {
        f64::from(self.ln_weight) + self.ln_determinant(self.mean.len())
    }

    /// Of the first `d` dimensions.
    fn ln_determinant(&self, d: usize) -> f64 {
        (0..d).map(|i| ln(f64::from(self.row(i)[i]))).sum()
    }

    /// Minus the logarithm of the weighted density of the first dimensions, as many as `x` has.
    fn term(&self, x: &[f64]) -> f64 {
        let squares: f64 = (0..x.len())
            .map(|i| {
                let z = self.whitened(i, x);
                z * z
            })
            .sum();
        0.5 * squares - f64::from(self.ln_weight) - self.ln_determinant(x.len())
    }

    /// Row `i` of the whitening matrix times the deviation from the mean, as far as `x` goes.
    fn whitened(&self, i: usize, x: &[f64]) -> f64 {
        self.row(i)
            .iter()
            .zip(x)
            .zip(&self.mean)
            .map(|((&w, &x), &mean)| f64::from(w) * (x - f64::from(mean)))
            .sum()
    }

    /// Mean of the last dimension given the others: where its whitened value is zero.
    fn conditional_mean(&self, others: &[f64]) -> f64 {
        let last = others.len();
        f64::from(self.mean[last]) - self.whitened(last, others) / f64::from(self.row(last)[last])
    }
}

/// Training points, `d` numbers each.
struct Sample {
    rows: Vec<f64>,
    d: usize,
}

impl Sample {
    fn rows(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        self.rows.chunks_exact(self.d)
    }

    /// One Gaussian.
    fn single(&self) -> Result<Vec<Component>, ShingleError> {
        let mean = linear::mean(self.rows(), self.d);
        let mut covariance = linear::covariance(self.rows(), &mean);
        let added = self.added_variance();
        if added == 0.0 {
            return Err(ShingleError::Constant);
        }
        for i in 0..self.d {
            covariance[i * self.d + i] += added;
        }
        let component = Component::new(1.0, mean.into_iter(), &covariance);
        Ok(vec![component.ok_or(ShingleError::NotConverged)?])
    }

    /// Of `k` Gaussians; `None` where the iteration fails.
    fn mixture(&self, k: usize) -> Option<Vec<Component>> {
        let n = self.rows.len() / self.d;
        let records = Array2::from_shape_vec((n, self.d), self.rows.clone()).ok()?;
        let rng = Xoshiro256PlusPlus::seed_from_u64(SEED);
        let fitted = GaussianMixtureModel::params_with_rng(k, rng)
            .reg_covariance(self.added_variance())
            .fit(&DatasetBase::from(records))
            .ok()?;
        (0..k)
            .map(|c| {
                let covariance: Vec<f64> = fitted
                    .covariances()
                    .index_axis(ndarray::Axis(0), c)
                    .iter()
                    .copied()
                    .collect();
                let mean = fitted.means().row(c).to_vec();
                Component::new(fitted.weights()[c], mean.into_iter(), &covariance)
            })
            .collect()
    }

    /// [`VARIANCE_MIN`] of the mean variance of the dimensions; 0 if nothing varies.
    fn added_variance(&self) -> f64 {
        let mean = linear::mean(self.rows(), self.d);
        let squares = self.rows().flat_map(|row| row.iter().zip(&mean));
        let sum: f64 = squares.map(|(x, mean)| (x - mean) * (x - mean)).sum();
        VARIANCE_MIN * sum / self.rows.len() as f64
    }

    fn criterion(&self, model: &Gmm) -> f64 {
        let (n, d) = ((self.rows.len() / self.d) as f64, self.d as f64);
        let minus_ln: f64 = self.rows().map(|row| model.minus_ln_density(row)).sum();
        let parameters = model.components.len() as f64 * (1.0 + d + d * (d + 1.0) / 2.0) - 1.0;
        2.0 * (minus_ln + 0.5 * n * d * ln(TAU)) + parameters * ln(n)
    }
}

impl Novelty for Gmm {
    fn novelty(&self, window: &[f64]) -> f64 {
        let m = window.len();
        let x: Vec<f64> = lags(m).map(|lag| bounded(window[m - 1 - lag])).collect();
        (self.minus_ln_density(&x) - self.least_minus_ln_density()).max(0.0)
    }

    fn expected(&self, context: &[f64]) -> Option<f64> {
        let m = context.len() + 1;
        let others: Vec<f64> = lags(m)
            .filter(|&lag| lag > 0)
            .map(|lag| bounded(context[m - 1 - lag]))
            .collect();
        let terms: Vec<f64> = self.components.iter().map(|c| c.term(&others)).collect();
        let least = terms.iter().copied().fold(f64::INFINITY, f64::min);
        let (mut sum, mut weights) = (0.0, 0.0);
        for (component, term) in self.components.iter().zip(terms) {
            let weight = exp(least - term);
            sum += weight * component.conditional_mean(&others);
            weights += weight;
        }
        let mean = sum / weights;
        mean.is_finite().then_some(mean)
    }

    fn heap_bytes(&self) -> usize {
        let numbers = |c: &Component| 4 * (c.mean.capacity() + c.whitening.capacity());
        self.components.capacity() * size_of::<Component>()
            + self.components.iter().map(numbers).sum::<usize>()
    }
}

/// Distances before the last point, the greatest first, 0 last.
fn lags(m: usize) -> impl Iterator<Item = usize> {
    let mut lags = [0; LAGS_MAX];
    let mut count = 0;
    let far = m - 1;
    let mut lag = 0;
    while lag < far && count < LAGS_MAX - 1 {
        lags[count] = lag;
        count += 1;
        lag = (2 * lag).max(1);
    }
    lags[count] = far;
    (0..=count).rev().map(move |i| lags[i])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::shingles::laws::{self, M, fitted, noise, sine};

    laws::laws!(Gmm, -4.0, [sine, beats]);

    #[test]
    fn lags_are_geometric_and_reach_both_ends() {
        let of = |m| lags(m).collect::<Vec<_>>();
        assert_eq!(of(2), [1, 0]);
        assert_eq!(of(4), [3, 2, 1, 0]);
        assert_eq!(of(32), [31, 16, 8, 4, 2, 1, 0]);
        assert_eq!(of(1_024), [1_023, 32, 16, 8, 4, 2, 1, 0]);
    }

    /// Two points of an autoregression are jointly normal: the density is known.
    #[test]
    fn one_gaussian_is_the_normal_density() {
        let mut noise = noise(4);
        let mut x = 0.0;
        let series: Vec<f64> = (0..40_000)
            .map(|_| {
                let normal: f64 = (0..12).map(|_| noise()).sum::<f64>() * 0.5;
                x = 0.8 * x + 0.6 * normal;
                x
            })
            .collect();
        let model = fitted(Gmm::fit, &series, 2).unwrap();
        assert_eq!(model.components.len(), 1);
        // (x, y) with unit variances and correlation 0.8.
        let expected = |x: f64, y: f64| 0.5 * (x * x - 1.6 * x * y + y * y) / 0.36;
        for (x, y) in [(0.0, 0.0), (2.0, 2.0), (2.0, -2.0), (-1.0, 0.5)] {
            let novelty = model.novelty(&[x, y]);
            let allowed = 0.1 + 0.2 * expected(x, y);
            assert!((novelty - expected(x, y)).abs() < allowed, "{novelty}");
        }
        assert!((model.expected(&[1.5]).unwrap() - 1.2).abs() < 0.15);
    }

    #[test]
    fn two_regimes_need_two_components() {
        let mut noise = noise(4);
        let series: Vec<f64> = (0..6_000)
            .map(|i| if i < 3_000 { -2.0 } else { 2.0 } + 0.2 * noise())
            .collect();
        let model = fitted(Gmm::fit, &series, 4).unwrap();
        assert!(model.components.len() >= 2);
        let novelty = |level: f64| model.novelty(&[level; 4]);
        assert!(novelty(0.0) > novelty(2.0) + 20.0);
        assert!(novelty(0.0) > novelty(-2.0) + 20.0);
        assert!((model.expected(&[2.0; 3]).unwrap() - 2.0).abs() < 0.1);
        assert!((model.expected(&[-2.0; 3]).unwrap() + 2.0).abs() < 0.1);
    }

    #[test]
    fn expected_value_is_the_least_strange_of_one_component() {
        let mut model = fitted(Gmm::fit, &sine(2_000, 6), M).unwrap();
        model.components.truncate(1);
        let mut window = sine(M, 8);
        let expected = model.expected(&window[..M - 1]).unwrap();
        let mut at = |value: f64| {
            window[M - 1] = value;
            model.novelty(&window)
        };
        let least = at(expected);
        assert!(at(expected + 0.01) > least && at(expected - 0.01) > least);
    }

    #[test]
    fn grows_beyond_the_range() {
        laws::grows_beyond_the_range(Gmm::fit);
    }
}
