//! The files of the database's folder, looked at before fjall opens them.
//!
//! fjall is made for crashes, not for damage: it cuts a journal at the first batch that is not whole
//! and deletes tables that its lists do not name. So nothing is opened before it is known that the
//! lists are as they were written, and a journal is opened without its damaged batches, which are set
//! aside and not thrown away. A keyspace that fjall cannot open is written anew from what is whole of it.
//! Data blocks of tables have checksums of their own, which fjall compares when it reads them.

mod chain;
mod contents;
mod files;
mod journal;
#[cfg(test)]
mod journal_tests;
mod journals;
mod manifest;
mod salvage;

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

pub(super) use files::replace;
pub(super) use manifest::BadFile;
pub(super) use salvage::{Names, Staged, note_names};

use super::StoreError;
use super::watermark::Watermark;
use files::set_aside;
use journals::Journals;
use manifest::Keyspace;

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
    pub(super) journals: Journals,
    keyspaces: Vec<Keyspace>,
    /// What is wrong with each of them.
    bad: Vec<Vec<BadFile>>,
    /// The number of the last commit that was acknowledged, as far as it is known.
    pub(super) watermark: u64,
    /// fjall's own lock: nobody else writes meanwhile.
    _lock: Option<File>,
}

/// Looks at the files of the store in `folder`, which may not be there yet.
pub(super) fn inspect(folder: &Path, depth: Depth) -> Result<Inspected, StoreError> {
    let unavailable =
        |error: io::Error| StoreError::Unavailable(format!("{}: {error}", folder.display()));
    let lock = lock(folder)?;
    let watermark = Watermark::read(folder).map_err(unavailable)?;
    let mut inspected = Inspected {
        folder: folder.to_owned(),
        journals: Journals::default(),
        keyspaces: Vec::new(),
        bad: Vec::new(),
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
    inspected.journals = Journals::read(folder, watermark).map_err(unavailable)?;
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

impl Inspected {
    /// What is wrong with the keyspaces.
    pub(super) fn keyspace_damage(&self) -> impl Iterator<Item = &BadFile> {
        self.bad.iter().flatten()
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
            set_aside(&self.folder, &marker)?;
            replace(&marker, |file| file.write_all(MARKED))
        };
        write().map_err(|error| BadFile::new(&marker, error).into())
    }

    /// Leaves fjall journals in which every batch is whole.
    pub(super) fn make_readable(&self) -> io::Result<()> {
        self.journals.make_readable(&self.folder)
    }
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
