//! `tidemark-bench batch-compare`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use tokio::runtime::Runtime;

use super::args::{KeyArgs, bounded, positive_duration, usage};
use super::gate::milliseconds;
use super::pace_args::Rate;
use super::run::listening;
use super::{CommandError, EXIT_INVALID};
use crate::base_url::BaseUrl;
use crate::batch_compare::checks::{self, Check};
use crate::batch_compare::comparison::{Comparison, Percentiles, gate};
use crate::batch_compare::fixed;
use crate::batch_compare::inputs::{Inputs, Via, Way};
use crate::batch_compare::items::{self, Item};
use crate::clock;
use crate::console;
use crate::interrupt::{EXIT_INTERRUPTED, Stop};
use crate::live::Target;
use crate::load::response::Op;
use crate::load::run::{LoadError, RunSettings};
use crate::load::{self};
use crate::reach::reach;
use crate::report::{self, ReportError, atomic};
use crate::results::config::{Arrivals, Bound, LoadSpec, Pace, Share, WorkloadSpec};
use crate::results::files;
use crate::results::summary::RunData;
use crate::results::text::Table;
use crate::tally::needed;
use crate::tally::statistic::quantile_name;

pub(super) const HELP: &str = "\
Examples:
  tidemark-bench batch-compare                              400 points, alone and in columns of 10, at 200 a second
  tidemark-bench batch-compare --rate 5000/s --points 20000 --batch 100 --out results/batches
  tidemark-bench batch-compare --via ndjson --p95-ms 100

Both ways send the same points at the same rate, over the same number of connections. A point's latency counts from when it
arrived, so that the wait for its batch to fill is part of it. Before that, checks that must hold: the inputs are the same
(their hash is printed), every reply is well-formed, batches give the answers of single points bit for bit, the log has its
fields, percentiles and gate are right on known data. If one fails, nothing is measured.

Files: latency_baseline.csv, latency_optimized.csv (request_id,timestamp_ms,latency_ms,status_code, -1 without a reply, a row
a point), comparison.json (milliseconds; improvement in percent of the baseline), and the folders of the two runs.

The gate is on the batches: the 95th percentile of all points, one that failed counting as one that never came.

Exit codes: 0 the gate is passed, 1 it is not, or a check failed, 2 usage, 3 not a valid measurement (with --strict),
130 interrupted.";

/// Flags of `tidemark-bench batch-compare`.
#[derive(Debug, Args)]
pub struct BatchCompareArgs {
    /// Server under test (plain http; a path prefix is kept)
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8000")]
    base_url: BaseUrl,

    #[command(flatten)]
    key: KeyArgs,

    /// Points, a multiple of the batch
    #[arg(long, value_name = "N", default_value_t = 400, value_parser = bounded(1_000_000))]
    points: u32,

    /// Points of a batch
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = bounded(10_000))]
    batch: u32,

    /// How a batch is sent
    #[arg(long, value_enum, default_value = "columns")]
    via: Via,

    /// Requests under way at once, in both ways
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = bounded(65_535))]
    concurrency: u32,

    /// Points that arrive a second, in both ways
    #[arg(long, value_name = "RATE", default_value = "200/s")]
    rate: Rate,

    /// Limit of the gate: the batches' 95th percentile, in milliseconds
    #[arg(long, value_name = "MS", default_value = "800", value_parser = milliseconds)]
    p95_ms: f64,

    /// Longest from sending a request to the end of its reply
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = positive_duration)]
    timeout: Duration,

    /// Decides the points; drawn, printed and saved when not given
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Exit with 3 when the client could not keep up, so that not only the server was measured
    #[arg(long)]
    strict: bool,

    /// Folder for the results, which must not hold a comparison yet [default:
    /// results/batch_compare_{run_id}]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// What both runs need.
struct Both {
    args: BatchCompareArgs,
    run_id: String,
    seed: u64,
    inputs: Inputs,
    out: PathBuf,
}

pub(super) fn run(mut args: BatchCompareArgs) -> Result<ExitCode, CommandError> {
    args.base_url = args.key.on(args.base_url);
    if !args.points.is_multiple_of(args.batch) {
        return Err(usage("--points is no multiple of --batch").into());
    }
    let run_id = clock::unique_run_id();
    let seed = args.seed.unwrap_or_else(|| rand::random::<u32>().into());
    let out = args.out.clone();
    let out = out.unwrap_or_else(|| PathBuf::from(format!("results/batch_compare_{run_id}")));
    let name = format!("batch_compare_{run_id}");
    let both = Both {
        inputs: Inputs::new(args.points, args.batch, args.via, name, seed),
        run_id,
        seed,
        out,
        args,
    };
    let (runtime, stop) = listening()?;
    report::prepare(&both.out)?;
    if !both.check(&runtime, &stop)? {
        return Ok(if stop.is_set() {
            ExitCode::from(EXIT_INTERRUPTED)
        } else {
            ExitCode::FAILURE
        });
    }
    let mut measured = Vec::new();
    for way in [Way::Single, Way::Batch] {
        let (data, items) = both.measure(way, &runtime, &stop)?;
        if data.summary.interrupted {
            return Ok(ExitCode::from(EXIT_INTERRUPTED));
        }
        measured.push((data, items));
    }
    both.finish(&measured)
}

impl Both {
    /// Makes and prints the checks; whether all hold.
    fn check(&self, runtime: &Runtime, stop: &Stop) -> Result<bool, CommandError> {
        let mut all = checks::offline(&self.inputs);
        if checks::all_hold(&all) {
            let (base, args) = (&self.args.base_url, &self.args);
            let online = async {
                reach(base).await?;
                let concurrency = args.concurrency as usize;
                let online = checks::online(&self.inputs, base, concurrency, args.timeout);
                Ok::<_, CommandError>(online.await?)
            };
            match runtime.block_on(stop.guard(online)) {
                Some(online) => all.extend(online?),
                None => return Ok(false),
            }
        }
        console::out(format_args!("seed {}", self.seed));
        for Check { name, result } in &all {
            match result {
                Ok(seen) => console::out(format_args!("ok      {name}: {seen}")),
                Err(reason) => console::out(format_args!("FAILED  {name}: {reason}")),
            }
        }
        let hold = checks::all_hold(&all);
        if !hold {
            console::out("a check failed: nothing was measured");
        }
        Ok(hold)
    }

    /// One run, and its log.
    fn measure(
        &self,
        way: Way,
        runtime: &Runtime,
        stop: &Stop,
    ) -> Result<(RunData, Vec<Item>), CommandError> {
        let (name, log, batch) = match way {
            Way::Single => ("baseline", "latency_baseline.csv", 1),
            Way::Batch => ("optimized", "latency_optimized.csv", self.inputs.batch()),
        };
        let dir = self.out.join(name);
        let data = load::run::run(self.settings(way, name, batch, &dir), runtime, stop)?;
        let mut responses = Vec::new();
        files::responses(&dir, |response| {
            responses.push(response);
            Ok(())
        })
        .map_err(LoadError::from)?;
        let every_ns = 1e9 / self.args.rate.0;
        let items = items::items(&responses, batch, every_ns, data.config.started_at);
        let path = self.out.join(log);
        items::write(&items, &path).map_err(ReportError::at(&path))?;
        report::run::write(&dir, &data)?;
        Ok((data, items))
    }

    fn settings(&self, way: Way, name: &str, batch: usize, dir: &Path) -> RunSettings {
        let args = &self.args;
        let op = match (way, args.via) {
            (Way::Single, Via::Columns) => Op::Predict,
            (Way::Batch, Via::Columns) => Op::Columns,
            (Way::Single, Via::Ndjson) => Op::Update,
            (Way::Batch, Via::Ndjson) => Op::Ndjson,
        };
        let timeout_ns = u64::try_from(args.timeout.as_nanos()).unwrap_or(u64::MAX);
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = u32::try_from(processors).unwrap_or(u32::MAX);
        let hooks = vec![fixed(self.inputs.requests(way, &args.base_url))];
        RunSettings {
            base_url: args.base_url.clone(),
            run_id: format!("{}_{name}", self.run_id),
            name: Some(format!("batch-compare: {name}")),
            command: std::env::args().collect(),
            seed: self.seed,
            workload: WorkloadSpec {
                mix: vec![Share { op, weight: 1 }],
                series: 1,
                points_per_fit: 8,
                batch: batch as u32,
                distinct: 1,
                payloads: None,
                set_up: false,
                sigma: None,
            },
            load: LoadSpec {
                pace: Pace::Open {
                    arrivals: Arrivals::Constant {
                        per_s: args.rate.0 / batch as f64,
                    },
                    connections: args.concurrency,
                    max_connections: args.concurrency,
                },
                bound: Bound::Requests {
                    n: u64::from(args.points) / batch as u64,
                },
                timeout_ns,
                good_within_ns: timeout_ns,
                threads: threads.min(args.concurrency),
                // The checks have asked for every point already.
                warm_up: 0,
                low_memory: false,
            },
            out: dir.to_owned(),
            hooks,
            target: Target::stderr(),
            shows: Vec::new(),
            ledger: None,
        }
    }

    fn finish(&self, measured: &[(RunData, Vec<Item>)]) -> Result<ExitCode, CommandError> {
        let [(_, baseline), (_, optimized)] = measured else {
            return Ok(ExitCode::FAILURE);
        };
        let comparison = Comparison::of(baseline, optimized);
        let path = self.out.join("comparison.json");
        // Plain data, which JSON can always hold.
        let json = serde_json::to_string_pretty(&comparison).unwrap_or_default();
        atomic::write(&path, format!("{json}\n").as_bytes()).map_err(ReportError::at(&path))?;
        console::out(table(&comparison));
        for q in [0.5, 0.95, 0.99] {
            if let Some(note) = too_few(&comparison, q) {
                console::out(note);
            }
        }
        let mut valid = true;
        for (data, _) in measured {
            let validity = data.summary.validity.iter();
            for reason in validity.flat_map(|it| &it.reasons) {
                valid = false;
                console::out(format_args!("not valid: {}: {reason}", data.config.run_id));
            }
        }
        let limit = self.args.p95_ms;
        let passed = gate(optimized, limit);
        let said = if passed { "passed" } else { "FAILED" };
        console::out(format_args!(
            "gate: p95 of the batches ≤ {limit} ms: {said}"
        ));
        console::out(format_args!("comparison: {}", path.display()));
        Ok(match passed {
            true if self.args.strict && !valid => ExitCode::from(EXIT_INVALID),
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        })
    }
}

/// That a percentile rests on less than `show` and `gate` would print it for.
fn too_few(comparison: &Comparison, q: f64) -> Option<String> {
    let sides = [&comparison.baseline, &comparison.optimized];
    let least = sides
        .map(|side| side.successful_requests)
        .into_iter()
        .min()?;
    let (name, needed) = (quantile_name(q), needed(q));
    (least as u64)
        .lt(&needed)
        .then(|| format!("{name} of {least} points is a guess: it takes {needed} (--points)"))
}

fn table(comparison: &Comparison) -> String {
    let mut table = Table::right(0);
    let head = ["", "points", "failed", "p50 ms", "p95 ms", "p99 ms"];
    table.row(head.map(str::to_owned).to_vec());
    let number = |value: Option<f64>| value.map_or("—".to_owned(), |value| format!("{value:.2}"));
    let cells = |percentiles: &Percentiles, write: &dyn Fn(Option<f64>) -> String| {
        [percentiles.p50, percentiles.p95, percentiles.p99].map(write)
    };
    let sides = [
        ("alone (baseline)", &comparison.baseline),
        ("in batches (optimized)", &comparison.optimized),
    ];
    for (name, side) in sides {
        let mut row = vec![
            name.to_owned(),
            side.total_requests.to_string(),
            side.failed_requests.to_string(),
        ];
        row.extend(cells(&side.percentiles, &number));
        table.row(row);
    }
    let percent =
        |value: Option<f64>| value.map_or("—".to_owned(), |value| format!("{value:+.1} %"));
    let mut row = vec!["improvement".to_owned(), String::new(), String::new()];
    row.extend(cells(&comparison.improvement, &percent));
    table.row(row);
    table.to_string()
}
