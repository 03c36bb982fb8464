//! The lists of fjall's tables, and where each file says what is where in it.
//!
//! `keyspaces/N/current` is `version u64 | XXH3 of the file vVERSION u128 | 0`. fjall 3 does not compare
//! that checksum, and deletes a table that the list does not name. The list and each table and file of
//! values end in a table of contents: `TOC! | n u32`, n times `at u64 | length u64 | length of the name
//! u16 | name`, and then `SFA! | 1 | 0 | XXH3 of the table of contents u128 | where it is u64 | its length u64`. fjall
//! makes room for n entries before it compares that checksum. Integers are little endian.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use crate::store::StoreError;

const TRAILER: usize = 38;
/// A table of contents has a dozen entries.
const LONGEST_CONTENTS: u64 = 64 * 1024;

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
    checksum: u128,
}

/// The files of all keyspaces, if every list is as it was written.
pub(super) fn listed(keyspaces: &Path) -> Result<Vec<Listed>, BadFile> {
    let mut files = Vec::new();
    let mut is_in_use = false;
    for folder in folders(keyspaces).map_err(|error| BadFile::new(keyspaces, error))? {
        // fjall makes a keyspace anew whose list was never written.
        if folder.join("current").exists() {
            is_in_use = true;
            of_keyspace(&folder, &mut files)?;
        }
    }
    // Without the names of the keyspaces fjall deletes them.
    let names = keyspaces.join("0").join("current");
    if is_in_use && !names.exists() {
        return Err(BadFile::new(&names, "it is missing"));
    }
    Ok(files)
}

fn folders(keyspaces: &Path) -> io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(keyspaces)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            folders.push(entry.path());
        }
    }
    folders.sort();
    Ok(folders)
}

fn of_keyspace(folder: &Path, files: &mut Vec<Listed>) -> Result<(), BadFile> {
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
    let named = names(&bytes).ok_or_else(|| BadFile::new(&list, "it is not a list of tables"))?;
    files.extend(named.into_iter().map(|(kind, id, checksum)| Listed {
        path: folder.join(kind).join(id.to_string()),
        checksum,
    }));
    Ok(())
}

/// Folder, number and checksum of each file that a list names.
fn names(list: &[u8]) -> Option<Vec<(&'static str, u128, u128)>> {
    let contents = contents(list).ok()?;
    let section = |name: &[u8]| {
        let mut rest = contents.get(8..)?;
        loop {
            let (at, length) = (number::<8>(&mut rest)?, number::<8>(&mut rest)?);
            let of = number::<2>(&mut rest)?;
            let (found, after) = rest.split_at_checked(usize::try_from(of).ok()?)?;
            rest = after;
            if found == name {
                let at = usize::try_from(at).ok()?;
                return list.get(at..at.checked_add(usize::try_from(length).ok()?)?);
            }
        }
    };
    let mut named = Vec::new();
    let mut tables = section(b"tables")?;
    for _ in 0..number::<1>(&mut tables)? {
        for _ in 0..number::<1>(&mut tables)? {
            for _ in 0..number::<4>(&mut tables)? {
                let (id, _kind) = (number::<8>(&mut tables)?, number::<1>(&mut tables)?);
                named.push(("tables", id, number::<16>(&mut tables)?));
                number::<8>(&mut tables)?;
            }
        }
    }
    let mut blobs = section(b"blob_files")?;
    for _ in 0..number::<4>(&mut blobs)? {
        let (id, _kind) = (number::<8>(&mut blobs)?, number::<1>(&mut blobs)?);
        named.push(("blobs", id, number::<16>(&mut blobs)?));
    }
    Some(named)
}

/// The number in the next bytes.
fn number<const N: usize>(rest: &mut &[u8]) -> Option<u128> {
    let (bytes, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    let number = bytes.iter().rev();
    Some(number.fold(0, |number, byte| number << 8 | u128::from(*byte)))
}

/// The table of contents at the end of a file.
fn contents(bytes: &[u8]) -> Result<&[u8], &'static str> {
    let split = bytes.len().checked_sub(TRAILER).ok_or("it is cut off")?;
    let (before, trailer) = bytes.split_at(split);
    let mut rest = trailer
        .strip_prefix(b"SFA!\x01\x00")
        .ok_or("it does not end as such a file does")?;
    let (checksum, at) = (number::<16>(&mut rest), number::<8>(&mut rest));
    let at = at.and_then(|at| usize::try_from(at).ok());
    let contents = at.and_then(|at| before.get(at..));
    match contents {
        Some(contents) if Some(xxh3_128(contents)) == checksum => Ok(contents),
        _ => Err("the checksum of its table of contents is wrong"),
    }
}

impl Listed {
    /// Whether its table of contents is whole: what fjall needs to open it. Reads its end.
    pub(super) fn check_contents(&self) -> Result<(), BadFile> {
        let check = || -> Result<(), String> {
            let file = File::open(&self.path).map_err(|error| error.to_string())?;
            let length = file.metadata().map_err(|error| error.to_string())?.len();
            let end = length.min(LONGEST_CONTENTS);
            let mut bytes = vec![0; usize::try_from(end).map_err(|error| error.to_string())?];
            file.read_exact_at(&mut bytes, length - end)
                .map_err(|error| error.to_string())?;
            check_end(&bytes, length - end).map_err(str::to_owned)
        };
        check().map_err(|reason| BadFile::new(&self.path, reason))
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

/// As [`contents`] for the last bytes of a file, `before` of which are left out.
fn check_end(bytes: &[u8], before: u64) -> Result<(), &'static str> {
    if before == 0 {
        return contents(bytes).map(|_| ());
    }
    let cut_off = "it is cut off";
    // Where the contents are stands before their length, which is the last number.
    let place = bytes.len().checked_sub(16).ok_or(cut_off)?..bytes.len() - 8;
    let at = number::<8>(&mut &bytes[place.clone()]).ok_or(cut_off)?;
    let moved = u64::try_from(at).ok().and_then(|at| at.checked_sub(before));
    let moved = moved.ok_or("its table of contents is too long, or not where it is said to be")?;
    let mut end = bytes.to_vec();
    end[place].copy_from_slice(&moved.to_le_bytes());
    contents(&end).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_contents_of_a_large_file_is_found() {
        let contents = b"TOC!\0\0\0\0";
        let at = 2 * LONGEST_CONTENTS;
        let mut file = vec![7; usize::try_from(at).unwrap()];
        file.extend_from_slice(contents);
        file.extend_from_slice(b"SFA!\x01\x00");
        file.extend_from_slice(&xxh3_128(contents).to_le_bytes());
        file.extend_from_slice(&at.to_le_bytes());
        file.extend_from_slice(&(contents.len() as u64).to_le_bytes());
        let before = file.len() as u64 - LONGEST_CONTENTS;
        let end = &mut file[usize::try_from(before).unwrap()..];
        assert_eq!(check_end(end, before), Ok(()));
        let flipped = end.len() - TRAILER - 1;
        end[flipped] ^= 1;
        assert!(check_end(end, before).is_err());
    }
}
