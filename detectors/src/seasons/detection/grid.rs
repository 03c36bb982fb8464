//! A series on a regular grid, standardised, with outliers clipped and its straight trend taken out.

use crate::stats::moments::{max_magnitude, power_of_two_near_inverse};
use crate::stats::order::OrderStatistics;

/// Gaps of up to so many cells are bridged by a straight line.
const BRIDGED: usize = 3;

/// A gap of more cells is an outage rather than a sign of a step that is too fine.
const OUTAGE: u64 = 16;

/// How many scales (standard deviations, for normal values) a point may lie from the trend.
const CLIP: f64 = 6.0;

/// Running means, each two cells wide, that precede cells of many points.
const SMOOTHINGS: usize = 2;

/// Most level shifts taken out.
const SHIFTS: usize = 3;

/// Below this share of the values a spread is taken for rounding.
const ROUNDING: f64 = 1e-12;

/// Cells of equal width with their values; the unit of a value is the scale of the series.
#[derive(Clone)]
pub(super) struct Grid {
    /// Width of a cell in ticks, > 0.
    pub(super) step: i64,
    /// Values, zero where nothing is known; mean zero over the cells that are.
    pub(super) values: Vec<f64>,
    /// One where a value is known, zero elsewhere.
    pub(super) weights: Vec<f64>,
    /// Sums of the values before each cell, and of all.
    pub(super) sums: Vec<f64>,
    /// The same of the weights.
    pub(super) counts: Vec<f64>,
}

impl Grid {
    /// Puts points in time order on at most `cells_max` cells.
    ///
    /// `None` if they are too few or have no spread.
    pub(super) fn new(timestamps: &[i64], values: &[f64], cells_max: usize) -> Option<Self> {
        let mut clipped = standardised(timestamps, values)?;
        let (step, is_wide) = step(timestamps, cells_max)?;
        if is_wide {
            // Seasons shorter than a cell would show as long ones.
            for _ in 0..SMOOTHINGS {
                clipped = smoothed(timestamps, &clipped, step);
            }
        }
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
        bridge(&mut sums, &weights, BRIDGED);
        let known = weights.clone();
        for_each_gap(&known, BRIDGED, |from, to| weights[from..to].fill(1.0));
        let mut grid = Self {
            step,
            values: Vec::new(),
            counts: prefix_sums(&weights),
            sums: Vec::new(),
            weights,
        };
        grid.set(sums);
        Some(grid)
    }

    /// Takes other values, less their mean over the known cells.
    pub(super) fn set(&mut self, mut values: Vec<f64>) {
        center(&mut values, &self.weights);
        self.sums = prefix_sums(&values);
        self.values = values;
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }
}

fn prefix_sums(terms: &[f64]) -> Vec<f64> {
    let mut sum = 0.0;
    std::iter::once(0.0)
        .chain(terms.iter().map(|term| {
            sum += term;
            sum
        }))
        .collect()
}

/// Takes the mean out of the known cells.
fn center(values: &mut [f64], weights: &[f64]) {
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

/// The median step, widened until the grid is not too long and mostly filled; and whether the length
/// alone makes it several times the median.
fn step(timestamps: &[i64], cells_max: usize) -> Option<(i64, bool)> {
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
            let gap = cell.saturating_sub(previous);
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
            return Some((step, least / 2 > median));
        }
        step = step.saturating_mul(2);
    }
}

/// Means of the points less than a step before or after each.
fn smoothed(timestamps: &[i64], values: &[f64], step: i64) -> Vec<f64> {
    let sums = prefix_sums(values);
    let reach = step.unsigned_abs();
    let (mut from, mut to) = (0, 0);
    timestamps
        .iter()
        .map(|&timestamp| {
            while timestamp.abs_diff(timestamps[from]) >= reach {
                from += 1;
            }
            while to < values.len() && timestamps[to].saturating_sub(timestamp) < step {
                to += 1;
            }
            (sums[to] - sums[from]) / (to - from) as f64
        })
        .collect()
}

/// Points without level shifts and straight trend, in units of their scale, clipped.
fn standardised(timestamps: &[i64], values: &[f64]) -> Option<Vec<f64>> {
    if values.is_empty() || timestamps.len() != values.len() {
        return None;
    }
    let largest = max_magnitude(values);
    let shrink = power_of_two_near_inverse(largest);
    let rounding = ROUNDING * largest * shrink;
    let mut work: Vec<f64> = values.iter().map(|value| value * shrink).collect();
    let unit = rescale(&mut work, rounding)?;
    level(&mut work);
    detrend(timestamps, &mut work);
    // What is left of a straight line is rounding.
    rescale(&mut work, rounding / unit)?;
    Some(work)
}

/// Distances from the median in units of the scale, which is returned, clipped; `None` if that is no
/// more than rounding.
fn rescale(values: &mut [f64], rounding: f64) -> Option<f64> {
    let spread = OrderStatistics::of(values);
    let mut deviations: Vec<f64> = values.iter().map(|v| (v - spread.median).abs()).collect();
    let at = (0.95 * (values.len() - 1) as f64) as usize;
    let wide = *deviations.select_nth_unstable_by(at, f64::total_cmp).1;
    // The MAD overlooks what less than half of the points do, the quantile what one in twenty does;
    // the mean deviation overlooks nothing.
    let mut scale = (1.4826 * spread.mad).max(wide / 1.96);
    if scale <= rounding {
        scale = 1.2533 * spread.mean_deviation;
    }
    if scale <= rounding {
        return None;
    }
    for value in values {
        *value = ((*value - spread.median) / scale).clamp(-CLIP, CLIP);
    }
    Some(scale)
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

/// Takes out level shifts: splits of the series whose two means explain most of its variance, and
/// where the jump happens within a few points. A random walk has the first, but not the second.
fn level(values: &mut [f64]) {
    let n = values.len();
    let window = (n / 50).clamp(5, 50);
    if n < 4 * window {
        return;
    }
    for _ in 0..SHIFTS {
        let mean = values.iter().sum::<f64>() / n as f64;
        let (mut total, mut sum, mut best, mut split, mut slope) = (0.0, 0.0, 0.0, 0, 0.0);
        for (i, value) in values.iter().enumerate() {
            // What a split before point i explains.
            let explained = sum * sum / i.max(1) as f64 * (n as f64 / (n - i) as f64);
            if explained > best {
                (best, split) = (explained, i);
            }
            sum += value - mean;
            total += (value - mean) * (value - mean);
            slope += (value - mean) * (i as f64 - 0.5 * (n - 1) as f64);
        }
        // What a straight line explains, a ramp is not a step.
        let line = slope * slope * 12.0 / (n as f64 * (n as f64 * n as f64 - 1.0));
        if best < 0.5 * total || best < 1.1 * line || split < window || split + window > n {
            return;
        }
        let (left, right) = values.split_at(split);
        let jump = OrderStatistics::of(&right[..window]).median
            - OrderStatistics::of(&left[split - window..]).median;
        let shift = right.iter().sum::<f64>() / right.len() as f64
            - left.iter().sum::<f64>() / left.len() as f64;
        if jump * shift < 0.0 || jump.abs() < 0.5 * shift.abs() {
            return;
        }
        for value in &mut values[split..] {
            *value -= shift;
        }
    }
}

/// Fills gaps of at most so many cells between known ones with straight lines.
pub(super) fn bridge(values: &mut [f64], weights: &[f64], longest: usize) {
    for_each_gap(weights, longest, |from, to| {
        let (left, right) = (values[from], values[to]);
        let rise = (right - left) / (to - from) as f64;
        for (i, value) in values[from..to].iter_mut().enumerate() {
            *value = left + rise * i as f64;
        }
    });
}

fn for_each_gap(weights: &[f64], longest: usize, mut gap: impl FnMut(usize, usize)) {
    let mut known = (0..weights.len()).filter(|&i| weights[i] > 0.0);
    let Some(mut from) = known.next() else {
        return;
    };
    for to in known {
        let missing = to - from - 1;
        if missing > 0 && missing <= longest {
            gap(from, to);
        }
        from = to;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A value that no trend, shift or clip changes but in scale.
    fn wave(t: i64) -> f64 {
        f64::from(u8::from(t % 10 < 5))
    }

    #[test]
    fn short_gaps_are_bridged_and_long_ones_are_not() {
        let is_there = |t: &i64| !(t % 50 == 7 || (400..500).contains(t));
        let timestamps: Vec<i64> = (0..1_000)
            .filter(is_there)
            .map(|t| 1_000 + 30 * t)
            .collect();
        let values: Vec<f64> = (0..1_000).filter(is_there).map(wave).collect();
        let grid = Grid::new(&timestamps, &values, 10_000).unwrap();
        assert_eq!((grid.step, grid.len()), (30, 1_000));
        for (t, &weight) in grid.weights.iter().enumerate() {
            assert_eq!(weight == 0.0, (400..500).contains(&t), "{t}");
        }
        assert_eq!(grid.values[57], 0.5 * (grid.values[56] + grid.values[58]));
        assert!(grid.values.iter().sum::<f64>().abs() < 1e-9);
    }

    #[test]
    fn points_of_a_cell_are_averaged() {
        let timestamps: Vec<i64> = (0..10_000).collect();
        let values: Vec<f64> = timestamps.iter().map(|&t| wave(t / 100)).collect();
        let grid = Grid::new(&timestamps, &values, 1_001).unwrap();
        assert_eq!(grid.step, 10);
        assert!(grid.len() <= 1_001);
        let high = grid.values[225];
        assert!((grid.values[275] - high).abs() > 0.9, "{high}");
    }

    #[test]
    fn shifts_are_taken_out_and_ramps_are_no_shifts() {
        let noise = |t: usize| ((t * 7_919) % 101) as f64 / 50.0;
        let mut shifted: Vec<f64> = (0..900)
            .map(|t| noise(t) + if t < 300 { 0.0 } else { 9.0 })
            .collect();
        level(&mut shifted);
        let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
        assert!((mean(&shifted[..300]) - mean(&shifted[300..])).abs() < 1e-9);

        let ramp: Vec<f64> = (0..900).map(|t| noise(t) + 0.02 * t as f64).collect();
        let mut same = ramp.clone();
        level(&mut same);
        assert_eq!(same, ramp);
        detrend(&(0..900).collect::<Vec<i64>>(), &mut same);
        assert!((mean(&same[..300]) - mean(&same[600..])).abs() < 0.2);
    }
}
