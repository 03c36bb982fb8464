//! `forest`: how few random cuts separate a window from the training windows.
//!
//! ```text
//! novelty(w) = c(256) / mean h(w) + max_j beyond_j(w) / width_j
//! ```
//!
//! h is the depth at which w ends in a tree that cuts a random feature at a random value, and c(n)
//! the mean depth of an unsuccessful search in a binary tree of n (Liu, Ting & Zhou, *Isolation
//! Forest*, ICDM 2008); beyond_j is how far feature j lies beyond the range it was seen in, and
//! width_j the width of that range. What differs here:
//!
//! - The ratio itself is given instead of 2 to the power −(mean h) / c: the order is the same, no
//!   power is needed.
//! - A tree knows nothing beyond its outermost cuts, so that ten times the largest value seen would
//!   be no stranger than that value. The second term grows with the distance beyond and is zero and
//!   continuous at the edge.
//! - Cuts see at most [`LAGS`] values of the window, and its mean, standard deviation, range, last
//!   step and the change of that step: a shape that is wrong only as a whole has no single value to
//!   cut at.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};
use serde::{Deserialize, Serialize};

use super::windows::Windows;
use super::{Novelty, ShingleError, all_finite, bounded, require};

/// Trees, and windows that each is grown from.
pub(crate) const TREES: usize = 100;
/// See [`TREES`].
pub(crate) const SAMPLE: usize = 256;
/// Values of the window that are cut at: the last, and others at even distances before it.
pub(crate) const LAGS: usize = 16;

const M_MIN: usize = 3;
const M_MAX: usize = 1_024;
const WINDOWS_MIN: usize = 8;
/// Cuts on the longest path: log2 of the sample.
const DEPTH_MAX: usize = 8;
const SUMMARIES: usize = 5;
const FEATURES_MAX: usize = LAGS + SUMMARIES;
const SEED: u64 = 0x666F_7265_7374_0001;
/// Marks a node that does not cut; its value is a depth.
const LEAF: u8 = u8::MAX;
/// Least width of a range, in standard deviations of the series.
const WIDTH_MIN: f64 = 1e-3;

/// A fitted model: the nodes of all trees in preorder, in parallel columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Forest {
    m: u32,
    /// First nodes of the trees.
    roots: Vec<u32>,
    /// Feature that is cut, or [`LEAF`].
    feature: Vec<u8>,
    /// Where it is cut: below goes to the next node. In a leaf the depth, with the mean depth of the
    /// tree that would have been grown there.
    value: Vec<f32>,
    /// How far on the node for the other side is; 0 in a leaf.
    skip: Vec<u16>,
    /// Least and greatest value of each feature.
    ranges: Vec<(f32, f32)>,
    /// c of the sample that the trees were grown from.
    usual_depth: f32,
}

impl Forest {
    /// `O(trees · sample · depth)`.
    ///
    /// # Errors
    ///
    /// Windows of fewer than 3 or more than 1,024 points, fewer than 8 of them, or all the same.
    pub(crate) fn fit(windows: &Windows<'_>) -> Result<Self, ShingleError> {
        require(windows, M_MIN..=M_MAX, WINDOWS_MIN)?;
        if windows.is_constant() {
            return Err(ShingleError::Constant);
        }
        let rows: Vec<Vec<f32>> = windows
            .rows()
            .map(|row| features(row).map(|x| x as f32).collect())
            .collect();
        let sample = SAMPLE.min(rows.len());
        let mut forest = Self {
            m: windows.m() as u32,
            roots: Vec::with_capacity(TREES),
            feature: Vec::new(),
            value: Vec::new(),
            skip: Vec::new(),
            ranges: ranges(&rows),
            usual_depth: mean_depth(sample) as f32,
        };
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(SEED);
        let mut order: Vec<usize> = (0..rows.len()).collect();
        for _ in 0..TREES {
            // The head of the order becomes a sample without replacement.
            for i in 0..sample {
                let j = i + below(&mut rng, order.len() - i);
                order.swap(i, j);
            }
            forest.roots.push(forest.feature.len() as u32);
            let mut chosen = order[..sample].to_vec();
            forest.grow(&rows, &mut chosen, 0, &mut rng);
        }
        Ok(forest)
    }

    /// Whether the numbers are ones a fit for windows of `m` points can give. Other nodes are always
    /// further on and inside of the same tree, so a walk ends.
    pub(crate) fn check(&self, m: usize) -> bool {
        let nodes = self.feature.len();
        let count = feature_count(m);
        (M_MIN..=M_MAX).contains(&m)
            && self.m as usize == m
            && self.ranges.len() == count
            && self
                .ranges
                .iter()
                .all(|&(low, high)| low.is_finite() && high.is_finite() && low <= high)
            && self.usual_depth.is_finite()
            && self.usual_depth > 0.0
            && nodes == self.value.len()
            && nodes == self.skip.len()
            && self.roots.len() == TREES
            && self.roots[0] == 0
            && self.roots.windows(2).all(|pair| pair[0] < pair[1])
            && (0..TREES).all(|tree| self.check_tree(tree, count))
    }

    fn check_tree(&self, tree: usize, count: usize) -> bool {
        let nodes = self.feature.len();
        let start = self.roots[tree] as usize;
        let end = self
            .roots
            .get(tree + 1)
            .map_or(nodes, |&next| next as usize);
        start < end
            && end <= nodes
            && end - start < 2 * SAMPLE
            && all_finite(&self.value[start..end])
            && (start..end).all(|node| {
                let (feature, skip) = (self.feature[node], usize::from(self.skip[node]));
                if feature == LEAF {
                    skip == 0 && self.value[node] > 0.0
                } else {
                    usize::from(feature) < count && skip > 1 && node + skip < end
                }
            })
    }

    /// Appends the tree of the chosen rows.
    fn grow(
        &mut self,
        rows: &[Vec<f32>],
        chosen: &mut [usize],
        depth: usize,
        rng: &mut Xoshiro256PlusPlus,
    ) {
        let node = self.feature.len();
        let cut = if depth < DEPTH_MAX {
            cut(rows, chosen, rng)
        } else {
            None
        };
        let Some((feature, threshold)) = cut else {
            self.feature.push(LEAF);
            // A root that cannot cut still has to have a depth to divide by.
            let rest = mean_depth(chosen.len()).max(if depth == 0 { 1.0 } else { 0.0 });
            self.value.push((depth as f64 + rest) as f32);
            self.skip.push(0);
            return;
        };
        self.feature.push(feature as u8);
        self.value.push(threshold);
        self.skip.push(0);
        let middle = partition(chosen, |&row| rows[row][feature] < threshold);
        let (left, right) = chosen.split_at_mut(middle);
        self.grow(rows, left, depth + 1, rng);
        self.skip[node] = (self.feature.len() - node) as u16;
        self.grow(rows, right, depth + 1, rng);
    }

    fn depth(&self, root: u32, features: &[f64]) -> f64 {
        let mut node = root as usize;
        while self.feature[node] != LEAF {
            let value = features[usize::from(self.feature[node])];
            node += if value < f64::from(self.value[node]) {
                1
            } else {
                usize::from(self.skip[node])
            };
        }
        f64::from(self.value[node])
    }
}

impl Novelty for Forest {
    fn novelty(&self, window: &[f64]) -> f64 {
        let features: Vec<f64> = features(window).collect();
        let depths = self.roots.iter().map(|&root| self.depth(root, &features));
        let mean = depths.sum::<f64>() / self.roots.len() as f64;
        let beyond = features
            .iter()
            .zip(&self.ranges)
            .map(|(&x, &(low, high))| {
                let (low, high) = (f64::from(low), f64::from(high));
                (low - x).max(x - high).max(0.0) / (high - low).max(WIDTH_MIN)
            })
            .fold(0.0, f64::max);
        f64::from(self.usual_depth) / mean + beyond
    }

    /// A forest says what is strange, not what would be usual.
    fn expected(&self, _context: &[f64]) -> Option<f64> {
        None
    }

    fn heap_bytes(&self) -> usize {
        4 * self.roots.capacity()
            + self.feature.capacity()
            + 4 * self.value.capacity()
            + 2 * self.skip.capacity()
            + 8 * self.ranges.capacity()
    }
}

fn feature_count(m: usize) -> usize {
    m.min(LAGS) + SUMMARIES
}

/// At most [`FEATURES_MAX`] numbers of a window of at least 3 values.
fn features(window: &[f64]) -> impl Iterator<Item = f64> {
    let m = window.len();
    let at = |back: usize| bounded(window[m - 1 - back]);
    let n = m as f64;
    let mean = (0..m).map(|back| at(back) / n).sum::<f64>();
    let squares: f64 = (0..m)
        .map(|back| (at(back) - mean) * (at(back) - mean))
        .sum();
    let (mut low, mut high) = (f64::MAX, f64::MIN);
    for back in 0..m {
        (low, high) = (low.min(at(back)), high.max(at(back)));
    }
    let step = at(0) - at(1);
    let summaries: [f64; SUMMARIES] = [
        mean,
        (squares / n).sqrt(),
        high - low,
        step,
        step - (at(1) - at(2)),
    ];
    let lags = m.min(LAGS);
    let mut features = [0.0; FEATURES_MAX];
    for (i, feature) in features[..lags].iter_mut().enumerate() {
        *feature = at(i * m / lags);
    }
    features[lags..lags + SUMMARIES].copy_from_slice(&summaries);
    features.into_iter().take(lags + SUMMARIES)
}

fn ranges(rows: &[Vec<f32>]) -> Vec<(f32, f32)> {
    let mut ranges = vec![(f32::MAX, f32::MIN); rows[0].len()];
    for row in rows {
        for ((low, high), &x) in ranges.iter_mut().zip(row) {
            (*low, *high) = (low.min(x), high.max(x));
        }
    }
    ranges
}

/// A feature that is not the same in all chosen rows, and a value above its least one.
fn cut(rows: &[Vec<f32>], chosen: &[usize], rng: &mut Xoshiro256PlusPlus) -> Option<(usize, f32)> {
    if chosen.len() < 2 {
        return None;
    }
    let range = |feature: usize| {
        let (mut low, mut high) = (f32::MAX, f32::MIN);
        for &row in chosen {
            let x = rows[row][feature];
            (low, high) = (low.min(x), high.max(x));
        }
        (low, high)
    };
    let count = rows[0].len();
    // From a random feature on, the first that can be cut.
    let first = below(rng, count);
    let (feature, (low, high)) = (0..count)
        .map(|i| (first + i) % count)
        .map(|feature| (feature, range(feature)))
        .find(|(_, (low, high))| low < high)?;
    // 53 bits in [0, 1).
    let share = (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
    let (low_wide, high_wide) = (f64::from(low), f64::from(high));
    let threshold = (low_wide + share * (high_wide - low_wide)) as f32;
    // Rounding must leave something on each side.
    Some((feature, threshold.clamp(low.next_up(), high)))
}

/// A number below `n` > 0; its bias, n / 2^64, is beyond notice.
fn below(rng: &mut Xoshiro256PlusPlus, n: usize) -> usize {
    ((u128::from(rng.next_u64()) * n as u128) >> 64) as usize
}

/// Moves what satisfies `is_first` to the front; how many that are.
fn partition(items: &mut [usize], is_first: impl Fn(&usize) -> bool) -> usize {
    let mut middle = 0;
    for i in 0..items.len() {
        if is_first(&items[i]) {
            items.swap(i, middle);
            middle += 1;
        }
    }
    middle
}

/// c(n) = 2·H(n − 1) − 2·(n − 1) / n with the harmonic number H in full.
fn mean_depth(n: usize) -> f64 {
    if n < 2 {
        return 0.0;
    }
    let harmonic: f64 = (1..n).map(|i| 1.0 / i as f64).sum();
    2.0 * harmonic - 2.0 * (n - 1) as f64 / n as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::shingles::laws::{self, M, fitted, sine};

    laws::laws!(Forest, -4.0, [sine, beats]);

    /// From the paper's formula with H(i) = ln i + 0.5772…: c(256) = 10.2448.
    #[test]
    fn mean_depths() {
        assert_eq!(
            (mean_depth(0), mean_depth(1), mean_depth(2)),
            (0.0, 0.0, 1.0)
        );
        assert!((mean_depth(256) - 10.2448).abs() < 5e-3);
    }

    #[test]
    fn novelty_of_usual_windows_is_about_one() {
        let series = sine(4_000, 6);
        let model = fitted(Forest::fit, &series, M).unwrap();
        let novelties: Vec<f64> = series.windows(M).map(|w| model.novelty(w)).collect();
        let mean = novelties.iter().sum::<f64>() / novelties.len() as f64;
        assert!((0.8..1.3).contains(&mean), "{mean}");
    }

    /// The second term is zero up to the edge of a range and starts from zero there.
    #[test]
    fn continuous_at_the_edge_of_the_range() {
        let series = sine(3_000, 6);
        let mut model = fitted(Forest::fit, &series, M).unwrap();
        let window = series[..M].to_vec();
        let inside = model.novelty(&window);
        // The range of the last value, moved until its edge is at the value, then past it.
        let last = window[M - 1];
        let mut with_edge = |edge: f64| {
            model.ranges[0] = (-3.0, edge as f32);
            model.novelty(&window)
        };
        assert_eq!(with_edge(last + 1e-3), inside);
        let past = with_edge(last - 1e-3) - inside;
        assert!(past > 0.0 && past < 1e-3, "{past}");
    }

    #[test]
    fn grows_beyond_the_range() {
        laws::grows_beyond_the_range(Forest::fit);
    }
}
