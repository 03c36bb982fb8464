//! Scoring cores over windows ("shingles") of a series: how unlike its past are the last m points?
//!
//! Each model is fitted to a bounded set of training windows ([`windows::Windows`]) and then gives a
//! novelty for any window of the same length. What is deliberately absent: calibration, thresholds
//! and verdicts, which are the same for all of them and belong to the caller.
//!
//! Numbers are kept as `f32` wherever seven digits are enough and are rounded when the model is
//! fitted, not when it is written: a model that was written and read scores with the same bits.
//! Random choices come from xoshiro256++ with a seed in the code: a published algorithm that keeps
//! its numbers, which `rand`'s `StdRng` and `SmallRng` expressly do not promise.

mod core;
pub(crate) mod forest;
pub(crate) mod gmm;
pub(crate) mod kmeans;
pub(crate) mod nearest;
pub(crate) mod one_class_svm;
pub(crate) mod pca;
pub(crate) mod spectral_residual;
pub(crate) mod windows;

pub(crate) use core::{Core, Shape};

#[cfg(test)]
mod laws;
mod linear;
mod neighbours;
mod rolling;
mod symmetric;

/// How strange a window is: larger is stranger; finite and ≥ 0 for any finite window of the right
/// length.
pub(crate) trait Novelty {
    /// `window`: shape `[m]`, standardised values, oldest first, the point to judge last.
    fn novelty(&self, window: &[f64]) -> f64;

    /// The last value that would be least strange after `context`, shape `[m − 1]`; `None` where
    /// the model has no cheap notion of one.
    fn expected(&self, context: &[f64]) -> Option<f64>;

    /// Bytes behind the struct.
    fn heap_bytes(&self) -> usize;
}

/// Why windows cannot be fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ShingleError {
    /// A window length the model does not take.
    #[error("a window has {got} points, the model takes {least} to {most}")]
    WindowLength {
        least: usize,
        most: usize,
        got: usize,
    },
    /// Too few windows to learn from.
    #[error("the model needs {needed} windows, there are {got}")]
    TooFewWindows { needed: usize, got: usize },
    /// A training value is NaN or infinite.
    #[error("value {index} is not a finite number")]
    NotFinite { index: usize },
    /// All training windows are the same, so there is no scale to measure a distance by.
    #[error("all windows are equal")]
    Constant,
    /// The numerical method gave nothing that could be used.
    #[error("the fit did not converge")]
    NotConverged,
}

/// Values beyond this many standard deviations count as this many, so that no sum of squares leaves
/// the range of `f64`.
const VALUE_MAX: f64 = 1e100;

/// See [`VALUE_MAX`].
#[inline(always)]
fn bounded(value: f64) -> f64 {
    value.clamp(-VALUE_MAX, VALUE_MAX)
}

/// Refuses window lengths outside of `least..=most` and fewer than `needed` windows.
fn require(
    windows: &windows::Windows<'_>,
    lengths: std::ops::RangeInclusive<usize>,
    needed: usize,
) -> Result<(), ShingleError> {
    if !lengths.contains(&windows.m()) {
        return Err(ShingleError::WindowLength {
            least: *lengths.start(),
            most: *lengths.end(),
            got: windows.m(),
        });
    }
    if windows.len() < needed {
        return Err(ShingleError::TooFewWindows {
            needed,
            got: windows.len(),
        });
    }
    Ok(())
}

/// Whether every number is finite.
fn all_finite(numbers: &[f32]) -> bool {
    numbers.iter().all(|number| number.is_finite())
}

/// The number below which the share `q` of the others lies; 0 of none. Reorders them.
fn quantile(numbers: &mut [f64], q: f64) -> f64 {
    if numbers.is_empty() {
        return 0.0;
    }
    let place = (q * (numbers.len() - 1) as f64) as usize;
    *numbers.select_nth_unstable_by(place, f64::total_cmp).1
}
