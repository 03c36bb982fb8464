//! From a signal to a closed store: tell the balancer, finish what is in flight, flush.
//!
//! 1. `/health/ready` answers 503; the listener stays open for the drain delay, because requests
//!    arrive until the balancer has noticed.
//! 2. The listener closes. What was accepted last is read for a moment more, then connections that
//!    have no request are closed; requests in flight finish within the drain timeout.
//! 3. The store commits what is queued, syncs and closes.
//!
//! A second signal skips the rest of 1 and 2, never 3.

use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::control::Control;
use crate::listener::Listener;
use crate::startup::State;
use crate::warm_start::WarmStart;

/// How long after the listener is closed connections may still send a request: a round trip, and
/// the turn of a busy worker.
const READ_LAST: Duration = Duration::from_millis(250);

/// SIGTERM and SIGINT.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Starts receiving both signals. Needs a tokio runtime.
    ///
    /// # Errors
    /// When the handlers cannot be installed.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }
}

/// What asks the server to stop: signals, or a channel in a test.
pub trait StopRequests {
    /// Waits for the next request and names it.
    fn next(&mut self) -> impl Future<Output = &'static str>;
}

impl StopRequests for Signals {
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

impl StopRequests for tokio::sync::mpsc::UnboundedReceiver<()> {
    async fn next(&mut self) -> &'static str {
        if self.recv().await.is_none() {
            // The sender is gone: nobody will ever ask.
            std::future::pending::<()>().await;
        }
        "stop request"
    }
}

/// How long to drain.
#[derive(Clone, Copy, Debug)]
pub struct Drain {
    /// How long the listener stays open after readiness is withdrawn.
    pub delay: Duration,
    /// How long requests in flight may take after that.
    pub timeout: Duration,
}

/// A server that is to be stopped.
pub(crate) struct Serving {
    pub(crate) server: ServerHandle,
    pub(crate) listener: Listener,
    pub(crate) state: Arc<State>,
    pub(crate) warm_start: Option<WarmStart>,
    pub(crate) control: Option<Control>,
}

impl Serving {
    /// Runs the steps above after the first request to stop, named `cause`.
    pub(crate) async fn drain(
        self,
        cause: &'static str,
        drain: Drain,
        stops: &mut impl StopRequests,
    ) {
        self.state.start_draining();
        tracing::info!(
            cause,
            delay_s = drain.delay.as_secs_f64(),
            "stopping: no longer ready, still accepting"
        );
        let hurried = tokio::select! {
            () = self.serve_late_comers(drain.delay) => None,
            second = stops.next() => Some(second),
        };
        match hurried {
            None => self.finish_in_flight(drain.timeout, stops).await,
            Some(second) => {
                warn_of_force(&self.state, second);
                self.server.stop(false).await;
            }
        }
        // The framework's share of the socket is gone already.
        drop(self.listener);
        let (state, warm_start, control) = (self.state, self.warm_start, self.control);
        let closing = tokio::task::spawn_blocking(move || {
            // A backup that is under way ends here, and its client is told so.
            drop(control);
            if let Ok(registry) = state.registry() {
                if let Some(warm_start) = warm_start {
                    warm_start.end(registry);
                }
                registry.close();
            }
        });
        if closing.await.is_err() {
            tracing::error!("closing the store failed");
        }
        tracing::info!("stopped");
    }

    /// Accepts for `delay`, and then reads what was accepted last.
    async fn serve_late_comers(&self, delay: Duration) {
        tokio::time::sleep(delay).await;
        self.listener.close(&self.server).await;
        tokio::time::sleep(READ_LAST.min(delay)).await;
    }

    async fn finish_in_flight(&self, timeout: Duration, stops: &mut impl StopRequests) {
        let state = &*self.state;
        tracing::info!(in_flight = state.in_flight(), "no longer accepting");
        tokio::select! {
            () = self.server.stop(true) => {}
            () = report_stragglers(state, timeout) => {}
            // The framework hears of nothing more until its own stop has ended: what is still in
            // flight ends with the process, which ends when the store is closed.
            second = stops.next() => warn_of_force(state, second),
        }
    }
}

/// Says every second what is still in flight; returns some time after the server gave up by itself.
async fn report_stragglers(state: &State, timeout: Duration) {
    let end = tokio::time::Instant::now() + timeout + Duration::from_secs(2);
    while tokio::time::Instant::now() < end {
        tokio::time::sleep(Duration::from_secs(1)).await;
        tracing::warn!(
            in_flight = state.in_flight(),
            "waiting for requests in flight"
        );
    }
}

fn warn_of_force(state: &State, cause: &'static str) {
    tracing::warn!(cause, dropped = state.in_flight(), "stopping at once");
}
