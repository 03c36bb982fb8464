//! The shape of one season: a value for each phase, linear in between.

/// A periodic function of local time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Profile {
    /// In ticks, > 0.
    pub(crate) period: i64,
    /// Local tick at which the first knot lies.
    pub(crate) anchor: i64,
    /// Knots at equally spaced phases, at least 2.
    pub(crate) knots: Box<[f32]>,
}

impl Profile {
    /// A profile of zeros.
    pub(crate) fn flat(period: i64, anchor: i64, n_knots: usize) -> Self {
        Self {
            period,
            anchor,
            knots: vec![0.0; n_knots.max(2)].into(),
        }
    }

    /// The value at a local tick.
    #[inline(always)]
    pub(crate) fn at(&self, local: i64) -> f64 {
        let n = self.knots.len();
        let place = self.phase(local) * n as f64;
        // The phase may round to 1, and hostile bytes never get here: the index is held anyway.
        let left = (place as usize).min(n - 1);
        let right = if left + 1 == n { 0 } else { left + 1 };
        let (a, b) = (f64::from(self.knots[left]), f64::from(self.knots[right]));
        a + (b - a) * (place - left as f64)
    }

    /// The knot nearest to a local tick.
    pub(crate) fn nearest_knot(&self, local: i64) -> usize {
        let n = self.knots.len();
        let place = (self.phase(local) * n as f64 + 0.5) as usize;
        if place >= n { 0 } else { place }
    }

    /// Share of the period that has passed, in [0, 1].
    #[inline(always)]
    fn phase(&self, local: i64) -> f64 {
        // In floating point: a division of 64-bit integers takes ten times as long.
        let turns = local.wrapping_sub(self.anchor) as f64 / self.period as f64;
        let rest = turns - (turns as i64) as f64;
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
        Profile {
            period: 40,
            anchor: 1_000,
            knots: [0.0, 1.0, 2.0, 3.0].into(),
        }
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
