//! What this machine's client measures of a server that does nothing: the latency below which it
//! cannot see, and the rate above which it measures itself.
//!
//! The server is the built-in one, on threads of this process, over the loopback interface. So the
//! floor has both sides' share of the kernel in it, and the highest rate is that of client and
//! server on the same processors; a client on a machine of its own is faster. Runs are made as any
//! other, with every response written down.

mod file;

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use tokio::runtime::Runtime;

pub use self::file::{Calibration, CalibrationError, Closed, Known, Open};

use crate::base_url::BaseUrl;
use crate::host::{ClientBuild, Host};
use crate::interrupt::Stop;
use crate::live::Target;
use crate::load::response::Op;
use crate::load::run::{LoadError, RunSettings, run};
use crate::results::config::{Arrivals, Bound, LoadSpec, Pace, Share, WorkloadSpec};
use crate::results::summary::RunData;
use crate::stub::{Settings as StubSettings, Stub, StubError};

/// Clients that are tried for the highest rate.
const CLIENTS: [u32; 7] = [1, 2, 4, 8, 16, 32, 64];

/// Requests a second of the open loop: few enough for any machine.
const OPEN_PER_S: f64 = 500.0;

/// Connections of the open loop at most.
const OPEN_CONNECTIONS: u32 = 64;

const TIMEOUT_NS: u64 = 10_000_000_000;

/// Why there is no calibration.
#[derive(Debug, thiserror::Error)]
pub enum CalibrateError {
    /// The built-in server does not start.
    #[error(transparent)]
    Stub(#[from] StubError),
    /// A run failed.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The folder for the runs cannot be made.
    #[error("cannot make a folder for the runs: {0}")]
    Folder(#[source] std::io::Error),
    /// The built-in server's address is not understood.
    #[error("the address of the built-in server: {0}")]
    Address(String),
    /// Some requests of a run failed, so that its figures say nothing.
    #[error("{failed} of {requests} requests to the built-in server failed")]
    Failed {
        /// How many.
        failed: u64,
        /// Of how many.
        requests: u64,
    },
    /// A signal came.
    #[error("interrupted")]
    Interrupted,
}

/// Makes one run of `each` at one connection, one in an open loop, and one for each number of
/// clients, telling `progress` of each before it begins. Blocks.
///
/// # Errors
/// When a run fails or is interrupted.
pub fn calibrate(
    each: Duration,
    threads: u32,
    runtime: &Runtime,
    stop: &Stop,
    progress: impl Fn(&str),
) -> Result<Calibration, CalibrateError> {
    let stub = Stub::start(&StubSettings {
        threads: threads as usize,
        ..StubSettings::default()
    })?;
    let base: BaseUrl = stub
        .url
        .parse()
        .map_err(|error| CalibrateError::Address(format!("{error}")))?;
    let folder = tempfile::tempdir().map_err(CalibrateError::Folder)?;
    let runs = Runs {
        base,
        folder: folder.path(),
        each,
        threads,
        runtime,
        stop,
    };
    let started_at = Timestamp::now();
    progress("open loop");
    let open = runs.run("open", constant(OPEN_PER_S))?;
    let mut rates = Vec::new();
    for clients in CLIENTS {
        progress(&format!("closed loop, {clients} clients"));
        let closed = runs.run(&format!("{clients:02}"), Pace::Closed { clients })?;
        rates.push(Closed::of(clients, &closed));
    }
    Ok(Calibration::new(
        started_at,
        ClientBuild::current(),
        Host::detect(),
        (threads, each),
        Open::of(OPEN_PER_S, &open),
        rates,
    ))
}

fn constant(per_s: f64) -> Pace {
    Pace::Open {
        arrivals: Arrivals::Constant { per_s },
        connections: 1,
        max_connections: OPEN_CONNECTIONS,
    }
}

struct Runs<'a> {
    base: BaseUrl,
    folder: &'a Path,
    each: Duration,
    threads: u32,
    runtime: &'a Runtime,
    stop: &'a Stop,
}

impl Runs<'_> {
    fn run(&self, name: &str, pace: Pace) -> Result<RunData, CalibrateError> {
        let most = match pace {
            Pace::Closed { clients } => clients,
            Pace::Open {
                max_connections, ..
            } => max_connections,
        };
        let predict = Share {
            op: Op::Predict,
            weight: 1,
        };
        let settings = RunSettings {
            base_url: self.base.clone(),
            run_id: format!("calibrate_{name}"),
            name: None,
            command: std::env::args().collect(),
            seed: 0,
            workload: WorkloadSpec {
                mix: vec![predict],
                series: 100,
                points_per_fit: 3,
                batch: 1,
                distinct: 1_000,
                payloads: None,
                // The server learns nothing.
                set_up: false,
                sigma: None,
            },
            load: LoadSpec {
                pace,
                bound: Bound::Duration {
                    ns: u64::try_from(self.each.as_nanos()).unwrap_or(u64::MAX),
                },
                timeout_ns: TIMEOUT_NS,
                good_within_ns: TIMEOUT_NS,
                threads: self.threads.min(most),
                warm_up: 100,
                low_memory: false,
            },
            out: self.folder.join(name),
            hooks: Vec::new(),
            target: Target::nowhere(),
            shows: Vec::new(),
            ledger: None,
        };
        let data = run(settings, self.runtime, self.stop)?;
        let (requests, ok) = (data.summary.headline.requests, data.summary.headline.ok);
        if data.summary.interrupted {
            Err(CalibrateError::Interrupted)
        } else if ok < requests || requests == 0 {
            let failed = requests - ok;
            Err(CalibrateError::Failed { failed, requests })
        } else {
            Ok(data)
        }
    }
}
