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
use super::sender::Sender;
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
        if queue.push(Due { index, at }) == Free::None
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
    while let Some(due) = queue.next().await {
        sender
            .send(&mut connection, client, due.index, Some(due.at))
            .await;
    }
}

/// Whether a connection is free for a request that was just queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Free {
    One,
    None,
}

impl Queue {
    fn push(&self, due: Due) -> Free {
        let mut waiting = self.waiting.borrow_mut();
        waiting.push_back(due);
        self.more.notify_one();
        // An idle connection that was notified before is still counted until it runs, and so is
        // the request that it will take.
        if waiting.len() > self.idle.get() {
            Free::None
        } else {
            Free::One
        }
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
