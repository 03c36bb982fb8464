//! By what versions and series are found besides their names: the time a version was stored, and labels.
//!
//! | keyspace | key | value |
//! |---|---|---|
//! | `times` | series, 0x00, milliseconds since 1970 (u64, big endian) | sealed number of the version that was the latest from then on |
//! | `labels` | series | sealed [`SeriesLabels`] |
//! | `labelled` | label, `=`, value, 0x00, series | nothing |
//!
//! All three are written in the commit of the version that they tell of. A version that is deleted leaves its time, so
//! that none before it is taken for it; the labels are the series' own. With the series go both.
//!
//! A version counts from its own time, or from that of a version before it where the clock stepped back or
//! two fits overtook each other: the times of a series never decrease in commit order. Versions that were stored by
//! releases without `times` are found by their records.

use std::collections::{BTreeMap, HashMap};

use compact_str::CompactString;
use fjall::Readable;
use serde::{Deserialize, Serialize};

use super::committer::Tables;
use super::head::Head;
use super::reading;
use super::record::{VersionRecord, open_number, seal_number, series_and_number, version_key};
use super::sealed;
use super::{Put, StoreError};

/// Labels of a series or of a version.
pub type Labels = BTreeMap<CompactString, CompactString>;

const MAGIC: [u8; 4] = *b"TLAB";
const FORMAT: u16 = 1;

/// Times that one commit looks at for some that can go.
const PRUNED_AT_ONCE: usize = 256;

/// By what a version is found besides its number.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Indexed {
    /// From when it counts, milliseconds since 1970.
    pub since_ms: u64,
    /// The labels that its series has from now on; `None` leaves those it has.
    pub labels: Option<Labels>,
}

/// The labels of a series, and the version whose fit named them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SeriesLabels {
    /// The version.
    pub version: u64,
    /// Its labels.
    pub labels: Labels,
}

impl SeriesLabels {
    /// Seals the record.
    #[must_use]
    pub fn seal(&self) -> Vec<u8> {
        sealed::seal(MAGIC, FORMAT, self)
    }

    /// Opens a sealed record.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the bytes.
    pub fn open(bytes: &[u8]) -> Result<Self, String> {
        sealed::open(MAGIC, FORMAT, bytes)
    }
}

/// What all keys of series with this label begin with. Neither part has the byte 0x00, and a label no `=`.
#[must_use]
pub fn labelled_prefix(label: &str, value: &str) -> Vec<u8> {
    [label.as_bytes(), b"=", value.as_bytes(), b"\0"].concat()
}

/// The key of a series under one of its labels.
#[must_use]
pub fn labelled_key(label: &str, value: &str, series: &str) -> Vec<u8> {
    [&labelled_prefix(label, value), series.as_bytes()].concat()
}

/// Which version was the latest at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AsOf {
    /// This one.
    Version(u64),
    /// The series had none yet.
    NoneYet,
    /// The series is not there.
    NoSuchSeries,
}

/// The labels of `series` as the table has them.
pub(super) fn read_labels(
    table: &fjall::Keyspace,
    series: &str,
) -> Result<Option<SeriesLabels>, StoreError> {
    let name = || format!("{series} (labels)");
    let bytes = table.get(series);
    let bytes = bytes.map_err(|error| reading::failed(&name(), &error))?;
    let labels = bytes.map(|bytes| SeriesLabels::open(&bytes)).transpose();
    labels.map_err(|reason| reading::damaged(&name(), reason))
}

/// The version of `series` that was the latest at `at_ms`, whether it is there yet or not; none where it had
/// none yet since it was deleted the last time.
pub(super) fn version_at(
    moment: &fjall::Snapshot,
    tables: &Tables,
    series: &str,
    at_ms: u64,
    head: &Head,
) -> Result<Option<u64>, StoreError> {
    let failed = |error| reading::failed(&format!("{series} (times)"), &error);
    let opened = |bytes: &[u8]| {
        open_number(bytes).map_err(|reason| reading::damaged(&format!("{series} (times)"), reason))
    };
    let keys = version_key(series, 0)..=version_key(series, at_ms);
    if let Some(last) = moment.range(&tables.times, keys).next_back() {
        let version = opened(&last.value().map_err(failed)?)?;
        return Ok((version > head.deleted_to).then_some(version));
    }
    // Those before the first time that was noted: stored by a release that noted none, or in one millisecond.
    let keys = version_key(series, 0)..=version_key(series, u64::MAX);
    let end = match moment.range(&tables.times, keys).next() {
        Some(first) => opened(&first.value().map_err(failed)?)?,
        None => head.last.saturating_add(1),
    };
    let start = head.deleted_to + 1;
    if end <= start {
        return Ok(None);
    }
    let before = version_key(series, start)..version_key(series, end);
    let mut found = None;
    for record in moment.range(&tables.versions, before) {
        let (key, bytes) = record
            .into_inner()
            .map_err(|error| reading::failed(series, &error))?;
        let version = number_of(&key);
        let record = VersionRecord::open(&bytes)
            .map_err(|reason| reading::damaged(&format!("{series} version {version}"), reason))?;
        // None after it counts from an earlier time.
        if u64::try_from(record.since_ms()).unwrap_or(0) > at_ms {
            break;
        }
        found = Some(version);
    }
    Ok(found)
}

/// Removes the labels of a deleted series, in the commit that deletes it: there are few.
pub(super) fn remove_labels(
    write: &mut fjall::OwnedWriteBatch,
    tables: &Tables,
    series: &str,
) -> Result<(), String> {
    let labels = match read_labels(&tables.labels, series) {
        Ok(None) => return Ok(()),
        Ok(Some(record)) => record.labels,
        // What it is found by leads nowhere then, and `accept_loss` removes it.
        Err(StoreError::Damaged { .. }) => Labels::new(),
        Err(error) => return Err(error.to_string()),
    };
    for (label, value) in labels {
        write.remove(&tables.labelled, labelled_key(&label, &value, series));
    }
    write.remove(&tables.labels, series);
    Ok(())
}

/// Makes the index fit the heads, where records of either are lost: times of numbers that were not given
/// go, and so does what a series is found by and has not. `last` is the last number of each series.
pub(super) fn make_anew(
    write: &mut fjall::OwnedWriteBatch,
    tables: &Tables,
    mut last: impl FnMut(&str) -> Result<u64, StoreError>,
) -> Result<(), StoreError> {
    let failed = |error| reading::failed("the index of series", &error);
    let moment = tables.db.snapshot();
    for record in moment.iter(&tables.times) {
        let (key, value) = record.into_inner().map_err(failed)?;
        let of = series_and_number(&key);
        let is_given = match (of, open_number(&value)) {
            (Some((series, _)), Ok(version)) => version <= last(&series)?,
            _ => false,
        };
        if !is_given {
            write.remove(&tables.times, key);
        }
    }
    for record in moment.iter(&tables.labels) {
        let (key, value) = record.into_inner().map_err(failed)?;
        let series = String::from_utf8_lossy(&key);
        match SeriesLabels::open(&value) {
            Ok(record) if record.version <= last(&series)? => {
                for (label, value) in &record.labels {
                    write.insert(&tables.labelled, labelled_key(label, value, &series), []);
                }
            }
            _ => write.remove(&tables.labels, key),
        }
    }
    for record in moment.iter(&tables.labelled) {
        let key = record.key().map_err(failed)?;
        let has = labelled_parts(&key).is_some_and(|(label, value, series)| {
            let record = read_labels(&tables.labels, &series).ok().flatten();
            record.is_some_and(|record| {
                record
                    .labels
                    .get(label.as_str())
                    .is_some_and(|it| *it == value)
            })
        });
        if !has {
            write.remove(&tables.labelled, key);
        }
    }
    Ok(())
}

/// Label, value and series of a key.
pub(super) fn labelled_parts(key: &[u8]) -> Option<(String, String, String)> {
    let text = std::str::from_utf8(key).ok()?;
    let (label, series) = text.split_once('\0')?;
    let (label, value) = label.split_once('=')?;
    Some((label.to_owned(), value.to_owned(), series.to_owned()))
}

/// The number at the end of a key.
pub(super) fn number_of(key: &[u8]) -> u64 {
    key.last_chunk::<8>()
        .map_or(0, |end| u64::from_be_bytes(*end))
}

/// What one batch changes of the index, on top of the tables.
#[derive(Default)]
pub(super) struct IndexWrites<'a> {
    series: HashMap<&'a str, OfSeries<'a>>,
}

#[derive(Default)]
struct OfSeries<'a> {
    /// The last time before this batch, then within it.
    last_ms: u64,
    /// Versions by the times from which they are the latest. A batch writes no key twice.
    times: BTreeMap<u64, u64>,
    /// Times that tell nothing any more.
    pruned: Vec<u64>,
    labels: Option<LabelChange<'a>>,
}

struct LabelChange<'a> {
    before: Labels,
    now: Option<(u64, &'a Labels)>,
}

impl<'a> IndexWrites<'a> {
    /// Reads what the entries of `put` rest on. An error that is damage refuses this put alone.
    pub(super) fn takes(&mut self, tables: &Tables, put: &'a Put) -> Result<(), StoreError> {
        let series = put.series.as_str();
        if !self.series.contains_key(series) {
            let last = tables
                .times
                .range(version_key(series, 0)..=version_key(series, u64::MAX))
                .next_back();
            let last = last.map(|last| last.key()).transpose();
            let last = last.map_err(|error| reading::failed(&format!("{series} (times)"), &error));
            let of = OfSeries {
                last_ms: last?.map_or(0, |key| number_of(&key)),
                ..OfSeries::default()
            };
            self.series.insert(series, of);
        }
        let of = self.series.entry(series).or_default();
        if put.index.labels.is_some() && of.labels.is_none() {
            let before = read_labels(&tables.labels, series)?.unwrap_or_default();
            of.labels = Some(LabelChange {
                before: before.labels,
                now: None,
            });
        }
        Ok(())
    }

    /// Notes the version that `put` became.
    pub(super) fn set(&mut self, put: &'a Put, version: u64) {
        let of = self.series.entry(put.series.as_str()).or_default();
        of.last_ms = of.last_ms.max(put.index.since_ms);
        of.times.insert(of.last_ms, version);
        if let (Some(change), Some(labels)) = (&mut of.labels, &put.index.labels) {
            change.now = Some((version, labels));
        }
    }

    /// Of times whose versions are gone one after the other, one is enough to say so: whoever asks for any of them
    /// learns that the version is not there. Else, a series that keeps few versions would keep a time of each.
    pub(super) fn prune(
        &mut self,
        tables: &Tables,
        series: &'a str,
        head: &Head,
    ) -> Result<(), String> {
        if head.from <= 1 {
            return Ok(());
        }
        let keys = version_key(series, 0)..=version_key(series, u64::MAX);
        let mut is_before_gone = false;
        let of = self.series.entry(series).or_default();
        for entry in tables.times.range(keys).take(PRUNED_AT_ONCE) {
            let (key, value) = entry.into_inner().map_err(|error| error.to_string())?;
            let Ok(version) = open_number(&value) else {
                break;
            };
            if version >= head.from {
                break;
            }
            let is_gone = !head.may_have(version);
            if is_gone && is_before_gone {
                of.pruned.push(number_of(&key));
            }
            is_before_gone = is_gone;
        }
        Ok(())
    }

    pub(super) fn write(self, write: &mut fjall::OwnedWriteBatch, tables: &Tables) {
        for (series, of) in self.series {
            for ms in of.pruned {
                if !of.times.contains_key(&ms) {
                    write.remove(&tables.times, version_key(series, ms));
                }
            }
            for (ms, version) in of.times {
                let key = version_key(series, ms);
                write.insert(&tables.times, key, seal_number(version));
            }
            let Some(change) = of.labels else { continue };
            let Some((version, now)) = change.now else {
                continue;
            };
            for (label, value) in &change.before {
                if now.get(label) != Some(value) {
                    write.remove(&tables.labelled, labelled_key(label, value, series));
                }
            }
            for (label, value) in now {
                if change.before.get(label) != Some(value) {
                    write.insert(&tables.labelled, labelled_key(label, value, series), []);
                }
            }
            let labels = now.clone();
            let record = SeriesLabels { version, labels };
            write.insert(&tables.labels, series.as_bytes(), record.seal());
        }
    }
}
