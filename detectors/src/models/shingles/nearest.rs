//! `nearest`: distance to the most similar stretches of the past.
//!
//! ```text
//! novelty(w) = 0.9 · s(w; past) + 0.1 · s(w; training),    s(w) = d₃(w) / r + ¼ · z₃(w) / q
//! d(w, x)² = Σ weight·(w − x)²,  z(w, x) = d(z(w), z(x)),  z(w) = (w − mean) / max(sd, 0.05)
//! ```
//!
//! d₃ and z₃ are the distances to the third nearest window by either distance, r and q their medians
//! over training windows. The second sees shape, the first level and amplitude (left
//! matrix profile: Yeh et al., *Matrix Profile I*, ICDM 2016; Lu et al., *Matrix Profile XXIV*, KDD
//! 2022; the third instead of the first: Ramaswamy et al., *Efficient algorithms for mining outliers*,
//! SIGMOD 2000).
//!
//! What differs here:
//!
//! - Points weigh the less the older they are, e⁻⁸ of the last at the other end of the window. A
//!   window of equal weights is novel until an anomaly has left it, a period later; and a short one
//!   does not know where in the period it is.
//! - The past is what is kept of the training series, and of the series that is scored the windows
//!   before: at most [`Recent::REACH`] of them. A neighbour starts at least [`APART`] windows before,
//!   so that what just began is no neighbour of itself. A tenth is the distance to the training
//!   alone: what goes on for long becomes usual, but not as usual as what was always there.
//! - Both distances are summed, the second with a quarter of its weight. The floor under sd, in units
//!   of the training series, makes two flat windows alike instead of undefined.
//! - What is kept is bounded: the most recent [`RECENT_MAX`] points in full, of what is older up to
//!   [`OLDER_MAX`] in stretches.
//!
//! Inner products find the neighbours; a distance that counts is computed anew from the differences,
//! so that what the products round away does not reach the result.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::neighbours::{Found, Sums, Weights, WindowSums};
use super::rolling::{Kept, Recent};
use super::windows::{Windows, clipped, golden};
use super::{Novelty, ShingleError, all_finite, bounded, quantile, require};

/// Weight of the distance between shapes beside that between values. Alone, shapes make most of a
/// flat stretch of noise; without them an amplitude that grows hides what changes form.
const SHAPE_WEIGHT: f64 = 0.25;

/// Weight of the distance to the training alone, beside that to all of the past.
const TRAINING_WEIGHT: f64 = 0.1;

/// Windows between a window and its neighbours before it. The kept ones of a training window may be
/// on either side of it, and are one window apart.
const APART: usize = 2;

/// Most recent points that are kept.
pub(crate) const RECENT_MAX: usize = 12_288;
/// Older points that are kept.
pub(crate) const OLDER_MAX: usize = 4_096;

const M_MIN: usize = 4;
const M_MAX: usize = 512;
/// The least typical distance, as the difference of each point: noise that repeats to more digits
/// than this would make the smallest change infinitely strange.
const TYPICAL_MIN: f64 = 0.01;
/// Training windows that the typical distances are taken from, in runs of consecutive ones.
const RUNS: usize = 16;
const RUN: usize = 16;

/// What is written of the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Stored {
    m: u32,
    /// Kept points, oldest first, piece after piece.
    points: Vec<f32>,
    /// Lengths of the contiguous pieces.
    pieces: Vec<u32>,
    /// Typical distances.
    raw: f32,
    shape: f32,
}

/// A fitted model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub(crate) struct Nearest {
    stored: Stored,
    weights: Weights,
    /// Of the windows that start at the kept points. Derived; kept because their square roots would
    /// double the cost of a score.
    sums: Sums,
}

impl Nearest {
    /// Keeps the end of the series and stretches of what is older.
    ///
    /// # Errors
    ///
    /// Windows of fewer than 4 or more than 512 points, or fewer than 2·m + 1 windows.
    pub(crate) fn fit(windows: &Windows<'_>) -> Result<Self, ShingleError> {
        require(windows, M_MIN..=M_MAX, 1)?;
        let (series, m) = (windows.series(), windows.m());
        let (total, needed) = (series.len() + 1 - m, 2 * m + 1);
        if total < needed {
            return Err(ShingleError::TooFewWindows { needed, got: total });
        }
        let ranges = kept(series.len(), m);
        let mut model = Self::from(Stored {
            m: m as u32,
            points: points_of(series, &ranges).collect(),
            pieces: ranges.iter().map(|range| range.len() as u32).collect(),
            raw: 1.0,
            shape: 1.0,
        });
        let (raw, shape) = model.typical_distances();
        let least = TYPICAL_MIN * (m as f64).sqrt();
        model.stored.raw = raw.max(least) as f32;
        model.stored.shape = shape.max(least) as f32;
        Ok(model)
    }

    /// Whether the numbers are ones a fit for windows of `m` points can give.
    pub(crate) fn check(&self, m: usize) -> bool {
        let stored = &self.stored;
        let pieces = stored.pieces.iter().map(|&length| length as usize);
        (M_MIN..=M_MAX).contains(&m)
            && stored.m as usize == m
            && stored.points.len() <= RECENT_MAX + OLDER_MAX
            && pieces.clone().all(|length| length >= m)
            && pieces.sum::<usize>() == stored.points.len()
            && all_finite(&stored.points)
            && [stored.raw, stored.shape]
                .iter()
                .all(|typical| typical.is_finite() && *typical > 0.0)
            && self.sums.has_any()
    }

    /// Novelty of every window of a series that follows the training series, in order: shape
    /// `[n − m + 1]`. The first window is the one that the first point after training completes; each
    /// has those before it for neighbours as well.
    ///
    /// `O(n · (kept + REACH))`, because neighbouring windows share all but two products.
    pub(crate) fn profile(&self, series: &[f64]) -> Vec<f64> {
        let m = self.m();
        let series: Vec<f64> = series.iter().map(|&value| bounded(value)).collect();
        let mut kept = Kept::new(&self.weights, self.wide_points());
        let mut recent = Recent::new(&self.weights, APART * m);
        let novelty = |start: usize| {
            let window = &series[start..start + m];
            let query = WindowSums::of(&self.weights, window);
            let mut found = Found::default();
            let products = kept.advance(&series, start);
            self.search(&query, products, 0..self.far_enough(start), &mut found);
            let of_training = self.over_typical(self.distances(window, &found, &series));
            recent.advance(&series, start);
            recent.search(&query, self.sums.len(), &mut found);
            let of_past = self.over_typical(self.distances(window, &found, &series));
            of_past + TRAINING_WEIGHT * (of_training - of_past)
        };
        (0..(series.len() + 1).saturating_sub(m))
            .map(novelty)
            .collect()
    }

    /// Novelty of the windows from `first` on of the training series itself, each as if it had not
    /// been there: among the kept windows that it does not overlap, on either side.
    ///
    /// `None` of a series that the model was not fitted to.
    pub(crate) fn left_out(&self, series: &[f64], first: usize) -> Option<Vec<f64>> {
        let m = self.m();
        let series: Vec<f64> = series.iter().map(|&value| clipped(value)).collect();
        let ranges = kept(series.len(), m);
        if !points_of(&series, &ranges).eq(self.stored.points.iter().copied()) {
            return None;
        }
        let positions: Vec<usize> = ranges.into_iter().flatten().collect();
        let mut kept = Kept::new(&self.weights, self.wide_points());
        let novelty = |start: usize| {
            let before = positions.partition_point(|position| position + m <= start);
            let after = positions.partition_point(|position| *position < start + m);
            let overlapping = before.min(self.sums.len())..after.min(self.sums.len());
            self.over_typical(self.distances_without(&mut kept, (&series, start), overlapping))
        };
        let windows = first..(series.len() + 1).saturating_sub(m);
        Some(windows.map(novelty).collect())
    }

    fn m(&self) -> usize {
        self.stored.m as usize
    }

    /// The kept points, widened once instead of in every product.
    fn wide_points(&self) -> Vec<f64> {
        self.stored.points.iter().map(|&x| f64::from(x)).collect()
    }

    /// Kept windows that start far enough before the window at `start` of a series that follows.
    fn far_enough(&self, start: usize) -> usize {
        let before = (self.sums.len() + start + 1).saturating_sub(APART * self.m());
        before.min(self.sums.len())
    }

    fn search(&self, query: &WindowSums, products: &[f64], range: Range<usize>, found: &mut Found) {
        let (products, first) = (&products[range.clone()], range.start);
        (self.sums).search(query, (self.m(), products), range, first, found);
    }

    /// The kept window at a place that was found, or the one of the series itself.
    fn neighbour(&self, place: usize, series: &[f64]) -> Vec<f64> {
        let m = self.m();
        match place.checked_sub(self.sums.len()) {
            None => {
                let points = &self.stored.points[place..place + m];
                points.iter().map(|&x| f64::from(x)).collect()
            }
            Some(start) => series[start..start + m].to_vec(),
        }
    }

    /// Both distances to what was found; 0 where nothing was.
    fn distances(&self, window: &[f64], found: &Found, series: &[f64]) -> (f64, f64) {
        let raw = found.raw.last().map(|place| {
            let neighbour = self.neighbour(place, series);
            self.weights.distance(window, &neighbour)
        });
        let shape = found.shape.last().map(|place| {
            let neighbour = self.neighbour(place, series);
            let z = |points: &[f64]| -> Vec<f64> {
                let sums = WindowSums::of(&self.weights, points);
                points.iter().map(|&x| sums.z(x)).collect()
            };
            self.weights.distance(&z(window), &z(&neighbour))
        });
        (raw.unwrap_or(0.0), shape.unwrap_or(0.0))
    }

    fn over_typical(&self, (raw, shape): (f64, f64)) -> f64 {
        raw / f64::from(self.stored.raw) + SHAPE_WEIGHT * shape / f64::from(self.stored.shape)
    }

    /// Both distances of the window of a series at `start` to kept windows, save those at the
    /// `excluded` places.
    fn distances_without(
        &self,
        kept: &mut Kept<'_>,
        (series, start): (&[f64], usize),
        excluded: Range<usize>,
    ) -> (f64, f64) {
        let window = &series[start..start + self.m()];
        let query = WindowSums::of(&self.weights, window);
        let mut found = Found::default();
        let products = kept.advance(series, start);
        self.search(&query, products, 0..excluded.start, &mut found);
        self.search(&query, products, excluded.end..products.len(), &mut found);
        self.distances(window, &found, series)
    }

    /// Medians of both distances over kept windows, each compared with those it does not overlap.
    fn typical_distances(&self) -> (f64, f64) {
        let (m, starts) = (self.m(), self.sums.len());
        let points = self.wide_points();
        let (mut raw, mut shape) = (Vec::new(), Vec::new());
        let mut kept = Kept::new(&self.weights, self.wide_points());
        for run in 0..RUNS {
            let first = run * starts / RUNS + golden(run, starts / RUNS);
            // As far as a window leaves its piece.
            let whole = (first..(first + RUN).min(starts)).take_while(|&at| self.sums.has(at));
            for start in whole {
                let overlapping = (start + 1).saturating_sub(m)..(start + m).min(starts);
                let (r, s) = self.distances_without(&mut kept, (&points, start), overlapping);
                raw.push(r);
                shape.push(s);
            }
        }
        (quantile(&mut raw, 0.5), quantile(&mut shape, 0.5))
    }
}

impl Novelty for Nearest {
    fn novelty(&self, window: &[f64]) -> f64 {
        self.profile(window).first().copied().unwrap_or(0.0)
    }

    /// To look for what followed the nearest context would cost as much as the novelty.
    fn expected(&self, _context: &[f64]) -> Option<f64> {
        None
    }

    fn heap_bytes(&self) -> usize {
        let Stored { points, pieces, .. } = &self.stored;
        4 * (points.capacity() + pieces.capacity()) + 8 * self.m() + self.sums.heap_bytes()
    }
}

impl From<Stored> for Nearest {
    /// Never panics: what does not fit together is left without a window, which
    /// [`check`](Nearest::check) refuses.
    fn from(stored: Stored) -> Self {
        let m = stored.m as usize;
        let lengths = stored.pieces.iter().map(|&length| u64::from(length));
        // The bound is here as well as in `check`, so that forged bytes cost no more than true ones.
        let fits = stored.points.len() <= RECENT_MAX + OLDER_MAX
            && lengths.sum::<u64>() == stored.points.len() as u64;
        if !fits || !(M_MIN..=M_MAX).contains(&m) {
            let (weights, sums) = (Weights::default(), Sums::default());
            return Self {
                stored,
                weights,
                sums,
            };
        }
        let weights = Weights::new(m);
        let sums = sums_of(&weights, &stored.points, &stored.pieces);
        Self {
            stored,
            weights,
            sums,
        }
    }
}

impl From<Nearest> for Stored {
    fn from(model: Nearest) -> Self {
        model.stored
    }
}

/// Sums over the windows that start at each of the points, none where one would leave its piece.
/// The lengths of the pieces add up to the number of points.
fn sums_of(weights: &Weights, points: &[f32], pieces: &[u32]) -> Sums {
    let m = weights.m();
    let wide: Vec<f64> = points.iter().map(|&x| f64::from(x)).collect();
    let starts = (wide.len() + 1).saturating_sub(m);
    let mut sums = Sums::default();
    let mut piece_end = 0;
    for &length in pieces {
        let piece = piece_end..piece_end + length as usize;
        piece_end = piece.end;
        for start in piece.start..piece.end.min(starts) {
            if start + m <= piece.end {
                sums.push(WindowSums::of(weights, &wide[start..start + m]));
            } else {
                sums.push_none();
            }
        }
    }
    sums
}

/// The stretches that are kept of a series of `n` points, oldest first.
fn kept(n: usize, m: usize) -> Vec<Range<usize>> {
    let older = n - n.min(RECENT_MAX);
    if older <= OLDER_MAX {
        return vec![Range { start: 0, end: n }];
    }
    // Long enough that most of the windows of a piece are whole.
    let length = (4 * m).max(256);
    let count = OLDER_MAX / length;
    let piece = |i: usize| {
        let edge = |i: usize| (i as u128 * older as u128 / count as u128) as usize;
        let (left, right) = (edge(i), edge(i + 1));
        let start = left + golden(i, (right - left).saturating_sub(length) + 1);
        start..start + length
    };
    let recent = std::iter::once(older..n);
    (0..count).map(piece).chain(recent).collect()
}

/// The points of some stretches of a series, as they are kept.
fn points_of<'a>(series: &'a [f64], ranges: &'a [Range<usize>]) -> impl Iterator<Item = f32> + 'a {
    let stretches = ranges.iter().flat_map(|range| &series[range.clone()]);
    stretches.map(|&x| x as f32)
}

#[cfg(test)]
mod tests {
    use super::super::neighbours::{NEIGHBOURS, SD_MIN};
    use super::*;
    use crate::models::shingles::laws::{self, M, fitted, noise, sine};

    laws::laws!(Nearest, -4.0, [sine, beats]);

    /// The definition, word by word, of a window and its candidates.
    fn by_definition<'a>(
        model: &Nearest,
        window: &[f64],
        candidates: impl Iterator<Item = &'a [f64]>,
    ) -> f64 {
        let m = window.len();
        let ages = (0..m).rev().map(|age| age as f64 / m as f64);
        let shares: Vec<f64> = ages.map(|age| libm::exp(-8.0 * age)).collect();
        let sum: f64 = shares.iter().sum();
        let weights: Vec<f64> = shares.iter().map(|share| share * m as f64 / sum).collect();
        let mean = |of: &dyn Fn(usize) -> f64| -> f64 {
            (0..m).map(|k| weights[k] * of(k)).sum::<f64>() / m as f64
        };
        let normalised = |x: &[f64]| -> Vec<f64> {
            let center = mean(&|k| x[k]);
            let sd = mean(&|k| (x[k] - center) * (x[k] - center)).sqrt();
            x.iter().map(|x| (x - center) / sd.max(SD_MIN)).collect()
        };
        let distance = |a: &[f64], b: &[f64]| -> f64 {
            (m as f64 * mean(&|k| (a[k] - b[k]) * (a[k] - b[k]))).sqrt()
        };
        let z = normalised(window);
        let (mut raw, mut shape): (Vec<f64>, Vec<f64>) = candidates
            .map(|x| (distance(window, x), distance(&z, &normalised(x))))
            .unzip();
        raw.sort_by(f64::total_cmp);
        shape.sort_by(f64::total_cmp);
        let third = |all: &[f64]| all[(NEIGHBOURS - 1).min(all.len() - 1)];
        third(&raw) / f64::from(model.stored.raw)
            + SHAPE_WEIGHT * third(&shape) / f64::from(model.stored.shape)
    }

    fn as_kept(series: &[f64]) -> Vec<f64> {
        series.iter().map(|&x| f64::from(x as f32)).collect()
    }

    #[test]
    fn profile_is_the_definition() {
        let mut series = sine(3_600, 4);
        // Values that make the products of the windows they leave worthless.
        for (place, value) in [(3_010, 1e15), (3_060, -1e300), (3_200, 40.0)] {
            series[place] = value;
        }
        series[3_300..3_400].fill(0.0);
        let model = fitted(Nearest::fit, &series[..500], M).unwrap();
        let first = 500 + 1 - M;
        let profile = model.profile(&series[first..]);
        assert_eq!(profile.len(), 3_100);
        let (kept, own) = (as_kept(&series[..500]), &series[first..]);
        let bounded: Vec<f64> = own.iter().map(|&value| bounded(value)).collect();
        for (start, &found) in profile.iter().enumerate().step_by(17) {
            let from_kept = kept.windows(M).enumerate();
            let from_kept = from_kept.filter(|(j, _)| first + start - j >= 2 * M);
            let reach =
                start.saturating_sub(2 * M + Recent::REACH - 1)..(start + 1).saturating_sub(2 * M);
            let from_own = bounded.windows(M).skip(reach.start).take(reach.len());
            let from_kept = from_kept.map(|(_, window)| window);
            let window = &bounded[start..start + M];
            let of_training = by_definition(&model, window, from_kept.clone());
            let of_past = by_definition(&model, window, from_kept.chain(from_own));
            let expected = 0.9 * of_past + 0.1 * of_training;
            assert!(
                (found - expected).abs() <= 1e-6 * (1.0 + expected),
                "{start}: {found} {expected}"
            );
        }
        let alone = model.novelty(&series[first..first + M]);
        assert_eq!(alone.to_bits(), profile[0].to_bits());
        assert!(model.profile(&series[..M - 1]).is_empty());
    }

    #[test]
    fn a_training_window_is_judged_as_if_it_had_not_been_there() {
        let mut series = sine(900, 4);
        series[450] = 7.0;
        let model = fitted(Nearest::fit, &series, M).unwrap();
        let left_out = model.left_out(&series, 400).unwrap();
        assert_eq!(left_out.len(), 900 + 1 - M - 400);
        let kept = as_kept(&series);
        for (index, &found) in left_out.iter().enumerate().step_by(7) {
            let start = 400 + index;
            let candidates = kept.windows(M).enumerate();
            let candidates = candidates.filter(|(j, _)| j.abs_diff(start) >= M);
            let candidates = candidates.map(|(_, window)| window);
            let expected = by_definition(&model, &series[start..start + M], candidates);
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
        // The window that the odd value completes stands out, which it would not beside itself.
        let odd = left_out[450 + 1 - M - 400];
        let usual = quantile(&mut left_out.clone(), 0.5);
        assert!(odd > 3.0 * usual, "{odd} {usual}");
        assert!(model.left_out(&series[1..], 0).is_none());
    }

    #[test]
    fn what_began_after_training_becomes_usual() {
        let mut noise = noise(8);
        let past = sine(1_000, 4);
        let model = fitted(Nearest::fit, &past, M).unwrap();
        // Another wave, four times as fast, for as long as it takes.
        let other = |i: usize| 1.35 * libm::sin(std::f64::consts::TAU * i as f64 / 6.25);
        let series: Vec<f64> = (0..600).map(|i| other(i) + 0.05 * noise()).collect();
        let profile = model.profile(&series);
        let mean = |range: Range<usize>| -> f64 {
            let n = range.len() as f64;
            profile[range].iter().sum::<f64>() / n
        };
        let (first, later) = (mean(0..M), mean(400..500));
        assert!(first > 3.0 * later, "{first} {later}");
    }

    #[test]
    fn a_long_series_is_kept_in_bounds() {
        let series = sine(60_000, 3);
        let model = fitted(Nearest::fit, &series, M).unwrap();
        let stored = &model.stored;
        assert_eq!(stored.points.len(), RECENT_MAX + OLDER_MAX);
        assert_eq!(
            (stored.pieces.len(), stored.pieces[16]),
            (17, RECENT_MAX as u32)
        );
        let last = stored.points[stored.points.len() - 1];
        assert_eq!(last, series[59_999] as f32);
        // No window joins two pieces.
        assert!(model.sums.has(256 - M));
        assert!(!model.sums.has(256 - M + 1));
        assert!(model.sums.has(256));
        // Its own windows are found among the pieces.
        let left_out = model.left_out(&series, 59_000).unwrap();
        assert!(left_out.iter().all(|novelty| *novelty > 0.0));
    }

    #[test]
    fn grows_beyond_the_range() {
        laws::grows_beyond_the_range(Nearest::fit);
    }
}
