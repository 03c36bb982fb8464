//! The place of one online state in memory: whoever works on the state shares it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};

use detectors::TimeUnit;

use super::live::Live;
use crate::store::PutError;

/// Ends when dropped.
pub(super) type Turn = tokio::sync::OwnedMutexGuard<()>;

/// One online state, or the place of one that is not read yet.
#[derive(Default)]
pub(super) struct Slot {
    /// A std mutex, because nothing is awaited while it is held: a piece of points at most, or one
    /// read from the store on a blocking thread.
    live: Mutex<Option<Live>>,
    /// Whose turn it is to take a thread of the compute pool, so that updates of one series take one
    /// at most. Those that wait for it have their turn in the order they came.
    turn: Arc<tokio::sync::Mutex<()>>,
    /// Known as soon as there is a state. A series' time unit never changes.
    time_unit: OnceLock<TimeUnit>,
    /// Set when a write failed that may have reached the disk: what the state is, a restart will tell.
    failed: AtomicBool,
    /// The life of the series that the state is of, read before the state was.
    life: OnceLock<u64>,
    /// Set when the series was deleted: what is in here is not stored any more.
    deleted: AtomicBool,
    /// Set by every use, cleared by a pass that looks for states to drop.
    used: AtomicBool,
}

impl Slot {
    /// Waits for the state. For compute and blocking threads.
    pub(super) fn lock(&self) -> MutexGuard<'_, Option<Live>> {
        // A panic under the lock leaves the state of before: it is replaced as a whole.
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the turn to [lock](Self::lock) the state on a thread of the compute pool.
    pub(super) fn turn(&self) -> impl Future<Output = Turn> + use<> {
        Arc::clone(&self.turn).lock_owned()
    }

    /// The state, unless somebody works on it.
    pub(super) fn try_lock(&self) -> Option<MutexGuard<'_, Option<Live>>> {
        match self.live.try_lock() {
            Ok(live) => Some(live),
            Err(TryLockError::Poisoned(live)) => Some(live.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// The time unit of the state, if there is one in memory.
    pub(super) fn time_unit(&self) -> Option<TimeUnit> {
        self.time_unit.get().copied()
    }

    /// Puts `next` in place.
    pub(super) fn install(&self, live: &mut Option<Live>, next: Live) {
        let _ = self.time_unit.set(next.time_unit());
        *live = Some(next);
    }

    /// Notes the life of the series. Known before there is a state.
    pub(super) fn set_life(&self, life: u64) {
        let _ = self.life.set(life);
    }

    /// The life of the series that the state is of.
    pub(super) fn life(&self) -> u64 {
        self.life.get().copied().unwrap_or_default()
    }

    /// Notes that the series was deleted.
    pub(super) fn delete(&self) {
        self.deleted.store(true, Ordering::Release);
    }

    /// Whether the series was deleted.
    pub(super) fn is_deleted(&self) -> bool {
        self.deleted.load(Ordering::Acquire)
    }

    /// Refuses a state of which it is not known what is stored, or that is not any more.
    pub(super) fn check(&self) -> Result<(), PutError> {
        if self.is_deleted() {
            return Err(PutError::Deleted);
        }
        if self.failed.load(Ordering::Acquire) {
            let reason = "an earlier write of this state failed; restart to recover";
            return Err(PutError::Closed(reason.into()));
        }
        Ok(())
    }

    /// Takes note of how a write ended.
    pub(super) fn note(&self, outcome: &Result<(), PutError>) {
        match outcome {
            // Nothing was written, and later changes may be.
            Ok(())
            | Err(
                PutError::Busy
                | PutError::Hangs { .. }
                | PutError::StorageFull { .. }
                | PutError::Damaged(_)
                | PutError::Incomplete(_)
                | PutError::KeyReused
                | PutError::TooManyAliases
                | PutError::AliasUnmet,
            ) => {}
            Err(PutError::Deleted) => self.delete(),
            Err(PutError::Closed(_) | PutError::Unknown(_)) => {
                self.failed.store(true, Ordering::Release);
            }
        }
    }

    pub(super) fn mark_used(&self) {
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
    }

    /// Whether it was used since the last call.
    pub(super) fn take_used(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }
}
