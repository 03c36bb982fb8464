//! Which kind of request comes when: smooth weighted round robin, so that a mix is spread evenly and
//! its shares are exact over every period.
//!
//! In each step every kind's credit grows by its weight, the kind with most credit (the first of
//! equals) takes the turn and pays the sum of all weights. After as many steps as that sum all
//! credits are 0 again, and each kind had as many turns as its weight says.

/// Turns of several kinds, repeated for ever.
#[derive(Debug)]
pub(super) struct Interleave {
    turns: Vec<Turn>,
    lane_weights: Vec<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Turn {
    kind: usize,
    lane: usize,
    /// Turns of its lane before this one in the period.
    rank: u64,
}

impl Interleave {
    /// `kinds` are weights, each with its lane: kinds of one lane are counted together. No weight
    /// is 0.
    pub(super) fn new(kinds: &[(u32, usize)]) -> Self {
        let common = kinds
            .iter()
            .fold(0, |common, &(weight, _)| gcd(common, weight));
        let weights: Vec<i64> = kinds
            .iter()
            .map(|&(weight, _)| i64::from(weight / common.max(1)))
            .collect();
        let period: i64 = weights.iter().sum();
        let lanes = kinds.iter().map(|&(_, lane)| lane + 1).max().unwrap_or(0);
        let mut lane_weights = vec![0; lanes];
        let mut credits = vec![0; weights.len()];
        let turns = (0..period).filter_map(|_| {
            for (credit, weight) in credits.iter_mut().zip(&weights) {
                *credit += weight;
            }
            // `max_by_key` takes the last of equals, so that the row is read from its end.
            let kind = (0..credits.len()).rev().max_by_key(|&kind| credits[kind])?;
            credits[kind] -= period;
            let lane = kinds[kind].1;
            let rank = lane_weights[lane];
            lane_weights[lane] += 1;
            Some(Turn { kind, lane, rank })
        });
        Self {
            turns: turns.collect(),
            lane_weights,
        }
    }

    /// The kind that request `index` is of, and how many of its lane came before it.
    pub(super) fn turn(&self, index: u64) -> (usize, u64) {
        let period = self.turns.len() as u64;
        let turn = self.turns[(index % period) as usize];
        let before = index / period * self.lane_weights[turn.lane] + turn.rank;
        (turn.kind, before)
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn own_lanes(weights: &[u32]) -> Interleave {
        let kinds: Vec<_> = weights.iter().copied().zip(0..).collect();
        Interleave::new(&kinds)
    }

    #[test]
    fn a_small_mix_is_spread() {
        let mix = own_lanes(&[5, 1, 1]);
        let kinds: Vec<_> = (0..7).map(|index| mix.turn(index).0).collect();
        assert_eq!(kinds, [0, 0, 1, 0, 2, 0, 0]);
    }

    proptest! {
        #[test]
        fn shares_are_exact_over_every_period(
            weights in prop::collection::vec(1_u32..50, 1..6),
            from in 0_u64..1_000_000,
        ) {
            let mix = own_lanes(&weights);
            let period: u32 = weights.iter().sum();
            let mut counts = vec![0; weights.len()];
            for index in from..from + u64::from(period) {
                counts[mix.turn(index).0] += 1;
            }
            prop_assert_eq!(counts, weights);
        }

        /// A kind is never more than half a turn a competitor away from its share.
        #[test]
        fn every_beginning_is_close_to_the_shares(
            weights in prop::collection::vec(1_u32..50, 2..6),
        ) {
            let mix = own_lanes(&weights);
            let period: u32 = weights.iter().sum();
            let mut counts = vec![0.0; weights.len()];
            for index in 0..u64::from(period) {
                counts[mix.turn(index).0] += 1.0;
                for (count, weight) in counts.iter().zip(&weights) {
                    let due = (index + 1) as f64 * f64::from(*weight) / f64::from(period);
                    prop_assert!((count - due).abs() < weights.len() as f64 / 2.0);
                }
            }
        }

        /// The turns of a lane are numbered 0, 1, 2, … whichever of its kinds they are of.
        #[test]
        fn lanes_are_numbered_without_gaps(
            kinds in prop::collection::vec((1_u32..20, 0_usize..3), 1..6),
        ) {
            let mix = Interleave::new(&kinds);
            let mut next = [0; 3];
            for index in 0..500 {
                let (kind, before) = mix.turn(index);
                let lane = kinds[kind].1;
                prop_assert_eq!(before, next[lane]);
                next[lane] += 1;
            }
        }
    }
}
