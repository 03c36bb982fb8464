//! The closed loop: each client sends its next request when the reply to the last one is there.

use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::response::OutcomeClass;
use super::sender::Sender;
use super::wire::Connection;

/// What ends a closed loop.
#[derive(Debug, Clone, Copy)]
pub(super) enum Until {
    /// So many requests by all clients together, shared out round robin.
    Requests(u64),
    /// A moment after which nothing is sent.
    Deadline(Instant),
}

/// A client whose connection is refused would otherwise try a hundred thousand times a second.
const PAUSE_AFTER_NO_CONNECTION: Duration = Duration::from_millis(10);

/// Runs the clients of this thread, of `clients` in all.
pub(super) async fn run(
    sender: Rc<Sender>,
    connections: Vec<(u32, Connection)>,
    clients: u32,
    until: Until,
) {
    let mut tasks = JoinSet::new();
    for (client, connection) in connections {
        tasks.spawn_local(one(Rc::clone(&sender), client, connection, clients, until));
    }
    while let Some(done) = tasks.join_next().await {
        super::engine::unless_cancelled(done);
    }
}

async fn one(
    sender: Rc<Sender>,
    client: u32,
    mut connection: Connection,
    clients: u32,
    until: Until,
) {
    // Request i belongs to client i mod clients, so that what a client sends does not depend on
    // how fast the others are.
    let mut index = u64::from(client);
    loop {
        match until {
            Until::Requests(requests) if index >= requests => return,
            Until::Deadline(deadline) if Instant::now() >= deadline => return,
            Until::Requests(_) | Until::Deadline(_) => {}
        }
        let class = sender.send(&mut connection, client, index, None).await;
        if class == OutcomeClass::Transport && !connection.is_open() {
            tokio::time::sleep(PAUSE_AFTER_NO_CONNECTION).await;
        }
        index += u64::from(clients);
    }
}
