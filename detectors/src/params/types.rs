//! The types of the parameters.

use std::fmt;
use std::str::FromStr;

/// On which side of the expected value a point may raise an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// On either side.
    #[default]
    Both,
    /// Above only.
    Above,
    /// Below only.
    Below,
}

impl Direction {
    /// `"both"`, `"above"` or `"below"`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::Above => "above",
            Self::Below => "below",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A direction other than `both`, `above` and `below`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("direction must be \"both\", \"above\" or \"below\"")]
pub struct UnknownDirection;

impl FromStr for Direction {
    type Err = UnknownDirection;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "both" => Ok(Self::Both),
            "above" => Ok(Self::Above),
            "below" => Ok(Self::Below),
            _ => Err(UnknownDirection),
        }
    }
}

/// What one tick of a timestamp is; ticks count from 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimeUnit {
    /// Seconds.
    #[default]
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Microseconds.
    Microseconds,
    /// Nanoseconds.
    Nanoseconds,
}

impl TimeUnit {
    /// `"s"`, `"ms"`, `"us"` or `"ns"`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Seconds => "s",
            Self::Milliseconds => "ms",
            Self::Microseconds => "us",
            Self::Nanoseconds => "ns",
        }
    }

    /// Ticks in a second.
    pub fn ticks_per_second(self) -> i64 {
        match self {
            Self::Seconds => 1,
            Self::Milliseconds => 1_000,
            Self::Microseconds => 1_000_000,
            Self::Nanoseconds => 1_000_000_000,
        }
    }
}

impl fmt::Display for TimeUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A time unit other than `s`, `ms`, `us` and `ns`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("time_unit must be \"s\", \"ms\", \"us\" or \"ns\"")]
pub struct UnknownTimeUnit;

impl FromStr for TimeUnit {
    type Err = UnknownTimeUnit;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "s" => Ok(Self::Seconds),
            "ms" => Ok(Self::Milliseconds),
            "us" => Ok(Self::Microseconds),
            "ns" => Ok(Self::Nanoseconds),
            _ => Err(UnknownTimeUnit),
        }
    }
}

/// The smallest deviation from the expected value that may raise an alarm: the larger of both.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct MinDeviation {
    /// In the unit of the series, ≥ 0.
    pub abs: f64,
    /// As a share of the magnitude of the expected value, ≥ 0.
    pub rel: f64,
}

impl MinDeviation {
    /// Whether every deviation may raise an alarm.
    pub fn is_none(&self) -> bool {
        self.abs == 0.0 && self.rel == 0.0
    }
}

/// Which seasons a model is to have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Seasons {
    /// Those found in the history.
    #[default]
    Auto,
    /// These periods in ticks; an empty list is a model without season.
    Periods(Vec<i64>),
}

impl Seasons {
    /// The periods named; none where they are to be found.
    pub(crate) fn named(&self) -> &[i64] {
        match self {
            Self::Auto => &[],
            Self::Periods(periods) => periods,
        }
    }
}

/// A stretch of time, both ends included, that is left out of the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Excluded {
    /// First tick left out.
    pub from: i64,
    /// Last tick left out.
    pub to: i64,
}

/// What users said of stretches of the history, both ends included.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Feedback {
    /// Stretches of points that are expected: their like does not alarm.
    pub expected: Vec<Excluded>,
    /// Stretches that are left out of the history, as those excluded.
    pub left_out: Vec<Excluded>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_what_they_write() {
        for direction in [Direction::Both, Direction::Above, Direction::Below] {
            assert_eq!(direction.to_string().parse(), Ok(direction));
        }
        assert_eq!("Both".parse::<Direction>(), Err(UnknownDirection));
        for unit in [
            TimeUnit::Seconds,
            TimeUnit::Milliseconds,
            TimeUnit::Microseconds,
            TimeUnit::Nanoseconds,
        ] {
            assert_eq!(unit.to_string().parse(), Ok(unit));
        }
        assert_eq!("sec".parse::<TimeUnit>(), Err(UnknownTimeUnit));
    }
}
