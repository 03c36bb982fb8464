//! Requests of an open loop that are due and wait for a free connection.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// Requests that wait at most, of one thread, in 4 MiB. Those after them wait in the schedule, which is
/// computed and takes no memory, however far behind a server is.
const MOST_WAITING: usize = 1 << 16;

/// A request that is due.
#[derive(Debug, Clone, Copy)]
pub(super) struct Due {
    pub(super) index: u64,
    pub(super) at: Instant,
    /// Since when it waits for a connection.
    since: Instant,
    /// Whether no connection was free then, and none could be opened.
    pool_full: bool,
}

/// Requests that wait, in the order in which they are due.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: RefCell<VecDeque<Due>>,
    more: Notify,
    room: Notify,
    /// Connections that wait for a request.
    idle: Cell<usize>,
    closed: Cell<bool>,
    /// When nothing more is sent.
    deadline: Option<Instant>,
}

/// Whether a connection is free for a request that was just queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Free {
    One,
    None,
}

impl Due {
    /// How long it waited for the server or for a larger pool, rather than for this client, when
    /// the connection that takes it got its last reply at `free_since`: from when it was queued, and
    /// only if every connection was busy. What the client takes to notice either is its own.
    pub(super) fn waited_until(&self, free_since: Option<Instant>) -> Duration {
        match free_since {
            Some(free) if self.pool_full => free.saturating_duration_since(self.since),
            _ => Duration::ZERO,
        }
    }
}

impl Queue {
    pub(super) fn new(deadline: Option<Instant>) -> Self {
        Self {
            waiting: RefCell::default(),
            more: Notify::new(),
            room: Notify::new(),
            idle: Cell::default(),
            closed: Cell::default(),
            deadline,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.borrow().len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.len() >= MOST_WAITING
    }

    /// Waits until a request left the queue.
    pub(super) async fn room(&self) {
        self.room.notified().await;
    }

    /// Queues a request that waits since `since`; `can_open` tells whether a connection could be
    /// opened for it.
    pub(super) fn push(&self, index: u64, at: Instant, since: Instant, can_open: bool) -> Free {
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
            since,
            pool_full: free == Free::None && !can_open,
        });
        self.more.notify_one();
        free
    }

    /// The next request, or `None` when there will be none. What still waits at the deadline stays.
    pub(super) async fn next(&self) -> Option<Due> {
        loop {
            if self.deadline.is_some_and(|end| Instant::now() >= end) {
                return None;
            }
            if let Some(due) = self.waiting.borrow_mut().pop_front() {
                self.room.notify_one();
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

    /// Nothing more will be queued.
    pub(super) fn close(&self) {
        self.closed.set(true);
        self.more.notify_waiters();
        // A worker that has not begun to wait yet finds the queue closed by itself.
    }
}
