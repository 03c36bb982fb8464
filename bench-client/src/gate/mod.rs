//! Limits on the figures of a run, and whether they were kept.
//!
//! A figure that cannot be read, and any figure of a run that was cut short, is neither kept nor
//! broken: a gate that passes what nobody measured is none.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::results::summary::RunSummary;
use crate::tally::statistic::{Reading, Statistic, Unit};
use crate::tally::stats::RunStats;

/// A figure and the limit that it has to keep.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// The figure.
    pub statistic: Statistic,
    /// The limit, which is still kept when the figure is equal to it.
    pub limit: Limit,
}

/// A limit in the figure's unit, times in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// No more than this.
    Max(f64),
    /// No less than this.
    Min(f64),
}

/// What became of one rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The limit was kept.
    Pass,
    /// It was not.
    Fail,
    /// The run has too few samples to say.
    TooFew,
    /// The run has nothing that the figure could be read from.
    NoReading,
}

/// A rule with its reading.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// The rule.
    pub rule: Rule,
    /// The figure, where the run has it.
    pub reading: Option<f64>,
    /// Whether it kept the limit.
    pub verdict: Verdict,
}

/// What became of all rules together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every limit was kept by a run that was finished.
    Pass,
    /// A limit was broken by a run that was finished.
    Fail,
    /// The run was cut short or, where that counts, measured its client; or a figure cannot be read and
    /// no other one broke its limit.
    Invalid,
    /// The server gave wrong answers, and how fast it gave them does not matter.
    Wrong,
}

impl Rule {
    /// Holds it against a run.
    #[must_use]
    pub fn check(self, stats: &RunStats) -> Checked {
        let (reading, verdict) = match self.statistic.reading(stats) {
            Reading::Value(value) if self.limit.is_kept(value) => (Some(value), Verdict::Pass),
            Reading::Value(value) => (Some(value), Verdict::Fail),
            Reading::TooFew => (None, Verdict::TooFew),
            Reading::None => (None, Verdict::NoReading),
        };
        Checked {
            rule: self,
            reading,
            verdict,
        }
    }
}

impl Limit {
    fn is_kept(self, value: f64) -> bool {
        match self {
            Self::Max(most) => value <= most,
            Self::Min(least) => value >= least,
        }
    }

    /// The limit itself.
    #[must_use]
    pub fn value(self) -> f64 {
        match self {
            Self::Max(value) | Self::Min(value) => value,
        }
    }
}

/// What `checked` rules say together about the run that `summary` is of. With `strict`, a run that
/// measured its client rather than the server says nothing either.
#[must_use]
pub fn outcome(summary: &RunSummary, checked: &[Checked], strict: bool) -> Outcome {
    let any = |verdict| checked.iter().any(|checked| checked.verdict == verdict);
    let doubtful = summary.validity.as_ref().is_some_and(|it| !it.valid);
    if wrong(summary) > 0 {
        Outcome::Wrong
    } else if summary.interrupted || strict && doubtful {
        Outcome::Invalid
    } else if any(Verdict::Fail) {
        Outcome::Fail
    } else if any(Verdict::TooFew) || any(Verdict::NoReading) {
        Outcome::Invalid
    } else {
        Outcome::Pass
    }
}

/// Replies of a run that were wrong, as far as it knew what is right.
#[must_use]
pub fn wrong(summary: &RunSummary) -> u64 {
    summary.answers.as_ref().map_or(0, |answers| answers.wrong)
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.limit {
            Limit::Max(_) => "≤",
            Limit::Min(_) => "≥",
        };
        let (limit, unit) = (self.limit.value(), unit(&self.statistic));
        write!(f, "{} {sign} {limit}{unit}", self.statistic)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "pass",
            Self::Fail => "FAIL",
            Self::TooFew => "too few samples to say",
            Self::NoReading => "nothing to read it from",
        })
    }
}

/// A value with its unit, with digits enough to tell it from a limit that it just misses.
#[must_use]
pub fn in_unit(statistic: &Statistic, value: f64) -> String {
    let unit = unit(statistic);
    if value.fract() == 0.0 {
        return format!("{value}{unit}");
    }
    match statistic.unit() {
        Unit::Share => format!("{value:.6}"),
        _ => format!("{value:.3}{unit}"),
    }
}

fn unit(statistic: &Statistic) -> &'static str {
    match statistic.unit() {
        Unit::Count | Unit::Share => "",
        Unit::PerSecond => "/s",
        Unit::PerMinute => "/min",
        Unit::Milliseconds => " ms",
        Unit::Bytes => " B",
    }
}

/// A figure and a number, such as `p99=20`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bound {
    /// The figure.
    pub statistic: Statistic,
    /// The number in its unit.
    pub value: f64,
}

impl FromStr for Bound {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or_else(|| {
            format!("`{text}`: expected a statistic and its limit, such as p99=20")
        })?;
        let statistic: Statistic = name.trim().parse().map_err(|error| format!("{error}"))?;
        let number: Option<f64> = value.trim().parse().ok();
        let number = number.filter(|value| value.is_finite());
        let value = number.ok_or_else(|| {
            let unit = match statistic.unit() {
                Unit::Milliseconds => "milliseconds without a unit, such as 20",
                Unit::Share => "a share, such as 0.01",
                Unit::PerSecond | Unit::PerMinute | Unit::Count | Unit::Bytes => "a number",
            };
            format!("`{value}`: expected {unit}")
        })?;
        Ok(Self { statistic, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::config::Bound as RunBound;
    use crate::results::fixture;
    use crate::results::summary::{Answers, Validity};
    use crate::tally::tests::sample_stats;

    fn max(bound: &str) -> Rule {
        let Bound { statistic, value } = bound.parse().unwrap();
        Rule {
            statistic,
            limit: Limit::Max(value),
        }
    }

    fn said(stats: &RunStats, rules: &[Rule], interrupted: bool) -> Outcome {
        let config = fixture::config(RunBound::Requests { n: stats.requests });
        let summary = RunSummary {
            interrupted,
            ..fixture::summary(&config, stats)
        };
        let checked: Vec<_> = rules.iter().map(|rule| rule.check(stats)).collect();
        outcome(&summary, &checked, false)
    }

    #[test]
    fn doubtful_runs_pass_only_if_nobody_minds_and_wrong_answers_never_do() {
        let stats = sample_stats(20);
        let config = fixture::config(RunBound::Requests { n: 20 });
        let summary = RunSummary {
            validity: Some(Validity::of(vec!["it was late".to_owned()])),
            ..fixture::summary(&config, &stats)
        };
        let checked = [max("requests=20").check(&stats)];
        assert_eq!(outcome(&summary, &checked, false), Outcome::Pass);
        assert_eq!(outcome(&summary, &checked, true), Outcome::Invalid);
        let wrong = RunSummary {
            answers: Some(Answers {
                wrong: 1,
                ..Answers::default()
            }),
            ..summary
        };
        assert_eq!(outcome(&wrong, &checked, true), Outcome::Wrong);
    }

    #[test]
    fn a_limit_is_kept_up_to_its_very_value() {
        let stats = sample_stats(20_000);
        let p95: Statistic = "p95".parse().unwrap();
        let value = p95.read(&stats).unwrap();
        let verdict = |limit| {
            let statistic = p95;
            Rule { statistic, limit }.check(&stats).verdict
        };
        assert_eq!(verdict(Limit::Max(value)), Verdict::Pass);
        assert_eq!(verdict(Limit::Max(value.next_down())), Verdict::Fail);
        assert_eq!(verdict(Limit::Min(value)), Verdict::Pass);
        assert_eq!(verdict(Limit::Min(value.next_up())), Verdict::Fail);
    }

    #[test]
    fn what_cannot_be_read_is_no_pass() {
        let few = sample_stats(20);
        assert_eq!(max("p99=1e12").check(&few).verdict, Verdict::TooFew);
        assert_eq!(said(&few, &[max("p99=1e12")], false), Outcome::Invalid);
        let none = sample_stats(0);
        assert_eq!(max("error_rate=1").check(&none).verdict, Verdict::NoReading);
        assert_eq!(said(&none, &[max("error_rate=1")], false), Outcome::Invalid);
    }

    #[test]
    fn a_broken_limit_outweighs_a_missing_figure_and_an_interruption_outweighs_all() {
        let few = sample_stats(20);
        let rules = [max("p99=1e12"), max("requests=19")];
        assert_eq!(said(&few, &rules, false), Outcome::Fail);
        assert_eq!(said(&few, &rules, true), Outcome::Invalid);
        assert_eq!(said(&few, &[max("requests=20")], false), Outcome::Pass);
        assert_eq!(said(&few, &[max("requests=20")], true), Outcome::Invalid);
    }

    #[test]
    fn wrong_rules_say_what_was_expected() {
        for (text, wanted) in [
            ("p99", "such as p99=20"),
            ("p99=20ms", "milliseconds without a unit"),
            ("error_rate=1%", "a share, such as 0.01"),
            ("p99=nan", "expected"),
            ("p98=1", "p98"),
        ] {
            let error = text.parse::<Bound>().unwrap_err();
            assert!(error.contains(wanted), "{text}: {error}");
        }
        assert_eq!(max("first.p99.9=20").to_string(), "first.p99.9 ≤ 20 ms");
        assert_eq!(max("error_rate=0.01").to_string(), "error_rate ≤ 0.01");
    }

    /// Of any two limits, the looser one keeps what the other does.
    #[test]
    fn looser_limits_keep_what_passes() {
        let stats = sample_stats(1_000);
        let statistic: Statistic = "p95".parse().unwrap();
        let value = statistic.read(&stats).unwrap();
        let passes = |limit| Rule { statistic, limit }.check(&stats).verdict == Verdict::Pass;
        let limits: Vec<f64> = (0..400).map(|i| value * f64::from(i) / 200.0).collect();
        for pair in limits.windows(2) {
            assert!(!passes(Limit::Max(pair[0])) || passes(Limit::Max(pair[1])));
            assert!(!passes(Limit::Min(pair[1])) || passes(Limit::Min(pair[0])));
        }
        assert!(passes(Limit::Max(limits[399])) && passes(Limit::Min(limits[0])));
        assert!(!passes(Limit::Max(limits[0])) && !passes(Limit::Min(limits[399])));
    }
}
