//! The window of VUS-PR: the lag ℓ in 4..=303 at which the autocorrelation `r(ℓ) = Σ y_t·y_{t+ℓ}` of
//! the centred series y has its highest local maximum.
//!
//! The rule is that of TSB-AD (Liu & Paparrizos, *The elephant in the room: towards a reliable
//! time-series anomaly detection benchmark*, NeurIPS 2024), with its limits: the first 20,000 values,
//! lags from 3 to 400, and 125 where no maximum lies between lags 6 and 303. The sums are taken
//! directly instead of by a Fourier transform: 400 lags of 20,000 values take some milliseconds, and
//! on a flat stretch of the autocorrelation no rounding noise looks like a maximum.

use crate::stats::moments::{Moments, max_magnitude, power_of_two_near_inverse};

/// The window where the series has no period.
pub const DEFAULT_WINDOW: u16 = 125;

const VALUES_READ: usize = 20_000;
const LAST_LAG: usize = 400;
const FIRST_LAG: usize = 3;
/// Where the highest maximum must lie, counted from the first lag.
const ACCEPTED: std::ops::RangeInclusive<u16> = 3..=300;

/// The period of a series of finite values in points, [`DEFAULT_WINDOW`] where there is none.
pub fn period_acf(values: &[f64]) -> u16 {
    let values = &values[..values.len().min(VALUES_READ)];
    let largest = max_magnitude(values);
    if !(largest > 0.0 && largest.is_finite()) {
        return DEFAULT_WINDOW;
    }
    // A power of two changes no digit, and products of centred values then stay in range.
    let shrink = power_of_two_near_inverse(largest);
    let mut centred: Vec<f64> = values.iter().map(|value| value * shrink).collect();
    let mean = Moments::of(&centred).mean;
    centred.iter_mut().for_each(|value| *value -= mean);
    let variance = products(&centred, 0);
    if variance <= 0.0 {
        return DEFAULT_WINDOW;
    }
    let lags = FIRST_LAG..(LAST_LAG + 1).min(centred.len()).max(FIRST_LAG);
    let acf: Vec<f64> = lags.map(|lag| products(&centred, lag) / variance).collect();
    let is_maximum = |three: &[f64]| three[0] < three[1] && three[1] > three[2];
    let highest = (1_u16..)
        .zip(acf.windows(3))
        .filter(|(_, three)| is_maximum(three))
        .max_by(|(_, a), (_, b)| a[1].total_cmp(&b[1]));
    match highest {
        Some((at, _)) if ACCEPTED.contains(&at) => at + FIRST_LAG as u16,
        _ => DEFAULT_WINDOW,
    }
}

/// `Σ y_t·y_{t+lag}` in eight running sums, whose adds do not wait for each other.
fn products(y: &[f64], lag: usize) -> f64 {
    let (head, tail) = (&y[..y.len() - lag], &y[lag..]);
    let mut sums = [0.0; 8];
    let (heads, tails) = (head.chunks_exact(8), tail.chunks_exact(8));
    let rest = heads.remainder().iter().zip(tails.remainder());
    let rest: f64 = rest.map(|(a, b)| a * b).sum();
    for (a, b) in heads.zip(tails) {
        for i in 0..8 {
            sums[i] += a[i] * b[i];
        }
    }
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sawtooth(n: usize, period: usize) -> Vec<f64> {
        (0..n).map(|i| (i % period) as f64).collect()
    }

    #[test]
    fn finds_a_period_whatever_the_unit() {
        for period in [7, 24, 144, 288] {
            let values = sawtooth(5000, usize::from(period));
            assert_eq!(period_acf(&values), period);
            let huge: Vec<f64> = values.iter().map(|v| v * 1e304).collect();
            assert_eq!(period_acf(&huge), period);
        }
    }

    #[test]
    fn a_period_out_of_range_or_none_gives_the_default() {
        assert_eq!(period_acf(&sawtooth(5000, 350)), DEFAULT_WINDOW);
        assert_eq!(period_acf(&[0.1; 1000]), DEFAULT_WINDOW);
        assert_eq!(period_acf(&[0.0; 1000]), DEFAULT_WINDOW);
        for n in 0..9 {
            assert_eq!(period_acf(&sawtooth(n, 2)), DEFAULT_WINDOW, "{n}");
        }
        assert_eq!(period_acf(&[f64::NAN; 50]), DEFAULT_WINDOW);
    }
}
