//! Seasons: the periods after which a series repeats itself.
//!
//! 1. The points go on a regular grid ([`grid`]), without outliers, level shifts and straight trend.
//! 2. Peaks of the autocorrelation and of the periodogram, both over a background of the noise
//!    ([`spectrum`], [`autocorrelation`]), are candidates (Vlachos, Yu & Castelli, *On periodicity
//!    detection and structural periodic similarity*, SDM 2005).
//! 3. A candidate must foretell each cycle from the others ([`profile`]); it is at least three cells
//!    long, and the series holds it at least 2¼ times ([`candidates`]).
//! 4. Its comb of harmonics must stand out of what the series is without it, the clearer the fewer
//!    cycles there are, and it must be a maximum of the autocorrelation over that ([`search`]).
//! 5. It is taken out, and the rest is looked at again. Multiples and parts of a season found are
//!    told only if they add to it.
//!
//! What differs from AUTOPERIOD: the threshold is not from permutations, which would destroy the
//! colour of the noise together with the season, and steps 3 and 5 are new.
//!
//! In noise, white or of autocorrelation up to 0.95 a step or a random walk, of any tails, one
//! series in 70 or fewer has a season by mistake. A resonance that keeps its phase over several
//! cycles, such as an AR(2) process with poles near the unit circle, is often taken for a season. In
//! a day whose halves differ little, the half may be told in place of the day.

mod autocorrelation;
mod candidates;
mod grid;
mod profile;
mod search;
mod spectrum;

#[cfg(test)]
mod example_tests;
#[cfg(test)]
mod null_tests;

use search::Season;

use super::PERIODS_MAX;

/// A season found in a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Period {
    /// In ticks of the timestamps, > 0.
    pub(crate) ticks: i64,
    /// Share of the variance about the running mean over one period that the season explains, 0
    /// to 1. Seasons are not taken out of each other: that of a week explains the days in it.
    pub(crate) strength: f64,
}

/// Most cells of a grid, and most points of which each has its own.
const CELLS_MAX: usize = 32_768;

/// A season that the recent points of a long series hold fewer times is looked for in the whole of
/// it, in wider cells.
const RECENT_CYCLES: f64 = 8.0;

/// Periods people and schedulers keep, in seconds.
const CALENDAR: [i64; 14] = [
    60, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 14_400, 21_600, 28_800, 43_200, 86_400, 604_800,
];

/// The seasons of a series, shortest first: at most three, none if it has none.
///
/// Timestamps are strictly increasing and as many as the values, which are finite; steps may be
/// irregular. A period within its resolution (0.3 period² / range) of one that the calendar
/// knows is that one; `ticks_per_second` is 1 for seconds, 1,000 for milliseconds.
///
/// `O(n)` beyond 32,768 points, `O(n log n)` below; memory is that of the points and of one grid.
pub(crate) fn detect(timestamps: &[i64], values: &[f64], ticks_per_second: i64) -> Vec<Period> {
    let n = timestamps.len().min(values.len());
    let (timestamps, values) = (&timestamps[..n], &values[..n]);
    let recent = n.saturating_sub(CELLS_MAX);
    let mut seasons = search::seasons(&timestamps[recent..], &values[recent..], CELLS_MAX);
    if recent > 0 {
        let range = timestamps[n - 1].abs_diff(timestamps[recent]) as f64;
        let longest = range / RECENT_CYCLES;
        seasons.retain(|season| season.ticks <= longest);
        let whole = search::seasons(timestamps, values, CELLS_MAX);
        seasons.extend(whole.into_iter().filter(|season| season.ticks > longest));
    }
    // The strongest first, since of two that the calendar makes one, one is enough.
    seasons.sort_by(|a, b| b.strength.total_cmp(&a.strength));
    let mut periods: Vec<Period> = Vec::new();
    for season in &seasons {
        let ticks = on_the_calendar(season, ticks_per_second);
        if periods.len() < PERIODS_MAX && periods.iter().all(|period| period.ticks != ticks) {
            periods.push(Period {
                ticks,
                strength: season.strength.clamp(0.0, 1.0),
            });
        }
    }
    periods.sort_by_key(|period| period.ticks);
    periods
}

fn on_the_calendar(season: &Season, ticks_per_second: i64) -> i64 {
    CALENDAR
        .iter()
        .map(|seconds| seconds.saturating_mul(ticks_per_second.max(1)))
        .find(|&ticks| (ticks as f64 - season.ticks).abs() <= season.resolution)
        .unwrap_or_else(|| (season.ticks.round() as i64).max(1))
}
