//! The reference model by this program's own arithmetic: the mean μ and the population standard
//! deviation σ of the training; a point x is an anomaly when |x − μ| > k·σ, that is, strictly
//! outside [μ − k·σ, μ + k·σ].
//!
//! The contract fixes this rule and a handful of results, and not in which order a server adds up.
//! Sums here are compensated (A. Neumaier, 1974), so that μ and σ are those of exact arithmetic to
//! about the last bit, and [`Reference::tolerance`] is how far a server may be off by adding up in any other
//! sensible order: n additions of magnitudes up to m are off by n·ε·m at most; eight times that
//! leaves room for the squares and for one-pass formulas.

/// What the reference model says of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reference {
    /// μ, which is what is expected.
    pub mean: f64,
    /// σ.
    pub std: f64,
    /// μ − k·σ.
    pub lower: f64,
    /// μ + k·σ.
    pub upper: f64,
    /// What the figures of a server may differ by.
    pub tolerance: f64,
}

/// What a point is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// Within the bounds.
    Normal,
    /// Outside the bounds.
    Anomaly,
    /// So close to a bound that the order of additions decides. Never counted as right.
    Undecidable,
}

impl Reference {
    /// Fits `values`, of which there is one at least, with bounds at `sigma` standard deviations.
    #[must_use]
    pub fn fit(values: &[f64], sigma: f64) -> Self {
        let n = values.len() as f64;
        let mean = sum(values.iter().copied()) / n;
        let squares = sum(values.iter().map(|x| (x - mean) * (x - mean)));
        let std = (squares / n).sqrt();
        let largest = values.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
        Self {
            mean,
            std,
            lower: mean - sigma * std,
            upper: mean + sigma * std,
            tolerance: 8.0 * n * f64::EPSILON * largest * sigma.max(1.0),
        }
    }

    /// What `value` is.
    #[must_use]
    pub fn judge(&self, value: f64) -> Truth {
        let near = |bound: f64| (value - bound).abs() <= self.tolerance;
        if near(self.lower) || near(self.upper) {
            Truth::Undecidable
        } else if value < self.lower || value > self.upper {
            Truth::Anomaly
        } else {
            Truth::Normal
        }
    }

    /// Whether a server's figure is this one.
    #[must_use]
    pub fn agrees(&self, figure: f64, with: f64) -> bool {
        (figure - with).abs() <= self.tolerance
    }
}

/// Neumaier's sum: what each addition rounds away is added up apart.
fn sum(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut lost) = (0.0_f64, 0.0);
    for value in values {
        let next = sum + value;
        lost += if sum.abs() >= value.abs() {
            (sum - next) + value
        } else {
            (value - next) + sum
        };
        sum = next;
    }
    sum + lost
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The contract's golden vectors.
    #[test]
    fn agrees_with_the_contract() {
        for (values, mean, std) in [
            (
                &[10.0, 10.2, 10.1, 9.9, 10.3, 10.15][..],
                10.108333333333333,
                0.13043729868748774,
            ),
            (&[10.0, 11.0, 12.0], 11.0, 0.816496580927726),
            (&[1.0, 2.0, 1.0], 1.3333333333333333, 0.4714045207910317),
            (
                &[10.0, 11.2, 10.4, 10.8],
                10.600000000000001,
                0.44721359549995776,
            ),
            (
                &[10.0, 10.2, 10.1, 9.9, 10.3, 10.15, 9.95, 10.25],
                10.106250000000001,
                0.13564084008881702,
            ),
        ] {
            let fitted = Reference::fit(values, 3.0);
            // Two units in the last place, whichever way a sum is taken.
            let close = |a: f64, b: f64| (a - b).abs() <= 2.0 * f64::EPSILON * b.abs();
            assert!(close(fitted.mean, mean), "{} {mean}", fitted.mean);
            assert!(close(fitted.std, std), "{} {std}", fitted.std);
            assert!(fitted.agrees(mean + 3.0 * std, fitted.upper));
            assert!(fitted.agrees(mean - 3.0 * std, fitted.lower));
            assert!(!fitted.agrees(mean + 3.000_001 * std, fitted.upper));
        }
    }

    #[test]
    fn the_bound_itself_is_undecidable_and_what_is_beyond_is_not() {
        let fitted = Reference::fit(&[10.0, 11.0, 12.0], 3.0);
        for (value, truth) in [
            (11.0, Truth::Normal),
            (fitted.upper, Truth::Undecidable),
            (fitted.lower.next_down(), Truth::Undecidable),
            (fitted.upper - 1e-12, Truth::Normal),
            (fitted.upper + 1e-12, Truth::Anomaly),
            (fitted.lower - 1e-12, Truth::Anomaly),
            (-1e300, Truth::Anomaly),
        ] {
            assert_eq!(fitted.judge(value), truth, "{value}");
        }
    }

    proptest! {
        /// A server that adds up from the left, or in one pass, is within the tolerance.
        #[test]
        fn other_orders_are_within_the_tolerance(
            values in prop::collection::vec(-1e6..1e6_f64, 3..300),
        ) {
            let fitted = Reference::fit(&values, 3.0);
            let n = values.len() as f64;
            let mean = values.iter().sum::<f64>() / n;
            let squares: f64 = values.iter().rev().map(|x| (x - mean).powi(2)).sum();
            let std = (squares / n).sqrt();
            prop_assert!(fitted.agrees(mean, fitted.mean));
            prop_assert!(fitted.agrees(mean + 3.0 * std, fitted.upper));
            prop_assert!(fitted.agrees(mean - 3.0 * std, fitted.lower));
        }
    }
}
