//! A keyspace written anew from what is whole of its files.

use std::cmp::Reverse;
use std::io;
use std::path::{Path, PathBuf};

use lsm_tree::{Config, SequenceNumberCounter};

use super::merge::{Kind, Merge, Record, Source};
use super::{tables, values};
use crate::store::folder::manifest::{Keyspace, TABLES, VALUES};
use crate::store::{keyspaces, reading};

/// Writes the keyspace called `name` anew into `to`, a folder that is not there yet. Whether all records
/// of the old one are in it.
///
/// Each record has the sequence number 0 in it: what is in the journals comes after it. That is right
/// because what is in a table was in a journal before.
pub(super) fn rebuild(keyspace: &Keyspace, name: &str, to: &Path) -> io::Result<bool> {
    let work = to.with_extension("work");
    std::fs::create_dir_all(&work)?;
    // Whatever fjall's code says of bytes that it does not expect.
    let done = reading::caught(|| write(keyspace, name, to, &work));
    std::fs::remove_dir_all(&work)?;
    done.unwrap_or_else(|said| Err(io::Error::other(said)))
}

fn write(keyspace: &Keyspace, name: &str, to: &Path, work: &Path) -> io::Result<bool> {
    let mut sources: Vec<Source> = Vec::new();
    let mut is_complete = keyspace.files.is_ok();
    for path in files(keyspace, TABLES)? {
        let copy = work.join(sources.len().to_string());
        let Some(table) = there(tables::read(&path, &copy))? else {
            is_complete = false;
            continue;
        };
        is_complete &= table.is_complete;
        let records = table.records().map(|record| {
            record
                .map(Record::of_table)
                .map_err(|error| io::Error::other(error.to_string()))
        });
        sources.push(Box::new(records));
    }
    for path in files(keyspace, VALUES)? {
        let Some(values) = there(values::read(&path))? else {
            is_complete = false;
            continue;
        };
        let records = values.map(|value| {
            value.map(|value| Record {
                key: value.key,
                sequence: Reverse(value.sequence),
                kind: Kind::Apart(value.value),
            })
        });
        sources.push(Box::new(records));
    }
    let counter = SequenceNumberCounter::default;
    let tree = Config::new(to, counter(), counter())
        .with_kv_separation(keyspaces::separation(name))
        .open()
        .map_err(io::Error::other)?;
    let mut anew = tree.ingestion().map_err(io::Error::other)?;
    let mut merge = Merge::new(sources, !is_complete)?;
    let mut n = 0_u64;
    while let Some((key, value)) = merge.next()? {
        anew.write(key, value).map_err(io::Error::other)?;
        n += 1;
    }
    // Without a record there is nothing to finish, and a file of values cannot be empty.
    if n > 0 {
        anew.finish().map_err(io::Error::other)?;
    }
    Ok(is_complete && merge.lost == 0)
}

/// The files of a kind: those that the list names, or all where there is no list.
fn files(keyspace: &Keyspace, kind: &str) -> io::Result<Vec<PathBuf>> {
    if let Ok(listed) = &keyspace.files {
        let of_kind = listed
            .iter()
            .filter(|file| file.has_values == (kind == VALUES));
        return Ok(of_kind.map(|file| file.path.clone()).collect());
    }
    let folder = keyspace.folder.join(kind);
    let mut found = Vec::new();
    for entry in there(std::fs::read_dir(folder))?.into_iter().flatten() {
        found.push(entry?.path());
    }
    Ok(found)
}

/// Nothing for what is not there.
fn there<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some),
    }
}
