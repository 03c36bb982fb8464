//! Periods worth a test.

use super::autocorrelation::Autocorrelation;
use super::grid::Grid;
use super::profile::{self, Profile};
use super::spectrum::Spectrum;

/// Shortest period in cells.
pub(super) const SHORTEST: f64 = 3.0;

/// How many of its periods a series holds at least.
const CYCLES_MIN: f64 = 2.25;

/// Peaks looked at in the autocorrelation and as many in the spectrum.
const PEAKS: usize = 6;

/// Highest peaks of the power itself.
const POWERFUL: usize = 3;

/// Least autocorrelation one period apart.
const REPEATS_MIN: f64 = 0.025;

/// Least share of the variance of the series that a season explains …
const EXPLAINED_MIN: f64 = 0.03;

/// … that one two or three times as long as one found explains, since it may well be what that one
/// is half or a third of …
const EXPLAINED_BY_MULTIPLE: f64 = 0.02;

/// … and the share of what the season found explained, for a longer multiple.
const EXPLAINED_OF_SHORTER: f64 = 0.08;

/// Share of the cycles that must be like the others.
const AGREEING_MIN: f64 = 0.6;

/// Least cosine between the series and what is foretold.
const COSINE_MIN: f64 = 0.05;

/// Periods that agree to so much are one.
const SAME: f64 = 0.1;

/// Of two that are one the later takes the place of the earlier if it explains so many times as
/// much.
const BETTER: f64 = 1.02;

/// A period in cells and what it explains.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    pub(super) period: f64,
    /// `Σ y·p`, see [`Profile`].
    pub(super) explained: f64,
}

impl Candidate {
    /// How many times this period is another, at least two, as far as a series of `n` cells tells.
    pub(super) fn times(&self, shorter: &Self, n: f64) -> Option<usize> {
        let ratio = self.period / shorter.period;
        let nearest = ratio.round();
        let unknown = 0.5 * ratio * self.period / n;
        let is_whole = (ratio - nearest).abs() <= unknown.max(0.02 * ratio).min(0.25);
        (nearest >= 2.0 && is_whole).then_some(nearest as usize)
    }

    /// Whether this period is a multiple of another.
    pub(super) fn is_multiple_of(&self, shorter: &Self, n: f64) -> bool {
        self.times(shorter, n).is_some()
    }
}

/// Whether a period is one that may be looked for in a grid.
pub(super) fn fits(period: f64, grid: &Grid) -> bool {
    period >= SHORTEST && period <= grid.len() as f64 / CYCLES_MIN
}

/// Where the search for candidates has got to.
pub(super) struct Search<'a> {
    pub(super) original: &'a Grid,
    /// The original less the seasons found.
    pub(super) grid: &'a Grid,
    pub(super) found: &'a [Candidate],
    /// Sum of the squares of the original.
    pub(super) variance: f64,
}

impl Search<'_> {
    /// Candidates that cycles foretell of each other; the most plausible first.
    pub(super) fn candidates(
        &self,
        spectrum: &Spectrum,
        correlation: &Autocorrelation,
    ) -> Vec<Candidate> {
        let longest = self.grid.len() as f64 / CYCLES_MIN;
        let mut starts = correlation.peaks(SHORTEST as usize, longest as usize, PEAKS);
        starts.extend(spectrum.peaks(SHORTEST, longest, PEAKS));
        starts.extend(spectrum.powerful(SHORTEST, longest, POWERFUL));
        starts.extend(
            self.found
                .iter()
                .flat_map(|season| [2.0, 3.0, 7.0].map(|times| times * season.period)),
        );
        let mut seen: Vec<f64> = self.found.iter().map(|season| season.period).collect();
        let mut passed: Vec<Candidate> = Vec::new();
        // The last is examined first: the starts in their order, each before its parts.
        let mut periods: Vec<f64> = starts
            .into_iter()
            .rev()
            .flat_map(|start| {
                [
                    correlation.refined(start, self.grid.len() as f64),
                    1.0 / spectrum.refined(start),
                ]
            })
            .collect();
        while let Some(period) = periods.pop() {
            let unknown = (0.03 * period / self.grid.len() as f64).max(1e-3);
            let is_seen = |seen: &f64| (seen / period - 1.0).abs() < unknown;
            if !fits(period, self.grid) || seen.iter().any(is_seen) {
                continue;
            }
            seen.push(period);
            let Some(candidate) = self.examined(period) else {
                continue;
            };
            // Multiples may be higher peaks than what they are multiples of; the days of a week and
            // the hours of a day are no peaks where the longer one is high.
            periods.extend([24.0, 7.0, 3.0, 2.0].map(|parts| period / parts));
            let near = passed
                .iter_mut()
                .find(|near| (near.period / period - 1.0).abs() < SAME);
            match near {
                Some(near) if candidate.explained > BETTER * near.explained => *near = candidate,
                Some(_) => {}
                None => passed.push(candidate),
            }
        }
        in_order(passed)
    }

    /// The candidate, if what its cycles say of each other is enough.
    fn examined(&self, period: f64) -> Option<Candidate> {
        let n = self.grid.len() as f64;
        let y = profile::high_passed(self.grid, period);
        if profile::correlation(&y, period) < REPEATS_MIN {
            return None;
        }
        let profile = Profile::of(self.grid, &y, period);
        let candidate = Candidate {
            period,
            explained: profile.explained,
        };
        // Two or three outliers that happen to lie a period apart are no season. The less so in
        // what a season taken out has left.
        let breadth = match (self.found.is_empty(), n / period < 5.0) {
            (false, _) => 5.0,
            (true, true) => 4.0,
            (true, false) => 3.0,
        };
        let plausible = profile.cosine > COSINE_MIN
            && profile.breadth > breadth
            && profile.agreeing >= AGREEING_MIN;
        (plausible && self.explains_enough(&candidate)).then_some(candidate)
    }

    fn explains_enough(&self, candidate: &Candidate) -> bool {
        let n = self.grid.len() as f64;
        let mut parts = self
            .found
            .iter()
            .filter(|season| candidate.is_multiple_of(season, n))
            .peekable();
        if parts.peek().is_none() {
            return candidate.explained > EXPLAINED_MIN * self.variance;
        }
        // The mean over neighbours that was taken out left a trace at its multiples: there the
        // longer period must explain more than the shorter one where neither was taken out.
        parts.all(|part| {
            let least = if candidate.period < 3.5 * part.period {
                EXPLAINED_BY_MULTIPLE * self.variance
            } else {
                EXPLAINED_OF_SHORTER * part.explained
            };
            let gain =
                explained(self.original, candidate.period) - explained(self.original, part.period);
            candidate.explained > least && gain >= 0.5 * candidate.explained
        })
    }
}

/// `Σ y·p` of a period.
pub(super) fn explained(grid: &Grid, period: f64) -> f64 {
    Profile::of(grid, &profile::high_passed(grid, period), period).explained
}

/// First those that explain about as much as the best, the shortest before its multiples; then the
/// others by what they explain.
fn in_order(mut candidates: Vec<Candidate>) -> Vec<Candidate> {
    const NEARLY_BEST: f64 = 0.85;
    let most = candidates
        .iter()
        .map(|one| one.explained)
        .fold(0.0, f64::max);
    let key = |one: &Candidate| {
        if one.explained >= NEARLY_BEST * most {
            (0, one.period)
        } else {
            (1, -one.explained)
        }
    };
    candidates.sort_by(|a, b| {
        let (a, b) = (key(a), key(b));
        a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
    });
    candidates
}
