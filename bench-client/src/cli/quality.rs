//! `tidemark-bench quality`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::CommandError;
use super::args::KeyArgs;
use crate::base_url::BaseUrl;
use crate::console;
use crate::quality::{self, mode::Mode, via::Via};
use crate::report;

pub(super) const HELP: &str = "\
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

    #[command(flatten)]
    key: KeyArgs,

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

pub(super) fn run(args: QualityArgs) -> Result<ExitCode, CommandError> {
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
                ViaFlag::Http => Via::Http(self.key.on(self.base_url)),
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
