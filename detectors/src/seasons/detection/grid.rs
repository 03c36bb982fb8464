//! A series on a regular grid, standardised, with outliers clipped and its straight trend taken out.

use crate::stats::moments::{max_magnitude, power_of_two_near_inverse};
use crate::stats::order::OrderStatistics;

/// Gaps of up to so many cells are bridged by a straight line.
const BRIDGED: usize = 3;

/// A gap of more cells is an outage rather than a sign of a step that is too fine.
const OUTAGE: u64 = 16;

/// How many scales (standard deviations, for normal values) a point may lie from the trend.
const CLIP: f64 = 8.0;

/// Below this share of the values a spread is taken for rounding.
const ROUNDING: f64 = 1e-12;

/// Cells of equal width with their values; the unit of a value is the scale of the series.
pub(super) struct Grid {
    /// Width of a cell in ticks, > 0.
    pub(super) step: i64,
    /// Values, zero where nothing is known; mean zero over the cells that are.
    pub(super) values: Vec<f64>,
    /// One where a value is known, zero elsewhere.
    pub(super) weights: Vec<f64>,
}

impl Grid {
    /// Puts points in time order on at most `cells_max` cells.
    ///
    /// `None` if they are too few or have no spread.
    pub(super) fn new(timestamps: &[i64], values: &[f64], cells_max: usize) -> Option<Self> {
        let clipped = standardised(timestamps, values)?;
        let step = step(timestamps, cells_max)?;
        let first = *timestamps.first()?;
        let cell = |timestamp: i64| nearest_cell(timestamp, first, step);
        let n_cells = cell(*timestamps.last()?).saturating_add(1);
        let mut sums = vec![0.0; n_cells];
        let mut weights = vec![0.0; n_cells];
        for (&timestamp, &value) in timestamps.iter().zip(&clipped) {
            let i = cell(timestamp);
            sums[i] += value;
            weights[i] += 1.0;
        }
        for (sum, weight) in sums.iter_mut().zip(&mut weights) {
            if *weight > 0.0 {
                *sum /= *weight;
                *weight = 1.0;
            }
        }
        bridge(&mut sums, &mut weights);
        center(&mut sums, &weights);
        Some(Self {
            step,
            values: sums,
            weights,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }
}

/// Takes the mean out of the known cells.
pub(super) fn center(values: &mut [f64], weights: &[f64]) {
    let known: f64 = weights.iter().sum();
    let sum: f64 = values
        .iter()
        .zip(weights)
        .map(|(value, weight)| value * weight)
        .sum();
    let mean = if known > 0.0 { sum / known } else { 0.0 };
    for (value, weight) in values.iter_mut().zip(weights) {
        *value = (*value - mean) * weight;
    }
}

fn nearest_cell(timestamp: i64, first: i64, step: i64) -> usize {
    let (distance, step) = (timestamp.abs_diff(first), step.unsigned_abs());
    (distance.saturating_add(step / 2) / step) as usize
}

/// The median step, widened until the grid is not too long and mostly filled.
fn step(timestamps: &[i64], cells_max: usize) -> Option<i64> {
    let mut steps: Vec<i64> = timestamps
        .windows(2)
        .map(|pair| pair[1].saturating_sub(pair[0]).max(1))
        .collect();
    let range = timestamps.last()?.saturating_sub(*timestamps.first()?);
    let middle = steps.len() / 2;
    if steps.is_empty() {
        return None;
    }
    let median = *steps.select_nth_unstable(middle).1;
    let least = range / (cells_max.max(2) - 1) as i64;
    let mut step = median.max(least.saturating_add(i64::from(least > 0)));
    loop {
        let mut outages = 0_usize;
        let mut cells = 0_u64;
        let mut filled = 1_u64;
        let mut previous = 0;
        for &timestamp in timestamps {
            let cell = nearest_cell(timestamp, timestamps[0], step) as u64;
            let gap = cell - previous;
            filled += u64::from(gap > 0);
            if gap > OUTAGE {
                outages += 1;
            } else {
                cells += gap;
            }
            previous = cell;
        }
        // Few gaps are outages of a series that is regular; many are what the step should bridge.
        let is_regular = outages <= 3 + timestamps.len() / 100;
        let is_filled = 2 * filled >= if is_regular { cells } else { previous };
        if is_filled || step > range / 2 {
            return Some(step);
        }
        step = step.saturating_mul(2);
    }
}

/// Distances from a straight trend in units of their scale, clipped.
fn standardised(timestamps: &[i64], values: &[f64]) -> Option<Vec<f64>> {
    if values.is_empty() || timestamps.len() != values.len() {
        return None;
    }
    let largest = max_magnitude(values);
    let shrink = power_of_two_near_inverse(largest);
    let mut work: Vec<f64> = values.iter().map(|value| value * shrink).collect();
    let before = OrderStatistics::of(&work);
    // The MAD overlooks what less than half of the points do; the mean deviation does not.
    if before.mean_deviation <= ROUNDING * largest * shrink {
        return None;
    }
    detrend(timestamps, &mut work);
    let spread = OrderStatistics::of(&work);
    let scale = if spread.mad > ROUNDING * largest * shrink {
        1.4826 * spread.mad
    } else {
        1.2533 * spread.mean_deviation
    };
    // What is left of a straight line is rounding.
    if scale <= ROUNDING * largest * shrink {
        return None;
    }
    for value in &mut work {
        *value = ((*value - spread.median) / scale).clamp(-CLIP, CLIP);
    }
    Some(work)
}

/// Subtracts the resistant line (Tukey, *Exploratory data analysis*, 1977): its slope joins the
/// medians of the first and last third of the points, whatever a minority of them does.
fn detrend(timestamps: &[i64], values: &mut [f64]) {
    let n = values.len();
    let third = n / 3;
    if third == 0 {
        return;
    }
    let time = |i: usize| timestamps[i].abs_diff(timestamps[0]) as f64;
    let (left, right) = (time(third / 2), time(n - 1 - third / 2));
    let median = |part: &[f64]| OrderStatistics::of(part).median;
    let rise = median(&values[n - third..]) - median(&values[..third]);
    if right > left {
        for (i, value) in values.iter_mut().enumerate() {
            *value -= rise * ((time(i) - left) / (right - left));
        }
    }
}

/// Fills short gaps with a straight line.
fn bridge(values: &mut [f64], weights: &mut [f64]) {
    let mut previous = 0;
    for i in 1..values.len() {
        if weights[i] == 0.0 {
            continue;
        }
        let gap = i - previous;
        if gap > 1 && gap <= BRIDGED + 1 {
            let (from, to) = (values[previous], values[i]);
            for k in 1..gap {
                values[previous + k] = from + (to - from) * (k as f64 / gap as f64);
                weights[previous + k] = 1.0;
            }
        }
        previous = i;
    }
}
