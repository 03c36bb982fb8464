//! One season in the time domain: what a cycle says about its neighbours.
//!
//! `y = x − (running mean of x over one period)`; `p(t)` = mean of y at `t ± P, …, t ± 4P`, that is
//! what the cycles around a point, without its own, say of it. `Σ y·p` estimates the variance of the
//! season without bias, since the noise in p is not that in y; over `Σ y²` it is the strength (as of
//! Wang, Smith & Hyndman, *Characteristic-based clustering for time series data*, Data Min. Knowl.
//! Discov. 13, 2006, who take it from a decomposition of the same points). Few neighbours on each
//! side, so that a season may move: with the clocks of a country, or slowly.

use super::grid::Grid;

/// Cycles looked at on each side.
const NEIGHBOURS: i64 = 4;

/// Periods of fewer cells are followed to parts of a cell.
const INTERPOLATED: f64 = 64.0;

/// What the neighbouring cycles say of a series.
pub(super) struct Profile {
    /// `Σ y·p`.
    pub(super) explained: f64,
    /// `Σ y²`.
    pub(super) total: f64,
    /// Share of the cycles for which the neighbours are right rather than wrong, `Σ y·p > 0`.
    pub(super) agreeing: f64,
    /// `Σ y·p / √Σ (y·p)²`: small where a few points say it all.
    pub(super) breadth: f64,
    /// Cosine of the angle between y and p.
    pub(super) cosine: f64,
}

/// The series less its running mean over one period.
pub(super) fn high_passed(grid: &Grid, period: f64) -> Vec<f64> {
    let n = grid.len();
    let window = period.min(n as f64);
    // At the ends the window stops, so that it always holds every phase once.
    let (first, last) = (0.0, n as f64 - window);
    let start = |t: usize| (t as f64 + 0.5 - 0.5 * window).clamp(first, last);
    let less_mean = |t: usize, sum: f64, count: f64| {
        if count > 0.0 {
            (grid.values[t] - sum / count) * grid.weights[t]
        } else {
            0.0
        }
    };
    let at = |t: usize| {
        let from = start(t);
        let over = |sums: &[f64]| between(sums, from + window) - between(sums, from);
        less_mean(t, over(&grid.sums), over(&grid.counts))
    };
    // In between it moves a cell at a time, and so do both of its ends.
    let moving_from = ((0.5 * window).ceil() as usize + 1).min(n);
    let moving_to = n.saturating_sub(moving_from).max(moving_from);
    let mut y: Vec<f64> = (0..moving_from).map(at).collect();
    if moving_to > moving_from {
        let cells = moving_to - moving_from;
        let from = start(moving_from);
        let over = |sums: &[f64]| -> Vec<f64> {
            let left = interpolated(sums, from, cells);
            let right = interpolated(sums, from + window, cells);
            right.zip(left).map(|(right, left)| right - left).collect()
        };
        let (sum, count) = (over(&grid.sums), over(&grid.counts));
        y.extend((0..cells).map(|i| less_mean(moving_from + i, sum[i], count[i])));
    }
    y.extend((moving_to..n).map(at));
    y
}

/// Means over the same phase in neighbouring cycles, with the cycle itself or without.
pub(super) fn neighbours(grid: &Grid, y: &[f64], period: f64, own: Own) -> Vec<f64> {
    let n = y.len();
    let mut sums = vec![0.0; n];
    let mut counts = vec![0.0; n];
    for cycle in -NEIGHBOURS..=NEIGHBOURS {
        if cycle == 0 && matches!(own, Own::Without) {
            continue;
        }
        let shift = cycle as f64 * period;
        // Between two cells only where half a cell is a part of the period that matters.
        let shift = if period < INTERPOLATED {
            shift
        } else {
            shift.round()
        };
        let whole = shift.floor();
        let part = shift - whole;
        for (share, shift) in [(1.0 - part, whole as i64), (part, whole as i64 + 1)] {
            if share < 1e-3 {
                continue;
            }
            let from = (-shift).clamp(0, n as i64) as usize;
            let to = (n as i64 - shift).clamp(from as i64, n as i64) as usize;
            let source = (from as i64 + shift).clamp(0, n as i64) as usize;
            for ((sum, count), (value, weight)) in sums[from..to]
                .iter_mut()
                .zip(&mut counts[from..to])
                .zip(y[source..].iter().zip(&grid.weights[source..]))
            {
                *sum += share * value;
                *count += share * weight;
            }
        }
    }
    for (sum, count) in sums.iter_mut().zip(&counts) {
        *sum = if *count > 0.0 { *sum / count } else { 0.0 };
    }
    sums
}

/// Whether a cycle is among its own neighbours.
#[derive(Clone, Copy)]
pub(super) enum Own {
    With,
    Without,
}

/// `Σ y(t)·y(t + P) / Σ y²`, P to the nearest cell: a first look that costs one pass.
pub(super) fn correlation(y: &[f64], period: f64) -> f64 {
    let lag = (period.round() as usize).min(y.len());
    let squares: f64 = y.iter().map(|y| y * y).sum();
    let products: f64 = y.iter().zip(&y[lag..]).map(|(a, b)| a * b).sum();
    products / squares.max(f64::MIN_POSITIVE)
}

impl Profile {
    /// Of a series already high-passed.
    pub(super) fn of(grid: &Grid, y: &[f64], period: f64) -> Self {
        let predicted = neighbours(grid, y, period, Own::Without);
        let (mut explained, mut total, mut squares, mut products) = (0.0, 0.0, 0.0, 0.0);
        let (mut cycles, mut agreeing, mut known, mut product) = (0.0, 0.0, 0.0, 0.0);
        let mut end = period;
        for t in 0..y.len() {
            if t as f64 >= end {
                if known > 0.25 * period {
                    cycles += 1.0;
                    agreeing += f64::from(u8::from(product > 0.0));
                }
                (known, product) = (0.0, 0.0);
                end += period;
            }
            known += grid.weights[t];
            product += y[t] * predicted[t];
            explained += y[t] * predicted[t];
            products += y[t] * predicted[t] * y[t] * predicted[t];
            total += y[t] * y[t];
            squares += grid.weights[t] * predicted[t] * predicted[t];
        }
        if known > 0.5 * period {
            cycles += 1.0;
            agreeing += f64::from(u8::from(product > 0.0));
        }
        Self {
            explained,
            total,
            agreeing: if cycles > 0.0 { agreeing / cycles } else { 0.0 },
            breadth: explained / products.sqrt().max(f64::MIN_POSITIVE),
            cosine: explained / (total * squares).sqrt().max(f64::MIN_POSITIVE),
        }
    }
}

/// Takes a season out: what the cycles around each point, its own among them, have in common.
pub(super) fn remove(grid: &mut Grid, period: f64) {
    let y = high_passed(grid, period);
    let season = neighbours(grid, &y, period, Own::With);
    let mut values = std::mem::take(&mut grid.values);
    for ((value, weight), season) in values.iter_mut().zip(&grid.weights).zip(season) {
        *value -= season * weight;
    }
    grid.set(values);
}

/// Prefix sums at a place between two cells and as far into the cells that follow.
fn interpolated(sums: &[f64], at: f64, cells: usize) -> impl Iterator<Item = f64> {
    let i = at as usize;
    let part = at - i as f64;
    let (here, next) = (&sums[i..i + cells], &sums[i + 1..=i + cells]);
    here.iter().zip(next).map(move |(a, b)| a + (b - a) * part)
}

/// Prefix sum at a place between two cells.
fn between(sums: &[f64], at: f64) -> f64 {
    let last = sums.len() - 1;
    let i = (at as usize).min(last);
    let next = (i + 1).min(last);
    sums[i] + (sums[next] - sums[i]) * (at - i as f64)
}
