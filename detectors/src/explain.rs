//! Why a point has its score, in numbers and in words, from what the model knows already.

use std::fmt::Write as _;

use crate::fitted::{Fitted, Inner};
use crate::models::banded::Banded;
use crate::models::fan::Fan;
use crate::params::{Direction, MinDeviation, PERIODS_MAX, TimeUnit};
use crate::score::{Score, Side, Status};

/// One reason.
#[derive(Debug, Clone, PartialEq)]
pub struct Reason {
    /// Stable code: `deviation`, `rank`, `expected`, `band`, `not_finite`.
    pub code: &'static str,
    /// A sentence for people.
    pub detail: String,
    /// The numbers in it, by name; each is finite.
    pub numbers: Vec<(&'static str, f64)>,
}

impl Fitted {
    /// Why a point has this score, the strongest reason first.
    ///
    /// `score` is that of [`score`](Self::score), or of
    /// [`score_columns`](Self::score_columns), of the same point.
    pub fn explain(&self, timestamp: i64, value: f64, score: &Score) -> Vec<Reason> {
        if !value.is_finite() {
            return vec![Reason {
                code: "not_finite",
                detail: "the value is not a finite number, which no normal point is".to_owned(),
                numbers: Vec::new(),
            }];
        }
        let (n, direction, scale) = match &self.inner {
            Inner::LocationScale(model) => (model.n, model.direction, model.scale),
            Inner::Banded(model) => (model.n.into(), model.direction, model.at(timestamp).scale),
            Inner::Windowed(model) => (model.n, Direction::Both, model.unit),
        };
        let mut reasons = vec![deviation(value, score, scale), rank(score, n, direction)];
        if let Inner::Banded(model) = &self.inner {
            reasons.extend(parts(model, timestamp, score));
            reasons.extend(band(model, timestamp, score));
        }
        reasons
    }
}

/// Names of the parts of the seasons, shortest first.
const SEASONS: [&str; PERIODS_MAX] = ["season", "season_2", "season_3"];

fn deviation(value: f64, score: &Score, scale: f64) -> Reason {
    let difference = finite(value - score.expected);
    let deviations = finite(difference / scale);
    let detail = match score.side {
        Side::Equal => format!("{value} is what was expected"),
        Side::Above | Side::Below => format!(
            "{value} is {} {} the expected {}, which is {} times the usual deviation at this time; \
             normal would be {}",
            short(difference.abs()),
            score.side,
            short(score.expected),
            short(deviations.abs()),
            interval(score),
        ),
    };
    Reason {
        code: "deviation",
        detail,
        numbers: vec![("difference", difference), ("deviations", deviations)],
    }
}

/// Where the point would stand among the deviations the model was calibrated with.
fn rank(score: &Score, n: u64, direction: Direction) -> Reason {
    let as_large = score.p_value * (n as f64 + 1.0) - 1.0;
    let sides = match direction {
        Direction::Both => "on either side",
        Direction::Above => "above",
        Direction::Below => "below",
    };
    let detail = if score.tail_extrapolated {
        format!(
            "none of {n} deviations of normal points is expected to be as large {sides}; the tail \
             beyond them gives it a probability of {}",
            short(score.p_value)
        )
    } else {
        format!(
            "of {n} deviations of normal points about {} are as large {sides}: a probability of {}",
            as_large.max(0.0).round(),
            short(score.p_value)
        )
    };
    Reason {
        code: "rank",
        detail,
        numbers: vec![
            ("n", n as f64),
            ("as_large", as_large.max(0.0)),
            ("p_value", score.p_value),
        ],
    }
}

/// What the expected value is made of, where it is made of anything.
fn parts(model: &Banded, timestamp: i64, score: &Score) -> Option<Reason> {
    let slope = model.rest.motion.as_ref().map_or(0.0, |m| m.slope);
    let trend = finite(slope * model.elapsed(timestamp));
    let mut numbers = vec![("level", model.level)];
    let mut detail = format!(
        "the expected {} is a level of {}",
        short(score.expected),
        short(model.level)
    );
    if slope != 0.0 {
        numbers.push(("trend", trend));
        let _ = write!(detail, ", a trend that has added {}", short(trend));
    }
    if let Some(seasonality) = model.seasonality() {
        let local = seasonality.clock.local(timestamp);
        for (season, name) in seasonality.seasons.iter().zip(SEASONS) {
            let part = finite(model.scale * season.at(local));
            numbers.push((name, part));
            let period = duration(season.period, model.time_unit);
            let _ = write!(detail, ", the season of {period} that adds {}", short(part));
        }
    }
    (numbers.len() > 1).then_some(Reason {
        code: "expected",
        detail,
        numbers,
    })
}

/// What made the band wider or narrower than it was in training on average.
fn band(model: &Banded, timestamp: i64, score: &Score) -> Option<Reason> {
    let fan = model.rest.motion.as_ref().map_or(Fan::NONE, |m| m.fan);
    let since = finite(fan.width(model.elapsed(timestamp)));
    let shape = model.seasonality().map_or(1.0, |s| s.at(timestamp).shape);
    let mut words = Vec::new();
    let mut numbers = Vec::new();
    if since > 1.0 {
        words.push(format!(
            "{} times as wide as at the end of training",
            short(since)
        ));
        numbers.push(("widened_since_training", since));
    }
    if shape != 1.0 {
        words.push(format!(
            "{} times as wide as on average at this phase of the season",
            short(shape)
        ));
        numbers.push(("width_at_phase", shape));
    }
    if score.status == Status::Extrapolated && model.far != (0.0, 0.0) {
        words.push(
            "wider than in training, because this point is further from it than it is long"
                .to_owned(),
        );
    }
    let MinDeviation { abs, rel } = model.rest.min_deviation;
    let least = abs.max(finite(rel * score.expected.abs()));
    if least > 0.0 {
        words.push(format!(
            "at least {} on each side because of min_deviation",
            short(least)
        ));
        numbers.push(("min_deviation", least));
    }
    (!words.is_empty()).then(|| Reason {
        code: "band",
        detail: format!("the band is {}", words.join(", and ")),
        numbers,
    })
}

fn interval(score: &Score) -> String {
    match (score.lower > -f64::MAX, score.upper < f64::MAX) {
        (true, true) => format!("[{}, {}]", short(score.lower), short(score.upper)),
        (true, false) => format!("{} or more", short(score.lower)),
        (false, true) => format!("{} or less", short(score.upper)),
        (false, false) => "any value".to_owned(),
    }
}

/// Four digits are enough for a sentence.
fn short(number: f64) -> String {
    let rounded: f64 = format!("{number:.3e}").parse().unwrap_or(number);
    if rounded == 0.0 || (1e-4..1e7).contains(&rounded.abs()) {
        format!("{rounded}")
    } else {
        format!("{rounded:e}")
    }
}

/// A period in the largest unit that divides it.
fn duration(ticks: i64, unit: TimeUnit) -> String {
    const UNITS: [(i64, &str); 5] = [
        (604_800, "week"),
        (86_400, "day"),
        (3_600, "hour"),
        (60, "minute"),
        (1, "second"),
    ];
    let per_second = unit.ticks_per_second();
    let seconds = ticks / per_second;
    let whole = UNITS
        .iter()
        .find(|(length, _)| ticks % per_second == 0 && seconds > 0 && seconds % length == 0);
    match whole {
        Some((length, name)) if seconds == *length => format!("one {name}"),
        Some((length, name)) => format!("{} {name}s", seconds / length),
        None => format!("{ticks} {unit}"),
    }
}

fn finite(number: f64) -> f64 {
    if number.is_nan() {
        return 0.0;
    }
    number.clamp(-f64::MAX, f64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MinDeviation, Params, Seasons, Series};

    fn fitted(params: &Params, value: impl Fn(i64) -> f64) -> Fitted {
        let timestamps: Vec<i64> = (0..600).map(|i| 3_600 * i).collect();
        let values: Vec<f64> = (0..600).map(value).collect();
        let series = Series::new(&timestamps, &values).unwrap();
        params.check().unwrap().fit(&series).unwrap()
    }

    fn explain(model: &Fitted, time: i64, value: f64) -> Vec<Reason> {
        model.explain(time, value, &model.score(time, value))
    }

    fn noise(i: i64) -> f64 {
        (i * 7_919 % 101) as f64 / 50.0 - 1.0
    }

    #[test]
    fn a_seasonal_model_tells_level_season_and_rank() {
        let params = Params {
            model: Some("seasonal".to_owned()),
            seasons: Some(Seasons::Periods(vec![86_400])),
            min_deviation: Some(MinDeviation { abs: 0.5, rel: 0.0 }),
            ..Params::default()
        };
        let model = fitted(&params, |i| {
            100.0 + noise(i) + if i % 24 == 9 { 50.0 } else { 0.0 }
        });
        let nine = 3_600 * (24 * 20 + 9);
        let reasons = explain(&model, nine, 100.0);
        let codes: Vec<_> = reasons.iter().map(|reason| reason.code).collect();
        assert_eq!(codes, ["deviation", "rank", "expected", "band"]);
        assert!(
            reasons[0].detail.starts_with("100 is "),
            "{}",
            reasons[0].detail
        );
        assert!(
            reasons[0].detail.contains(" below the expected "),
            "{}",
            reasons[0].detail
        );
        assert!(
            reasons[1].detail.starts_with("none of 600 deviations"),
            "{}",
            reasons[1].detail
        );
        assert!(
            reasons[2]
                .detail
                .contains("the season of one day that adds 4"),
            "{}",
            reasons[2].detail
        );
        let season = reasons[2]
            .numbers
            .iter()
            .find(|(name, _)| *name == "season")
            .unwrap()
            .1;
        assert!((40.0..55.0).contains(&season), "{season}");
    }

    #[test]
    fn the_parts_add_up_to_what_was_expected() {
        let params = Params {
            model: Some("holt_winters".to_owned()),
            seasons: Some(Seasons::Periods(vec![86_400])),
            ..Params::default()
        };
        let model = fitted(&params, |i| noise(i) + 0.5 * i as f64 + (i % 24) as f64);
        let time = 3_600 * 700;
        let expected = model.score(time, 0.0).expected;
        let reasons = explain(&model, time, 0.0);
        let parts = &reasons
            .iter()
            .find(|reason| reason.code == "expected")
            .unwrap()
            .numbers;
        let sum: f64 = parts.iter().map(|(_, part)| part).sum();
        assert!(
            (sum - expected).abs() < 1e-9 * expected.abs(),
            "{sum} {expected}"
        );
    }

    #[test]
    fn a_normal_point_has_a_rank_and_no_tail() {
        let model = fitted(&Params::default(), noise);
        let reasons = explain(&model, 0, model.interval(0).expected);
        assert!(reasons[0].detail.ends_with("is what was expected"));
        assert!(
            reasons[1].detail.starts_with("of "),
            "{}",
            reasons[1].detail
        );
        assert_eq!(explain(&model, 0, f64::NAN)[0].code, "not_finite");
    }

    #[test]
    fn durations_are_told_in_the_largest_whole_unit() {
        let told = |ticks, unit| duration(ticks, unit);
        assert_eq!(told(604_800, TimeUnit::Seconds), "one week");
        assert_eq!(told(7_200_000, TimeUnit::Milliseconds), "2 hours");
        assert_eq!(told(250, TimeUnit::Milliseconds), "250 ms");
        assert_eq!(told(90, TimeUnit::Seconds), "90 seconds");
    }
}
