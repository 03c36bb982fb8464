//! `compare.json`: a comparison as others read it.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Design, Different, FORMAT_VERSION, Finding, Judge, Verdict};

/// What all figures together say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Some figure of B is worse.
    Worse,
    /// None is, as far as the runs can tell.
    NotWorse,
    /// A run was cut short, or no figure could be compared.
    Invalid,
    /// A server gave wrong answers, and how fast it gave them does not matter.
    WrongAnswers,
}

/// The content of `compare.json`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Comparison {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// Where A's runs are.
    pub a: Vec<String>,
    /// Where B's runs are.
    pub b: Vec<String>,
    /// Whether the n-th of both were measured beside each other.
    pub paired: bool,
    /// The least relative difference that mattered.
    pub min_effect: f64,
    /// How sure all intervals together are.
    pub confidence: f64,
    /// Decided which draws were made.
    pub seed: u64,
    /// What runs were not asked for alike.
    pub differences: Vec<Different>,
    /// What a reader has to know.
    pub warnings: Vec<String>,
    /// Whether a run was cut short.
    pub interrupted: bool,
    /// The figures.
    pub findings: Vec<Finding>,
    /// What they say together.
    pub outcome: Outcome,
}

/// What a comparison rests on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Basis {
    /// Where A's runs are.
    pub a: Vec<String>,
    /// Where B's runs are.
    pub b: Vec<String>,
    /// What they were not asked for alike.
    pub differences: Vec<Different>,
    /// What a reader has to know.
    pub warnings: Vec<String>,
    /// Whether a run was cut short.
    pub interrupted: bool,
    /// Replies that were wrong, in all runs that knew what is right.
    pub wrong: u64,
}

impl Comparison {
    /// Puts findings and what they rest on together.
    #[must_use]
    pub fn new(judge: &Judge, basis: Basis, findings: Vec<Finding>) -> Self {
        let any = |verdict| findings.iter().any(|found| found.verdict == verdict);
        let compared = findings.iter().any(|found| found.reason.is_none());
        let outcome = if basis.wrong > 0 {
            Outcome::WrongAnswers
        } else if basis.interrupted || !compared {
            Outcome::Invalid
        } else if any(Verdict::Worse) {
            Outcome::Worse
        } else {
            Outcome::NotWorse
        };
        let mut warnings = basis.warnings;
        if basis.a.len() == 1 || basis.b.len() == 1 {
            let one = "a side has one run only: what varies between runs is not in the intervals, \
                       and the verdicts hold for these runs alone";
            warnings.push(one.to_owned());
        }
        Self {
            format_version: FORMAT_VERSION,
            a: basis.a,
            b: basis.b,
            paired: judge.design == Design::Paired,
            min_effect: judge.min_effect,
            confidence: 1.0 - super::ALPHA,
            seed: judge.seed,
            differences: basis.differences,
            warnings,
            interrupted: basis.interrupted,
            findings,
            outcome,
        }
    }

    /// The whole of it for a terminal, several lines without a last line end.
    #[must_use]
    pub fn render(&self) -> String {
        let mut lines = vec![super::render(&self.findings)];
        for different in &self.differences {
            let value = |value: &Option<serde_json::Value>| {
                value.as_ref().map_or("—".to_owned(), ToString::to_string)
            };
            let (a, b) = (value(&different.a), value(&different.b));
            lines.push(format!("differs: {}: {a} and {b}", different.setting));
        }
        lines.extend(
            self.warnings
                .iter()
                .map(|warning| format!("warning: {warning}")),
        );
        let effect = super::percent(self.min_effect);
        lines.push(format!(
            "minimum effect {}, intervals of {:.0} % together, seed {}",
            effect.trim_start_matches('+'),
            self.confidence * 100.0,
            self.seed
        ));
        lines.push(match self.outcome {
            Outcome::Worse => "compare: B is WORSE than A".to_owned(),
            Outcome::NotWorse => "compare: B is not shown to be worse than A".to_owned(),
            Outcome::WrongAnswers => "compare: a server gave wrong answers".to_owned(),
            Outcome::Invalid if self.interrupted => {
                "compare: measurement invalid: a run was cut short".to_owned()
            }
            Outcome::Invalid => {
                "compare: measurement invalid: nothing could be compared".to_owned()
            }
        });
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::Samples;

    fn outcome(verdicts: &[Verdict], interrupted: bool, wrong: u64) -> Outcome {
        let judge = Judge {
            min_effect: 0.05,
            design: Design::Apart,
            seed: 0,
        };
        let finding = |verdict: &Verdict| Finding {
            name: "p50".to_owned(),
            unit: "ms",
            a: None,
            b: None,
            relative: None,
            low: None,
            high: None,
            samples_a: Samples::default(),
            samples_b: Samples::default(),
            verdict: *verdict,
            reason: None,
        };
        let basis = Basis {
            interrupted,
            wrong,
            ..Basis::default()
        };
        let findings = verdicts.iter().map(finding).collect();
        Comparison::new(&judge, basis, findings).outcome
    }

    #[test]
    fn one_worse_figure_is_enough_unless_the_runs_say_nothing() {
        use Verdict::{Better, Equivalent, Inconclusive, Worse};
        assert_eq!(
            outcome(&[Better, Worse, Equivalent], false, 0),
            Outcome::Worse
        );
        assert_eq!(
            outcome(&[Better, Inconclusive], false, 0),
            Outcome::NotWorse
        );
        assert_eq!(outcome(&[Worse], true, 0), Outcome::Invalid);
        assert_eq!(outcome(&[], false, 0), Outcome::Invalid);
        assert_eq!(outcome(&[Better], false, 1), Outcome::WrongAnswers);
    }
}
