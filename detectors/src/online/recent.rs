//! The last points of a series, and statistics of the last few of them.

/// The last `N` values, oldest first.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Recent<const N: usize> {
    /// The newest at the end; those before the first value are 0 and not `filled`.
    pub(crate) values: [f64; N],
    pub(crate) filled: usize,
}

impl<const N: usize> Recent<N> {
    pub(crate) fn new() -> Self {
        Self {
            values: [0.0; N],
            filled: 0,
        }
    }

    /// Shifts, so that the values stay one slice: at these lengths cheaper than a ring's remainders.
    pub(crate) fn push(&mut self, value: f64) {
        self.values.copy_within(1.., 0);
        self.values[N - 1] = value;
        self.filled = (self.filled + 1).min(N);
    }

    /// The last `n` values, oldest first; `None` where there are fewer.
    pub(crate) fn last(&self, n: usize) -> Option<&[f64]> {
        (n <= self.filled).then(|| &self.values[N - n..])
    }

    /// Mean of the last `n`.
    pub(crate) fn mean(&self, n: usize) -> Option<f64> {
        self.last(n).map(mean)
    }

    /// Population standard deviation of the last `n`.
    pub(crate) fn std(&self, n: usize) -> Option<f64> {
        let last = self.last(n)?;
        let center = mean(last);
        let squares: f64 = last.iter().map(|x| (x - center) * (x - center)).sum();
        Some((squares / n as f64).sqrt())
    }

    /// Largest less smallest of the last `n`.
    pub(crate) fn range(&self, n: usize) -> Option<f64> {
        let last = self.last(n)?;
        let high = last.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
        let low = last.iter().fold(f64::INFINITY, |a, &b| a.min(b));
        Some(high - low)
    }

    /// Whether the numbers are ones that pushing values within ± `most` gives.
    pub(crate) fn is_sound(&self, most: f64) -> bool {
        self.filled <= N && self.values.iter().all(|value| value.abs() <= most)
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_of_the_last_values_only() {
        let mut recent = Recent::<4>::new();
        assert_eq!((recent.mean(1), recent.std(2)), (None, None));
        for value in [100.0, 1.0, 2.0, 3.0, 6.0] {
            recent.push(value);
        }
        assert_eq!(recent.last(2), Some(&[3.0, 6.0][..]));
        assert_eq!(recent.mean(3), Some(11.0 / 3.0));
        assert_eq!(recent.range(4), Some(5.0));
        assert_eq!(recent.std(2), Some(1.5));
        assert_eq!(recent.range(5), None);
    }
}
