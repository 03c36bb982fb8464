//! `kmeans`: distance of a window from the nearest of a few typical ones.
//!
//! ```text
//! novelty(w) = min_c ‖w − c‖
//! ```
//!
//! The centres are those of Lloyd's algorithm (*Least squares quantization in PCM*, IEEE Trans. Inf.
//! Theory 28, 1982) from the seeding of Arthur & Vassilvitskii (*k-means++*, SODA 2007), as `linfa`
//! does them. Their number k is the one of [`COUNTS`] with the least Bayesian information criterion
//! of equally wide round clusters (Pelleg & Moore, *X-means*, ICML 2000),
//! n·m·ln(RSS / n·m) + 2 Σ n_c·ln(n / n_c) + k·(m + 1)·ln n for n windows, n_c of them nearest to c;
//! the search stops at the first number that does worse.
//!
//! The library measures distances on the threads of `rayon`'s pool, that of the caller if it runs on
//! one; each distance stands for itself, so the centres do not depend on how many threads there are.

use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_clustering::{KMeans as Lloyd, KMeansInit};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};

use super::windows::Windows;
use super::{Novelty, ShingleError, all_finite, bounded, linear, require};
use crate::stats::elementary::ln;

/// Numbers of centres that are tried.
pub(crate) const COUNTS: [usize; 6] = [1, 2, 4, 8, 12, 16];

const M_MIN: usize = 2;
const M_MAX: usize = 256;
const WINDOWS_MIN: usize = 8;
/// Windows, and numbers in them, that centres are sought for.
const TRAINING_MAX: usize = 512;
const NUMBERS_MAX: usize = 1 << 14;
const ITERATIONS_MAX: u64 = 20;
const SEED: u64 = 0x6B6D_6561_6E73_0001;
/// Share of the variance below which a residual counts as rounding.
const RESIDUAL_MIN: f64 = 1e-12;

/// A fitted model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Kmeans {
    m: u32,
    /// One centre after another, `m` numbers each.
    centres: Vec<f32>,
}

impl Kmeans {
    /// At most 20 iterations for each number of centres, over at most 512 windows and 16,384
    /// numbers.
    ///
    /// # Errors
    ///
    /// Windows of fewer than 2 or more than 256 points, fewer than 8 of them, or all the same.
    pub(crate) fn fit(windows: &Windows<'_>) -> Result<Self, ShingleError> {
        require(windows, M_MIN..=M_MAX, WINDOWS_MIN)?;
        let m = windows.m();
        let windows = windows.thinned(TRAINING_MAX.min(NUMBERS_MAX / m));
        if windows.is_constant() {
            return Err(ShingleError::Constant);
        }
        let mut best: Option<(f64, Vec<f64>)> = None;
        for k in COUNTS {
            if k > 1 && k * 4 > windows.len() {
                break;
            }
            let centres = centres(&windows, k)?;
            let criterion = criterion(&windows, &centres);
            match &best {
                Some((least, _)) if criterion >= *least => break,
                _ => best = Some((criterion, centres)),
            }
        }
        let (_, centres) = best.ok_or(ShingleError::NotConverged)?;
        Ok(Self {
            m: m as u32,
            centres: centres.iter().map(|&x| x as f32).collect(),
        })
    }

    /// Whether the numbers are ones a fit for windows of `m` points can give.
    pub(crate) fn check(&self, m: usize) -> bool {
        let most = COUNTS[COUNTS.len() - 1];
        (M_MIN..=M_MAX).contains(&m)
            && self.m as usize == m
            && self.centres.len().is_multiple_of(m)
            && (1..=most).contains(&(self.centres.len() / m))
            && all_finite(&self.centres)
    }
}

/// The centres that have windows, `m` numbers each.
fn centres(windows: &Windows<'_>, k: usize) -> Result<Vec<f64>, ShingleError> {
    let m = windows.m();
    if k == 1 {
        return Ok(linear::mean(windows.rows(), m));
    }
    let rng = Xoshiro256PlusPlus::seed_from_u64(SEED);
    let fitted = Lloyd::params_with_rng(k, rng)
        .n_runs(1)
        .max_n_iterations(ITERATIONS_MAX)
        .init_method(KMeansInit::KMeansPlusPlus)
        .fit(&DatasetBase::from(windows.matrix()))
        .map_err(|_| ShingleError::NotConverged)?;
    let all: Vec<f64> = fitted.centroids().iter().copied().collect();
    if !all.iter().all(|x| x.is_finite()) {
        return Err(ShingleError::NotConverged);
    }
    let mut used = vec![false; k];
    for row in windows.rows() {
        used[nearest(&all, row).1] = true;
    }
    let kept = all.chunks_exact(m).zip(used).filter(|(_, used)| *used);
    Ok(kept.flat_map(|(centre, _)| centre).copied().collect())
}

/// Squared distance to the nearest centre, and its number.
fn nearest(centres: &[f64], row: &[f64]) -> (f64, usize) {
    let mut nearest = (f64::INFINITY, 0);
    for (i, centre) in centres.chunks_exact(row.len()).enumerate() {
        let squares = row.iter().zip(centre).map(|(x, c)| (x - c) * (x - c));
        let distance: f64 = squares.sum();
        if distance < nearest.0 {
            nearest = (distance, i);
        }
    }
    nearest
}

fn criterion(windows: &Windows<'_>, centres: &[f64]) -> f64 {
    let (n, m) = (windows.len() as f64, windows.m() as f64);
    let mut members = vec![0.0; centres.len() / windows.m()];
    let (mut residual, mut total) = (0.0, 0.0);
    for row in windows.rows() {
        let (distance, centre) = nearest(centres, row);
        members[centre] += 1.0;
        residual += distance;
        total += linear::dot(row, row);
    }
    let mean_square = residual.max(RESIDUAL_MIN * total) / (n * m);
    let mixing: f64 = members
        .iter()
        .filter(|&&count| count > 0.0)
        .map(|&count| count * ln(n / count))
        .sum();
    n * m * ln(mean_square.max(f64::MIN_POSITIVE))
        + 2.0 * mixing
        + members.len() as f64 * (m + 1.0) * ln(n)
}

impl Novelty for Kmeans {
    fn novelty(&self, window: &[f64]) -> f64 {
        let window: Vec<f64> = window.iter().map(|&value| bounded(value)).collect();
        self.centres
            .chunks_exact(window.len())
            .map(|centre| linear::squared_distance_f32(&window, centre))
            .fold(f64::MAX, f64::min)
            .sqrt()
    }

    /// Last value of the centre nearest to the context.
    fn expected(&self, context: &[f64]) -> Option<f64> {
        let context: Vec<f64> = context.iter().map(|&value| bounded(value)).collect();
        let mut nearest = (f64::INFINITY, None);
        for centre in self.centres.chunks_exact(context.len() + 1) {
            let (last, start) = centre.split_last()?;
            let distance = linear::squared_distance_f32(&context, start);
            if distance < nearest.0 {
                nearest = (distance, Some(f64::from(*last)));
            }
        }
        nearest.1
    }

    fn heap_bytes(&self) -> usize {
        4 * self.centres.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::shingles::laws::{self, M, fitted, noise, sine};

    laws::laws!(Kmeans, -6.0, [sine, beats]);

    #[test]
    fn finds_the_levels_and_their_number() {
        let mut noise = noise(9);
        let series: Vec<f64> = (0..4_000)
            .map(|i| if i < 2_000 { -1.0 } else { 1.0 } + 0.05 * noise())
            .collect();
        let model = fitted(Kmeans::fit, &series, 2).unwrap();
        let mut first: Vec<f32> = model.centres.chunks_exact(2).map(|c| c[0]).collect();
        first.sort_by(f32::total_cmp);
        assert!((2..=6).contains(&first.len()), "{first:?}");
        assert!((first[0] + 1.0).abs() < 0.05);
        assert!((first[first.len() - 1] - 1.0).abs() < 0.05);
        assert!((model.expected(&[1.0]).unwrap() - 1.0).abs() < 0.05);
        assert!((model.expected(&[-1.0]).unwrap() + 1.0).abs() < 0.05);
        assert!(model.novelty(&[0.0, 0.0]) > 10.0 * model.novelty(&[1.0, 1.0]));
    }

    #[test]
    fn novelty_is_the_distance_from_a_centre() {
        let model = fitted(Kmeans::fit, &sine(2_000, 6), M).unwrap();
        let centre: Vec<f64> = model.centres[..M].iter().map(|&x| f64::from(x)).collect();
        assert_eq!(model.novelty(&centre), 0.0);
        let mut moved = centre.clone();
        moved[3] += 0.25;
        assert!((model.novelty(&moved) - 0.25).abs() < 1e-12);
    }

    #[test]
    fn grows_beyond_the_range() {
        laws::grows_beyond_the_range(Kmeans::fit);
    }
}
