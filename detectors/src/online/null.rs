//! What the combined evidence is where nothing is wrong.
//!
//! The views depend on each other, so their sum has no distribution that could be looked up; it is
//! calibrated on the series itself. Four quantiles by stochastic approximation (as in
//! [`tails`](super::tails)) give the body, a generalised Pareto tail what lies beyond the 3 % one.
//!
//! What differs from the tail of a view:
//!
//! - Excesses are censored where P is 1/1000: how far an anomaly went does not move the tail, only that
//!   it was there. For an exponential tail the mean is then (sum of censored excesses) / (number of
//!   uncensored ones) (Epstein & Sobel, *Life testing*, JASA 48, 1953).
//! - The scale begins with a guess that weighs 300 exceedances. Evidence is in decades of probability
//!   for every series, so that other series say much about this one; and the scores of different
//!   series stay comparable.
//! - The first points of an event are not taught at all, or anomalies would make anomalies normal;
//!   what lasts longer than [`event_points`](super::Constants::event_points) is.

use super::constants::CONSTANTS;
use crate::stats::Tail;
use crate::stats::elementary::{ln, within};
use crate::stats::pareto::{excess_at, ln_survival, shape_by_moments};

/// Shares of points beyond the quantiles kept.
const SHARES: [f64; 4] = [0.5, 0.2, 0.08, 0.03];
const TAIL: usize = SHARES.len() - 1;

/// Evidence at those quantiles before any was seen …
const FIRST_QUANTILES: [f64; 4] = [0.2, 0.7, 1.3, 2.2];
/// … and how many points that guess weighs.
const FIRST_WEIGHT: f64 = 50.0;
const FIRST_COUNT: f64 = 3.0;
const FIRST_EXCESS: f64 = 0.5;

/// Least distance of neighbouring quantiles for their density.
const GAP_MIN: f64 = 0.05;
const SCALE_MIN: f64 = 1e-3;

/// Points that weigh in full; after them the oldest fade.
const MEMORY: f64 = CONSTANTS.memory;

/// Evidence is no larger: every family at its most.
const EVIDENCE_MAX: f64 = 1e3;

/// Points without an event after which the next one is a new one.
const APART: u32 = 100;

/// The distribution of the evidence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Null {
    /// Where [`SHARES`] of the evidence lie beyond; ascending, ≥ 0.
    pub(crate) quantiles: [f64; 4],
    /// Points learnt, up to [`MEMORY`], the first guess among them.
    pub(crate) weight: f64,
    /// Exceedances of the last quantile, and those of them that are censored.
    pub(crate) count: f64,
    pub(crate) censored: f64,
    pub(crate) mean_excess: f64,
    pub(crate) mean_square: f64,
    /// Points since the last event, and since the first of that event.
    pub(crate) since_event: u32,
    pub(crate) event_age: u32,
    /// Points ever learnt.
    pub(crate) n: u64,
}

impl Null {
    pub(crate) fn new() -> Self {
        Self {
            quantiles: FIRST_QUANTILES,
            weight: FIRST_WEIGHT,
            count: FIRST_COUNT,
            censored: 0.0,
            mean_excess: FIRST_EXCESS,
            mean_square: FIRST_EXCESS,
            since_event: u32::MAX,
            event_age: 0,
            n: 0,
        }
    }

    /// P(evidence ≥ this).
    pub(crate) fn tail(&self, evidence: f64) -> Tail {
        let threshold = self.quantiles[TAIL];
        if evidence > threshold {
            let (shape, scale) = self.pareto();
            let z = (evidence - threshold) / scale;
            return Tail::of_ln_p(ln(SHARES[TAIL]) + ln_survival(shape, z));
        }
        let above = self.quantiles.iter().take_while(|q| evidence > **q).count();
        let (from, to, share_from, share_to) = match above {
            0 => (0.0, self.quantiles[0], 1.0, SHARES[0]),
            i => (
                self.quantiles[i - 1],
                self.quantiles[i],
                SHARES[i - 1],
                SHARES[i],
            ),
        };
        let part = if to > from {
            within((evidence - from) / (to - from), 0.0, 1.0)
        } else {
            0.0
        };
        Tail::of_p(share_from + (share_to - share_from) * part)
    }

    /// Learns the evidence of a point whose probability was `p`.
    pub(crate) fn learn(&mut self, evidence: f64, p: f64) {
        if p < CONSTANTS.event {
            if self.since_event > APART {
                self.event_age = 0;
            }
            self.since_event = 0;
        }
        self.event_age = self.event_age.saturating_add(1);
        self.since_event = self.since_event.saturating_add(1);
        let is_event =
            self.since_event < CONSTANTS.event_points && self.event_age < CONSTANTS.event_points;
        if is_event {
            return;
        }
        self.n = self.n.saturating_add(1);
        self.weight = (self.weight + 1.0).min(MEMORY);
        let (shape, scale) = self.pareto();
        let threshold = self.quantiles[TAIL];
        self.move_quantiles(evidence);
        if evidence > threshold {
            self.learn_excess(evidence - threshold, shape, scale);
        }
    }

    fn move_quantiles(&mut self, evidence: f64) {
        let mean = self.mean();
        for index in 0..SHARES.len() {
            let density = if index == TAIL {
                SHARES[TAIL] / mean
            } else {
                let gap = self.quantiles[index + 1] - self.quantiles[index];
                (SHARES[index] - SHARES[index + 1]) / gap.max(GAP_MIN)
            };
            let is_beyond = f64::from(u8::from(evidence > self.quantiles[index]));
            let step = (is_beyond - SHARES[index]) / (self.weight * density);
            self.quantiles[index] = (self.quantiles[index] + step).clamp(0.0, EVIDENCE_MAX);
        }
        for index in 1..SHARES.len() {
            self.quantiles[index] = self.quantiles[index].max(self.quantiles[index - 1]);
        }
    }

    fn learn_excess(&mut self, excess: f64, shape: f64, scale: f64) {
        let most = SHARES[TAIL] * MEMORY;
        if self.count >= most {
            let fade = 1.0 - 1.0 / most;
            self.count *= fade;
            self.censored *= fade;
        }
        let ln_ratio = ln(SHARES[TAIL] / CONSTANTS.event);
        let limit = scale * excess_at(shape, ln_ratio);
        self.count += 1.0;
        if excess > limit {
            self.censored += 1.0;
        }
        let excess = excess.min(limit);
        self.mean_excess += (excess - self.mean_excess) / self.count;
        self.mean_square += (excess * excess - self.mean_square) / self.count;
    }

    /// Mean excess of an uncensored exponential tail, drawn towards the guess.
    fn mean(&self) -> f64 {
        let uncensored = (self.count - self.censored).max(1.0);
        let guess = CONSTANTS.null_scale_weight;
        ((self.mean_excess * self.count + CONSTANTS.null_scale * guess) / (uncensored + guess))
            .max(SCALE_MIN)
    }

    /// Shape and scale of the tail.
    fn pareto(&self) -> (f64, f64) {
        let variance = self.mean_square - self.mean_excess * self.mean_excess;
        let shape =
            shape_by_moments(self.mean_excess, variance).clamp(0.0, CONSTANTS.null_shape_max);
        (shape, self.mean() * (1.0 - shape))
    }

    /// Whether the numbers are ones that learning gives.
    pub(crate) fn is_sound(&self) -> bool {
        let is_evidence = |x: &f64| (0.0..=EVIDENCE_MAX).contains(x);
        self.quantiles.iter().all(is_evidence)
            && self.quantiles.is_sorted()
            && is_evidence(&self.mean_excess)
            && (0.0..=EVIDENCE_MAX * EVIDENCE_MAX).contains(&self.mean_square)
            && (1.0..=MEMORY).contains(&self.weight)
            && (1.0..=MEMORY).contains(&self.count)
            && (0.0..=self.count).contains(&self.censored)
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// Share of the last half of `n` points of exponential evidence that have p below `rate`.
    fn observed(n: usize, scale: f64, contaminated: f64, rate: f64) -> f64 {
        let mut random = ChaCha8Rng::seed_from_u64(3);
        let mut null = Null::new();
        let (mut alarms, mut normal) = (0, 0);
        for index in 0..n {
            let is_anomaly = random.random_bool(contaminated);
            let evidence = if is_anomaly {
                30.0
            } else {
                -scale * libm::log(random.random_range(1e-12..1.0))
            };
            let p = null.tail(evidence).p;
            null.learn(evidence, p);
            assert!(null.is_sound());
            if index > n / 2 && !is_anomaly {
                normal += 1;
                alarms += u32::from(p < rate);
            }
        }
        f64::from(alarms) / f64::from(normal)
    }

    #[test]
    fn p_values_of_independent_evidence_are_what_they_say() {
        for scale in [0.4, 1.0] {
            for rate in [0.1, 0.01, 0.001] {
                let ratio = observed(200_000, scale, 0.0, rate) / rate;
                assert!((0.5..2.0).contains(&ratio), "{scale} {rate}: {ratio}");
            }
        }
    }

    #[test]
    fn anomalies_in_the_past_hide_few_of_those_to_come() {
        let ratio = observed(100_000, 0.6, 0.005, 0.01) / 0.01;
        assert!((0.5..2.0).contains(&ratio), "{ratio}");
    }

    #[test]
    fn the_tail_falls_and_never_ends() {
        let null = Null::new();
        let p: Vec<f64> = (0..400).map(|i| null.tail(f64::from(i) * 0.25).p).collect();
        assert!(p.is_sorted_by(|a, b| a >= b) && p[0] == 1.0 && p[399] > 0.0);
    }

    #[test]
    fn what_lasts_becomes_normal() {
        let mut null = Null::new();
        let mut last = 0.0;
        for index in 0..3_000 {
            let evidence = if index < 1_000 { 0.1 } else { 20.0 };
            last = null.tail(evidence).p;
            null.learn(evidence, last);
        }
        assert!(last > 0.01, "{last}");
    }
}
