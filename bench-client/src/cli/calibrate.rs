//! `tidemark-bench calibrate`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::CommandError;
use super::args::{bounded, positive_duration};
use super::run::listening;
use crate::calibrate::{CalibrateError, calibrate};
use crate::console;
use crate::interrupt::EXIT_INTERRUPTED;

pub(super) const HELP: &str = "\
Examples:
  tidemark-bench calibrate
  tidemark-bench calibrate --each 10s --out results/calibration.json
  tidemark-bench run --calibration results/calibration.json

The server is the built-in one, in this process. A latency near the floor, or a rate near the highest, is the client's own.";

/// Flags of `tidemark-bench calibrate`.
#[derive(Debug, Args)]
pub struct CalibrateArgs {
    /// How long each of its eight runs sends
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = positive_duration)]
    each: Duration,

    /// Threads of the server, and of the client [default: half of the processors]
    #[arg(long, value_name = "N", value_parser = bounded(1_024))]
    threads: Option<u32>,

    /// Where the figures go
    #[arg(long, value_name = "FILE", default_value = "calibration.json")]
    out: PathBuf,
}

pub(super) fn run(args: &CalibrateArgs) -> Result<ExitCode, CommandError> {
    let (runtime, stop) = listening()?;
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let half = u32::try_from(processors / 2).unwrap_or(u32::MAX).max(1);
    let threads = args.threads.unwrap_or(half);
    let progress = |what: &str| console::note(format_args!("calibrating: {what}"));
    let calibration = match calibrate(args.each, threads, &runtime, &stop, progress) {
        Err(CalibrateError::Interrupted) => return Ok(ExitCode::from(EXIT_INTERRUPTED)),
        made => made?,
    };
    calibration.save(&args.out)?;
    console::out(&calibration);
    console::out(format_args!("saved: {}", args.out.display()));
    Ok(ExitCode::SUCCESS)
}
