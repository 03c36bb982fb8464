//! The core that `gaussian` and `robust` share: center, scale, a reference distribution.
//!
//! z = (value − center) / scale is compared with the reference; the bounds are center ± k·scale
//! with k the quantile of the reference at the alarm rate. The bounds decide and the tail
//! probability agrees with them by construction (see [`Score`]).

use super::verdict::{Band, Rate, finite};
use crate::auto::Choice;
use crate::params::{ALARM_RATE_MIN, Direction};
use crate::score::{Score, Status};
use crate::stats::elementary::ln;
use crate::stats::student_t::StudentT;
use crate::stats::{Tail, normal};

/// Which estimates the center and the scale are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Mean and standard deviation.
    Gaussian,
    /// Median and median absolute deviation.
    Robust,
    /// Median and mean absolute deviation: over half of the values are equal.
    RobustTied,
}

/// The distribution of z for a normal point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Reference {
    Normal,
    StudentT(StudentT),
}

/// What a fit found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Estimate {
    pub(crate) center: f64,
    /// Scale of the deviation of one new point.
    pub(crate) scale: f64,
    pub(crate) reference: Reference,
    /// Distance from the center to a bound, in scales.
    pub(crate) half_width: f64,
    pub(crate) alarm_rate: f64,
}

/// A fitted location-scale model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct LocationScale {
    pub(crate) center: f64,
    pub(crate) scale: f64,
    pub(crate) alarm_rate: f64,
    pub(crate) lower: f64,
    pub(crate) upper: f64,
    /// `1 / ln(alarm_rate)`. Derived; kept because a logarithm and a division would double the cost
    /// of a score.
    score_per_ln_p: f64,
    pub(crate) n: u64,
    pub(crate) reference: Reference,
    pub(crate) direction: Direction,
    pub(crate) kind: Kind,
    pub(crate) choice: Choice,
}

/// What is written down of a model; the rest is derived.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts {
    pub(crate) center: f64,
    pub(crate) scale: f64,
    pub(crate) alarm_rate: f64,
    pub(crate) lower: f64,
    pub(crate) upper: f64,
    pub(crate) n: u64,
    pub(crate) reference: Reference,
    pub(crate) direction: Direction,
    pub(crate) kind: Kind,
    pub(crate) choice: Choice,
}

impl LocationScale {
    pub(crate) fn new(
        kind: Kind,
        choice: Choice,
        n: usize,
        direction: Direction,
        band: Estimate,
    ) -> Self {
        let center = finite(band.center);
        let scale = finite(band.scale).max(f64::from_bits(1));
        let reach = band.half_width * scale;
        let (lower, upper) = match direction {
            Direction::Both => (center - reach, center + reach),
            Direction::Above => (-f64::MAX, center + reach),
            Direction::Below => (center - reach, f64::MAX),
        };
        Self::from_parts(Parts {
            center,
            scale,
            // A band of very many or very few sigmas has a rate whose logarithm could not be
            // divided by; the bounds stay as asked for and p is held on its side of the rate.
            alarm_rate: band.alarm_rate.clamp(ALARM_RATE_MIN, 1.0_f64.next_down()),
            lower: finite(lower),
            upper: finite(upper),
            n: n as u64,
            reference: band.reference,
            direction,
            kind,
            choice,
        })
    }

    pub(crate) fn from_parts(parts: Parts) -> Self {
        let Parts {
            center,
            scale,
            alarm_rate,
            lower,
            upper,
            n,
            reference,
            direction,
            kind,
            choice,
        } = parts;
        Self {
            center,
            scale,
            alarm_rate,
            lower,
            upper,
            score_per_ln_p: 1.0 / ln(alarm_rate),
            n,
            reference,
            direction,
            kind,
            choice,
        }
    }

    pub(crate) fn score(&self, value: f64) -> Score {
        match self.reference {
            Reference::Normal => self.score_with(value, normal::two_sided),
            Reference::StudentT(t) => self.score_with(value, |z| t.two_sided(z)),
        }
    }

    pub(crate) fn score_column(&self, values: &[f64], mut each: impl FnMut(Score)) {
        match self.reference {
            Reference::Normal => {
                for &value in values {
                    each(self.score_with(value, normal::two_sided));
                }
            }
            Reference::StudentT(t) => {
                for &value in values {
                    each(self.score_with(value, |z| t.two_sided(z)));
                }
            }
        }
    }

    /// The decision. Negated so that NaN is outside.
    #[inline]
    pub(crate) fn is_anomaly(&self, value: f64) -> bool {
        !(value >= self.lower && value <= self.upper)
    }

    #[inline(always)]
    fn score_with(&self, value: f64, two_sided: impl Fn(f64) -> Tail) -> Score {
        if !value.is_finite() {
            return self.verdict(value, Tail::LEAST);
        }
        let z = self.standardize(value);
        let tail = two_sided(z.abs());
        let tail = match self.direction {
            Direction::Both => tail,
            Direction::Above => tail.toward(z),
            Direction::Below => tail.toward(-z),
        };
        self.verdict(value, tail)
    }

    #[inline(always)]
    fn verdict(&self, value: f64, tail: Tail) -> Score {
        let band = Band {
            expected: self.center,
            lower: self.lower,
            upper: self.upper,
        };
        let rate = Rate {
            alarm_rate: self.alarm_rate,
            score_per_ln_p: self.score_per_ln_p,
        };
        let mut score = band.verdict(value, tail, rate, Status::Ok);
        score.tail_extrapolated = score.p_value * (self.n as f64 + 1.0) < 1.0;
        score
    }

    /// Deviation from the center in scales; infinite where that is beyond `f64`.
    #[inline(always)]
    fn standardize(&self, value: f64) -> f64 {
        let deviation = value - self.center;
        if deviation.is_finite() {
            deviation / self.scale
        } else {
            (value * 0.5 - self.center * 0.5) / (self.scale * 0.5)
        }
    }
}
