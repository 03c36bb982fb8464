//! The search: candidate, test, removal, and again.
//!
//! The test compares the comb of a candidate with the background of the series *without* it. The
//! background of the series itself would do for a faint season; but a strong one spreads, by an
//! outage or a change of its phase, over the bins around its teeth, and would hide behind itself.

use super::autocorrelation::{self, Autocorrelation};
use super::candidates::{Candidate, Search, explained, fits};
use super::grid::Grid;
use super::profile::{self, Profile};
use super::spectrum::Spectrum;
use crate::stats::fourier::Fourier;

/// Fewest cells with a season.
const CELLS_MIN: usize = 24;

/// Most seasons taken out; more than are told, since some turn out to be parts of others.
const ROUNDS: usize = 4;

/// Candidates tested in a round.
const TESTED: usize = 4;

/// `ln p` below which the comb of a candidate is no accident …
const LN_P_MAX: f64 = -7.0;

/// … of one that the series holds so many times; for each time less, so much lower.
const CYCLES_ENOUGH: f64 = 4.0;
const LN_P_PER_CYCLE: f64 = 1.5;

/// `ln p` from which a maximum of the plain autocorrelation will do: that of the whitened series
/// has no more than three cycles' worth of pairs to show.
const LN_P_CLEAR: f64 = -20.0;

/// Two or three times a candidate is tried first if it explains so much more …
const MORE: f64 = 0.045;

/// … and so much over the breadth of what it explains.
const MORE_OF_FEW: f64 = 0.5;

/// A period that is moved explains at least so many times what it did.
const STILL: f64 = 0.95;

/// A part of a season is one in its own right if it is shorter than a third of it by some way …
const PARTS_MIN: f64 = 4.5;

/// … and explains so much of what the longer one explains at its pace.
const OWN_SHARE: f64 = 0.5;

/// A season of a grid.
pub(super) struct Season {
    /// Period in ticks.
    pub(super) ticks: f64,
    /// As [`super::Period::strength`], not yet clamped.
    pub(super) strength: f64,
    /// By how many ticks the period may be off: three tenths of a bin of the spectrum.
    pub(super) resolution: f64,
}

/// Seasons of points in time order on a grid of at most so many cells; in no particular order.
pub(super) fn seasons(timestamps: &[i64], values: &[f64], cells_max: usize) -> Vec<Season> {
    match Grid::new(timestamps, values, cells_max) {
        Some(grid) if grid.len() >= CELLS_MIN => seasons_of(&grid),
        _ => Vec::new(),
    }
}

fn seasons_of(original: &Grid) -> Vec<Season> {
    let (n, step) = (original.len() as f64, original.step as f64);
    told(original, found(original))
        .iter()
        .map(|season| {
            let y = profile::high_passed(original, season.period);
            let profile = Profile::of(original, &y, season.period);
            Season {
                ticks: season.period * step,
                strength: profile.explained / profile.total.max(f64::MIN_POSITIVE),
                resolution: 0.3 * season.period * season.period / n * step,
            }
        })
        .collect()
}

fn found(original: &Grid) -> Vec<Candidate> {
    // Room for all lags up to half of the grid.
    let mut fourier = Fourier::new(original.len() + original.len() / 2 + 1);
    let pairs = autocorrelation::pairs(&mut fourier, original.len());
    let variance = original.values.iter().map(|value| value * value).sum();
    let mut grid = original.clone();
    let mut found: Vec<Candidate> = Vec::new();
    for _ in 0..ROUNDS {
        let spectrum = Spectrum::new(&mut fourier, &grid);
        let correlation = Autocorrelation::new(&mut fourier, &spectrum, &pairs);
        let search = Search {
            original,
            grid: &grid,
            found: &found,
            variance,
        };
        let candidates = search.candidates(&spectrum, &correlation);
        let mut test = Test {
            grid: &grid,
            found: &found,
            spectrum: &spectrum,
            fourier: &mut fourier,
            pairs: &pairs,
        };
        let best = candidates.iter().take(TESTED).find_map(|&candidate| {
            // A day of two like halves is nearly explained by the half.
            let multiple = candidates.iter().find_map(|multiple| {
                let times = multiple.times(&candidate, original.len() as f64)?;
                (times <= 3 && explains_more(&grid, multiple.period, times))
                    .then_some((*multiple, times))
            });
            multiple
                .and_then(|(multiple, times)| test.passed(multiple, Some(times)))
                .or_else(|| test.passed(candidate, None))
        });
        let Some((best, rest)) = best else {
            break;
        };
        found.push(best);
        found.extend(
            candidates
                .iter()
                .filter(|part| is_own(&grid, part, &best))
                .map(|part| Candidate {
                    // A whole part of what is known better.
                    period: best.period / (best.period / part.period).round(),
                    ..*part
                }),
        );
        grid = rest;
    }
    found
}

/// What a candidate is tested with.
struct Test<'a> {
    grid: &'a Grid,
    found: &'a [Candidate],
    spectrum: &'a Spectrum,
    fourier: &'a mut Fourier,
    pairs: &'a [f64],
}

impl Test<'_> {
    /// The candidate and the grid without it, if it is no accident; and, where it may be a multiple
    /// of another, if it is more than that.
    fn passed(&mut self, candidate: Candidate, times: Option<usize>) -> Option<(Candidate, Grid)> {
        let n = self.grid.len() as f64;
        let (mut candidate, mut rest) = (candidate, without(self.grid, candidate.period));
        let mut against = self.against(&rest, candidate.period);
        // Over its own background the peak is where it should be, and sharper.
        let correlation = Autocorrelation::new(self.fourier, &against, self.pairs);
        let period = correlation.refined(correlation.refined(candidate.period, n), n);
        let moved = (1.0 / period - 1.0 / candidate.period).abs() * n;
        if moved > 0.02 && fits(period, self.grid) {
            let explained = explained(self.grid, period);
            if explained > STILL * candidate.explained {
                candidate = Candidate { period, explained };
                rest = without(self.grid, period);
                against = self.against(&rest, period);
            }
        }
        let is_multiple = |season: &Candidate| candidate.is_multiple_of(season, n);
        let places = if self.found.is_empty() {
            0.5 * n
        } else if self.found.iter().any(is_multiple) {
            8.0
        } else {
            // What a season taken out has left is no longer quite noise.
            4.0 * n
        };
        let ln_p = against.ln_p(1.0 / candidate.period, places);
        let missing = (CYCLES_ENOUGH - n / candidate.period).max(0.0);
        let is_more = times
            .is_none_or(|times| against.ln_p_without(1.0 / candidate.period, times) < LN_P_MAX);
        let is_clear = ln_p < LN_P_MAX - LN_P_PER_CYCLE * missing && is_more;
        (is_clear && self.repeats(&against, candidate.period, ln_p)).then_some((candidate, rest))
    }

    fn against(&mut self, rest: &Grid, period: f64) -> Spectrum {
        self.spectrum.against(self.fourier, rest, 1.0 / period)
    }

    /// Whether the period is a maximum of the autocorrelation.
    fn repeats(&mut self, against: &Spectrum, period: f64, ln_p: f64) -> bool {
        let n = self.grid.len() as f64;
        let correlation = Autocorrelation::new(self.fourier, against, self.pairs);
        if correlation.confirms(period, 0.5 * period * period / n) {
            return true;
        }
        let y = profile::high_passed(self.grid, period);
        let here = profile::correlation(&y, period);
        ln_p < LN_P_CLEAR
            && here > 3.0 / n.sqrt()
            && here > profile::correlation(&y, period * (2.0 / 3.0))
            && here > profile::correlation(&y, period * (4.0 / 3.0))
    }
}

fn without(grid: &Grid, period: f64) -> Grid {
    let mut rest = grid.clone();
    profile::remove(&mut rest, period);
    rest
}

/// Whether a period explains more than the half or third of it, of the same: without what is slower
/// than the longer one.
fn explains_more(grid: &Grid, period: f64, times: usize) -> bool {
    let y = profile::high_passed(grid, period);
    let of_all = Profile::of(grid, &y, period);
    let of_part = Profile::of(grid, &y, period / times as f64);
    // Where a few spikes are all there is, it matters more which of them are missing.
    let least = MORE.max(MORE_OF_FEW / of_all.breadth);
    of_all.explained > (1.0 + least) * of_part.explained
}

/// Whether a part of a season is there in its own right, like the day in a week, rather than as one
/// of its harmonics.
fn is_own(grid: &Grid, part: &Candidate, season: &Candidate) -> bool {
    if season.period < PARTS_MIN * part.period || !season.is_multiple_of(part, grid.len() as f64) {
        return false;
    }
    // At the pace of the part: without what is slower.
    let y = profile::high_passed(grid, part.period);
    let of_part = Profile::of(grid, &y, part.period).explained;
    let of_season = Profile::of(grid, &y, season.period).explained;
    of_part >= OWN_SHARE * of_season
}

/// Those found, without harmonics of longer ones and without doubles.
fn told(original: &Grid, mut found: Vec<Candidate>) -> Vec<Candidate> {
    let n = original.len() as f64;
    found.sort_by(|a, b| b.period.total_cmp(&a.period));
    let mut told: Vec<Candidate> = Vec::new();
    for part in found {
        let stands_beside = |season: &Candidate| {
            let apart = (season.period / part.period - 1.0).abs();
            apart > (2.0 * season.period / n).max(0.1)
                && (!season.is_multiple_of(&part, n) || is_own(original, &part, season))
        };
        if told.iter().all(stands_beside) {
            told.push(part);
        }
    }
    told
}
