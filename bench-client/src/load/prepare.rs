//! What precedes a run: the fits that make its series, and a warm-up.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::before::{self, Sent};
use super::response::Op;
use super::run::LoadError;
use super::watch::Watch;
use crate::interrupt::Stop;
use crate::results::config::LoadSpec;
use crate::results::summary::Before;
use crate::workload::{Prepared, Workload};

/// Connections that make the series.
const SET_UP_CONNECTIONS: usize = 16;

/// How far the warm-up looks for requests that change nothing.
const WARM_UP_AMONG: u64 = 10_000;

/// Failures that are told one by one.
const MOST_FAILURES: usize = 5;

/// Makes the series and warms the server up. None of it is measured; a failure of a part of it is
/// told in the results.
pub(super) fn prepare(
    workload: &Arc<Workload>,
    load: &LoadSpec,
    address: SocketAddr,
    runtime: &Runtime,
    stop: &Stop,
    _watch: &mut dyn Watch,
) -> Result<Before, LoadError> {
    let timeout = Duration::from_nanos(load.timeout_ns);
    let send = |requests: Box<dyn Iterator<Item = Prepared>>, connections| {
        let sent = before::send(address, timeout, requests, connections, stop, |_| {});
        runtime.block_on(sent).ok_or(LoadError::InterruptedBefore)
    };
    let fits = workload.fits_before();
    let made = send(
        Box::new({
            let workload = Arc::clone(workload);
            (0..fits).map(move |n| workload.fit_before(n))
        }),
        SET_UP_CONNECTIONS,
    )?;
    if fits > 0 && made.failed == fits {
        return Err(LoadError::SetUp {
            requests: fits,
            reason: made.failures.join("; "),
        });
    }
    let warmed = send(
        Box::new({
            let workload = Arc::clone(workload);
            (0..WARM_UP_AMONG)
                .map(move |index| workload.request(index))
                .filter(|request| changes_nothing(request.op))
                .take(load.warm_up as usize)
        }),
        1,
    )?;
    Ok(before(made, warmed))
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
