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
//! p-value, which has that tail, and parts that depend on each other keep it. It was checked on normal
//! stretches of real series ([accuracy](../../../docs/accuracy.md)); a generalised Pareto tail of all
//! points but those far out alarmed less on series with anomalies and no more truly on those without.

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
    /// Of at least two values; `None` where nothing lies beyond the body.
    pub(super) fn of(evidence: &[f64]) -> Option<Self> {
        let mut sorted = evidence.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let quantile = |share: f64| sorted[(share * (sorted.len() - 1) as f64) as usize];
        let body = CONSTANTS.null_body;
        let (middle, high) = (quantile(0.5), quantile(body));
        let scale = if high > middle {
            (high - middle) / ln(0.5 / (1.0 - body))
        } else {
            // Over half of the points are equal: the mean of what lies beyond them.
            let beyond = &sorted[sorted.partition_point(|e| *e <= high)..];
            beyond.iter().map(|e| e - high).sum::<f64>() / beyond.len().max(1) as f64
        };
        (scale > 0.0).then_some(Self {
            sorted,
            high,
            scale,
        })
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

    fn exponential(n: usize) -> Vec<f64> {
        (0..n)
            .map(|i| -(1.0 - ((i * 7919 % n) as f64 + 0.5) / n as f64).ln())
            .collect()
    }

    #[test]
    fn anomalies_do_not_hide_each_other() {
        let mut evidence = exponential(10_000);
        evidence.extend([30.0; 1_000]);
        let p = Null::of(&evidence).unwrap().at_or_above(30.0).p;
        assert!(p < 1e-8, "{p}");
    }

    #[test]
    fn as_many_exceed_as_was_asked_for() {
        let evidence = exponential(20_000);
        let null = Null::of(&evidence).unwrap();
        for rate in [0.3, 1e-2, 1e-3] {
            let count = evidence.iter().filter(|e| null.at_or_above(**e).p < rate);
            let ratio = count.count() as f64 / 20_000.0 / rate;
            assert!((0.9..=1.1).contains(&ratio), "{rate}: {ratio}");
        }
    }

    #[test]
    fn p_never_rises_with_the_evidence() {
        let null = Null::of(&exponential(300)).unwrap();
        let p = |i: u32| null.at_or_above(f64::from(i) / 100.0).p;
        assert!((0..2_000).all(|i| p(i + 1) <= p(i)));
    }

    #[test]
    fn equal_evidence_has_no_tail_and_mostly_equal_one_that_of_the_rest() {
        assert!(Null::of(&[1.0; 9]).is_none());
        let mut evidence = vec![0.0; 95];
        evidence.extend([1.0, 2.0, 3.0, 2.0, 2.0]);
        let null = Null::of(&evidence).unwrap();
        assert_eq!((null.high, null.scale), (0.0, 2.0));
        assert_eq!(null.at_or_above(0.0).p, 1.0);
    }
}
