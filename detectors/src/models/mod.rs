//! The models, and the step from checked parameters to a fitted one.

pub(crate) mod banded;
pub(crate) mod draft;
mod expected;
pub(crate) mod fan;
pub(crate) mod gaussian;
pub(crate) mod history;
pub(crate) mod level;
pub(crate) mod location_scale;
pub(crate) mod robust;
pub(crate) mod seasonal;
pub(crate) mod shingles;
pub(crate) mod smoothing;
pub(crate) mod verdict;
pub(crate) mod windowed;

use std::borrow::Cow;
use std::cell::LazyCell;

use crate::auto::{self, Choice, Chosen};
use crate::fitted::Fitted;
use crate::online::tail_views::{Setup, TailViews, beside_the_calendar};
use crate::params::{CheckedParams, Direction, Excluded, Model, Seasons, TimeUnit};
use crate::seasons::{self, Clock, PERIODS_MAX};
use crate::series::Series;
use crate::stats::empirical::SAMPLE_MIN;
use banded::Banded;
use draft::Request;
use history::History;
use location_scale::LocationScale;

/// Why a series cannot be fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FitError {
    /// All values are equal, so there is no scale to measure a deviation by.
    #[error("all values are equal")]
    Constant,
    /// Too few points for the model.
    #[error("the model needs {needed} points, there are {got}")]
    TooFewPoints {
        /// Points the model needs.
        needed: usize,
        /// Points of the series that are not left out.
        got: usize,
    },
    /// The numerical method found nothing to go by in this history.
    #[error("the model does not fit these values: the method did not converge")]
    NotConverged,
    /// A season that the history does not hold twice.
    #[error("a season of {period} ticks needs a history of {needed} ticks, there are {got}")]
    PeriodTooLong {
        /// The period.
        period: i64,
        /// Ticks the history would have to span.
        needed: i64,
        /// Ticks it spans.
        got: i64,
    },
    /// A season shorter than two steps of the history.
    #[error("a season of {period} ticks is shorter than two steps of {step} ticks")]
    PeriodTooShort {
        /// The period.
        period: i64,
        /// Median distance of two points.
        step: i64,
    },
}

/// What a band is asked to be: the share of normal points outside it, and the sides it has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sensitivity {
    pub(crate) alarm_rate: f64,
    pub(crate) direction: Direction,
}

pub(crate) fn fit(params: &CheckedParams, series: &Series<'_>) -> Result<Fitted, FitError> {
    let left_out = [params.exclude(), params.feedback().left_out.as_slice()].concat();
    let (timestamps, values) = kept(series, &left_out);
    let series = series.with_columns(&timestamps, &values);
    let sensitivity = Sensitivity {
        alarm_rate: params.alarm_rate(),
        direction: params.direction(),
    };
    let request = Request {
        alarm_rate: params.alarm_rate(),
        direction: params.direction(),
        min_deviation: params.min_deviation(),
        time_unit: params.time_unit(),
        choice: Choice::Named,
    };
    require(&values, 2)?;
    let expected = expected::flags(&series, &params.feedback().expected);
    // Once, and not at all for what needs none of it: a mean is a fortieth of its cost.
    let history = LazyCell::new(|| History::of(&series));
    let (chosen, choice) = match params.kind() {
        Model::Gaussian(threshold) => {
            let model = gaussian::fit(&values, threshold, sensitivity, Choice::Named)?;
            (Chosen::LocationScale(model), Choice::Named)
        }
        Model::Robust if values.len() < SAMPLE_MIN => {
            let model = robust::fit(&values, sensitivity, Choice::Named)?;
            (Chosen::LocationScale(model), Choice::Named)
        }
        Model::Robust => (Chosen::Draft(robust::draft(&history)), Choice::Named),
        Model::Ewma => {
            require(&values, 3)?;
            (Chosen::Draft(smoothing::ewma(&history)), Choice::Named)
        }
        Model::HoltWinters => {
            require(&values, 3)?;
            let periods = periods_of(params, &history)?;
            let strongest = periods.last().copied();
            let draft = smoothing::holt_winters(&history, strongest, clock_of(params, &history));
            (Chosen::Draft(draft), Choice::Named)
        }
        Model::Seasonal => {
            require(&values, 3)?;
            let periods = periods_of(params, &history)?;
            let draft = seasonal::fit(&history, &periods, clock_of(params, &history));
            (Chosen::Draft(draft), Choice::Named)
        }
        Model::Windowed(shape) => {
            require(&values, 3)?;
            let mut model = windowed::fit(shape, &history, request)?;
            if let Some(flags) = &expected {
                model.expects(&series, flags);
            }
            return Ok(Fitted::from(model));
        }
        Model::TailViews => {
            let setup = Setup {
                alarm_rate: request.alarm_rate,
                time_unit: request.time_unit,
                clock: clock_of(params, &history),
                choice: Choice::Named,
                periods: match params.seasons() {
                    Seasons::Periods(_) => periods_of(params, &history)?,
                    Seasons::Auto => {
                        let found = periods_of(params, &history)?;
                        beside_the_calendar(found, params.time_unit())
                    }
                },
            };
            return Ok(Fitted::from(TailViews::learnt_from(setup, &series)));
        }
        Model::Auto => {
            let periods = periods_of(params, &history)?;
            auto::fit(
                &values,
                &history,
                &periods,
                clock_of(params, &history),
                sensitivity,
            )?
        }
    };
    let mut model = match chosen {
        Chosen::LocationScale(model) if is_plain(&request) && expected.is_none() => {
            return Ok(Fitted::from(model));
        }
        Chosen::LocationScale(model) => {
            let trained = (timestamps[0], timestamps[timestamps.len() - 1]);
            Banded::of_location_scale(&model, trained, request.chosen(choice))
        }
        Chosen::Draft(draft) => draft.into_model(&history, request.chosen(choice)),
    };
    if let Some(flags) = &expected {
        model.expects(&series, flags);
    }
    Ok(Fitted::from(model))
}

/// Whether a location-scale model can hold all that was asked for.
fn is_plain(request: &Request) -> bool {
    request.min_deviation.is_none() && request.time_unit == TimeUnit::Seconds
}

/// The points that are not left out.
fn kept<'a>(series: &Series<'a>, exclude: &[Excluded]) -> (Cow<'a, [i64]>, Cow<'a, [f64]>) {
    let (timestamps, values) = (series.timestamps(), series.values());
    if exclude.is_empty() {
        return (Cow::Borrowed(timestamps), Cow::Borrowed(values));
    }
    let mut keep = vec![true; timestamps.len()];
    for range in exclude {
        let from = timestamps.partition_point(|tick| *tick < range.from);
        let to = timestamps.partition_point(|tick| *tick <= range.to);
        keep[from..to].fill(false);
    }
    let chosen = |index: &usize| keep[*index];
    (
        (0..keep.len())
            .filter(chosen)
            .map(|i| timestamps[i])
            .collect(),
        (0..keep.len()).filter(chosen).map(|i| values[i]).collect(),
    )
}

/// The seasons asked for, checked against the history, or those found in it; shortest first.
fn periods_of(params: &CheckedParams, history: &History<'_>) -> Result<Vec<i64>, FitError> {
    let (span, step) = (history.length(), history.step);
    match params.seasons() {
        Seasons::Periods(periods) => {
            for &period in periods {
                if period < step.saturating_mul(2) {
                    return Err(FitError::PeriodTooShort { period, step });
                }
                let needed = period.saturating_mul(seasonal::CYCLES_MIN);
                if span < needed {
                    return Err(FitError::PeriodTooLong {
                        period,
                        needed,
                        got: span,
                    });
                }
            }
            Ok(periods.clone())
        }
        Seasons::Auto => {
            let ticks_per_second = params.time_unit().ticks_per_second();
            let found = seasons::detect(history.ticks, &history.values, ticks_per_second);
            let periods = found
                .iter()
                .map(|period| whole_steps(period.ticks, ticks_per_second, span, step));
            let fits = |period: &i64| {
                *period >= step.saturating_mul(2)
                    && period.saturating_mul(seasonal::CYCLES_MIN) <= span
            };
            let periods: Vec<i64> = periods.filter(fits).collect();
            let clock = clock_of(params, history);
            let periods = periods.into_iter().filter_map(|period| {
                if is_of_the_calendar(period, ticks_per_second) {
                    return Some(period);
                }
                seasonal::in_time(history, period, &clock).filter(fits)
            });
            let mut periods: Vec<i64> = periods.collect();
            periods.sort_unstable();
            periods.dedup();
            let week = unseen_week(&periods, ticks_per_second, span);
            Ok(seasonal::worth_having(history, periods, week, &clock))
        }
    }
}

/// The whole number of steps nearest to a period, where the history is too short to tell the two
/// apart: a season that is off by a part of a step walks away from its profile. One of whole minutes
/// is what the calendar says and stays.
fn whole_steps(period: i64, ticks_per_second: i64, span: i64, step: i64) -> i64 {
    if is_of_the_calendar(period, ticks_per_second) {
        return period;
    }
    let whole = (period + step / 2) / step * step;
    let resolution = 0.3 * period as f64 * period as f64 / span as f64;
    if ((whole - period).abs() as f64) < resolution.min(0.5 * step as f64) {
        whole
    } else {
        period
    }
}

/// The week, where there is a day and the history holds three weeks: two unusual days in seven make a
/// comb too faint for the spectrum, and whoever has days mostly has weeks.
fn unseen_week(periods: &[i64], ticks_per_second: i64, span: i64) -> Option<i64> {
    let (day, week) = (86_400 * ticks_per_second, 604_800 * ticks_per_second);
    let is_likely = periods.contains(&day) && periods.iter().all(|period| *period <= day);
    (is_likely && periods.len() < PERIODS_MAX && span / 3 >= week).then_some(week)
}

/// Whether it is a whole number of minutes that divides a day, a day, or a whole number of days.
fn is_of_the_calendar(period: i64, ticks_per_second: i64) -> bool {
    const DAY: i64 = 86_400;
    let (minute, day) = (60 * ticks_per_second, DAY * ticks_per_second);
    period % minute == 0 && (day % period == 0 || period % day == 0)
}

fn clock_of(params: &CheckedParams, history: &History<'_>) -> Clock {
    let (from, to) = history.range();
    let ticks_per_second = params.time_unit().ticks_per_second();
    params.zone().map_or_else(Clock::default, |zone| {
        Clock::new(zone, from, to, ticks_per_second)
    })
}

/// Refuses what no model can be fitted to.
fn require(values: &[f64], needed: usize) -> Result<(), FitError> {
    if values.len() < needed {
        return Err(FitError::TooFewPoints {
            needed,
            got: values.len(),
        });
    }
    if values.iter().all(|&value| value == values[0]) {
        return Err(FitError::Constant);
    }
    Ok(())
}

impl Banded {
    /// The same model with room for what the smaller one cannot hold.
    fn of_location_scale(model: &LocationScale, trained: (i64, i64), request: Request) -> Self {
        let reach = |bound: f64| {
            if bound.abs() < f64::MAX {
                (bound - model.center) / model.scale
            } else {
                bound.signum() * f64::INFINITY
            }
        };
        Self {
            level: model.center,
            scale: model.scale,
            z_lower: reach(model.lower).min(0.0),
            z_upper: reach(model.upper).max(0.0),
            rate: verdict::Rate::new(model.alarm_rate),
            rest: Box::new(banded::Rest {
                trained,
                min_deviation: request.min_deviation,
                motion: None,
                reference: match model.reference {
                    location_scale::Reference::Normal => banded::Reference::Normal,
                    location_scale::Reference::StudentT(t) => banded::Reference::StudentT(t),
                },
            }),
            far: (0.0, 0.0),
            n: u32::try_from(model.n).unwrap_or(u32::MAX),
            kind: match model.kind {
                location_scale::Kind::Gaussian => banded::Kind::Gaussian,
                location_scale::Kind::Robust | location_scale::Kind::RobustTied => {
                    banded::Kind::Robust
                }
            },
            direction: model.direction,
            time_unit: request.time_unit,
            choice: request.choice,
        }
    }
}
