//! The lists of fjall's tables, a list a keyspace.
//!
//! `keyspaces/N/current` is `version u64 | XXH3 of the file vVERSION u128 | 0`. fjall 3 does not compare
//! that checksum, and deletes a table that the list does not name. Integers are little endian.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use super::contents::{Contents, check_table, check_values, number};
use crate::store::StoreError;

/// The folder of a keyspace's tables, and that of its files of values.
pub(super) const TABLES: &str = "tables";
pub(super) const VALUES: &str = "blobs";

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct BadFile {
    pub(in crate::store) path: PathBuf,
    pub(in crate::store) reason: String,
}

impl BadFile {
    pub(super) fn new(path: &Path, reason: impl ToString) -> Self {
        Self {
            path: path.to_owned(),
            reason: reason.to_string(),
        }
    }
}

impl fmt::Display for BadFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.reason)
    }
}

impl From<BadFile> for StoreError {
    fn from(bad: BadFile) -> Self {
        Self::DamagedFile {
            file: bad.path.display().to_string(),
            reason: bad.reason,
        }
    }
}

/// A file that a list names, and the checksum it has there.
pub(super) struct Listed {
    pub(super) path: PathBuf,
    /// Whether it is a file of values; else it is a table.
    pub(super) has_values: bool,
    checksum: u128,
}

/// A keyspace on the disk.
pub(super) struct Keyspace {
    pub(super) id: u64,
    pub(super) folder: PathBuf,
    /// The files that its list names, or what is wrong with the list.
    pub(super) files: Result<Vec<Listed>, BadFile>,
}

/// The keyspace in which fjall keeps the names of the others.
pub(super) const NAMES: u64 = 0;

/// The keyspaces in the folder of all, in the order of their numbers.
pub(super) fn read_all(folder: &Path) -> Result<Vec<Keyspace>, BadFile> {
    let mut found = Vec::new();
    for (id, folder) in folders(folder).map_err(|error| BadFile::new(folder, error))? {
        // fjall makes a keyspace anew whose list was never written.
        if folder.join("current").exists() {
            let files = read_list(&folder);
            found.push(Keyspace { id, folder, files });
        }
    }
    // Without the names of the keyspaces fjall deletes them.
    if found.first().is_some_and(|first| first.id != NAMES) {
        let folder = folder.join(NAMES.to_string());
        let files = Err(BadFile::new(&folder.join("current"), "it is missing"));
        let id = NAMES;
        found.insert(0, Keyspace { id, folder, files });
    }
    Ok(found)
}

fn folders(keyspaces: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(keyspaces)? {
        let entry = entry?;
        let id = entry.file_name().to_str().and_then(|id| id.parse().ok());
        if let (Some(id), true) = (id, entry.file_type()?.is_dir()) {
            folders.push((id, entry.path()));
        }
    }
    folders.sort();
    Ok(folders)
}

fn read_list(folder: &Path) -> Result<Vec<Listed>, BadFile> {
    let current = folder.join("current");
    let bytes = std::fs::read(&current).map_err(|error| BadFile::new(&current, error))?;
    let mut rest = bytes.as_slice();
    let (Some(version), Some(checksum), [0]) =
        (number::<8>(&mut rest), number::<16>(&mut rest), rest)
    else {
        return Err(BadFile::new(&current, "it is not a version and a checksum"));
    };
    let list = folder.join(format!("v{version}"));
    let bytes = std::fs::read(&list).map_err(|error| BadFile::new(&list, error))?;
    if xxh3_128(&bytes) != checksum {
        let reason = format!("its checksum is not the one in {}", current.display());
        return Err(BadFile::new(&list, reason));
    }
    named(folder, &bytes).ok_or_else(|| BadFile::new(&list, "it is not a list of tables"))
}

/// The files that a list names.
fn named(folder: &Path, list: &[u8]) -> Option<Vec<Listed>> {
    let contents = Contents::of(list).ok()?;
    let section = |name: &[u8]| {
        let (at, length) = contents.section(name)?;
        let at = usize::try_from(at).ok()?;
        list.get(at..at.checked_add(usize::try_from(length).ok()?)?)
    };
    let listed = |kind: &str, id: u128, checksum| Listed {
        path: folder.join(kind).join(id.to_string()),
        has_values: kind == VALUES,
        checksum,
    };
    let mut named = Vec::new();
    let mut tables = section(b"tables")?;
    for _ in 0..number::<1>(&mut tables)? {
        for _ in 0..number::<1>(&mut tables)? {
            for _ in 0..number::<4>(&mut tables)? {
                let (id, _kind) = (number::<8>(&mut tables)?, number::<1>(&mut tables)?);
                named.push(listed(TABLES, id, number::<16>(&mut tables)?));
                number::<8>(&mut tables)?;
            }
        }
    }
    let mut values = section(b"blob_files")?;
    for _ in 0..number::<4>(&mut values)? {
        let (id, _kind) = (number::<8>(&mut values)?, number::<1>(&mut values)?);
        named.push(listed(VALUES, id, number::<16>(&mut values)?));
    }
    Some(named)
}

impl Listed {
    /// Whether fjall can open it: what it reads of it then is as it was written.
    pub(super) fn check_opening(&self) -> Result<(), BadFile> {
        let file = File::open(&self.path).map_err(|error| error.to_string());
        let check = if self.has_values {
            check_values
        } else {
            check_table
        };
        file.and_then(|file| check(&file))
            .map_err(|reason| BadFile::new(&self.path, reason))
    }

    /// Whether every byte is as it was written.
    pub(super) fn check_all(&self) -> Result<(), BadFile> {
        let check = || -> io::Result<u128> {
            let mut file = File::open(&self.path)?;
            let mut hasher = Xxh3::new();
            let mut chunk = vec![0; 256 * 1024];
            loop {
                match file.read(&mut chunk)? {
                    0 => return Ok(hasher.digest128()),
                    n => hasher.update(&chunk[..n]),
                }
            }
        };
        match check() {
            Ok(checksum) if checksum == self.checksum => Ok(()),
            Ok(_) => Err(BadFile::new(&self.path, "its checksum is wrong")),
            Err(error) => Err(BadFile::new(&self.path, error)),
        }
    }
}
