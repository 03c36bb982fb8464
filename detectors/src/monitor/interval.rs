//! What a count says of the rate behind it.
//!
//! Clopper and Pearson, *The use of confidence or fiducial limits illustrated in the case of the
//! binomial*, Biometrika 26 (1934): the rates under which a count as low, or as high, has at least half of
//! the error allowed. For k of n they are quantiles of Beta(k, n − k + 1) and Beta(k + 1, n − k).

use crate::stats::beta::{End, quantile};

/// Of this share of such intervals, at least, the rate behind the count is inside.
pub const CONFIDENCE: f64 = 0.95;

/// An exact interval for a rate, 0 ≤ lower ≤ upper ≤ 1. It holds for one look at a count that was not
/// chosen for what it is: whoever looks again and again until the target is outside will see it outside.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateInterval {
    /// Lower end.
    pub lower: f64,
    /// Upper end.
    pub upper: f64,
}

impl RateInterval {
    /// The interval after `k` of `n`; everything from 0 to 1 when n is 0.
    #[must_use]
    pub fn clopper_pearson(k: u64, n: u64) -> Self {
        let k = k.min(n);
        if k > n - k {
            // The smaller of the two counts keeps its digits.
            let mirrored = Self::clopper_pearson(n - k, n);
            return Self {
                lower: 1.0 - mirrored.upper,
                upper: 1.0 - mirrored.lower,
            };
        }
        let half = 0.5 * (1.0 - CONFIDENCE);
        let (count, rest) = (k as f64, (n - k) as f64);
        if n == 0 {
            return Self {
                lower: 0.0,
                upper: 1.0,
            };
        }
        if k == 0 {
            return Self {
                lower: 0.0,
                upper: -libm::expm1(libm::log(half) / rest),
            };
        }
        Self {
            lower: quantile(End::Low, count, rest + 1.0, half),
            upper: quantile(End::High, count + 1.0, rest, half),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scipy.stats.beta.ppf(0.025, k, n - k + 1)` and `ppf(0.975, k + 1, n - k)`, scipy 1.17.1.
    const REFERENCE: [(u64, u64, f64, f64); 20] = [
        (0, 1, 0.0, 0.975),
        (1, 1, 0.025, 1.0),
        (0, 10, 0.0, 0.308_497_107_818_760_7),
        (1, 2, 0.012_579_117_093_425_05, 0.987_420_882_906_574_9),
        (2, 3, 0.094_299_324_050_246_09, 0.991_596_241_340_387_4),
        (1, 10, 0.002_528_578_544_461_784_8, 0.445_016_117_028_195_4),
        (5, 10, 0.187_086_028_447_398_55, 0.812_913_971_552_601_5),
        (9, 10, 0.554_983_882_971_804_7, 0.997_471_421_455_538_2),
        (48, 100, 0.379_005_480_177_958_54, 0.582_210_234_593_693_3),
        (
            3,
            1_000,
            0.000_619_099_931_649_571_3,
            0.008_742_023_238_478_303,
        ),
        (
            17,
            1_000,
            0.009_933_512_592_716_534,
            0.027_079_496_864_851_366,
        ),
        (
            1,
            100_000,
            2.531_780_477_933_314e-7,
            5.571_516_034_774_275e-5,
        ),
        (0, 1_000_000, 0.0, 3.688_872_650_206_488e-6),
        (
            1,
            1_000_000,
            2.531_780_766_379_417_8e-8,
            5.571_630_655_166_939e-6,
        ),
        (
            950,
            1_000_000,
            0.000_890_568_548_269_476_5,
            0.001_012_351_855_097_265_2,
        ),
        (
            500_000,
            1_000_000,
            0.499_019_519_195_311_84,
            0.500_980_480_804_688_2,
        ),
        (
            999_999,
            1_000_000,
            0.999_994_428_369_344_8,
            0.999_999_974_682_192_4,
        ),
        (
            12_345,
            10_000_000,
            0.001_212_831_182_402_849_5,
            0.001_256_458_412_800_153_9,
        ),
        (
            1_000_000,
            1_000_000_000,
            0.000_998_041_960_676_232_2,
            0.001_001_960_928_819_794,
        ),
        (
            3,
            1_000_000_000_000,
            6.186_721_228_960_288e-13,
            8.767_273_069_717_104e-12,
        ),
    ];

    #[test]
    fn the_ends_agree_with_scipy() {
        for (k, n, lower, upper) in REFERENCE {
            let interval = RateInterval::clopper_pearson(k, n);
            for (got, expected) in [(interval.lower, lower), (interval.upper, upper)] {
                let error = (got - expected).abs();
                assert!(error <= 1e-10 * expected, "{k} of {n}: {got} {expected}");
            }
        }
    }

    #[test]
    fn every_count_has_ordered_finite_ends_around_its_share() {
        let ns = [
            1,
            2,
            3,
            10,
            99,
            1_000,
            54_321,
            1 << 40,
            u64::MAX - 1,
            u64::MAX,
        ];
        for n in ns {
            let mut last = RateInterval {
                lower: -1.0,
                upper: -1.0,
            };
            for k in [0, 1, 2, n / 1_000, n / 3, n / 2, n / 2 + 1, n - 1, n] {
                let k = k.min(n);
                let RateInterval { lower, upper } = RateInterval::clopper_pearson(k, n);
                let share = k as f64 / n as f64;
                assert!(0.0 <= lower && lower <= share, "{k} of {n}: {lower}");
                assert!(share <= upper && upper <= 1.0, "{k} of {n}: {upper}");
                if k as f64 / n as f64 > last.upper {
                    assert!(lower > last.lower, "{k} of {n}");
                }
                last = RateInterval { lower, upper };
            }
        }
    }

    #[test]
    fn the_interval_covers_as_often_as_it_says() {
        // P(k) under the rate, summed over the counts whose interval covers it: exact, no simulation.
        for (n, rate) in [(20_u64, 0.1), (200, 0.01), (500, 0.004)] {
            let (mut weight, mut covered) = (libm::pow(1.0 - rate, n as f64), 0.0);
            for k in 0..=n {
                let interval = RateInterval::clopper_pearson(k, n);
                if interval.lower <= rate && rate <= interval.upper {
                    covered += weight;
                }
                weight *= (n - k) as f64 / (k + 1) as f64 * (rate / (1.0 - rate));
            }
            assert!(
                (CONFIDENCE..0.999).contains(&covered),
                "{n} {rate}: {covered}"
            );
        }
    }
}
