//! What the next value should be, from the eight before it: recursive least squares.
//!
//! ```text
//! ŷ = wᵀz,  z = the last 8 standardised values and 1
//! k = P z / (λ + zᵀ P z),  w ← w + k · clamp(y − ŷ, ±3),  P ← (P − k zᵀ P) / λ
//! ```
//!
//! (Haykin, *Adaptive Filter Theory*, ch. 9.) What differs here: the error that teaches is clamped to
//! three standard deviations, so that an outlier does not become the model; P starts again where its
//! trace runs away, which happens on series that hardly move.

use super::constants::CONSTANTS;
use crate::models::history::History;
use crate::stats::elementary::within;

/// Values that a prediction looks back on.
pub(crate) const ORDER: usize = 8;
const TERMS: usize = ORDER + 1;
/// Entries of a symmetric matrix, kept once.
pub(crate) const PACKED: usize = TERMS * (TERMS + 1) / 2;

const P_FIRST: f64 = 10.0;
const TRACE_MAX: f64 = 1e6;
const ERROR_MAX: f64 = 3.0;
/// Least weight of the newest value in the running mean and variance.
const SCALE_GAIN_MIN: f64 = 1e-3;
const VARIANCE_FIRST: f64 = 1e-6;
const VARIANCE_MIN: f64 = 1e-12;
/// A weight beyond this is no filter any more, and the weights start again.
const WEIGHT_MAX: f64 = 1e6;

/// The filter's state.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Autoregression {
    pub(crate) weights: [f64; TERMS],
    /// Lower triangle of P, row by row.
    pub(crate) covariance: [f64; PACKED],
    /// Running mean and variance, by which values are standardised.
    pub(crate) mean: f64,
    pub(crate) variance: f64,
    pub(crate) learnt: u64,
}

impl Autoregression {
    pub(crate) fn new() -> Self {
        let mut weights = [0.0; TERMS];
        weights[0] = 1.0;
        Self {
            weights,
            covariance: diagonal(),
            mean: 0.0,
            variance: VARIANCE_FIRST,
            learnt: 0,
        }
    }

    /// The value expected after `past`, oldest first; `None` before there are enough.
    pub(crate) fn predict(&self, past: Option<&[f64]>) -> Option<f64> {
        let terms = self.terms(past?);
        let scaled: f64 = self.weights.iter().zip(&terms).map(|(w, z)| w * z).sum();
        let predicted = self.mean + scaled * self.deviation();
        // No further out than a value can be.
        Some(within(predicted, -History::LARGEST, History::LARGEST))
    }

    /// Learns that `value` followed `past`.
    pub(crate) fn learn(&mut self, past: Option<&[f64]>, value: f64) {
        if self.learnt == 0 {
            self.mean = value;
        }
        if let Some(past) = past {
            self.adapt(&self.terms(past), value);
        }
        let gain = (1.0 / (self.learnt as f64 + 1.0)).max(SCALE_GAIN_MIN);
        let difference = value - self.mean;
        self.mean += gain * difference;
        self.variance = (1.0 - gain) * (self.variance + gain * difference * difference);
        self.learnt = self.learnt.saturating_add(1);
    }

    fn adapt(&mut self, terms: &[f64; TERMS], value: f64) {
        let scaled: f64 = self.weights.iter().zip(terms).map(|(w, z)| w * z).sum();
        let error = (value - self.mean) / self.deviation() - scaled;
        let mut product = [0.0; TERMS];
        for row in 0..TERMS {
            for column in 0..=row {
                let entry = self.covariance[packed(row, column)];
                product[row] += entry * terms[column];
                if column < row {
                    product[column] += entry * terms[row];
                }
            }
        }
        let quadratic: f64 = product.iter().zip(terms).map(|(p, z)| p * z).sum();
        let divisor = CONSTANTS.forgetting + quadratic;
        let error = error.clamp(-ERROR_MAX, ERROR_MAX);
        for (weight, p) in self.weights.iter_mut().zip(&product) {
            *weight += p / divisor * error;
        }
        let mut trace = 0.0;
        let mut largest = 0.0_f64;
        for row in 0..TERMS {
            for column in 0..=row {
                let entry = &mut self.covariance[packed(row, column)];
                *entry = (*entry - product[row] / divisor * product[column]) / CONSTANTS.forgetting;
                largest = largest.max(entry.abs());
            }
            trace += self.covariance[packed(row, row)];
        }
        // Negated, so that NaN starts again too.
        if !(trace > 0.0 && trace < TRACE_MAX && largest < TRACE_MAX) {
            self.covariance = diagonal();
        }
        if !self.weights.iter().all(|weight| weight.abs() < WEIGHT_MAX) {
            self.weights = Self::new().weights;
        }
    }

    /// The newest first, then the constant.
    fn terms(&self, past: &[f64]) -> [f64; TERMS] {
        let mut terms = [1.0; TERMS];
        let deviation = self.deviation();
        for (term, value) in terms[..ORDER].iter_mut().zip(past.iter().rev()) {
            *term = (value - self.mean) / deviation;
        }
        terms
    }

    fn deviation(&self) -> f64 {
        (self.variance + VARIANCE_MIN).sqrt()
    }

    /// Whether the numbers are ones that learning gives.
    pub(crate) fn is_sound(&self) -> bool {
        let most = History::LARGEST;
        self.weights.iter().all(|weight| weight.abs() < WEIGHT_MAX)
            && self.covariance.iter().all(|entry| entry.abs() < TRACE_MAX)
            && self.mean.abs() <= most
            && (0.0..=4.0 * most * most).contains(&self.variance)
    }
}

fn packed(row: usize, column: usize) -> usize {
    row * (row + 1) / 2 + column
}

fn diagonal() -> [f64; PACKED] {
    let mut covariance = [0.0; PACKED];
    for row in 0..TERMS {
        covariance[packed(row, row)] = P_FIRST;
    }
    covariance
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(value: impl Fn(usize) -> f64, n: usize) -> Vec<f64> {
        let mut model = Autoregression::new();
        let values: Vec<f64> = (0..n).map(value).collect();
        let mut errors = Vec::new();
        for (index, &value) in values.iter().enumerate() {
            let past = index.checked_sub(ORDER).map(|from| &values[from..index]);
            if let Some(predicted) = model.predict(past) {
                errors.push((value - predicted).abs());
            }
            model.learn(past, value);
            assert!(model.is_sound());
        }
        errors
    }

    #[test]
    fn an_oscillation_is_learnt() {
        let errors = errors(|i| 5.0 + libm::sin(i as f64 * 0.7), 2_000);
        let late = errors[1_500..].iter().fold(0.0_f64, |a, &b| a.max(b));
        assert!(late < 1e-3, "{late}");
    }

    #[test]
    fn constants_steps_and_huge_values_do_no_harm() {
        errors(|_| 0.0, 500);
        errors(|i| if i < 300 { 0.0 } else { 1e15 }, 600);
        errors(|i| if i % 2 == 0 { 1e15 } else { -1e15 }, 600);
    }
}
