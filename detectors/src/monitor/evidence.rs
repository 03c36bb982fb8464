//! Evidence that small p-values come too often: a test martingale with restarts.
//!
//! A bet (a, r) pays `r` when p < a and `(1 − r c a) / (1 − c a)` when not. As long as
//!
//! `P(p < a | all before) ≤ c a`, with the tolerance c = 1.25,
//!
//! a stake never grows in expectation, for it pays more the more often p < a comes, and 1 on average when
//! that is exactly c a. With stakes π(s) set aside for every start s, Σ π(s) = 1, the capital
//!
//! `M_n = Σ_{s ≤ n} π(s) Π_{i = s..n} payoff(p_i) + Σ_{s > n} π(s)`
//!
//! is a non-negative supermartingale from 1, and so is the mean over several bets. By Ville's inequality
//! `P(M ever reaches 1/δ) ≤ δ` over the whole life of the monitor, however often it is looked at.
//!
//! Conformal test martingales: Vovk, Gammerman & Shafer, *Algorithmic Learning in a Random World*, 2nd
//! ed. 2022, ch. 8; starts at every point: Vovk, *Testing randomness online*, Statistical Science 36
//! (2021). What differs here:
//!
//! - The p-values are those of a fixed model and may be conservative or discrete, where betting on values
//!   near 1 would not be fair. All bets decrease in p, and one that is fair for a p-value as common as
//!   tolerated is in favour of the house for a rarer one.
//! - The tolerance. A model fitted to a sample is never exact, and over enough points any test finds out.
//!   An excess of up to a quarter, at every level at once, is no evidence here.
//! - A payoff is at most 32, where a bet like p^−½ pays 10¹⁵⁰ for one point: a single anomaly, however
//!   far out, is what a detector is for and no sign that the model is old.
//! - π(s) = 1 / ((j+1)(j+2) 2^j) with j = ⌊log₂ s⌋: a drift that begins after a million calm points has to
//!   win back 2·10⁸ and not what the calm points cost, which would grow with their number.
//! - A stake is capped: what it wins beyond is thrown away, which a supermartingale may, and the evidence
//!   fades within thousands of points after a drift is over, not after as many as the drift lasted.

use super::histogram::{BINS, EDGES};
use crate::stats::elementary::{exp, ln};

/// How much more often than it says may a p-value be small before it counts as evidence.
pub(super) const TOLERANCE: f64 = 1.25;

const BETS: usize = 8;

/// The bets, (a, r): from "twice as many in the body" to "the far tail has filled". Each a is an edge of
/// the histogram, and r c a < 1.
const EDGE_AND_RATIO: [(f64, f64); BETS] = [
    (0.2, 2.0),
    (0.1, 1.5),
    (0.1, 4.0),
    (1e-2, 2.0),
    (1e-2, 10.0),
    (1e-3, 4.0),
    (1e-3, 32.0),
    (1e-4, 16.0),
];

/// Largest stake of a bet. Above the evidence that any verdict asks for.
const STAKE_MAX: f64 = 1e6;

/// What each bet pays for a p-value of each bin.
static PAYOFFS: [[f64; BETS]; BINS] = {
    let mut payoffs = [[0.0; BETS]; BINS];
    let mut bin = 0;
    while bin < BINS {
        let mut bet = 0;
        while bet < BETS {
            let (edge, ratio) = EDGE_AND_RATIO[bet];
            payoffs[bin][bet] = if EDGES[bin + 1] <= edge {
                ratio
            } else {
                otherwise(edge, ratio)
            };
            bet += 1;
        }
        bin += 1;
    }
    payoffs
};

/// What a bet pays when p is not below its edge.
const fn otherwise(edge: f64, ratio: f64) -> f64 {
    (1.0 - ratio * TOLERANCE * edge) / (1.0 - TOLERANCE * edge)
}

/// π of every start in `[2^j, 2^(j+1))`.
static START: [f64; 64] = {
    let mut start = [0.0; 64];
    let (mut j, mut width) = (0, 1.0);
    while j < 64 {
        start[j] = 1.0 / ((j as f64 + 1.0) * (j as f64 + 2.0) * width);
        width *= 2.0;
        j += 1;
    }
    start
};

/// Σ π(s) over s > n.
#[inline(always)]
fn set_aside(n: u64) -> f64 {
    let Some(j) = n.checked_ilog2() else {
        return 1.0;
    };
    let left = (u64::MAX >> (63 - j)) - n;
    // After block j, 1 / (j + 2) is left, and that is what its starts have taken together times j + 1.
    START[j as usize] * (left as f64 + (j as f64 + 1.0) * power_of_two(j))
}

fn power_of_two(j: u32) -> f64 {
    (1_u64 << j) as f64
}

/// The stakes of the bets, and what is set aside for later starts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Evidence {
    stakes: [f64; BETS],
    /// Points seen.
    n: u64,
}

impl Evidence {
    pub(super) const NONE: Self = Self {
        stakes: [0.0; BETS],
        n: 0,
    };

    /// Bets on one p-value, by its bin.
    #[inline(always)]
    pub(super) fn observe(&mut self, bin: usize) {
        self.n = self.n.saturating_add(1);
        let start = START[self.n.ilog2() as usize] / BETS as f64;
        for (stake, payoff) in self.stakes.iter_mut().zip(&PAYOFFS[bin]) {
            *stake = capped((*stake + start) * payoff);
        }
    }

    /// Bets on `n` points at once of which no more is known than that `n_alarms` had p < `alarm_rate`.
    ///
    /// Each bet keeps its ratio and takes the alarm rate for its edge, if it can; all starts among the
    /// points are made at the first of them.
    pub(super) fn observe_alarms(&mut self, n: u64, n_alarms: u64, alarm_rate: f64) {
        let after = self.n.saturating_add(n);
        let start = (set_aside(self.n) - set_aside(after)).max(0.0) / BETS as f64;
        self.n = after;
        let (alarms, others) = (n_alarms as f64, n.saturating_sub(n_alarms) as f64);
        for (stake, (_, ratio)) in self.stakes.iter_mut().zip(EDGE_AND_RATIO) {
            let payoff = if ratio * TOLERANCE * alarm_rate < 1.0 {
                let otherwise = otherwise(alarm_rate, ratio);
                // Never infinite and never 0, so that no stake becomes NaN.
                exp(alarms * ln(ratio) + others * ln(otherwise))
            } else {
                1.0
            };
            *stake = capped((*stake + start) * payoff);
        }
    }

    /// M, positive and at most 8·10⁶; 1 at the start.
    #[inline(always)]
    pub(super) fn total(&self) -> f64 {
        let [a, b, c, d, e, f, g, h] = self.stakes;
        ((a + b) + (c + d)) + ((e + f) + (g + h)) + set_aside(self.n)
    }
}

#[inline(always)]
fn capped(stake: f64) -> f64 {
    if stake < STAKE_MAX { stake } else { STAKE_MAX }
}

#[cfg(test)]
mod tests {
    use super::super::histogram::bin_of;
    use super::*;

    #[test]
    fn no_bet_wins_in_expectation_at_the_tolerated_rate() {
        for (bet, (edge, ratio)) in EDGE_AND_RATIO.into_iter().enumerate() {
            assert!(
                EDGES.contains(&edge) && ratio * TOLERANCE * edge < 1.0,
                "{edge}"
            );
            // P(p < u) = min(1, c u) is the worst that is tolerated.
            let share = |bin: usize| {
                let cumulative = |u: f64| (TOLERANCE * u).min(1.0);
                cumulative(EDGES[bin + 1]) - cumulative(EDGES[bin])
            };
            let mean: f64 = (0..BINS).map(|bin| share(bin) * PAYOFFS[bin][bet]).sum();
            assert!((mean - 1.0).abs() < 1e-12, "{edge} {ratio}: {mean}");
            let decreasing = PAYOFFS.windows(2).all(|pair| pair[0][bet] >= pair[1][bet]);
            assert!(decreasing, "a rarer p-value has to lose");
            let uniform: f64 = (0..BINS)
                .map(|bin| (EDGES[bin + 1] - EDGES[bin]) * PAYOFFS[bin][bet])
                .sum();
            assert!(uniform < 1.0, "{edge} {ratio}: {uniform}");
        }
    }

    #[test]
    fn the_starts_add_up_to_one() {
        let mut taken = 0.0;
        for n in 1..=5_000_u64 {
            taken += START[n.ilog2() as usize];
            assert!((taken + set_aside(n) - 1.0).abs() < 1e-12, "{n}");
        }
        assert_eq!(set_aside(0), 1.0);
        let far: Vec<f64> = (0..64).map(|j| set_aside(1 << j)).collect();
        assert!(far.is_sorted_by(|a, b| a > b) && set_aside(u64::MAX) > 0.0);
    }

    #[test]
    fn one_point_of_columns_without_scores_is_worth_what_its_bin_is() {
        // At an alarm rate that is an edge, a bet on that edge sees the same in both forms.
        for (alarms, bin) in [(1, 0), (0, BINS - 1)] {
            let (mut one, mut other) = (Evidence::NONE, Evidence::NONE);
            one.observe(bin);
            other.observe_alarms(1, alarms, 1e-3);
            for bet in [5, 6] {
                let (one, other) = (one.stakes[bet], other.stakes[bet]);
                assert!(
                    (one / other - 1.0).abs() < 1e-12,
                    "{alarms} {bet}: {one} {other}"
                );
            }
        }
    }

    #[test]
    fn a_single_anomaly_after_any_calm_is_no_evidence_for_a_verdict() {
        let mut evidence = Evidence::NONE;
        for n in 0..10_000 {
            let mut struck = evidence;
            struck.observe(0);
            assert!(struck.total() < 100.0, "after {n}: {}", struck.total());
            // Multiples of the golden section are spread evenly: as calm as can be.
            let p = f64::from(n) * 0.618_033_988_749_894_9;
            evidence.observe(bin_of(p.fract()));
        }
    }
}
