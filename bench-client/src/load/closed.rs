//! The closed loop: each client sends its next request when the reply to the last one is there.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::engine::unless_cancelled;
use super::response::OutcomeClass;
use super::sender::Sender;
use super::wire::Connection;

/// What ends a closed loop.
#[derive(Debug, Clone, Copy)]
pub(super) enum Until {
    /// So many requests by all clients together.
    Requests(u64),
    /// So many requests by every client.
    RequestsPerClient(u64),
    /// A moment after which nothing is sent.
    Deadline(Instant),
}

/// A client whose connection is refused would otherwise try a hundred thousand times a second.
const PAUSE_AFTER_NO_CONNECTION: Duration = Duration::from_millis(10);

/// Runs the clients of this thread. All clients of the run take their next request from `next`,
/// so that a mix keeps its weights when one kind of request is slower than another.
pub(super) async fn run(
    sender: Rc<Sender>,
    connections: Vec<(u32, Connection)>,
    next: Arc<AtomicU64>,
    until: Until,
) {
    let mut tasks = JoinSet::new();
    for (client, connection) in connections {
        let (sender, next) = (Rc::clone(&sender), Arc::clone(&next));
        tasks.spawn_local(one(sender, client, connection, next, until));
    }
    while let Some(done) = tasks.join_next().await {
        unless_cancelled(done);
    }
}

async fn one(
    sender: Rc<Sender>,
    client: u32,
    mut connection: Connection,
    next: Arc<AtomicU64>,
    until: Until,
) {
    for sent in 0_u64.. {
        match until {
            Until::RequestsPerClient(requests) if sent >= requests => return,
            Until::Deadline(deadline) if Instant::now() >= deadline => return,
            Until::Requests(_) | Until::RequestsPerClient(_) | Until::Deadline(_) => {}
        }
        let index = next.fetch_add(1, Ordering::Relaxed);
        if matches!(until, Until::Requests(requests) if index >= requests) {
            return;
        }
        let finished = sender.send(&mut connection, client, index, None).await;
        if finished.class == OutcomeClass::Transport && !connection.is_open() {
            tokio::time::sleep(PAUSE_AFTER_NO_CONNECTION).await;
        }
    }
}
