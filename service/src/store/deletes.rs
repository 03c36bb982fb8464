//! Deleting a version or a series, in the order of commits.
//!
//! A version goes with its training points in one commit. A series may have any number of versions: its
//! deletion is one small commit, after which nothing of it is found, and what no longer counts is removed
//! after it, bit by bit (see `graves`).

use std::ops::RangeInclusive;

use compact_str::CompactString;

use super::committer::Tables;
use super::head::{DELETED_PREFIX, Head};
use super::heads::{Heads, text};
use super::record::{seal_number, version_key};
use super::state::StateRecord;
use super::{PutError, StoreError, aliases, index};

/// What is to be deleted.
#[derive(Clone, Debug)]
pub struct DeletePut {
    /// The series; a valid id.
    pub series: CompactString,
    /// One version of it; `None` for all that belongs to the series.
    pub version: Option<u64>,
}

/// What was deleted, for those who have it in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// Single versions.
    Versions {
        /// The series.
        series: CompactString,
        /// Their numbers.
        versions: Vec<u64>,
    },
    /// All that belongs to a series.
    Series {
        /// The series.
        series: CompactString,
        /// The numbers of its versions are among these.
        versions: RangeInclusive<u64>,
        /// Its aliases.
        aliases: Vec<CompactString>,
    },
}

/// Why something was not deleted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeleteError {
    /// The store did not take it.
    #[error(transparent)]
    Put(#[from] PutError),
    /// There is no such series.
    #[error("the series is not known")]
    NoSuchSeries,
    /// The series has no such version.
    #[error("the series has no such version, its latest is {latest}")]
    NoSuchVersion {
        /// The newest version.
        latest: u64,
    },
    /// Aliases point to the version.
    #[error("aliases point to the version: {}", .aliases.join(", "))]
    InUse {
        /// Their names.
        aliases: Vec<CompactString>,
    },
}

/// Called once, as a [`super::Completion`].
pub type DeleteCompletion = Box<dyn FnOnce(Result<Deleted, DeleteError>) + Send>;

/// Called with what a commit deleted, on the store's own thread, before anybody hears that it is done.
pub type DeleteListener = Box<dyn Fn(&Deleted) + Send + Sync>;

/// Deletes what `put` says, if it is there and not in use. No other change of the batch is one of the
/// same series.
pub(super) fn apply<'a>(
    write: &mut fjall::OwnedWriteBatch,
    tables: &Tables,
    heads: &mut Heads<'a>,
    put: &'a DeletePut,
) -> Result<Result<Deleted, DeleteError>, String> {
    match put.version {
        Some(version) => delete_version(write, tables, heads, (&put.series, version)),
        None => delete_series(write, tables, heads, &put.series),
    }
}

fn delete_version<'a>(
    write: &mut fjall::OwnedWriteBatch,
    tables: &Tables,
    heads: &mut Heads<'a>,
    (name, version): (&'a CompactString, u64),
) -> Result<Result<Deleted, DeleteError>, String> {
    let series = match heads.of(tables, name)? {
        Ok(series) => series,
        Err(refused) => return Ok(Err(refused.into())),
    };
    let latest = series.head.latest;
    if latest == 0 {
        return Ok(Err(DeleteError::NoSuchSeries));
    }
    if !series.has(tables, version)? {
        return Ok(Err(DeleteError::NoSuchVersion { latest }));
    }
    let pointing = match aliases::read_all(&tables.aliases, name) {
        Ok(all) => all
            .into_iter()
            .filter(|(_, record)| record.version == version),
        // It may be the one that points here.
        Err(error @ StoreError::Damaged { .. }) => {
            return Ok(Err(PutError::Damaged(error.to_string()).into()));
        }
        Err(error) => return Err(error.to_string()),
    };
    let aliases: Vec<CompactString> = pointing.map(|(alias, _)| alias).collect();
    if !aliases.is_empty() {
        return Ok(Err(DeleteError::InUse { aliases }));
    }
    series.remove(write, tables, version)?;
    Ok(Ok(Deleted::Versions {
        series: name.clone(),
        versions: vec![version],
    }))
}

fn delete_series<'a>(
    write: &mut fjall::OwnedWriteBatch,
    tables: &Tables,
    heads: &mut Heads<'a>,
    name: &'a CompactString,
) -> Result<Result<Deleted, DeleteError>, String> {
    let series = match heads.of(tables, name)? {
        Ok(series) => series,
        Err(refused) => return Ok(Err(refused.into())),
    };
    // One that only learnt from updates has no version and no head.
    if !series.head.is_there() && !tables.online.contains_key(name).map_err(text)? {
        return Ok(Err(DeleteError::NoSuchSeries));
    }
    let Head {
        last, deleted_to, ..
    } = series.head;
    series.end();
    if last > deleted_to {
        write.insert(&tables.heads, grave_key(name), seal_number(last));
    }
    let aliases = remove_at_once(write, tables, name)?;
    Ok(Ok(Deleted::Series {
        series: name.clone(),
        versions: deleted_to + 1..=last,
        aliases,
    }))
}

pub(super) fn grave_key(series: &str) -> Vec<u8> {
    [DELETED_PREFIX.as_bytes(), series.as_bytes()].concat()
}

/// Removes what belongs to a series and is bounded: all of it goes in the commit that deletes the series.
/// Returns the names of the aliases.
///
/// What has no bound goes in `graves`, and does not count from this commit on because its version is of an
/// earlier life: versions, training points, times and kept answers. **A keyspace that has records of series
/// has a line in one of the two places.**
fn remove_at_once(
    write: &mut fjall::OwnedWriteBatch,
    tables: &Tables,
    series: &str,
) -> Result<Vec<CompactString>, String> {
    // An online state: after its snapshot, no more points are logged than one snapshot replaces.
    if let Some(snapshot) = tables.online.get(series).map_err(text)? {
        let learnt = StateRecord::open(&snapshot).map_or(0, |snapshot| snapshot.seq);
        let points = version_key(series, learnt)..=version_key(series, u64::MAX);
        for point in tables.points.range(points) {
            write.remove(&tables.points, point.key().map_err(text)?);
        }
        write.remove(&tables.online, series);
    }
    index::remove_labels(write, tables, series)?;
    // A hundred aliases at most.
    let aliases = remove_prefixed(write, &tables.aliases, series)?;
    let names = aliases.iter().map(|key| String::from_utf8_lossy(key));
    Ok(names.map(|name| name.as_ref().into()).collect())
}

/// Removes what `table` has under the series and a zero byte; returns what comes after that in its keys.
fn remove_prefixed(
    write: &mut fjall::OwnedWriteBatch,
    table: &fjall::Keyspace,
    series: &str,
) -> Result<Vec<Vec<u8>>, String> {
    let prefix = [series.as_bytes(), b"\0"].concat();
    let mut removed = Vec::new();
    for entry in table.prefix(&prefix) {
        let key = entry.key().map_err(text)?;
        removed.push(key[prefix.len()..].to_vec());
        write.remove(table, key);
    }
    Ok(removed)
}
