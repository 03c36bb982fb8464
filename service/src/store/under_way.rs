//! What a store is at now, and since when: how anybody tells one that hangs from one that is idle,
//! without asking it anything.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Operations that began and have not ended. Noting one is two atomic writes; nothing waits.
pub(super) struct UnderWay {
    /// What the slots count from.
    origin: Instant,
    /// Nanoseconds from the origin to the beginning, 0 where there is none.
    slots: Box<[AtomicU64]>,
    /// Where the next one looks first, so that many do not meet at one slot.
    next: AtomicUsize,
}

/// Ends what it stands for when dropped.
pub(super) struct Operation<'a>(Option<&'a AtomicU64>);

impl UnderWay {
    /// Notes up to `n_slots` operations at a time. More are not noted: those that are tell enough.
    pub(super) fn new(n_slots: usize) -> Self {
        Self {
            origin: Instant::now(),
            slots: (0..n_slots).map(|_| AtomicU64::new(0)).collect(),
            next: AtomicUsize::new(0),
        }
    }

    /// Notes an operation until the result is dropped.
    pub(super) fn begin(&self) -> Operation<'_> {
        let now = self.now();
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let n_slots = self.slots.len();
        let slots = (0..n_slots).map(|i| &self.slots[first.wrapping_add(i) % n_slots]);
        let is_free = |slot: &&AtomicU64| {
            let taken = slot.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
            taken.is_ok()
        };
        Operation(slots.into_iter().find(is_free))
    }

    /// How long the oldest one has been going on; zero where there is none.
    pub(super) fn longest(&self) -> Duration {
        let began = self.slots.iter().map(|slot| slot.load(Ordering::Relaxed));
        let Some(oldest) = began.filter(|began| *began > 0).min() else {
            return Duration::ZERO;
        };
        Duration::from_nanos(self.now().saturating_sub(oldest))
    }

    /// How many began.
    #[cfg(test)]
    pub(super) fn begun(&self) -> usize {
        self.next.load(Ordering::Relaxed)
    }

    fn now(&self) -> u64 {
        let since = self.origin.elapsed().as_nanos();
        u64::try_from(since).unwrap_or(u64::MAX).max(1)
    }
}

impl Drop for Operation<'_> {
    fn drop(&mut self) {
        if let Some(slot) = self.0 {
            slot.store(0, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_millis(5);

    #[test]
    fn the_oldest_operation_counts_until_it_ends() {
        let reads = UnderWay::new(4);
        assert_eq!(reads.longest(), Duration::ZERO);
        let first = reads.begin();
        std::thread::sleep(PAUSE);
        let second = reads.begin();
        assert!(reads.longest() >= PAUSE);
        drop(first);
        std::thread::sleep(PAUSE);
        assert!(reads.longest() >= PAUSE);
        drop(second);
        assert_eq!(reads.longest(), Duration::ZERO);
    }

    #[test]
    fn more_operations_than_slots_change_nothing() {
        let reads = UnderWay::new(2);
        let noted: Vec<Operation> = (0..5).map(|_| reads.begin()).collect();
        assert_eq!(noted.iter().filter(|noted| noted.0.is_some()).count(), 2);
        drop(noted);
        assert_eq!(reads.longest(), Duration::ZERO);
        assert!(reads.begin().0.is_some());
    }
}
