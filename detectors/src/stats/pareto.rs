//! The generalised Pareto distribution of what lies beyond a high threshold.
//!
//! P(X − u > x | X > u) = (1 + ξ·x/β)^(−1/ξ), exp(−x/β) for ξ = 0 (Pickands 1975; Balkema & de Haan
//! 1974). Shape and scale by the method of moments (Hosking & Wallis 1987, section 4):
//! ξ = (1 − m²/s²) / 2 and β = m·(1 − ξ), m and s² the mean and the variance of the exceedances.
//!
//! What differs: a tail that was estimated is predicted heavier than the estimate. With an
//! exponential tail whose mean was taken from k exceedances, the next one is Pareto of shape 1/k (the
//! predictive distribution under the prior 1/β; Aitchison & Dunsmore 1975), so 1/k is added to ξ. k
//! counts *independent* exceedances. Further from the history than it is long, they count as many as
//! one of the stretches holds by which dependence is measured: the shape is larger there.
//!
//! ξ is held in [0, 0.29], and in [0, 1] far away. Below 0 the distribution would end, and a point beyond
//! would be impossible on the strength of a few exceedances. The estimate itself may be down to −0.2,
//! as that of normal data is, before 1/k is added.

use super::Tail;
use super::elementary::{exp, ln, ln_1p};
use super::stretches::BATCHES;

/// Where a point lies in time, seen from the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// No further from the history than it is long.
    Near,
    /// Further: no two points of the history are as far apart.
    Far,
}

/// Largest shape near the history, by which a dozen points of one bad day make no tail that nothing is
/// ever beyond.
const SHAPE_MAX: f64 = 0.29;

/// Largest shape far from it: there the mean ceases to exist.
const FAR_SHAPE_MAX: f64 = 1.0;

/// Smallest and largest estimate by moments: above ½ the variance that it rests on does not exist.
const ESTIMATE: (f64, f64) = (-0.2, 0.5);

/// Below it the shape makes no difference that an `f64` could hold on to.
const SHAPE_MIN: f64 = 1e-6;

/// A fitted tail. Kept in `f32`, since a service holds millions: the estimates are good to a few
/// per cent at best.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pareto {
    /// Probability of lying beyond the threshold, in (0, 1).
    pub(crate) mass: f32,
    /// β > 0.
    pub(crate) scale: f32,
    /// ξ in [0, 1/2].
    pub(crate) shape: f32,
    /// ξ far from the history, between `shape` and 1.
    pub(crate) far_shape: f32,
}

/// ξ by the method of moments, from the mean and the variance of the exceedances; 0 where they do not
/// vary.
pub(crate) fn shape_by_moments(mean: f64, variance: f64) -> f64 {
    if variance > 0.0 {
        0.5 * (1.0 - mean * mean / variance)
    } else {
        0.0
    }
}

/// ln P(X − u > x | X > u) for x ≥ 0 in scales.
#[inline(always)]
pub(crate) fn ln_survival(shape: f64, x: f64) -> f64 {
    if shape < SHAPE_MIN {
        -x
    } else {
        -ln_1p(shape * x) / shape
    }
}

/// The x ≥ 0, in scales, at which `ln_survival` is `-ln_ratio` ≤ 0.
pub(crate) fn excess_at(shape: f64, ln_ratio: f64) -> f64 {
    if shape < SHAPE_MIN {
        ln_ratio
    } else {
        (exp(shape * ln_ratio) - 1.0) / shape
    }
}

impl Pareto {
    /// The tail as it was estimated, for evidence that is added up and calibrated again: the shape is
    /// not raised for the few exceedances that it rests on.
    pub(crate) fn as_estimated(mass: f64, exceedances: &[f64], scale_min: f64) -> Self {
        let (mean, variance) = moments(exceedances);
        let shape = shape_by_moments(mean, variance).clamp(0.0, ESTIMATE.1);
        Self {
            mass: mass as f32,
            scale: ((mean * (1.0 - shape)).max(scale_min) as f32).max(f32::MIN_POSITIVE),
            shape: shape as f32,
            far_shape: shape as f32,
        }
    }

    /// Fits the tail to exceedances ≥ 0, of which so many are independent; no scale below
    /// `scale_min` > 0.
    pub(crate) fn fit(mass: f64, exceedances: &[f64], independent: f64, scale_min: f64) -> Self {
        let (mean, variance) = moments(exceedances);
        let estimate = shape_by_moments(mean, variance).clamp(ESTIMATE.0, ESTIMATE.1);
        let predicted = |independent: f64, most: f64| {
            let shape = (estimate + 1.0 / independent.max(1.0)).clamp(0.0, most);
            if shape < SHAPE_MIN { 0.0 } else { shape as f32 }
        };
        let scale = mean * (1.0 - estimate.max(0.0));
        Self {
            mass: mass as f32,
            // Deviations next to nothing have a scale that `f32` rounds to 0.
            scale: (scale.max(scale_min) as f32).max(f32::MIN_POSITIVE),
            shape: predicted(independent, SHAPE_MAX),
            far_shape: predicted(independent / BATCHES as f64, FAR_SHAPE_MAX),
        }
    }

    /// Probability of lying `excess` ≥ 0 beyond the threshold.
    #[inline(always)]
    pub(crate) fn tail(&self, excess: f64, reach: Reach) -> Tail {
        let shape = self.shape_at(reach);
        let excess = (excess / f64::from(self.scale)).max(0.0);
        Tail::of_ln_p(ln(f64::from(self.mass)) + ln_survival(shape, excess))
    }

    /// How far beyond the threshold the probability is `p`, at most `mass`.
    pub(crate) fn quantile(&self, p: f64, reach: Reach) -> f64 {
        let (scale, shape) = (f64::from(self.scale), self.shape_at(reach));
        let ln_ratio = (ln(f64::from(self.mass)) - ln(p)).max(0.0);
        scale * excess_at(shape, ln_ratio)
    }

    #[inline(always)]
    fn shape_at(&self, reach: Reach) -> f64 {
        f64::from(match reach {
            Reach::Near => self.shape,
            Reach::Far => self.far_shape,
        })
    }

    /// Whether the numbers are ones a fit can give, of this release or one before.
    pub(crate) fn is_sound(&self) -> bool {
        self.mass > 0.0
            && self.mass < 1.0
            && self.scale.is_finite()
            && self.scale > 0.0
            && (0.0..=ESTIMATE.1 as f32).contains(&self.shape)
            && (self.shape..=FAR_SHAPE_MAX as f32).contains(&self.far_shape)
    }
}

/// Mean and variance; 0 of none.
fn moments(exceedances: &[f64]) -> (f64, f64) {
    let n = exceedances.len().max(1) as f64;
    let mean = exceedances.iter().sum::<f64>() / n;
    let squares = exceedances.iter().map(|x| (x - mean) * (x - mean));
    (mean, squares.sum::<f64>() / n)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As many as make no difference.
    const MANY: f64 = 1e12;

    #[test]
    fn few_independent_exceedances_make_a_heavy_tail() {
        let seen = exceedances(0.0, 1.0, 200);
        let shapes = |independent| {
            let fit = Pareto::fit(0.05, &seen, independent, 1e-9);
            (fit.shape, fit.far_shape)
        };
        let (near, far) = shapes(1.0);
        assert!(near == SHAPE_MAX as f32 && (0.95..=1.0).contains(&far));
        let (near, far) = shapes(40.0);
        assert!((0.01..0.04).contains(&near) && (0.18..0.22).contains(&far));
        assert!(shapes(1e6).1 < 0.01);
    }

    /// 1/k is no rule of thumb: this is the distribution that the next exceedance has.
    #[test]
    fn the_next_exceedance_is_as_far_out_as_predicted() {
        let k = 5;
        let mut state = 1_u64;
        let draws: Vec<f64> = (0..120_000)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                -(((state >> 33) as f64 + 0.5) / f64::from(1_u32 << 31)).ln()
            })
            .collect();
        let (mut seen, mut beyond) = (0, 0);
        for group in draws.chunks_exact(k + 1) {
            let mean = group[..k].iter().sum::<f64>() / k as f64;
            let fit = Pareto {
                mass: 0.5,
                scale: mean as f32,
                shape: 1.0 / k as f32,
                far_shape: 1.0,
            };
            seen += 1;
            beyond += usize::from(fit.tail(group[k], Reach::Near).p < 0.5 * 0.05);
        }
        let share = beyond as f64 / f64::from(seen);
        assert!((0.045..0.055).contains(&share), "{share}");
    }

    /// Exceedances at the plotting positions of a known distribution.
    fn exceedances(shape: f64, scale: f64, n: usize) -> Vec<f64> {
        (0..n)
            .map(|i| {
                let survival = 1.0 - (i as f64 + 0.5) / n as f64;
                if shape == 0.0 {
                    -scale * survival.ln()
                } else {
                    scale * (survival.powf(-shape) - 1.0) / shape
                }
            })
            .collect()
    }

    #[test]
    fn parameters_are_found_again() {
        for (shape, scale) in [(0.0, 2.0), (0.1, 1.0), (0.2, 5.0)] {
            let fit = Pareto::fit(0.05, &exceedances(shape, scale, 20_000), MANY, 1e-9);
            assert!((f64::from(fit.shape) - shape).abs() < 0.02, "{fit:?}");
            assert!((f64::from(fit.scale) / scale - 1.0).abs() < 0.02, "{fit:?}");
        }
    }

    #[test]
    fn a_tail_with_an_end_is_taken_for_an_exponential_one() {
        let uniform: Vec<f64> = (0..100).map(f64::from).collect();
        let fit = Pareto::fit(0.1, &uniform, MANY, 1e-9);
        assert_eq!(fit.shape, 0.0);
        assert!(fit.tail(200.0, Reach::Near).p > 0.0);
    }

    #[test]
    fn quantile_undoes_tail() {
        for (shape, independent) in [(0.0, MANY), (0.2, MANY), (0.2, 9.0)] {
            let fit = Pareto::fit(0.04, &exceedances(shape, 0.7, 500), independent, 1e-9);
            for p in [0.04, 0.01, 1e-3, 1e-6, 1e-12] {
                for reach in [Reach::Near, Reach::Far] {
                    let back = fit.tail(fit.quantile(p, reach), reach).p;
                    let asked = p.min(f64::from(fit.mass));
                    assert!((back / asked - 1.0).abs() < 1e-9, "{back} {p}");
                }
            }
        }
    }

    #[test]
    fn equal_exceedances_have_the_least_scale() {
        let fit = Pareto::fit(0.1, &[0.0; 9], MANY, 0.25);
        assert_eq!((fit.scale, fit.shape), (0.25, 0.0));
        assert!(fit.is_sound());
        assert!(!Pareto { scale: 0.0, ..fit }.is_sound());
        assert!(!Pareto { shape: 0.1, ..fit }.is_sound());
    }
}
