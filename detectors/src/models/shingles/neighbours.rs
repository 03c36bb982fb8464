//! The search behind `nearest`: kept windows with their sums, and the inner products that find the
//! nearest of them.
//!
//! With the inner product p_j of the query w and the kept window x_j, of m points each,
//!
//! ```text
//! ‖w − x_j‖² = ‖w‖² + ‖x_j‖² − 2 p_j
//! ‖z(w) − z(x_j)‖² = ‖z(w)‖² + ‖z(x_j)‖² − 2 (p_j − m·mean(w)·mean(x_j)) / (sd(w)·sd(x_j))
//! ```
//!
//! and from one window of a series to the next, p_j loses one product and gains one.

use super::linear;

/// Standard deviation below which a window counts as flat, in that of the training series.
pub(super) const SD_MIN: f64 = 0.05;
/// Rolled products are computed anew after this many rows, or when they may be off by this share of
/// the sum of squares of the window: a value that was far larger than the rest has just left it.
const ROWS_MAX: usize = 512;
const ERROR_MAX: f64 = 1e-13;
/// Kept windows are searched in blocks of this many.
const BLOCK: usize = 64;

/// Sums over every window that starts at a kept point; those that a window must not be compared
/// with have a `square` of infinity.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Index {
    /// Points of a window.
    m: usize,
    /// Mean.
    pub(super) mean: Vec<f64>,
    /// `1 / max(sd, SD_MIN)`.
    pub(super) inverse_sd: Vec<f64>,
    /// Sum of squares.
    pub(super) square: Vec<f64>,
    /// Sum of squares of the z-normalised window.
    pub(super) z_square: Vec<f64>,
    /// Largest absolute value of the kept points.
    pub(super) largest: f64,
}

/// A window to be compared.
pub(super) struct Query {
    pub(super) mean: f64,
    pub(super) inverse_sd: f64,
}

impl Query {
    pub(super) fn of(window: &[f64]) -> Self {
        let (mean, sd) = mean_and_sd(window);
        Self {
            mean,
            inverse_sd: 1.0 / sd.max(SD_MIN),
        }
    }
}

/// Kept windows nearest to a query.
#[derive(Clone, Copy)]
pub(super) struct Neighbours {
    pub(super) raw: usize,
    pub(super) shape: usize,
}

impl Index {
    /// Of the windows of `m` points within each of the `pieces`, whose lengths add up to the number
    /// of points.
    pub(super) fn of(m: usize, points: &[f32], pieces: &[u32]) -> Self {
        let starts = (points.len() + 1).saturating_sub(m);
        let mut index = Self {
            m,
            mean: vec![0.0; starts],
            inverse_sd: vec![1.0; starts],
            square: vec![f64::INFINITY; starts],
            z_square: vec![f64::INFINITY; starts],
            largest: 0.0,
        };
        for &x in points {
            index.largest = index.largest.max(f64::from(x).abs());
        }
        let mut window = vec![0.0; m];
        let mut piece_start = 0;
        for (i, &length) in pieces.iter().enumerate() {
            let piece_end = piece_start + length as usize;
            // Of the last piece, the last windows are too near to what will be scored.
            let kept_back = if i + 1 == pieces.len() { m / 2 } else { 0 };
            for start in piece_start..(piece_end + 1).saturating_sub(m + kept_back) {
                for (x, &y) in window.iter_mut().zip(&points[start..start + m]) {
                    *x = f64::from(y);
                }
                index.set(start, &window);
            }
            piece_start = piece_end;
        }
        index
    }

    fn set(&mut self, start: usize, window: &[f64]) {
        let (mean, sd) = mean_and_sd(window);
        let inverse_sd = 1.0 / sd.max(SD_MIN);
        let z = sd * inverse_sd;
        self.mean[start] = mean;
        self.inverse_sd[start] = inverse_sd;
        self.square[start] = linear::dot(window, window);
        self.z_square[start] = window.len() as f64 * z * z;
    }

    /// The nearest windows by their inner products with the query: the block with the least value,
    /// then the place in it, because a running minimum with its place would cost several times as
    /// much.
    pub(super) fn search(
        &self,
        query: &Query,
        products: &[f64],
        range: std::ops::Range<usize>,
    ) -> Option<Neighbours> {
        let mut values = [[f64::INFINITY; BLOCK]; 2];
        let mut best = [(f64::INFINITY, range.start); 2];
        for start in range.clone().step_by(BLOCK) {
            let end = (start + BLOCK).min(range.end);
            self.fill(query, products, start..end, &mut values);
            for (best, values) in best.iter_mut().zip(&values) {
                let least = least(values);
                if least < best.0 {
                    *best = (least, start);
                }
            }
        }
        let mut place = |which: usize| {
            let (least, start) = best[which];
            let end = (start + BLOCK).min(range.end);
            self.fill(query, products, start..end, &mut values);
            let place = values[which].iter().position(|&value| value == least)?;
            (least < f64::INFINITY).then_some(start + place)
        };
        Some(Neighbours {
            raw: place(0)?,
            shape: place(1)?,
        })
    }

    /// Both squared distances of at most [`BLOCK`] kept windows, less what they all share; infinite
    /// beyond the end of the block.
    #[inline]
    fn fill(
        &self,
        query: &Query,
        products: &[f64],
        block: std::ops::Range<usize>,
        [raw, shape]: &mut [[f64; BLOCK]; 2],
    ) {
        let squares = &self.square[block.clone()];
        for ((value, product), square) in raw.iter_mut().zip(&products[block.clone()]).zip(squares)
        {
            *value = square - 2.0 * product;
        }
        let shift = self.m as f64 * query.mean;
        let scale = 2.0 * query.inverse_sd;
        let columns = self.mean[block.clone()]
            .iter()
            .zip(&self.inverse_sd[block.clone()])
            .zip(&self.z_square[block.clone()]);
        for ((value, product), ((mean, inverse_sd), z_square)) in
            shape.iter_mut().zip(&products[block.clone()]).zip(columns)
        {
            *value = z_square - (product - shift * mean) * scale * inverse_sd;
        }
        raw[block.len()..].fill(f64::INFINITY);
        shape[block.len()..].fill(f64::INFINITY);
    }
}

/// Inner products of consecutive windows with every kept window: rolled from one to the next.
pub(super) struct Rows<'a> {
    index: &'a Index,
    points: Vec<f64>,
    products: Vec<f64>,
    /// Start of the window that `products` belong to.
    at: Option<usize>,
    rows: usize,
    error: f64,
}

impl<'a> Rows<'a> {
    pub(super) fn new(index: &'a Index, points: Vec<f64>) -> Self {
        Self {
            index,
            points,
            products: Vec::new(),
            at: None,
            rows: 0,
            error: 0.0,
        }
    }

    /// Products of the window of `series` at `start`.
    pub(super) fn advance(&mut self, series: &[f64], start: usize) -> &[f64] {
        let m = self.index.m;
        let rolled = start > 0 && self.at == Some(start - 1);
        if rolled {
            let (leaving, entering) = (series[start - 1], series[start + m - 1]);
            self.error += f64::EPSILON * self.index.largest * (leaving.abs() + entering.abs());
            self.rows += 1;
        }
        let window = &series[start..start + m];
        let allowed = ERROR_MAX * (m as f64 + linear::dot(window, window));
        if rolled && self.rows < ROWS_MAX && self.error <= allowed {
            self.roll(series, start, m);
        } else {
            self.products = products(&self.points, m, window);
            (self.rows, self.error) = (0, 0.0);
        }
        self.at = Some(start);
        &self.products
    }

    fn roll(&mut self, series: &[f64], start: usize, m: usize) {
        let (leaving, entering) = (series[start - 1], series[start + m - 1]);
        let last = self.products.len().saturating_sub(1);
        self.products.copy_within(..last, 1);
        // The product at j was that of the window before, at j − 1.
        let (left, right) = (&self.points[..last], &self.points[m..]);
        for ((product, x), y) in self.products[1..].iter_mut().zip(left).zip(right) {
            *product += entering * y - leaving * x;
        }
        if let Some(product) = self.products.first_mut() {
            *product = linear::dot(&series[start..start + m], &self.points[..m]);
        }
    }
}

/// Inner products of a window of at most `m` values with the points from every start that has `m`.
///
/// Sixteen starts at a time: their sums stay in registers, and none has to be added up across.
pub(super) fn products(points: &[f64], m: usize, window: &[f64]) -> Vec<f64> {
    const TOGETHER: usize = 16;
    let mut products = vec![0.0; (points.len() + 1).saturating_sub(m)];
    let (blocks, rest) = products.as_chunks_mut::<TOGETHER>();
    let mut start = 0;
    for block in blocks {
        let mut sums = [0.0; TOGETHER];
        for (i, &x) in window.iter().enumerate() {
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
        let kept = &points[start + i..][..window.len()];
        *product = window.iter().zip(kept).map(|(x, y)| x * y).sum();
    }
    products
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

pub(super) fn mean_and_sd(window: &[f64]) -> (f64, f64) {
    let n = window.len() as f64;
    let mean = linear::sum(window, |x| x) / n;
    let squares = linear::sum(window, |x| (x - mean) * (x - mean));
    (mean, (squares / n).sqrt())
}
