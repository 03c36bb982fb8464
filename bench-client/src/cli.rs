//! The command line. Exit codes: 0 everything asked for succeeded, 1 a call failed or the run
//! could not be made, 2 usage, 130 interrupted.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::{SignedDuration, Timestamp};

use crate::base_url::BaseUrl;
use crate::client::error_chain;
use crate::clock;
use crate::console;
use crate::interrupt::{self, EXIT_INTERRUPTED};
use crate::notebook::{self, Connections, NotebookError, Settings};
use crate::quality::{self, error::QualityError, mode::Mode, via::Via};
use crate::report::{self, ReportError};

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
    Notebook(NotebookArgs),
    /// Measure the accuracy of models on labelled series, beside three baselines
    #[command(after_help = QUALITY_HELP)]
    Quality(QualityArgs),
}

/// Flags of `tidemark-bench notebook`.
#[derive(Debug, Args)]
pub struct NotebookArgs {
    /// Server under test (plain http; a path prefix is kept)
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8000")]
    pub base_url: BaseUrl,

    /// Measured calls in each phase
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = bounded(1_000_000))]
    pub calls: u32,

    /// Calls on the wire at the same time, and connections kept
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = bounded(65_535))]
    pub workers: u32,

    /// Decides every random value; drawn, printed and saved when not given
    #[arg(long, value_name = "N")]
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

const QUALITY_HELP: &str = "\
Examples:
  tidemark-bench quality --data data --index data/index.csv --model auto
  tidemark-bench quality --data data --index data/index.csv --model robust,gaussian \\
      --datasets NAB,WSD --nab-windows data/nab_windows.json --out results/quality
  tidemark-bench quality --data data --index data/index.csv --via http \\
      --base-url http://127.0.0.1:8000

Each line of the index names a series: columns file,dataset,train_len,step_s and, where wanted,
n,series,tsb_file,tsb_from,tsb_len. A series is CSV, plain or .gz: timestamp,value,label, with
Unix seconds or date-times and labels 0 or 1. See docs/accuracy.md for what the table means.";

/// Flags of `tidemark-bench quality`.
#[derive(Debug, Args)]
pub struct QualityArgs {
    /// Folder that the paths in the index start from, such as --data data
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,

    /// List of the series, such as --index data/index.csv
    #[arg(long, value_name = "FILE")]
    pub index: PathBuf,

    /// Models to measure, a block of the table each, such as --model robust,gaussian [default:
    /// tail_views; with --mode whole there is only whole]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub model: Vec<String>,

    /// What a detector has seen of the series when it scores a row, such as --mode whole
    #[arg(long, value_enum, default_value_t)]
    pub mode: Mode,

    /// Where the detectors run, such as --via http; the baselines always run in this process
    #[arg(long, value_enum, default_value_t)]
    pub via: ViaFlag,

    /// Service to ask with --via http (plain http; a path prefix is kept)
    #[arg(
        long,
        value_name = "URL",
        default_value = "http://127.0.0.1:8000",
        requires = "via"
    )]
    pub base_url: BaseUrl,

    /// Share of normal points that may alarm, such as --alarm-rate 0.0001
    #[arg(long, value_name = "R", default_value_t = detectors::ALARM_RATE_DEFAULT)]
    pub alarm_rate: f64,

    /// Datasets to measure, such as --datasets NAB,WSD [default: all in the index]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub datasets: Vec<String>,

    /// Keep the scores as a CSV file a series, and metrics.csv, such as --out results/quality; with
    /// several models in a folder each
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    /// Labelled windows for the NAB score, such as --nab-windows combined_windows.json; the index
    /// names the series in its column `series`
    #[arg(long, value_name = "FILE")]
    pub nab_windows: Option<PathBuf>,

    /// Published VUS-PR of other methods, such as --peers tsb_peers.csv: a column file, and one a
    /// method
    #[arg(long, value_name = "FILE")]
    pub peers: Option<PathBuf>,
}

/// Where the detectors of `tidemark-bench quality` run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ViaFlag {
    /// In this process
    #[default]
    Process,
    /// In a running service, which keeps what it was sent under ids of the run
    Http,
}

/// Why a run ended without results.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error(transparent)]
    Notebook(#[from] NotebookError),
    #[error(transparent)]
    Report(#[from] ReportError),
    #[error(transparent)]
    Quality(#[from] QualityError),
    #[error("cannot start: {0}")]
    Runtime(#[from] std::io::Error),
}

/// Does what the command line asks for.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    let done = match cli.command {
        Command::Notebook(args) => run_notebook(args),
        Command::Quality(args) => run_quality(args),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            console::note(format_args!("error: {}", error_chain(&error)));
            ExitCode::FAILURE
        }
    }
}

fn run_notebook(args: NotebookArgs) -> Result<ExitCode, RunError> {
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
        notebook::reach(&settings.base_url).await?;
        // A minute of measuring must not end at a folder that cannot be written.
        report::prepare(&out)?;
        Ok::<_, RunError>(notebook::run(&settings, &stop).await?)
    })?;
    let page = report::write(&out, &run)?;
    console::out(format_args!("report: {}", page.display()));
    Ok(if run.summary.interrupted {
        ExitCode::from(EXIT_INTERRUPTED)
    } else if run.summary.all_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn run_quality(args: QualityArgs) -> Result<ExitCode, RunError> {
    let settings = args.into_settings();
    if let Some(out) = &settings.out {
        report::prepare(out)?;
    }
    let peers = settings.peers.as_deref().map(quality::peers::read);
    let peers = peers.transpose()?.unwrap_or_default();
    let results = quality::run(&settings)?;
    console::out(quality::table::render(&settings, &results, &peers).trim_end());
    Ok(ExitCode::SUCCESS)
}

impl QualityArgs {
    fn into_settings(self) -> quality::Settings {
        let models = if self.model.is_empty() {
            vec![self.mode.default_model().to_owned()]
        } else {
            self.model
        };
        quality::Settings {
            data: self.data,
            index: self.index,
            mode: self.mode,
            via: match self.via {
                ViaFlag::Process => Via::Process,
                ViaFlag::Http => Via::Http(self.base_url),
            },
            models,
            alarm_rate: self.alarm_rate,
            datasets: self.datasets,
            out: self.out,
            nab_windows: self.nab_windows,
            peers: self.peers,
        }
    }
}

impl NotebookArgs {
    fn into_settings(self, run_id: String) -> Settings {
        Settings {
            base_url: self.base_url,
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

fn bounded(most: i64) -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=most)
}

fn duration(text: &str) -> Result<Duration, String> {
    let parsed: SignedDuration = text
        .parse()
        .map_err(|_| "expected a time with its unit, such as 60s, 1m30s or 500ms".to_owned())?;
    Duration::try_from(parsed).map_err(|_| "a time cannot be negative".to_owned())
}

fn positive_duration(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("must be longer than zero".to_owned()),
        positive => Ok(positive),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
