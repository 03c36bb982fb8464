//! Expected values and bounds around the points, which every verdict has.

use super::constants::CONSTANTS;
use super::running;
use super::surprise::upper_tail;
use crate::models::verdict::{Band, Rate, finite};
use crate::score::{Score, Status};
use crate::stats::Tail;

/// A band around every point.
#[derive(Debug, Clone)]
pub(super) struct Bands {
    /// In the unit of the series.
    expected: Vec<f64>,
    reach: f64,
}

impl Bands {
    /// The expected value is the season, where there is one, and the median of what is left around
    /// the point; `rest` is the standardised series less that season.
    pub(super) fn around(
        values: &[f64],
        standardized: &[f64],
        rest: &[f64],
        alarm_rate: f64,
    ) -> Self {
        let level = running::medians(rest, CONSTANTS.expected_points);
        let left: Vec<f64> = rest.iter().zip(&level).map(|(a, b)| a - b).collect();
        let unit = Unit::of(values, standardized);
        let points = values.iter().zip(&left);
        let expected = points
            .map(|(value, left)| finite(value - finite(left * unit.0)))
            .collect();
        let mut distances: Vec<f64> = left.iter().map(|left| left.abs()).collect();
        Self {
            expected,
            reach: finite(exceeded_by(&mut distances, alarm_rate) * unit.0),
        }
    }

    /// The verdict on a point; its band agrees.
    pub(super) fn verdict(&self, index: usize, value: f64, tail: Tail, rate: Rate) -> Score {
        let expected = self.expected[index];
        let mut band = Band {
            expected,
            lower: finite(expected - self.reach),
            upper: finite(expected + self.reach),
        };
        band.agree(value, tail.p < rate.alarm_rate);
        let mut score = band.verdict(value, tail, rate, Status::Ok);
        score.tail_extrapolated = score.p_value * (self.expected.len() as f64 + 1.0) < 1.0;
        score
    }
}

/// The verdict on a point that is as all others are.
pub(super) fn of_itself(value: f64, rate: Rate) -> Score {
    let band = Band {
        expected: value,
        lower: value,
        upper: value,
    };
    band.verdict(value, Tail::of_p(1.0), rate, Status::Ok)
}

/// What one standard deviation is in the unit of the series.
#[derive(Debug, Clone, Copy)]
struct Unit(f64);

impl Unit {
    /// By the two points that lie furthest apart.
    fn of(values: &[f64], standardized: &[f64]) -> Self {
        let by_value = |a: &usize, b: &usize| standardized[*a].total_cmp(&standardized[*b]);
        let least = (0..values.len()).min_by(by_value).unwrap_or(0);
        let most = (0..values.len()).max_by(by_value).unwrap_or(0);
        // Halves, because the range of extreme values is more than `f64` holds.
        let range = 0.5 * values[most] - 0.5 * values[least];
        let deviations = standardized[most] - standardized[least];
        Self(finite(if deviations > 0.0 {
            range / deviations * 2.0
        } else {
            0.0
        }))
    }
}

/// The distance that so large a share of all exceeds.
fn exceeded_by(distances: &mut [f64], share: f64) -> f64 {
    let Some(tail) = upper_tail(distances, CONSTANTS.tail_share) else {
        return distances.first().copied().unwrap_or(0.0);
    };
    if share < f64::from(tail.beyond.mass) {
        return tail.quantile(share);
    }
    let place = ((1.0 - share) * (distances.len() - 1) as f64) as usize;
    *distances.select_nth_unstable_by(place, f64::total_cmp).1
}
