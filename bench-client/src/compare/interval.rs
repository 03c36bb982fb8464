//! How much a figure differs between two sides, with an interval that counts what varies between
//! runs and what varies within them.

use super::random::Random;
use super::student::{normal, student};
use super::unit::Unit;

/// Draws at least, and at least so many beyond either end of the interval.
const DRAWS: usize = 4_000;
const BEYOND: f64 = 25.0;

/// How runs of the two sides belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Design {
    /// The n-th of A was made beside the n-th of B, so that what changes with time meets both.
    Paired,
    /// They have nothing to do with each other.
    Apart,
}

/// What differences are measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// ln(B / A).
    Logarithm,
    /// B − A, where a value is zero or below.
    Plain,
}

/// A difference, B against A, and where it could as well be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Difference {
    pub(super) scale: Scale,
    /// The sides' means over their runs, geometric ones on the logarithmic scale.
    pub(super) a: f64,
    pub(super) b: f64,
    pub(super) estimate: f64,
    /// None where nothing tells how much the values vary.
    pub(super) interval: Option<(f64, f64)>,
}

/// B against A; the interval misses the true difference with probability `tail` at either end.
///
/// Runs (of a paired design, pairs of them) are drawn with replacement, and within each the blocks of
/// [`Unit`]; the difference of means over the drawn runs is taken, and the quantiles of its
/// deviations from the estimate are the interval's ends. Bootstraps of few units are too narrow: by
/// √((n − 1)/n), because they spread around the sample's own mean, and by the ratio of Student's t to
/// the normal quantile, because the spread itself is an estimate (Hesterberg, "What teachers should
/// know about the bootstrap", *The American Statistician* 69 (2015), 371–386). Deviations are widened
/// by both. Degrees of freedom are n − 1 for pairs, and Satterthwaite's for two sides apart. Where a
/// side has one run only, what varies between runs is unknown and not in the interval.
pub(super) fn difference(
    a: &[Unit],
    b: &[Unit],
    design: Design,
    tail: f64,
    random: &mut Random,
) -> Difference {
    let positive = a.iter().chain(b).all(|unit| unit.value > 0.0);
    let scale = if positive {
        Scale::Logarithm
    } else {
        Scale::Plain
    };
    let (a, b) = (Values::new(a, scale), Values::new(b, scale));
    let estimate = b.mean() - a.mean();
    let draws = DRAWS.max((BEYOND / tail).ceil() as usize);
    let deviations = match design {
        Design::Paired => paired(&a, &b, estimate, draws, tail, random),
        Design::Apart => apart(&a, &b, draws, tail, random),
    };
    let ends = deviations.map(|mut deviations| {
        deviations.sort_unstable_by(f64::total_cmp);
        let beyond = (tail * draws as f64).floor() as usize;
        let (low, high) = (deviations[beyond], deviations[draws - 1 - beyond]);
        // An estimate is always within its interval.
        (estimate + low.min(0.0), estimate + high.max(0.0))
    });
    Difference {
        scale,
        a: scale.back(a.mean()),
        b: scale.back(b.mean()),
        estimate,
        interval: ends,
    }
}

/// Deviations of draws of pairs, already widened.
fn paired(
    a: &Values,
    b: &Values,
    estimate: f64,
    draws: usize,
    tail: f64,
    random: &mut Random,
) -> Option<Vec<f64>> {
    let n = a.len().min(b.len());
    if n == 1 && !(a.vary() && b.vary()) {
        return None;
    }
    let widened = if n > 1 {
        let n = n as f64;
        (n / (n - 1.0)).sqrt() * student(tail, n - 1.0) / normal(tail)
    } else {
        1.0
    };
    let mut draw = || {
        let sum: f64 = (0..n)
            .map(|_| {
                let pair = random.below(n);
                b.draw(pair, random) - a.draw(pair, random)
            })
            .sum();
        (sum / n as f64 - estimate) * widened
    };
    Some((0..draws).map(|_| draw()).collect())
}

/// The same of two sides that are drawn by themselves.
fn apart(a: &Values, b: &Values, draws: usize, tail: f64, random: &mut Random) -> Option<Vec<f64>> {
    let mut side = |values: &Values| {
        let n = values.len();
        if n == 1 && !values.vary() {
            return None;
        }
        let mean = values.mean();
        let widened = if n > 1 {
            (n as f64 / (n as f64 - 1.0)).sqrt()
        } else {
            1.0
        };
        let deviations: Vec<f64> = (0..draws)
            .map(|_| {
                let drawn: f64 = (0..n).map(|_| values.draw(random.below(n), random)).sum();
                (drawn / n as f64 - mean) * widened
            })
            .collect();
        Some(deviations)
    };
    let (of_a, of_b) = (side(a)?, side(b)?);
    let variance = |deviations: &[f64]| {
        deviations.iter().map(|d| d * d).sum::<f64>() / deviations.len() as f64
    };
    let (var_a, var_b) = (variance(&of_a), variance(&of_b));
    // Of a single run the spread between runs is no estimate, but missing.
    let share = |var: f64, n: usize| {
        if n > 1 {
            var * var / (n as f64 - 1.0)
        } else {
            0.0
        }
    };
    let shares = share(var_a, a.len()) + share(var_b, b.len());
    let widened = if shares > 0.0 {
        student(tail, (var_a + var_b).powi(2) / shares) / normal(tail)
    } else {
        1.0
    };
    let both = of_b.iter().zip(&of_a);
    Some(both.map(|(b, a)| (b - a) * widened).collect())
}

impl Scale {
    fn of(self, value: f64) -> f64 {
        match self {
            Self::Logarithm => value.ln(),
            Self::Plain => value,
        }
    }

    fn back(self, value: f64) -> f64 {
        match self {
            Self::Logarithm => value.exp(),
            Self::Plain => value,
        }
    }
}

/// The runs of a side on the scale of the comparison.
struct Values {
    values: Vec<f64>,
    /// A run's own deviations.
    within: Vec<Vec<f64>>,
}

impl Values {
    fn new(units: &[Unit], scale: Scale) -> Self {
        let within = |unit: &Unit| {
            let center = scale.of(unit.value);
            let drawn = unit.factors.iter().map(|factor| unit.value * factor);
            drawn.map(|value| scale.of(value) - center).collect()
        };
        Self {
            values: units.iter().map(|unit| scale.of(unit.value)).collect(),
            within: units.iter().map(within).collect(),
        }
    }

    fn len(&self) -> usize {
        self.values.len()
    }

    fn mean(&self) -> f64 {
        self.values.iter().sum::<f64>() / self.values.len() as f64
    }

    /// Whether every run tells how it varies within.
    fn vary(&self) -> bool {
        self.within.iter().all(|within| !within.is_empty())
    }

    fn draw(&self, run: usize, random: &mut Random) -> f64 {
        let within = &self.within[run];
        let deviation = if within.is_empty() {
            0.0
        } else {
            within[random.below(within.len())]
        };
        self.values[run] + deviation
    }
}

#[cfg(test)]
mod tests {
    use rayon::prelude::*;

    use super::*;

    /// Runs whose values are log-normal around 1, and of which nothing else is known.
    fn runs(n: usize, spread: f64, random: &mut Random) -> Vec<Unit> {
        let value = |_| Unit::bare((spread * random.normal()).exp(), 1);
        (0..n).map(value).collect()
    }

    /// Shares of intervals that miss the true difference below and above, of 1,000.
    fn misses(n: usize, design: Design, tail: f64) -> (f64, f64) {
        let trial = |seed| {
            let mut random = Random::new(seed);
            let (a, b) = (runs(n, 0.1, &mut random), runs(n, 0.1, &mut random));
            let found = difference(&a, &b, design, tail, &mut random);
            let (low, high) = found.interval.unwrap();
            (u32::from(low > 0.0), u32::from(high < 0.0))
        };
        let trials = (0..1_000_u64).into_par_iter().map(trial);
        let (below, above) = trials.reduce(|| (0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
        (f64::from(below) / 1e3, f64::from(above) / 1e3)
    }

    /// However few runs there are: without the widening, three pairs would miss at thrice the rate.
    #[test]
    fn intervals_keep_what_they_promise_with_few_runs() {
        for (n, design) in [(3, Design::Paired), (8, Design::Paired), (3, Design::Apart)] {
            let tail = 0.025;
            let (below, above) = misses(n, design, tail);
            // Three standard errors of a thousand trials.
            assert!(below < tail + 0.015, "{n} {design:?}: {below}");
            assert!(above < tail + 0.015, "{n} {design:?}: {above}");
            assert!(below + above > 0.005, "{n} {design:?}: wider than need be");
        }
    }

    #[test]
    fn what_meets_both_of_a_pair_does_not_count() {
        let mut random = Random::new(2);
        let a = runs(8, 0.5, &mut random);
        let b: Vec<_> = a
            .iter()
            .map(|unit| Unit::bare(1.1 * unit.value, 1))
            .collect();
        let paired = difference(&a, &b, Design::Paired, 0.025, &mut random);
        let (low, high) = paired.interval.unwrap();
        assert!((paired.estimate - 1.1_f64.ln()).abs() < 1e-12);
        assert!(high - low < 1e-9, "{low} {high}");
        let apart = difference(&a, &b, Design::Apart, 0.025, &mut random);
        let (low, high) = apart.interval.unwrap();
        assert!(low < -0.1 && high > 0.3, "{low} {high}");
    }

    #[test]
    fn one_run_a_side_has_an_interval_only_if_it_tells_how_it_varies() {
        let mut random = Random::new(2);
        let bare = [Unit::bare(1.0, 1)];
        for design in [Design::Paired, Design::Apart] {
            assert_eq!(
                difference(&bare, &bare, design, 0.025, &mut random).interval,
                None
            );
            let samples: Vec<u64> = (0..400).map(|i| 1000 + (i * 7919) % 100).collect();
            let varies = [Unit::mean(&samples, None, &mut random).unwrap()];
            let difference = difference(&varies, &varies, design, 0.025, &mut random);
            let (low, high) = difference.interval.unwrap();
            assert!(low < 0.0 && high > 0.0);
        }
    }

    #[test]
    fn zeros_are_compared_by_their_difference() {
        let mut random = Random::new(2);
        let a = [0.0, 0.0, 0.0].map(|value| Unit::bare(value, 1));
        let b = [0.1, 0.1, 0.1].map(|value| Unit::bare(value, 1));
        let found = difference(&a, &b, Design::Apart, 0.025, &mut random);
        assert_eq!((found.scale, found.a), (Scale::Plain, 0.0));
        assert!((found.estimate - 0.1).abs() < 1e-12);
    }

    #[test]
    fn the_same_seed_gives_the_same_interval() {
        let mut random = Random::new(9);
        let (a, b) = (runs(9, 0.1, &mut random), runs(4, 0.1, &mut random));
        let once = |seed| {
            let mut random = Random::new(seed);
            difference(&a, &b, Design::Apart, 0.01, &mut random)
        };
        assert_eq!(once(1), once(1));
        assert_ne!(once(1), once(2));
    }
}
