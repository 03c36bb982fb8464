//! The periodogram against its own background, and combs of harmonics in it.
//!
//! `e(f) = I(f) / S(f)`, with I the periodogram and S a smooth background: a quantile of I in bands
//! of frequency, joined by straight lines in log–log. Where there is no season, e is about
//! exponential with mean 1 whatever the colour of the noise, and the sum of e over H harmonics
//! follows the Gamma distribution of shape H. A season of any shape is a comb of lines at multiples
//! of its frequency; how many teeth rise above the background depends on the shape, so several H
//! are tried, as in the search for pulsars (de Jager, Raubenheimer & Swanepoel, *A powerful test for
//! weak periodic signals with unknown light curve shape in sparse data*, A&A 221, 1989).
//!
//! What differs here: bounds of Gamma tails with a Bonferroni correction in place of a simulated
//! distribution; and since S is itself an estimate, from b bins, the evidence `d·ln(1 + e/d)` with
//! `d = 0.7 b` takes the place of e: it is exponential where `e` has the tail of an F distribution.

use crate::stats::elementary::{exp, ln};

use super::grid::{Grid, bridge};
use crate::stats::fourier::Fourier;

/// Quantile of a band taken for its background; below the median, since the teeth of a comb may be
/// a third of all bins when there are only three periods.
const QUANTILE: f64 = 0.35;

/// That quantile of an exponential of mean 1: `−ln(1 − QUANTILE)`.
const QUANTILE_OF_EXPONENTIAL: f64 = 0.430_782_916_092_454_3;

/// Bins in the lowest band …
const BAND_MIN: usize = 12;

/// … and in the highest.
const BAND_MAX: usize = 256;

/// A background is at least this share of the mean power: what is below may be rounding, or what
/// leaks from the season of a series without noise.
const FLOOR: f64 = 1e-3;

/// Evidence that moves a frequency which fewer harmonics have found.
const HOLD: f64 = 4.0;

/// The same for the fundamental alone, which a lag knows only to a cell.
const HOLD_FIRST: f64 = 2.5;

/// And the share by which it must grow besides, for what leaks from the season.
const HOLD_SHARE: f64 = 1.03;

/// Numbers of harmonics tried.
const HARMONICS: [usize; 14] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128];

/// Most harmonics looked at.
const TEETH: usize = 128;

/// As how many tests those count: each has most of the teeth of the one before.
const INDEPENDENT: f64 = 4.0;

/// Power over background at `k / len` cycles a cell for k from 0 to `len / 2`.
pub(super) struct Spectrum {
    /// Length of the transform, at least one and a half times that of the grid.
    len: usize,
    /// Number of cells.
    n_cells: usize,
    /// Not whitened.
    power: Vec<f64>,
    /// Whitened power.
    pub(super) whitened: Vec<f64>,
    /// Whitened power, shrunk for what is not known of the background.
    evidence: Vec<f64>,
    /// The d of the evidence.
    degrees: Vec<f64>,
}

impl Spectrum {
    pub(super) fn new(fourier: &mut Fourier, grid: &Grid) -> Self {
        let power = fourier.power(&tapered(grid));
        let bands = bands(
            &power,
            grid.len(),
            fourier.len(),
            f64::INFINITY,
            floor(&power),
        );
        Self::over(&bands, power, grid.len(), fourier.len())
    }

    /// Over the background that is left without the season of a period.
    pub(super) fn against(&self, fourier: &mut Fourier, rest: &Grid, frequency: f64) -> Self {
        let power = fourier.power(&tapered(rest));
        let bands = bands(
            &power,
            self.n_cells,
            self.len,
            frequency * self.n_cells as f64,
            floor(&self.power),
        );
        Self::over(&bands, self.power.clone(), self.n_cells, self.len)
    }

    fn over(bands: &[Band], power: Vec<f64>, n_cells: usize, len: usize) -> Self {
        let mut whitened = vec![0.0; power.len()];
        let mut evidence = vec![0.0; power.len()];
        let mut degrees = vec![1.0; power.len()];
        let per_bin = n_cells as f64 / len as f64;
        let mut band = 0;
        for k in 1..power.len() {
            let bin = k as f64 * per_bin;
            while band + 2 < bands.len() && bin > bands[band + 1].center {
                band += 1;
            }
            let (background, bins) = background(&bands[band..], bin);
            degrees[k] = 0.7 * bins;
            whitened[k] = power[k] / background;
            evidence[k] = degrees[k] * ln(1.0 + whitened[k] / degrees[k]);
        }
        Self {
            len,
            n_cells,
            power,
            whitened,
            evidence,
            degrees,
        }
    }

    /// Periods in cells, between the two given, of the highest local maxima over the background.
    pub(super) fn peaks(&self, shortest: f64, longest: f64, count: usize) -> Vec<f64> {
        self.maxima(&self.evidence, shortest, longest, count)
    }

    /// The same of the power itself: the background gives way under a strong slow season.
    pub(super) fn powerful(&self, shortest: f64, longest: f64, count: usize) -> Vec<f64> {
        self.maxima(&self.power, shortest, longest, count)
    }

    fn maxima(&self, of: &[f64], shortest: f64, longest: f64, count: usize) -> Vec<f64> {
        let from = ((self.len as f64 / longest) as usize).max(1);
        let to = ((self.len as f64 / shortest) as usize).min(of.len() - 2);
        let mut peaks: Vec<usize> = (from..=to)
            .filter(|&k| self.evidence[k] > 3.0 && of[k] >= of[k - 1] && of[k] > of[k + 1])
            .collect();
        peaks.sort_by(|&a, &b| of[b].total_cmp(&of[a]).then(a.cmp(&b)));
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
            // Teeth of noise must not pull.
            let hold = if harmonics == 1 { HOLD_FIRST } else { HOLD };
            let base = frequency;
            let mut best = HOLD_SHARE * self.comb(base, base, harmonics) + hold;
            for i in -8..=8 {
                let candidate = base + reach * f64::from(i) / 8.0;
                let sum = self.comb(candidate, base, harmonics);
                if sum > best {
                    (best, frequency) = (sum, candidate);
                }
            }
            harmonics *= 2;
            reach *= 0.5;
        }
        frequency
    }

    /// Evidence of a comb over the background of another close to it: where the background rises
    /// under a season, the top of the season is not where the quotient is highest.
    fn comb(&self, frequency: f64, base: f64, harmonics: usize) -> f64 {
        let last = self.power.len() - 1;
        (1..=harmonics)
            .map(|h| {
                let scale = h as f64 * self.len as f64;
                let at = (base * scale).round() as usize;
                let Some(&whitened) = self.whitened.get(at).filter(|&&e| e > 0.0) else {
                    return 0.0;
                };
                let place = frequency * scale;
                let k = (place.max(0.0) as usize).min(last - 1);
                let power = self.power[k]
                    + (self.power[k + 1] - self.power[k]) * (place - k as f64).clamp(0.0, 1.0);
                let degrees = self.degrees[at];
                let background = self.power[at] / whitened;
                degrees * ln(1.0 + power / (background * degrees))
            })
            .sum()
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

    /// Logarithm of the probability, about, that noise alone makes such a comb in one of so many
    /// places.
    pub(super) fn ln_p(&self, frequency: f64, places: f64) -> f64 {
        self.ln_p_without(frequency, usize::MAX) + ln(places)
    }

    /// The same in one place, without every `omitted`-th tooth: whether the season is more than one
    /// that is so many times as fast.
    pub(super) fn ln_p_without(&self, frequency: f64, omitted: usize) -> f64 {
        let (mut sum, mut shape, mut least) = (0.0, 0.0, 0.0_f64);
        for h in (1..=TEETH).take_while(|&h| h as f64 * frequency <= 0.5) {
            if h % omitted != 0 {
                sum += self.tooth(frequency, h);
                shape += 1.0;
            }
            if HARMONICS.contains(&h) && shape > 0.0 {
                least = least.min(ln_gamma_tail(sum, shape));
            }
        }
        least + ln(INDEPENDENT)
    }
}

/// Upper bound of `ln P(Gamma(shape) > sum)` (Chernoff); exact for shape 1.
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

/// The grid less its mean, tapered, with straight lines over what is missing: zeros there would
/// carry the level of the series into the frequencies of the gaps.
fn tapered(grid: &Grid) -> Vec<f64> {
    let mut points = grid.values.clone();
    bridge(&mut points, &grid.weights, usize::MAX);
    let taper: Vec<f64> = taper(grid.len()).collect();
    let whole: f64 = taper.iter().sum();
    let sum: f64 = taper.iter().zip(&points).map(|(a, b)| a * b).sum();
    let mean = sum / whole;
    for (point, taper) in points.iter_mut().zip(&taper) {
        *point = (*point - mean) * taper;
    }
    points
}

/// A band of frequencies.
struct Band {
    /// In natural bins, `1 / n_cells` cycles a cell wide.
    center: f64,
    ln_center: f64,
    ln_background: f64,
    /// Bins that the background was taken from.
    bins: f64,
}

/// Least background over some power.
fn floor(power: &[f64]) -> f64 {
    (FLOOR * power.iter().sum::<f64>() / power.len() as f64).max(f64::MIN_POSITIVE)
}

/// Bands of a power; `spacing` is that of the teeth of a season taken out of it, in natural bins.
fn bands(power: &[f64], n_cells: usize, len: usize, spacing: f64, floor: f64) -> Vec<Band> {
    let natural: Vec<f64> = (1..=n_cells / 2)
        .map(|k| power[((k * len + n_cells / 2) / n_cells).min(power.len() - 1)])
        .collect();
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
        // What the removal of a season took from the bins at its teeth is missing there.
        let between_teeth = |k: usize| {
            let teeth = k as f64 / spacing;
            (teeth - teeth.round()).abs() > (0.6 / spacing).max(0.08) || teeth < 0.5
        };
        let mut band: Vec<f64> = (from..to)
            .filter(|&i| between_teeth(i + 1))
            .map(|i| natural[i])
            .collect();
        if band.is_empty() {
            band.extend(&natural[from..to]);
        }
        let bins = band.len() as f64;
        let middle = (bins * QUANTILE) as usize;
        let low = *band.select_nth_unstable_by(middle, f64::total_cmp).1;
        let center = ((from + 1) as f64 * to as f64).sqrt();
        bands.push(Band {
            center,
            ln_center: ln(center),
            ln_background: ln((low / QUANTILE_OF_EXPONENTIAL).max(floor)),
            bins,
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
