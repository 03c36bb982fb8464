//! Why a point has its score, in numbers and in words, from what the model knows already.

mod sentences;

use sentences::Sentences;

use crate::fitted::{Fitted, Inner};
use crate::models::banded::Banded;
use crate::models::fan::Fan;
use crate::online::tail_views::TailViews;
use crate::online::views::FAMILY_NAMES;
use crate::params::{Direction, MinDeviation};
use crate::score::{Score, Side, Status};
use crate::seasons::PERIODS_MAX;

/// Reasons of one point at most.
const REASONS_MAX: usize = 4;

/// Numbers of one explanation at most: two, three, level, trend and seasons, three.
const NUMBERS_MAX: usize = 2 + 3 + (2 + PERIODS_MAX) + 3;

/// Bytes that the sentences of most points fit into.
const TEXT_BYTES: usize = 768;

/// Names of the parts of the seasons, shortest first.
const SEASONS: [&str; PERIODS_MAX] = ["season", "season_2", "season_3"];

/// One reason.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reason<'a> {
    /// Stable code: `deviation`, `rank`, `expected`, `band`, `evidence`, `not_finite`.
    pub code: &'static str,
    /// A sentence for people.
    pub detail: &'a str,
    /// The numbers in it, by name; each is finite.
    pub numbers: &'a [(&'static str, f64)],
}

/// Why one point has its score: at most four reasons, the strongest first.
///
/// Sentences are in one buffer and numbers in another, so that an explanation costs two allocations.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    text: Sentences,
    numbers: Vec<(&'static str, f64)>,
    ends: [End; REASONS_MAX],
    len: usize,
}

/// Where a reason ends.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct End {
    code: &'static str,
    text: usize,
    numbers: usize,
}

impl Explanation {
    fn new() -> Self {
        Self {
            text: Sentences::with_capacity(TEXT_BYTES),
            numbers: Vec::with_capacity(NUMBERS_MAX),
            ends: [End::default(); REASONS_MAX],
            len: 0,
        }
    }

    /// The reasons in order.
    pub fn reasons(&self) -> impl ExactSizeIterator<Item = Reason<'_>> {
        (0..self.len).map(|index| {
            let end = self.ends[index];
            let start = match index.checked_sub(1) {
                Some(before) => self.ends[before],
                None => End::default(),
            };
            Reason {
                code: end.code,
                detail: &self.text.as_str()[start.text..end.text],
                numbers: &self.numbers[start.numbers..end.numbers],
            }
        })
    }

    fn number(&mut self, name: &'static str, number: f64) {
        self.numbers.push((name, number));
    }

    /// What was written since the last reason is one, under this code.
    fn close(&mut self, code: &'static str) {
        self.ends[self.len] = End {
            code,
            text: self.text.len(),
            numbers: self.numbers.len(),
        };
        self.len += 1;
    }
}

impl Fitted {
    /// Why a point has this score, the strongest reason first.
    ///
    /// `score` is that of [`score`](Self::score), or of
    /// [`score_columns`](Self::score_columns), of the same point.
    pub fn explain(&self, timestamp: i64, value: f64, score: &Score) -> Explanation {
        let mut told = Explanation::new();
        if !value.is_finite() {
            told.text
                .words("the value is not a finite number, which no normal point is");
            told.close("not_finite");
            return told;
        }
        let (n, direction, scale) = match &self.inner {
            Inner::LocationScale(model) => (model.n, model.direction, model.scale),
            Inner::Banded(model) => (model.n.into(), model.direction, model.at(timestamp).scale),
            Inner::Windowed(model) => (model.n, Direction::Both, model.unit),
            Inner::TailViews(state) => (state.null.n, Direction::Both, state.usual_error()),
        };
        deviation(&mut told, value, score, scale);
        rank(&mut told, score, n, direction);
        if let Inner::Banded(model) = &self.inner {
            parts(&mut told, model, timestamp, score);
            band(&mut told, model, timestamp, score);
        }
        if let Inner::TailViews(state) = &self.inner {
            families(&mut told, state, timestamp, value);
        }
        told
    }
}

fn deviation(told: &mut Explanation, value: f64, score: &Score, scale: f64) {
    let difference = finite(value - score.expected);
    let deviations = finite(difference / scale);
    let text = told.text.exact(value);
    match score.side {
        Side::Equal => text.words(" is what was expected"),
        Side::Above | Side::Below => {
            text.words(" is ").short(difference.abs()).words(" ");
            text.words(score.side.as_str()).words(" the expected ");
            text.short(score.expected).words(", which is ");
            text.short(deviations.abs());
            text.words(" times the usual deviation at this time; normal would be ");
            interval(text, score)
        }
    };
    told.number("difference", difference);
    told.number("deviations", deviations);
    told.close("deviation");
}

/// Where the point would stand among the deviations the model was calibrated with.
fn rank(told: &mut Explanation, score: &Score, n: u64, direction: Direction) {
    let as_large = (score.p_value * (n as f64 + 1.0) - 1.0).max(0.0);
    let sides = match direction {
        Direction::Both => "on either side",
        Direction::Above => "above",
        Direction::Below => "below",
    };
    let text = &mut told.text;
    if score.tail_extrapolated {
        text.words("none of ").count(n);
        text.words(" deviations of normal points is expected to be as large ");
        text.words(sides);
        text.words("; the tail beyond them gives it a probability of ");
    } else {
        text.words("of ").count(n);
        text.words(" deviations of normal points about ");
        text.count(as_large.round() as u64).words(" are as large ");
        text.words(sides).words(": a probability of ");
    }
    text.short(score.p_value);
    told.number("n", n as f64);
    told.number("as_large", as_large);
    told.number("p_value", score.p_value);
    told.close("rank");
}

/// What the expected value is made of, where it is made of anything.
fn parts(told: &mut Explanation, model: &Banded, timestamp: i64, score: &Score) {
    let slope = model.rest.motion.as_ref().map_or(0.0, |m| m.slope);
    if slope == 0.0 && model.seasonality().is_none() {
        return;
    }
    let text = &mut told.text;
    text.words("the expected ").short(score.expected);
    text.words(" is a level of ").short(model.level);
    told.number("level", model.level);
    if slope != 0.0 {
        let trend = finite(slope * model.elapsed(timestamp));
        let text = told.text.words(", a trend that has added ");
        text.short(trend);
        told.number("trend", trend);
    }
    if let Some(seasonality) = model.seasonality() {
        let local = seasonality.clock.local(timestamp);
        for (season, name) in seasonality.seasons.iter().zip(SEASONS) {
            let part = finite(model.scale * season.at(local));
            let text = told.text.words(", the season of ");
            text.duration(season.period, model.time_unit);
            text.words(" that adds ").short(part);
            told.number(name, part);
        }
    }
    told.close("expected");
}

/// What looked unusual about the point, the strongest first, in decades of probability.
fn families(told: &mut Explanation, state: &TailViews, timestamp: i64, value: f64) {
    let seen = state.judge(timestamp, value).families;
    let mut families: Vec<(&'static str, f64)> = FAMILY_NAMES.into_iter().zip(seen).collect();
    families.sort_by(|a, b| b.1.total_cmp(&a.1));
    told.text.words("evidence, in decades of probability: ");
    for (index, (name, evidence)) in families.into_iter().enumerate() {
        let comma = if index > 0 { ", " } else { "" };
        told.text
            .words(comma)
            .words(name)
            .words(" ")
            .short(evidence);
        told.number(name, evidence);
    }
    told.close("evidence");
}

/// Why a band is wider than in training far from it.
const FAR: &str = "wider than in training, because this point is further from it than it is long";

/// What made the band wider or narrower than it was in training on average.
fn band(told: &mut Explanation, model: &Banded, timestamp: i64, score: &Score) {
    let fan = model.rest.motion.as_ref().map_or(Fan::NONE, |m| m.fan);
    let since = finite(fan.width(model.elapsed(timestamp)));
    let shape = model.seasonality().map_or(1.0, |s| s.at(timestamp).shape);
    let MinDeviation { abs, rel } = model.rest.min_deviation;
    let least = abs.max(finite(rel * score.expected.abs()));
    let mut before = "the band is ";
    let mut part = |name, number, words: [&str; 2]| {
        let text = told.text.words(before).words(words[0]);
        text.short(number).words(words[1]);
        told.number(name, number);
        before = ", and ";
    };
    if since > 1.0 {
        let words = ["", " times as wide as at the end of training"];
        part("widened_since_training", since, words);
    }
    if shape != 1.0 {
        let words = [
            "",
            " times as wide as on average at this phase of the season",
        ];
        part("width_at_phase", shape, words);
    }
    if least > 0.0 {
        let words = ["at least ", " on each side because of min_deviation"];
        part("min_deviation", least, words);
    }
    let is_far = score.status == Status::Extrapolated && model.far != (0.0, 0.0);
    if is_far {
        told.text.words(before).words(FAR);
    }
    if since > 1.0 || shape != 1.0 || least > 0.0 || is_far {
        told.close("band");
    }
}

fn interval<'a>(text: &'a mut Sentences, score: &Score) -> &'a mut Sentences {
    match (score.lower > -f64::MAX, score.upper < f64::MAX) {
        (true, true) => {
            text.words("[").short(score.lower).words(", ");
            text.short(score.upper).words("]")
        }
        (true, false) => text.short(score.lower).words(" or more"),
        (false, true) => text.short(score.upper).words(" or less"),
        (false, false) => text.words("any value"),
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

    fn explain(model: &Fitted, time: i64, value: f64) -> Explanation {
        model.explain(time, value, &model.score(time, value))
    }

    fn reasons(told: &Explanation) -> Vec<Reason<'_>> {
        told.reasons().collect()
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
        let told = explain(&model, nine, 100.0);
        let reasons = reasons(&told);
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
        let told = explain(&model, time, 0.0);
        let parts = reasons(&told)
            .into_iter()
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
        let told = explain(&model, 0, model.interval(0).expected);
        let expected = reasons(&told);
        assert!(expected[0].detail.ends_with("is what was expected"));
        let rank = expected[1].detail;
        assert!(rank.starts_with("of "), "{rank}");
        let told = explain(&model, 0, f64::NAN);
        assert_eq!(reasons(&told)[0].code, "not_finite");
    }
}
