//! The periodogram against its own background, and combs of harmonics in it.
//!
//! `e(f) = I(f) / S(f)`, with I the periodogram and S a smooth background: a quantile of I in bands
//! of frequency, joined by straight lines in log–log. Where there is no season, e is about
//! exponential with mean 1 whatever the colour of the noise, and the sum of e over H harmonics
//! follows the Gamma distribution of shape H. A season of any shape is a comb of lines at multiples
//! of its frequency; how many teeth rise above the background depends on the shape, so several H
//! are tried, as in the search for pulsars (de Jager, Raubenheimer & Swanepoel, *A powerful test for weak periodic signals
//! with unknown light curve shape in sparse data*, A&A 221, 1989). What differs here: Gamma tails with a
//! Bonferroni correction in place of a simulated distribution, and S is only known to the precision of its band,
//! so that e is shrunk like a quotient of two estimates.

use crate::stats::elementary::{exp, ln};

use super::fourier::Fourier;
use super::grid::Grid;

/// Quantile of a band taken for its background; below the median, since the teeth of a comb may be
/// a third of all bins when there are only three periods.
const QUANTILE: f64 = 0.35;

/// That quantile of an exponential of mean 1: `−ln(1 − QUANTILE)`.
const QUANTILE_OF_EXPONENTIAL: f64 = 0.430_782_916_092_454_3;

/// Bins in the lowest band …
const BAND_MIN: usize = 8;

/// … and in the highest.
const BAND_MAX: usize = 256;

/// A background is at least this share of the mean power: what is below is rounding.
const FLOOR: f64 = 1e-9;

/// Numbers of harmonics tried.
const HARMONICS: [usize; 14] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128];

/// A subharmonic has every q-th tooth of its comb where the true one has them all.
const PRIMES: [usize; 6] = [2, 3, 5, 7, 11, 13];

/// Power over background at `k / len` cycles a cell for k from 0 to `len / 2`.
pub(super) struct Spectrum {
    /// Length of the transform, at least twice that of the grid.
    pub(super) len: usize,
    /// Number of cells.
    n_cells: usize,
    /// Whitened power.
    pub(super) whitened: Vec<f64>,
    /// Whitened power, shrunk for what is not known of the background.
    evidence: Vec<f64>,
}

impl Spectrum {
    pub(super) fn new(fourier: &mut Fourier, grid: &Grid) -> Self {
        let n_cells = grid.len();
        let power = fourier.power(&tapered(grid));
        let len = fourier.len();
        let bands = bands(&power, n_cells, len);
        let mut whitened = vec![0.0; power.len()];
        let mut evidence = vec![0.0; power.len()];
        let per_bin = n_cells as f64 / len as f64;
        let mut band = 0;
        for k in 1..power.len() {
            let bin = k as f64 * per_bin;
            while band + 2 < bands.len() && bin > bands[band + 1].center {
                band += 1;
            }
            let (background, bins) = background(&bands[band..], bin);
            let degrees = 0.7 * bins;
            whitened[k] = power[k] / background;
            evidence[k] = degrees * ln(1.0 + whitened[k] / degrees);
        }
        Self {
            len,
            n_cells,
            whitened,
            evidence,
        }
    }

    /// Local maxima, the highest first, as periods in cells between the two given.
    pub(super) fn peaks(&self, shortest: f64, longest: f64, count: usize) -> Vec<f64> {
        let e = &self.evidence;
        let from = ((self.len as f64 / longest) as usize).max(1);
        let to = ((self.len as f64 / shortest) as usize).min(e.len() - 2);
        let mut peaks: Vec<usize> = (from..=to)
            .filter(|&k| e[k] > 3.0 && e[k] >= e[k - 1] && e[k] > e[k + 1])
            .collect();
        peaks.sort_by(|&a, &b| e[b].total_cmp(&e[a]).then(a.cmp(&b)));
        peaks.truncate(count);
        peaks.iter().map(|&k| self.len as f64 / k as f64).collect()
    }

    /// Frequency in cycles a cell, near `1 / period`, whose comb has the most evidence.
    pub(super) fn refined(&self, period: f64) -> f64 {
        let n = self.n_cells as f64;
        let mut frequency = 1.0 / period;
        // Each doubling of the number of harmonics halves what is not known of the frequency.
        let mut reach = 0.75 / n;
        let mut harmonics = 1;
        while harmonics <= 32 && harmonics as f64 * frequency < 0.5 {
            let mut best = (f64::NEG_INFINITY, frequency);
            for i in -8..=8 {
                let candidate = frequency + reach * f64::from(i) / 8.0;
                let sum = self.comb(candidate, harmonics);
                if sum > best.0 {
                    best = (sum, candidate);
                }
            }
            frequency = best.1;
            harmonics *= 2;
            reach *= 0.5;
        }
        frequency
    }

    fn comb(&self, frequency: f64, harmonics: usize) -> f64 {
        (1..=harmonics).map(|h| self.tooth(frequency, h)).sum()
    }

    /// Evidence at a harmonic, between the two nearest bins.
    fn tooth(&self, frequency: f64, harmonic: usize) -> f64 {
        let at = frequency * harmonic as f64 * self.len as f64;
        let k = at as usize;
        match (self.evidence.get(k), self.evidence.get(k + 1)) {
            (Some(a), Some(b)) => a + (b - a) * (at - k as f64),
            _ => 0.0,
        }
    }

    /// Logarithm of the probability that noise alone makes such a comb anywhere, about; the worst
    /// of it and of the combs without every second, third, … tooth.
    pub(super) fn ln_p(&self, frequency: f64) -> f64 {
        let tests = HARMONICS.len() as f64 * self.n_cells as f64;
        let teeth: Vec<f64> = (1..=128)
            .take_while(|&h| h as f64 * frequency <= 0.5)
            .map(|h| self.tooth(frequency, h))
            .collect();
        PRIMES
            .iter()
            .chain(&[usize::MAX])
            .map(|&prime| ln_p_of(&teeth, prime))
            .fold(f64::NEG_INFINITY, f64::max)
            + ln(tests)
    }
}

/// Least tail probability over the numbers of harmonics, without every `prime`-th.
fn ln_p_of(teeth: &[f64], prime: usize) -> f64 {
    let (mut sum, mut shape, mut least) = (0.0, 0.0, 0.0_f64);
    for (i, tooth) in teeth.iter().enumerate() {
        if (i + 1) % prime != 0 {
            sum += tooth;
            shape += 1.0;
        }
        if HARMONICS.contains(&(i + 1)) && shape > 0.0 {
            least = least.min(ln_gamma_tail(sum, shape));
        }
    }
    least
}

/// Upper bound of `ln P(Gamma(shape) > sum)` (Chernoff), exact for shape 1 but for `ln(e·sum)`.
fn ln_gamma_tail(sum: f64, shape: f64) -> f64 {
    if sum <= shape {
        0.0
    } else if shape == 1.0 {
        -sum
    } else {
        shape - sum + shape * ln(sum / shape)
    }
}

/// Half a sine over the whole series: what is known of it fades in and out.
pub(super) fn taper(n_cells: usize) -> impl Iterator<Item = f64> {
    let angle = std::f64::consts::PI / n_cells as f64;
    // A rotation a cell instead of a sine a cell.
    let (sin, cos) = libm::sincos(angle);
    let mut at = libm::sincos(0.5 * angle);
    (0..n_cells).map(move |_| {
        let now = at.0;
        at = (at.0 * cos + at.1 * sin, at.1 * cos - at.0 * sin);
        now
    })
}

/// The known cells less their mean, both weighed by the taper.
fn tapered(grid: &Grid) -> Vec<f64> {
    let mut points: Vec<f64> = taper(grid.len())
        .zip(&grid.weights)
        .map(|(a, b)| a * b)
        .collect();
    let known: f64 = points.iter().sum();
    let sum: f64 = points.iter().zip(&grid.values).map(|(a, b)| a * b).sum();
    let mean = sum / known.max(f64::MIN_POSITIVE);
    for (point, value) in points.iter_mut().zip(&grid.values) {
        *point *= value - mean;
    }
    points
}

/// A band of frequencies; its centre is in natural bins, `1 / n_cells` wide.
struct Band {
    center: f64,
    ln_center: f64,
    ln_background: f64,
    bins: f64,
}

fn bands(power: &[f64], n_cells: usize, len: usize) -> Vec<Band> {
    let natural: Vec<f64> = (1..=n_cells / 2)
        .map(|k| power[(k * len / n_cells).min(power.len() - 1)])
        .collect();
    let mean = natural.iter().sum::<f64>() / natural.len() as f64;
    let floor = (mean * FLOOR).max(f64::MIN_POSITIVE);
    let mut bands = Vec::new();
    let mut from = 0;
    while from < natural.len() {
        let width = (from / 2).clamp(BAND_MIN, BAND_MAX);
        // What is left over goes with the last band.
        let to = if from + width + BAND_MIN > natural.len() {
            natural.len()
        } else {
            from + width
        };
        let mut band = natural[from..to].to_vec();
        let middle = ((to - from) as f64 * QUANTILE) as usize;
        let low = *band.select_nth_unstable_by(middle, f64::total_cmp).1;
        let center = ((from + 1) as f64 * to as f64).sqrt();
        bands.push(Band {
            center,
            ln_center: ln(center),
            ln_background: ln((low / QUANTILE_OF_EXPONENTIAL).max(floor)),
            bins: (to - from) as f64,
        });
        from = to;
    }
    bands
}

/// Background at a bin, and how many bins it rests on; the slope of the first two bands continues
/// below them, though not beyond that of a random walk.
fn background(bands: &[Band], bin: f64) -> (f64, f64) {
    let Some(a) = bands.first() else {
        return (1.0, 1.0);
    };
    let Some(b) = bands.get(1) else {
        return (exp(a.ln_background), a.bins);
    };
    let slope = (b.ln_background - a.ln_background) / (b.ln_center - a.ln_center);
    if bin >= b.center {
        return (exp(b.ln_background), b.bins);
    }
    let slope = if bin < a.center {
        slope.clamp(-2.5, 0.0)
    } else {
        slope
    };
    (
        exp(a.ln_background + slope * (ln(bin.max(0.5)) - a.ln_center)),
        a.bins,
    )
}
