//! `tidemark-bench compare`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Arg, ArgGroup, Args};

use super::args::{bounded, usage};
use super::pace_args::PaceArgs;
use super::run::{BoundArgs, CommonArgs, listening};
use super::runs::{Own, Runs};
use super::show::Format;
use super::workload_args::WorkloadArgs;
use super::{CommandError, EXIT_INVALID, EXIT_WRONG};
use crate::base_url::BaseUrl;
use crate::clock;
use crate::compare::file::{Basis, Comparison, Outcome};
use crate::compare::live::{self, Folders, Side};
use crate::compare::measured::{Measured, sides};
use crate::compare::{self, Design, Different, Judge, criterion, differences};
use crate::console;
use crate::interrupt::EXIT_INTERRUPTED;
use crate::report::{self, ReportError, atomic};
use crate::tally::statistic::Statistic;

pub(super) const HELP: &str = "\
Examples:
  tidemark-bench compare results/before results/after
  tidemark-bench compare --a before/1 before/2 before/3 --b after/1 after/2 after/3 --stat p50,p99 --min-effect 10%
  tidemark-bench compare --a-url http://127.0.0.1:8000 --b-url http://127.0.0.1:8001 --rounds 5 --rate 500/s --duration 10s
  tidemark-bench compare --criterion target/criterion --baseline main-1,main-2,main-3 --new new-1,new-2,new-3

Two servers are measured in turn, A-B-B-A a round, with the flags of `run`, each run in a folder of its own; the more
rounds, the narrower the intervals. Saved runs are taken as they are; with --paired the n-th of A belongs to the n-th of B.

A figure is worse or better if its whole interval is beyond the minimum effect, equivalent if it is within, else
inconclusive. All intervals together hold with 95 %: the same server is called worse in at most one comparison of twenty.
Responses are drawn again in blocks, because neighbours are not independent; (≈ N) is how many independent ones they are
worth. Of one run a side, what varies between runs is not known, and not in the intervals.

Exit codes: 0 nothing is worse, 1 something is, 2 usage, 3 measurement invalid: a run was cut short, or nothing could be
compared, 4 a server gave wrong answers (with --oracle), 130 interrupted.";

/// What is compared unless told otherwise.
const STATISTICS: [&str; 4] = ["p50", "p95", "p99", "completed_rps"];

/// Flags of `tidemark-bench compare`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").args(["pair", "a", "a_url", "criterion"]).required(true))]
#[command(mut_args = of_live_runs)]
pub struct CompareArgs {
    /// Folder of a run of A, and one of B
    #[arg(value_names = ["A", "B"], num_args = 2)]
    pair: Vec<PathBuf>,

    /// Folders of runs of A
    #[arg(long, value_name = "DIR", num_args = 1.., requires = "b")]
    a: Vec<PathBuf>,

    /// Folders of runs of B
    #[arg(long, value_name = "DIR", num_args = 1.., requires = "a")]
    b: Vec<PathBuf>,

    /// The n-th run or baseline of A was made beside the n-th of B, as runs of --a-url and --b-url are
    #[arg(long, conflicts_with_all = ["pair", "a_url"])]
    paired: bool,

    /// Compare runs whose load or workload differ all the same
    #[arg(long, conflicts_with_all = ["a_url", "criterion"])]
    unlike: bool,

    /// Server A, to be measured now
    #[arg(long, value_name = "URL", requires = "b_url")]
    a_url: Option<BaseUrl>,

    /// Server B
    #[arg(long, value_name = "URL", requires = "a_url")]
    b_url: Option<BaseUrl>,

    /// Rounds of A-B-B-A [default: 5]
    #[arg(long, value_name = "N", requires = "a_url", value_parser = bounded(200))]
    rounds: Option<u32>,

    /// Folder of criterion's measurements, such as target/criterion
    #[arg(long, value_name = "DIR", requires_all = ["baseline", "new"])]
    criterion: Option<PathBuf>,

    /// Names of saved baselines that are A
    #[arg(
        long,
        value_name = "NAME,…",
        value_delimiter = ',',
        requires = "criterion"
    )]
    baseline: Vec<String>,

    /// Names of saved baselines that are B
    #[arg(
        long,
        value_name = "NAME,…",
        value_delimiter = ',',
        requires = "criterion"
    )]
    new: Vec<String>,

    /// Figures to compare, those of `show` [default: p50,p95,p99,completed_rps]
    #[arg(
        long,
        value_name = "NAME,…",
        value_delimiter = ',',
        conflicts_with = "criterion"
    )]
    stat: Vec<Statistic>,

    /// Smallest difference that matters, such as 5% or 0.05
    #[arg(long, value_name = "SHARE", default_value = "5%", value_parser = effect)]
    min_effect: f64,

    /// What to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,

    /// Folder for compare.json, and for the runs of --a-url and --b-url, which have a default
    /// [default: results/compare_{run_id}]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    #[command(flatten)]
    workload: WorkloadArgs,

    #[command(flatten)]
    pace: PaceArgs,

    #[command(flatten)]
    bound: BoundArgs,

    #[command(flatten)]
    common: CommonArgs,
}

/// Flags that are not about live runs only; those of `run` are.
const OF_ALL: [&str; 17] = [
    "pair",
    "a",
    "b",
    "paired",
    "unlike",
    "a_url",
    "b_url",
    "rounds",
    "criterion",
    "baseline",
    "new",
    "stat",
    "min_effect",
    "format",
    "out",
    "seed",
    "help",
];

fn of_live_runs(arg: Arg) -> Arg {
    let id = arg.get_id().as_str();
    if id == "base_url" {
        // There are two of them here.
        return arg.hide(true).conflicts_with("what");
    }
    if OF_ALL.contains(&id) {
        arg
    } else {
        arg.requires("a_url")
    }
}

pub(super) fn run(args: CompareArgs) -> Result<ExitCode, CommandError> {
    let statistics = args.statistics()?;
    let judge = Judge {
        min_effect: args.min_effect,
        design: if args.paired {
            Design::Paired
        } else {
            Design::Apart
        },
        seed: args.common.seed.unwrap_or_default(),
    };
    let counts = match args.criterion {
        Some(_) => (args.baseline.len(), args.new.len()),
        None => (args.a.len(), args.b.len()),
    };
    if args.paired && counts.0 != counts.1 {
        return Err(usage(format!(
            "--paired needs as many of A ({}) as of B ({})",
            counts.0, counts.1
        ))
        .into());
    }
    let out = args.out.clone();
    let format = args.format;
    if let Some(dir) = &args.criterion {
        let (basis, sides) = criterion::read(dir, &args.baseline, &args.new)?;
        let comparison = Comparison::new(&judge, basis, judge.judge(sides));
        return finish(&comparison, format, out.as_deref());
    }
    if args.a_url.is_some() {
        return run_live(args, &statistics, judge);
    }
    let folders = match args.pair.as_slice() {
        [a, b] => Folders {
            a: vec![a.clone()],
            b: vec![b.clone()],
        },
        _ => Folders {
            a: args.a,
            b: args.b,
        },
    };
    let comparison = saved(&folders, &statistics, &judge, args.unlike)?;
    finish(&comparison, format, out.as_deref())
}

/// Compares runs in folders.
fn saved(
    folders: &Folders,
    statistics: &[Statistic],
    judge: &Judge,
    unlike: bool,
) -> Result<Comparison, CommandError> {
    let read = |dirs: &[PathBuf]| -> Result<Vec<Measured>, CommandError> {
        let runs = dirs
            .iter()
            .map(|dir| Measured::read(dir, statistics, judge.seed));
        Ok(runs.collect::<Result<_, _>>()?)
    };
    let (a, b) = (read(&folders.a)?, read(&folders.b)?);
    let basis = Basis {
        a: names(&folders.a),
        b: names(&folders.b),
        differences: all_differences(&a, &b),
        warnings: warnings(&a, &b),
        interrupted: a.iter().chain(&b).any(|run| run.interrupted),
        wrong: a.iter().chain(&b).map(|run| run.wrong).sum(),
    };
    let different: Vec<_> = basis.differences.iter().filter(|d| d.is_unlike()).collect();
    if !different.is_empty() && !unlike {
        let settings: Vec<_> = different.iter().map(|d| d.setting.as_str()).collect();
        return Err(usage(format!(
            "the runs were not asked for alike, so that their figures differ by more than their servers: {} \
             (--unlike compares them all the same)",
            settings.join(", ")
        ))
        .into());
    }
    let findings = judge.judge(sides(statistics, &a, &b));
    Ok(Comparison::new(judge, basis, findings))
}

fn names(dirs: &[PathBuf]) -> Vec<String> {
    dirs.iter().map(|dir| dir.display().to_string()).collect()
}

/// Of all runs against the first of A, each setting once.
fn all_differences(a: &[Measured], b: &[Measured]) -> Vec<Different> {
    let Some(first) = a.first() else {
        return Vec::new();
    };
    let mut all: Vec<Different> = Vec::new();
    for run in a.iter().chain(b) {
        for different in differences(&first.config, &run.config) {
            if all.iter().all(|known| known.setting != different.setting) {
                all.push(different);
            }
        }
    }
    all
}

fn warnings(a: &[Measured], b: &[Measured]) -> Vec<String> {
    let mut warnings = Vec::new();
    for run in a.iter().chain(b) {
        let dir = run.dir.display();
        warnings.extend(run.notes.iter().map(|note| format!("{dir}: {note}")));
        if run.wrong > 0 {
            warnings.push(format!("{dir}: {} replies were wrong", run.wrong));
        }
        if let Some(rate) = run.stats.error_rate().filter(|rate| *rate > 0.0) {
            let share = crate::results::text::share(rate);
            warnings.push(format!(
                "{dir}: {share} of its requests failed, and latencies are of 2xx replies only"
            ));
        }
    }
    warnings
}

/// Measures two servers in turn, then compares the runs.
fn run_live(
    args: CompareArgs,
    statistics: &[Statistic],
    judge: Judge,
) -> Result<ExitCode, CommandError> {
    let (Some(a), Some(b)) = (args.a_url, args.b_url) else {
        return Err(usage("--a-url and --b-url are both needed").into());
    };
    let run_id = clock::unique_run_id();
    let out = args
        .out
        .unwrap_or_else(|| PathBuf::from(format!("results/compare_{run_id}")));
    let (workload, pace) = (args.workload.into_spec()?, args.pace.into_pace()?);
    let cost = args.common.cost.model();
    let base = args
        .common
        .settings(workload, pace, args.bound.bound(), run_id, out.clone());
    let judge = Judge {
        design: Design::Paired,
        seed: base.seed,
        ..judge
    };
    report::prepare(&out)?;
    let (runtime, stop) = listening()?;
    let mut runs = Runs {
        base,
        cost,
        runtime,
        stop,
    };
    let plan = live::plan(args.rounds.unwrap_or(5));
    for step in &plan {
        let (url, side) = match step.side {
            Side::A => (&a, "A"),
            Side::B => (&b, "B"),
        };
        runs.base.base_url.clone_from(url);
        let own = Own {
            name: format!("compare: {side}, round {}", step.round),
            folder: &step.folder,
            workload: &runs.base.workload,
            load: &runs.base.load,
        };
        let data = runs.run(own, &out.join(&step.folder))?;
        if data.summary.interrupted {
            console::note(format_args!(
                "interrupted; the runs so far are in {}",
                out.display()
            ));
            return Ok(ExitCode::from(EXIT_INTERRUPTED));
        }
    }
    let comparison = saved(&Folders::of(&plan, &out), statistics, &judge, false)?;
    finish(&comparison, args.format, Some(&out))
}

fn finish(
    comparison: &Comparison,
    format: Format,
    out: Option<&Path>,
) -> Result<ExitCode, CommandError> {
    // Plain data, which JSON can always hold.
    let json = serde_json::to_string_pretty(comparison).unwrap_or_default();
    if let Some(out) = out {
        report::prepare(out)?;
        let path = out.join(compare::FILE);
        let content = format!("{json}\n");
        atomic::write(&path, content.as_bytes()).map_err(ReportError::at(&path))?;
    }
    console::out(match format {
        Format::Json => json,
        Format::Text => comparison.render(),
    });
    Ok(match comparison.outcome {
        Outcome::Worse => ExitCode::FAILURE,
        Outcome::NotWorse => ExitCode::SUCCESS,
        Outcome::Invalid => ExitCode::from(EXIT_INVALID),
        Outcome::WrongAnswers => ExitCode::from(EXIT_WRONG),
    })
}

impl CompareArgs {
    fn statistics(&self) -> Result<Vec<Statistic>, clap::Error> {
        if !self.stat.is_empty() {
            return Ok(self.stat.clone());
        }
        let default = STATISTICS.iter().map(|name| name.parse());
        default.collect::<Result<_, _>>().map_err(usage)
    }
}

/// `5%` or `0.05`.
fn effect(text: &str) -> Result<f64, String> {
    let (number, unit) = match text.strip_suffix('%') {
        Some(percent) => (percent, 100.0),
        None => (text, 1.0),
    };
    let share: Option<f64> = number.trim().parse().ok().map(|number: f64| number / unit);
    share
        .filter(|share| (1e-6..=1.0).contains(share))
        .ok_or_else(|| "expected a share above 0 and at most 1, such as 5% or 0.05".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn parse(flags: &str) -> Result<CompareArgs, clap::Error> {
        let line = ["tidemark-bench", "compare"].into_iter();
        match Cli::try_parse_from(line.chain(flags.split_whitespace()))?.command {
            Command::Compare(args) => Ok(*args),
            other => panic!("{other:?}"),
        }
    }

    const URLS: &str = "--a-url http://h:1 --b-url http://h:2";

    #[test]
    fn saved_runs_live_runs_or_baselines() {
        let saved = parse("x y").unwrap();
        assert_eq!((saved.pair.len(), saved.min_effect), (2, 0.05));
        let names: Vec<_> = saved
            .statistics()
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(names, STATISTICS);
        let several = parse("--a x y --b z --stat p99,mean --seed 4 --unlike").unwrap();
        assert_eq!(
            (several.a.len(), several.b.len(), several.stat.len()),
            (2, 1, 2)
        );
        let live = parse(&format!(
            "{URLS} --rounds 2 --clients 3 --requests 9 --warm-up 1"
        ));
        assert_eq!(live.unwrap().rounds, Some(2));
        let baselines = parse("--criterion d --baseline a1,a2 --new b1,b2").unwrap();
        assert_eq!(baselines.new, ["b1", "b2"]);
    }

    #[test]
    fn flags_that_would_have_no_effect_are_usage_errors() {
        for flags in [
            String::new(),
            "x".to_owned(),
            "--a x".to_owned(),
            "x y --a z --b w".to_owned(),
            "x y --clients 5".to_owned(),
            "x y --duration 5s".to_owned(),
            "x y --timeout 5s".to_owned(),
            "x y --paired".to_owned(),
            format!("{URLS} --paired"),
            "x y --rounds 3".to_owned(),
            "x y --min-effect 0".to_owned(),
            "x y --base-url http://h:1".to_owned(),
            format!("{URLS} --base-url http://h:1"),
            format!("{URLS} --unlike"),
            "--a-url http://h:1".to_owned(),
            "--criterion d --baseline x".to_owned(),
            "--criterion d --baseline x --new y --stat p99".to_owned(),
        ] {
            let error = parse(&flags).expect_err(&flags);
            assert_eq!(error.exit_code(), 2, "{flags}");
        }
    }

    #[test]
    fn effects_are_shares() {
        assert_eq!((effect("5%"), effect("0.1")), (Ok(0.05), Ok(0.1)));
        for wrong in ["5", "0", "-1%", "101%", "nan", "x"] {
            effect(wrong).expect_err(wrong);
        }
    }
}
