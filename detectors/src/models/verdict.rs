//! The one decision rule, for every model that has a band.
//!
//! The comparison with the bounds decides. The tail probability is then moved to the right side of
//! the alarm rate where rounding, or a widened band, put it on the wrong one: see [`Score`].

use crate::params::Direction;
use crate::score::{Score, Side, Status};
use crate::stats::Tail;
use crate::stats::elementary::within;

/// The band at the time of a point.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Band {
    pub(crate) expected: f64,
    pub(crate) lower: f64,
    pub(crate) upper: f64,
}

/// An alarm rate with what a score needs of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rate {
    pub(crate) alarm_rate: f64,
    /// `1 / ln(alarm_rate)`. Derived; kept because a logarithm and a division would double the cost
    /// of a score.
    pub(crate) score_per_ln_p: f64,
}

impl Band {
    /// The decision. Negated so that NaN is outside.
    #[inline(always)]
    pub(crate) fn leaves_out(&self, value: f64) -> bool {
        !(value >= self.lower && value <= self.upper)
    }

    /// Moves the bound next to a finite value to the side that the decision wants it on.
    pub(crate) fn agree(&mut self, value: f64, anomaly: bool) {
        if !anomaly {
            self.lower = self.lower.min(value);
            self.upper = self.upper.max(value);
        } else if value > self.expected {
            self.upper = self.upper.min(value.next_down());
        } else if value < self.expected {
            self.lower = self.lower.max(value.next_up());
        } else {
            // After an anomaly no value may be normal, not even the one expected.
            self.expected = if value < f64::MAX {
                value.next_up()
            } else {
                value.next_down()
            };
            (self.lower, self.upper) = (self.expected, self.expected);
        }
    }

    /// The verdict on `value`, whose probability in the direction that may alarm is `tail`.
    #[inline(always)]
    pub(crate) fn verdict(&self, value: f64, tail: Tail, rate: Rate, status: Status) -> Score {
        let ratio = tail.ln_p * rate.score_per_ln_p;
        let anomaly = self.leaves_out(value);
        let (p_value, anomaly_score, severity) = if anomaly {
            let score = ratio.max(1.0_f64.next_up());
            (
                tail.p.min(rate.alarm_rate.next_down()),
                score,
                1.0 - 1.0 / score,
            )
        } else {
            // Adding zero turns −0 into 0.
            (
                within(tail.p, rate.alarm_rate, 1.0),
                within(ratio, 0.0, 1.0) + 0.0,
                0.0,
            )
        };
        // Looked up, because a branch would be guessed wrong every other time.
        let side = usize::from(value > self.expected) + 2 * usize::from(value < self.expected);
        Score {
            anomaly,
            anomaly_score,
            p_value,
            severity,
            expected: self.expected,
            lower: self.lower,
            upper: self.upper,
            side: [Side::Equal, Side::Above, Side::Below, Side::Equal][side],
            status,
            tail_extrapolated: false,
        }
    }
}

impl Direction {
    /// Two-sided probability of the deviation whose probability in this direction is `rate`.
    pub(crate) fn two_sided(self, rate: f64) -> f64 {
        match self {
            Self::Both => rate,
            Self::Above | Self::Below => 2.0 * rate,
        }
    }

    /// Probability in this direction of the deviation whose two-sided probability is `p`.
    pub(crate) fn rate_of(self, p: f64) -> f64 {
        match self {
            Self::Both => p,
            Self::Above | Self::Below => 0.5 * p,
        }
    }
}

/// Saturates; the values here are never NaN.
pub(crate) fn finite(value: f64) -> f64 {
    within(value, -f64::MAX, f64::MAX)
}
