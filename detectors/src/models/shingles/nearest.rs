//! `nearest`: distance to the most similar stretch of the past.
//!
//! ```text
//! novelty(w) = min_j ‖w − x_j‖ / r + ¼ · min_j ‖z(w) − z(x_j)‖ / s,    z(w) = (w − mean) / max(sd, 0.05)
//! ```
//!
//! over all kept windows x_j; r and s are the medians of the two distances over training windows.
//! The second distance sees shape, the first level and amplitude (left matrix profile: Yeh et al.,
//! *Matrix Profile I*, ICDM 2016; the rolling inner product: Zhu et al., *Matrix Profile II*, ICDM
//! 2016; Lu et al., *Matrix Profile XXIV*, KDD 2022, on neighbours from the left only). What differs
//! here: both distances are summed, the second with a quarter of its weight; the floor under sd, in units of the training series, makes two
//! flat windows alike instead of undefined; what is kept is bounded. The most recent
//! [`RECENT_MAX`] points are kept in full, of what is older up to [`OLDER_MAX`] in stretches.
//!
//! The last m/2 windows of the series are never neighbours, so that no window that ends after the
//! series is compared with one it overlaps by more than half.
//!
//! Inner products find the neighbour; its distance is then computed anew from the differences, so
//! that what the products round away does not reach the result.

use serde::{Deserialize, Serialize};

use super::neighbours::{Index, Neighbours, Query, Rows, products};
use super::windows::{Windows, golden};
use super::{Novelty, ShingleError, all_finite, bounded, linear, quantile, require};

/// Weight of the distance between shapes beside that between values. Alone, shapes make most of a
/// flat stretch of noise; without them an amplitude that grows hides what changes form.
const SHAPE_WEIGHT: f64 = 0.25;

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
    /// Derived; kept because their square roots would double the cost of a score.
    index: Index,
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
        let (points, pieces) = kept(series, m);
        let mut model = Self::from(Stored {
            m: m as u32,
            points,
            pieces,
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
            && self.index.square.iter().any(|square| square.is_finite())
    }

    /// Novelty of every window of a series that follows the training series, in order: shape
    /// `[n − m + 1]`, `O(n · kept)`; the same as [`Novelty::novelty`] of each, at a fraction of the
    /// cost because neighbouring windows share all but one product.
    pub(crate) fn profile(&self, series: &[f64]) -> Vec<f64> {
        let m = self.m();
        let series: Vec<f64> = series.iter().map(|&value| bounded(value)).collect();
        let mut rows = Rows::new(&self.index, self.wide_points());
        (0..(series.len() + 1).saturating_sub(m))
            .map(|start| {
                let products = rows.advance(&series, start);
                self.novelty_from(&series[start..start + m], products)
            })
            .collect()
    }

    fn m(&self) -> usize {
        self.stored.m as usize
    }

    /// The kept points, widened once instead of in every product.
    fn wide_points(&self) -> Vec<f64> {
        self.stored.points.iter().map(|&x| f64::from(x)).collect()
    }

    fn novelty_from(&self, window: &[f64], products: &[f64]) -> f64 {
        let (raw, shape) = self.distances(window, products, 0..0);
        raw / f64::from(self.stored.raw) + SHAPE_WEIGHT * shape / f64::from(self.stored.shape)
    }

    /// Both distances to the nearest kept windows outside of `excluded`.
    fn distances(
        &self,
        window: &[f64],
        products: &[f64],
        excluded: std::ops::Range<usize>,
    ) -> (f64, f64) {
        let query = Query::of(window);
        let left = self.index.search(&query, products, 0..excluded.start);
        let right = self
            .index
            .search(&query, products, excluded.end..products.len());
        let measure = |found: Option<Neighbours>| match found {
            Some(at) => (
                self.raw_distance(window, at.raw),
                self.shape_distance(window, &query, at.shape),
            ),
            None => (f64::INFINITY, f64::INFINITY),
        };
        let (a, b) = (measure(left), measure(right));
        let finite = |distance: f64| if distance.is_finite() { distance } else { 0.0 };
        (finite(a.0.min(b.0)), finite(a.1.min(b.1)))
    }

    fn raw_distance(&self, window: &[f64], j: usize) -> f64 {
        linear::squared_distance_f32(window, &self.stored.points[j..j + window.len()]).sqrt()
    }

    fn shape_distance(&self, window: &[f64], query: &Query, j: usize) -> f64 {
        let (mean, inverse_sd) = (self.index.mean[j], self.index.inverse_sd[j]);
        let kept = &self.stored.points[j..j + window.len()];
        let sum: f64 = window
            .iter()
            .zip(kept)
            .map(|(&x, &y)| {
                let difference =
                    (x - query.mean) * query.inverse_sd - (f64::from(y) - mean) * inverse_sd;
                difference * difference
            })
            .sum();
        sum.sqrt()
    }

    /// Medians of both distances over kept windows, each compared with those it does not overlap by
    /// more than half.
    fn typical_distances(&self) -> (f64, f64) {
        let m = self.m();
        let points = self.wide_points();
        let (mut raw, mut shape) = (Vec::new(), Vec::new());
        let starts = self.index.square.len();
        for run in 0..RUNS {
            let first = run * starts / RUNS + golden(run, starts / RUNS);
            let mut rows = Rows::new(&self.index, self.wide_points());
            for start in first..(first + RUN).min(starts) {
                // A start whose window would leave its piece.
                if self.index.square[start].is_infinite() {
                    break;
                }
                let products = rows.advance(&points, start);
                let excluded = start.saturating_sub(m / 2)..(start + m / 2 + 1).min(starts);
                let (r, s) = self.distances(&points[start..start + m], products, excluded);
                raw.push(r);
                shape.push(s);
            }
        }
        (quantile(&mut raw, 0.5), quantile(&mut shape, 0.5))
    }
}

impl Novelty for Nearest {
    fn novelty(&self, window: &[f64]) -> f64 {
        let window: Vec<f64> = window.iter().map(|&value| bounded(value)).collect();
        let products = products(&self.wide_points(), self.m(), &window);
        self.novelty_from(&window, &products)
    }

    /// What followed the stretch nearest to the context, by raw distance.
    fn expected(&self, context: &[f64]) -> Option<f64> {
        let context: Vec<f64> = context.iter().map(|&value| bounded(value)).collect();
        let m = self.m();
        let products = products(&self.wide_points(), m, &context);
        let mut nearest = (f64::INFINITY, None);
        for (j, product) in products.into_iter().enumerate() {
            let last = f64::from(self.stored.points[j + m - 1]);
            let distance = self.index.square[j] - last * last - 2.0 * product;
            if distance < nearest.0 {
                nearest = (distance, Some(last));
            }
        }
        nearest.1
    }

    fn heap_bytes(&self) -> usize {
        4 * (self.stored.points.capacity() + self.stored.pieces.capacity())
            + 8 * 4 * self.index.square.capacity()
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
        let index = if fits && (M_MIN..=M_MAX).contains(&m) {
            Index::of(m, &stored.points, &stored.pieces)
        } else {
            Index::default()
        };
        Self { stored, index }
    }
}

impl From<Nearest> for Stored {
    fn from(model: Nearest) -> Self {
        model.stored
    }
}

/// The points that are kept, and the lengths of their contiguous pieces.
fn kept(series: &[f64], m: usize) -> (Vec<f32>, Vec<u32>) {
    let recent = series.len().min(RECENT_MAX);
    let older = series.len() - recent;
    let mut ranges = Vec::new();
    // Long enough that most of the windows of a piece are whole.
    let length = (4 * m).max(256);
    if older <= OLDER_MAX {
        ranges.push(0..series.len());
    } else {
        let count = OLDER_MAX / length;
        for i in 0..count {
            let edge = |i: usize| (i as u128 * older as u128 / count as u128) as usize;
            let (left, right) = (edge(i), edge(i + 1));
            let start = left + golden(i, (right - left).saturating_sub(length) + 1);
            ranges.push(start..start + length);
        }
        ranges.push(older..series.len());
    }
    let pieces = ranges.iter().map(|range| range.len() as u32).collect();
    let points = ranges
        .into_iter()
        .flat_map(|range| &series[range])
        .map(|&x| x as f32)
        .collect();
    (points, pieces)
}

#[cfg(test)]
mod tests {
    use super::super::neighbours::{SD_MIN, mean_and_sd};
    use super::*;
    use crate::models::shingles::laws::{self, M, SEASON, fitted, sine};

    laws::laws!(Nearest, -4.0, [sine, beats]);

    /// The definition, word by word.
    fn by_definition(model: &Nearest, window: &[f64], candidates: usize) -> f64 {
        let m = window.len();
        let normalised = |x: &[f64]| -> Vec<f64> {
            let (mean, sd) = mean_and_sd(x);
            x.iter().map(|x| (x - mean) / sd.max(SD_MIN)).collect()
        };
        let distance = |a: &[f64], b: &[f64]| -> f64 {
            let squares = a.iter().zip(b).map(|(x, y)| (x - y) * (x - y));
            squares.sum::<f64>().sqrt()
        };
        let kept: Vec<f64> = model.stored.points.iter().map(|&x| f64::from(x)).collect();
        let nearest = |of: &dyn Fn(&[f64]) -> f64| {
            let kept = kept.windows(m).take(candidates);
            kept.map(of).fold(f64::INFINITY, f64::min)
        };
        let raw = nearest(&|x| distance(window, x));
        let z = normalised(window);
        let shape = nearest(&|x| distance(&z, &normalised(x)));
        raw / f64::from(model.stored.raw) + SHAPE_WEIGHT * shape / f64::from(model.stored.shape)
    }

    #[test]
    fn novelty_is_the_definition() {
        let series = sine(700, 4);
        let model = fitted(Nearest::fit, &series[..500], M).unwrap();
        for window in series[500 - M / 2..].windows(M).step_by(7) {
            let expected = by_definition(&model, window, 500 - M + 1 - M / 2);
            let novelty = model.novelty(window);
            assert!(
                (novelty - expected).abs() < 1e-9 * expected,
                "{novelty} {expected}"
            );
        }
    }

    #[test]
    fn profile_agrees_with_single_windows() {
        let mut series = sine(3_500, 4);
        // Values that make the products of the windows they leave worthless.
        for (place, value) in [(3_010, 1e15), (3_060, -1e300), (3_200, 40.0)] {
            series[place] = value;
        }
        series[3_300..3_400].fill(0.0);
        let model = fitted(Nearest::fit, &series[..3_000], M).unwrap();
        let profile = model.profile(&series[3_000..]);
        assert_eq!(profile.len(), 500 - M + 1);
        for (window, bulk) in series[3_000..].windows(M).zip(profile) {
            let single = model.novelty(window);
            assert!((bulk - single).abs() <= 1e-6 * single, "{bulk} {single}");
        }
        assert!(model.profile(&series[..M - 1]).is_empty());
    }

    #[test]
    fn a_window_is_not_its_own_neighbour() {
        let mut series = sine(1_000, 4);
        // Unlike anything before; the window that ends here must not find its own beginning.
        for (i, value) in series[1_000 - M / 2..].iter_mut().enumerate() {
            *value = 3.0 + 0.1 * i as f64;
        }
        let model = fitted(Nearest::fit, &series, M).unwrap();
        let usual = model.novelty(&series[500..500 + M]);
        let strange = model.novelty(&series[1_000 - M..]);
        assert!(usual < 1e-3 && strange > 3.0, "{usual} {strange}");
    }

    #[test]
    fn a_long_series_keeps_its_end_and_pieces_of_the_rest() {
        let series = sine(60_000, 4);
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
        assert!(model.index.square[256 - M].is_finite());
        assert!(model.index.square[256 - M + 1].is_infinite());
        assert!(model.index.square[256].is_finite());
    }

    #[test]
    fn expects_what_followed_the_nearest_context() {
        let clean: Vec<f64> = (0..500)
            .map(|i| libm::sin(std::f64::consts::TAU * (i % SEASON) as f64 / SEASON as f64))
            .collect();
        let model = fitted(Nearest::fit, &clean, M).unwrap();
        for start in 100..150 {
            let expected = model.expected(&clean[start..start + M - 1]).unwrap();
            assert!((expected - clean[start + M - 1]).abs() < 1e-6);
        }
    }

    #[test]
    fn grows_beyond_the_range() {
        laws::grows_beyond_the_range(Nearest::fit);
    }
}
