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
//! The transform is written out here, with angles from `libm`: libraries take them from the C
//! library, which picks its code by the processor.

use std::f64::consts::TAU;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::windows::Windows;
use super::{Novelty, ShingleError, bounded, require};
use crate::stats::elementary::{exp, ln};

/// Copies of the estimated next point.
pub(crate) const AHEAD: usize = 5;
/// Points that the transform takes, at most.
pub(crate) const LENGTH_MAX: usize = 128;

const LENGTH_MIN: usize = 16;
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
    fn saliency(&self, points: &[f64]) -> Vec<f64> {
        let n = points.len();
        let mut spectrum: Vec<Complex> =
            points.iter().map(|&x| Complex { re: x, im: 0.0 }).collect();
        transform(&mut spectrum);
        let floor = f64::from(self.floor);
        let amplitudes: Vec<f64> = spectrum.iter().map(|c| c.amplitude()).collect();
        let logarithms: Vec<f64> = amplitudes.iter().map(|a| ln(a.max(floor))).collect();
        for (i, c) in spectrum.iter_mut().enumerate() {
            // A spectrum has no ends: the neighbour of the last frequency is the first.
            let around = logarithms[(i + n - 1) % n] + logarithms[i] + logarithms[(i + 1) % n];
            let residual = logarithms[i] - around / 3.0;
            let factor = exp(residual) / amplitudes[i].max(floor);
            // Conjugated, so that the same transform goes back.
            (c.re, c.im) = (c.re * factor, -c.im * factor);
        }
        transform(&mut spectrum);
        spectrum.iter().map(|c| c.amplitude() / n as f64).collect()
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
        let saliency = self.saliency(&points);
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
    let reach = (m + AHEAD).min(LENGTH_MAX);
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

#[derive(Debug, Clone, Copy)]
struct Complex {
    re: f64,
    im: f64,
}

impl Complex {
    fn amplitude(self) -> f64 {
        (self.re * self.re + self.im * self.im).sqrt()
    }
}

/// The roots of unity of order [`LENGTH_MAX`], clockwise.
static ROOTS: LazyLock<Vec<Complex>> = LazyLock::new(|| {
    (0..LENGTH_MAX / 2)
        .map(|i| {
            let (sin, cos) = libm::sincos(-TAU * i as f64 / LENGTH_MAX as f64);
            Complex { re: cos, im: sin }
        })
        .collect()
});

/// Discrete Fourier transform of a power of two of at most [`LENGTH_MAX`] numbers, in place
/// (Cooley & Tukey, Math. Comp. 19, 1965).
fn transform(data: &mut [Complex]) {
    let n = data.len();
    if n < 2 {
        return;
    }
    for i in 0..n {
        let j = i.reverse_bits() >> (usize::BITS - n.ilog2());
        if i < j {
            data.swap(i, j);
        }
    }
    let roots = &*ROOTS;
    let mut half = 1;
    while half < n {
        let stride = LENGTH_MAX / (2 * half);
        for block in data.chunks_exact_mut(2 * half) {
            let (even, odd) = block.split_at_mut(half);
            for ((a, b), root) in even.iter_mut().zip(odd).zip(roots.iter().step_by(stride)) {
                let turned = Complex {
                    re: b.re * root.re - b.im * root.im,
                    im: b.re * root.im + b.im * root.re,
                };
                (*a, *b) = (
                    Complex {
                        re: a.re + turned.re,
                        im: a.im + turned.im,
                    },
                    Complex {
                        re: a.re - turned.re,
                        im: a.im - turned.im,
                    },
                );
            }
        }
        half *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::shingles::laws::{self, M, fitted, sine};

    laws::laws!(SpectralResidual, -4.0, [sine]);

    #[test]
    fn the_transform_is_the_definition() {
        for n in [2, 16, 64, 128] {
            let values: Vec<f64> = (0..n).map(|i| (i * 37 % 29) as f64 - 11.0).collect();
            let mut data: Vec<Complex> = values
                .iter()
                .map(|&re| Complex { re, im: 0.5 * re })
                .collect();
            transform(&mut data);
            for (k, found) in data.iter().enumerate() {
                let (mut re, mut im) = (0.0, 0.0);
                for (i, &x) in values.iter().enumerate() {
                    let (sin, cos) = libm::sincos(-TAU * (i * k % n) as f64 / n as f64);
                    re += x * cos - 0.5 * x * sin;
                    im += x * sin + 0.5 * x * cos;
                }
                assert!((found.re - re).abs() < 1e-10 && (found.im - im).abs() < 1e-10);
            }
        }
    }

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
