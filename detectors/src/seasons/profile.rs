//! The shape of one season: a value for each phase, linear in between.

use crate::stats::elementary::{ROUND, within};

/// Turns that can be rounded by adding [`ROUND`].
const TURNS_MAX: f64 = 2_251_799_813_685_248.0;

/// A periodic function of local time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Profile {
    /// In ticks, > 0.
    pub(crate) period: i64,
    /// Local tick at which the first knot lies.
    pub(crate) anchor: i64,
    /// Knots at equally spaced phases, at least 2.
    pub(crate) knots: Box<[f32]>,
    /// `1 / period`. Derived; kept because a division takes four times as long as a product.
    turns_per_tick: f64,
}

impl Profile {
    pub(crate) fn new(period: i64, anchor: i64, knots: Box<[f32]>) -> Self {
        Self {
            period,
            anchor,
            knots,
            turns_per_tick: 1.0 / period as f64,
        }
    }

    /// A profile of zeros.
    pub(crate) fn flat(period: i64, anchor: i64, n_knots: usize) -> Self {
        Self::new(period, anchor, vec![0.0; n_knots.max(2)].into())
    }

    /// The value at a local tick.
    #[inline(always)]
    pub(crate) fn at(&self, local: i64) -> f64 {
        self.at_phase(self.phase(local))
    }

    /// The value at a share of the period.
    #[inline(always)]
    pub(crate) fn at_phase(&self, phase: f64) -> f64 {
        let n = self.knots.len();
        let place = phase * f64::from(n as u32);
        // Half a step less to the nearest integer is the integer below. On an integer it may be the
        // one before that, which is as good: the line from there ends in the same knot.
        let shifted = (place - 0.5) + ROUND;
        let left = shifted.to_bits().wrapping_sub(ROUND.to_bits()) as u32 as usize;
        let share = place - (shifted - ROUND);
        // The phase may round to 1.
        let left = if left < n { left } else { 0 };
        let right = if left + 1 < n { left + 1 } else { 0 };
        let (a, b) = (f64::from(self.knots[left]), f64::from(self.knots[right]));
        a + (b - a) * share
    }

    /// Whether the phases of both are the same at every time.
    #[inline(always)]
    pub(crate) fn goes_with(&self, other: &Self) -> bool {
        (self.period, self.anchor) == (other.period, other.anchor)
    }

    /// The knot nearest to a local tick.
    pub(crate) fn nearest_knot(&self, local: i64) -> usize {
        let n = self.knots.len();
        let place = (self.phase(local) * n as f64 + 0.5) as usize;
        if place >= n { 0 } else { place }
    }

    /// Share of the period that has passed, in [0, 1].
    #[inline(always)]
    pub(crate) fn phase(&self, local: i64) -> f64 {
        // In floating point: a division of 64-bit integers takes ten times as long, and a conversion
        // to integers and back twice as long as the two sums that round. Beyond 2^51 turns, of which
        // no fraction would be left, the phase is 0.
        let turns = local.wrapping_sub(self.anchor) as f64 * self.turns_per_tick;
        let turns = within(turns, -TURNS_MAX, TURNS_MAX);
        let rest = turns - ((turns + ROUND) - ROUND);
        if rest < 0.0 { rest + 1.0 } else { rest }
    }

    /// Whether the numbers are ones a fit can give.
    pub(crate) fn is_sound(&self, knots_max: usize) -> bool {
        self.period > 0
            && (2..=knots_max).contains(&self.knots.len())
            && self.knots.iter().all(|knot| knot.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saw() -> Profile {
        Profile::new(40, 1_000, [0.0, 1.0, 2.0, 3.0].into())
    }

    #[test]
    fn knots_are_met_and_joined_by_lines() {
        let profile = saw();
        for turn in [-3, 0, 1, 7] {
            let at = |offset: i64| profile.at(1_000 + 40 * turn + offset);
            assert_eq!([0, 10, 20, 30].map(at), [0.0, 1.0, 2.0, 3.0]);
            assert_eq!((at(5), at(35)), (0.5, 1.5));
        }
    }

    #[test]
    fn the_nearest_knot_goes_round() {
        let profile = saw();
        assert_eq!(
            [0, 4, 6, 34, 36, 39].map(|offset| profile.nearest_knot(1_000 + offset)),
            [0, 0, 1, 3, 0, 0]
        );
    }

    #[test]
    fn the_ends_of_time_have_a_value() {
        for local in [i64::MIN, -1, 0, i64::MAX] {
            assert!((0.0..=3.0).contains(&saw().at(local)));
        }
    }
}
