//! Inner products of the consecutive windows of a series with other windows, rolled from one to the
//! next: all weights fall by λ, one product enters and what is left of one leaves.
//!
//! What rounding does to a product falls by λ as well. Products are computed anew after some rows, or
//! when one may be off by a share of the sum of squares of the window: a value that was far larger
//! than the rest has just left it.

use std::ops::Range;

use super::linear;
use super::neighbours::{Found, Sums, Weights, WindowSums};

/// Rolled products are computed anew after this many rows …
const ROWS_MAX: usize = 512;
/// … or when they may be off by this share.
const ERROR_MAX: f64 = 1e-13;

/// How far products that were rolled can be trusted.
#[derive(Debug, Clone, Copy, Default)]
struct Trust {
    /// Start of the window that they belong to.
    at: Option<usize>,
    rows: usize,
    error: f64,
}

impl Trust {
    /// Moves on to the window at `start`, compared with points of at most `largest`: whether the
    /// products of the window before can be rolled.
    fn advance(&mut self, weights: &Weights, series: &[f64], start: usize, largest: f64) -> bool {
        let m = weights.m();
        let follows = start > 0 && self.at == Some(start - 1);
        self.at = Some(start);
        if follows {
            let (leaving, entering) = (series[start - 1], series[start + m - 1]);
            let moved = weights.leaving * leaving.abs() + weights.entering * entering.abs();
            self.error = weights.decay * self.error + f64::EPSILON * largest * moved;
            self.rows += 1;
        }
        let window = &series[start..start + m];
        let allowed = ERROR_MAX * (m as f64 + linear::dot(window, window));
        let holds = follows && self.rows < ROWS_MAX && self.error <= allowed;
        if !holds {
            (self.rows, self.error) = (0, 0.0);
        }
        holds
    }
}

/// Products with windows of points that do not change.
pub(super) struct Kept<'a> {
    weights: &'a Weights,
    points: Vec<f64>,
    largest: f64,
    products: Vec<f64>,
    trust: Trust,
}

impl<'a> Kept<'a> {
    pub(super) fn new(weights: &'a Weights, points: Vec<f64>) -> Self {
        Self {
            weights,
            largest: largest(&points),
            points,
            products: Vec::new(),
            trust: Trust::default(),
        }
    }

    /// Products of the window of `series` at `start` with the window from every point.
    pub(super) fn advance(&mut self, series: &[f64], start: usize) -> &[f64] {
        let m = self.weights.m();
        let weighted = self.weights.times(&series[start..start + m]);
        if self
            .trust
            .advance(self.weights, series, start, self.largest)
        {
            let (out, new) = (series[start - 1], series[start + m - 1]);
            self.roll(self.weights.leaving * out, self.weights.entering * new);
            if let Some(product) = self.products.first_mut() {
                *product = linear::dot(&weighted, &self.points[..m]);
            }
        } else {
            self.products = products(&self.points, &weighted);
        }
        &self.products
    }

    fn roll(&mut self, leaving: f64, entering: f64) {
        let (m, decay) = (self.weights.m(), self.weights.decay);
        let last = self.products.len().saturating_sub(1);
        // The product at j was that of the window before, at j − 1.
        self.products.copy_within(..last, 1);
        let (left, right) = (&self.points[..last], &self.points[m..]);
        for ((product, x), y) in self.products[1..].iter_mut().zip(left).zip(right) {
            *product = decay * *product + (entering * y - leaving * x);
        }
    }
}

/// Products with the windows of the same series that start at least `apart` points before, at most
/// [`REACH`](Recent::REACH) of them: those nearest in time.
///
/// They are kept by how far the windows are apart, so that each stays in its place from row to row.
pub(super) struct Recent<'a> {
    weights: &'a Weights,
    apart: usize,
    /// Of the windows from `first` on, up to the last that was advanced to.
    sums: Sums,
    first: usize,
    /// The last is with the window `apart` before, the one before it with one point more.
    products: Vec<f64>,
    /// The last ones that belong to a window.
    count: usize,
    largest: f64,
    trust: Trust,
}

impl<'a> Recent<'a> {
    /// Windows of the series itself that are looked at.
    pub(super) const REACH: usize = 2_048;

    pub(super) fn new(weights: &'a Weights, apart: usize) -> Self {
        Self {
            weights,
            apart,
            sums: Sums::default(),
            first: 0,
            products: vec![0.0; Self::REACH],
            count: 0,
            largest: 0.0,
            trust: Trust::default(),
        }
    }

    /// Moves on to the window of `series` at `start`, which follows the one before or is the first.
    pub(super) fn advance(&mut self, series: &[f64], start: usize) {
        let m = self.weights.m();
        let window = &series[start..start + m];
        self.sums.push(WindowSums::of(self.weights, window));
        let before = (start + 1).saturating_sub(self.apart);
        let count = before.min(Self::REACH);
        let (carried, oldest) = (self.count, before - count);
        self.largest = self.largest.max(series[start + m - 1].abs());
        let rolls = (self.trust).advance(self.weights, series, start, self.largest);
        let weighted = self.weights.times(window);
        let place = Self::REACH - count;
        if rolls {
            let (out, new) = (series[start - 1], series[start + m - 1]);
            let (leaving, entering) = (self.weights.leaving * out, self.weights.entering * new);
            let decay = self.weights.decay;
            let from = before - carried.min(count);
            let points = series[from.saturating_sub(1)..]
                .iter()
                .zip(&series[from + m - 1..]);
            let products = &mut self.products[Self::REACH - (before - from)..];
            for (product, (x, y)) in products.iter_mut().zip(points) {
                *product = decay * *product + (entering * y - leaving * x);
            }
            if count > carried {
                self.products[place] = linear::dot(&weighted, &series[oldest..oldest + m]);
            }
        } else {
            self.largest = largest(&series[oldest..start + m]);
            let anew = products(&series[oldest..before + m - 1], &weighted);
            self.products[place..].copy_from_slice(&anew[..count]);
        }
        self.count = count;
        self.forget(oldest);
    }

    /// Drops sums that no later window is compared with, many at a time.
    fn forget(&mut self, oldest: usize) {
        let unused = oldest - self.first;
        if unused >= Self::REACH {
            self.sums.drop_first(unused);
            self.first = oldest;
        }
    }

    /// Looks at all of them. In what is found, places are starts in the series plus `first`.
    pub(super) fn search(&self, query: &WindowSums, first: usize, found: &mut Found) {
        let range = self.range();
        let products = &self.products[Self::REACH - self.count..];
        let place = first + self.first + range.start;
        (self.sums).search(query, (self.weights.m(), products), range, place, found);
    }

    /// Where the windows that are looked at are among the sums.
    fn range(&self) -> Range<usize> {
        let end = (self.sums.len()).saturating_sub(self.apart);
        end - self.count.min(end)..end
    }
}

fn largest(points: &[f64]) -> f64 {
    points.iter().fold(0.0, |largest, x| x.abs().max(largest))
}

/// Inner products of a weighted window with the points from every start that has as many.
///
/// Sixteen starts at a time: their sums stay in registers, and none has to be added up across.
pub(super) fn products(points: &[f64], weighted: &[f64]) -> Vec<f64> {
    const TOGETHER: usize = 16;
    let mut products = vec![0.0; (points.len() + 1).saturating_sub(weighted.len())];
    let (blocks, rest) = products.as_chunks_mut::<TOGETHER>();
    let mut start = 0;
    for block in blocks {
        let mut sums = [0.0; TOGETHER];
        for (i, &x) in weighted.iter().enumerate() {
            let Some(kept) = points[start + i..].first_chunk::<TOGETHER>() else {
                break;
            };
            for (sum, y) in sums.iter_mut().zip(kept) {
                *sum += x * y;
            }
        }
        *block = sums;
        start += TOGETHER;
    }
    for (i, product) in rest.iter_mut().enumerate() {
        let kept = &points[start + i..][..weighted.len()];
        *product = weighted.iter().zip(kept).map(|(x, y)| x * y).sum();
    }
    products
}
