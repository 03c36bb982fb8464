//! A run from its settings to its folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::runtime::Runtime;

use super::check::{self, Check};
use super::collector::Collector;
use super::counters::Now;
use super::engine::{self, Ended, Engine, Plan};
use super::hooks::{self, Hook};
use super::prepare;
use super::recorder;
use super::resources;
use super::sender::Announcing;
use super::watch::Watching;
use crate::arrivals::{self, Trace, TraceError};
use crate::base_url::BaseUrl;
use crate::host::{ClientBuild, Host};
use crate::interrupt::{self, Stop};
use crate::ledger::LedgerError;
use crate::live::{Display, Show, Target};
use crate::reach::{Unreachable, reach};
use crate::results::config::{self, Bound, LoadSpec, Pace, RunConfig, WorkloadSpec};
use crate::results::error::ResultsError;
use crate::results::folder::FolderWriter;
use crate::results::histogram_log;
use crate::results::summary::{self, ClientUse, RunData, RunSummary};
use crate::server_side::timeline;
use crate::tally::Tally;
use crate::validity;
use crate::workload::{Workload, WorkloadError};

/// What a run needs.
pub struct RunSettings {
    /// The server.
    pub base_url: BaseUrl,
    /// Part of the names of series and of the folder's.
    pub run_id: String,
    /// What the user calls it.
    pub name: Option<String>,
    /// The command line, to run it again.
    pub command: Vec<String>,
    /// Decides every random value.
    pub seed: u64,
    /// What is sent.
    pub workload: WorkloadSpec,
    /// When and how it is sent.
    pub load: LoadSpec,
    /// Where the results go; a folder that has none yet.
    pub out: PathBuf,
    /// Code that joins the run.
    pub hooks: Vec<Box<dyn Hook>>,
    /// Where it is shown while it goes on.
    pub target: Target,
    /// Figures shown besides.
    pub shows: Vec<Show>,
    /// Where writes and what the server said to them are kept, a file that is not there yet.
    pub ledger: Option<PathBuf>,
}

/// Why a run left no results, or not all of them.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Nothing accepts connections at the base URL.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// The payloads cannot be made.
    #[error(transparent)]
    Workload(#[from] WorkloadError),
    /// The trace cannot be read.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// The folder cannot be written.
    #[error(transparent)]
    Folder(#[from] ResultsError),
    /// No series could be made, so that nothing would be measured but failures.
    #[error(
        "none of the {requests} fits before the run succeeded: {reason} (--no-set-up goes on without them)"
    )]
    SetUp {
        /// Fits tried.
        requests: u64,
        /// What the first few said.
        reason: String,
    },
    /// The ledger cannot be written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A signal came before the first request.
    #[error("interrupted before the first request")]
    InterruptedBefore,
    /// The operating system refused a thread or a timer.
    #[error("cannot run: {}{}", .0, hint(.0))]
    System(#[from] std::io::Error),
}

/// What helps against an error of the operating system.
fn hint(error: &std::io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(code) if code == rustix::io::Errno::MFILE.raw_os_error() => {
            " (raise `ulimit -n`: each connection takes one, each thread a few)"
        }
        _ => "",
    }
}

/// Makes a run and leaves its folder, also when `stop` cuts it short. Blocks; `runtime` is for what
/// precedes the run and for listening to `stop`.
///
/// # Errors
/// When nothing was measured, or what was measured could not be written.
pub fn run(settings: RunSettings, runtime: &Runtime, stop: &Stop) -> Result<RunData, LoadError> {
    let reached = runtime.block_on(stop.guard(reach(&settings.base_url)));
    let address = reached.ok_or(LoadError::InterruptedBefore)??;
    let workload = Workload::build(
        &settings.workload,
        &settings.base_url,
        &settings.run_id,
        settings.seed,
    )?;
    let workload = Arc::new(workload);
    let pace = pace(&settings.load, settings.seed)?;
    // A minute of set-up must not end at a folder that cannot be used.
    FolderWriter::check(&settings.out)?;
    let hooks: Arc<[Box<dyn Hook>]> = settings.hooks.into();
    let mut config = RunConfig {
        format_version: config::FORMAT_VERSION,
        run_id: settings.run_id,
        name: settings.name,
        started_at: Timestamp::now(),
        command: settings.command,
        base_url: settings.base_url.to_string(),
        seed: settings.seed,
        workload: settings.workload,
        load: settings.load,
        client: ClientBuild::current(),
        host: Host::detect(),
        merged_from: Default::default(),
    };
    let mut display = Display::new(&config, &settings.shows, settings.target);
    let mut check = Check::of(&config, &workload, settings.ledger.as_deref())?;
    let keep = check.as_ref().map_or(0, |_| check::KEEP_BYTES);
    let (before, fits) = prepare::prepare(
        &workload,
        &config.load,
        address,
        runtime,
        stop,
        &mut display,
        keep,
    )?;
    if let Some(check) = &mut check {
        check.set_up(&fits)?;
    }
    drop(fits);

    let plan = Plan {
        address,
        timeout: Duration::from_nanos(config.load.timeout_ns),
        threads: config.load.threads.max(1) as usize,
        pace,
        source: Arc::new({
            let workload = Arc::clone(&workload);
            move |index| workload.request(index)
        }),
        hooks: Arc::clone(&hooks),
        keep,
        ledger: None,
    };
    let mut tally = Tally::new(Duration::from_nanos(config.load.good_within_ns));
    let measured = measure(
        plan,
        &mut config,
        Into {
            out: &settings.out,
            tally: &mut tally,
            check,
        },
        runtime,
        stop,
        &mut display,
    )?;

    display.finish();
    let interrupted = stop.is_set();
    if !interrupted {
        tally.lasted(config.lasts());
    }
    let mut stats = tally.stats();
    let finish = |check: Check| check.finish(interrupted);
    let answers = measured.check.map(finish).transpose()?.flatten();
    if let Some(answers) = &answers {
        answers.correct(&mut stats);
    }
    let asked: Vec<_> = settings.shows.iter().map(|show| &show.statistic).collect();
    let validity = validity::verdict(&stats, &measured.client_use, &asked);
    let summary = RunSummary {
        format_version: summary::FORMAT_VERSION,
        kind: "run".to_owned(),
        run_id: config.run_id.clone(),
        finished_at: Some(Timestamp::now()),
        interrupted,
        rebuilt: false,
        planned: config.load.planned(),
        unsent: Some(measured.unsent),
        dropped: Some(measured.dropped),
        before,
        client_use: Some(measured.client_use),
        validity: Some(validity),
        answers,
        headline: summary::Headline::of(&stats),
        contributed: hooks::after_run(&hooks, &config, &stats),
    };
    let histograms = histogram_log::render(&tally, config.started_at);
    measured.folder.finish(&summary, &stats, &histograms)?;
    Ok(RunData {
        config,
        summary,
        stats,
        timeline: timeline::read(&settings.out),
    })
}

/// What is known of a run beside its responses.
struct Measured {
    folder: FolderWriter,
    unsent: u64,
    dropped: u64,
    client_use: ClientUse,
    check: Option<Check>,
}

/// Where what is measured goes.
struct Into<'a> {
    out: &'a Path,
    tally: &'a mut Tally,
    check: Option<Check>,
}

fn measure(
    mut plan: Plan,
    config: &mut RunConfig,
    into: Into<'_>,
    runtime: &Runtime,
    stop: &Stop,
    display: &mut Display,
) -> Result<Measured, LoadError> {
    let Into { out, tally, check } = into;
    // The run stops on a signal, and when its folder cannot be written.
    let (handle, stop_run) = interrupt::manual();
    let handle = Arc::new(handle);
    let forward = runtime.spawn({
        let (stop, handle) = (stop.clone(), Arc::clone(&handle));
        async move {
            stop.wait().await;
            handle.stop();
        }
    });
    plan.ledger = check.as_ref().and_then(|check| {
        Some(Announcing {
            ledger: Arc::clone(check.ledger.as_ref()?),
            broken: Arc::clone(&handle),
        })
    });
    let (checks, to_check) = match &check {
        // As many as may wait for the disk; then the disk waits for the checks.
        Some(_) => Some(recorder::channel(true)).unzip(),
        None => (None, None),
    };
    let (sender, receiver) = recorder::channel(config.load.low_memory);
    let counters = engine::counters(plan.threads);
    let hooks = Arc::clone(&plan.hooks);
    let threads = plan.threads;
    let engine = Engine::start(plan, &counters, &sender, &stop_run)?;
    drop(sender);
    let ready = runtime.block_on(stop_run.guard(engine.ready()));
    // The clocks of the run start when its connections are open.
    config.started_at = Timestamp::now();
    let folder = match ready {
        Some(()) => FolderWriter::create(out, config).map_err(LoadError::from),
        None => Err(LoadError::InterruptedBefore),
    };
    let mut folder = match folder {
        Ok(folder) => folder,
        Err(error) => {
            handle.stop();
            engine.join()?;
            return Err(error);
        }
    };
    for hook in &*hooks {
        hook.before_run(config);
    }
    let (began, cpu_before) = (Instant::now(), resources::cpu_time());
    let mut watching = Watching::new(display, &counters, &config.load);
    // A signal in this moment ends the threads, and what was measured is nothing.
    let started = runtime.block_on(stop_run.guard(engine.go()));
    if started.is_some() {
        let start = engine.start_time();
        hooks.iter().for_each(|hook| hook.started(start));
    }
    let collector = Collector {
        records: &receiver,
        folder: &mut folder,
        tally,
        hooks: &hooks,
        check: checks,
        broken: &handle,
        watching: &mut watching,
    };
    let broken = &*handle;
    let (collected, checked, ended) = thread::scope(|scope| {
        let checking = check.zip(to_check).map(|(check, to_check)| {
            thread::Builder::new()
                .name("check".to_owned())
                .spawn_scoped(scope, move || check.run(&to_check, broken))
        });
        let collecting = thread::Builder::new()
            .name("collect".to_owned())
            .spawn_scoped(scope, move || collector.run());
        let ended = engine.join();
        let collected = collecting.map(join);
        let checked = checking.map(|thread| thread.map(join));
        (collected, checked, ended)
    });
    let wall = began.elapsed();
    forward.abort();
    let ended = ended?;
    collected??;
    let check = checked.transpose()?.transpose()?;
    let now = Now::of(&counters);
    hooks.iter().for_each(|hook| hook.over(now.in_flight()));
    Ok(Measured {
        folder,
        check,
        unsent: ended.unsent,
        dropped: now.in_flight(),
        client_use: client_use(
            resources::cpu_time() - cpu_before,
            wall,
            now,
            &ended,
            threads,
        ),
    })
}

fn join<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread
        .join()
        .unwrap_or_else(|panicked| std::panic::resume_unwind(panicked))
}

fn client_use(cpu: Duration, wall: Duration, now: Now, ended: &Ended, threads: usize) -> ClientUse {
    let cpus = thread::available_parallelism().map_or(1, usize::from);
    let share = |cpu: Duration, processors: usize| {
        let available = wall.as_secs_f64() * processors as f64;
        (available > 0.0).then(|| cpu.as_secs_f64() / available)
    };
    ClientUse {
        cpu_s: cpu.as_secs_f64(),
        cpu_share: share(cpu, cpus),
        senders_share: share(ended.cpu, threads.min(cpus)),
        max_rss_bytes: resources::resident_bytes().1,
        connections: now.connections,
        reconnects: now.reconnects,
        waited_for_disk_ns: u64::try_from(ended.waited.as_nanos()).unwrap_or(u64::MAX),
        // What was dropped in flight has no record to be held against.
        in_flight_ns: (now.in_flight() == 0).then_some(now.in_flight_ns),
    }
}

fn pace(load: &LoadSpec, seed: u64) -> Result<engine::Pace, LoadError> {
    let until = match load.bound {
        Bound::Requests { n } => engine::Bound::Requests(n),
        Bound::RequestsPerClient { n } => engine::Bound::RequestsPerClient(n),
        Bound::Duration { ns } => engine::Bound::After(Duration::from_nanos(ns)),
    };
    Ok(match &load.pace {
        Pace::Closed { clients } => engine::Pace::Closed {
            clients: *clients,
            until,
        },
        Pace::Open {
            arrivals,
            connections,
            max_connections,
        } => {
            let trace = Trace::of(arrivals)?;
            let arrivals = arrivals.clone();
            engine::Pace::Open {
                moments: Box::new(move || arrivals::schedule(&arrivals, seed, trace.as_ref())),
                connections: *connections,
                max_connections: *max_connections,
                until,
            }
        }
    })
}
