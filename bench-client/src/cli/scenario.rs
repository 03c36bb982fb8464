//! `tidemark-bench scenario`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use clap::builder::PossibleValuesParser;

use super::args::{KeyArgs, bounded, positive_duration};
use super::run::listening;
use super::{CommandError, EXIT_INVALID};
use crate::base_url::BaseUrl;
use crate::clock;
use crate::console;
use crate::interrupt::EXIT_INTERRUPTED;
use crate::scenario::{
    self, ALL, Report, Scenario, ScenarioError, ServerCommand, Settings, Target, Verdict,
};

pub(super) const HELP: &str = "\
Examples:
  tidemark-bench scenario list
  tidemark-bench scenario sequential
  tidemark-bench scenario burst-150 --base-url http://127.0.0.1:9000
  tidemark-bench scenario drain --short --server-bin target/release/tidemark
  tidemark-bench scenario soak --duration 24h --server-bin target/release/tidemark
  tidemark-bench scenario all --short --server-bin target/release/tidemark

A server at --base-url is one to throw away: series stay on it. With --server-bin every scenario starts a server of its own,
on a free port and over a folder that goes away; those that start, stop or kill the server need it. Results go to a folder
a scenario: scenario.json, the folders of its runs, and what the server said.

Exit codes: 0 pass, 1 a rule does not hold, 2 usage, 3 nothing can be said (with `all`: of one of them, and all others pass),
130 interrupted.";

const LIST: &str = "list";
const EVERY: &str = "all";

/// Flags of `tidemark-bench scenario`.
#[derive(Debug, Args)]
pub struct ScenarioArgs {
    /// Which one; `list` prints them, `all` plays every one
    #[arg(value_name = "NAME", value_parser = names(), hide_possible_values = true)]
    name: String,

    /// A server that runs already (plain http; a path prefix is kept)
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8000")]
    base_url: BaseUrl,

    #[command(flatten)]
    key: KeyArgs,

    /// Process id of that server, if it is on this machine: `soak` reads its memory
    #[arg(long, value_name = "PID", conflicts_with = "server_bin")]
    server_pid: Option<u32>,

    /// Program of the server, started as `PATH serve --addr 127.0.0.1:PORT --data-dir DIR ARGS`
    #[arg(long, value_name = "PATH", conflicts_with = "base_url")]
    server_bin: Option<PathBuf>,

    /// Further arguments for it, such as --server-args="--drain-delay 1s"
    #[arg(
        long,
        value_name = "ARGS",
        requires = "server_bin",
        allow_hyphen_values = true
    )]
    server_args: Option<String>,

    /// Seconds rather than minutes
    #[arg(long)]
    short: bool,

    /// How long `soak` takes [default: 1h; short: 20s]; of `overload`, how long memory is watched at 10 times the
    /// capacity [default: not at all]
    #[arg(long, value_name = "TIME", value_parser = positive_duration)]
    duration: Option<Duration>,

    /// Series in the store of `resume` [default: 1000000; short: 10000]
    #[arg(long, value_name = "N", value_parser = bounded(100_000_000))]
    series: Option<u32>,

    /// This machine is one that others use, such as those of CI: a limit in time that is not kept is told as not measurable
    #[arg(long)]
    shared_machine: bool,

    /// Decides every random value; drawn and saved when not given
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Folder for the results, a folder in it a scenario [default: results/scenario_{run_id}]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

fn names() -> PossibleValuesParser {
    let names = ALL.iter().map(|scenario| scenario.name);
    PossibleValuesParser::new([LIST, EVERY].into_iter().chain(names))
}

pub(super) fn run(args: ScenarioArgs) -> Result<ExitCode, CommandError> {
    let name = args.name.clone();
    if name == LIST {
        list();
        return Ok(ExitCode::SUCCESS);
    }
    let settings = args.into_settings();
    let (runtime, stop) = listening()?;
    let all: Vec<&Scenario> = ALL
        .iter()
        .filter(|it| name == EVERY || it.name == name)
        .collect();
    let mut reports = Vec::new();
    for scenario in all {
        console::note(format_args!("{}: {}", scenario.name, scenario.load));
        match scenario::run(scenario, &settings, &runtime, &stop) {
            Ok(report) => {
                console::out(format_args!("{report}\n"));
                reports.push(report);
            }
            Err(ScenarioError::Interrupted) => {
                table(&reports);
                return Ok(ExitCode::from(EXIT_INTERRUPTED));
            }
            Err(error) => return Err(error.into()),
        }
    }
    if name == EVERY {
        table(&reports);
    }
    console::out(format_args!("results: {}", settings.out.display()));
    let worst = reports.iter().map(|report| report.verdict).max();
    Ok(match worst {
        Some(Verdict::Pass) => ExitCode::SUCCESS,
        Some(Verdict::Fail) => ExitCode::FAILURE,
        Some(Verdict::NotMeasurable) | None => ExitCode::from(EXIT_INVALID),
    })
}

fn list() {
    for Scenario {
        name,
        load,
        rule,
        needs_binary,
        ..
    } in &ALL
    {
        let needs = if *needs_binary {
            " (needs --server-bin)"
        } else {
            ""
        };
        console::out(format_args!(
            "{name}{needs}\n  sends: {load}\n  passes when: {rule}"
        ));
    }
}

/// A line a scenario; of one that does not pass, what does not hold.
fn table(reports: &[Report]) {
    for report in reports {
        let Report {
            scenario,
            verdict,
            seconds,
            outcome,
            ..
        } = report;
        console::out(format_args!(
            "{scenario:<12} {verdict:<14} {seconds:>7.1} s"
        ));
        for check in outcome
            .checks
            .iter()
            .filter(|check| check.verdict != Verdict::Pass)
        {
            let (what, rule, reading) = (check.verdict, &check.rule, &check.reading);
            console::out(format_args!("             {what:<14} {rule}: {reading}"));
        }
    }
}

impl ScenarioArgs {
    fn into_settings(self) -> Settings {
        let started = clock::unique_run_id();
        let target = match self.server_bin {
            Some(program) => Target::Binary(ServerCommand {
                program,
                args: self
                    .server_args
                    .iter()
                    .flat_map(|args| args.split_whitespace())
                    .map(str::to_owned)
                    .collect(),
            }),
            None => Target::Url {
                base: self.key.on(self.base_url),
                pid: self.server_pid,
            },
        };
        Settings {
            target,
            short: self.short,
            duration: self.duration,
            series: self.series,
            shared_machine: self.shared_machine,
            seed: self.seed.unwrap_or_else(|| rand::random::<u32>().into()),
            out: self
                .out
                .unwrap_or_else(|| PathBuf::from(format!("results/scenario_{started}"))),
        }
    }
}
