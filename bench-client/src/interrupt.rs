//! Asking a run to stop early. The first SIGINT or SIGTERM sets a [`Stop`]; whoever is at work
//! drops what is in flight and what was measured so far gets written. A second signal ends the
//! process at once, for a run whose writing itself hangs.

use std::future;
use std::io;

use tokio::sync::watch;

use crate::children;
use crate::console;
use crate::live;

/// Exit code of an interrupted run, 128 + SIGINT by the shells' convention.
pub const EXIT_INTERRUPTED: u8 = 130;

/// Tells whether the run should stop. Clones observe the same request.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<bool>);

/// The side that asks. Dropping it means nobody will ever ask.
#[derive(Debug)]
pub struct StopHandle(watch::Sender<bool>);

/// A stop request under the caller's own control.
#[must_use]
pub fn manual() -> (StopHandle, Stop) {
    let (sender, receiver) = watch::channel(false);
    (StopHandle(sender), Stop(receiver))
}

/// A stop request set by SIGINT (Ctrl-C) or SIGTERM.
///
/// # Errors
/// When the signal handlers cannot be installed.
pub fn on_signals() -> io::Result<Stop> {
    let (handle, stop) = manual();
    let mut signals = Signals::install()?;
    tokio::spawn(async move {
        signals.next().await;
        console::note("interrupted: dropping what is in flight and writing what was measured");
        handle.stop();
        signals.next().await;
        live::make_way();
        children::kill_all();
        std::process::exit(i32::from(EXIT_INTERRUPTED));
    });
    Ok(stop)
}

/// Passes with the next SIGINT or SIGTERM, which from now on do not end the process.
///
/// # Errors
/// When the signal handlers cannot be installed.
pub fn next_signal() -> io::Result<impl Future<Output = ()>> {
    let mut signals = Signals::install()?;
    Ok(async move { signals.next().await })
}

impl StopHandle {
    /// Asks every clone of the [`Stop`] to stop.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// Whether stopping was asked for.
    #[must_use]
    pub fn is_set(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until stopping is asked for, for ever if nobody can ask any more.
    pub async fn wait(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|set| *set).await.is_err() {
            future::pending::<()>().await;
        }
    }

    /// Runs `work` to its end, or drops it and gives `None` when stopping is asked for.
    pub async fn guard<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.wait() => None,
            done = work => Some(done),
        }
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn install() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn install() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stop_drops_guarded_work() {
        let (handle, stop) = manual();
        assert!(!stop.is_set());
        assert_eq!(stop.guard(async { 7 }).await, Some(7));
        let waiting = tokio::spawn({
            let stop = stop.clone();
            async move { stop.guard(future::pending::<()>()).await }
        });
        handle.stop();
        assert_eq!(waiting.await.unwrap(), None);
        assert!(stop.is_set());
    }

    #[tokio::test]
    async fn a_dropped_handle_is_not_a_stop() {
        let (handle, stop) = manual();
        drop(handle);
        assert_eq!(stop.guard(async { 7 }).await, Some(7));
        assert!(!stop.is_set());
    }
}
