//! Running statistics about each point, cut off at the ends of the series.

use std::collections::VecDeque;

/// Running means over so many points, rounded up to an odd number, centred.
#[derive(Debug, Clone)]
pub(super) struct Sums(Vec<f64>);

impl Sums {
    /// Of the values before each point and of all.
    pub(super) fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut sum = 0.0;
        let sums = values.map(|value| {
            sum += value;
            sum
        });
        Self(std::iter::once(0.0).chain(sums).collect())
    }

    /// The mean around each point.
    pub(super) fn means(&self, points: usize) -> impl Iterator<Item = f64> {
        let n = self.0.len() - 1;
        let half = points / 2;
        (0..n).map(move |i| {
            let (from, to) = (i.saturating_sub(half), (i + half + 1).min(n));
            (self.0[to] - self.0[from]) / (to - from) as f64
        })
    }
}

/// Means around each point.
pub(super) fn means(values: &[f64], points: usize) -> Vec<f64> {
    if points < 2 {
        return values.to_vec();
    }
    Sums::of(values.iter().copied()).means(points).collect()
}

/// Standard deviations around each point, of values about 0 in units of their spread.
pub(super) fn deviations(values: &[f64], points: usize) -> Vec<f64> {
    let sums = Sums::of(values.iter().copied());
    let squares = Sums::of(values.iter().map(|value| value * value));
    let moments = sums.means(points).zip(squares.means(points));
    moments
        .map(|(mean, square)| (square - mean * mean).max(0.0).sqrt())
        .collect()
}

/// Ranges, largest less smallest, around each point; `O(n)` by a queue that only ever falls (Lemire,
/// *Streaming maximum-minimum filter*, Nordic J. Comput. 13, 2006).
pub(super) fn ranges(values: &[f64], points: usize) -> Vec<f64> {
    let highest = maxima(values.iter().copied(), points);
    let lowest = maxima(values.iter().map(|value| -value), points);
    highest.iter().zip(&lowest).map(|(a, b)| a + b).collect()
}

fn maxima(values: impl Iterator<Item = f64>, points: usize) -> Vec<f64> {
    let half = points / 2;
    let mut falling: VecDeque<(usize, f64)> = VecDeque::new();
    let mut found = Vec::new();
    let mut n = 0;
    let mut settle = |falling: &mut VecDeque<(usize, f64)>, center: usize| {
        while falling.front().is_some_and(|(at, _)| at + half < center) {
            falling.pop_front();
        }
        found.extend(falling.front().map(|(_, value)| *value));
    };
    for (index, value) in values.enumerate() {
        while falling.back().is_some_and(|(_, last)| *last <= value) {
            falling.pop_back();
        }
        falling.push_back((index, value));
        if index >= half {
            settle(&mut falling, index - half);
        }
        n = index + 1;
    }
    for center in n.saturating_sub(half)..n {
        settle(&mut falling, center);
    }
    found
}

/// Medians around each point.
pub(super) fn medians(values: &[f64], points: usize) -> Vec<f64> {
    let (n, half) = (values.len(), points / 2);
    let mut sorted: Vec<f64> = Vec::with_capacity(points + 1);
    let place =
        |sorted: &[f64], value: f64| sorted.partition_point(|v| v.total_cmp(&value).is_lt());
    for value in &values[..half.min(n)] {
        sorted.insert(place(&sorted, *value), *value);
    }
    (0..n)
        .map(|i| {
            if let Some(enters) = values.get(i + half) {
                sorted.insert(place(&sorted, *enters), *enters);
            }
            if i > half {
                sorted.remove(place(&sorted, values[i - half - 1]));
            }
            let middle = sorted.len() / 2;
            if sorted.len() % 2 == 1 {
                sorted[middle]
            } else {
                0.5 * sorted[middle - 1] + 0.5 * sorted[middle]
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::order::median_of;

    fn values(n: usize) -> Vec<f64> {
        (0..n)
            .map(|i| ((i * 7919 + i * i) % 101) as f64 / 7.0 - 5.0)
            .collect()
    }

    fn around(values: &[f64], points: usize, of: impl Fn(&[f64]) -> f64) -> Vec<f64> {
        let half = points / 2;
        let window = |i: usize| &values[i.saturating_sub(half)..(i + half + 1).min(values.len())];
        (0..values.len()).map(|i| of(window(i))).collect()
    }

    #[test]
    fn all_are_those_of_the_points_around() {
        for n in [1, 2, 5, 30, 200] {
            let values = values(n);
            for points in [3, 12, 25, 96] {
                let mean = |w: &[f64]| w.iter().sum::<f64>() / w.len() as f64;
                let deviation = |w: &[f64]| {
                    let squares: f64 = w.iter().map(|v| (v - mean(w)) * (v - mean(w))).sum();
                    (squares / w.len() as f64).sqrt()
                };
                let most = |w: &[f64]| w.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let least = |w: &[f64]| w.iter().copied().fold(f64::INFINITY, f64::min);
                let range = |w: &[f64]| most(w) - least(w);
                let median = |w: &[f64]| median_of(&mut w.to_vec());
                for (found, expected) in [
                    (means(&values, points), around(&values, points, mean)),
                    (
                        deviations(&values, points),
                        around(&values, points, deviation),
                    ),
                    (ranges(&values, points), around(&values, points, range)),
                    (medians(&values, points), around(&values, points, median)),
                ] {
                    assert_eq!(found.len(), n);
                    for (a, b) in found.iter().zip(&expected) {
                        assert!((a - b).abs() < 1e-6, "{n} {points}: {a} {b}");
                    }
                }
            }
        }
    }
}
