//! The search behind `nearest`: windows with their weighted sums, and the inner products that find the
//! nearest of them.
//!
//! A point that is a steps older than the last of its window has the weight c·λᵃ, the weights of a
//! window being m in sum. With the weighted inner product p_j of the query w and the window x_j, and
//! weighted means and standard deviations,
//!
//! ```text
//! ‖w − x_j‖² = ‖w‖² + ‖x_j‖² − 2 p_j
//! ‖z(w) − z(x_j)‖² = ‖z(w)‖² + ‖z(x_j)‖² − 2 (p_j − m·mean(w)·mean(x_j)) / (sd(w)·sd(x_j))
//! ```

use std::ops::Range;

use super::linear;
use crate::stats::elementary::exp;

/// Neighbours looked for: the distance to the last of them counts.
pub(super) const NEIGHBOURS: usize = 3;
/// Standard deviation below which a window counts as flat, in that of the training series.
pub(super) const SD_MIN: f64 = 0.05;
/// The first point of a window weighs e⁻⁸ of the last: it has all but left the window already.
const DECAY: f64 = 8.0;
/// Windows are searched in blocks of this many.
const BLOCK: usize = 64;

/// What each point of a window weighs.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Weights {
    /// Oldest point first; as many in sum as there are.
    of: Vec<f64>,
    /// Of a point in the next window, over that in this one: λ.
    pub(super) decay: f64,
    /// Of the point that enters, the last.
    pub(super) entering: f64,
    /// What the point that leaves would still weigh.
    pub(super) leaving: f64,
}

impl Weights {
    /// Of windows of `m` ≥ 1 points.
    pub(super) fn new(m: usize) -> Self {
        let share = |age: usize| exp(-DECAY * age as f64 / m as f64);
        let shares: Vec<f64> = (0..m).rev().map(share).collect();
        let scale = m as f64 / shares.iter().sum::<f64>();
        let of: Vec<f64> = shares.iter().map(|share| scale * share).collect();
        let decay = share(1);
        Self {
            decay,
            entering: of[m - 1],
            leaving: decay * of[0],
            of,
        }
    }

    /// Points of a window.
    pub(super) fn m(&self) -> usize {
        self.of.len()
    }

    /// A window times its weights.
    pub(super) fn times(&self, window: &[f64]) -> Vec<f64> {
        let points = window.iter().zip(&self.of);
        points.map(|(x, weight)| x * weight).collect()
    }

    /// `√Σ weight·(w − x)²`.
    pub(super) fn distance(&self, w: &[f64], x: &[f64]) -> f64 {
        let points = w.iter().zip(x).zip(&self.of);
        let squares = points.map(|((w, x), weight)| weight * (w - x) * (w - x));
        squares.sum::<f64>().sqrt()
    }
}

/// Sums over one window.
#[derive(Debug, Clone, Copy)]
pub(super) struct WindowSums {
    mean: f64,
    /// `1 / max(sd, SD_MIN)`.
    inverse_sd: f64,
    /// Sum of squares.
    square: f64,
    /// Sum of squares of the z-normalised window.
    z_square: f64,
}

impl WindowSums {
    pub(super) fn of(weights: &Weights, window: &[f64]) -> Self {
        let (n, of) = (weights.m() as f64, &weights.of);
        let mean = linear::sum_of_pairs(window, of, |x, weight| weight * x) / n;
        let squares =
            linear::sum_of_pairs(window, of, |x, weight| weight * (x - mean) * (x - mean));
        let sd = (squares / n).sqrt();
        let inverse_sd = 1.0 / sd.max(SD_MIN);
        let z = sd * inverse_sd;
        Self {
            mean,
            inverse_sd,
            square: linear::sum_of_pairs(window, of, |x, weight| weight * x * x),
            z_square: n * z * z,
        }
    }

    /// The z-normalised value of a point of the window.
    pub(super) fn z(&self, x: f64) -> f64 {
        (x - self.mean) * self.inverse_sd
    }
}

/// Sums over many windows, in columns.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Sums {
    mean: Vec<f64>,
    inverse_sd: Vec<f64>,
    square: Vec<f64>,
    z_square: Vec<f64>,
}

impl Sums {
    pub(super) fn len(&self) -> usize {
        self.mean.len()
    }

    pub(super) fn push(&mut self, window: WindowSums) {
        self.mean.push(window.mean);
        self.inverse_sd.push(window.inverse_sd);
        self.square.push(window.square);
        self.z_square.push(window.z_square);
    }

    /// A place without a window, infinitely far from every other.
    pub(super) fn push_none(&mut self) {
        self.push(WindowSums {
            mean: 0.0,
            inverse_sd: 1.0,
            square: f64::INFINITY,
            z_square: f64::INFINITY,
        });
    }

    /// Whether there is a window at a place.
    pub(super) fn has(&self, place: usize) -> bool {
        self.square[place].is_finite()
    }

    pub(super) fn has_any(&self) -> bool {
        self.square.iter().any(|square| square.is_finite())
    }

    /// Drops the first `count`.
    pub(super) fn drop_first(&mut self, count: usize) {
        for column in [
            &mut self.mean,
            &mut self.inverse_sd,
            &mut self.square,
            &mut self.z_square,
        ] {
            column.drain(..count);
        }
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        4 * size_of::<f64>() * self.square.capacity()
    }

    /// Looks at the windows in `range`, whose inner products with the query are `products`. In
    /// what is found, the first of them has the place `first`.
    pub(super) fn search(
        &self,
        query: &WindowSums,
        (m, products): (usize, &[f64]),
        range: Range<usize>,
        first: usize,
        found: &mut Found,
    ) {
        let mut values = [[f64::INFINITY; BLOCK]; 2];
        for (block, products) in products[..range.len()].chunks(BLOCK).enumerate() {
            let offset = block * BLOCK;
            let start = range.start + offset;
            self.fill(
                query,
                m,
                products,
                start..start + products.len(),
                &mut values,
            );
            for (found, values) in [&mut found.raw, &mut found.shape].into_iter().zip(&values) {
                // Nearly every block is without one: a running minimum with its place would cost
                // several times as much.
                if least(values) < found.bound() {
                    for (i, &value) in values.iter().enumerate() {
                        found.offer(value, first + offset + i);
                    }
                }
            }
        }
    }

    /// Both squared distances of at most [`BLOCK`] windows, less what they all share; infinite beyond
    /// the end of the block.
    #[inline]
    fn fill(
        &self,
        query: &WindowSums,
        m: usize,
        products: &[f64],
        block: Range<usize>,
        [raw, shape]: &mut [[f64; BLOCK]; 2],
    ) {
        let squares = &self.square[block.clone()];
        for ((value, product), square) in raw.iter_mut().zip(products).zip(squares) {
            *value = square - 2.0 * product;
        }
        let shift = m as f64 * query.mean;
        let scale = 2.0 * query.inverse_sd;
        let columns = self.mean[block.clone()]
            .iter()
            .zip(&self.inverse_sd[block.clone()])
            .zip(&self.z_square[block]);
        for ((value, product), ((mean, inverse_sd), z_square)) in
            shape.iter_mut().zip(products).zip(columns)
        {
            *value = z_square - (product - shift * mean) * scale * inverse_sd;
        }
        raw[products.len()..].fill(f64::INFINITY);
        shape[products.len()..].fill(f64::INFINITY);
    }
}

/// What a search found so far, by either distance.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Found {
    pub(super) raw: Nearest,
    pub(super) shape: Nearest,
}

/// The nearest windows, nearest first: squared distances, less what they all share, and places.
#[derive(Debug, Clone, Copy)]
pub(super) struct Nearest {
    values: [f64; NEIGHBOURS],
    places: [usize; NEIGHBOURS],
}

impl Default for Nearest {
    fn default() -> Self {
        Self {
            values: [f64::INFINITY; NEIGHBOURS],
            places: [0; NEIGHBOURS],
        }
    }
}

impl Nearest {
    /// What is not below it is none of the nearest.
    fn bound(&self) -> f64 {
        self.values[NEIGHBOURS - 1]
    }

    fn offer(&mut self, value: f64, place: usize) {
        if value.is_nan() || value >= self.bound() {
            return;
        }
        let mut at = NEIGHBOURS - 1;
        while at > 0 && value < self.values[at - 1] {
            self.values[at] = self.values[at - 1];
            self.places[at] = self.places[at - 1];
            at -= 1;
        }
        (self.values[at], self.places[at]) = (value, place);
    }

    /// The place of the last of them; `None` where nothing was found.
    pub(super) fn last(&self) -> Option<usize> {
        let found = self.values.iter().filter(|value| value.is_finite()).count();
        Some(self.places[found.checked_sub(1)?])
    }
}

/// In interleaved minima, which the processor takes side by side.
#[inline]
fn least(values: &[f64; BLOCK]) -> f64 {
    let mut lanes = [f64::INFINITY; 8];
    for chunk in values.as_chunks::<8>().0 {
        lanes = std::array::from_fn(|i| {
            if chunk[i] < lanes[i] {
                chunk[i]
            } else {
                lanes[i]
            }
        });
    }
    lanes.into_iter().fold(f64::INFINITY, f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn weights_fall_to_the_past_and_add_up_to_the_points() {
        for m in [1, 4, 25, 256] {
            let weights = Weights::new(m);
            assert!((weights.of.iter().sum::<f64>() - m as f64).abs() < 1e-9 * m as f64);
            assert!(weights.of.is_sorted());
            for pair in weights.of.windows(2) {
                assert!((pair[0] - weights.decay * pair[1]).abs() < 1e-12 * pair[1]);
            }
        }
    }

    proptest! {
        #[test]
        fn the_search_finds_what_a_sort_finds(
            windows in proptest::collection::vec(-3.0_f64..3.0, 5..300),
            query in proptest::collection::vec(-3.0_f64..3.0, 4),
        ) {
            let weights = Weights::new(4);
            let mut sums = Sums::default();
            for window in windows.windows(4) {
                sums.push(WindowSums::of(&weights, window));
            }
            let weighted = weights.times(&query);
            let product = |x: &[f64]| -> f64 { x.iter().zip(&weighted).map(|(x, w)| x * w).sum() };
            let products: Vec<f64> = windows.windows(4).map(product).collect();
            let of_query = WindowSums::of(&weights, &query);
            let mut found = Found::default();
            sums.search(&of_query, (4, &products), 0..sums.len(), 0, &mut found);
            let third = |distance: &dyn Fn(&[f64]) -> f64| {
                let mut all: Vec<f64> =
                    windows.windows(4).map(distance).collect();
                all.sort_by(f64::total_cmp);
                all[(NEIGHBOURS - 1).min(all.len() - 1)]
            };
            let raw = |x: &[f64]| weights.distance(&query, x);
            let z = |x: &[f64]| -> Vec<f64> {
                let sums = WindowSums::of(&weights, x);
                x.iter().map(|&x| sums.z(x)).collect()
            };
            let shape = |x: &[f64]| weights.distance(&z(&query), &z(x));
            for (nearest, distance) in [
                (&found.raw, &raw as &dyn Fn(&[f64]) -> f64),
                (&found.shape, &shape),
            ] {
                let place = nearest.last().unwrap();
                let at = distance(&windows[place..place + 4]);
                prop_assert!((at - third(distance)).abs() < 1e-6, "{} {}", at, third(distance));
            }
        }
    }
}
