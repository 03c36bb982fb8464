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
    /// Requests in flight, summed over the nanoseconds until `counted_ns`.
    in_flight_ns: AtomicU64,
    counted_ns: AtomicU64,
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
    /// Requests in flight, summed over the nanoseconds of the run until the last of them began or was over.
    pub(super) in_flight_ns: u64,
}

impl Counters {
    /// A request is sent, so long after the run's start.
    pub(super) fn sent(&self, at_ns: u64) {
        self.count_until(at_ns);
        add(&self.sent, 1);
    }

    /// A request is over.
    pub(super) fn finished(&self, at_ns: u64) {
        self.count_until(at_ns);
        add(&self.finished, 1);
    }

    fn count_until(&self, at_ns: u64) {
        let read = |cell: &AtomicU64| cell.load(Ordering::Relaxed);
        let in_flight = read(&self.sent) - read(&self.finished);
        let time_ns = at_ns.saturating_sub(read(&self.counted_ns));
        add(&self.in_flight_ns, in_flight * time_ns);
        self.counted_ns.store(at_ns, Ordering::Relaxed);
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
            in_flight_ns: sum.in_flight_ns + read(&thread.in_flight_ns),
        })
    }

    pub(super) fn in_flight(&self) -> u64 {
        self.sent.saturating_sub(self.finished)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_in_flight_are_summed_over_time() {
        let threads = [Counters::default(), Counters::default()];
        let [one, other] = &threads;
        one.sent(10);
        one.sent(15);
        one.finished(20);
        one.finished(40);
        other.sent(100);
        other.finished(107);
        // 5 with one, 5 with two, 20 with one; 7 with one.
        assert_eq!(Now::of(&threads).in_flight_ns, 5 + 10 + 20 + 7);
    }
}
