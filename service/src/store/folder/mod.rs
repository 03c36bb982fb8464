//! The files of the database's folder, looked at before fjall opens them.
//!
//! fjall is made for crashes, not for damage: it cuts a journal at the first batch that is not whole
//! and deletes tables that its lists do not name. So nothing is opened before it is known that the
//! lists are as they were written, and a journal is opened without its damaged batches, which are set
//! aside and not thrown away. A keyspace that fjall cannot open is written anew from what is whole of it.
//! Data blocks of tables have checksums of their own, which fjall compares when it reads them.

mod chain;
mod contents;
mod journal;
#[cfg(test)]
mod journal_tests;
mod manifest;
mod salvage;

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

pub(super) use manifest::BadFile;
pub(super) use salvage::{Names, Staged, note_names};

use super::StoreError;
use super::watermark::Watermark;
use chain::{Chain, Place};
use journal::Piece;
use manifest::Keyspace;

/// Where journals and keyspaces with damage are kept as they were found, in the database's folder.
const SET_ASIDE: &str = "tidemark-set-aside";
/// What the name of a file ends in that takes the place of another when it is written to its end.
const ANEW: &str = "tidemark-anew";
/// The file by which fjall knows its own folder, and what is in it.
const MARKER: &str = "version";
const MARKED: &[u8] = b"FJL\x03";

/// How much is read of the files before they are opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// What fjall reads when it opens them. Damage elsewhere is an error of the read that meets it.
    ToOpen,
    /// Every byte.
    Whole,
}

/// What was found in a folder, and not changed yet.
pub(super) struct Inspected {
    folder: PathBuf,
    journals: Vec<Journal>,
    keyspaces: Vec<Keyspace>,
    /// What is wrong with each of them.
    bad: Vec<Vec<BadFile>>,
    chain: Chain,
    /// The last batch with a number, and those after it.
    recent: Vec<Recent>,
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

/// A batch that a later one may show to be wrong.
#[derive(Clone, Debug)]
struct Recent {
    journal: usize,
    bytes: Range<usize>,
    sequence: u64,
}

/// Looks at the files of the store in `folder`, which may not be there yet.
pub(super) fn inspect(folder: &Path, depth: Depth) -> Result<Inspected, StoreError> {
    let unavailable =
        |error: io::Error| StoreError::Unavailable(format!("{}: {error}", folder.display()));
    let lock = lock(folder)?;
    let watermark = Watermark::read(folder).map_err(unavailable)?;
    let mut inspected = Inspected {
        folder: folder.to_owned(),
        journals: Vec::new(),
        keyspaces: Vec::new(),
        bad: Vec::new(),
        chain: Chain::default(),
        recent: Vec::new(),
        watermark,
        _lock: lock,
    };
    salvage::finish(folder).map_err(unavailable)?;
    let keyspaces = folder.join("keyspaces");
    if !keyspaces.exists() {
        return Ok(inspected);
    }
    inspected.keyspaces = manifest::read_all(&keyspaces)?;
    inspected.check_marker()?;
    inspected.bad = inspected
        .keyspaces
        .iter()
        .map(|keyspace| keyspace.check(depth))
        .collect();
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
        let idx = self.journals.len();
        let mut wrong = Vec::new();
        for piece in journal::pieces(&bytes) {
            match piece {
                Piece::Damaged(range) => journal.damaged.push(range),
                Piece::Batch(batch) => {
                    journal.n_batches += 1;
                    let place = self.chain.add(&batch);
                    if let Place::RightAndThoseFromWrong(sequence) = place {
                        let hiding = self.recent.iter();
                        wrong.extend(hiding.filter(|it| it.sequence >= sequence).cloned());
                    }
                    if place == Place::Wrong {
                        journal.damaged.push(batch.bytes);
                        continue;
                    }
                    // Of those before a batch with a number, that batch says whether they hide it.
                    if batch.commit.is_some() {
                        self.recent.clear();
                    }
                    self.recent.push(Recent {
                        journal: idx,
                        bytes: batch.bytes,
                        sequence: batch.sequence,
                    });
                }
            }
        }
        self.journals.push(journal);
        for batch in wrong {
            self.journals[batch.journal].damaged.push(batch.bytes);
        }
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

    /// What is wrong with the keyspaces.
    pub(super) fn keyspace_damage(&self) -> impl Iterator<Item = &BadFile> {
        self.bad.iter().flatten()
    }

    /// Whether the journals have every commit that was ever acknowledged: what is lost of a keyspace is
    /// read from them again.
    pub(super) fn journals_have_all(&self) -> bool {
        self.chain.begins_with_the_first()
            && self.chain.missing() == 0
            && self.journal_damage().is_empty()
            && self.chain.last().is_some_and(|last| last >= self.watermark)
    }

    /// Writes the keyspaces that are damaged anew, aside. The store is as it was until they are put in
    /// their place.
    pub(super) fn salvage(&self) -> io::Result<Staged> {
        let damaged = self.keyspaces.iter().zip(&self.bad);
        let damaged = damaged.filter(|(_, bad)| !bad.is_empty());
        salvage::stage(
            &self.folder,
            damaged.map(|(keyspace, bad)| (keyspace, bad.as_slice())),
        )
    }

    /// The marker of the folder is written anew when it is damaged and the lists are of this format.
    fn check_marker(&self) -> Result<(), StoreError> {
        let marker = self.folder.join(MARKER);
        if std::fs::read(&marker).is_ok_and(|found| found == MARKED) {
            return Ok(());
        }
        if self
            .keyspaces
            .iter()
            .all(|keyspace| keyspace.files.is_err())
        {
            return Err(BadFile::new(&marker, "it is not the one of this format").into());
        }
        let write = || -> io::Result<()> {
            self.set_aside(&marker)?;
            replace(&marker, |file| file.write_all(MARKED))
        };
        write().map_err(|error| BadFile::new(&marker, error).into())
    }

    /// Leaves fjall journals in which every batch is whole. What was damaged is kept aside, but for
    /// the torn end of a crash.
    pub(super) fn make_readable(&self) -> io::Result<()> {
        self.remove_unfinished()?;
        for (idx, journal) in self.journals.iter().enumerate() {
            if journal.damaged.is_empty() {
                continue;
            }
            // Where no batch has a number, only the store itself may know whether it was acknowledged.
            let is_known = self.chain.last().is_some();
            let is_torn = |range: &Range<usize>| is_known && self.is_torn_end(idx, range);
            if !journal.damaged.iter().all(is_torn) {
                self.set_aside(&journal.path)?;
            }
            journal.rewrite()?;
        }
        Ok(())
    }

    /// Removes what a process that ended had not written to its end.
    fn remove_unfinished(&self) -> io::Result<()> {
        let entries = match std::fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|end| end == ANEW) {
                std::fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// Keeps a copy of a file that is damaged.
    fn set_aside(&self, damaged: &Path) -> io::Result<()> {
        if !damaged.exists() {
            return Ok(());
        }
        let folder = self.folder.join(SET_ASIDE);
        std::fs::create_dir_all(&folder)?;
        let name = damaged.file_name().unwrap_or_default().to_string_lossy();
        let copy = free_name(&folder, &name);
        std::fs::write(&copy, journal::read(damaged)?)?;
        File::open(&copy)?.sync_all()?;
        File::open(&folder)?.sync_all()?;
        tracing::warn!(kept = %copy.display(), "a damaged file was set aside");
        Ok(())
    }
}

/// A name in `folder` that nothing has yet.
fn free_name(folder: &Path, name: &str) -> PathBuf {
    let mut names = (0_u64..).map(|n| folder.join(format!("{name}.{n}")));
    names
        .find(|path| !path.exists())
        .unwrap_or_else(|| folder.join(name))
}

/// Writes a file anew, in one step.
pub(super) fn replace(
    path: &Path,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    let anew = path.with_extension(ANEW);
    let mut file = File::create(&anew)?;
    write(&mut file)?;
    file.sync_all()?;
    std::fs::rename(&anew, path)?;
    path.parent()
        .map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

impl Keyspace {
    /// What is wrong with its files.
    fn check(&self, depth: Depth) -> Vec<BadFile> {
        let files = match &self.files {
            Ok(files) => files,
            Err(bad) => return vec![bad.clone()],
        };
        // fjall reads the names while it opens them all.
        let is_read_at_once = self.id == manifest::NAMES;
        let checked = files.iter().map(|file| match depth {
            Depth::ToOpen if !is_read_at_once => file.check_opening(),
            _ => file.check_all(),
        });
        checked.filter_map(Result::err).collect()
    }
}

impl Journal {
    /// Writes it anew without what is damaged, in one step.
    fn rewrite(&self) -> io::Result<()> {
        let bytes = journal::read(&self.path)?;
        let mut damaged = self.damaged.clone();
        damaged.sort_by_key(|range| range.start);
        replace(&self.path, |file| {
            let mut at = 0;
            for range in damaged {
                file.write_all(&bytes[at..range.start])?;
                at = range.end;
            }
            file.write_all(&bytes[at..])
        })
    }
}
