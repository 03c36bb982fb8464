//! `tidemark-bench notebook`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;

use super::CommandError;
use super::args::{KeyArgs, bounded, duration, positive_duration};
use crate::base_url::BaseUrl;
use crate::clock;
use crate::console;
use crate::interrupt::{self, EXIT_INTERRUPTED};
use crate::notebook::{self, Connections, Settings};
use crate::reach::reach;
use crate::report;

/// Flags of `tidemark-bench notebook`.
#[derive(Debug, Args)]
pub struct NotebookArgs {
    /// Server under test (plain http; a path prefix is kept)
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8000")]
    pub base_url: BaseUrl,

    #[command(flatten)]
    key: KeyArgs,

    /// Measured calls in each phase
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = bounded(1_000_000))]
    pub calls: u32,

    /// Calls on the wire at the same time, and connections kept
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = bounded(65_535))]
    pub workers: u32,

    /// Decides every random value; drawn, printed and saved when not given
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub seed: Option<u64>,

    /// Pause between the phases, such as 60s or 1m30s; 0s skips it
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub cooldown: Duration,

    /// Longest a fit may take
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = positive_duration)]
    pub fit_timeout: Duration,

    /// Longest a prediction may take
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = positive_duration)]
    pub predict_timeout: Duration,

    /// Sequential untimed calls before each burst (never more than --calls)
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub warmup: u32,

    /// Open one connection a worker before each burst, with untimed health checks
    #[arg(long)]
    pub warm_connections: bool,

    /// Folder for fit.csv, predict.csv, summary.json, report.html [default:
    /// results/notebook_{run_id}]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

pub(super) fn run(args: NotebookArgs) -> Result<ExitCode, CommandError> {
    let run_id = clock::run_id(Timestamp::now());
    let out = args
        .out
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("results/notebook_{run_id}")));
    let settings = args.into_settings(run_id);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let run = runtime.block_on(async {
        let stop = interrupt::on_signals()?;
        reach(&settings.base_url).await?;
        // A minute of measuring must not end at a folder that cannot be written.
        report::prepare(&out)?;
        Ok::<_, CommandError>(notebook::run(&settings, &stop).await?)
    })?;
    let page = report::notebook::write(&out, &run)?;
    console::out(format_args!("report: {}", page.display()));
    Ok(if run.summary.interrupted {
        ExitCode::from(EXIT_INTERRUPTED)
    } else if run.summary.all_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

impl NotebookArgs {
    fn into_settings(self, run_id: String) -> Settings {
        Settings {
            base_url: self.key.on(self.base_url),
            run_id,
            // 32 bits are enough to tell runs apart, and short enough to type in again.
            seed: self.seed.unwrap_or_else(|| rand::random::<u32>().into()),
            calls: self.calls as usize,
            workers: self.workers as usize,
            fit_timeout: self.fit_timeout,
            predict_timeout: self.predict_timeout,
            warm_up: self.warmup as usize,
            cool_down: self.cooldown,
            connections: if self.warm_connections {
                Connections::OpenedBefore
            } else {
                Connections::AsWarmUpLeavesThem
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn settings(flags: &[&str]) -> Result<Settings, clap::Error> {
        let line = ["tidemark-bench", "notebook"].iter().chain(flags);
        match Cli::try_parse_from(line)?.command {
            Command::Notebook(args) => Ok(args.into_settings("id".into())),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn defaults_are_the_notebooks() {
        let defaults = settings(&[]).unwrap();
        assert_eq!(defaults.base_url.to_string(), "http://127.0.0.1:8000");
        assert_eq!(
            (defaults.calls, defaults.workers, defaults.warm_up),
            (100, 100, 5)
        );
        assert_eq!(defaults.fit_timeout, Duration::from_secs(60));
        assert_eq!(defaults.predict_timeout, Duration::from_secs(30));
        assert_eq!(defaults.cool_down, Duration::from_secs(60));
        assert_eq!(defaults.connections, Connections::AsWarmUpLeavesThem);
        assert_eq!(defaults.fit_series(7), "benchmark_stress_id_7");
        assert_eq!(
            defaults.fit_warm_up_series(0),
            "benchmark_stress_id_warmup_0"
        );
        assert_eq!(defaults.predict_series(), "benchmark_predict_id");
    }

    #[test]
    fn flags_reach_the_settings() {
        let given = settings(&[
            "--seed=18446744073709551615",
            "--calls=3",
            "--cooldown=1m30s",
            "--predict-timeout=250ms",
            "--warm-connections",
        ])
        .unwrap();
        assert_eq!(given.seed, u64::MAX);
        assert_eq!(given.cool_down, Duration::from_secs(90));
        assert_eq!(given.predict_timeout, Duration::from_millis(250));
        assert_eq!(given.warm_up_calls(), 3, "never more than the calls");
        assert_eq!(given.connections, Connections::OpenedBefore);
    }

    #[test]
    fn unusable_flags_are_usage_errors() {
        for flag in [
            "--calls=0",
            "--workers=0",
            "--workers=65536",
            "--cooldown=60",
            "--cooldown=-1s",
            "--fit-timeout=0s",
            "--base-url=https://h",
            "--seed=-1",
        ] {
            let error = settings(&[flag]).expect_err(flag);
            assert_eq!(error.exit_code(), 2, "{flag}");
        }
    }
}
