//! `tidemark-bench merge`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::CommandError;
use crate::console;
use crate::report;
use crate::results::merge;
use crate::results::text;

pub(super) const HELP: &str = "\
Examples:
  tidemark-bench merge results/client-a results/client-b --out results/both
  tidemark-bench merge results/run_* --out results/day && tidemark-bench show results/day

Responses are renumbered, clients are kept apart, and times are put on one axis by the runs' starts,
as exactly as the clocks of their machines agree. Statistics are computed again from all responses.
Rates are over the whole axis: of runs that did not overlap they say little.";

/// Flags of `tidemark-bench merge`.
#[derive(Debug, Args)]
pub struct MergeArgs {
    /// Folders of runs, two or more
    #[arg(required = true, num_args = 2.., value_name = "DIR")]
    pub dirs: Vec<PathBuf>,

    /// New folder for all of them
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

pub(super) fn run(args: MergeArgs) -> Result<ExitCode, CommandError> {
    let merged = merge::merge(&args.dirs, &args.out)?;
    let page = report::run::write(&args.out, &merged.run)?;
    for note in &merged.notes {
        console::note(format_args!("note: {note}"));
    }
    console::out(text::render(&merged.run));
    console::out(format_args!("\nmerged: {}", args.out.display()));
    console::out(format_args!("report: {}", page.display()));
    Ok(ExitCode::SUCCESS)
}
