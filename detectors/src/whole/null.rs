//! The distribution of the fused evidence where nothing is wrong, taken from the series itself.
//!
//! The anomalies are in the series as well, and in a rank among all points they would hide each other.
//! So what lies far beyond the bulk, more than q₉₀ + 3·(q₉₀ − q₅₀), is not taken for normal; in the
//! sum of many logarithms of p-values, whose tail is exponential, one normal point in a thousand or two
//! lies there. Of the rest, ranks in the body and a Pareto tail beyond it.

use super::constants::CONSTANTS;
use super::surprise::upper_tail;
use crate::stats::Tail;
use crate::stats::elementary::within;
use crate::stats::pareto::Pareto;

/// The null distribution of fused evidence.
#[derive(Debug, Clone)]
pub(super) struct Null {
    /// What is taken for normal, in rising order.
    normal: Vec<f64>,
    tail: Pareto,
}

impl Null {
    /// Of at least two values; `None` where those taken for normal are equal.
    pub(super) fn of(evidence: &[f64]) -> Option<Self> {
        let mut normal = evidence.to_vec();
        normal.sort_unstable_by(f64::total_cmp);
        let quantile = |share: f64| normal[(share * (normal.len() - 1) as f64) as usize];
        let (middle, high) = (quantile(0.5), quantile(0.9));
        let reach = high + CONSTANTS.null_reach * (high - middle);
        normal.truncate(normal.partition_point(|value| *value <= reach));
        let tail = upper_tail(&mut normal.clone(), CONSTANTS.null_tail_share)?;
        Some(Self { normal, tail })
    }

    /// Number of points taken for normal.
    pub(super) fn n(&self) -> usize {
        self.normal.len()
    }

    /// P(evidence ≥ e).
    pub(super) fn at_or_above(&self, e: f64) -> Tail {
        if e > f64::from(self.tail.threshold) {
            return self.tail.tail(e);
        }
        let n = self.normal.len() as f64;
        let below = self.normal.partition_point(|value| *value < e);
        let p = 1.0 - below as f64 / n;
        Tail::of_p(within(p, f64::from(self.tail.mass), 1.0))
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
        let clean = Null::of(&evidence).unwrap();
        evidence.extend([40.0; 500]);
        let with_anomalies = Null::of(&evidence).unwrap();
        assert!(with_anomalies.n() <= 10_000);
        for null in [clean, with_anomalies] {
            assert!(
                null.at_or_above(40.0).p < 1e-9,
                "{:?}",
                null.at_or_above(40.0)
            );
        }
    }

    #[test]
    fn as_many_exceed_as_was_asked_for() {
        let evidence = exponential(20_000);
        let null = Null::of(&evidence).unwrap();
        for (rate, least, most) in [(0.3, 0.95, 1.05), (1e-2, 0.8, 1.3), (1e-3, 0.6, 1.8)] {
            let count = evidence.iter().filter(|e| null.at_or_above(**e).p < rate);
            let ratio = count.count() as f64 / 20_000.0 / rate;
            assert!((least..=most).contains(&ratio), "{rate}: {ratio}");
        }
    }

    #[test]
    fn p_never_rises_with_the_evidence() {
        let null = Null::of(&exponential(300)).unwrap();
        let ps: Vec<f64> = (0..2_000)
            .map(|i| null.at_or_above(f64::from(i) / 100.0).p)
            .collect();
        assert!(ps.windows(2).all(|pair| pair[1] <= pair[0]));
        assert!(Null::of(&[1.0; 9]).is_none());
    }
}
