//! What is left of deleted series: removed a bit at a time between commits, and after a restart on from
//! where it was.
//!
//! Nothing of it counts since the commit that deleted the series: its versions have numbers of an earlier
//! life, and so have the versions that kept answers tell of. A later life of the series may be under way.

use std::collections::VecDeque;

use compact_str::CompactString;

use super::StoreError;
use super::answers::Sweeper;
use super::committer::Tables;
use super::deletes::{Deleted, grave_key};
use super::head::DELETED_PREFIX;
use super::heads::text;
use super::index::number_of;
use super::reading;
use super::record::{open_number, version_key};

/// Records that are looked at in one step: well below a millisecond.
const STEP: usize = 256;

/// The deleted series of which something may be left.
pub(super) struct Graves {
    waiting: VecDeque<Grave>,
}

struct Grave {
    series: CompactString,
    /// The last version of the lives that ended.
    to: u64,
    /// Where to go on among the versions, then among the answers.
    versions_from: Option<u64>,
    times_from: Option<u64>,
    answers_from: Vec<u8>,
}

impl Grave {
    fn of(series: CompactString, (from, to): (u64, u64)) -> Self {
        let answers_from = [series.as_bytes(), b"\0"].concat();
        Self {
            series,
            to,
            versions_from: Some(from),
            times_from: Some(0),
            answers_from,
        }
    }
}

impl Graves {
    /// Those that an earlier process left.
    pub(super) fn of(tables: &Tables) -> Result<Self, StoreError> {
        let key = "what is left of deleted series";
        reading::guarded(key, || {
            let mut waiting = VecDeque::new();
            for entry in tables.heads.prefix(DELETED_PREFIX) {
                let entry = entry.into_inner();
                let (name, to) = entry.map_err(|error| reading::failed(key, &error))?;
                let to = open_number(&to).map_err(|reason| reading::damaged(key, reason))?;
                let name = String::from_utf8_lossy(&name[DELETED_PREFIX.len()..]);
                waiting.push_back(Grave::of(name.as_ref().into(), (0, to)));
            }
            Ok(Self { waiting })
        })
    }

    /// Notes what was just deleted.
    pub(super) fn add(&mut self, deleted: &Deleted) {
        if let Deleted::Series {
            series, versions, ..
        } = deleted
            && !versions.is_empty()
        {
            let range = (*versions.start(), *versions.end());
            self.waiting.push_back(Grave::of(series.clone(), range));
        }
    }

    /// Whether something is left.
    pub(super) fn is_due(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Removes a few records. Not synced: what a crash brings back is removed again.
    pub(super) fn step(&mut self, tables: &Tables, sweeper: &mut Sweeper) -> Result<(), String> {
        let Some(grave) = self.waiting.front_mut() else {
            return Ok(());
        };
        let buffered = Some(fjall::PersistMode::Buffer);
        let mut write = tables.db.batch().durability(buffered);
        let mut left = STEP;
        if let Some(from) = grave.versions_from {
            grave.versions_from = remove_versions(&mut write, tables, grave, from, &mut left)?;
        }
        if let (None, Some(from)) = (grave.versions_from, grave.times_from)
            && left > 0
        {
            grave.times_from = remove_times(&mut write, tables, grave, from, &mut left)?;
        }
        if grave.versions_from.is_none() && grave.times_from.is_none() && left > 0 {
            let is_all = remove_answers(&mut write, tables, grave, sweeper, left)?;
            if is_all {
                remove_mark(&mut write, tables, grave)?;
                self.waiting.pop_front();
            }
        }
        write.commit().map_err(text)
    }
}

/// Removes versions from the number `from` on, with their training points; where to go on.
fn remove_versions(
    write: &mut fjall::OwnedWriteBatch,
    tables: &Tables,
    grave: &Grave,
    from: u64,
    left: &mut usize,
) -> Result<Option<u64>, String> {
    let keys = version_key(&grave.series, from)..=version_key(&grave.series, grave.to);
    for entry in tables.versions.range(keys) {
        let key = entry.key().map_err(text)?;
        if *left == 0 {
            let number = key
                .last_chunk::<8>()
                .ok_or("a version's key is too short")?;
            return Ok(Some(u64::from_be_bytes(*number)));
        }
        *left -= 1;
        if tables.training.contains_key(&key).map_err(text)? {
            write.remove(&tables.training, key.clone());
        }
        write.remove(&tables.versions, key);
    }
    Ok(None)
}

/// Removes the times of versions of the lives that ended, from `from` on; where to go on.
fn remove_times(
    write: &mut fjall::OwnedWriteBatch,
    tables: &Tables,
    grave: &Grave,
    from: u64,
    left: &mut usize,
) -> Result<Option<u64>, String> {
    let keys = version_key(&grave.series, from)..=version_key(&grave.series, u64::MAX);
    for entry in tables.times.range(keys) {
        let (key, value) = entry.into_inner().map_err(text)?;
        // A later life has noted this time as its own, and all after it.
        if open_number(&value).is_ok_and(|version| version > grave.to) {
            return Ok(None);
        }
        if *left == 0 {
            return Ok(Some(number_of(&key)));
        }
        *left -= 1;
        write.remove(&tables.times, key);
    }
    Ok(None)
}

/// Removes answers that tell of versions of the lives that ended; whether all were looked at.
fn remove_answers(
    write: &mut fjall::OwnedWriteBatch,
    tables: &Tables,
    grave: &mut Grave,
    sweeper: &mut Sweeper,
    left: usize,
) -> Result<bool, String> {
    let end = [grave.series.as_bytes(), b"\x01"].concat();
    let from = grave.answers_from.clone();
    let mut records = Vec::new();
    let mut is_all = true;
    for entry in tables.answers.table.range(from..end) {
        let (key, value) = entry.into_inner().map_err(text)?;
        if records.len() == left {
            grave.answers_from = key.to_vec();
            is_all = false;
            break;
        }
        records.push((key, value));
    }
    sweeper.bury(write, &tables.answers, &records, grave.to);
    Ok(is_all)
}

/// The series may have been deleted again meanwhile.
fn remove_mark(
    write: &mut fjall::OwnedWriteBatch,
    tables: &Tables,
    grave: &Grave,
) -> Result<(), String> {
    let key = grave_key(&grave.series);
    let mark = tables.heads.get(&key).map_err(text)?;
    if mark.is_some_and(|to| open_number(&to) == Ok(grave.to)) {
        write.remove(&tables.heads, key);
    }
    Ok(())
}
