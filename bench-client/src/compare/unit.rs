//! One run's value of a figure, and how much it varies within the run.
//!
//! Responses that follow each other are not independent: they share a queue, a garbage collection, a
//! neighbour on the machine. So a run is cut into ⌊√n⌋ blocks of about √n responses in the order of
//! their intended times, the batch size that Flegal and Jones use ("Batch means and spectral variance
//! estimators in Markov chain Monte Carlo", *Annals of Statistics* 38 (2010), 1034–1070), and whole
//! blocks are drawn with replacement (Carlstein, *Annals of Statistics* 14 (1986), 1171–1179;
//! Künsch, *Annals of Statistics* 17 (1989), 1217–1241, and Politis and Romano, *JASA* 89 (1994),
//! 1303–1313, have the versions with overlapping blocks and with blocks of random length). What is
//! correlated within a block stays so.
//!
//! The same blocks tell how many independent samples the responses are worth: n·s²/σ², where s² is
//! the variance of the samples and σ² that of the means of blocks times a block's length. For a
//! quantile, the samples are whether each response is at or below it.

use super::random::Random;

/// Draws of blocks a run.
const DRAWS: usize = 200;

/// With fewer blocks than this, how much the run varies within cannot be told.
const FEWEST_BLOCKS: usize = 5;

/// A figure of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Unit {
    /// Its value.
    pub value: f64,
    /// By what factors the value differs when the run's blocks are drawn again; empty where that
    /// cannot be done.
    pub factors: Vec<f64>,
    /// What it was computed from.
    pub samples: u64,
    /// How many independent samples these are worth, where it is about samples.
    pub effective: Option<f64>,
}

impl Unit {
    /// A figure of which nothing but its value is known.
    #[must_use]
    pub fn bare(value: f64, samples: u64) -> Self {
        Self {
            value,
            factors: Vec::new(),
            samples,
            effective: None,
        }
    }

    /// The `q`-quantile of `samples`, which are in the order in which they were taken. Its value is
    /// `value`, which may be rounded; the nearest-rank quantile if there is none. `None` without
    /// samples.
    #[must_use]
    pub fn quantile(
        samples: &[u64],
        q: f64,
        value: Option<f64>,
        random: &mut Random,
    ) -> Option<Self> {
        let blocks = Blocks::of(samples.len())?;
        let mut sorted: Vec<(u64, u32)> = Vec::with_capacity(samples.len());
        for (block, range) in blocks.ranges().enumerate() {
            sorted.extend(samples[range].iter().map(|sample| (*sample, block as u32)));
        }
        sorted.sort_unstable();
        let quantile = weighted_quantile(&sorted, &vec![1; blocks.count], samples.len(), q);
        let lengths: Vec<usize> = blocks.ranges().map(|range| range.len()).collect();
        let factors = blocks.draws(random, |weights| {
            let drawn = lengths.iter().zip(weights);
            let total = drawn
                .map(|(length, weight)| length * *weight as usize)
                .sum();
            weighted_quantile(&sorted, weights, total, q) as f64 / quantile as f64
        });
        let below: Vec<f64> = samples
            .iter()
            .map(|sample| f64::from(u8::from(*sample <= quantile)))
            .collect();
        Some(Self {
            value: value.unwrap_or(quantile as f64),
            factors: if quantile > 0 { factors } else { Vec::new() },
            samples: samples.len() as u64,
            effective: Some(blocks.effective(&below)),
        })
    }

    /// The mean of `samples`, which are in the order in which they were taken; `None` without any.
    #[must_use]
    pub fn mean(samples: &[u64], value: Option<f64>, random: &mut Random) -> Option<Self> {
        let blocks = Blocks::of(samples.len())?;
        let samples: Vec<f64> = samples.iter().map(|sample| *sample as f64).collect();
        let sums: Vec<(f64, f64)> = blocks
            .ranges()
            .map(|range| (range.len() as f64, samples[range].iter().sum()))
            .collect();
        let mean = samples.iter().sum::<f64>() / samples.len() as f64;
        let factors = blocks.draws(random, |weights| {
            let (mut count, mut sum) = (0.0, 0.0);
            for ((n, s), weight) in sums.iter().zip(weights) {
                count += n * f64::from(*weight);
                sum += s * f64::from(*weight);
            }
            sum / count / mean
        });
        Some(Self {
            value: value.unwrap_or(mean),
            factors: if mean > 0.0 { factors } else { Vec::new() },
            samples: samples.len() as u64,
            effective: Some(blocks.effective(&samples)),
        })
    }

    /// A rate whose value is `value`, of so many things in each of the equal parts of a run, and
    /// `samples` responses in all.
    #[must_use]
    pub fn rate(value: f64, parts: &[f64], samples: u64, random: &mut Random) -> Self {
        let total: f64 = parts.iter().sum();
        let blocks = Blocks {
            n: parts.len(),
            count: parts.len(),
        };
        let factors = blocks.draws(random, |weights| {
            let drawn = parts.iter().zip(weights);
            let drawn: f64 = drawn.map(|(part, weight)| part * f64::from(*weight)).sum();
            drawn / total
        });
        // A draw without anything in it has no logarithm.
        let usable = total > 0.0 && factors.iter().all(|factor| *factor > 0.0);
        Self {
            value,
            factors: if usable { factors } else { Vec::new() },
            samples,
            effective: None,
        }
    }
}

/// `n` samples in their order, cut into `count` blocks whose lengths differ by one at most.
#[derive(Debug, Clone, Copy)]
struct Blocks {
    n: usize,
    count: usize,
}

impl Blocks {
    fn of(n: usize) -> Option<Self> {
        let length = n.isqrt();
        (n > 0).then(|| Self {
            n,
            count: n / length,
        })
    }

    fn ranges(self) -> impl Iterator<Item = std::ops::Range<usize>> {
        (0..self.count).map(move |block| {
            let end = |block: usize| block * self.n / self.count;
            end(block)..end(block + 1)
        })
    }

    /// The figure of draws of as many blocks as there are, given how often each was drawn.
    fn draws(self, random: &mut Random, figure: impl Fn(&[u32]) -> f64) -> Vec<f64> {
        if self.count < FEWEST_BLOCKS {
            return Vec::new();
        }
        let mut weights = vec![0; self.count];
        (0..DRAWS)
            .map(|_| {
                weights.fill(0);
                for _ in 0..self.count {
                    weights[random.below(self.count)] += 1;
                }
                figure(&weights)
            })
            .collect()
    }

    /// The effective number of samples, by batch means; never more than there are.
    fn effective(self, samples: &[f64]) -> f64 {
        let n = self.n as f64;
        if self.count < 2 {
            return 1.0;
        }
        let mean = samples.iter().sum::<f64>() / n;
        let squares: f64 = samples.iter().map(|sample| (sample - mean).powi(2)).sum();
        let between: f64 = self
            .ranges()
            .map(|range| {
                let length = range.len() as f64;
                let of_block = samples[range].iter().sum::<f64>() / length;
                length * (of_block - mean).powi(2)
            })
            .sum();
        let variance = squares / (n - 1.0);
        let of_means = between / (self.count - 1) as f64;
        if of_means <= variance {
            return n;
        }
        (n * variance / of_means).max(1.0)
    }
}

/// The nearest-rank `q`-quantile of ascending samples, each as often as its block was drawn, `total`
/// in all. From the nearer end, because most quantiles that are asked for are far up.
fn weighted_quantile(sorted: &[(u64, u32)], weights: &[u32], total: usize, q: f64) -> u64 {
    let rank = ((total as f64 * q - 1e-9).ceil() as usize).clamp(1, total.max(1));
    let weight = |block: u32| weights[block as usize] as usize;
    if q < 0.5 {
        let mut up_to = 0;
        for &(sample, block) in sorted {
            up_to += weight(block);
            if up_to >= rank {
                return sample;
            }
        }
    } else {
        let mut below = total;
        for &(sample, block) in sorted.iter().rev() {
            below -= weight(block);
            if below < rank {
                return sample;
            }
        }
    }
    sorted.last().map_or(0, |(sample, _)| *sample)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn random(seed: u64) -> Random {
        Random::new(seed)
    }

    /// n samples xₜ = 1000 + φ·(xₜ₋₁ − 1000) + uniform noise.
    fn autoregressive(seed: u64, n: usize, phi: f64) -> Vec<u64> {
        let mut random = random(seed);
        let mut x = 0.0;
        (0..n)
            .map(|_| {
                x = phi * x + 1e6 * (random.unit() - 0.5);
                (1e8 + x) as u64
            })
            .collect()
    }

    fn spread(values: &[f64]) -> f64 {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        (squares / (values.len() - 1) as f64).sqrt()
    }

    #[test]
    fn blocks_cover_everything_once() {
        for n in 1..300 {
            let blocks = Blocks::of(n).unwrap();
            let mut next = 0;
            for range in blocks.ranges() {
                assert_eq!(range.start, next);
                assert!(!range.is_empty());
                next = range.end;
            }
            assert_eq!(next, n);
        }
        assert!(Blocks::of(0).is_none());
    }

    /// An AR(1) process is worth n·(1 − φ)/(1 + φ) samples for its mean.
    #[test]
    fn effective_samples_are_those_of_theory() {
        let n = 40_000;
        for phi in [0.0, 0.5, 0.8] {
            let theory = n as f64 * (1.0 - phi) / (1.0 + phi);
            let over: f64 = (0..8)
                .map(|seed| {
                    let samples = autoregressive(seed, n, phi);
                    let unit = Unit::mean(&samples, None, &mut random(1)).unwrap();
                    unit.effective.unwrap() / theory
                })
                .sum();
            // Of 200 blocks, σ² has a relative standard error of 10 % in each of the eight; where
            // nothing is correlated, more than n is cut off.
            assert!((0.85..1.2).contains(&(over / 8.0)), "{phi}: {over}");
        }
    }

    /// The draws' spread is that of new runs of the same process, which independent draws of single
    /// samples would understate three times over.
    #[test]
    fn draws_of_blocks_vary_as_new_runs_do() {
        let value = |seed| {
            let samples = autoregressive(seed, 10_000, 0.8);
            (
                Unit::mean(&samples, None, &mut random(seed)).unwrap(),
                Unit::quantile(&samples, 0.9, None, &mut random(seed)).unwrap(),
            )
        };
        let runs: Vec<_> = (0..60).map(value).collect();
        let compare = |units: Vec<&Unit>| {
            let values: Vec<f64> = units.iter().map(|unit| unit.value).collect();
            let drawn: Vec<f64> = units
                .iter()
                .map(|unit| spread(&unit.factors) * unit.value)
                .collect();
            let drawn = drawn.iter().sum::<f64>() / drawn.len() as f64;
            drawn / spread(&values)
        };
        let mean = compare(runs.iter().map(|(mean, _)| mean).collect());
        let quantile = compare(runs.iter().map(|(_, quantile)| quantile).collect());
        assert!((0.75..1.3).contains(&mean), "{mean}");
        assert!((0.75..1.3).contains(&quantile), "{quantile}");
    }

    #[test]
    fn few_samples_say_nothing_of_how_they_vary() {
        let samples: Vec<u64> = (1..=11).collect();
        let unit = Unit::quantile(&samples, 0.5, None, &mut random(1)).unwrap();
        assert_eq!((unit.value, unit.factors.len()), (6.0, 0));
        assert_eq!(Unit::quantile(&[], 0.5, None, &mut random(1)), None);
        assert_eq!(Unit::mean(&[], None, &mut random(1)), None);
        let constant = Unit::quantile(&[7; 100], 0.99, None, &mut random(1)).unwrap();
        assert_eq!(constant.effective, Some(100.0));
        assert!(constant.factors.iter().all(|factor| *factor == 1.0));
    }

    #[test]
    fn rates_vary_as_their_parts_do() {
        let steady = Unit::rate(50.0, &[10.0; 30], 300, &mut random(1));
        assert!(steady.factors.iter().all(|factor| *factor == 1.0));
        let stalls = Unit::rate(50.0, &[[20.0; 15], [0.0; 15]].concat(), 300, &mut random(1));
        // A binomial of 30 halves: √(30/4)/15.
        let spread = spread(&stalls.factors);
        assert!((0.13..0.24).contains(&spread), "{spread}");
        assert_eq!(
            Unit::rate(0.0, &[0.0; 30], 0, &mut random(1)).factors,
            [0.0; 0]
        );
    }

    proptest! {
        /// The weighted quantile by its definition: sort every sample as often as it was drawn.
        #[test]
        fn weighted_quantiles_are_those_of_repeated_samples(
            samples in prop::collection::vec((0_u64..50, 0_u32..6), 1..80),
            weights in prop::collection::vec(0_u32..4, 6),
            q in 0.01..0.999_f64,
        ) {
            let mut sorted = samples.clone();
            sorted.sort_unstable();
            let mut repeated: Vec<u64> = sorted
                .iter()
                .flat_map(|(sample, block)| vec![*sample; weights[*block as usize] as usize])
                .collect();
            repeated.sort_unstable();
            prop_assume!(!repeated.is_empty());
            let rank = (repeated.len() as f64 * q - 1e-9).ceil() as usize;
            let wanted = repeated[rank.max(1) - 1];
            prop_assert_eq!(weighted_quantile(&sorted, &weights, repeated.len(), q), wanted);
        }
    }
}
