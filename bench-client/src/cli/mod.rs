//! The command line, a file a command. Exit codes: 0 everything asked for succeeded, 1 a call failed
//! or the run could not be made, 2 usage, 130 interrupted.

mod args;
mod merge;
mod notebook;
mod pace_args;
mod quality;
mod run;
mod show;
mod stub;
mod workload_args;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::client::error_chain;
use crate::console;
use crate::load::run::LoadError;
use crate::notebook::NotebookError;
use crate::quality::error::QualityError;
use crate::reach::Unreachable;
use crate::report::ReportError;
use crate::results::error::ResultsError;
use crate::stub::StubError;

pub use self::pace_args::PaceArgs;
pub use self::workload_args::WorkloadArgs;

/// Flags that cannot be used, as clap exits.
const EXIT_USAGE: u8 = 2;

/// Load client for servers of Tidemark's HTTP contract.
#[derive(Debug, Parser)]
#[command(name = "tidemark-bench", version)]
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
    /// Measure the accuracy of models on labelled series, beside three baselines
    #[command(after_help = quality::HELP)]
    Quality(quality::QualityArgs),
    /// Print the figures of saved runs, whole or of some of their responses
    #[command(after_help = show::HELP)]
    Show(show::ShowArgs),
    /// Put several saved runs into one, such as those of clients on several machines
    #[command(after_help = merge::HELP)]
    Merge(merge::MergeArgs),
    /// Serve the contract without learning anything, as fast or as badly as asked, for tests
    #[command(after_help = stub::HELP)]
    Stub(stub::StubArgs),
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
    Usage(#[from] clap::Error),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Quality(#[from] QualityError),
    #[error(transparent)]
    Results(#[from] ResultsError),
    #[error(transparent)]
    Stub(#[from] StubError),
    #[error("cannot start: {0}")]
    Runtime(#[from] std::io::Error),
}

/// Does what the command line asks for.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    let done = match cli.command {
        Command::Notebook(args) => notebook::run(args),
        Command::Run(args) => run::run(args),
        Command::Quality(args) => quality::run(args),
        Command::Show(args) => show::run(args),
        Command::Merge(args) => merge::run(args),
        Command::Stub(args) => stub::run(args),
    };
    match done {
        Ok(code) => code,
        Err(CommandError::Usage(error)) => {
            // As for flags that the parser itself refuses.
            let _ = error.print();
            ExitCode::from(EXIT_USAGE)
        }
        Err(error) => {
            console::note(format_args!("error: {}", error_chain(&error)));
            ExitCode::FAILURE
        }
    }
}
