//! The history without its trend, by STL on a regular grid.

use crate::models::history::{History, MAD_TO_STD};
use crate::seasons::Profile;
use crate::stats::order::median_of;

/// Grid cells at most: what a decomposition costs has a bound.
const CELLS_MAX: i64 = 8_192;

/// Values further out than this many scales from a first profile are drawn in before STL sees them:
/// it is a least-squares method, and its own robust iterations cost six times as much.
const CLIP: f64 = 4.0;

/// Values less the trend; the values themselves where there is no season to tell a trend from, or
/// the history is too short for one.
pub(crate) fn removed(history: &History<'_>, seasons: &[Profile], local: &[i64]) -> Vec<f64> {
    let trend = decomposed(history, seasons, local);
    match trend {
        Some(trend) => {
            let values = history.values.iter().zip(history.ticks);
            values
                .map(|(value, tick)| value - trend.at(*tick))
                .collect()
        }
        None => history.values.clone(),
    }
}

/// A trend on a regular grid.
struct Trend {
    first: i64,
    cell: f64,
    values: Vec<f32>,
}

impl Trend {
    fn at(&self, tick: i64) -> f64 {
        let index = ((tick - self.first) as f64 / self.cell) as usize;
        f64::from(self.values[index.min(self.values.len() - 1)])
    }
}

fn decomposed(history: &History<'_>, seasons: &[Profile], local: &[i64]) -> Option<Trend> {
    let longest = seasons.last()?;
    let (first, _) = history.range();
    let cells = ((history.span() / history.step).min(CELLS_MAX - 1) + 1) as usize;
    let cell = (history.span() as f64 / cells as f64).max(1.0) * (1.0 + 1e-12);
    let period = (longest.period as f64 / cell).round() as usize;
    if period < 2 || cells < 2 * period {
        return None;
    }
    let clipped = clipped(history, longest, local);
    let mut sums = vec![(0.0_f64, 0_u32); cells];
    for (tick, value) in history.ticks.iter().zip(&clipped) {
        let index = (((tick - first) as f64 / cell) as usize).min(cells - 1);
        sums[index].0 += value;
        sums[index].1 += 1;
    }
    let grid = filled(&sums);
    // A window of ten cycles makes the seasonal component nearly periodic; jumps only skip points
    // at which the smooth curves are interpolated.
    let fit = stlrs::params()
        .seasonal_length(10 * (cells / period).max(1) + 1)
        .seasonal_jump((cells / period / 10).max(1))
        .trend_jump((period / 5).max(1))
        .low_pass_jump((period / 5).max(1))
        .fit(&grid, period)
        .ok()?;
    let values = fit.trend().to_vec();
    values
        .iter()
        .all(|value| value.is_finite())
        .then_some(Trend {
            first,
            cell,
            values,
        })
}

/// Values with those far from the median of their phase drawn in.
fn clipped(history: &History<'_>, season: &Profile, local: &[i64]) -> Vec<f64> {
    let mut by_knot = vec![Vec::new(); season.knots.len()];
    for (value, at) in history.values.iter().zip(local) {
        by_knot[season.nearest_knot(*at)].push(*value);
    }
    let medians: Vec<f64> = by_knot
        .into_iter()
        .map(|mut values| {
            if values.is_empty() {
                0.0
            } else {
                median_of(&mut values)
            }
        })
        .collect();
    let rest: Vec<f64> = history
        .values
        .iter()
        .zip(local)
        .map(|(value, at)| value - medians[season.nearest_knot(*at)])
        .collect();
    let mut sizes: Vec<f64> = rest.iter().map(|rest| rest.abs()).collect();
    let mean = sizes.iter().sum::<f64>() / sizes.len().max(1) as f64;
    let reach = CLIP * (median_of(&mut sizes) * MAD_TO_STD).max(0.1 * mean);
    let values = history.values.iter().zip(&rest);
    values
        .map(|(value, rest)| value - rest + rest.clamp(-reach, reach))
        .collect()
}

/// Means by cell; an empty cell lies between its neighbours.
fn filled(sums: &[(f64, u32)]) -> Vec<f32> {
    let mut grid = vec![0.0_f32; sums.len()];
    let mut previous: Option<usize> = None;
    for (index, (sum, count)) in sums.iter().enumerate() {
        if *count == 0 {
            continue;
        }
        let value = (sum / f64::from(*count)) as f32;
        grid[index] = value;
        match previous {
            None => grid[..index].fill(value),
            Some(left) => {
                let (from, gap) = (grid[left], (index - left) as f32);
                for (i, missing) in grid[left + 1..index].iter_mut().enumerate() {
                    *missing = from + (value - from) * (i + 1) as f32 / gap;
                }
            }
        }
        previous = Some(index);
    }
    if let Some(last) = previous {
        let value = grid[last];
        grid[last + 1..].fill(value);
    }
    grid
}
