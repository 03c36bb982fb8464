//! What a scenario found, and whether that is what its rule asks for.

use std::fmt::{self, Display, Write};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::stats::Sorted;

/// Whether a rule holds.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It holds.
    Pass,
    /// Nothing can be said: the server, or this machine, lacks what the scenario needs.
    NotMeasurable,
    /// It does not hold.
    Fail,
}

/// A number that was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Figure {
    /// What it is.
    pub name: String,
    /// Its value; none where there was nothing to measure.
    pub value: Option<f64>,
    /// Its unit, empty for a count.
    pub unit: String,
}

/// One rule held against what was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// What has to hold.
    pub rule: String,
    /// What was found.
    pub reading: String,
    /// Whether it holds.
    pub verdict: Verdict,
    /// Whether it is about time: a machine that others keep busy may break it, whatever the server does.
    #[serde(default)]
    pub timed: bool,
}

/// What a scenario found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Outcome {
    /// Numbers, in the order in which they are told.
    pub figures: Vec<Figure>,
    /// Rules, in the order in which they are told.
    pub checks: Vec<Check>,
    /// What the scenario leaves out, in words.
    pub notes: Vec<String>,
}

impl Outcome {
    /// Adds a number.
    pub fn figure(&mut self, name: impl Into<String>, value: impl Into<Option<f64>>, unit: &str) {
        self.figures.push(Figure {
            name: name.into(),
            value: value.into(),
            unit: unit.to_owned(),
        });
    }

    /// Adds a count.
    pub fn count(&mut self, name: impl Into<String>, n: usize) {
        self.figure(name, n as f64, "");
    }

    /// Adds the extremes, the median and, of enough of them, the 99th percentile of durations.
    pub fn latencies(&mut self, name: &str, sample: &Sorted) {
        for (which, value) in [
            ("min", sample.min()),
            ("p50", sample.quantile(0.5)),
            ("max", sample.max()),
        ] {
            self.figure(format!("{name} {which}"), value, "ms");
        }
        if sample.values().len() >= P99_NEEDS {
            self.figure(format!("{name} p99"), sample.quantile(0.99), "ms");
        }
    }

    /// Holds a rule against what was found.
    pub fn check(&mut self, rule: impl Into<String>, reading: impl Display, holds: bool) {
        let verdict = if holds { Verdict::Pass } else { Verdict::Fail };
        self.checks.push(Check {
            rule: rule.into(),
            reading: reading.to_string(),
            verdict,
            timed: false,
        });
    }

    /// As [`check`](Self::check), of a rule about time.
    pub fn timed(&mut self, rule: impl Into<String>, reading: impl Display, holds: bool) {
        self.check(rule, reading, holds);
        if let Some(check) = self.checks.last_mut() {
            check.timed = true;
        }
    }

    /// Says of every rule about time that does not hold that nothing can be said, and why.
    pub fn excuse_timed(&mut self, why: &str) {
        let timed = self.checks.iter_mut().filter(|check| check.timed);
        for check in timed.filter(|check| check.verdict == Verdict::Fail) {
            check.verdict = Verdict::NotMeasurable;
            check.reading = format!("{}, but {why}", check.reading);
        }
    }

    /// Says of a rule that nothing can be said, and why.
    pub fn not_measurable(&mut self, rule: impl Into<String>, why: impl Display) {
        self.checks.push(Check {
            rule: rule.into(),
            reading: why.to_string(),
            verdict: Verdict::NotMeasurable,
            timed: false,
        });
    }

    /// Adds a sentence about what is left out.
    pub fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// Fails if one rule does not hold; is not measurable if nothing can be said of one, or if there
    /// is none.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let worst = self.checks.iter().map(|check| check.verdict).max();
        worst.unwrap_or(Verdict::NotMeasurable)
    }
}

/// Durations that a 99th percentile needs.
const P99_NEEDS: usize = 482;

/// Holds "p99 at most `most_ms`" against durations. Of too few for a p99 their maximum has to be within
/// it, which is more than was asked for; of none at all nothing can be said.
pub(super) fn p99_within(outcome: &mut Outcome, rule: &str, sample: &Sorted, most_ms: f64) {
    let n = sample.values().len();
    let (what, value) = if n >= P99_NEEDS {
        ("p99", sample.quantile(0.99))
    } else {
        ("maximum (too few for a p99)", sample.max())
    };
    match value {
        Some(ms) => outcome.timed(
            rule,
            format_args!("{what} of {n}: {ms:.2} ms"),
            ms <= most_ms,
        ),
        None => outcome.not_measurable(rule, "there was none"),
    }
}

impl Verdict {
    /// In words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "FAIL",
            Self::NotMeasurable => "not measurable",
        }
    }
}

impl Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.words())
    }
}

/// Figures, notes and checks as lines.
impl Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Figure { name, value, unit } in &self.figures {
            let value = value.map_or_else(|| "—".to_owned(), number);
            writeln!(f, "  {name:<40} {value:>12} {unit}")?;
        }
        for note in &self.notes {
            writeln!(f, "  note: {note}")?;
        }
        for check in &self.checks {
            let mut line = String::new();
            write!(line, "  {:<14}  {}", check.verdict, check.rule)?;
            writeln!(f, "{line}: {}", check.reading)?;
        }
        Ok(())
    }
}

fn number(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        format!("{value}")
    } else {
        format!("{value:.3}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_check_decides() {
        let mut outcome = Outcome::default();
        assert_eq!(
            outcome.verdict(),
            Verdict::NotMeasurable,
            "never a silent pass"
        );
        outcome.check("a", 1, true);
        assert_eq!(outcome.verdict(), Verdict::Pass);
        outcome.not_measurable("b", "no pid");
        assert_eq!(outcome.verdict(), Verdict::NotMeasurable);
        outcome.check("c", 2, false);
        assert_eq!(outcome.verdict(), Verdict::Fail);
        let text = outcome.to_string();
        assert!(text.contains("FAIL            c: 2"), "{text}");
    }

    #[test]
    fn a_p99_of_too_few_is_their_maximum() {
        let verdict = |values: Vec<f64>| {
            let mut outcome = Outcome::default();
            p99_within(&mut outcome, "p99 ≤ 10 ms", &Sorted::new(values), 10.0);
            outcome.verdict()
        };
        let mut values = vec![1.0; 600];
        values[0] = 50.0;
        assert_eq!(verdict(values.clone()), Verdict::Pass);
        assert_eq!(verdict(values[..100].to_vec()), Verdict::Fail);
        assert_eq!(verdict(vec![50.0; 600]), Verdict::Fail);
        assert_eq!(verdict(Vec::new()), Verdict::NotMeasurable);
    }
}
