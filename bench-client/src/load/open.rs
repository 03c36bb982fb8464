//! The open loop: requests are sent at moments fixed beforehand, whether or not replies keep up.
//!
//! A request that finds no free connection, or whose moment the client missed, is sent as soon as
//! it can be; its latency counts from the moment it was meant for, so that nothing hides in the
//! client's queue (the effect that G. Tene named coordinated omission).

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::engine::unless_cancelled;
use super::pacer::Pacer;
use super::sender::{Intended, Sender};
use super::wire::Connection;

/// The moments of one thread's requests, and their numbers.
pub(super) type Schedule = Box<dyn Iterator<Item = (u64, Duration)> + Send>;

/// The connections of one thread, with their numbers in the run.
#[derive(Debug)]
pub(super) struct Pool {
    /// Opened beforehand.
    pub(super) open: Vec<(u32, Connection)>,
    /// Opened when a request is due and none is free.
    pub(super) spare: Vec<(u32, Connection)>,
}

/// A request that is due.
#[derive(Debug, Clone, Copy)]
struct Due {
    index: u64,
    at: Instant,
    /// When it was queued.
    since: Instant,
    /// Whether no connection was free then, and none could be opened.
    pool_full: bool,
}

/// Requests that are due and wait for a free connection.
#[derive(Debug, Default)]
struct Queue {
    waiting: RefCell<VecDeque<Due>>,
    more: Notify,
    /// Connections that wait for a request.
    idle: Cell<usize>,
    closed: Cell<bool>,
}

/// Sends `schedule`, all of it or until `deadline`, when what still waits is given up. Gives the
/// number of requests that were due and never sent.
pub(super) async fn run(
    sender: Rc<Sender>,
    pool: Pool,
    schedule: Schedule,
    deadline: Option<Instant>,
) -> io::Result<u64> {
    let queue = Rc::new(Queue::default());
    let mut workers = JoinSet::new();
    let start_worker = |workers: &mut JoinSet<()>, (client, connection)| {
        let (sender, queue) = (Rc::clone(&sender), Rc::clone(&queue));
        workers.spawn_local(work(sender, queue, client, connection));
    };
    for place in pool.open {
        start_worker(&mut workers, place);
    }
    let mut spare = pool.spare;
    // The lowest number first.
    spare.reverse();

    let pacer = Pacer::new()?;
    for (index, after) in schedule {
        let at = sender.start + after;
        if deadline.is_some_and(|deadline| at >= deadline) {
            break;
        }
        pacer.wait_until(at).await?;
        if queue.push(index, at, !spare.is_empty()) == Free::None
            && let Some(place) = spare.pop()
        {
            start_worker(&mut workers, place);
        }
    }
    let mut unsent = 0;
    if let Some(deadline) = deadline {
        pacer.wait_until(deadline).await?;
        unsent = queue.give_up();
    }
    queue.close();
    while let Some(done) = workers.join_next().await {
        unless_cancelled(done);
    }
    Ok(unsent)
}

async fn work(sender: Rc<Sender>, queue: Rc<Queue>, client: u32, mut connection: Connection) {
    let mut free_since = None;
    while let Some(due) = queue.next().await {
        let intended = Intended {
            at: due.at,
            waited: due.waited_until(free_since),
        };
        let finished = sender
            .send(&mut connection, client, due.index, Some(intended))
            .await;
        free_since = Some(finished.last);
    }
}

impl Due {
    /// How long it waited for the server or for a larger pool, rather than for this client, when
    /// the connection that takes it got its last reply at `free_since`: from when it was queued, and
    /// only if every connection was busy. What the client takes to notice either is its own.
    fn waited_until(&self, free_since: Option<Instant>) -> Duration {
        match free_since {
            Some(free) if self.pool_full => free.saturating_duration_since(self.since),
            _ => Duration::ZERO,
        }
    }
}

/// Whether a connection is free for a request that was just queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Free {
    One,
    None,
}

impl Queue {
    fn push(&self, index: u64, at: Instant, can_open: bool) -> Free {
        let mut waiting = self.waiting.borrow_mut();
        // An idle connection that was notified before is still counted until it runs, and so is
        // the request that it will take.
        let free = if waiting.len() < self.idle.get() {
            Free::One
        } else {
            Free::None
        };
        waiting.push_back(Due {
            index,
            at,
            since: Instant::now(),
            pool_full: free == Free::None && !can_open,
        });
        self.more.notify_one();
        free
    }

    /// The next request, or `None` when there will be none.
    async fn next(&self) -> Option<Due> {
        loop {
            if let Some(due) = self.waiting.borrow_mut().pop_front() {
                return Some(due);
            }
            if self.closed.get() {
                return None;
            }
            self.idle.set(self.idle.get() + 1);
            self.more.notified().await;
            self.idle.set(self.idle.get() - 1);
        }
    }

    fn give_up(&self) -> u64 {
        self.waiting.borrow_mut().drain(..).count() as u64
    }

    fn close(&self) {
        self.closed.set(true);
        self.more.notify_waiters();
        // A worker that has not begun to wait yet finds the queue closed by itself.
    }
}
