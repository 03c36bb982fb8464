//! The heads of the series of one batch, with what the batch changes of them.

use std::collections::{BTreeMap, HashMap};

use fjall::Readable;

use super::committer::Tables;
use super::head::Head;
use super::reading;
use super::record::{SERIES_COUNT_KEY, seal_number, version_key};
use super::{Put, PutError, StoreError};

/// Reads the head of `series` as it is at a moment.
pub(super) fn read_at(
    moment: &fjall::Snapshot,
    tables: &Tables,
    series: &str,
) -> Result<Option<Head>, StoreError> {
    opened(series, moment.get(&tables.heads, series))
}

fn opened(
    series: &str,
    bytes: fjall::Result<Option<fjall::UserValue>>,
) -> Result<Option<Head>, StoreError> {
    let name = || format!("the head of {series}");
    let bytes = bytes.map_err(|error| reading::failed(&name(), &error))?;
    let head = bytes.map(|bytes| Head::open(&bytes)).transpose();
    head.map_err(|reason| reading::damaged(&name(), reason))
}

/// The heads of one batch, by series.
#[derive(Default)]
pub(super) struct Heads<'a> {
    by_series: HashMap<&'a str, Series<'a>>,
}

/// One series in a batch.
pub(super) struct Series<'a> {
    pub(super) name: &'a str,
    pub(super) head: Head,
    /// Whether it had a version before the batch.
    had_versions: bool,
    is_changed: bool,
    /// The versions of this batch: they are in no table yet.
    puts: BTreeMap<u64, &'a Put>,
}

impl<'a> Heads<'a> {
    /// The series as the batch has left it so far; an inner error refuses changes of this series alone.
    pub(super) fn of(
        &mut self,
        tables: &Tables,
        series: &'a str,
    ) -> Result<Result<&mut Series<'a>, PutError>, String> {
        // Giving a number after a damaged one could repeat one.
        if !self.by_series.contains_key(series) {
            let head = match opened(series, tables.heads.get(series)) {
                Ok(head) => head.unwrap_or_default(),
                Err(StoreError::Damaged { key, reason }) => {
                    return Ok(Err(PutError::Damaged(format!("{key}: {reason}"))));
                }
                Err(error) => return Err(error.to_string()),
            };
            self.by_series.insert(series, Series::new(series, head));
        }
        Ok(Ok(self.by_series.get_mut(series).expect("it is there now")))
    }

    /// The series that have versions of this batch.
    pub(super) fn with_puts(&mut self) -> impl Iterator<Item = &mut Series<'a>> {
        let all = self.by_series.values_mut();
        all.filter(|series| !series.puts.is_empty())
    }

    /// Writes heads and versions; `n_series` had versions before. How many have now.
    pub(super) fn write(
        self,
        write: &mut fjall::OwnedWriteBatch,
        tables: &Tables,
        n_series: u64,
    ) -> u64 {
        let mut now = n_series;
        for (name, series) in self.by_series {
            if !series.is_changed {
                continue;
            }
            match (series.had_versions, series.head.count > 0) {
                (false, true) => now += 1,
                (true, false) => now = now.saturating_sub(1),
                _ => {}
            }
            for (version, put) in series.puts {
                write_version(write, tables, put, version);
            }
            write.insert(&tables.heads, name.as_bytes(), series.head.seal());
        }
        if now != n_series {
            write.insert(&tables.heads, SERIES_COUNT_KEY, seal_number(now));
        }
        now
    }
}

fn write_version(write: &mut fjall::OwnedWriteBatch, tables: &Tables, put: &Put, version: u64) {
    let key = version_key(&put.series, version);
    if let Some(training) = &put.training {
        write.insert(&tables.training, key.as_slice(), training.as_slice());
    }
    write.insert(&tables.versions, key, put.record.as_slice());
}

impl<'a> Series<'a> {
    fn new(name: &'a str, head: Head) -> Self {
        Self {
            name,
            had_versions: head.count > 0,
            head,
            is_changed: false,
            puts: BTreeMap::new(),
        }
    }

    /// Gives `put` its number.
    pub(super) fn put(&mut self, put: &'a Put) -> u64 {
        self.is_changed = true;
        let version = self.head.give();
        self.puts.insert(version, put);
        version
    }

    /// Versions of this batch.
    pub(super) fn n_puts(&self) -> usize {
        self.puts.len()
    }

    /// Whether `version` is there.
    pub(super) fn has(&self, tables: &Tables, version: u64) -> Result<bool, String> {
        if !self.head.may_have(version) {
            return Ok(false);
        }
        if self.puts.contains_key(&version) {
            return Ok(true);
        }
        let key = version_key(self.name, version);
        tables.versions.contains_key(key).map_err(text)
    }

    /// The versions from `head.from` on that are there, ascending; those that the batch removes among
    /// them.
    pub(super) fn upwards(
        &self,
        tables: &Tables,
    ) -> impl DoubleEndedIterator<Item = Result<u64, String>> + use<> {
        let ours: Vec<_> = self.puts.keys().map(|version| Ok(*version)).collect();
        self.stored(tables, self.head.from, u64::MAX).chain(ours)
    }

    /// The versions from `first` to `last` that are in the table.
    fn stored(
        &self,
        tables: &Tables,
        first: u64,
        last: u64,
    ) -> impl DoubleEndedIterator<Item = Result<u64, String>> + use<> {
        let keys = version_key(self.name, first)..=version_key(self.name, last);
        tables.versions.range(keys).map(|entry| {
            let key = entry.key().map_err(text)?;
            let number = key
                .last_chunk::<8>()
                .ok_or("a version's key is too short")?;
            Ok(u64::from_be_bytes(*number))
        })
    }

    /// Removes `version`, which is there.
    pub(super) fn remove(
        &mut self,
        write: &mut fjall::OwnedWriteBatch,
        tables: &Tables,
        version: u64,
    ) -> Result<(), String> {
        self.is_changed = true;
        // What the batch was to write is not written.
        if self.puts.remove(&version).is_none() {
            let key = version_key(self.name, version);
            if tables.training.contains_key(&key).map_err(text)? {
                write.remove(&tables.training, key.as_slice());
            }
            write.remove(&tables.versions, key);
        }
        let was_latest = self.head.latest == version;
        self.head.take(version);
        if was_latest && self.head.count > 0 {
            let from = self.head.from;
            let mut below = (from < version).then(|| self.stored(tables, from, version - 1));
            let before = below.as_mut().and_then(|below| below.next_back());
            let before = before.transpose()?;
            let before = before.or_else(|| self.head.kept.last().copied());
            self.head.latest = before.ok_or("no version is where the head says that one is")?;
        }
        Ok(())
    }

    /// Notes that of the versions below `from` none are there but the ones that were, and `kept`.
    pub(super) fn pass(&mut self, from: u64, kept: Vec<u64>) {
        self.is_changed |= from > self.head.from || !kept.is_empty();
        self.head.from = self.head.from.max(from);
        self.head.kept.extend(kept);
    }

    /// Ends the series' life.
    pub(super) fn end(&mut self) {
        self.is_changed = true;
        self.head.end();
    }
}

pub(super) fn text(error: fjall::Error) -> String {
    error.to_string()
}
