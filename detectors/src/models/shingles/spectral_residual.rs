//! `spectral_residual`: how salient the last point is once the usual spectrum is taken away.
//!
//! ```text
//! L = ln |F(x)|,   R = L − mean of L over 3 frequencies,   S = |F⁻¹(exp(R + i·phase))|
//! novelty(w) = S(last) / mean of S over the 21 points before it
//! ```
//!
//! After Ren et al., *Time-Series Anomaly Detection Service at Microsoft*, KDD 2019; the saliency
//! map is Hou & Zhang's, *Saliency Detection: A Spectral Residual Approach*, CVPR 2007. As there,
//! [`AHEAD`] copies of an estimated next point follow the window, so that the last point is not at
//! the edge of the transform. What differs here:
//!
//! - Only the past of a point is seen, always through the same number of points: a power of two.
//! - The last point has no part in the estimate of the next: a spike would otherwise be continued
//!   and look like a step, whose edge is no more salient than its surroundings.
//! - The ratio itself is the novelty, not its excess over 1 against a fixed threshold.
//! - Amplitudes below a floor, learned as a share of the variation of the training windows, count as
//!   the floor: the logarithm would otherwise make rounding errors of a flat stretch salient.
//!

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::windows::Windows;
use super::{Novelty, ShingleError, bounded, require};
use crate::stats::elementary::{exp, ln};
use crate::stats::fourier::Fourier;

/// Copies of the estimated next point.
pub(crate) const AHEAD: usize = 5;
/// Points that the transform takes: one of these.
const LENGTHS: [usize; 4] = [16, 32, 64, 128];
const LENGTH_MIN: usize = LENGTHS[0];
const M_MIN: usize = LENGTH_MIN - AHEAD;
const M_MAX: usize = 1_024;
const WINDOWS_MIN: usize = 8;
/// Steps whose mean slope estimates the next point.
const SLOPES: usize = 5;
/// Points before the last that its saliency is compared with.
const BEFORE: usize = 21;
/// The floor under amplitudes, in that of white noise with the variance of the training windows.
const FLOOR: f64 = 1e-3;

/// A fitted model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SpectralResidual {
    m: u32,
    floor: f32,
}

impl SpectralResidual {
    /// Learns the floor under amplitudes.
    ///
    /// # Errors
    ///
    /// Windows of fewer than 11 or more than 1,024 points, fewer than 8 of them, or all the same.
    pub(crate) fn fit(windows: &Windows<'_>) -> Result<Self, ShingleError> {
        require(windows, M_MIN..=M_MAX, WINDOWS_MIN)?;
        if windows.is_constant() {
            return Err(ShingleError::Constant);
        }
        let m = windows.m();
        let mut variance = 0.0;
        for row in windows.rows() {
            let mean = row.iter().sum::<f64>() / m as f64;
            variance += row.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>();
        }
        variance /= (windows.len() * m) as f64;
        let floor = FLOOR * (variance * length(m) as f64).sqrt();
        Ok(Self {
            m: m as u32,
            floor: (floor as f32).max(f32::MIN_POSITIVE),
        })
    }

    /// Whether the numbers are ones a fit for windows of `m` points can give.
    pub(crate) fn check(&self, m: usize) -> bool {
        (M_MIN..=M_MAX).contains(&m)
            && self.m as usize == m
            && self.floor.is_finite()
            && self.floor >= f32::MIN_POSITIVE
    }

    /// The saliency of each point of the transform.
    fn saliency(&self, points: &[f64], fourier: &mut Fourier) -> Vec<f64> {
        let mut spectrum = fourier.spectrum(points);
        let last = spectrum.len() - 1;
        let floor = f64::from(self.floor);
        let amplitude = |&(re, im): &(f64, f64)| (re * re + im * im).sqrt();
        let amplitudes: Vec<f64> = spectrum.iter().map(amplitude).collect();
        let logarithms: Vec<f64> = amplitudes.iter().map(|a| ln(a.max(floor))).collect();
        for (i, (re, im)) in spectrum.iter_mut().enumerate() {
            // The spectrum of real points is even: beyond either end it goes on as before it.
            let (lower, upper) = (i.abs_diff(1), last - (i + 1).abs_diff(last));
            let around = logarithms[lower] + logarithms[i] + logarithms[upper];
            let residual = logarithms[i] - around / 3.0;
            let factor = exp(residual) / amplitudes[i].max(floor);
            (*re, *im) = (*re * factor, *im * factor);
        }
        let mut saliency = fourier.series(&spectrum);
        for x in &mut saliency {
            *x = x.abs() / points.len() as f64;
        }
        saliency
    }
}

impl Novelty for SpectralResidual {
    fn novelty(&self, window: &[f64]) -> f64 {
        let length = length(window.len());
        let seen = length - AHEAD;
        let mut points: Vec<f64> = window[window.len() - seen..]
            .iter()
            .map(|&value| bounded(value))
            .collect();
        let next = next_point(&points);
        points.resize(length, next);
        let mut fourier = transform(length).clone();
        let saliency = self.saliency(&points, &mut fourier);
        let before = &saliency[seen - 1 - BEFORE.min(seen - 1)..seen - 1];
        let mean = before.iter().sum::<f64>() / before.len() as f64;
        let last = saliency[seen - 1];
        if mean > 0.0 {
            (last / mean).min(f64::MAX)
        } else {
            0.0
        }
    }

    /// The transform says how salient a point is, not which value would not be.
    fn expected(&self, _context: &[f64]) -> Option<f64> {
        None
    }

    fn heap_bytes(&self) -> usize {
        0
    }
}

/// Points of the transform for windows of `m` ≥ [`M_MIN`] points, those ahead included.
fn length(m: usize) -> usize {
    let reach = (m + AHEAD).min(LENGTHS[LENGTHS.len() - 1]);
    1 << reach.ilog2()
}

/// What would follow the last point by those before it: the paper's estimate one point earlier, the
/// mean slope of that point against the [`SLOPES`] before it, carried one step further.
fn next_point(points: &[f64]) -> f64 {
    let base = points.len() - 2;
    let slopes = (1..=SLOPES).map(|i| (points[base] - points[base - i]) / i as f64);
    let slope = slopes.sum::<f64>() / SLOPES as f64;
    points[base + 1 - SLOPES] + slope * (SLOPES + 1) as f64
}

/// The transform of so many points, its roots of unity computed once.
fn transform(length: usize) -> &'static Fourier {
    static TRANSFORMS: LazyLock<[Fourier; LENGTHS.len()]> =
        LazyLock::new(|| LENGTHS.map(Fourier::new));
    &TRANSFORMS[(length / LENGTH_MIN).ilog2() as usize]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::shingles::laws::{self, M, fitted, sine};

    laws::laws!(SpectralResidual, -4.0, [sine]);

    #[test]
    fn the_next_point_of_a_line_is_on_it() {
        let line: Vec<f64> = (0..20).map(|i| 3.0 - 0.5 * f64::from(i)).collect();
        assert!((next_point(&line) - (3.0 - 0.5 * 20.0)).abs() < 1e-12);
        let mut spike = line.clone();
        spike[19] = 1e3;
        assert_eq!(next_point(&spike), next_point(&line));
    }

    #[test]
    fn lengths_are_powers_of_two_within_the_window() {
        let lengths = [11, 26, 27, 59, 122, 123, 1_024].map(length);
        assert_eq!(lengths, [16, 16, 32, 64, 64, 128, 128]);
        assert_eq!(LENGTHS.map(|length| transform(length).len()), LENGTHS);
    }

    #[test]
    fn saliency_does_not_depend_on_the_unit_and_is_plain_on_flat_ground() {
        let series = sine(2_000, 6);
        let model = fitted(SpectralResidual::fit, &series, M).unwrap();
        let mut window = series[..M].to_vec();
        let before = model.novelty(&window);
        for x in &mut window {
            *x *= 1_000.0;
        }
        assert!((model.novelty(&window) / before - 1.0).abs() < 1e-3);
        // Rounding errors on flat ground are not salient, a step of the usual size is.
        let mut flat: Vec<f64> = (0..M).map(|i| 1e-9 * (i % 3) as f64).collect();
        let quiet = model.novelty(&flat);
        flat[M - 1] = 1.0;
        assert!(quiet < 2.0 && model.novelty(&flat) > 4.0, "{quiet}");
    }
}
