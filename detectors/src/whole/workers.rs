//! Who does the independent parts of a detection.

/// Runs independent parts and puts their results in order.
///
/// The detector has no threads of its own: a service gives it those of its pool. A part is a pure
/// function of its number, so that results do not depend on who runs it or when.
pub trait Workers: Sync {
    /// `[work(0), work(1), …, work(parts − 1)]`.
    fn map<T: Send>(&self, parts: usize, work: impl Fn(usize) -> T + Sync + Send) -> Vec<T>;
}

/// One part after the other, on the caller's thread.
#[derive(Debug, Clone, Copy, Default)]
pub struct InTurn;

impl Workers for InTurn {
    fn map<T: Send>(&self, parts: usize, work: impl Fn(usize) -> T + Sync + Send) -> Vec<T> {
        (0..parts).map(work).collect()
    }
}
