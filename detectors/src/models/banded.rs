//! The core of every model with an expected value that depends on the time alone.
//!
//! expected(t) = level + slope·h + Σ seasons(t) and scale(t) = scale · shape(t) · √fan(h), h the time
//! since the end of training, 0 before it. z = (value − expected) / scale is compared with a
//! [`Reference`], and the bounds are expected + z·scale at its quantiles, never closer than the
//! smallest deviation that matters to the user.

use crate::auto::Choice;
use crate::models::fan::Fan;
use crate::models::verdict::{Band, Rate, finite};
use crate::params::{ALARM_RATE_MIN, Direction, MinDeviation, TimeUnit};
use crate::score::{Score, Status};
use crate::seasons::Seasonality;
use crate::stats::elementary::{ln, within};
use crate::stats::empirical::Empirical;
use crate::stats::student_t::StudentT;
use crate::stats::{Tail, normal};

/// Which model it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Gaussian,
    Robust,
    Ewma,
    HoltWinters,
    Seasonal,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gaussian => "gaussian",
            Self::Robust => "robust",
            Self::Ewma => "ewma",
            Self::HoltWinters => "holt_winters",
            Self::Seasonal => "seasonal",
        }
    }
}

/// The distribution of z for a normal point.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Reference {
    Normal,
    StudentT(StudentT),
    /// Ranks of held-out deviations and Pareto tails.
    Empirical(Box<Empirical>),
}

/// A fitted model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Banded {
    pub(crate) level: f64,
    /// In values per tick.
    pub(crate) slope: f64,
    /// Unit of z, > 0.
    pub(crate) scale: f64,
    /// First and last tick of the training data.
    pub(crate) trained: (i64, i64),
    pub(crate) fan: Fan,
    pub(crate) seasonality: Option<Box<Seasonality>>,
    pub(crate) reference: Reference,
    /// Bounds in scales: ≤ 0, infinite where there is none.
    pub(crate) z_lower: f64,
    /// Bounds in scales: ≥ 0, infinite where there is none.
    pub(crate) z_upper: f64,
    pub(crate) rate: Rate,
    pub(crate) min_deviation: MinDeviation,
    /// Number of points the reference rests on.
    pub(crate) n: u64,
    pub(crate) kind: Kind,
    pub(crate) direction: Direction,
    pub(crate) time_unit: TimeUnit,
    /// Who chose the model, and why.
    pub(crate) choice: Choice,
}

/// Expected value and scale at one time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At {
    pub(crate) band: Band,
    pub(crate) scale: f64,
    pub(crate) status: Status,
}

impl Rate {
    pub(crate) fn new(alarm_rate: f64) -> Self {
        // A band of very many or very few sigmas has a rate whose logarithm could not be divided
        // by; the bounds stay as asked for and p is held on its side of the rate.
        let alarm_rate = alarm_rate.clamp(ALARM_RATE_MIN, 1.0_f64.next_down());
        Self {
            alarm_rate,
            score_per_ln_p: 1.0 / ln(alarm_rate),
        }
    }
}

impl Reference {
    /// The bounds, in scales, that a normal point leaves with probability `alarm_rate`.
    pub(crate) fn bounds(&self, alarm_rate: f64, direction: Direction) -> (f64, f64) {
        let (lower, upper) = match self {
            // The caller that counts in sigmas knows its own bounds.
            Self::Normal => (f64::NEG_INFINITY, f64::INFINITY),
            Self::StudentT(t) => {
                let reach = t.quantile(direction.two_sided(alarm_rate));
                (-reach, reach)
            }
            Self::Empirical(empirical) => {
                let side = match direction {
                    Direction::Both => 0.5 * alarm_rate,
                    Direction::Above | Direction::Below => alarm_rate,
                };
                (
                    empirical.lower_quantile(side).min(0.0),
                    empirical.upper_quantile(side).max(0.0),
                )
            }
        };
        match direction {
            Direction::Both => (lower, upper),
            Direction::Above => (f64::NEG_INFINITY, upper),
            Direction::Below => (lower, f64::INFINITY),
        }
    }

    /// Probability of a deviation at least as far out in the direction that may alarm.
    #[inline(always)]
    pub(crate) fn tail(&self, z: f64, direction: Direction) -> Tail {
        let symmetric = match self {
            Self::Normal => normal::two_sided(z.abs()),
            Self::StudentT(t) => t.two_sided(z.abs()),
            Self::Empirical(empirical) => {
                return match direction {
                    Direction::Both => empirical.two_sided(z),
                    Direction::Above => empirical.at_or_above(z),
                    Direction::Below => empirical.at_or_below(z),
                };
            }
        };
        match direction {
            Direction::Both => symmetric,
            Direction::Above => symmetric.toward(z),
            Direction::Below => symmetric.toward(-z),
        }
    }
}

impl Banded {
    /// Scores a point.
    #[inline(always)]
    pub(crate) fn score(&self, tick: i64, value: f64) -> Score {
        let at = self.at(tick);
        let tail = if value.is_finite() {
            self.reference
                .tail(self.deviation(&at, value), self.direction)
        } else {
            Tail::LEAST
        };
        let mut score = at.band.verdict(value, tail, self.rate, at.status);
        score.tail_extrapolated = score.p_value * (self.n as f64 + 1.0) < 1.0;
        score
    }

    /// The decision alone.
    #[inline]
    pub(crate) fn is_anomaly(&self, tick: i64, value: f64) -> bool {
        self.at(tick).band.leaves_out(value)
    }

    /// The band, the scale and the status at a time.
    #[inline(always)]
    pub(crate) fn at(&self, tick: i64) -> At {
        let elapsed = tick.saturating_sub(self.trained.1).max(0) as f64;
        let mut expected = finite(self.level + self.slope * elapsed);
        let mut scale = self.scale;
        if let Some(seasonality) = &self.seasonality {
            let season = seasonality.at(tick);
            expected += finite(self.scale * season.offset);
            scale *= season.shape;
        }
        scale *= self.fan.width(elapsed);
        let expected = finite(expected);
        let scale = within(scale, f64::from_bits(1), f64::MAX);
        let MinDeviation { abs, rel } = self.min_deviation;
        let least = larger(abs, rel * expected.abs());
        let below = larger(-self.z_lower * scale, least);
        let above = larger(self.z_upper * scale, least);
        At {
            band: Band {
                expected,
                lower: finite(expected - below),
                upper: finite(expected + above),
            },
            scale,
            status: self.status(tick),
        }
    }

    /// `extrapolated` further from the training range than it is long.
    #[inline(always)]
    pub(crate) fn status(&self, tick: i64) -> Status {
        // Both ends are 0 or later.
        let (from, to) = self.trained;
        let span = to - from;
        if tick.saturating_sub(to) > span || from.saturating_sub(tick) > span {
            Status::Extrapolated
        } else {
            Status::Ok
        }
    }

    /// Deviation from the expected value in scales; infinite where that is beyond `f64`.
    #[inline(always)]
    pub(crate) fn deviation(&self, at: &At, value: f64) -> f64 {
        let deviation = value - at.band.expected;
        if deviation.is_finite() {
            deviation / at.scale
        } else {
            (value * 0.5 - at.band.expected * 0.5) / (at.scale * 0.5)
        }
    }

    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        let reference = match &self.reference {
            Reference::Normal | Reference::StudentT(_) => 0,
            Reference::Empirical(_) => size_of::<Empirical>(),
        };
        let seasonality = self.seasonality.as_ref().map_or(0, |s| s.bytes());
        size_of::<Self>() + reference + seasonality
    }
}

/// Unlike `f64::max` one instruction, because the numbers here are never NaN.
#[inline(always)]
fn larger(a: f64, b: f64) -> f64 {
    if a > b { a } else { b }
}
