//! `tidemark-bench run`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgGroup, Args};
use tokio::runtime::Runtime;

use super::args::{KeyArgs, bounded, positive_duration, usage};
use super::chaos_args::ChaosArgs;
use super::cost_args::CostArgs;
use super::pace_args::PaceArgs;
use super::runs::{self, hooks};
use super::server_side_args::ServerSideArgs;
use super::workload_args::WorkloadArgs;
use super::{CommandError, EXIT_INVALID, EXIT_WRONG};
use crate::base_url::BaseUrl;
use crate::calibrate::{Calibration, Known};
use crate::chaos::ChaosFigures;
use crate::clock;
use crate::console;
use crate::interrupt::{self, EXIT_INTERRUPTED, Stop};
use crate::live::{Show, Target};
use crate::load::hooks::Hook;
use crate::load::response::{Op, OutcomeClass};
use crate::load::run::RunSettings;
use crate::load::{self};
use crate::report;
use crate::results::config::{Bound, LoadSpec, Pace, RunConfig, WorkloadSpec};
use crate::results::summary::Contributed;
use crate::results::text;
use crate::validity::Saturate;

pub(super) const HELP: &str = "\
Examples:
  tidemark-bench run                                      10 clients for 10 s, one predict each at a time
  tidemark-bench run --rate 500/s --duration 1m           500 predicts a second, whether or not replies keep up
  tidemark-bench run --rate 200/s --arrivals poisson --workload predict=8,columns=1,fit=1
  tidemark-bench run --stages 0:100/s,30s:1000/s --duration 45s --show p99=p99
  tidemark-bench run --clients 50 --requests-per-client 200 --workload columns --batch 500 --out results/columns
  tidemark-bench run --workload predict=8,fit=1 --oracle --ledger writes.ledger
  tidemark-bench run --rate 500/s --duration 30s --server-bin target/release/tidemark --at 10s sigkill --at 12s restart

A closed loop (--clients) sends when the last reply is there, and so is slowed down by a slow server; an open loop (--rate,
--stages, --trace) sends at moments fixed beforehand, and counts latency from them. Results go to a folder: report.html,
summary.md, summary.json, stats.json, responses.jsonl, run_config.json, latency.hlog.

Exit codes: 0 all replies were 2xx, 1 some were not, or the run could not be made, or (with --recover-within, which then
decides instead) goodput was not back in time, 2 usage, 3 not a valid measurement (with
--strict), 4 a wrong answer (with --oracle), 130 interrupted.";

/// How long a run sends unless told otherwise.
const DURATION: Duration = Duration::from_secs(10);

/// Flags of `tidemark-bench run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    common: CommonArgs,

    #[command(flatten)]
    workload: WorkloadArgs,

    #[command(flatten)]
    pace: PaceArgs,

    #[command(flatten)]
    bound: BoundArgs,

    #[command(flatten)]
    chaos: ChaosArgs,

    #[command(flatten)]
    server_side: ServerSideArgs,

    /// Folder for the results, which must not hold a run yet [default: results/run_{run_id}]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Check every answer to predict and columns by the client's own reference model: fits ask for
    /// gaussian with 3 sigma. One wrong answer: exit code 4
    #[arg(long, conflicts_with_all = ["payloads", "no_set_up"])]
    oracle: bool,

    /// Keep a ledger of fits and updates in this new file: what was sent, and what the server said
    /// to it, for `audit` to compare with what the server has
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,

    /// What `calibrate` saved, to be told with the run's figures
    #[arg(long, value_name = "FILE")]
    calibration: Option<PathBuf>,

    /// Exit with 3 when the client could not keep up, so that not only the server was measured
    #[arg(long)]
    strict: bool,

    /// Make the client bad at its work, for tests of what it says of itself
    #[arg(long, value_enum, hide = true)]
    fault: Option<Fault>,
}

/// What makes a client bad at its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Fault {
    /// Every request costs the thread that sends it so much that it cannot keep up.
    SaturateClient,
}

/// Of the reference model that answers are checked against.
const SIGMA: f64 = 3.0;

/// What a request costs a saturated client: at 100 requests a second two threads are busy.
const SATURATING: Duration = Duration::from_millis(20);

/// What runs have in common, also those of a sweep.
#[derive(Debug, Args)]
pub(super) struct CommonArgs {
    /// Server under test (plain http; a path prefix is kept)
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8000")]
    pub(super) base_url: BaseUrl,

    #[command(flatten)]
    pub(super) key: KeyArgs,

    /// Longest from sending a request to the end of its reply
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = positive_duration)]
    pub(super) timeout: Duration,

    /// 2xx replies later than this do not count as goodput, such as --good-within 50ms [default: the
    /// timeout]
    #[arg(long, value_name = "TIME", value_parser = positive_duration)]
    pub(super) good_within: Option<Duration>,

    /// Threads that send [default: one a processor, and no more than clients]
    #[arg(long, value_name = "N", value_parser = bounded(1_024))]
    pub(super) threads: Option<u32>,

    /// Untimed requests before the run, of those that change nothing
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(super) warm_up: u32,

    /// Decides every random value; drawn, printed and saved when not given
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(super) seed: Option<u64>,

    /// What to call the run in its report
    #[arg(long, value_name = "TEXT")]
    pub(super) name: Option<String>,

    /// Let requests wait rather than memory grow when the disk cannot keep up
    #[arg(long)]
    pub(super) low_memory: bool,

    /// A figure to show besides while it goes on, such as --show tail=p99.9 or --show predict.p95;
    /// may be repeated
    #[arg(long, value_name = "LABEL=STATISTIC")]
    pub(super) show: Vec<Show>,

    #[command(flatten)]
    pub(super) cost: CostArgs,
}

/// What ends a run.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("bound").multiple(false)))]
pub(super) struct BoundArgs {
    /// Requests that each client of a closed loop sends
    #[arg(long, value_name = "N", group = "bound", conflicts_with = "open", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) requests_per_client: Option<u64>,

    /// Requests in all
    #[arg(long, value_name = "N", group = "bound", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) requests: Option<u64>,

    /// How long requests are sent; those in flight then are finished [default: 10s]
    #[arg(long, value_name = "TIME", group = "bound", value_parser = positive_duration)]
    pub(super) duration: Option<Duration>,
}

/// A run's defaults that depend on each other.
impl CommonArgs {
    pub(super) fn settings(
        self,
        workload: WorkloadSpec,
        pace: Pace,
        bound: Bound,
        run_id: String,
        out: PathBuf,
    ) -> RunSettings {
        let timeout_ns = nanos(self.timeout);
        let most = match pace {
            Pace::Closed { clients } => clients,
            Pace::Open {
                max_connections, ..
            } => max_connections,
        };
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = u32::try_from(processors).unwrap_or(u32::MAX);
        RunSettings {
            base_url: self.key.on(self.base_url),
            run_id,
            name: self.name,
            command: std::env::args().collect(),
            // 32 bits are enough to tell runs apart, and short enough to type in again.
            seed: self.seed.unwrap_or_else(|| rand::random::<u32>().into()),
            workload,
            load: LoadSpec {
                pace,
                bound,
                timeout_ns,
                good_within_ns: self.good_within.map_or(timeout_ns, nanos),
                threads: self.threads.unwrap_or(threads).min(most),
                warm_up: self.warm_up,
                low_memory: self.low_memory,
            },
            out,
            hooks: hooks(self.cost.model().as_ref()),
            target: Target::stderr(),
            shows: self.show,
            ledger: None,
        }
    }
}

impl BoundArgs {
    pub(super) fn bound(&self) -> Bound {
        match (self.requests_per_client, self.requests, self.duration) {
            (Some(n), _, _) => Bound::RequestsPerClient { n },
            (_, Some(n), _) => Bound::Requests { n },
            (_, _, Some(time)) => Bound::Duration { ns: nanos(time) },
            (None, None, None) => Bound::Duration {
                ns: nanos(DURATION),
            },
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

pub(super) fn run(args: RunArgs) -> Result<ExitCode, CommandError> {
    let run_id = clock::unique_run_id();
    let out = args
        .out
        .unwrap_or_else(|| PathBuf::from(format!("results/run_{run_id}")));
    let mut workload = args.workload.into_spec()?;
    if args.oracle {
        // Without a prediction there is nothing that was fitted beforehand.
        if !workload.set_up {
            return Err(usage(
                "--oracle checks predict and columns, which --workload does not send",
            )
            .into());
        }
        workload.sigma = Some(SIGMA);
    }
    let mut settings = args.common.settings(
        workload,
        args.pace.into_pace()?,
        args.bound.bound(),
        run_id,
        out.clone(),
    );
    settings.hooks.push(Box::new(Announcement));
    settings.ledger = args.ledger;
    if let Some(file) = &args.calibration {
        settings
            .hooks
            .push(Box::new(Known(Calibration::read(file)?)));
    }
    match args.fault {
        Some(Fault::SaturateClient) => settings.hooks.push(Box::new(Saturate(SATURATING))),
        None => {}
    }
    if settings.ledger.is_some() && !can_be_ledgered(&settings.workload) {
        return Err(usage(
            "--ledger is about generated fits and updates: --workload has to send some, and no ndjson",
        )
        .into());
    }
    let (runtime, stop) = listening()?;
    let chaos = args
        .chaos
        .prepare(&settings.base_url, &out, (&runtime, &stop))?;
    if let Some(hook) = chaos.hook(&out) {
        settings.hooks.push(Box::new(hook));
    }
    let seen = args
        .server_side
        .hook(&settings.base_url, &chaos.subject, &out)?;
    settings.hooks.push(Box::new(seen));
    let data = load::run::run(settings, &runtime, &stop)?;
    let page = report::run::write(&out, &data)?;
    console::out(text::render(&data).trim_end());
    console::out(format_args!("report: {}", page.display()));
    Ok(if data.summary.interrupted {
        ExitCode::from(EXIT_INTERRUPTED)
    } else if data
        .summary
        .answers
        .is_some_and(|answers| answers.wrong > 0)
    {
        ExitCode::from(EXIT_WRONG)
    } else if args.strict && data.summary.validity.is_some_and(|it| !it.valid) {
        ExitCode::from(EXIT_INVALID)
    } else if let Some(within) = chaos.recover_within {
        recovered(&data.summary.contributed, within)
    } else if data.stats.requests == data.stats.count(OutcomeClass::Ok) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Whether the server was back in time after everything that was done to it. Replies that failed meanwhile were meant to.
fn recovered(contributed: &Contributed, within: Duration) -> ExitCode {
    let figures = ChaosFigures::of(contributed).unwrap_or_default();
    let mut exit = ExitCode::SUCCESS;
    for act in figures.unrecovered(within) {
        let (action, recovery) = (&act.action, act.recovery);
        console::out(format_args!(
            "not back to 95 % within {within:?} of {action}: {recovery}"
        ));
        exit = ExitCode::FAILURE;
    }
    exit
}

/// Says which run begins. Only when it does: one that cannot begin prints nothing but why.
struct Announcement;

impl Hook for Announcement {
    fn name(&self) -> &str {
        "announcement"
    }

    fn before_run(&self, config: &RunConfig) {
        let (run_id, base_url) = (&config.run_id, &config.base_url);
        console::out(runs::begun("run", run_id, base_url, config.seed));
    }
}

/// Whether there are writes, and each is answered with its number alone.
fn can_be_ledgered(workload: &WorkloadSpec) -> bool {
    let sends = |op: Op| workload.mix.iter().any(|share| share.op == op);
    let writes = sends(Op::Fit) || sends(Op::Update);
    workload.payloads.is_none() && writes && !sends(Op::Ndjson)
}

/// A runtime that listens to signals.
pub(super) fn listening() -> std::io::Result<(Runtime, Stop)> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        // The threads that send have runtimes of their own.
        .worker_threads(1)
        .enable_all()
        .build()?;
    let stop = {
        let _inside = runtime.enter();
        interrupt::on_signals()?
    };
    Ok((runtime, stop))
}
