//! The core of every model that judges a point by the window it completes.
//!
//! novelty(the last m points) is compared with the novelties of windows that were held out of the
//! fit: ranks, and a Pareto tail beyond them ([`Empirical`]). The model keeps the last m − 1 points of
//! its training; columns move that window along, one point after the other, so that the verdict on a
//! point depends on those before it in the request and on none after it. The training itself is judged
//! in its own windows: its first points, before which there is none, are not.
//!
//! The decision is novelty > its quantile at the alarm rate. Bounds are told as well, because every
//! reply has them: the expected value ± the distance at which held-out windows would have become
//! anomalies in the median, drawn in or out to have the value on the side that the decision says. They
//! show the reach of the model; they do not decide.

use crate::auto::Choice;
use crate::models::FitError;
use crate::models::draft::Request;
use crate::models::history::{History, POINTS_MAX};
use crate::models::shingles::{Core, Novelty, Shape, ShingleError};
use crate::models::verdict::{Band, Rate, finite};
use crate::params::TimeUnit;
use crate::score::{Score, Status};
use crate::stats::Tail;
use crate::stats::empirical::{Empirical, SAMPLE_MIN};
use crate::stats::order::median_of;
use crate::stats::pareto::Reach;

/// Share of the history the first fit learns from; the rest calibrates it.
const LEARNT: f64 = 0.6;

/// Held-out windows that the calibration is done with at most, the latest ones.
const CALIBRATED_MAX: usize = 4_096;

/// Held-out windows by which the reach of the band is measured.
const REACH_WINDOWS: usize = 33;

/// Longest reach of the band in standardised values.
const REACH_MAX: f64 = 1e3;

/// A fitted model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Windowed {
    pub(crate) core: Core,
    /// The last points of the training, standardised, oldest first: the window less its last point.
    pub(crate) context: Box<[f32]>,
    pub(crate) center: f64,
    /// Unit of standardised values, > 0.
    pub(crate) unit: f64,
    pub(crate) reference: Empirical,
    /// Largest normal novelty.
    pub(crate) threshold: f64,
    /// Distance of the bounds from the expected value, standardised.
    pub(crate) reach: f64,
    pub(crate) trained: (i64, i64),
    pub(crate) rate: Rate,
    /// Number of windows the reference rests on.
    pub(crate) n: u64,
    pub(crate) time_unit: TimeUnit,
    pub(crate) choice: Choice,
}

/// Fits a model of one shape.
pub(crate) fn fit(
    shape: Shape,
    history: &History<'_>,
    request: Request,
) -> Result<Windowed, FitError> {
    let values = &history.values;
    let too_few = FitError::TooFewPoints {
        needed: needed(shape.shortest()),
        got: values.len(),
    };
    let bears = |m: &usize| needed(*m) <= values.len();
    let windows = shape.shortest()..=shape.window(values);
    // A shorter window rather than no fit: the longest that leaves enough to calibrate with.
    let m = windows.rev().find(bears).ok_or(too_few)?;
    let refused = |error: ShingleError| match error {
        ShingleError::Constant => FitError::Constant,
        ShingleError::NotConverged => FitError::NotConverged,
        ShingleError::WindowLength { .. }
        | ShingleError::TooFewWindows { .. }
        | ShingleError::NotFinite { .. } => too_few,
    };
    let learnt = (LEARNT * values.len() as f64) as usize;
    let from = learnt.max(values.len().saturating_sub(CALIBRATED_MAX));
    let first = Core::fit(shape, &values[..learnt], m).map_err(refused)?;
    // Windows without a point that the first fit has seen.
    let held_out = &values[from..];
    let novelties = first.novelties(held_out, m);
    let reference = Empirical::fit(&novelties).ok_or(FitError::NotConverged)?;
    let threshold = reference
        .upper_quantile(request.alarm_rate, Reach::Near)
        .max(0.0);
    let reach = reach_of(&first, held_out, m, threshold);
    // The model that is kept has seen the held-out part as well. It knows more than the one that was
    // calibrated, so its novelties are no larger.
    let core = Core::fit(shape, values, m).map_err(refused)?;
    let context = values[values.len() + 1 - m..].iter();
    Ok(Windowed {
        core,
        context: context.map(|value| *value as f32).collect(),
        center: history.center,
        unit: history.unit,
        reference,
        threshold,
        reach,
        trained: history.range(),
        rate: Rate::new(request.alarm_rate),
        n: novelties.len() as u64,
        time_unit: request.time_unit,
        choice: request.choice,
    })
}

/// Points of a history that windows of m points can be fitted to and calibrated on.
fn needed(m: usize) -> usize {
    ((m + SAMPLE_MIN) as f64 / (1.0 - LEARNT)).ceil() as usize + m
}

/// Median distance from the expected value at which windows become anomalies.
fn reach_of(core: &Core, values: &[f64], m: usize, threshold: f64) -> f64 {
    let n = values.len() + 1 - m;
    let mut reaches = Vec::with_capacity(REACH_WINDOWS);
    for index in (0..REACH_WINDOWS).map(|i| i * (n - 1) / (REACH_WINDOWS - 1)) {
        let mut window = values[index..index + m].to_vec();
        let expected = expected_of(core, &window[..m - 1]);
        let mut is_anomaly = |distance: f64| {
            window[m - 1] = expected + distance;
            core.novelty(&window) > threshold
        };
        let (mut inside, mut outside) = (0.0, 0.125);
        while outside < REACH_MAX && !is_anomaly(outside) {
            inside = outside;
            outside *= 2.0;
        }
        for _ in 0..12 {
            let middle = 0.5 * (inside + outside);
            if is_anomaly(middle) {
                outside = middle;
            } else {
                inside = middle;
            }
        }
        reaches.push(inside);
    }
    median_of(&mut reaches)
}

/// What the model expects after a context; the last value where it has no notion of that.
fn expected_of(core: &Core, context: &[f64]) -> f64 {
    let last = context.last().copied().unwrap_or(0.0);
    core.expected(context)
        .filter(|value| value.is_finite())
        .unwrap_or(last)
}

impl Windowed {
    /// Length of a window.
    pub(super) fn m(&self) -> usize {
        self.context.len() + 1
    }

    /// Scores a point that follows the training.
    pub(crate) fn score(&self, tick: i64, value: f64) -> Score {
        let mut scores = Vec::with_capacity(1);
        self.score_columns(&[tick], &[value], |score| scores.push(score));
        scores.swap_remove(0)
    }

    /// Scores points one after the other, each in the window of those before it.
    pub(crate) fn score_columns(&self, ticks: &[i64], values: &[f64], mut each: impl FnMut(Score)) {
        let m = self.m();
        let mut series: Vec<f64> = self.context.iter().map(|value| f64::from(*value)).collect();
        series.extend(values.iter().map(|value| self.standardized(*value)));
        let novelties = self.core.novelties(&series, m);
        for (index, (tick, value)) in ticks.iter().zip(values).enumerate() {
            let expected = expected_of(&self.core, &series[index..index + m - 1]);
            each(self.verdict(*tick, *value, novelties[index], expected));
        }
    }

    /// Scores the points from `from` on of the history that the model was fitted to, each in the window
    /// of those before it; none where there is no whole window.
    pub(crate) fn score_history(
        &self,
        ticks: &[i64],
        values: &[f64],
        from: usize,
        mut each: impl FnMut(Option<Score>),
    ) {
        let m = self.m();
        let unread = values.len().saturating_sub(POINTS_MAX);
        let series = values[unread..]
            .iter()
            .map(|value| self.standardized(*value));
        let series: Vec<f64> = series.collect();
        let judged = from.max(unread + m - 1).min(values.len());
        (from..judged).for_each(|_| each(None));
        if judged == values.len() {
            return;
        }
        let first = judged - unread + 1 - m;
        let novelties = self.core.training_novelties(&series, m, first);
        for (index, novelty) in novelties.into_iter().enumerate() {
            let context = &series[first + index..][..m - 1];
            let (tick, value) = (ticks[judged + index], values[judged + index]);
            let expected = expected_of(&self.core, context);
            each(Some(self.verdict(tick, value, novelty, expected)));
        }
    }

    /// The band around the point that follows the training.
    pub(crate) fn band(&self) -> Band {
        let context: Vec<f64> = self.context.iter().map(|value| f64::from(*value)).collect();
        self.band_about(expected_of(&self.core, &context))
    }

    fn band_about(&self, expected: f64) -> Band {
        let at = |standardized: f64| finite(self.center + finite(self.unit * standardized));
        Band {
            expected: at(expected),
            lower: at(expected - self.reach),
            upper: at(expected + self.reach),
        }
    }

    fn verdict(&self, tick: i64, value: f64, novelty: f64, expected: f64) -> Score {
        let mut band = self.band_about(expected);
        let tail = if value.is_finite() {
            let anomaly = novelty > self.threshold;
            band.agree(value, anomaly);
            self.reference.at_or_above(novelty, Reach::Near)
        } else {
            Tail::LEAST
        };
        let mut score = band.verdict(value, tail, self.rate, self.status(tick));
        score.tail_extrapolated = score.p_value * (self.n as f64 + 1.0) < 1.0;
        score
    }

    /// `extrapolated` further from the training range than it is long.
    pub(crate) fn status(&self, tick: i64) -> Status {
        let (from, to) = self.trained;
        let span = to.saturating_sub(from);
        if tick > to.saturating_add(span) || tick < from.saturating_sub(span) {
            Status::Extrapolated
        } else {
            Status::Ok
        }
    }

    /// As the history was; a value that is none counts as the median, so that the windows after it
    /// have one.
    pub(super) fn standardized(&self, value: f64) -> f64 {
        if !value.is_finite() {
            return 0.0;
        }
        let deviation = (value * 0.5 - self.center * 0.5) / (self.unit * 0.5);
        deviation.clamp(-History::LARGEST, History::LARGEST)
    }

    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        size_of::<Self>() + self.core.heap_bytes() + self.context.len() * size_of::<f32>()
    }
}
