//! Which order statistics of a sample bound a quantile, and when a sample is large enough for one.
//!
//! The number of samples at or below the true q-quantile is B ~ Bin(n, q), whatever the
//! distribution. So [x₍l₎, x₍u₎] covers it with probability P(l ≤ B ≤ u − 1), and the interval of
//! equal tails at level 1 − α takes the largest l with P(B ≤ l − 1) ≤ α/2 and the smallest u with
//! P(B ≥ u) ≤ α/2. It holds for small samples too, in which an end can lack. See Hahn and Meeker,
//! *Statistical Intervals* (Wiley, 1991), section 5.2, and Conover, *Practical Nonparametric
//! Statistics*, 3rd edition (Wiley, 1999), section 3.2.
//!
//! Tails are sums of binomial probabilities, taken as ratios to the largest one, outwards from it,
//! and divided by their sum: nothing cancels, at any n. Where σ = √(n·q·(1 − q)) is above 100,
//! these sums grow long, and the ranks come from the Cornish–Fisher expansion to the order of 1/σ
//! instead, widened by a rank at either end. A test holds both against each other.

/// Half of what the interval may miss.
const TAIL: f64 = 0.025;

/// Standard normal quantile at 1 − [`TAIL`].
const Z: f64 = 1.959_963_984_540_054;

/// Variance of B from which on ranks are approximated.
const SUMMED_BELOW: f64 = 10_000.0;

/// Ranks, from 1, of a quantile's nearest-rank value and of the ends of its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ranks {
    /// ⌈n·q⌉, at least 1.
    pub(super) value: u64,
    /// The interval's lower end, where there is one.
    pub(super) low: Option<u64>,
    /// The upper end.
    pub(super) high: Option<u64>,
}

impl Ranks {
    /// Of the `q`-quantile, 0 < q < 1, in `n` ≥ 1 samples.
    pub(super) fn of(n: u64, q: f64) -> Self {
        let (low, high) = if variance(n, q) < SUMMED_BELOW {
            summed(n, q)
        } else {
            expanded(n, q)
        };
        Self {
            value: nearest(n, q),
            low: (low >= 1).then_some(low),
            high: (high <= n).then_some(high),
        }
    }
}

/// Samples that a quantile needs to be reported: those of the design for the usual ones, and for
/// those further out as many as p99 has, beyond them.
pub(crate) fn needed(q: f64) -> u64 {
    // Compared as whole numbers, because q may have been computed.
    match (q * 1e6).round() as u64 {
        0..=500_000 => 8,
        500_001..=750_000 => 18,
        750_001..=900_000 => 46,
        900_001..=950_000 => 90,
        950_001..=990_000 => 482,
        _ => (4.82 / (1.0 - q) - 1e-6).ceil() as u64,
    }
}

fn variance(n: u64, q: f64) -> f64 {
    n as f64 * q * (1.0 - q)
}

/// ⌈n·q⌉ with q as a decimal, so that the 99th of 100 is the 99th.
fn nearest(n: u64, q: f64) -> u64 {
    const UNIT: u128 = 1_000_000_000;
    let q = (q * UNIT as f64).round() as u128;
    let rank = (u128::from(n) * q).div_ceil(UNIT);
    u64::try_from(rank).unwrap_or(n).clamp(1, n.max(1))
}

/// (l, u) by summing; l = 0 and u = n + 1 where there is none.
fn summed(n: u64, q: f64) -> (u64, u64) {
    let odds = q / (1.0 - q);
    let mode = (((n + 1) as f64 * q) as u64).min(n);
    // P(B = k) by P(B = mode), from the mode down and up, until nothing more would be added.
    let mut below = Vec::new();
    let mut p = 1.0;
    for k in (1..=mode).rev() {
        p *= k as f64 / ((n - k + 1) as f64 * odds);
        if p < f64::MIN_POSITIVE {
            break;
        }
        below.push(p);
    }
    let mut above = Vec::new();
    p = 1.0;
    for k in mode..n {
        p *= (n - k) as f64 * odds / (k + 1) as f64;
        if p < f64::MIN_POSITIVE {
            break;
        }
        above.push(p);
    }
    // Smallest first.
    let sum = |tail: &[f64]| tail.iter().rev().sum::<f64>();
    let tail = TAIL * (sum(&below) + 1.0 + sum(&above));

    // From the far end inwards; what underflowed adds nothing.
    let mut low = mode - below.len() as u64;
    let mut mass = 0.0;
    for p in below.iter().rev().chain([&1.0]).chain(&above) {
        mass += p;
        if mass > tail {
            break;
        }
        low += 1;
    }
    let mut high = mode + above.len() as u64 + 1;
    mass = 0.0;
    for p in above.iter().rev().chain([&1.0]).chain(&below) {
        mass += p;
        if mass > tail {
            break;
        }
        high -= 1;
    }
    (low, high)
}

/// (l, u) by the Cornish–Fisher expansion of the quantiles of B, a rank wider.
fn expanded(n: u64, q: f64) -> (u64, u64) {
    let (mean, sd) = (n as f64 * q, variance(n, q).sqrt());
    let skewed = (Z * Z - 1.0) * (1.0 - 2.0 * q) / 6.0;
    let curved = ((Z * Z * Z - 3.0 * Z) * (1.0 - 6.0 * q * (1.0 - q)) / 24.0
        - (2.0 * Z * Z * Z - 5.0 * Z) * (1.0 - 2.0 * q).powi(2) / 36.0)
        / sd;
    // P(B ≤ k) is that of a continuous variable at k + ½.
    let low = (mean - Z * sd + skewed - curved + 0.5).floor() - 1.0;
    let high = (mean + Z * sd + skewed + curved + 0.5).ceil() + 1.0;
    (low.max(0.0) as u64, (high as u64).min(n + 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// P(B ≤ k) by the definition, for small n.
    fn cdf(n: u64, q: f64, k: u64) -> f64 {
        let ln_choose = |k: u64| {
            (1..=k)
                .map(|i| ((n - k + i) as f64 / i as f64).ln())
                .sum::<f64>()
        };
        let ln_p = |k: u64| ln_choose(k) + k as f64 * q.ln() + (n - k) as f64 * (1.0 - q).ln();
        (0..=k).map(|k| ln_p(k).exp()).sum()
    }

    #[test]
    fn ends_are_those_of_published_tables() {
        // Conover's table of the sign test at 5 %, and R's qbinom(c(.025, .975), n, .5).
        let ends = |n, q| {
            let ranks = Ranks::of(n, q);
            (ranks.low, ranks.high)
        };
        assert_eq!(ends(5, 0.5), (None, None));
        assert_eq!(ends(6, 0.5), (Some(1), Some(6)));
        assert_eq!(ends(10, 0.5), (Some(2), Some(9)));
        assert_eq!(ends(20, 0.5), (Some(6), Some(15)));
        assert_eq!(ends(100, 0.5), (Some(40), Some(61)));
        assert_eq!(ends(367, 0.99).1, None, "0.99^367 > 2.5 %");
        assert_eq!(ends(368, 0.99).1, Some(368));
    }

    #[test]
    fn nearest_ranks_do_not_suffer_from_binary_fractions() {
        assert_eq!(nearest(100, 0.99), 99);
        assert_eq!(nearest(1000, 0.999), 999);
        assert_eq!(nearest(100, 0.07), 7, "0.07 · 100 > 7 in doubles");
        assert_eq!(nearest(101, 0.99), 100);
        assert_eq!(
            (nearest(1, 0.5), nearest(2, 0.5), nearest(3, 0.5)),
            (1, 1, 2)
        );
        assert_eq!(nearest(u64::MAX, 0.5), u64::MAX / 2 + 1);
    }

    #[test]
    fn samples_needed_are_the_designs() {
        let all = [0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999].map(needed);
        assert_eq!(all, [8, 18, 46, 90, 482, 4_820, 48_200]);
    }

    #[test]
    fn the_expansion_is_never_narrower_than_the_sums_and_at_most_two_ranks_wider() {
        for q in [0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999] {
            for variance in [10_000.0, 12_345.6, 100_000.0, 1_000_000.0] {
                let n = (variance / (q * (1.0 - q))) as u64;
                let ((low, high), (wide_low, wide_high)) = (summed(n, q), expanded(n, q));
                assert!(
                    (0..=2).contains(&(low - wide_low)),
                    "{q} {n} {low} {wide_low}"
                );
                assert!(
                    (0..=2).contains(&(wide_high - high)),
                    "{q} {n} {high} {wide_high}"
                );
            }
        }
    }

    #[test]
    fn the_largest_counts_have_ranks() {
        let ranks = Ranks::of(u64::MAX / 2, 0.9999);
        assert!(ranks.low.unwrap() < ranks.value && ranks.value < ranks.high.unwrap());
    }

    proptest! {
        /// Coverage by the definition: 95 % where both ends are there, and no narrower interval of
        /// equal tails has it.
        #[test]
        fn intervals_cover_and_are_the_shortest(n in 1_u64..400, q in 0.01..0.99_f64) {
            let ranks = Ranks::of(n, q);
            if let Some(low) = ranks.low {
                prop_assert!(cdf(n, q, low - 1) <= TAIL + 1e-12);
            }
            let next = ranks.low.unwrap_or(0);
            prop_assert!(next == n || cdf(n, q, next) > TAIL - 1e-12);
            if let Some(high) = ranks.high {
                prop_assert!(cdf(n, q, high - 1) >= 1.0 - TAIL - 1e-12);
            }
            let next = ranks.high.unwrap_or(n + 1) - 1;
            prop_assert!(next == 0 || cdf(n, q, next - 1) < 1.0 - TAIL + 1e-12);
        }

    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        /// Coverage by trial: of samples of a distribution whose quantile is known.
        #[test]
        fn intervals_cover_in_trials(seed in any::<u64>(), q in 0.1..0.9_f64) {
            use rand::{Rng, SeedableRng};
            const N: usize = 60;
            const TRIALS: usize = 2_000;
            let ranks = Ranks::of(N as u64, q);
            let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
            let covered = (0..TRIALS).filter(|_| {
                let mut sample: Vec<f64> = (0..N).map(|_| random.random()).collect();
                sample.sort_by(f64::total_cmp);
                let at = |rank: u64| sample[rank as usize - 1];
                ranks.low.is_none_or(|low| at(low) <= q) && ranks.high.is_none_or(|high| q <= at(high))
            });
            // Six standard deviations of the trials themselves below 95 %.
            let least = 0.95 - 6.0 * (0.95 * 0.05 / TRIALS as f64).sqrt();
            prop_assert!(covered.count() as f64 >= least * TRIALS as f64);
        }
    }
}
