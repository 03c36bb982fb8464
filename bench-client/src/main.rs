//! The `tidemark-bench` binary: parses the command line and hands over to the library.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    bench_client::cli::run(bench_client::cli::Cli::parse())
}
