//! The command line, a file a command. Exit codes: 0 everything asked for succeeded, 1 a call failed
//! or the run could not be made, 2 usage, 3 what was measured is not valid, 4 a wrong answer or a lost
//! acknowledgement, 130 interrupted.

mod args;
mod audit;
mod batch_compare;
mod calibrate;
mod chaos_args;
mod compare;
mod completions;
mod cost_args;
mod figure;
mod gate;
mod heatmap;
mod merge;
mod notebook;
mod pace_args;
mod quality;
mod report;
mod run;
mod runs;
mod scenario;
mod server_side_args;
mod show;
mod stub;
mod sweep;
mod workload_args;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::audit::AuditError;
use crate::calibrate::{CalibrateError, CalibrationError};
use crate::client::{ClientError, error_chain};
use crate::compare::criterion::CriterionError;
use crate::console;
use crate::interrupt::EXIT_INTERRUPTED;
use crate::load::run::LoadError;
use crate::notebook::NotebookError;
use crate::quality::error::QualityError;
use crate::reach::Unreachable;
use crate::report::ReportError;
use crate::report::folder::FolderError;
use crate::results::error::ResultsError;
use crate::scenario::ScenarioError;
use crate::stub::StubError;
use crate::sweep::sequence::SequenceError;

pub use self::pace_args::PaceArgs;
pub use self::workload_args::WorkloadArgs;

/// Flags that cannot be used, as clap exits.
const EXIT_USAGE: u8 = 2;

/// What was measured does not allow the answer that was asked for.
const EXIT_INVALID: u8 = 3;

/// An answer was wrong, or a write that was acknowledged is not there.
const EXIT_WRONG: u8 = 4;

/// What the commands look like, from the simplest to the largest.
const HELP: &str = "\
Examples:
  tidemark-bench run
  tidemark-bench run --rate 500/s --arrivals poisson --duration 1m --good-within 50ms
  tidemark-bench run --workload predict=8,fit=1 --clients 50 --show tail=p99.9 --name mixed
  tidemark-bench sweep --clients 1,5,10,20,50 --workload columns --batch 100
  tidemark-bench heatmap --points-per-fit 50,200,1000 --batch 1,10,100 --stat p95
  tidemark-bench notebook --cooldown 0s

The server is at http://127.0.0.1:8000 unless --base-url says otherwise. `tidemark-bench COMMAND --help` has more examples
and every flag.";

/// Load client for servers of Tidemark's HTTP contract.
#[derive(Debug, Parser)]
#[command(name = "tidemark-bench", version, after_help = HELP)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Reproduce the load-test notebook: a burst of fits, a cool-down, a burst of predictions
    Notebook(notebook::NotebookArgs),
    /// Send load to a server and leave a folder with every response, statistics and a report
    #[command(after_help = run::HELP)]
    Run(run::RunArgs),
    /// Compare a run's ledger with what a server has: what is lost, duplicated or corrupted
    #[command(after_help = audit::HELP)]
    Audit(audit::AuditArgs),
    /// Measure the client itself, against the built-in server: the latency and the rate that are its own
    #[command(after_help = calibrate::HELP)]
    Calibrate(calibrate::CalibrateArgs),
    /// The same load at several levels, a run each: where more load buys only more waiting
    #[command(after_help = sweep::HELP)]
    Sweep(sweep::SweepArgs),
    /// One statistic over a grid of points per fit and points per request, a run a cell
    #[command(after_help = heatmap::HELP)]
    Heatmap(heatmap::HeatmapArgs),
    /// Measure the accuracy of models on labelled series, beside three baselines
    #[command(after_help = quality::HELP)]
    Quality(quality::QualityArgs),
    /// Print the figures of saved runs, whole or of some of their responses
    #[command(after_help = show::HELP)]
    Show(show::ShowArgs),
    /// Write the report of a saved run, sweep or heatmap, or its charts as pictures
    #[command(after_help = report::HELP)]
    Report(report::ReportArgs),
    /// Put several saved runs into one, such as those of clients on several machines
    #[command(after_help = merge::HELP)]
    Merge(merge::MergeArgs),
    /// Hold the figures of saved runs against limits, and fail when one is broken
    #[command(after_help = gate::HELP)]
    Gate(gate::GateArgs),
    /// Say whether one server is slower than another, from runs in turn, saved runs or baselines
    #[command(after_help = compare::HELP)]
    Compare(Box<compare::CompareArgs>),
    /// Compare asking about points one by one with asking in batches, once both give the same answers
    #[command(after_help = batch_compare::HELP)]
    BatchCompare(batch_compare::BatchCompareArgs),
    /// Play a scenario: a load with a rule by which the server passes
    #[command(after_help = scenario::HELP)]
    Scenario(scenario::ScenarioArgs),
    /// Serve the contract without learning anything, as fast or as badly as asked, for tests
    #[command(after_help = stub::HELP)]
    Stub(stub::StubArgs),
    /// Print what makes a shell complete commands and flags
    #[command(after_help = completions::HELP)]
    Completions(completions::CompletionsArgs),
}

/// Why a command ended without results.
#[derive(Debug, thiserror::Error)]
enum CommandError {
    #[error(transparent)]
    Notebook(#[from] NotebookError),
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    #[error(transparent)]
    Report(#[from] ReportError),
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Usage(#[from] clap::Error),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Criterion(#[from] CriterionError),
    #[error(transparent)]
    Quality(#[from] QualityError),
    #[error(transparent)]
    Results(#[from] ResultsError),
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    #[error(transparent)]
    Stub(#[from] StubError),
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error(transparent)]
    Calibrate(#[from] CalibrateError),
    #[error(transparent)]
    Calibration(#[from] CalibrationError),
    #[error("cannot start: {0}")]
    Runtime(#[from] std::io::Error),
}

/// A run of several that could not be made fails as it would alone.
impl From<SequenceError<Self>> for CommandError {
    fn from(error: SequenceError<Self>) -> Self {
        match error {
            SequenceError::Run(error) => error,
            SequenceError::Results(error) => error.into(),
        }
    }
}

/// Does what the command line asks for.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    let done = match cli.command {
        Command::Notebook(args) => notebook::run(args),
        Command::Run(args) => run::run(args),
        Command::Audit(args) => audit::run(&args),
        Command::Calibrate(args) => calibrate::run(&args),
        Command::Sweep(args) => sweep::run(args),
        Command::Heatmap(args) => heatmap::run(args),
        Command::Quality(args) => quality::run(args),
        Command::Show(args) => show::run(args),
        Command::Report(args) => report::run(&args),
        Command::Merge(args) => merge::run(args),
        Command::Gate(args) => gate::run(args),
        Command::Compare(args) => compare::run(*args),
        Command::BatchCompare(args) => batch_compare::run(args),
        Command::Scenario(args) => scenario::run(args),
        Command::Stub(args) => stub::run(args),
        Command::Completions(args) => completions::run(&args),
    };
    match done {
        Ok(code) => told(code),
        Err(CommandError::Usage(error)) => {
            // As for flags that the parser itself refuses.
            let _ = error.print();
            ExitCode::from(EXIT_USAGE)
        }
        Err(error @ CommandError::Load(LoadError::InterruptedBefore)) => {
            console::note(error);
            ExitCode::from(EXIT_INTERRUPTED)
        }
        Err(error) => {
            console::note(format_args!("error: {}", error_chain(&error)));
            ExitCode::FAILURE
        }
    }
}

/// The code of a command that is over: its own, unless that is success and what it printed is lost.
fn told(code: ExitCode) -> ExitCode {
    let Some(error) = console::lost() else {
        return code;
    };
    console::note(format_args!(
        "error: cannot write to standard output: {error}"
    ));
    if code == ExitCode::SUCCESS {
        ExitCode::FAILURE
    } else {
        code
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// The command lines of a text with examples, as a shell would take them apart, without what
    /// explains them.
    fn examples(help: &str) -> Vec<Vec<String>> {
        let help = help.replace("\\\n", " ").replace(" && ", "\n");
        let lines = help.lines().map(str::trim_start);
        let lines = lines.filter(|line| line.starts_with("tidemark-bench "));
        let words = |line: &str| {
            let command = line.split("     ").next().unwrap_or_default();
            let words = command.split_whitespace().take_while(|word| *word != ">");
            // A pattern stands for several files.
            let files = |word: &str| vec![word.to_owned(); 1 + word.matches('*').count()];
            words.flat_map(files).collect()
        };
        lines.map(words).collect()
    }

    /// What a command line that is refused says.
    fn refusal(line: &str) -> String {
        let error = Cli::try_parse_from(line.split(' ')).expect_err(line);
        assert_eq!(error.exit_code(), 2, "{line}");
        error.to_string()
    }

    #[test]
    fn negative_numbers_that_were_taken_for_flags_say_what_was_expected() {
        for (line, wanted) in [
            ("run --rate -5/s", "expected requests a second"),
            ("sweep --rates -5/s", "expected requests a second"),
            ("run --seed -1", "'-1' for '--seed <N>'"),
            ("notebook --seed -1", "'-1' for '--seed <N>'"),
            ("run --cost-per-fit -1", "expected a price"),
            ("stub --delay-ms -1", "expected milliseconds"),
        ] {
            let error = refusal(&format!("tidemark-bench {line}"));
            assert!(error.contains(wanted), "{line}: {error}");
        }
    }

    #[test]
    fn a_password_in_an_address_is_never_printed() {
        for line in [
            "run --base-url http://user:pw@h",
            "run --base-url https://user:pw@h",
            "notebook --base-url http://user:pw@h:port",
            "quality --base-url http://user:pw@h",
            "compare --a-url http://user:pw@h --b-url http://h",
        ] {
            let error = refusal(&format!("tidemark-bench {line}"));
            assert!(!error.contains("pw"), "{line}: {error}");
            assert!(error.contains("-url <"), "{line}: {error}");
        }
        let error = refusal("tidemark-bench run --base-url http://user:pw@h");
        assert!(error.contains("sends no credentials"), "{error}");
        let error = refusal("tidemark-bench run --base-url http://h?a=1");
        assert!(error.contains("'http://h?a=1'"), "{error}");
    }

    #[test]
    fn the_help_names_every_kind_of_request() {
        let mut command = Cli::command();
        let run = command.find_subcommand_mut("run").unwrap();
        let help = run.render_long_help().to_string();
        let what = help.split("--workload <MIX>").nth(1).unwrap();
        let what = what.split("--series").next().unwrap();
        for op in crate::load::response::Op::ALL {
            assert!(what.contains(op.name()), "{}: {what}", op.name());
        }
        assert!(what.contains("--payloads"), "{what}");
    }

    #[test]
    fn every_example_is_a_command_line_that_parses() {
        let mut command = Cli::command();
        let mut helps = vec![command.get_after_help().unwrap().to_string()];
        let of_commands = command.get_subcommands_mut();
        helps.extend(of_commands.filter_map(|c| Some(c.get_after_help()?.to_string())));
        let guide = include_str!("../../../docs/load-client.md");
        let scenarios = include_str!("../../../docs/scenarios.md");
        for page in [guide, scenarios] {
            helps.push(page.replace("$ tidemark-bench", "tidemark-bench"));
        }
        let all: Vec<_> = helps.iter().flat_map(|help| examples(help)).collect();
        assert!(all.len() >= 40, "{all:?}");
        for example in all {
            if let Err(error) = Cli::try_parse_from(&example) {
                panic!("{}: {error}", example.join(" "));
            }
        }
    }
}
