//! Connections of the main port.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::SystemTime;

/// Why a connection was closed although its peer had not asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// Nothing was asked for long.
    Idle,
    /// A request head took too long.
    SlowHead,
    /// A reply was not taken, or too slowly.
    SlowReader,
    /// What came was no request, or not clearly one.
    Malformed,
    /// There was no TLS session in time, or none that both sides wanted.
    Handshake,
    /// The peer had as many as it may have.
    PeerLimit,
}

impl Closed {
    /// All of them, as they are counted.
    const ALL: [Self; 6] = [
        Self::Idle,
        Self::SlowHead,
        Self::SlowReader,
        Self::Malformed,
        Self::Handshake,
        Self::PeerLimit,
    ];

    /// The label of a metric.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::SlowHead => "slow_head",
            Self::SlowReader => "slow_reader",
            Self::Malformed => "malformed",
            Self::Handshake => "handshake",
            Self::PeerLimit => "peer_limit",
        }
    }
}

#[derive(Default)]
struct Counts {
    open: AtomicUsize,
    closed: [AtomicU64; Closed::ALL.len()],
}

/// When the certificate of the main port ends.
#[derive(Debug, Default)]
pub struct NotAfter(AtomicU64);

impl NotAfter {
    pub(crate) fn set(&self, not_after: SystemTime) {
        let since_1970 = not_after.duration_since(SystemTime::UNIX_EPOCH);
        let seconds = since_1970.map_or(1, |it| it.as_secs().max(1));
        self.0.store(seconds, Relaxed);
    }

    /// Unix seconds; `None` without a certificate.
    #[must_use]
    pub fn unix_s(&self) -> Option<u64> {
        Some(self.0.load(Relaxed)).filter(|seconds| *seconds > 0)
    }
}

/// How many connections are open, and how many were closed by us.
#[derive(Clone, Default)]
pub struct Connections(Arc<Counts>);

/// One of them, until it is dropped.
pub struct Connection(Connections);

impl Connections {
    /// Counts one more.
    #[must_use]
    pub fn open(&self) -> Connection {
        self.0.open.fetch_add(1, Relaxed);
        Connection(self.clone())
    }

    /// Those that are open now.
    #[must_use]
    pub fn now(&self) -> usize {
        self.0.open.load(Relaxed)
    }

    /// Those that were closed by us so far, by reason.
    pub fn closed(&self) -> impl Iterator<Item = (Closed, u64)> {
        let counts = Closed::ALL.iter().zip(&self.0.closed);
        counts.map(|(why, count)| (*why, count.load(Relaxed)))
    }
}

impl Connection {
    /// Counts why it is about to be closed.
    pub fn closed(&self, why: Closed) {
        self.0.0.closed[why as usize].fetch_add(1, Relaxed);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.0.open.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_a_count_of_its_own() {
        let connections = Connections::default();
        let connection = connections.open();
        for (n, why) in Closed::ALL.into_iter().enumerate() {
            (0..=n).for_each(|_| connection.closed(why));
        }
        let counts: Vec<_> = connections.closed().map(|(_, n)| n).collect();
        assert_eq!(counts, [1, 2, 3, 4, 5, 6]);
        assert_eq!(connections.now(), 1);
        drop(connection);
        assert_eq!(connections.now(), 0);
    }
}
