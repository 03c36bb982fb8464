//! What precedes a run: the fits that make its series, and a warm-up.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use super::before::{self, Sent};
use super::response::{Op, OutcomeClass};
use super::run::LoadError;
use crate::interrupt::Stop;
use crate::live::{Display, LiveState, Phase, REDRAW_EVERY};
use crate::results::config::LoadSpec;
use crate::results::summary::Before;
use crate::tally::Tally;
use crate::workload::{Prepared, Workload};

/// Connections that make the series.
const SET_UP_CONNECTIONS: usize = 16;

/// How far the warm-up looks for requests that change nothing.
const WARM_UP_AMONG: u64 = 10_000;

/// Failures that are told one by one.
const MOST_FAILURES: usize = 5;

/// What became of a fit before the run, with its body if that is kept and it was 2xx.
pub(super) type Reply = (OutcomeClass, Option<Vec<u8>>);

/// Makes the series and warms the server up. None of it is measured; a failure of a part of it is
/// told in the results. With `keep`, so many bytes of the replies to
/// the fits come back as well.
pub(super) fn prepare(
    workload: &Arc<Workload>,
    load: &LoadSpec,
    address: SocketAddr,
    runtime: &Runtime,
    stop: &Stop,
    display: &mut Display,
    keep: usize,
) -> Result<(Before, Vec<Reply>), LoadError> {
    let mut sending = Sending {
        address,
        timeout: Duration::from_nanos(load.timeout_ns),
        runtime,
        stop,
        display,
        begun: Instant::now(),
    };
    let fits = workload.fits_before();
    let set_up = {
        let workload = Arc::clone(workload);
        (0..fits).map(move |n| workload.fit_before(n))
    };
    let phase = |done| Phase::SettingUp { done, total: fits };
    let mut made = sending.send(set_up, SET_UP_CONNECTIONS, keep, phase)?;
    let replies = std::mem::take(&mut made.replies);
    if fits > 0 && made.failed == fits {
        return Err(LoadError::SetUp {
            requests: fits,
            reason: made.failures.join("; "),
        });
    }
    let warm_up = {
        let workload = Arc::clone(workload);
        (0..WARM_UP_AMONG)
            .map(move |index| workload.request(index))
            .filter(|request| changes_nothing(request.op))
            .take(load.warm_up as usize)
    };
    let warmed = sending.send(warm_up, 1, 0, |_| Phase::WarmingUp)?;
    Ok((before(made, warmed), replies))
}

struct Sending<'a> {
    address: SocketAddr,
    timeout: Duration,
    runtime: &'a Runtime,
    stop: &'a Stop,
    display: &'a mut Display,
    begun: Instant,
}

impl Sending<'_> {
    /// Sends `requests`, and shows the phase that so many done ones are.
    fn send(
        &mut self,
        requests: impl Iterator<Item = Prepared> + 'static,
        connections: usize,
        keep: usize,
        phase: impl Fn(u64) -> Phase,
    ) -> Result<Sent, LoadError> {
        let done = Rc::new(Cell::new(0));
        let progress = {
            let done = Rc::clone(&done);
            move |n| done.set(n)
        };
        let (address, timeout) = (self.address, self.timeout);
        let sent = before::send(
            address,
            timeout,
            requests,
            connections,
            keep,
            self.stop,
            progress,
        );
        let nothing_yet = Tally::new(timeout).stats();
        let (display, begun) = (&mut *self.display, self.begun);
        self.runtime.block_on(async {
            let mut sent = std::pin::pin!(sent);
            loop {
                tokio::select! {
                    biased;
                    sent = &mut sent => return sent.ok_or(LoadError::InterruptedBefore),
                    () = tokio::time::sleep(REDRAW_EVERY) => {
                        let state = LiveState {
                            elapsed: begun.elapsed(),
                            phase: phase(done.get()),
                            sent: 0,
                            in_flight: 0,
                            backlog: 0,
                            connections: 0,
                            late_sends: 0,
                            cpu_share: None,
                            rss_bytes: None,
                        };
                        display.tick(&state, &nothing_yet);
                    }
                }
            }
        })
    }
}

/// A warm-up must leave the series as the run expects them.
fn changes_nothing(op: Op) -> bool {
    match op {
        Op::Predict | Op::Columns | Op::Health => true,
        Op::Fit | Op::Ndjson | Op::Update | Op::Custom => false,
    }
}

fn before(set_up: Sent, warm_up: Sent) -> Before {
    let mut failures = set_up.failures;
    failures.extend(warm_up.failures);
    failures.truncate(MOST_FAILURES);
    Before {
        set_up: set_up.requests,
        warm_up: warm_up.requests,
        failures,
        failed: set_up.failed + warm_up.failed,
    }
}
