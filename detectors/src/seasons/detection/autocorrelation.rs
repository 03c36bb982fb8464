//! Autocorrelation of the whitened series, by the theorem of Wiener and Khinchin.
//!
//! `r(l) = Σ_k e[k]·cos(2πkl/len) / Σ_k e[k]`, times the number of cells over that of known pairs l apart.
//! Where there is no season r is about normal with variance 1 over the number of pairs (Bartlett,
//! *On the theoretical specification and sampling properties of autocorrelated time-series*, JRSS
//! Suppl. 8, 1946, for white noise, which the whitened series is).

use super::fourier::Fourier;
use super::grid::Grid;
use super::spectrum::{Spectrum, taper};

/// Autocorrelation at lags from 0 to half of the grid.
pub(super) struct Autocorrelation {
    r: Vec<f64>,
    /// Standard deviation of each without a season.
    std: Vec<f64>,
}

/// Number of pairs of known cells at each lag.
pub(super) fn pairs(fourier: &mut Fourier, grid: &Grid) -> Vec<f64> {
    let weights: Vec<f64> = taper(grid.len())
        .zip(&grid.weights)
        .map(|(a, b)| a * b)
        .collect();
    let power = fourier.power(&weights);
    let len = fourier.len() as f64;
    fourier.cosines(&power)[..=grid.len() / 2]
        .iter()
        .map(|products| products / len)
        .collect()
}

impl Autocorrelation {
    pub(super) fn new(fourier: &mut Fourier, spectrum: &Spectrum, pairs: &[f64]) -> Self {
        let products = fourier.cosines(&spectrum.whitened);
        let variance = products[0].max(f64::MIN_POSITIVE);
        let known = pairs[0];
        let (r, std) = pairs
            .iter()
            .zip(&products)
            .map(|(&pairs, &product)| {
                // A lag that few pairs speak for says nothing.
                if pairs > 0.1 * known {
                    (product / variance * (known / pairs), 1.0 / pairs.sqrt())
                } else {
                    (0.0, 1.0)
                }
            })
            .unzip();
        Self { r, std }
    }

    /// Lags of the highest local maxima from the shortest to the longest, and the shortest of those
    /// nearly as high as the highest: the others are its multiples.
    pub(super) fn peaks(&self, shortest: usize, longest: usize, count: usize) -> Vec<f64> {
        let r = &self.r;
        let mut peaks: Vec<usize> = (shortest.max(1)..=longest.min(r.len().saturating_sub(2)))
            .filter(|&lag| {
                r[lag] > 3.0 * self.std[lag] && r[lag] >= r[lag - 1] && r[lag] >= r[lag + 1]
            })
            .collect();
        let highest = peaks.iter().map(|&lag| r[lag]).fold(0.0, f64::max);
        let first = peaks.iter().copied().find(|&lag| r[lag] >= 0.7 * highest);
        peaks.sort_by(|&a, &b| r[b].total_cmp(&r[a]).then(a.cmp(&b)));
        peaks.truncate(count);
        peaks
            .iter()
            .copied()
            .chain(first)
            .map(|lag| lag as f64)
            .collect()
    }

    /// Whether there is a significant maximum at a lag, give or take.
    pub(super) fn confirms(&self, lag: f64, tolerance: f64) -> bool {
        let last = self.r.len() - 1;
        let highest = |from: f64, to: f64| {
            let from = (from.round().max(1.0) as usize).min(last);
            let to = (to.round() as usize).clamp(from, last);
            (from..=to)
                .map(|lag| self.r[lag])
                .fold(f64::NEG_INFINITY, f64::max)
        };
        let tolerance = tolerance.clamp(1.0, (0.15 * lag).max(1.0));
        let peak = highest(lag - tolerance, lag + tolerance);
        let at = (lag.round() as usize).min(last);
        let side = (0.3 * lag).max(tolerance + 1.0);
        let left = self.r[(lag - side).round().max(1.0) as usize % (last + 1)];
        let right = self.r[((lag + side).round() as usize).min(last)];
        peak > 3.0 * self.std[at] && peak > left && (at + 2 > last || peak > right)
    }
}
