//! `tidemark-bench gate`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{ArgGroup, Args};
use serde_json::{Value, json};

use super::show::Format;
use super::{CommandError, EXIT_INVALID, EXIT_WRONG};
use crate::console;
use crate::gate::{Bound, Checked, Limit, Outcome, Rule, in_unit, outcome, wrong};
use crate::results::filter::Filter;
use crate::results::load::{self, Loaded};
use crate::results::summary::RunSummary;
use crate::results::text::Table;
use crate::tally::statistic::Statistic;

pub(super) const HELP: &str = "\
Examples:
  tidemark-bench gate results/run_20261125_120000 --p95-ms 800
  tidemark-bench gate results/run --max p99=20 --max error_rate=0.01 --min completed_rps=1000
  tidemark-bench gate results/sweep/* --max predict.p95=50 --format json

Statistics are those of `show`; times are in milliseconds, shares from 0 to 1. Figures are computed again from
responses.jsonl. A rule whose figure has too few samples is not kept, and nor is any rule by a run that was cut short.

Exit codes: 0 every rule is kept by every run, 1 a rule is broken, 2 usage, 3 measurement invalid: a run was cut short, a
figure cannot be read and no rule is broken, or, with --strict, a run measured its own client, 4 wrong answers.";

/// Flags of `tidemark-bench gate`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("rules").args(["p50_ms", "p95_ms", "p99_ms", "max", "min"]).multiple(true).required(true))]
pub struct GateArgs {
    /// Folders of runs, each of which has to keep every rule
    #[arg(required = true, value_name = "DIR")]
    dirs: Vec<PathBuf>,

    /// Median latency of 2xx replies at most, in milliseconds
    #[arg(long, value_name = "MS", value_parser = milliseconds)]
    p50_ms: Option<f64>,

    /// 95th percentile at most, in milliseconds
    #[arg(long, value_name = "MS", value_parser = milliseconds)]
    p95_ms: Option<f64>,

    /// 99th percentile at most, in milliseconds
    #[arg(long, value_name = "MS", value_parser = milliseconds)]
    p99_ms: Option<f64>,

    /// Any statistic at most, such as --max first.p99=20; may be repeated
    #[arg(long, value_name = "STATISTIC=VALUE")]
    max: Vec<Bound>,

    /// Any statistic at least, such as --min completed_rps=1000; may be repeated
    #[arg(long, value_name = "STATISTIC=VALUE")]
    min: Vec<Bound>,

    /// Exit with 3 if the client did not keep up, so that a run measured itself rather than the server
    #[arg(long)]
    strict: bool,

    /// What to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: GateArgs) -> Result<ExitCode, CommandError> {
    let rules = args.rules()?;
    let mut gated = Vec::with_capacity(args.dirs.len());
    for dir in &args.dirs {
        gated.push(Gated::new(dir, &rules, args.strict)?);
    }
    console::out(match args.format {
        Format::Json => format!("{:#}", gated.iter().map(Gated::json).collect::<Value>()),
        Format::Text => {
            let texts: Vec<_> = gated.iter().map(Gated::text).collect();
            texts.join("\n\n")
        }
    });
    Ok(exit_code(gated.iter().map(|gated| gated.outcome)))
}

/// A broken rule is a fact whatever else could not be read.
fn exit_code(outcomes: impl Iterator<Item = Outcome>) -> ExitCode {
    let outcomes: Vec<_> = outcomes.collect();
    if outcomes.contains(&Outcome::Wrong) {
        ExitCode::from(EXIT_WRONG)
    } else if outcomes.contains(&Outcome::Fail) {
        ExitCode::FAILURE
    } else if outcomes.contains(&Outcome::Invalid) {
        ExitCode::from(EXIT_INVALID)
    } else {
        ExitCode::SUCCESS
    }
}

struct Gated<'a> {
    dir: &'a Path,
    loaded: Loaded,
    checked: Vec<Checked>,
    outcome: Outcome,
}

impl<'a> Gated<'a> {
    fn new(dir: &'a Path, rules: &[Rule], strict: bool) -> Result<Self, CommandError> {
        let mut loaded = load::open(dir, &Filter::default())?;
        loaded.notes.extend(doubts(&loaded.run.summary));
        let checked: Vec<_> = rules
            .iter()
            .map(|rule| rule.check(&loaded.run.stats))
            .collect();
        let outcome = outcome(&loaded.run.summary, &checked, strict);
        Ok(Self {
            dir,
            loaded,
            checked,
            outcome,
        })
    }

    fn text(&self) -> String {
        let mut table = Table::left(2);
        for checked in &self.checked {
            table.row(vec![
                checked.rule.to_string(),
                reading(checked),
                checked.verdict.to_string(),
            ]);
        }
        let notes = self.loaded.notes.iter();
        let notes: String = notes.map(|note| format!("note: {note}\n")).collect();
        let gate = match self.outcome {
            Outcome::Pass => "passed",
            Outcome::Fail => "FAILED",
            Outcome::Wrong => "FAILED: the server gave wrong answers",
            Outcome::Invalid if self.loaded.run.summary.interrupted => {
                "measurement invalid: the run was cut short"
            }
            Outcome::Invalid if self.checked.iter().all(|it| it.reading.is_some()) => {
                "measurement invalid: the client did not keep up"
            }
            Outcome::Invalid => "measurement invalid: not every rule can be decided",
        };
        let dir = self.dir.display();
        format!("{dir}\n{notes}{table}\ngate: {gate}")
    }

    fn json(&self) -> Value {
        let rules = self.checked.iter().map(|checked| {
            let (kind, limit) = match checked.rule.limit {
                Limit::Max(limit) => ("max", limit),
                Limit::Min(limit) => ("min", limit),
            };
            json!({
                "statistic": checked.rule.statistic.to_string(),
                kind: limit,
                "reading": checked.reading,
                "verdict": checked.verdict,
            })
        });
        json!({
            "dir": self.dir.display().to_string(),
            "interrupted": self.loaded.run.summary.interrupted,
            "notes": self.loaded.notes,
            "rules": rules.collect::<Value>(),
            "gate": self.outcome,
        })
    }
}

/// What is to be said against a run.
fn doubts(summary: &RunSummary) -> Vec<String> {
    let validity = summary.validity.iter();
    let mut doubts: Vec<_> = validity.flat_map(|it| it.reasons.clone()).collect();
    match wrong(summary) {
        0 => {}
        wrong => doubts.push(format!("{wrong} replies were wrong")),
    }
    doubts
}

fn reading(checked: &Checked) -> String {
    match checked.reading {
        Some(value) => in_unit(&checked.rule.statistic, value),
        None => "—".to_owned(),
    }
}

impl GateArgs {
    fn rules(&self) -> Result<Vec<Rule>, clap::Error> {
        let named = [
            ("p50", self.p50_ms),
            ("p95", self.p95_ms),
            ("p99", self.p99_ms),
        ];
        let mut rules = Vec::new();
        for (name, most) in named {
            let Some(most) = most else { continue };
            // They are in the list of names, which a test of theirs holds.
            let statistic: Statistic = name.parse().map_err(super::args::usage)?;
            let limit = Limit::Max(most);
            rules.push(Rule { statistic, limit });
        }
        let rule = |bound: &Bound, limit: fn(f64) -> Limit| Rule {
            statistic: bound.statistic,
            limit: limit(bound.value),
        };
        rules.extend(self.max.iter().map(|bound| rule(bound, Limit::Max)));
        rules.extend(self.min.iter().map(|bound| rule(bound, Limit::Min)));
        Ok(rules)
    }
}

/// A limit in milliseconds, above zero.
pub(super) fn milliseconds(text: &str) -> Result<f64, String> {
    let ms: Option<f64> = text.parse().ok();
    ms.filter(|ms| *ms > 0.0 && ms.is_finite())
        .ok_or_else(|| "expected milliseconds without a unit, above 0, such as 800".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn rules(flags: &[&str]) -> Result<Vec<String>, clap::Error> {
        let line = ["tidemark-bench", "gate"].iter().chain(flags);
        let Command::Gate(args) = Cli::try_parse_from(line)?.command else {
            panic!("another command");
        };
        Ok(args.rules()?.iter().map(Rule::to_string).collect())
    }

    #[test]
    fn flags_become_rules() {
        let all = rules(&[
            "a",
            "--p95-ms=800",
            "--max=error_rate=0.01",
            "--max=p99=20.5",
            "--min=completed_rps=1000",
        ]);
        let wanted = [
            "p95 ≤ 800 ms",
            "error_rate ≤ 0.01",
            "p99 ≤ 20.5 ms",
            "completed_rps ≥ 1000/s",
        ];
        assert_eq!(all.unwrap(), wanted);
    }

    #[test]
    fn a_gate_without_rules_or_runs_is_a_usage_error() {
        for flags in [
            &["a"][..],
            &["--p95-ms=800"],
            &["a", "--p95-ms=0"],
            &["a", "--max=p99"],
        ] {
            assert_eq!(rules(flags).expect_err("usage").exit_code(), 2, "{flags:?}");
        }
    }

    #[test]
    fn a_broken_rule_is_a_failure_whatever_another_run_could_not_tell() {
        let code = |outcomes: &[Outcome]| format!("{:?}", exit_code(outcomes.iter().copied()));
        let is = |code: u8| format!("{:?}", ExitCode::from(code));
        assert_eq!(code(&[Outcome::Pass, Outcome::Pass]), is(0));
        assert_eq!(code(&[Outcome::Invalid, Outcome::Fail]), is(1));
        assert_eq!(code(&[Outcome::Pass, Outcome::Invalid]), is(3));
        assert_eq!(code(&[Outcome::Fail, Outcome::Wrong]), is(4));
    }
}
