//! The core of every model with an expected value that depends on the time alone.
//!
//! expected(t) = level + slope·h + Σ seasons(t) and scale(t) = scale · shape(t) · √fan(h), h the time
//! since the end of training, 0 before it. z = (value − expected) / scale is compared with a
//! [`Reference`], and the bounds are expected + z·scale at its quantiles, never closer than the
//! smallest deviation that matters to the user. Further from the training than it is long
//! (`extrapolated`) the reference has heavier tails, and the bounds lie further apart.
//!
//! A service holds millions of models, so a model is cut in two: what every score needs stands where the
//! model is kept, the rest is one allocation, and what moves with time is one more where anything does.

use crate::auto::Choice;
use crate::models::fan::Fan;
use crate::models::verdict::{Band, Rate, finite};
use crate::params::{ALARM_RATE_MIN, Direction, MinDeviation, TimeUnit};
use crate::score::{Score, Status};
use crate::seasons::Seasonality;
use crate::stats::elementary::{ln, within};
use crate::stats::empirical::Empirical;
use crate::stats::pareto::Reach;
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
    Empirical(Empirical),
}

/// A fitted model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Banded {
    pub(crate) level: f64,
    /// Unit of z, > 0.
    pub(crate) scale: f64,
    /// Bounds in scales: ≤ 0, infinite where there is none.
    pub(crate) z_lower: f64,
    /// Bounds in scales: ≥ 0, infinite where there is none.
    pub(crate) z_upper: f64,
    /// Bounds in scales far from the training, ≤ 0 and ≥ 0; the wider of these and the others counts.
    pub(crate) far: (f32, f32),
    pub(crate) rate: Rate,
    pub(crate) rest: Box<Rest>,
    /// Number of points the reference rests on.
    pub(crate) n: u32,
    pub(crate) kind: Kind,
    pub(crate) direction: Direction,
    pub(crate) time_unit: TimeUnit,
    /// Who chose the model, and why.
    pub(crate) choice: Choice,
}

/// What a model that stays where it is has besides.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rest {
    /// First and last tick of the training data.
    pub(crate) trained: (i64, i64),
    pub(crate) min_deviation: MinDeviation,
    /// What moves with time; `None` where nothing does.
    pub(crate) motion: Option<Box<Motion>>,
    pub(crate) reference: Reference,
}

/// How the expected value and its scale depend on the time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Motion {
    /// In values per tick.
    pub(crate) slope: f64,
    pub(crate) fan: Fan,
    pub(crate) seasonality: Option<Seasonality>,
}

impl Motion {
    /// Of a model that stays where it is.
    pub(crate) const NONE: Self = Self {
        slope: 0.0,
        fan: Fan::NONE,
        seasonality: None,
    };

    /// Boxed where anything moves.
    pub(crate) fn boxed(self) -> Option<Box<Self>> {
        let Fan {
            linear,
            quadratic,
            cubic,
        } = self.fan;
        // By bits, so that what is written again has the sign of every zero.
        let numbers = [self.slope, linear, quadratic, cubic];
        let moves = numbers.iter().any(|x| x.to_bits() != 0) || self.seasonality.is_some();
        moves.then(|| Box::new(self))
    }
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
    pub(crate) fn bounds(&self, alarm_rate: f64, direction: Direction, reach: Reach) -> (f64, f64) {
        let (lower, upper) = match self {
            // The caller that counts in sigmas knows its own bounds.
            Self::Normal => (f64::NEG_INFINITY, f64::INFINITY),
            Self::StudentT(t) => {
                let half = t.quantile(direction.two_sided(alarm_rate));
                (-half, half)
            }
            Self::Empirical(empirical) => {
                let side = match direction {
                    Direction::Both => 0.5 * alarm_rate,
                    Direction::Above | Direction::Below => alarm_rate,
                };
                (
                    empirical.lower_quantile(side, reach).min(0.0),
                    empirical.upper_quantile(side, reach).max(0.0),
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
    pub(crate) fn tail(&self, z: f64, direction: Direction, reach: Reach) -> Tail {
        let symmetric = match self {
            Self::Normal => normal::two_sided(z.abs()),
            Self::StudentT(t) => t.two_sided(z.abs()),
            Self::Empirical(empirical) => {
                return match direction {
                    Direction::Both => empirical.two_sided(z, reach),
                    Direction::Above => empirical.at_or_above(z, reach),
                    Direction::Below => empirical.at_or_below(z, reach),
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
            let z = self.deviation(&at, value);
            self.rest
                .reference
                .tail(z, self.direction, at.status.reach())
        } else {
            Tail::LEAST
        };
        let mut score = at.band.verdict(value, tail, self.rate, at.status);
        score.tail_extrapolated = score.p_value * (f64::from(self.n) + 1.0) < 1.0;
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
        let rest = &*self.rest;
        let (mut expected, mut scale) = (self.level, self.scale);
        if let Some(motion) = &rest.motion {
            let elapsed = self.elapsed(tick);
            expected = finite(expected + motion.slope * elapsed);
            if let Some(seasonality) = &motion.seasonality {
                let season = seasonality.at(tick);
                expected += finite(self.scale * season.offset);
                scale *= season.shape;
            }
            scale *= motion.fan.width(elapsed);
        }
        let expected = finite(expected);
        let scale = within(scale, f64::from_bits(1), f64::MAX);
        let MinDeviation { abs, rel } = rest.min_deviation;
        let least = larger(abs, rel * expected.abs());
        let status = self.status(tick);
        let (z_lower, z_upper) = match status {
            Status::Ok | Status::WarmingUp => (self.z_lower, self.z_upper),
            Status::Extrapolated => (
                -larger(-self.z_lower, -f64::from(self.far.0)),
                larger(self.z_upper, f64::from(self.far.1)),
            ),
        };
        let below = larger(-z_lower * scale, least);
        let above = larger(z_upper * scale, least);
        At {
            band: Band {
                expected,
                lower: finite(expected - below),
                upper: finite(expected + above),
            },
            scale,
            status,
        }
    }

    /// Ticks since the end of training, 0 before it.
    #[inline(always)]
    pub(crate) fn elapsed(&self, tick: i64) -> f64 {
        tick.saturating_sub(self.rest.trained.1).max(0) as f64
    }

    /// `extrapolated` further from the training range than it is long.
    #[inline(always)]
    pub(crate) fn status(&self, tick: i64) -> Status {
        // Both ends are 0 or later.
        let (from, to) = self.rest.trained;
        let span = to - from;
        if tick.saturating_sub(to) > span || from.saturating_sub(tick) > span {
            Status::Extrapolated
        } else {
            Status::Ok
        }
    }

    /// What the model knows of its seasons.
    pub(crate) fn seasonality(&self) -> Option<&Seasonality> {
        self.rest.motion.as_ref()?.seasonality.as_ref()
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
        let of_motion = |motion: &Motion| {
            let seasonality = motion
                .seasonality
                .as_ref()
                .map_or(0, Seasonality::heap_bytes);
            size_of::<Motion>() + seasonality
        };
        size_of::<Rest>() + self.rest.motion.as_deref().map_or(0, of_motion)
    }
}

impl Status {
    /// How far the history reaches where a point has this status.
    #[inline(always)]
    fn reach(self) -> Reach {
        match self {
            Self::Ok | Self::WarmingUp => Reach::Near,
            Self::Extrapolated => Reach::Far,
        }
    }
}

/// Unlike `f64::max` one instruction, because the numbers here are never NaN.
#[inline(always)]
fn larger(a: f64, b: f64) -> f64 {
    if a > b { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The allocator rounds 184 bytes up to 192 and anything larger to 224: of a million series that
    /// is the difference between 400 bytes each and more.
    #[test]
    fn what_a_steady_model_keeps_besides_is_small() {
        assert!(size_of::<Rest>() <= 184, "{}", size_of::<Rest>());
    }
}
