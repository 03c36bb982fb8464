//! Builds and runs the server: bind first, open the store behind the listener, then say so.
//!
//! Probes are answered from the first millisecond; requests that need the store are refused with
//! 503 until it is open.

use std::io::Write;
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use actix_web::dev::Server;
use actix_web::web::Data;
use api::{Code, Rejection};

use crate::admission::Admission;
use crate::backup;
use crate::compute::Compute;
use crate::config::ServeConfig;
use crate::connection::{self, CertificateFiles, Limits, Peers, Tls};
use crate::control::{self, Control};
use crate::demo;
use crate::health_listener::HealthListener;
use crate::http;
use crate::keys::{self, KeyRing};
use crate::listener::Listener;
use crate::metrics::Metrics;
use crate::registry::{Registry, RegistryOptions};
use crate::shutdown::{Drain, Serving, StopRequests};
use crate::store::{BackupError, EmbeddedOptions, EmbeddedStore, StoreError};
use crate::telemetry::Telemetry;
use crate::warm_start::WarmStart;

/// What every request sees.
pub struct State {
    registry: OnceLock<Registry>,
    /// CPU work.
    pub compute: Compute,
    /// What is taken on.
    pub admission: Admission,
    /// Latencies.
    pub metrics: Metrics,
    /// Who may ask.
    pub keys: Arc<KeyRing>,
    /// Logs and traces.
    pub telemetry: Telemetry,
    /// Largest request body.
    pub max_body_bytes: usize,
    /// Whether the operator trusts the network around the server.
    pub is_insecure: bool,
    draining: AtomicBool,
    in_flight: AtomicUsize,
}

impl State {
    /// What is there before the store is open.
    pub(crate) fn new(compute: Compute, admission: Admission, max_body_bytes: usize) -> Self {
        Self {
            registry: OnceLock::new(),
            compute,
            admission,
            metrics: Metrics::default(),
            keys: Arc::default(),
            telemetry: Telemetry::default(),
            max_body_bytes,
            is_insecure: false,
            draining: AtomicBool::new(false),
            in_flight: AtomicUsize::new(0),
        }
    }

    /// Lets requests see the registry; the first one stays.
    pub(crate) fn opened(&self, registry: Registry) {
        let _ = self.registry.set(registry);
    }

    /// The registry, once the store is open.
    ///
    /// # Errors
    /// `store_unavailable` before that.
    pub fn registry(&self) -> Result<&Registry, Rejection> {
        self.registry.get().ok_or_else(|| {
            Rejection::new(Code::StoreUnavailable, "the store is still being opened")
        })
    }

    /// Whether a request to stop has arrived.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    pub(crate) fn start_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Requests whose handler runs.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(crate) fn enter(&self) -> InFlight<&Self> {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(self)
    }

    /// As [`State::enter`], for what goes on after the handler has answered.
    pub(crate) fn enter_shared(state: &Data<Self>) -> InFlight<Arc<Self>> {
        state.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(Arc::clone(state))
    }
}

/// One request in flight; counts itself out when dropped, also when its client hangs up.
pub(crate) struct InFlight<S: Deref<Target = State>>(S);

impl<S: Deref<Target = State>> Drop for InFlight<S> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Why the server did not start or did not keep running.
#[derive(Debug, thiserror::Error)]
pub enum StartupError {
    /// The configuration is refused.
    #[error("{0}")]
    Config(String),
    /// The address cannot be listened on.
    #[error("cannot listen on {addr}: {reason}")]
    Bind {
        /// The address asked for.
        addr: SocketAddr,
        /// What the system says.
        reason: std::io::Error,
    },
    /// The compute threads cannot be started.
    #[error("cannot start the compute threads: {0}")]
    Compute(#[from] rayon::ThreadPoolBuildError),
    /// The store cannot be opened.
    #[error("cannot open the store: {0}")]
    Store(#[from] StoreError),
    /// An example series cannot be fitted.
    #[error("cannot fit the example series: {0}")]
    Demo(String),
    /// The listener failed while serving.
    #[error("the server failed: {0}")]
    Server(std::io::Error),
    /// A thread of the server panicked.
    #[error("a thread of the server failed: {0}")]
    Thread(String),
}

/// A bound server whose store is not open yet.
pub struct Application {
    server: Server,
    listener: Listener,
    addr: SocketAddr,
    health: Option<HealthListener>,
    state: Arc<State>,
    config: ServeConfig,
}

impl Application {
    /// Binds the addresses and starts the workers. Needs a tokio runtime.
    ///
    /// # Errors
    /// When the configuration is refused, or the address or threads cannot be had.
    pub fn build(config: &ServeConfig) -> Result<Self, StartupError> {
        config.check().map_err(StartupError::Config)?;
        let bind_error = |reason| StartupError::Bind {
            addr: config.addr,
            reason,
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let or_cores = |threads: usize| if threads == 0 { cores } else { threads };
        let budget = config.admission.budget().map_err(StartupError::Config)?;
        let compute = Compute::new(or_cores(config.compute_threads))?;
        let is_named = config.keys.keys.is_some();
        let keys = keys::follow(config.keys_file(), is_named).map_err(StartupError::Config)?;
        let is_in_the_clear = config.connections.tls_cert.is_none();
        // Also with `--insecure`, which is said where there are no keys, and stays when there are.
        if config.is_public() && keys.is_on() && is_in_the_clear {
            tracing::warn!(
                "API keys and series cross the network as they are: use --tls-cert and --tls-key, or put a proxy that \
                 speaks TLS in front"
            );
        }
        let tenant_header = config.admission.tenant_header.clone();
        let admission = Admission::new(budget.requests, tenant_header);
        let state = Arc::new(State {
            telemetry: Telemetry::new(&config.telemetry).map_err(StartupError::Config)?,
            is_insecure: config.insecure,
            keys,
            ..State::new(compute, admission, config.max_body)
        });
        let _ = state
            .metrics
            .memory_budget
            .set(config.admission.memory_budget);
        let listener = Listener::bind(config.addr).map_err(bind_error)?;
        let addr = listener.addr().map_err(bind_error)?;
        let health = match config.probes.health_addr {
            Some(addr) => Some(HealthListener::start(addr, Arc::clone(&state))?),
            None => None,
        };
        let shared = Data::from(Arc::clone(&state));
        let serving = connection::Serving {
            workers: or_cores(config.workers),
            max_connections: config.admission.max_connections as usize,
            shutdown_timeout: config.drain_timeout,
            limits: Limits::keeping(config.connections.keep_alive),
            connections: state.metrics.connections.clone(),
            peers: Peers::new(
                config.connections.max_connections_per_peer,
                config.admission.max_connections,
            ),
            tls: tls(config, &state.metrics).map_err(StartupError::Config)?,
        };
        let socket = listener.share().map_err(bind_error)?;
        let server = connection::serve(socket, serving, shared, http::dispatch);
        Ok(Self {
            server: server.map_err(bind_error)?,
            listener,
            addr,
            health,
            state,
            config: config.clone(),
        })
    }

    /// The address listened on; the port is the one the system gave if 0 was asked for.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The address of `--health-addr`.
    #[must_use]
    pub fn health_addr(&self) -> Option<SocketAddr> {
        self.health.as_ref().map(HealthListener::addr)
    }

    /// Opens the store, says on stdout where it listens, and serves until a request to stop.
    ///
    /// # Errors
    /// When the store cannot be opened or the listener fails.
    pub async fn run_until_stopped(self, mut stops: impl StopRequests) -> Result<(), StartupError> {
        let Self {
            server,
            listener,
            addr,
            // Dropped last: it answers until the store is closed.
            health,
            state,
            config,
        } = self;
        if let Some(health) = &health {
            println!("health on http://{}", health.addr());
        }
        let drain = Drain {
            delay: config.drain_delay,
            timeout: config.drain_timeout,
        };
        let handle = server.handle();
        let mut serving = tokio::task::spawn(server);
        if let Err(error) = open_registry(&state, config.clone()).await {
            handle.stop(false).await;
            return Err(error);
        }
        if config.demo {
            let registry = state.registry.get().expect("it was opened above");
            demo::fit_examples(registry, addr)
                .await
                .map_err(StartupError::Demo)?;
        }
        let warm_start = config
            .start
            .warm_start
            .then(|| WarmStart::begin(&config.data_dir, &state))
            .transpose()
            .map_err(StartupError::Server)?;
        let scheme = if config.connections.tls_cert.is_some() {
            "https"
        } else {
            "http"
        };
        let control = serve_control(&config.data_dir, &state);
        println!("listening on {scheme}://{addr}");
        let traces = state.telemetry.traces.clone();
        tokio::select! {
            ended = &mut serving => {
                let ended = ended.map_err(|error| StartupError::Thread(error.to_string()))?;
                return ended.map_err(StartupError::Server);
            }
            cause = stops.next() => {
                let serving = Serving { server: handle, listener, state, warm_start, control };
                serving.drain(cause, drain, &mut stops).await;
            }
        }
        if let Some(traces) = traces {
            let flushed = tokio::task::spawn_blocking(move || traces.flush()).await;
            flushed.map_err(|error| StartupError::Thread(error.to_string()))?;
        }
        Ok(())
    }
}

fn tls(config: &ServeConfig, metrics: &Metrics) -> Result<Option<Tls>, String> {
    let connections = &config.connections;
    match (&connections.tls_cert, &connections.tls_key) {
        (Some(certificates), Some(key)) => {
            let files = CertificateFiles {
                certificates: certificates.clone(),
                key: key.clone(),
            };
            Tls::start(files, Arc::clone(&metrics.certificate)).map(Some)
        }
        _ => Ok(None),
    }
}

/// Serves the control socket. Without it there are no backups of a running server, and all else goes on.
fn serve_control(data_dir: &Path, state: &Arc<State>) -> Option<Control> {
    let (folder, shared) = (data_dir.to_owned(), Arc::clone(state));
    let make_backup = move |out: &mut dyn Write| {
        let files = backup::carried_files(&folder)?;
        let registry = shared.registry.get().ok_or(BackupError::Unsupported)?;
        registry.back_up(&files, out)
    };
    Control::start(data_dir, Box::new(make_backup))
        .inspect_err(|error| {
            let socket = data_dir.join(control::SOCKET);
            tracing::warn!(
                %error,
                socket = %socket.display(),
                "there is no control socket: this server cannot be backed up while it runs"
            );
        })
        .ok()
}

async fn open_registry(state: &Arc<State>, config: ServeConfig) -> Result<(), StartupError> {
    let budget = config.admission.budget().map_err(StartupError::Config)?;
    let model_cache_bytes = budget.models;
    let open = tokio::task::spawn_blocking(move || {
        let options = EmbeddedOptions {
            durability: config.durability,
            answers: config.store.answers(),
            keep_versions: config.store.keep_versions,
            disk_reserve: config.store.disk_reserve as u64,
            ..EmbeddedOptions::at(backup::store_of(&config.data_dir))
        };
        let store = EmbeddedStore::open(&options)?;
        let options = RegistryOptions {
            min_training_points: config.min_training_points,
            model_cache_bytes,
        };
        Ok::<_, StoreError>(Registry::new(Arc::new(store), options))
    });
    let registry = open
        .await
        .map_err(|error| StartupError::Thread(error.to_string()))??;
    tracing::info!(series = registry.series_count(), "the store is open");
    let backtests = registry.backtests();
    backtests
        .begin()
        .map_err(|error| StartupError::Thread(error.to_string()))?;
    state.opened(registry);
    Ok(())
}
