//! Probes on a listener and threads of their own, from before the store is opened until after it is
//! closed.
//!
//! On the main port a probe waits for a worker, and for a free connection slot and descriptor there;
//! here it shares nothing with requests but the machine. Every reply closes its connection: a prober
//! opens one a probe anyway.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::web::Data;

use crate::connection::{self, Limits, Peers};
use crate::http;
use crate::metrics::Connections;
use crate::startup::{StartupError, State};

/// A prober that has not sent its request head by then is cut off.
const HEAD_WITHIN: Duration = Duration::from_secs(5);
/// Connections at a time: to keep others out, silent ones have to arrive faster than this many in
/// [`HEAD_WITHIN`]. Bounded, because their descriptors are the process's.
pub(crate) const MAX_CONNECTIONS: usize = 256;

/// A running listener for probes; dropping it ends it.
pub(crate) struct HealthListener {
    addr: SocketAddr,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

impl HealthListener {
    /// Binds `addr` and answers from then on.
    ///
    /// # Errors
    /// When the address or the thread cannot be had.
    pub(crate) fn start(addr: SocketAddr, state: Arc<State>) -> Result<Self, StartupError> {
        let bind_error = |reason| StartupError::Bind { addr, reason };
        let listener = TcpListener::bind(addr).map_err(bind_error)?;
        let bound = listener.local_addr().map_err(bind_error)?;
        let (sender, receiver) = std::sync::mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("tidemark-health".into())
            .spawn(move || {
                actix_web::rt::System::new().block_on(async {
                    let server = match serve(listener, state) {
                        Ok(server) => server,
                        Err(error) => return drop(sender.send(Err(error))),
                    };
                    let _ = sender.send(Ok(server.handle()));
                    if let Err(error) = server.await {
                        tracing::error!(%error, "the listener for probes failed");
                    }
                });
            })
            .map_err(StartupError::Server)?;
        let handle = receiver
            .recv()
            .map_err(|error| StartupError::Thread(error.to_string()))?
            .map_err(bind_error)?;
        Ok(Self {
            addr: bound,
            handle,
            thread: Some(thread),
        })
    }

    /// The address listened on; the port is the one the system gave if 0 was asked for.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Drop for HealthListener {
    fn drop(&mut self) {
        // The request to stop is sent by the call; its future only waits for the end.
        drop(self.handle.stop(false));
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread for probes panicked");
        }
    }
}

/// The framework's server, running on one worker thread. Needs a runtime of actix.
fn serve(listener: TcpListener, state: Arc<State>) -> std::io::Result<Server> {
    let serving = connection::Serving {
        workers: 1,
        max_connections: MAX_CONNECTIONS,
        shutdown_timeout: Duration::ZERO,
        limits: Limits {
            head: HEAD_WITHIN,
            ..Limits::keeping(HEAD_WITHIN)
        },
        // Its connections are none of the main port's.
        connections: Connections::default(),
        peers: Peers::unlimited(),
        tls: None,
    };
    connection::serve(listener, serving, Data::from(state), http::dispatch_probe)
}
