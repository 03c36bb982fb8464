//! A store made from a backup, in a folder that nobody else knows of yet.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use super::read::{Part, Reader, Records};
use super::{BackupError, CarriedFile, Inconsistencies, Summary};
use crate::store::opening::{open_error, unavailable};
use crate::store::{
    EmbeddedOptions, EmbeddedStore, KeepAnswers, Store as _, StoreError, keyspaces,
};

/// Options to open a store for a moment, changing nothing in it: no answer is too old.
pub fn as_it_is(path: &Path) -> EmbeddedOptions {
    EmbeddedOptions {
        answers: KeepAnswers {
            ttl: Duration::MAX,
            max: u64::MAX,
        },
        ..EmbeddedOptions::at(path)
    }
}

/// Makes a store in `folder`, which is not there or empty, of all that `reader` has, and reads back
/// whether it fits together. When this returns the store is whole, synced and closed; after an error
/// what is in the folder is good for nothing.
///
/// # Errors
/// When the backup is damaged or cut off, or the store cannot be written.
pub fn restore<R: Read>(
    reader: &mut Reader<R>,
    folder: &Path,
) -> Result<(Vec<CarriedFile>, Inconsistencies), BackupError> {
    let files = fill(reader, folder)?;
    let store = EmbeddedStore::open(&as_it_is(folder))?;
    let found: &Summary = reader.found();
    let mut inconsistencies = store.inconsistencies()?;
    if store.series_count() != found.series {
        inconsistencies.add(format_args!(
            "the backup has {} series, and {} were restored",
            found.series,
            store.series_count()
        ));
    }
    store.close();
    drop(store);
    sync(folder).map_err(|error| unwritable(folder, &error))?;
    Ok((files, inconsistencies))
}

fn fill<R: Read>(reader: &mut Reader<R>, folder: &Path) -> Result<Vec<CarriedFile>, BackupError> {
    let db = keyspaces::open_database(folder).map_err(|error| open_error(folder, error))?;
    let mut files = Vec::new();
    let mut part = reader.next_part()?;
    loop {
        part = match part {
            None => return Ok(files),
            Some(Part::File(file)) => {
                files.push(file);
                reader.next_part()?
            }
            Some(Part::Records(records)) => ingest(&db, records, reader)?,
        }
    }
}

/// Writes all records of one keyspace into its tables, without a journal; returns what comes after
/// them.
fn ingest<R: Read>(
    db: &fjall::Database,
    mut records: Records,
    reader: &mut Reader<R>,
) -> Result<Option<Part>, BackupError> {
    let table = keyspaces::open(db, records.keyspace).map_err(unavailable)?;
    let mut ingestion = table.start_ingestion().map_err(unavailable)?;
    loop {
        for (key, value) in records.iter() {
            ingestion.write(key, value).map_err(unavailable)?;
        }
        match reader.next_part()? {
            Some(Part::Records(more)) if more.keyspace == records.keyspace => records = more,
            other => {
                ingestion.finish().map_err(unavailable)?;
                return Ok(other);
            }
        }
    }
}

/// Syncs every file and folder in `folder` and itself.
fn sync(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync(&entry.path())?;
        } else {
            File::open(entry.path())?.sync_all()?;
        }
    }
    File::open(folder)?.sync_all()
}

fn unwritable(folder: &Path, error: &io::Error) -> StoreError {
    StoreError::Unavailable(format!("{} cannot be synced: {error}", folder.display()))
}
