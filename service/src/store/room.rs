//! Space where the store is: writes are refused before it is used up, while nothing of them is
//! written, so that they go on by themselves once there is space again.
//!
//! A write that meets a full disk half-way is another matter: what of it is there, only reading back
//! can tell, and the store takes no more writes until a restart.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytesize::ByteSize;

use super::PutError;

/// What is kept free unless the operator says otherwise: for merges of small tables, and for changes of
/// states that are on their way.
pub const DISK_RESERVE: u64 = 64 * 1024 * 1024;

/// How often the committer looks when nothing is queued.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Bytes of a change beside its records: keys, checksums, the head of its series.
const BESIDE_BYTES: u64 = 512;

/// Space on the file system of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Bytes that are free, as of the last look, without those that are yet to be written into tables.
    pub free: u64,
    /// Bytes that are kept free.
    pub reserve: u64,
}

/// The space of one store.
pub(super) struct Room {
    path: PathBuf,
    reserve: u64,
    free: AtomicU64,
}

impl Room {
    /// Looks once. Where the system does not tell, there is room until a write fails.
    pub(super) fn at(path: impl Into<PathBuf>, reserve: u64) -> Self {
        let room = Self {
            path: path.into(),
            reserve,
            free: AtomicU64::new(u64::MAX),
        };
        room.look(0);
        room
    }

    /// Asks the file system. `in_memory` bytes are in the journal and have yet to go into tables: they need
    /// their space once more. For the committer alone: on a network it might take its time.
    pub(super) fn look(&self, in_memory: u64) {
        let free = match rustix::fs::statvfs(&self.path) {
            Ok(of) => of
                .f_bavail
                .saturating_mul(of.f_frsize)
                .saturating_sub(in_memory),
            Err(_) => u64::MAX,
        };
        let before = self.free.swap(free, Ordering::Relaxed);
        let (was_full, is_full) = (before < self.reserve, free < self.reserve);
        if is_full && !was_full {
            let (free, reserve) = (ByteSize(free), ByteSize(self.reserve));
            tracing::warn!(%free, %reserve, "no space: writes are refused until there is some");
        } else if was_full && !is_full {
            tracing::info!(free = %ByteSize(free), "there is space again: writes go on");
        }
    }

    /// As of the last look.
    pub(super) fn space(&self) -> Space {
        Space {
            free: self.free.load(Ordering::Relaxed),
            reserve: self.reserve,
        }
    }

    /// Whether less than the reserve was free at the last look.
    pub(super) fn is_full(&self) -> bool {
        self.space().free < self.reserve
    }

    /// Refuses `changes` of `bytes` together that would take from the reserve, as of the last look.
    pub(super) fn takes(&self, changes: usize, bytes: usize) -> Result<(), PutError> {
        let Space { free, reserve } = self.space();
        // Into the journal, and then into a table.
        let needed = (2 * bytes as u64).saturating_add(BESIDE_BYTES.saturating_mul(changes as u64));
        if reserve.saturating_add(needed) <= free {
            return Ok(());
        }
        Err(PutError::StorageFull { free, reserve })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_take_from_the_reserve_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let room = Room::at(folder.path(), 1_000);
        assert!(!room.is_full(), "tests need a disk with some space");
        let at = |free| {
            room.free.store(free, Ordering::Relaxed);
            (room.takes(1, 88).is_ok(), room.is_full())
        };
        assert_eq!(at(1_688), (true, false));
        assert_eq!(at(1_687), (false, false));
        assert_eq!(at(999), (false, true));
        room.look(u64::MAX);
        assert!(room.is_full(), "all of it is promised");
        room.look(0);
        assert_eq!(room.takes(1, 88), Ok(()));
    }

    #[test]
    fn where_the_system_does_not_tell_there_is_room() {
        let room = Room::at("/nowhere/at/all", u64::MAX - 1_000);
        assert_eq!(room.takes(1, 100), Ok(()));
    }
}
