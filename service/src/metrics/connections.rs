//! Connections of the main port.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// How many connections are open.
#[derive(Clone, Default)]
pub struct Connections(Arc<AtomicUsize>);

/// One of them, until it is dropped.
pub struct Connection(Connections);

impl Connections {
    /// Counts one more.
    #[must_use]
    pub fn open(&self) -> Connection {
        self.0.fetch_add(1, Relaxed);
        Connection(self.clone())
    }

    /// Those that are open now.
    #[must_use]
    pub fn now(&self) -> usize {
        self.0.load(Relaxed)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Relaxed);
    }
}
