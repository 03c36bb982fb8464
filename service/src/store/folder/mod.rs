//! The files of the database's folder, looked at before fjall opens them.
//!
//! fjall is made for crashes, not for damage: it cuts a journal at the first batch that is not whole
//! and deletes tables that its lists do not name. So nothing is opened before it is known that the
//! lists are as they were written, and a journal is opened without its damaged batches, which are set
//! aside and not thrown away. Data blocks of tables have checksums of their own, which fjall compares
//! when it reads them.

mod chain;
mod journal;
mod manifest;

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

pub(super) use manifest::BadFile;

use super::StoreError;
use super::watermark::Watermark;
use chain::{Chain, Place};
use journal::Piece;
use manifest::Listed;

/// Where journals with damaged batches are kept as they were found, in the database's folder.
const SET_ASIDE: &str = "tidemark-set-aside";

/// What was found in a folder, and not changed yet.
pub(super) struct Inspected {
    folder: PathBuf,
    journals: Vec<Journal>,
    files: Vec<Listed>,
    chain: Chain,
    /// The number of the last commit that was acknowledged, as far as it is known.
    pub(super) watermark: u64,
    /// fjall's own lock: nobody else writes meanwhile.
    _lock: Option<File>,
}

struct Journal {
    path: PathBuf,
    /// What must not be read.
    damaged: Vec<Range<usize>>,
    /// Bytes without the zeros at the end.
    length: usize,
    n_batches: u64,
}

/// Looks at the files of the store in `folder`, which may not be there yet.
pub(super) fn inspect(folder: &Path) -> Result<Inspected, StoreError> {
    let unavailable =
        |error: io::Error| StoreError::Unavailable(format!("{}: {error}", folder.display()));
    let lock = lock(folder)?;
    let watermark = Watermark::read(folder).map_err(unavailable)?;
    let mut inspected = Inspected {
        folder: folder.to_owned(),
        journals: Vec::new(),
        files: Vec::new(),
        chain: Chain::default(),
        watermark,
        _lock: lock,
    };
    if !folder.join("version").exists() {
        return Ok(inspected);
    }
    inspected.files = manifest::listed(&folder.join("keyspaces"))?;
    for file in &inspected.files {
        file.check_contents()?;
    }
    for path in journals(folder).map_err(unavailable)? {
        inspected.read_journal(path).map_err(unavailable)?;
    }
    Ok(inspected)
}

/// Takes the lock that fjall takes, if the database is there.
fn lock(folder: &Path) -> Result<Option<File>, StoreError> {
    let Ok(file) = OpenOptions::new()
        .read(true)
        .write(true)
        .open(folder.join("lock"))
    else {
        return Ok(None);
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked(folder.display().to_string())),
        Err(TryLockError::Error(error)) => Err(StoreError::Unavailable(format!(
            "{}: {error}",
            folder.display()
        ))),
    }
}

/// The journals, oldest first.
fn journals(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut journals = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let id = path.extension().filter(|extension| *extension == "jnl");
        let id = id.and_then(|_| path.file_stem()?.to_str()?.parse::<u64>().ok());
        journals.extend(id.map(|id| (id, path)));
    }
    journals.sort();
    Ok(journals.into_iter().map(|(_, path)| path).collect())
}

impl Inspected {
    fn read_journal(&mut self, path: PathBuf) -> io::Result<()> {
        let bytes = journal::read(&path)?;
        let mut journal = Journal {
            path,
            damaged: Vec::new(),
            length: bytes.len(),
            n_batches: 0,
        };
        let mut before: Option<Range<usize>> = None;
        for piece in journal::pieces(&bytes) {
            match piece {
                Piece::Damaged(range) => journal.damaged.push(range),
                Piece::Batch(batch) => {
                    journal.n_batches += 1;
                    match self.chain.add(&batch) {
                        Place::Right => {}
                        Place::Wrong => journal.damaged.push(batch.bytes.clone()),
                        Place::RightAndTheOneBeforeWrong => match before.take() {
                            Some(range) => journal.damaged.push(range),
                            // It is the last one of the journal before.
                            None => self.drop_last_batch()?,
                        },
                    }
                    before = Some(batch.bytes);
                }
            }
        }
        self.journals.push(journal);
        Ok(())
    }

    fn drop_last_batch(&mut self) -> io::Result<()> {
        let Some(journal) = self.journals.last_mut() else {
            return Ok(());
        };
        let bytes = journal::read(&journal.path)?;
        let last = journal::pieces(&bytes).filter_map(|piece| match piece {
            Piece::Batch(batch) => Some(batch.bytes),
            Piece::Damaged(_) => None,
        });
        journal.damaged.extend(last.last());
        Ok(())
    }

    /// The bytes after the last batch of all, if they are what a crash leaves of a batch that was
    /// being written: nothing that was acknowledged is in it.
    fn is_torn_end(&self, journal: usize, range: &Range<usize>) -> bool {
        // A journal that was begun at the moment of the crash has no batch yet.
        let mut later = self.journals[journal + 1..].iter();
        let is_last = later.all(|later| later.n_batches == 0);
        let is_end = is_last && range.end == self.journals[journal].length;
        // Where no batch has a number it is not known; the store itself has it then.
        is_end && self.chain.last().is_none_or(|last| last >= self.watermark)
    }

    /// What is wrong with the journals, a sentence each.
    pub(super) fn journal_damage(&self) -> Vec<BadFile> {
        let mut found = Vec::new();
        for (idx, journal) in self.journals.iter().enumerate() {
            for range in &journal.damaged {
                if !self.is_torn_end(idx, range) {
                    let reason = format!("bytes {} to {} are no batch", range.start, range.end);
                    found.push(BadFile::new(&journal.path, reason));
                }
            }
        }
        found
    }

    /// Commits that are known to be missing between others.
    pub(super) fn missing(&self) -> u64 {
        self.chain.missing()
    }

    /// The number of the last commit in the journals.
    pub(super) fn last_in_journals(&self) -> Option<u64> {
        self.chain.last()
    }

    /// Compares every byte of every table with its checksum.
    pub(super) fn check_tables(&self) -> impl Iterator<Item = BadFile> {
        let checked = self.files.iter().map(Listed::check_all);
        checked.filter_map(Result::err)
    }

    /// Leaves fjall journals in which every batch is whole. What was damaged is kept aside, but for
    /// the torn end of a crash.
    pub(super) fn make_readable(&self) -> io::Result<()> {
        for (idx, journal) in self.journals.iter().enumerate() {
            if journal.damaged.is_empty() {
                continue;
            }
            let is_torn = |range: &Range<usize>| self.is_torn_end(idx, range);
            if !journal.damaged.iter().all(is_torn) {
                self.set_aside(&journal.path)?;
            }
            journal.rewrite()?;
        }
        Ok(())
    }

    fn set_aside(&self, journal: &Path) -> io::Result<()> {
        let folder = self.folder.join(SET_ASIDE);
        std::fs::create_dir_all(&folder)?;
        let name = journal.file_name().unwrap_or_default().to_string_lossy();
        let free = (0..).map(|n| folder.join(format!("{name}.{n}")));
        let copy = free.into_iter().find(|path| !path.exists());
        if let Some(copy) = copy {
            std::fs::write(&copy, journal::read(journal)?)?;
            File::open(&copy)?.sync_all()?;
            tracing::warn!(kept = %copy.display(), "a damaged journal was set aside");
        }
        Ok(())
    }
}

impl Journal {
    /// Writes it anew without what is damaged, in one step.
    fn rewrite(&self) -> io::Result<()> {
        let bytes = journal::read(&self.path)?;
        let anew = self.path.with_extension("tidemark-anew");
        let mut file = File::create(&anew)?;
        let mut at = 0;
        let mut damaged = self.damaged.clone();
        damaged.sort_by_key(|range| range.start);
        for range in damaged {
            file.write_all(&bytes[at..range.start])?;
            at = range.end;
        }
        file.write_all(&bytes[at..])?;
        file.sync_all()?;
        std::fs::rename(&anew, &self.path)?;
        self.path
            .parent()
            .map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }
}
