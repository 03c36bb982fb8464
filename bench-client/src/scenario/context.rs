//! What a scenario works with: the server, load through the engine, and single requests.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::Request;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::server::{Server, ServerCommand};
use super::{Settings, Target};
use crate::base_url::BaseUrl;
use crate::client::{Client, ClientError, Outcome as Reply};
use crate::clock::millis;
use crate::interrupt::Stop;
use crate::live;
use crate::load;
use crate::load::hooks::Hook;
use crate::load::response::{Op, ResponseRecord};
use crate::load::run::{LoadError, RunSettings};
use crate::reach::{Unreachable, reach};
use crate::results::config::{Bound, LoadSpec, Pace, Share, WorkloadSpec};
use crate::results::summary::RunData;
use crate::stats::Sorted;

/// Why a scenario came to no verdict.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// A signal came.
    #[error("interrupted")]
    Interrupted,
    /// The scenario needs to start, stop or kill the server itself.
    #[error("it starts, stops or kills the server itself: give it one with --server-bin PATH")]
    NeedsBinary,
    /// Nothing accepts connections at the base URL.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// A run of load could not be made.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The HTTP client could not be set up.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A body could not be written.
    #[error("cannot write a body: {0}")]
    Body(#[from] serde_json::Error),
    /// What the scenario needs before its load was not answered with success.
    #[error("{what} was not answered with success: {why}")]
    Preparation {
        /// Which request.
        what: String,
        /// What became of it.
        why: String,
    },
    /// A process could not be started, or a folder not be written.
    #[error(transparent)]
    System(#[from] io::Error),
}

/// A scenario under way.
pub struct Context<'a> {
    pub(super) settings: &'a Settings,
    pub(super) runtime: &'a Runtime,
    pub(super) stop: &'a Stop,
    /// Its own folder.
    pub(super) dir: PathBuf,
    /// Beginning of the names of its series.
    pub(super) id: String,
}

/// The server under test.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) base: BaseUrl,
    /// Where its memory can be read.
    pub(super) pid: Option<u32>,
    /// It ends with this; the folder goes away after it.
    _started: Option<(Server, TempDir)>,
}

/// A run of load that is over.
pub(super) struct Loaded {
    pub(super) data: RunData,
    pub(super) records: Vec<ResponseRecord>,
}

/// One request of a burst.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) latency_ms: f64,
    pub(super) reply: Reply,
}

/// Keeps every record of a short run.
struct Keep(Arc<Mutex<Vec<ResponseRecord>>>);

impl Hook for Keep {
    fn name(&self) -> &str {
        "records"
    }

    fn after_response(&self, response: &ResponseRecord) {
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        records.push(response.clone());
    }
}

impl Context<'_> {
    /// The short form or the long one.
    pub(super) fn pick<T>(&self, short: T, long: T) -> T {
        if self.settings.short { short } else { long }
    }

    /// Does `work`, unless a signal comes.
    pub(super) fn wait<T>(&self, work: impl Future<Output = T>) -> Result<T, ScenarioError> {
        let done = self.runtime.block_on(self.stop.guard(work));
        done.ok_or(ScenarioError::Interrupted)
    }

    pub(super) fn pause(&self, time: Duration) -> Result<(), ScenarioError> {
        self.wait(tokio::time::sleep(time))
    }

    /// The server at the base URL, or one that is started over an empty folder.
    pub(super) fn subject(&self) -> Result<Subject, ScenarioError> {
        match &self.settings.target {
            Target::Url { base, pid } => {
                self.wait(reach(base))??;
                Ok(Subject {
                    base: base.clone(),
                    pid: *pid,
                    _started: None,
                })
            }
            Target::Binary(_) => {
                let folder = tempfile::tempdir()?;
                let server = self.start(&folder)?;
                Ok(Subject {
                    base: server.base.clone(),
                    pid: Some(server.pid()),
                    _started: Some((server, folder)),
                })
            }
        }
    }

    /// The program of a server that the scenario starts itself.
    pub(super) fn binary(&self) -> Result<&ServerCommand, ScenarioError> {
        match &self.settings.target {
            Target::Binary(command) => Ok(command),
            Target::Url { .. } => Err(ScenarioError::NeedsBinary),
        }
    }

    /// Starts a server over `folder`.
    pub(super) fn start(&self, folder: &TempDir) -> Result<Server, ScenarioError> {
        let data = folder.path().join("data");
        let log = self.dir.join("server.log");
        Ok(self.wait(Server::start(self.binary()?, &data, &log))??)
    }

    /// A client with room for `pool` connections.
    pub(super) fn client(&self, base: &BaseUrl, pool: usize) -> Result<Client, ScenarioError> {
        Ok(Client::new(base, pool, Duration::from_secs(30))?)
    }

    /// Sends load and keeps its folder as `name`, and every record.
    pub(super) fn load(
        &self,
        base: &BaseUrl,
        name: &str,
        workload: WorkloadSpec,
        load: LoadSpec,
    ) -> Result<Loaded, ScenarioError> {
        self.load_hooked(base, name, workload, load, Vec::new())
    }

    /// As [`Context::load`], with further hooks.
    pub(super) fn load_hooked(
        &self,
        base: &BaseUrl,
        name: &str,
        workload: WorkloadSpec,
        load: LoadSpec,
        mut hooks: Vec<Box<dyn Hook>>,
    ) -> Result<Loaded, ScenarioError> {
        let records = Arc::new(Mutex::new(Vec::new()));
        hooks.push(Box::new(Keep(Arc::clone(&records))));
        let data = self.load_with(base, name, workload, load, hooks)?;
        let records = std::mem::take(&mut *records.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(Loaded { data, records })
    }

    /// Sends load and keeps its folder as `name`.
    pub(super) fn load_with(
        &self,
        base: &BaseUrl,
        name: &str,
        workload: WorkloadSpec,
        load: LoadSpec,
        hooks: Vec<Box<dyn Hook>>,
    ) -> Result<RunData, ScenarioError> {
        let settings = RunSettings {
            base_url: base.clone(),
            run_id: format!("{}_{name}", self.id),
            name: Some(name.to_owned()),
            command: std::env::args().collect(),
            seed: self.settings.seed,
            workload,
            load,
            out: self.dir.join(name),
            hooks,
            ledger: None,
            target: live::Target::nowhere(),
            shows: Vec::new(),
        };
        let data = match load::run::run(settings, self.runtime, self.stop) {
            Ok(data) if data.summary.interrupted => return Err(ScenarioError::Interrupted),
            Err(LoadError::InterruptedBefore) => return Err(ScenarioError::Interrupted),
            done => done?,
        };
        Ok(data)
    }
}

/// Sends all at once, each timed from its own start.
pub(super) async fn at_once(client: &Client, requests: Vec<Request>) -> Vec<Call> {
    let mut tasks = JoinSet::new();
    for request in requests {
        let client = client.clone();
        tasks.spawn(async move { call(&client, request).await });
    }
    tasks.join_all().await
}

/// Sends one.
pub(super) async fn call(client: &Client, request: Request) -> Call {
    let sent = Instant::now();
    let reply = client.send(request).await;
    Call {
        latency_ms: millis(sent.elapsed()),
        reply,
    }
}

/// Their latencies.
pub(super) fn latencies<'a>(calls: impl IntoIterator<Item = &'a Call>) -> Sorted {
    Sorted::new(calls.into_iter().map(|call| call.latency_ms).collect())
}

/// A workload of one kind over so many series.
pub(super) fn workload(op: Op, series: u32, points_per_fit: u32, batch: u32) -> WorkloadSpec {
    WorkloadSpec {
        mix: vec![Share { op, weight: 1 }],
        series,
        points_per_fit,
        batch,
        distinct: series.max(20),
        payloads: None,
        set_up: true,
        sigma: None,
    }
}

/// A shape of load, where replies within `good_within` are good and none may take five times that.
pub(super) fn shape(pace: Pace, bound: Bound, good_within: Duration) -> LoadSpec {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let most = match pace {
        Pace::Closed { clients } => clients,
        Pace::Open {
            max_connections, ..
        } => max_connections,
    };
    let good_within_ns = u64::try_from(good_within.as_nanos()).unwrap_or(u64::MAX);
    LoadSpec {
        pace,
        bound,
        timeout_ns: good_within_ns.saturating_mul(5),
        good_within_ns,
        threads: u32::try_from(cpus).unwrap_or(u32::MAX).min(most),
        warm_up: 5,
        low_memory: false,
    }
}

pub(super) fn lasting(time: Duration) -> Bound {
    Bound::Duration {
        ns: u64::try_from(time.as_nanos()).unwrap_or(u64::MAX),
    }
}
