//! Whether a season keeps time: what the length of a period is to a part of a step, and how far its
//! phase wanders.
//!
//! Each stretch of a few cycles is laid over the profile of the whole history and moved until it fits
//! best. Shifts along a line are an error of the period; what is left of them is a season that runs
//! now fast and now slow, as a heart does and the sun does not.

use super::profile::Profile;
use crate::models::level::Line;
use crate::stats::order::median_of;

/// Stretches, at most …
const STRETCHES_MAX: usize = 12;

/// … and fewest that tell a line from chance.
const STRETCHES_MIN: usize = 4;

/// Cycles in a stretch at least.
const CYCLES: f64 = 1.5;

/// Largest shift looked for, as a share of the period.
const SHIFT_MAX: f64 = 0.25;

/// How a season keeps time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Timing {
    /// The period in ticks with the drift of its phase taken out.
    pub(crate) period: f64,
    /// Range of the shifts that are left, in ticks.
    pub(crate) wander: f64,
}

/// Measures a season by its profile; `None` where there are too few cycles.
pub(crate) fn measure(local: &[i64], values: &[f64], profile: &Profile) -> Option<Timing> {
    let (first, last) = (*local.first()?, *local.last()?);
    let span = last.saturating_sub(first) as f64;
    let period = profile.period as f64;
    let stretches = ((span / period / CYCLES) as usize).min(STRETCHES_MAX);
    if stretches < STRETCHES_MIN {
        return None;
    }
    let length = span / stretches as f64;
    let mut times = Vec::with_capacity(stretches);
    let mut shifts = Vec::with_capacity(stretches);
    for index in 0..stretches {
        let from = first as f64 + index as f64 * length;
        let begin = local.partition_point(|tick| (*tick as f64) < from);
        let end = local.partition_point(|tick| (*tick as f64) < from + length);
        if let Some(shift) = best_shift(&local[begin..end], &values[begin..end], profile) {
            times.push((index as f64 + 0.5) * length);
            shifts.push(shift);
        }
    }
    if shifts.len() < STRETCHES_MIN {
        return None;
    }
    let line = Line::through(&times, &shifts);
    let rest = times
        .iter()
        .zip(&shifts)
        .map(|(time, shift)| shift - line.at(*time));
    let (low, high) = rest.fold((0.0_f64, 0.0_f64), |(low, high), rest| {
        (low.min(rest), high.max(rest))
    });
    Some(Timing {
        period: period * (1.0 + line.slope.clamp(-SHIFT_MAX, SHIFT_MAX)),
        wander: high - low,
    })
}

/// By how many ticks a stretch is late; `None` where too many of its phases have no point.
fn best_shift(local: &[i64], values: &[f64], profile: &Profile) -> Option<f64> {
    let n = profile.knots.len();
    let mut by_knot = vec![Vec::new(); n];
    for (tick, value) in local.iter().zip(values) {
        by_knot[profile.nearest_knot(*tick)].push(*value);
    }
    let medians: Vec<Option<f64>> = by_knot
        .into_iter()
        .map(|mut values| (!values.is_empty()).then(|| median_of(&mut values)))
        .collect();
    let known = medians.iter().flatten().count();
    if 2 * known < n {
        return None;
    }
    let level = median_of(&mut medians.iter().flatten().copied().collect::<Vec<_>>());
    let error = |shift: i64| -> f64 {
        let knot = |index: usize| (index as i64 - shift).rem_euclid(n as i64) as usize;
        let terms = medians.iter().enumerate().filter_map(|(index, median)| {
            let expected = f64::from(profile.knots[knot(index)]);
            median.map(|median| (median - level - expected).abs().min(1e6))
        });
        terms.sum()
    };
    let reach = ((SHIFT_MAX * n as f64) as i64).max(1);
    let best = (-reach..=reach).min_by(|a, b| {
        // Of two that fit as well, the smaller.
        error(*a).total_cmp(&error(*b)).then(a.abs().cmp(&b.abs()))
    })?;
    Some(best as f64 * profile.period as f64 / n as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A season of 100 ticks by a profile of `period`, sampled every tick for 20 cycles.
    fn measured(period: i64, phase: impl Fn(i64) -> f64) -> Timing {
        let local: Vec<i64> = (0..2_000).collect();
        let wave = |turns: f64| (turns - turns.floor() - 0.5).abs();
        let values: Vec<f64> = local.iter().map(|t| wave(phase(*t))).collect();
        let mut profile = Profile::flat(period, 0, 50);
        let mean = 0.25;
        for (index, knot) in profile.knots.iter_mut().enumerate() {
            *knot = (wave(index as f64 / 50.0) - mean) as f32;
        }
        measure(&local, &values, &profile).unwrap()
    }

    #[test]
    fn a_season_that_keeps_time_has_no_wander() {
        let timing = measured(100, |t| t as f64 / 100.0);
        assert_eq!(
            timing,
            Timing {
                period: 100.0,
                wander: 0.0
            }
        );
    }

    #[test]
    fn a_period_that_is_off_is_put_right() {
        let timing = measured(100, |t| t as f64 / 100.6);
        assert!((timing.period - 100.6).abs() < 0.2, "{timing:?}");
        assert!(timing.wander <= 4.0, "{timing:?}");
    }

    #[test]
    fn a_season_that_runs_fast_and_slow_wanders() {
        let timing = measured(100, |t| t as f64 / 100.0 + 0.08 * (t as f64 / 300.0).sin());
        assert!(timing.wander > 8.0, "{timing:?}");
    }

    #[test]
    fn few_cycles_tell_nothing() {
        let profile = Profile::flat(100, 0, 50);
        let local: Vec<i64> = (0..400).collect();
        assert_eq!(measure(&local, &vec![0.0; 400], &profile), None);
        assert_eq!(measure(&[], &[], &profile), None);
    }
}
