//! Whether B is slower than A, said so that it is seldom wrong.
//!
//! For each figure, the difference of B against A has an interval that counts noise
//! within runs and between them. With k figures compared at once, each interval misses the true
//! difference with probability 0.025 / k at either end, so that all of them together hold with 95 %
//! (Bonferroni). With a minimum effect m, on the side that is worse for the figure:
//!
//! - **worse**: the whole interval is beyond m, ratio B / A ≥ 1 + m where lower is better,
//!   A / B ≥ 1 + m where higher is;
//! - **better**: the same the other way round, so that exchanging A and B exchanges the two;
//! - **equivalent**: the whole interval is within, 1 / (1 + m) < ratio < 1 + m;
//! - **inconclusive**: anything else, and whatever has too few samples.
//!
//! If A and B are the same, "worse" takes an interval that misses no difference by at least m: at
//! most 2.5 % of comparisons say it of any of their figures, and the fewer the larger m is against
//! the noise. That holds where a side has several runs. Of one run a side, only the noise within it
//! is known, and a comparison says so.
//!
//! Where a value is 0, ratios mean nothing: the difference itself is compared with m · A, and if A is
//! 0 throughout, with 0.

mod config;
pub mod criterion;
pub mod file;
mod interval;
pub mod live;
pub mod measured;
mod random;
mod student;
mod text;
mod unit;

use schemars::JsonSchema;
use serde::Serialize;

pub use self::config::{Different, differences};
pub use self::interval::Design;
use self::interval::{Difference, Scale};
pub use self::random::Random;
pub use self::text::{percent, render};
pub use self::unit::Unit;
use crate::tally::statistic::Direction;

/// Goes up when a field of `compare.json` changes its meaning or goes away.
pub const FORMAT_VERSION: u32 = 1;

/// The file of a comparison.
pub const FILE: &str = "compare.json";

/// What all intervals of a comparison together may miss, at both ends.
const ALPHA: f64 = 0.05;

/// What is said of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// B is better than A by at least the minimum effect.
    Better,
    /// B is worse than A by at least the minimum effect.
    Worse,
    /// They differ by less than the minimum effect.
    Equivalent,
    /// The runs do not tell.
    Inconclusive,
}

/// How figures are judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judge {
    /// The least relative difference that matters, above 0.
    pub min_effect: f64,
    /// How runs belong together.
    pub design: Design,
    /// Decides which draws are made.
    pub seed: u64,
}

/// The runs of both sides for one figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Sides {
    /// Its name.
    pub name: String,
    /// What it is measured in; empty for what has no unit.
    pub unit: &'static str,
    /// Which way is better.
    pub direction: Direction,
    /// A's runs, or why they have no value.
    pub a: Result<Vec<Unit>, String>,
    /// B's.
    pub b: Result<Vec<Unit>, String>,
    /// Independent samples that a side needs.
    pub needed: f64,
}

/// A figure compared.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Finding {
    /// The figure.
    pub name: String,
    /// What it is measured in.
    pub unit: &'static str,
    /// The mean of A's runs: the geometric one, where no value is 0.
    pub a: Option<f64>,
    /// That of B's.
    pub b: Option<f64>,
    /// (B − A) / A; none if A is 0.
    pub relative: Option<f64>,
    /// Where that is with the confidence of the comparison: lower end.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Samples of A, and how many independent ones they are worth.
    pub samples_a: Samples,
    /// Those of B.
    pub samples_b: Samples,
    /// What is said of it.
    pub verdict: Verdict,
    /// Why nothing is.
    pub reason: Option<String>,
}

/// How much a side rests on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, JsonSchema)]
pub struct Samples {
    /// Runs.
    pub runs: usize,
    /// Samples in all of them.
    pub samples: u64,
    /// Independent samples that these are worth, where it is about samples.
    pub effective: Option<f64>,
}

impl Judge {
    /// Compares all figures of a comparison; how sure each interval is depends on how many there are.
    #[must_use]
    pub fn judge(&self, all: Vec<Sides>) -> Vec<Finding> {
        let tail = ALPHA / 2.0 / all.len().max(1) as f64;
        let mut random = Random::new(self.seed);
        all.into_iter()
            .map(|sides| self.one(sides, tail, &mut random))
            .collect()
    }

    fn one(&self, sides: Sides, tail: f64, random: &mut Random) -> Finding {
        let samples = |side: &Result<Vec<Unit>, String>| {
            side.as_ref()
                .map(|units| Samples::of(units))
                .unwrap_or_default()
        };
        let mut finding = Finding {
            name: sides.name,
            unit: sides.unit,
            a: None,
            b: None,
            relative: None,
            low: None,
            high: None,
            samples_a: samples(&sides.a),
            samples_b: samples(&sides.b),
            verdict: Verdict::Inconclusive,
            reason: None,
        };
        let (a, b) = match (&sides.a, &sides.b) {
            (Ok(a), Ok(b)) if !a.is_empty() && !b.is_empty() => (a, b),
            (Err(reason), _) => {
                finding.reason = Some(format!("A: {reason}"));
                return finding;
            }
            (_, Err(reason)) => {
                finding.reason = Some(format!("B: {reason}"));
                return finding;
            }
            _ => {
                finding.reason = Some("a side has no runs".to_owned());
                return finding;
            }
        };
        let found = interval::difference(a, b, self.design, tail, random);
        finding.a = Some(found.a);
        finding.b = Some(found.b);
        finding.relative = found.relative(found.estimate);
        let Some((low, high)) = found.interval else {
            let reason = "one run a side does not tell how much it varies between runs";
            finding.reason = Some(reason.to_owned());
            return finding;
        };
        finding.low = found.relative(low);
        finding.high = found.relative(high);
        for (side, samples) in [("A", finding.samples_a), ("B", finding.samples_b)] {
            if samples
                .effective
                .is_some_and(|effective| effective < sides.needed)
            {
                finding.reason = Some(format!("{side} has too few independent samples"));
                return finding;
            }
        }
        finding.verdict = self.verdict(&found, (low, high), sides.direction);
        finding
    }

    fn verdict(
        &self,
        found: &Difference,
        (low, high): (f64, f64),
        direction: Direction,
    ) -> Verdict {
        let least = match found.scale {
            Scale::Logarithm => self.min_effect.ln_1p(),
            Scale::Plain => self.min_effect * found.a.abs(),
        };
        // As if lower were better.
        let (low, high) = match direction {
            Direction::LowerIsBetter => (low, high),
            Direction::HigherIsBetter => (-high, -low),
        };
        let nothing = (low, high) == (0.0, 0.0);
        if low >= least && !nothing {
            Verdict::Worse
        } else if high <= -least && !nothing {
            Verdict::Better
        } else if (low > -least && high < least) || nothing {
            Verdict::Equivalent
        } else {
            Verdict::Inconclusive
        }
    }
}

impl Difference {
    fn relative(&self, difference: f64) -> Option<f64> {
        match self.scale {
            Scale::Logarithm => Some(difference.exp_m1()),
            Scale::Plain if self.a == 0.0 => (difference == 0.0).then_some(0.0),
            Scale::Plain => Some(difference / self.a.abs()),
        }
    }
}

impl Samples {
    fn of(units: &[Unit]) -> Self {
        Self {
            runs: units.len(),
            samples: units.iter().map(|unit| unit.samples).sum(),
            effective: units.iter().map(|unit| unit.effective).sum(),
        }
    }
}

#[cfg(test)]
mod simulation;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sides(a: &[f64], b: &[f64], direction: Direction) -> Sides {
        let units = |values: &[f64]| Ok(values.iter().map(|v| Unit::bare(*v, 1)).collect());
        Sides {
            name: "x".to_owned(),
            unit: "ms",
            direction,
            a: units(a),
            b: units(b),
            needed: 0.0,
        }
    }

    fn said(a: &[f64], b: &[f64], direction: Direction) -> Verdict {
        let judge = Judge {
            min_effect: 0.05,
            design: Design::Apart,
            seed: 1,
        };
        judge.judge(vec![sides(a, b, direction)])[0].verdict
    }

    const A: [f64; 5] = [10.0, 10.01, 9.99, 10.0, 10.02];

    fn times(factor: f64) -> [f64; 5] {
        A.map(|a| a * factor)
    }

    #[test]
    fn four_verdicts_in_both_directions() {
        use Direction::{HigherIsBetter, LowerIsBetter};
        assert_eq!(said(&A, &times(1.1), LowerIsBetter), Verdict::Worse);
        assert_eq!(said(&A, &times(0.9), LowerIsBetter), Verdict::Better);
        assert_eq!(said(&A, &times(1.1), HigherIsBetter), Verdict::Better);
        assert_eq!(said(&A, &times(0.9), HigherIsBetter), Verdict::Worse);
        assert_eq!(said(&A, &times(1.02), LowerIsBetter), Verdict::Equivalent);
        assert_eq!(said(&A, &times(1.05), LowerIsBetter), Verdict::Inconclusive);
        let noisy = [5.0, 20.0, 10.0, 7.0, 16.0];
        assert_eq!(said(&A, &noisy, LowerIsBetter), Verdict::Inconclusive);
    }

    #[test]
    fn from_nothing_any_difference_counts_and_none_is_equivalent() {
        let zeros = [0.0; 5];
        let failures = [0.001, 0.0011, 0.0009, 0.001, 0.001];
        let lower = Direction::LowerIsBetter;
        assert_eq!(said(&zeros, &zeros, lower), Verdict::Equivalent);
        assert_eq!(said(&zeros, &failures, lower), Verdict::Worse);
        assert_eq!(said(&failures, &zeros, lower), Verdict::Better);
    }

    #[test]
    fn figures_without_runs_or_samples_say_why() {
        let judge = Judge {
            min_effect: 0.05,
            design: Design::Apart,
            seed: 1,
        };
        let mut none = sides(&A, &A, Direction::LowerIsBetter);
        none.b = Err("too few samples".to_owned());
        let one = sides(&A[..1], &A[..1], Direction::LowerIsBetter);
        let samples: Vec<u64> = (0..100).collect();
        let mut random = Random::new(1);
        let unit = Unit::quantile(&samples, 0.5, None, &mut random).unwrap();
        let few = Sides {
            a: Ok(vec![unit.clone(); 3]),
            b: Ok(vec![unit; 3]),
            needed: 1_000.0,
            ..none.clone()
        };
        let found = judge.judge(vec![none, one, few]);
        let reasons: Vec<_> = found.iter().map(|f| f.reason.as_deref().unwrap()).collect();
        assert_eq!(reasons[0], "B: too few samples");
        assert!(reasons[1].contains("one run a side"), "{reasons:?}");
        assert_eq!(reasons[2], "A has too few independent samples");
        assert!(found.iter().all(|f| f.verdict == Verdict::Inconclusive));
    }

    #[test]
    fn more_figures_at_once_make_each_less_sure() {
        let judge = Judge {
            min_effect: 0.05,
            design: Design::Apart,
            seed: 1,
        };
        let one = || sides(&A, &times(1.1), Direction::LowerIsBetter);
        let width = |k: usize| {
            let found = judge.judge((0..k).map(|_| one()).collect());
            found[0].high.unwrap() - found[0].low.unwrap()
        };
        assert!(width(20) > 1.3 * width(1));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// Exchanging the sides exchanges better and worse, whatever the values.
        #[test]
        fn verdicts_turn_round_with_the_sides(
            pairs in prop::collection::vec((0.9..1.1_f64, 0.9..1.1_f64), 2..9),
            factor in 0.8..1.25_f64,
        ) {
            let a: Vec<f64> = pairs.iter().map(|(a, _)| *a).collect();
            let b: Vec<f64> = pairs.iter().map(|(_, b)| b * factor).collect();
            let judge = Judge { min_effect: 0.05, design: Design::Paired, seed: 1 };
            let said = |a: &[f64], b: &[f64]| {
                judge.judge(vec![sides(a, b, Direction::LowerIsBetter)])[0].verdict
            };
            let turned = match said(&a, &b) {
                Verdict::Worse => Verdict::Better,
                Verdict::Better => Verdict::Worse,
                same => same,
            };
            prop_assert_eq!(said(&b, &a), turned);
        }
    }
}
