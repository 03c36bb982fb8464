//! The untimed requests before a run: fits that make its series, and a warm-up.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::{JoinSet, LocalSet};

use super::engine::unless_cancelled;
use super::response::OutcomeClass;
use super::wire::{Connection, First};
use crate::interrupt::Stop;
use crate::workload::Prepared;

/// Failures that are told one by one.
const MOST_FAILURES: usize = 5;

/// What became of untimed requests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) requests: u64,
    pub(super) failed: u64,
    /// One line a failed one, the first few.
    pub(super) failures: Vec<String>,
    /// What became of each, by its number, with its body if that is kept and it was 2xx.
    pub(super) replies: Vec<(OutcomeClass, Option<Vec<u8>>)>,
}

/// Sends `requests` over `connections` connections, each one after the other, and tells `progress`
/// how many are done. `None` when `stop` came first.
pub(super) async fn send(
    address: SocketAddr,
    timeout: Duration,
    requests: impl Iterator<Item = Prepared> + 'static,
    connections: usize,
    keep: usize,
    stop: &Stop,
    progress: impl Fn(u64) + 'static,
) -> Option<Sent> {
    let shared = Rc::new(Shared {
        requests: RefCell::new(requests.enumerate()),
        sent: RefCell::default(),
        progress,
    });
    let all = async {
        let mut tasks = JoinSet::new();
        for _ in 0..connections {
            let connection = Connection::new(address, timeout).keeping(keep);
            tasks.spawn_local(one(Rc::clone(&shared), connection, keep > 0));
        }
        while let Some(done) = tasks.join_next().await {
            unless_cancelled(done);
        }
    };
    LocalSet::new().run_until(stop.guard(all)).await?;
    Some(shared.sent.take())
}

struct Shared<R, P> {
    requests: RefCell<R>,
    sent: RefCell<Sent>,
    progress: P,
}

async fn one<R: Iterator<Item = (usize, Prepared)>, P: Fn(u64)>(
    shared: Rc<Shared<R, P>>,
    mut connection: Connection,
    keep: bool,
) {
    loop {
        let request = shared.requests.borrow_mut().next();
        let Some((number, request)) = request else {
            return;
        };
        let exchange = connection.exchange(&request.bytes, First::Byte).await;
        let mut sent = shared.sent.borrow_mut();
        sent.requests += 1;
        if keep {
            // What was dropped in the middle stays as unknown as this.
            let none = (OutcomeClass::Transport, None);
            let replies = sent.replies.len().max(number + 1);
            sent.replies.resize(replies, none);
            sent.replies[number] = (exchange.class, exchange.body);
        }
        (shared.progress)(sent.requests);
        if exchange.class != OutcomeClass::Ok {
            sent.failed += 1;
            if sent.failures.len() < MOST_FAILURES {
                let why = exchange.error.as_deref().unwrap_or("no reason given");
                sent.failures.push(why.to_owned());
            }
        }
    }
}
