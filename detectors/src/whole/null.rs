//! The distribution of the fused evidence where nothing is wrong, taken from the series itself.
//!
//! ```text
//! P(E ≥ e) = rank of e                                 up to the quantile q of the share h
//!          = (1 − h) · exp(−(e − q) / β)               beyond it,   β = (q − q₅₀) / ln((1 − ½) / (1 − h))
//! ```
//!
//! The anomalies are in the series as well, up to a tenth of it and more, and in a rank among all
//! points, or in a tail fitted to the largest, they would hide each other. So the tail rests on the
//! body alone. That it is exponential is an assumption: each part of the evidence is a logarithm of a
//! p-value, which has that tail, and parts that depend on each other keep it. With all parts of weight 1,
//! β came out between 1.2 and 2.9 powers of ten on 93 of 103 labelled series; it is below the least β
//! allowed where most of a series is the same stretch again and again, which says nothing about the rest.
//! A generalised Pareto tail, fitted to all points but those far out, was tried: anomalies then hide each
//! other again.

use super::constants::CONSTANTS;
use crate::stats::Tail;
use crate::stats::elementary::{ln, within};

/// The null distribution of fused evidence.
#[derive(Debug, Clone)]
pub(super) struct Null {
    /// All evidence in rising order.
    sorted: Vec<f64>,
    /// Where the tail begins.
    high: f64,
    /// Its scale, > 0.
    scale: f64,
}

impl Null {
    /// Of at least one value, the sum of what views and so many resolutions say.
    pub(super) fn of(evidence: &[f64], resolutions: usize) -> Self {
        let mut sorted = evidence.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let quantile = |share: f64| sorted[(share * (sorted.len() - 1) as f64) as usize];
        let body = CONSTANTS.null_body;
        let (middle, high) = (quantile(0.5), quantile(body));
        let scale = (high - middle) / ln(0.5 / (1.0 - body));
        Self {
            sorted,
            high,
            scale: scale.max(CONSTANTS.null_scale_min * (1 + resolutions) as f64),
        }
    }

    /// P(E ≥ e).
    pub(super) fn at_or_above(&self, e: f64) -> Tail {
        let beyond = 1.0 - CONSTANTS.null_body;
        if e > self.high {
            return Tail::of_ln_p(ln(beyond) - (e - self.high) / self.scale);
        }
        let below = self.sorted.partition_point(|value| *value < e);
        let p = 1.0 - below as f64 / self.sorted.len() as f64;
        Tail::of_p(within(p, beyond, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of scale 1.5, out of order.
    fn exponential(n: usize) -> Vec<f64> {
        (0..n)
            .map(|i| -1.5 * (1.0 - ((i * 7919 % n) as f64 + 0.5) / n as f64).ln())
            .collect()
    }

    #[test]
    fn anomalies_do_not_hide_each_other() {
        let mut evidence = exponential(10_000);
        evidence.extend([30.0; 1_000]);
        let p = Null::of(&evidence, 4).at_or_above(30.0).p;
        assert!(p < 1e-5, "{p}");
    }

    #[test]
    fn as_many_exceed_as_was_asked_for() {
        let evidence = exponential(20_000);
        let null = Null::of(&evidence, 4);
        for rate in [0.3, 1e-2, 1e-3] {
            let count = evidence.iter().filter(|e| null.at_or_above(**e).p < rate);
            let ratio = count.count() as f64 / 20_000.0 / rate;
            assert!((0.9..=1.1).contains(&ratio), "{rate}: {ratio}");
        }
    }

    #[test]
    fn p_never_rises_with_the_evidence() {
        let null = Null::of(&exponential(300), 4);
        let p = |i: u32| null.at_or_above(f64::from(i) / 100.0).p;
        assert!((0..2_000).all(|i| p(i + 1) <= p(i)));
    }

    #[test]
    fn evidence_that_is_mostly_equal_has_the_least_scale() {
        let mut evidence = vec![0.0; 95];
        evidence.extend([1.0, 2.0, 3.0, 2.0, 2.0]);
        let null = Null::of(&evidence, 4);
        assert_eq!(null.at_or_above(0.0).p, 1.0);
        let expected =
            (1.0 - CONSTANTS.null_body) * (-2.0 / (5.0 * CONSTANTS.null_scale_min)).exp();
        assert!((null.at_or_above(2.0).p / expected - 1.0).abs() < 1e-9);
        assert_eq!(Null::of(&[1.0; 9], 4).at_or_above(1.0).p, 1.0);
    }
}
