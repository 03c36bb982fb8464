//! `compare.json`: a comparison as others read it.

use serde::Serialize;

use super::{Design, Different, FORMAT_VERSION, Finding, Judge, Verdict};

/// What all figures together say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Some figure of B is worse.
    Worse,
    /// None is, as far as the runs can tell.
    NotWorse,
    /// A run was cut short, or no figure could be compared.
    Invalid,
}

/// The content of `compare.json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
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
}

impl Comparison {
    /// Puts findings and what they rest on together.
    #[must_use]
    pub fn new(judge: &Judge, basis: Basis, findings: Vec<Finding>) -> Self {
        let any = |verdict| findings.iter().any(|found| found.verdict == verdict);
        let compared = findings.iter().any(|found| found.reason.is_none());
        let outcome = if basis.interrupted || !compared {
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
