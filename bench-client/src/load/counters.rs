//! What a run is doing right now, for the live display: one cell a thread, each written by one
//! thread alone.

use std::sync::atomic::{AtomicU64, Ordering};

/// One thread's counts.
#[derive(Debug, Default)]
// A cache line of its own, or threads would slow each other down by counting.
#[repr(align(128))]
pub(super) struct Counters {
    sent: AtomicU64,
    finished: AtomicU64,
    connections: AtomicU64,
    reconnects: AtomicU64,
}

/// The sum over threads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Now {
    pub(super) sent: u64,
    pub(super) finished: u64,
    /// Connections opened.
    pub(super) connections: u64,
    /// Of those, after one had been lost.
    pub(super) reconnects: u64,
}

impl Counters {
    pub(super) fn sent(&self) {
        add(&self.sent, 1);
    }

    pub(super) fn finished(&self) {
        add(&self.finished, 1);
    }

    pub(super) fn connected(&self, connections: u64, reconnects: u64) {
        add(&self.connections, connections);
        add(&self.reconnects, reconnects);
    }
}

/// With a single writer an addition needs no locked instruction.
fn add(cell: &AtomicU64, more: u64) {
    cell.store(cell.load(Ordering::Relaxed) + more, Ordering::Relaxed);
}

impl Now {
    pub(super) fn of(threads: &[Counters]) -> Self {
        let read = |cell: &AtomicU64| cell.load(Ordering::Relaxed);
        threads.iter().fold(Self::default(), |sum, thread| Self {
            sent: sum.sent + read(&thread.sent),
            finished: sum.finished + read(&thread.finished),
            connections: sum.connections + read(&thread.connections),
            reconnects: sum.reconnects + read(&thread.reconnects),
        })
    }

    pub(super) fn in_flight(&self) -> u64 {
        self.sent.saturating_sub(self.finished)
    }
}
