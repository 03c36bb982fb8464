//! Sample quantiles by linear interpolation.
//!
//! For the order statistics x₍₀₎ ≤ … ≤ x₍ₙ₋₁₎ and h = (n − 1)·p:
//! Q(p) = x₍⌊h⌋₎ + (h − ⌊h⌋)·(x₍⌊h⌋₊₁₎ − x₍⌊h⌋₎).
//!
//! This is type 7 of Hyndman and Fan, "Sample Quantiles in Statistical Packages", *The American
//! Statistician* 50 (1996), 361–365, the default of R, NumPy and pandas. The interpolation is
//! taken from the nearer end, as NumPy does, which keeps Q monotone in p under rounding and our
//! figures equal to pandas' to the last bit.

/// A sample in ascending order. NaN cannot occur: the only source is measured durations.
#[derive(Debug, Clone, Default)]
pub struct Sorted(Vec<f64>);

impl Sorted {
    /// Sorts a sample.
    #[must_use]
    pub fn new(mut sample: Vec<f64>) -> Self {
        sample.sort_unstable_by(f64::total_cmp);
        Self(sample)
    }

    /// The ordered values.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.0
    }

    /// The type 7 quantile at `p`, which is clamped to [0, 1]; `None` for an empty sample.
    #[must_use]
    pub fn quantile(&self, p: f64) -> Option<f64> {
        let last = self.0.len().checked_sub(1)?;
        let h = last as f64 * p.clamp(0.0, 1.0);
        let below = (h.floor() as usize).min(last);
        let above = (below + 1).min(last);
        Some(lerp(self.0[below], self.0[above], h - h.floor()))
    }

    /// The smallest value.
    #[must_use]
    pub fn min(&self) -> Option<f64> {
        self.0.first().copied()
    }

    /// The largest value.
    #[must_use]
    pub fn max(&self) -> Option<f64> {
        self.0.last().copied()
    }

    /// The arithmetic mean; `None` for an empty sample.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (!self.0.is_empty()).then(|| self.0.iter().sum::<f64>() / self.0.len() as f64)
    }
}

fn lerp(a: f64, b: f64, t: f64) -> f64 {
    if t < 0.5 {
        a + (b - a) * t
    } else {
        b - (b - a) * (1.0 - t)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Values of `pandas.Series([...]).quantile(p)`.
    #[test]
    fn agrees_with_pandas_to_the_last_bit() {
        let sample = vec![3.25, 1.1, 9.7, 4.4, 4.4, 8.0, 0.3];
        let sorted = Sorted::new(sample);
        assert_eq!(sorted.quantile(0.0), Some(0.3));
        assert_eq!(sorted.quantile(0.05), Some(0.54));
        assert_eq!(sorted.quantile(0.25), Some(2.175));
        assert_eq!(sorted.quantile(0.5), Some(4.4));
        assert_eq!(sorted.quantile(0.6), Some(4.4));
        assert_eq!(sorted.quantile(0.9), Some(8.68));
        assert_eq!(sorted.quantile(0.95), Some(9.189999999999998));
        assert_eq!(sorted.quantile(0.99), Some(9.597999999999999));
        assert_eq!(sorted.quantile(1.0), Some(9.7));
        assert!((sorted.mean().unwrap() - 4.45).abs() < 1e-14);
    }

    #[test]
    fn small_samples() {
        assert_eq!(Sorted::default().quantile(0.5), None);
        assert_eq!(Sorted::default().mean(), None);
        let one = Sorted::new(vec![7.0]);
        assert_eq!([0.0, 0.5, 1.0].map(|p| one.quantile(p)), [Some(7.0); 3]);
        let two = Sorted::new(vec![20.0, 10.0]);
        assert_eq!(two.quantile(0.5), Some(15.0));
        assert_eq!(two.quantile(0.95), Some(19.5));
    }

    proptest! {
        #[test]
        fn quantiles_are_monotone_and_within_the_sample(
            sample in prop::collection::vec(0.0..1e6, 1..60),
            p in 0.0..1.0,
            q in 0.0..1.0,
        ) {
            let sorted = Sorted::new(sample);
            let (low, high) = if p <= q { (p, q) } else { (q, p) };
            let (low, high) = (sorted.quantile(low).unwrap(), sorted.quantile(high).unwrap());
            prop_assert!(low <= high);
            prop_assert!(sorted.min().unwrap() <= low && high <= sorted.max().unwrap());
        }
    }
}
