//! The number of the last acknowledged commit, outside of the database: a restart that finds fewer
//! knows that acknowledged commits are missing.
//!
//! The file has two slots that are written in turn, so that one is whole whenever the machine stops.
//! It is written after the sync of the journal and not synced itself: `kill -9` leaves it in the page
//! cache, and after a power loss it may be older than the journal and never newer. What it tells is
//! that something is missing, never that nothing is.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::record::{open_number, seal_number};

/// In the database's folder, where fjall passes it over: whoever copies a folder copies it, too.
const NAME: &str = "tidemark-watermark";
/// A slot is written in one piece, and the other one is in another block of the disk.
const SLOT: u64 = 4096;
/// Bytes of a sealed number.
const SEALED: usize = 36;

/// The file of one store.
pub(super) struct Watermark {
    file: File,
    /// Said once that it cannot be written.
    failed: AtomicBool,
}

impl Watermark {
    /// Where the store in `folder` has it.
    pub(super) fn path(folder: &Path) -> PathBuf {
        folder.join(NAME)
    }

    /// What the file says: 0 if there is none or nothing whole in it.
    pub(super) fn read(folder: &Path) -> io::Result<u64> {
        let path = Self::path(folder);
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            file => file?,
        };
        let mut last = 0;
        for slot in 0..2 {
            let mut sealed = [0; SEALED];
            let read = file.read_exact_at(&mut sealed, slot * SLOT);
            match read {
                Ok(()) if sealed == [0; SEALED] => {}
                Ok(()) => match open_number(&sealed) {
                    Ok(number) => last = last.max(number),
                    Err(reason) => damaged(&path, &reason),
                },
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    damaged(&path, "it is cut off");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(last)
    }

    /// Opens the file for writing; made when it is not there, and whole again when it was damaged.
    pub(super) fn open(folder: &Path, number: u64) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        let file = options.open(Self::path(folder))?;
        let watermark = Self {
            file,
            failed: AtomicBool::new(false),
        };
        // Both slots have their place on the disk from now on. On a full one the store is read nevertheless.
        for slot in 0..2 {
            watermark.write(number, slot);
        }
        Ok(watermark)
    }

    /// Notes that the commit of this number is durable. A failure takes nothing from that.
    pub(super) fn note(&self, number: u64) {
        self.write(number, number % 2);
    }

    fn write(&self, number: u64, slot: u64) {
        let noted = self.file.write_all_at(&seal_number(number), slot * SLOT);
        if let Err(error) = noted
            && !self.failed.swap(true, Ordering::Relaxed)
        {
            tracing::error!(%error, "the number of the last commit cannot be noted");
        }
    }
}

fn damaged(path: &Path, reason: &str) {
    tracing::warn!(
        file = %path.display(),
        reason,
        "a note of the last commit is damaged and is made anew"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_number_that_was_noted_is_read() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Watermark::read(folder.path()).unwrap(), 0);
        let watermark = Watermark::open(folder.path(), 0).unwrap();
        for number in 1..=5 {
            watermark.note(number);
            assert_eq!(Watermark::read(folder.path()).unwrap(), number);
        }
        Watermark::open(folder.path(), 5).unwrap();
        assert_eq!(Watermark::read(folder.path()).unwrap(), 5);
    }

    /// One slot is written at a time: whatever becomes of it, the other has the number before.
    #[test]
    fn a_damaged_slot_leaves_the_number_before_and_never_a_later_one() {
        let folder = tempfile::tempdir().unwrap();
        let watermark = Watermark::open(folder.path(), 6).unwrap();
        watermark.note(7);
        let path = Watermark::path(folder.path());
        let whole = std::fs::read(&path).unwrap();
        let second = usize::try_from(SLOT).unwrap();
        let slots = (0..SEALED).chain(second..second + SEALED);
        for bit in slots.flat_map(|byte| 8 * byte..8 * byte + 8) {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, &flipped).unwrap();
            let read = Watermark::read(folder.path()).unwrap();
            assert!((6..=7).contains(&read), "bit {bit}: {read}");
        }
        for length in (0..whole.len()).step_by(7) {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert!(Watermark::read(folder.path()).unwrap() <= 7);
        }
    }
}
