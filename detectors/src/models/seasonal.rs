//! `seasonal`: level + slope·h + Σ profiles(phase of local time), the scale following the phase.
//!
//! 1. The trend is taken out: STL (Cleveland, Cleveland, McRae & Terpenning 1990; MSTL, Bandara,
//!    Hyndman & Bergmeir 2021) of the history on a regular grid.
//! 2. A profile for each period, shortest first: the median of each phase of what the other profiles
//!    leave (backfitting). Medians, not STL's own seasonal component, because they need no regular
//!    step, and one outage in the history does not move them.
//! 3. Deviations by folds of whole cycles: those of a fold from the profiles of the other folds and
//!    from the level as it would have been forecast. Never from a profile the point had a part in.
//! 4. The scale of each coarse phase, shrunk to the global one by as many points as 20.
//! 5. The distribution of the scaled deviations: [`Empirical`](crate::stats::empirical::Empirical).

use crate::models::banded::Kind;
use crate::models::draft::{Draft, scale_of};
use crate::models::fan::Fan;
use crate::models::history::{History, MAD_TO_STD};
use crate::models::level::{Blocks, Course, Line};
use crate::seasons::{Clock, PERIODS_MAX, Profile, Seasonality, timing, trend};
use crate::stats::order::median_of;

/// Cycles a history has to hold of a period at least, so that one can be held out.
pub(crate) const CYCLES_MIN: i64 = 2;

/// Knots of the profiles by the number of seasons, shortest first.
const KNOTS: [&[usize]; PERIODS_MAX + 1] = [&[], &[288], &[288, 168], &[288, 168, 84]];

/// Knots of the scale's profile at most.
const SHAPE_KNOTS: usize = 48;

/// Points of a phase that count as much as the global scale.
const SHRINKAGE: f64 = 20.0;

/// Factor of the scale at a phase.
const SHAPE_RANGE: std::ops::RangeInclusive<f64> = 0.2..=20.0;

const FOLDS: usize = 5;

/// A season has to make the mean held-out deviation smaller by this factor.
const WORTH_HAVING: f64 = 1.01;

/// A season that was looked for on suspicion has to make it smaller by this.
const CLEARLY_BETTER: f64 = 0.93;

/// A profile moved as far as its phase has wandered may make the mean deviation larger by this.
const OUT_OF_STEP: f64 = 1.2;

/// Deviations beyond this many units of the history count as this many when seasons are compared.
const LARGE: f64 = 10.0;

/// Blocks the level is followed by.
const BLOCKS: usize = 16;

/// Fits profiles of `periods` (ticks, shortest first, at most three; none is a model of level alone).
pub(crate) fn fit(history: &History<'_>, periods: &[i64], clock: Clock) -> Draft {
    let local: Vec<i64> = history
        .ticks
        .iter()
        .map(|tick| clock.local(*tick))
        .collect();
    let flat = flat_profiles(history, &local, periods);
    let detrended = trend::removed(history, &flat, &local);
    let all = |_: usize| true;
    let profiles = backfitted(&flat, &local, &detrended, all);
    let rest: Vec<f64> = history
        .values
        .iter()
        .zip(&local)
        .map(|(value, local)| value - sum_at(&profiles, *local))
        .collect();

    let n_blocks = blocks_of(history, periods);
    let blocks = Blocks::of(history.ticks, &rest, n_blocks);
    let course = blocks.course();
    let last = (history.span() as f64 - *blocks.times.last().unwrap_or(&0.0)).max(0.0);
    let line = Line::through(&blocks.times, &blocks.medians);
    let (level, slope) = match course {
        Course::Steady => (median_of(&mut rest.clone()), 0.0),
        Course::Wandering => (*blocks.medians.last().unwrap_or(&0.0), 0.0),
        Course::Trending => (line.at(history.span() as f64), line.slope),
    };

    let folds = folds_of(history, periods, FOLDS);
    let mut deviations = held_out(history, &flat, &local, &detrended, &folds, &blocks, course);
    let scale = scale_of(&deviations);
    let fan = match course {
        Course::Steady => Fan::NONE,
        Course::Wandering | Course::Trending => {
            let linear = blocks.variance_per_tick() / (scale * scale);
            // The level was measured half a block before the end.
            let since = 1.0 + linear * last;
            Fan {
                linear: linear / since,
                ..Fan::NONE
            }
        }
    };
    let shape = shape_of(&flat, &local, &deviations, scale);
    for (deviation, local) in deviations.iter_mut().zip(&local) {
        *deviation /= scale * shape.as_ref().map_or(1.0, |shape| shape.at(*local));
    }
    let seasons = profiles
        .into_iter()
        .map(|profile| scaled(profile, scale))
        .collect();
    Draft {
        kind: Kind::Seasonal,
        level,
        slope,
        scale,
        fan,
        seasonality: (!periods.is_empty()).then_some(Seasonality {
            clock,
            seasons,
            shape,
        }),
        held_out: deviations,
    }
}

/// A period made right by the drift of its phase; `None` where the phase wanders so that its profile
/// would soon be out of step.
pub(crate) fn in_time(history: &History<'_>, period: i64, clock: &Clock) -> Option<i64> {
    let local: Vec<i64> = history
        .ticks
        .iter()
        .map(|tick| clock.local(*tick))
        .collect();
    let values = &history.values;
    let profile = |period: i64| {
        let flat = flat_profiles(history, &local, &[period]);
        backfitted(&flat, &local, values, |_| true).swap_remove(0)
    };
    let mut profile_now = profile(period);
    let Some(drifted) = timing::measure(&local, values, &profile_now) else {
        return Some(period);
    };
    let period = (drifted.period.round() as i64).max(1);
    if period != profile_now.period {
        profile_now = profile(period);
    }
    let wander = timing::measure(&local, values, &profile_now)?.wander;
    let error = |late: i64| -> f64 {
        let rest = values.iter().zip(&local);
        let rest: Vec<f64> = rest
            .map(|(value, at)| value - profile_now.at(at.saturating_sub(late)))
            .collect();
        let level = median_of(&mut rest.clone());
        rest.iter()
            .map(|rest| (rest - level).abs().min(LARGE))
            .sum()
    };
    (error(wander.round() as i64) <= OUT_OF_STEP * error(0)).then_some(period)
}

/// Mean deviation of what was held out, with these seasons.
fn held_out_error(
    history: &History<'_>,
    local: &[i64],
    folds: &(Vec<usize>, usize),
    periods: &[i64],
) -> f64 {
    let flat = flat_profiles(history, local, periods);
    let none = Blocks::of(&[], &[], 0);
    let values = &history.values;
    let deviations = held_out(history, &flat, local, values, folds, &none, Course::Steady);
    let sizes = deviations
        .iter()
        .map(|deviation| deviation.abs().min(LARGE));
    sizes.sum::<f64>() / history.len().max(1) as f64
}

/// The seasons found, with `longer` beside them where it makes what was held out clearly better
/// known, less those that do not help.
pub(crate) fn worth_having(
    history: &History<'_>,
    mut periods: Vec<i64>,
    longer: Option<i64>,
    clock: &Clock,
) -> Vec<i64> {
    if longer.is_none() && periods.len() < 2 {
        return periods;
    }
    let local: Vec<i64> = history
        .ticks
        .iter()
        .map(|tick| clock.local(*tick))
        .collect();
    // The same two halves for all: what is compared are seasons and not ways to hold out.
    let all = [&periods[..], longer.as_slice()].concat();
    let folds = folds_of(history, &all, 2);
    let error = |periods: &[i64]| held_out_error(history, &local, &folds, periods);
    if let Some(longer) = longer {
        let with = |other: i64| [&periods[..], &[other]].concat();
        let with_longer = error(&with(longer));
        // A period that nobody has helps as much where it only makes up for a coarse profile.
        let decoy = longer - periods.last().copied().unwrap_or(0);
        if with_longer < CLEARLY_BETTER * error(&periods)
            && with_longer < CLEARLY_BETTER * error(&with(decoy))
        {
            return with(longer);
        }
    }
    while periods.len() > 1 {
        // A day and a week stay together: the search found both, and each is learnt from its own
        // number of cycles.
        let is_alone = |index: &usize| {
            let period = periods[*index];
            let mut others = periods.iter().filter(|other| **other != period);
            !others.any(|other| other % period == 0 || period % other == 0)
        };
        let alone: Vec<usize> = (0..periods.len()).filter(is_alone).collect();
        if alone.is_empty() {
            break;
        }
        let whole = error(&periods);
        let without = |index: usize| {
            let mut fewer = periods.clone();
            fewer.remove(index);
            (error(&fewer), index)
        };
        match alone
            .into_iter()
            .map(without)
            .min_by(|a, b| a.0.total_cmp(&b.0))
        {
            Some((error, index)) if error < WORTH_HAVING * whole => periods.remove(index),
            _ => break,
        };
    }
    periods
}

/// Profiles of zeros with as many knots as the data can fill.
fn flat_profiles(history: &History<'_>, local: &[i64], periods: &[i64]) -> Vec<Profile> {
    let anchor = local.first().copied().unwrap_or(0);
    let caps = KNOTS[periods.len().min(PERIODS_MAX)];
    periods
        .iter()
        .zip(caps)
        .map(|(&period, &cap)| {
            let steps = (period as f64 / history.step as f64).round().max(2.0) as usize;
            Profile::flat(period, anchor, knots_for(steps, cap))
        })
        .collect()
}

/// As many knots as steps, or the largest divisor of them that is not far below the cap, so that
/// each knot stands for as many steps.
fn knots_for(steps: usize, cap: usize) -> usize {
    if steps <= cap {
        return steps;
    }
    let divisor = (cap / 2..=cap)
        .rev()
        .find(|knots| steps.is_multiple_of(*knots));
    divisor.unwrap_or(cap)
}

fn sum_at(profiles: &[Profile], local: i64) -> f64 {
    profiles.iter().map(|profile| profile.at(local)).sum()
}

/// Medians by phase of what the other profiles leave, over the points that `chosen` takes.
fn backfitted(
    flat: &[Profile],
    local: &[i64],
    values: &[f64],
    chosen: impl Fn(usize) -> bool,
) -> Vec<Profile> {
    let mut profiles = flat.to_vec();
    let rounds = if flat.len() > 1 { 2 } else { 1 };
    for _ in 0..rounds {
        for index in 0..profiles.len() {
            let mut by_knot = vec![Vec::new(); profiles[index].knots.len()];
            for (i, (value, at)) in values.iter().zip(local).enumerate() {
                if chosen(i) {
                    let others: f64 = profiles
                        .iter()
                        .enumerate()
                        .filter(|(other, _)| *other != index)
                        .map(|(_, profile)| profile.at(*at))
                        .sum();
                    by_knot[profiles[index].nearest_knot(*at)].push(value - others);
                }
            }
            profiles[index].knots = knots_of(by_knot);
        }
    }
    profiles
}

/// Medians about their own mean; a phase without a point lies between its neighbours.
fn knots_of(by_knot: Vec<Vec<f64>>) -> Box<[f32]> {
    let medians: Vec<Option<f64>> = by_knot
        .into_iter()
        .map(|mut values| (!values.is_empty()).then(|| median_of(&mut values)))
        .collect();
    let n = medians.len();
    let known: Vec<usize> = (0..n).filter(|i| medians[*i].is_some()).collect();
    let mean = medians.iter().flatten().sum::<f64>() / known.len().max(1) as f64;
    (0..n)
        .map(|i| medians[i].unwrap_or_else(|| between(&medians, i, mean)))
        .map(|knot| (knot - mean) as f32)
        .collect()
}

/// On the line between the nearest known neighbours on the circle.
fn between(medians: &[Option<f64>], index: usize, default: f64) -> f64 {
    let n = medians.len();
    let find = |step: usize| {
        (1..n).find_map(|distance| {
            let value = medians[(index + distance * step) % n]?;
            Some((distance as f64, value))
        })
    };
    match (find(n - 1), find(1)) {
        (Some((left, a)), Some((right, b))) => a + (b - a) * left / (left + right),
        _ => default,
    }
}

/// Whole cycles of the longest period of which there are several, at most so many.
fn blocks_of(history: &History<'_>, periods: &[i64]) -> usize {
    let cycles = periods
        .iter()
        .rev()
        .map(|period| history.length() / period)
        .find(|cycles| *cycles >= 6);
    match cycles {
        Some(cycles) => cycles.min(2 * BLOCKS as i64) as usize,
        None if periods.is_empty() => BLOCKS.min(history.len() / 4),
        None => 0,
    }
}

/// The fold of each point: consecutive whole cycles of the longest period.
fn folds_of(history: &History<'_>, periods: &[i64], most: usize) -> (Vec<usize>, usize) {
    let n = history.len();
    let Some(&longest) = periods.last() else {
        return ((0..n).map(|i| i * most / n.max(1)).collect(), most);
    };
    let first = history.range().0;
    let cycles = (history.length() / longest).max(1);
    let folds = (cycles as usize).clamp(2, most);
    let length = (history.length() as f64 / folds as f64).max(1.0);
    let fold = |tick: &i64| (((tick - first) as f64 / length) as usize).min(folds - 1);
    (history.ticks.iter().map(fold).collect(), folds)
}

/// Deviation of every point from a forecast it had no part in.
fn held_out(
    history: &History<'_>,
    flat: &[Profile],
    local: &[i64],
    detrended: &[f64],
    (fold_of, folds): &(Vec<usize>, usize),
    blocks: &Blocks,
    course: Course,
) -> Vec<f64> {
    let mut deviations = vec![0.0; history.len()];
    let first = history.range().0;
    for fold in 0..*folds {
        let profiles = backfitted(flat, local, detrended, |i| fold_of[i] != fold);
        let mut elsewhere: Vec<f64> = Vec::with_capacity(history.len());
        for (i, value) in history.values.iter().enumerate() {
            let rest = value - sum_at(&profiles, local[i]);
            if fold_of[i] == fold {
                deviations[i] = rest;
            } else {
                elsewhere.push(rest);
            }
        }
        let level = if elsewhere.is_empty() {
            0.0
        } else {
            median_of(&mut elsewhere)
        };
        for i in (0..history.len()).filter(|i| fold_of[*i] == fold) {
            let time = (history.ticks[i] - first) as f64;
            deviations[i] -= match course {
                Course::Steady => level,
                Course::Wandering | Course::Trending => forecast(blocks, course, time, level),
            };
        }
    }
    deviations
}

/// The level at a time from the blocks that were over by then.
fn forecast(blocks: &Blocks, course: Course, time: f64, default: f64) -> f64 {
    let half = match blocks.times.as_slice() {
        [first, second, ..] => 0.5 * (second - first),
        _ => return default,
    };
    let over = blocks.times.partition_point(|middle| middle + half <= time);
    match (over, course) {
        (0, _) => blocks.medians[0],
        (_, Course::Trending) if over >= 3 => {
            Line::through(&blocks.times[..over], &blocks.medians[..over]).at(time)
        }
        _ => blocks.medians[over - 1],
    }
}

/// Scale by coarse phase of the first season, about 1.
fn shape_of(flat: &[Profile], local: &[i64], deviations: &[f64], scale: f64) -> Option<Profile> {
    let first = flat.first()?;
    let n_knots = knots_for(first.knots.len(), SHAPE_KNOTS);
    let mut shape = Profile::flat(first.period, first.anchor, n_knots);
    let mut by_knot = vec![Vec::new(); n_knots];
    for (deviation, at) in deviations.iter().zip(local) {
        by_knot[shape.nearest_knot(*at)].push((deviation / scale).abs());
    }
    shape.knots = by_knot
        .into_iter()
        .map(|mut sizes| {
            let n = sizes.len() as f64;
            let own = if sizes.is_empty() {
                1.0
            } else {
                median_of(&mut sizes) * MAD_TO_STD
            };
            let squared = (n * own * own + SHRINKAGE) / (n + SHRINKAGE);
            squared
                .sqrt()
                .clamp(*SHAPE_RANGE.start(), *SHAPE_RANGE.end()) as f32
        })
        .collect();
    Some(shape)
}

fn scaled(mut profile: Profile, scale: f64) -> Profile {
    for knot in &mut profile.knots {
        *knot = (f64::from(*knot) / scale) as f32;
    }
    profile
}
