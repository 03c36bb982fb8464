//! The bounded set of training windows.
//!
//! Of n − m + 1 windows at most `cap` are taken: the most recent quarter of the cap in full, the
//! rest one out of each of equally long stretches of what is older. The place within a stretch runs
//! through the multiples of the golden ratio, so that a season which happens to divide the stretch
//! does not leave most of its phases unseen.

use std::borrow::Cow;

use ndarray::Array2;

use super::ShingleError;

/// Windows that the models learn from, at most.
pub(crate) const CAP: usize = 4_096;

/// Training values beyond this many standard deviations count as this many: their squares keep all
/// digits of the others, and they fit into `f32`.
const TRAINING_VALUE_MAX: f64 = 1e6;

/// Windows of one standardised series; rows are views into it.
#[derive(Debug, Clone)]
pub(crate) struct Windows<'a> {
    series: Cow<'a, [f64]>,
    m: usize,
    /// First points, ascending.
    starts: Vec<usize>,
}

impl<'a> Windows<'a> {
    /// At most `cap` of the windows of `m` points; copies only a series that has to be clipped.
    ///
    /// # Errors
    ///
    /// A window length of 0, a value that is not finite, fewer points than one window has.
    pub(crate) fn new(series: &'a [f64], m: usize, cap: usize) -> Result<Self, ShingleError> {
        if m == 0 {
            return Err(ShingleError::WindowLength {
                least: 1,
                most: series.len().max(1),
                got: 0,
            });
        }
        if let Some(index) = series.iter().position(|value| !value.is_finite()) {
            return Err(ShingleError::NotFinite { index });
        }
        let total = (series.len() + 1).saturating_sub(m);
        if total == 0 || cap == 0 {
            return Err(ShingleError::TooFewWindows { needed: 1, got: 0 });
        }
        let inside = |value: &f64| value.abs() <= TRAINING_VALUE_MAX;
        let series = if series.iter().all(inside) {
            Cow::Borrowed(series)
        } else {
            Cow::Owned(series.iter().map(|&value| clipped(value)).collect())
        };
        Ok(Self {
            series,
            m,
            starts: chosen(total, cap),
        })
    }

    /// At most `cap` of these windows, chosen by the same rule.
    pub(crate) fn thinned(&self, cap: usize) -> Windows<'_> {
        let kept = chosen(self.len(), cap.max(1));
        Windows {
            series: Cow::Borrowed(&self.series),
            m: self.m,
            starts: kept.iter().map(|&i| self.starts[i]).collect(),
        }
    }

    /// The series, clipped.
    pub(crate) fn series(&self) -> &[f64] {
        &self.series
    }

    /// Points of a window.
    pub(crate) fn m(&self) -> usize {
        self.m
    }

    /// Number of windows; at least one.
    pub(crate) fn len(&self) -> usize {
        self.starts.len()
    }

    /// Window `i`, shape `[m]`.
    pub(crate) fn row(&self, i: usize) -> &[f64] {
        &self.series[self.starts[i]..][..self.m]
    }

    /// The windows, oldest first.
    pub(crate) fn rows(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        (0..self.len()).map(|i| self.row(i))
    }

    /// A copy, shape `[len, m]`.
    pub(crate) fn matrix(&self) -> Array2<f64> {
        Array2::from_shape_fn((self.len(), self.m), |(i, j)| self.row(i)[j])
    }

    /// Whether all windows are the same.
    pub(crate) fn is_constant(&self) -> bool {
        let first = self.row(0);
        self.rows().all(|row| row == first)
    }
}

/// A training value as the models see it.
pub(super) fn clipped(value: f64) -> f64 {
    value.clamp(-TRAINING_VALUE_MAX, TRAINING_VALUE_MAX)
}

/// At most `cap` of the numbers below `total`, ascending.
fn chosen(total: usize, cap: usize) -> Vec<usize> {
    if total <= cap {
        return (0..total).collect();
    }
    let recent = cap / 4;
    let (older, strata) = (total - recent, cap - recent);
    let mut starts = Vec::with_capacity(cap);
    for i in 0..strata {
        let edge = |i: usize| (i as u128 * older as u128 / strata as u128) as usize;
        let (left, right) = (edge(i), edge(i + 1));
        starts.push(left + golden(i, right - left));
    }
    starts.extend(older..total);
    starts
}

/// The fractional part of i times the golden ratio, times `width`, rounded down.
pub(super) fn golden(i: usize, width: usize) -> usize {
    /// 2^64 times the fractional part of the golden ratio.
    const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
    ((u128::from((i as u64).wrapping_mul(GOLDEN)) * width as u128) >> 64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_short_series_is_taken_whole_and_not_copied() {
        let series = [1.0, 2.0, 3.0, 4.0];
        let windows = Windows::new(&series, 3, 10).unwrap();
        assert_eq!(
            windows.rows().collect::<Vec<_>>(),
            [[1.0, 2.0, 3.0], [2.0, 3.0, 4.0]]
        );
        assert!(matches!(windows.series, Cow::Borrowed(_)));
        assert_eq!(
            windows.matrix(),
            ndarray::array![[1.0, 2.0, 3.0], [2.0, 3.0, 4.0]]
        );
    }

    #[test]
    fn far_values_are_clipped() {
        let series = [1.0, -1e300, 3.0];
        let windows = Windows::new(&series, 2, 10).unwrap();
        assert_eq!(windows.series(), [1.0, -1e6, 3.0]);
    }

    /// Were the distance between starts constant, 3,000 starts of a series of 24 · 3,000 points
    /// would all have the phase of the first.
    #[test]
    fn every_phase_of_a_season_is_seen() {
        let series = vec![0.0; 24 * 3_000 + 1_000];
        let windows = Windows::new(&series, 2, 4_000).unwrap();
        let mut seen = [0; 24];
        for start in &windows.starts[..3_000] {
            seen[start % 24] += 1;
        }
        assert!(seen.iter().all(|&count| count > 90), "{seen:?}");
    }

    #[test]
    fn refuses_by_name() {
        let refused = |series: &[f64], m, cap| Windows::new(series, m, cap).unwrap_err();
        let too_few = ShingleError::TooFewWindows { needed: 1, got: 0 };
        assert_eq!(refused(&[1.0, 2.0], 3, 9), too_few);
        assert_eq!(refused(&[1.0, 2.0], 2, 0), too_few);
        assert_eq!(
            refused(&[0.0, f64::NAN], 1, 9),
            ShingleError::NotFinite { index: 1 }
        );
        assert!(matches!(
            refused(&[0.0], 0, 9),
            ShingleError::WindowLength { got: 0, .. }
        ));
    }

    proptest! {
        #[test]
        fn starts_ascend_are_bounded_and_reach_the_end(total in 1_usize..5_000, cap in 1_usize..300) {
            let starts = chosen(total, cap);
            prop_assert_eq!(starts.len(), total.min(cap));
            prop_assert!(starts.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(starts.iter().all(|&start| start < total));
            prop_assert!(cap < 4 || starts.last() == Some(&(total - 1)));
            // No stretch of the past is left out.
            prop_assert!(starts[0] <= 2 * total / cap + 1);
        }
    }
}
