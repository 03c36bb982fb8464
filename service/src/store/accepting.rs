//! Goes on with a store of which something is missing.

use std::collections::BTreeMap;
use std::io;

use fjall::{OwnedWriteBatch, PersistMode, Readable};

use super::StoreError;
use super::aliases::{AliasRecord, REVISION_KEY};
use super::commit_record::{COMMIT_KEY, CommitRecord};
use super::committer::Tables;
use super::embedded::EmbeddedOptions;
use super::folder::Depth;
use super::heads;
use super::incomplete::Incomplete;
use super::index;
use super::keyspaces::{ALIASES, ANSWERS, HEADS, LABELLED, LABELS, TIMES};
use super::opening::{self, Opened, read_number, unavailable};
use super::reading;
use super::record::{SERIES_COUNT_KEY, seal_number, series_and_number};
use super::watermark::Watermark;

/// Changes of aliases that may have been lost: a tag that was given out must not be given again.
const LOST_REVISIONS: u64 = 1 << 20;

/// Goes on with what is there: nothing that is missing up to now counts as missing any more. Every byte
/// is read, and what is damaged is left out. What can be known from other records is made anew.
///
/// # Errors
/// When the store cannot be opened or written.
pub fn accept_loss(options: &EmbeddedOptions) -> Result<Option<Incomplete>, StoreError> {
    let path = &options.path;
    let unavailable_file =
        |error: io::Error| StoreError::Unavailable(format!("{}: {error}", path.display()));
    let known = Watermark::read(path).map_err(unavailable_file)?;
    let Opened {
        tables, incomplete, ..
    } = opening::open_after(options, Depth::Whole)?;
    let Some(incomplete) = incomplete else {
        return Ok(None);
    };
    let accepted = opening::last_commit(&tables)?.number.max(known);
    let record = CommitRecord {
        number: accepted + 1,
        floor: tables.db.seqno(),
        accepted,
    };
    let mut write = tables.db.batch().durability(Some(PersistMode::SyncAll));
    let mut lasts = BTreeMap::new();
    if incomplete.lost.touches(&[HEADS]) {
        reading::guarded("latest versions", || {
            heads_anew(&tables, &mut write, &mut lasts)
        })?;
    }
    if incomplete.lost.touches(&[HEADS, TIMES, LABELS, LABELLED]) {
        let moment = tables.db.snapshot();
        let last = |series: &str| match lasts.get(series) {
            Some(last) => Ok(*last),
            None => {
                let head = heads::read_at(&moment, &tables, series)?;
                Ok(head.unwrap_or_default().last)
            }
        };
        reading::guarded("the index of series", || {
            index::make_anew(&mut write, &tables, last)
        })?;
    }
    if incomplete.lost.touches(&[ALIASES]) {
        reading::guarded("aliases", || revision_anew(&tables, &mut write))?;
    }
    if incomplete.lost.touches(&[ANSWERS]) {
        reading::guarded("kept answers", || tables.answers.count_anew(&mut write))?;
    }
    write.insert(&tables.heads, COMMIT_KEY, record.seal());
    write.commit().map_err(unavailable)?;
    Watermark::open(path, record.number).map_err(unavailable_file)?;
    Incomplete::remove(path).map_err(unavailable_file)?;
    Ok(Some(incomplete))
}

/// Each series has the versions that are there, and a number that is in use is not given again.
fn heads_anew(
    tables: &Tables,
    write: &mut OwnedWriteBatch,
    lasts: &mut BTreeMap<String, u64>,
) -> Result<(), StoreError> {
    let moment = tables.db.snapshot();
    let mut numbers: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for record in moment.iter(&tables.heads) {
        let key = record.key().map_err(unavailable)?;
        if key.first() != Some(&0) {
            let series = String::from_utf8_lossy(&key).into_owned();
            numbers.entry(series).or_default();
        }
    }
    for record in moment.iter(&tables.versions) {
        let key = record.key().map_err(unavailable)?;
        if let Some((series, version)) = series_and_number(&key) {
            numbers.entry(series).or_default().push(version);
        }
    }
    let mut n_series = 0;
    for (series, there) in &numbers {
        let known = heads::read_at(&moment, tables, series)?;
        let head = known.clone().unwrap_or_default().of_those_there(there);
        n_series += u64::from(head.count > 0);
        lasts.insert(series.clone(), head.last);
        if known.as_ref() != Some(&head) {
            write.insert(&tables.heads, series, head.seal());
        }
    }
    write.insert(&tables.heads, SERIES_COUNT_KEY, seal_number(n_series));
    Ok(())
}

/// The number of the last change of an alias is not below that of any alias.
fn revision_anew(tables: &Tables, write: &mut OwnedWriteBatch) -> Result<(), StoreError> {
    let mut last = read_number(&tables.aliases, REVISION_KEY)?.unwrap_or(0);
    for record in tables.aliases.iter() {
        let (key, value) = record.into_inner().map_err(unavailable)?;
        if key.first() != Some(&0)
            && let Ok(record) = AliasRecord::open(&value)
        {
            last = last.max(record.revision);
        }
    }
    let revision = last.saturating_add(LOST_REVISIONS);
    write.insert(&tables.aliases, REVISION_KEY, seal_number(revision));
    Ok(())
}
