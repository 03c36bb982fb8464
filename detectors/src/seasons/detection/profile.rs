//! One season in the time domain: what a cycle says about its neighbours.
//!
//! `y = x − (running mean of x over one period)`; `p(t)` = mean of y at `t ± P, …, t ± JP`, that is
//! what the cycles around a point, without its own, say of it. `Σ y·p` estimates the variance of
//! the season without bias, since the noise in p is not that in y; over `Σ y²` it is the strength (as of
//! Wang, Smith & Hyndman, *Characteristic-based clustering for time series data*, Data Min. Knowl. Discov. 13, 2006, who
//! take it from a decomposition of the same points). Few neighbours on each side, so that a season
//! may move: with the clocks of a country, or slowly.

use super::grid::Grid;

/// Cycles looked at on each side.
const NEIGHBOURS: i64 = 4;

/// What the neighbouring cycles say of a series.
pub(super) struct Profile {
    /// `Σ y·p`.
    pub(super) explained: f64,
    /// `Σ y²`.
    pub(super) total: f64,
    /// Share of the cycles for which the neighbours are right rather than wrong, `Σ y·p > 0`.
    pub(super) agreeing: f64,
    /// Cosine of the angle between y and p.
    pub(super) cosine: f64,
}

/// The series less its running mean over one period.
pub(super) fn high_passed(grid: &Grid, period: f64) -> Vec<f64> {
    let n = grid.len();
    let sums = prefix_sums(grid.values.iter().zip(&grid.weights).map(|(v, w)| v * w));
    let counts = prefix_sums(grid.weights.iter().copied());
    let window = period.min(n as f64);
    (0..n)
        .map(|t| {
            if grid.weights[t] == 0.0 {
                return 0.0;
            }
            // At the ends the window stops, so that it always holds every phase once.
            let from = (t as f64 + 0.5 - 0.5 * window).clamp(0.0, n as f64 - window);
            let sum = between(&sums, from + window) - between(&sums, from);
            let count = between(&counts, from + window) - between(&counts, from);
            if count > 0.0 {
                grid.values[t] - sum / count
            } else {
                0.0
            }
        })
        .collect()
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
                *sum += share * weight * value;
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

impl Profile {
    /// Of a series already high-passed.
    pub(super) fn of(grid: &Grid, y: &[f64], period: f64) -> Self {
        let predicted = neighbours(grid, y, period, Own::Without);
        let (mut explained, mut total, mut squares) = (0.0, 0.0, 0.0);
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
            cosine: explained / (total * squares).sqrt().max(f64::MIN_POSITIVE),
        }
    }
}

/// Takes a season out: what the cycles around each point, its own among them, have in common.
pub(super) fn remove(grid: &mut Grid, period: f64) {
    let y = high_passed(grid, period);
    let season = neighbours(grid, &y, period, Own::With);
    for ((value, weight), season) in grid.values.iter_mut().zip(&grid.weights).zip(season) {
        *value -= season * weight;
    }
}

fn prefix_sums(terms: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut sum = 0.0;
    std::iter::once(0.0)
        .chain(terms.map(|term| {
            sum += term;
            sum
        }))
        .collect()
}

/// Prefix sum at a place between two cells.
fn between(sums: &[f64], at: f64) -> f64 {
    let last = sums.len() - 1;
    let i = (at as usize).min(last);
    let next = (i + 1).min(last);
    sums[i] + (sums[next] - sums[i]) * (at - i as f64)
}
