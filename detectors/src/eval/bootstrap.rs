//! Standard error of a mean over series: the spread of the means of resampled series.
//!
//! Efron & Tibshirani, *An introduction to the bootstrap*, 1993, chapter 6. The series is what is
//! drawn, not the point, because points of one series stand or fall together. The generator is
//! SplitMix64 (Steele, Lea & Flood, *Fast splittable pseudorandom number generators*, OOPSLA 2014)
//! from a fixed seed: the same values give the same error on every machine.

/// Resamples drawn: the error itself is then off by about 2 %.
pub const RESAMPLES: usize = 2000;

const SEED: u64 = 0x7469_6465_6D61_726B;

/// Standard error of the mean of `values`, one a series; `None` for fewer than two values or where a
/// value is not finite.
pub fn standard_error(values: &[f64]) -> Option<f64> {
    if values.iter().any(|value| !value.is_finite()) {
        return None;
    }
    // Each is scaled before it is added, so that the largest numbers do not overflow.
    let share = 1.0 / values.len() as f64;
    standard_error_of(values.len(), |drawn| {
        drawn.iter().map(|&series| values[series] * share).sum()
    })
}

/// Standard error of a statistic of `n_series` series; `None` for fewer than two series or where the
/// statistic or its spread is not finite.
///
/// `statistic` is given the indices of the series drawn, as many as there are, some of them more than
/// once.
pub fn standard_error_of(
    n_series: usize,
    mut statistic: impl FnMut(&[usize]) -> f64,
) -> Option<f64> {
    if n_series < 2 {
        return None;
    }
    let mut random = SplitMix64(SEED);
    let mut drawn = vec![0; n_series];
    let mut values = Vec::with_capacity(RESAMPLES);
    for _ in 0..RESAMPLES {
        drawn.fill_with(|| random.below(n_series));
        values.push(statistic(&drawn));
    }
    let middle = values.iter().map(|v| v / RESAMPLES as f64).sum::<f64>();
    let squares: f64 = values.iter().map(|v| (v - middle) * (v - middle)).sum();
    let error = (squares / (RESAMPLES - 1) as f64).sqrt();
    error.is_finite().then_some(error)
}

/// SplitMix64, for resampling and for scores that are to know nothing.
#[derive(Debug, Clone)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// A generator that starts from `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// The next number, uniform in `(0, 1]`: a p-value of a point that is normal.
    pub fn next_p_value(&mut self) -> f64 {
        ((self.next_u64() >> 11) + 1) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// An index below `n`; the bias of the multiplication is below `n / 2^64`.
    fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next_u64()) * n as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_splitmix64() {
        // The first outputs for the seed 1234567 of the authors' reference program.
        let mut random = SplitMix64::new(1_234_567);
        let first: Vec<u64> = (0..3).map(|_| random.next_u64()).collect();
        let published = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ];
        assert_eq!(first, published);
    }

    #[test]
    fn it_is_the_population_deviation_over_root_n() {
        let values: Vec<f64> = (0..50).map(|i| f64::from(i % 7)).collect();
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n;
        let expected = (variance / n).sqrt();
        let error = standard_error(&values).unwrap();
        assert!((error / expected - 1.0).abs() < 0.05, "{error} {expected}");
        assert_eq!(standard_error(&values), Some(error), "always the same");
    }

    #[test]
    fn one_series_or_none_says_nothing() {
        assert_eq!(standard_error(&[]), None);
        assert_eq!(standard_error(&[1.0]), None);
        assert_eq!(standard_error(&[1.0, f64::NAN]), None);
        assert_eq!(standard_error(&[f64::MAX, f64::MIN]), None);
        assert_eq!(
            standard_error(&[3.0; 5]).map(|error| error < 1e-12),
            Some(true)
        );
    }

    #[test]
    fn p_values_are_uniform_and_never_zero() {
        let mut random = SplitMix64::new(1);
        let draws: Vec<f64> = (0..10_000).map(|_| random.next_p_value()).collect();
        assert!(draws.iter().all(|p| *p > 0.0 && *p <= 1.0));
        let small = draws.iter().filter(|p| **p <= 0.1).count();
        assert!((900..1100).contains(&small), "{small}");
    }
}
