//! `ewma` and `holt_winters`: level, slope and season by exponential smoothing (Holt 1957, Winters
//! 1960; the error-correction form of Hyndman, Koehler, Ord & Snyder 2008).
//!
//! e = y − (ℓ + b·Δ + s), then ℓ ← ℓ + b·Δ + α·e, b ← b + α·β·e/Δ, s ← s + γ·e. The gains are those
//! of a small grid with the smallest mean absolute one-step error.
//!
//! What differs: e is drawn in to ± 5 times its own running mean before it teaches, so that a spike
//! does not become the level (Gelper, Fried & Croux 2010); Δ is the true distance of two points,
//! and an error across a gap is measured in the wider scale of a forecast so far ahead.
//!
//! A forecast one step ahead has not seen the value it is compared with: the one-step errors are
//! the held-out deviations of these models. Further ahead the band widens: see [`Fan`].

use std::ops::Range;

use crate::models::banded::Kind;
use crate::models::draft::{Draft, scale_of};
use crate::models::fan::Fan;
use crate::models::history::History;
use crate::models::level::{Blocks, Line};
use crate::seasons::{Clock, Profile, Seasonality};
use crate::stats::order::median_of;

const LEVEL_GAINS: [f64; 10] = [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 1.0];
const SLOPE_GAINS: [f64; 4] = [0.0, 0.01, 0.05, 0.2];
const SEASON_GAINS: [f64; 3] = [0.02, 0.1, 0.3];

/// Points the gains are chosen by, the first ones: the errors on those after them are honest.
const TUNED_ON: usize = 16_384;

/// Running mean absolute errors an error may teach by.
const CLIP: f64 = 5.0;

/// Memory of the running mean absolute error, in points.
const CLIP_MEMORY: f64 = 100.0;

/// Knots of the season at most.
const KNOTS_MAX: usize = 480;

/// How fast each part follows the errors.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Gains {
    level: f64,
    slope: f64,
    season: f64,
}

/// What the smoothing knows after a point.
#[derive(Debug, Clone)]
struct State {
    level: f64,
    /// Per tick.
    slope: f64,
    season: Option<Profile>,
    tick: i64,
    mean_error: f64,
}

/// Level alone.
pub(crate) fn ewma(history: &History<'_>) -> Draft {
    let start = start_of(history, None, &Clock::default(), 0.0);
    draft(Kind::Ewma, history, &start, &[0.0], None)
}

/// Level, slope and, where there is a period, one season.
pub(crate) fn holt_winters(history: &History<'_>, period: Option<i64>, clock: Clock) -> Draft {
    let season = period.map(|period| first_season(history, period, &clock));
    let start = start_of(history, season, &clock, first_slope(history, period));
    draft(
        Kind::HoltWinters,
        history,
        &start,
        &SLOPE_GAINS,
        period.map(|_| clock),
    )
}

/// The state to begin with, and the index of the first point it has not seen.
struct Start {
    state: State,
    from: usize,
}

fn start_of(history: &History<'_>, season: Option<Profile>, clock: &Clock, slope: f64) -> Start {
    let n = history.len();
    let seen = match &season {
        Some(season) => history
            .ticks
            .partition_point(|tick| *tick < history.range().0.saturating_add(season.period))
            .min(n / 2),
        None => (n / 10).clamp(1, 10),
    }
    .max(1);
    let season_at = |i: usize| {
        let season = season.as_ref();
        season.map_or(0.0, |season| season.at(clock.local(history.ticks[i])))
    };
    let mut rest: Vec<f64> = (0..seen)
        .map(|i| history.values[i] - season_at(i))
        .collect();
    Start {
        state: State {
            level: median_of(&mut rest),
            slope,
            season,
            tick: history.ticks[seen - 1],
            mean_error: 1.0,
        },
        from: seen,
    }
}

/// The slope of the first third, over whole cycles where there are any.
fn first_slope(history: &History<'_>, period: Option<i64>) -> f64 {
    let n = history.len();
    let third = (n / 3).max(2).min(n);
    let ticks = &history.ticks[..third];
    let span = ticks[third - 1] - ticks[0];
    let n_blocks = match period {
        Some(period) => (span / period) as usize,
        None => 12,
    };
    if n_blocks < 2 {
        return 0.0;
    }
    let blocks = Blocks::of(ticks, &history.values[..third], n_blocks.min(12).min(third));
    Line::through(&blocks.times, &blocks.medians).slope
}

/// The first cycle by phase; the season then learns from what comes after it.
fn first_season(history: &History<'_>, period: i64, clock: &Clock) -> Profile {
    let steps = (period as f64 / history.step as f64).round().max(2.0) as usize;
    let first = history.range().0;
    let mut profile = Profile::flat(period, clock.local(first), steps.min(KNOTS_MAX));
    let end = first.saturating_add(period);
    let seen = history.ticks.partition_point(|tick| *tick < end).max(1);
    let mut sums = vec![(0.0_f64, 0_u32); profile.knots.len()];
    for (tick, value) in history.ticks[..seen].iter().zip(&history.values) {
        let knot = profile.nearest_knot(clock.local(*tick));
        sums[knot].0 += value;
        sums[knot].1 += 1;
    }
    let center = median_of(&mut history.values[..seen].to_vec());
    profile.knots = sums
        .iter()
        .map(|(sum, count)| {
            if *count > 0 {
                (sum / f64::from(*count) - center) as f32
            } else {
                0.0
            }
        })
        .collect();
    profile
}

fn draft(
    kind: Kind,
    history: &History<'_>,
    start: &Start,
    slope_gains: &[f64],
    clock: Option<Clock>,
) -> Draft {
    let season_gains: &[f64] = if clock.is_some() {
        &SEASON_GAINS
    } else {
        &[0.0]
    };
    let clock = clock.unwrap_or_default();
    let gains = tuned(history, start, &clock, slope_gains, season_gains);
    let mut state = start.state.clone();
    let mut errors = Vec::with_capacity(history.len());
    let fan = Fan::of_smoothing(gains.level, gains.slope, history.step as f64);
    let mut previous = state.tick;
    run(
        &mut state,
        history,
        &clock,
        start.from..history.len(),
        gains,
        |index, error| {
            let tick = history.ticks[index];
            let ahead = (tick - previous - history.step).max(0) as f64;
            previous = tick;
            errors.push(error / fan.width(ahead));
        },
    );
    if gains.slope == 0.0 && state.slope != 0.0 {
        // A slope that does not learn is that of the whole history.
        let blocks = Blocks::of(history.ticks, &history.values, 24.min(history.len()));
        state.slope = Line::through(&blocks.times, &blocks.medians).slope;
    }
    let scale = if errors.is_empty() {
        1.0
    } else {
        scale_of(&errors)
    };
    for error in &mut errors {
        *error /= scale;
    }
    let seasonality = state.season.map(|mut season| {
        for knot in &mut season.knots {
            *knot = (f64::from(*knot) / scale) as f32;
        }
        Seasonality {
            clock,
            seasons: vec![season],
            shape: None,
        }
    });
    Draft {
        kind,
        level: state.level,
        slope: state.slope,
        scale,
        fan,
        seasonality,
        held_out: errors,
    }
}

/// The gains with the smallest mean absolute error: level and slope first, then the season.
fn tuned(
    history: &History<'_>,
    start: &Start,
    clock: &Clock,
    slope_gains: &[f64],
    season_gains: &[f64],
) -> Gains {
    let range = start.from..history.len().min(start.from + TUNED_ON);
    let middle = season_gains[season_gains.len() / 2];
    let mut best = (
        f64::INFINITY,
        Gains {
            level: 0.1,
            slope: 0.0,
            season: middle,
        },
    );
    let mut attempt = |gains: Gains| {
        let mut state = start.state.clone();
        let mut sum = 0.0;
        run(
            &mut state,
            history,
            clock,
            range.clone(),
            gains,
            |_, error| sum += error.abs(),
        );
        if sum < best.0 * (1.0 - 1e-9) {
            best = (sum, gains);
        }
        best.1
    };
    let mut gains = Gains {
        level: 0.1,
        slope: 0.0,
        season: middle,
    };
    for &level in &LEVEL_GAINS {
        for &slope in slope_gains {
            gains = attempt(Gains {
                level,
                slope,
                season: middle,
            });
        }
    }
    for &season in season_gains {
        gains = attempt(Gains { season, ..gains });
    }
    gains
}

/// Goes through the points of `range`; `each` sees the index and the one-step error.
fn run(
    state: &mut State,
    history: &History<'_>,
    clock: &Clock,
    range: Range<usize>,
    gains: Gains,
    mut each: impl FnMut(usize, f64),
) {
    let from = range.start;
    for index in range {
        let (tick, value) = (history.ticks[index], history.values[index]);
        let distance = (tick - state.tick).max(1) as f64;
        let local = clock.local(tick);
        let season = state.season.as_ref().map_or(0.0, |season| season.at(local));
        let expected = state.level + state.slope * distance;
        let error = value - expected - season;
        each(index, error);
        let reach = CLIP * state.mean_error;
        let lesson = error.clamp(-reach, reach);
        let memory = (1.0 / (index - from + 2) as f64).max(1.0 / CLIP_MEMORY);
        state.mean_error += memory * (error.abs().min(4.0 * reach) - state.mean_error);
        state.mean_error = state.mean_error.max(1e-9);
        state.level = expected + gains.level * lesson;
        state.slope += gains.level * gains.slope * lesson / distance;
        if let Some(season) = &mut state.season {
            let knot = season.nearest_knot(local);
            season.knots[knot] += (gains.season * lesson) as f32;
        }
        state.tick = tick;
    }
}
