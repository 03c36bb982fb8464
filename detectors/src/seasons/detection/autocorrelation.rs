//! Autocorrelation of the whitened series, by the theorem of Wiener and Khinchin.
//!
//! `r(l) = Σ_k e[k]·cos(2πkl/len) / Σ_k e[k] · w(0) / w(l)`, with e the whitened power and
//! `w(l) = Σ_t w[t]·w[t + l]` of the taper w: what fades out does not lower r. Without a season, r has
//! a variance of about `1 / w(l)`: of a white series, which the whitened one is, it is 1 over the
//! number of pairs (Bartlett, *On the theoretical specification and sampling properties of
//! autocorrelated time-series*, JRSS Suppl. 8, 1946), and w counts at most half of those, which errs
//! on the side of caution.

use super::spectrum::{Spectrum, taper};
use crate::stats::fourier::Fourier;

/// Multiples of a lag looked at.
const MULTIPLES: usize = 16;

/// Autocorrelation at lags from 0 to half of the grid.
pub(super) struct Autocorrelation {
    r: Vec<f64>,
    /// Standard deviation of each without a season.
    std: Vec<f64>,
}

/// Weight `w(l)` of the pairs of cells at each lag up to half of the grid.
pub(super) fn pairs(fourier: &mut Fourier, n_cells: usize) -> Vec<f64> {
    let weights: Vec<f64> = taper(n_cells).collect();
    let power = fourier.power(&weights);
    let len = fourier.len() as f64;
    fourier.cosines(&power)[..=n_cells / 2]
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
        let z = |lag: usize| r[lag] / self.std[lag];
        let highest = peaks.iter().map(|&lag| z(lag)).fold(0.0, f64::max);
        let first = peaks.iter().copied().find(|&lag| z(lag) >= 0.7 * highest);
        peaks.sort_by(|&a, &b| z(b).total_cmp(&z(a)).then(a.cmp(&b)));
        peaks.truncate(count);
        peaks
            .iter()
            .copied()
            .chain(first)
            .map(|lag| lag as f64)
            .collect()
    }

    /// Lag near one given, in a series of `n` cells, at whose multiples the autocorrelation is
    /// highest: m periods away it knows the period m times as well.
    pub(super) fn refined(&self, lag: f64, n: f64) -> f64 {
        let last = (self.r.len() - 1) as f64;
        let multiples = ((last / lag) as usize).clamp(1, MULTIPLES);
        let sum = |lag: f64| -> f64 { (1..=multiples).map(|m| self.at(m as f64 * lag)).sum() };
        let (mut best, mut highest) = (lag, sum(lag));
        for i in -16..=16 {
            let candidate = lag * (1.0 + 0.75 * lag / n * f64::from(i) / 16.0);
            let sum = sum(candidate);
            if sum > highest {
                (best, highest) = (candidate, sum);
            }
        }
        best
    }

    /// Between two lags; none beyond the last.
    fn at(&self, lag: f64) -> f64 {
        let i = lag.max(0.0) as usize;
        match (self.r.get(i), self.r.get(i + 1)) {
            (Some(a), Some(b)) => a + (b - a) * (lag - i as f64),
            _ => 0.0,
        }
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
