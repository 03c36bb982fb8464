//! Whether what a store has fits together, as it does after every commit.
//!
//! A copy of several moments does not: a head that is newer than the versions, an alias of a version
//! that is not there, points without the snapshot before them. All keyspaces are read in the order of
//! their keys beside each other, so that memory does not grow with the store.

use std::fmt::Display;
use std::iter::Peekable;

use crate::store::StoreError;
use crate::store::aliases::{AliasRecord, REVISION_KEY};
use crate::store::committer::Tables;
use crate::store::head::Head;
use crate::store::index::{SeriesLabels, labelled_key};
use crate::store::opening::{read_number, unavailable};
use crate::store::record::{SERIES_COUNT_KEY, open_number};
use crate::store::state::{Learnt, StateRecord};

/// Most sentences that are kept; beyond them they are counted.
const SENTENCES: usize = 20;

/// What was found.
#[derive(Debug, Default)]
pub struct Inconsistencies {
    /// What does not fit together, the first ones of it.
    pub sentences: Vec<String>,
    /// How much of it there is.
    pub count: u64,
    /// Records of which nothing can be said, because they are damaged: the first ones by name. The
    /// server names them too, when they are asked for, and serves all others.
    pub damaged: Vec<String>,
}

impl Inconsistencies {
    pub(super) fn add(&mut self, sentence: impl Display) {
        self.count += 1;
        if self.sentences.len() < SENTENCES {
            self.sentences.push(sentence.to_string());
        }
    }

    fn damaged(&mut self, sentence: impl Display) {
        if self.damaged.len() < SENTENCES {
            self.damaged.push(sentence.to_string());
        }
    }
}

type Record = (Vec<u8>, Vec<u8>);

/// The records of a keyspace, without those that are no series'.
struct Table<I: Iterator<Item = Result<Record, StoreError>>>(Peekable<I>);

impl<I: Iterator<Item = Result<Record, StoreError>>> Table<I> {
    /// The next record, if it is one of `series`.
    fn next_of(&mut self, series: &[u8]) -> Result<Option<Record>, StoreError> {
        let is_next = |record: &Result<Record, StoreError>| match record {
            Ok((key, _)) => series_of(key) == series,
            Err(_) => true,
        };
        self.0.next_if(is_next).transpose()
    }

    /// The series of the next record.
    fn series(&mut self) -> Option<Vec<u8>> {
        match self.0.peek() {
            Some(Ok((key, _))) => Some(series_of(key).to_vec()),
            // Whoever takes the record next meets the error.
            Some(Err(_)) => Some(Vec::new()),
            None => None,
        }
    }
}

fn table(
    keyspace: &fjall::Keyspace,
) -> Table<impl Iterator<Item = Result<Record, StoreError>> + use<>> {
    let records = keyspace.range(&[1][..]..).map(|record| {
        let (key, value) = record.into_inner().map_err(unavailable)?;
        Ok((key.to_vec(), value.to_vec()))
    });
    Table(records.peekable())
}

/// No series has the byte 0x00 in its id; what comes after the first one is not of the id.
fn series_of(key: &[u8]) -> &[u8] {
    let end = key.iter().position(|byte| *byte == 0);
    &key[..end.unwrap_or(key.len())]
}

/// The number at the end of a key.
fn number_of(key: &[u8]) -> u64 {
    key.last_chunk::<8>()
        .map_or(0, |end| u64::from_be_bytes(*end))
}

/// The index of labels, which has for each series what its record of labels has, and nothing else.
#[derive(Default)]
struct Labelled {
    expected: u64,
    /// A record is damaged: what it should have in the index is not known.
    is_unknown: bool,
}

impl Labelled {
    /// The record of one series.
    fn check(
        &mut self,
        tables: &Tables,
        series: &str,
        latest: u64,
        record: &[u8],
        found: &mut Inconsistencies,
    ) -> Result<(), StoreError> {
        let record = match SeriesLabels::open(record) {
            Ok(record) => record,
            Err(reason) => {
                self.is_unknown = true;
                found.damaged(format_args!("the labels of {series}: {reason}"));
                return Ok(());
            }
        };
        if record.version == 0 || record.version > latest {
            found.add(format_args!(
                "{series} has labels of version {}, which is not there",
                record.version
            ));
        }
        for (label, value) in &record.labels {
            let key = labelled_key(label, value, series);
            if tables.labelled.contains_key(key).map_err(unavailable)? {
                self.expected += 1;
            } else {
                found.add(format_args!("{series} is not found by its label {label}"));
            }
        }
        Ok(())
    }

    /// Nothing is in the index that no series has.
    fn count(self, tables: &Tables, found: &mut Inconsistencies) -> Result<(), StoreError> {
        let mut there = 0;
        for entry in tables.labelled.iter() {
            entry.key().map_err(unavailable)?;
            there += 1;
        }
        if there != self.expected && !self.is_unknown {
            found.add(format_args!(
                "{there} labels of series are indexed, and series have {} of these",
                self.expected
            ));
        }
        Ok(())
    }
}

/// Passes the versions of `series` and the training points beside them: how many count and the latest one.
fn count_versions(
    (versions, training): (
        &mut Table<impl Iterator<Item = Result<Record, StoreError>>>,
        &mut Table<impl Iterator<Item = Result<Record, StoreError>>>,
    ),
    series: &[u8],
    head: Option<&Head>,
    mut is_there: impl FnMut(u64),
    found: &mut Inconsistencies,
) -> Result<(u64, u64), StoreError> {
    let name = String::from_utf8_lossy(series);
    let alone = |version: u64, found: &mut Inconsistencies| {
        found.add(format_args!(
            "{name} has training points of version {version}, which is not there"
        ));
    };
    // Versions of earlier lives may be there yet, and training points beside them.
    let deleted_to = head.map_or(0, |head| head.deleted_to);
    let (mut count, mut latest) = (0, 0);
    let mut points = training.next_of(series)?.map(|(key, _)| number_of(&key));
    while let Some((key, _)) = versions.next_of(series)? {
        let version = number_of(&key);
        while let Some(of) = points.filter(|of| *of <= version) {
            if of < version {
                alone(of, found);
            }
            points = training.next_of(series)?.map(|(key, _)| number_of(&key));
        }
        if version <= deleted_to {
            continue;
        }
        if head.is_some_and(|head| head.is_there() && !head.may_have(version)) {
            found.add(format_args!(
                "{name} has version {version}, and not according to its head"
            ));
        }
        (count, latest) = (count + 1, version);
        is_there(version);
    }
    while let Some(of) = points {
        alone(of, found);
        points = training.next_of(series)?.map(|(key, _)| number_of(&key));
    }
    Ok((count, latest))
}

/// What does not fit together in a store that nobody writes to.
pub(in crate::store) fn inconsistencies(tables: &Tables) -> Result<Inconsistencies, StoreError> {
    let mut found = Inconsistencies::default();
    let (mut heads, mut versions) = (table(&tables.heads), table(&tables.versions));
    let (mut training, mut aliases) = (table(&tables.training), table(&tables.aliases));
    let (mut states, mut points) = (table(&tables.online), table(&tables.points));
    let (mut times, mut labels) = (table(&tables.times), table(&tables.labels));
    let mut labelled = Labelled::default();
    let (mut n_series, mut newest_change) = (0, 0);
    loop {
        let next = [
            heads.series(),
            versions.series(),
            training.series(),
            aliases.series(),
            states.series(),
            points.series(),
            times.series(),
            labels.series(),
        ];
        let Some(series) = next.into_iter().flatten().min() else {
            break;
        };
        let name = String::from_utf8_lossy(&series).into_owned();
        let head = heads.next_of(&series)?;
        let head = match head.map(|(_, value)| Head::open(&value)).transpose() {
            Ok(head) => Some(head.unwrap_or_default()),
            Err(reason) => {
                found.damaged(format_args!("the head of {name}: {reason}"));
                None
            }
        };
        n_series += u64::from(head.as_ref().is_none_or(|head| head.count > 0));
        let mut pointing = Vec::new();
        while let Some((key, value)) = aliases.next_of(&series)? {
            let alias = String::from_utf8_lossy(&key[series.len()..]).replace('\0', "");
            match AliasRecord::open(&value) {
                Ok(record) => {
                    newest_change = newest_change.max(record.revision);
                    pointing.push((alias, record.version));
                }
                Err(reason) => found.damaged(format_args!("the alias {alias} of {name}: {reason}")),
            }
        }
        // What is left of earlier lives, or was deleted alone, has numbers that were given, too.
        let last = head.as_ref().map_or(0, |head| head.last);
        // Without a head, its versions are told of.
        let last = if last == 0 { u64::MAX } else { last };
        let mut before = 0;
        while let Some((key, value)) = times.next_of(&series)? {
            let ms = number_of(&key);
            match open_number(&value) {
                Ok(version) if version > before && version <= last => before = version,
                Ok(version) => found.add(format_args!(
                    "{name} has version {version} as its latest from {ms} on, after version {before} of {last}"
                )),
                Err(reason) => found.damaged(format_args!("the time {ms} of {name}: {reason}")),
            }
        }
        if let Some((_, value)) = labels.next_of(&series)? {
            labelled.check(tables, &name, last, &value, &mut found)?;
        }
        let counted = (&mut versions, &mut training);
        let (count, latest) = count_versions(
            counted,
            &series,
            head.as_ref(),
            |version| {
                pointing.retain(|(_, to)| *to != version);
            },
            &mut found,
        )?;
        if let Some(head) = &head {
            if count != head.count {
                let told = head.count;
                found.add(format_args!(
                    "{name} has {count} versions, and {told} according to its head"
                ));
            } else if latest != head.latest {
                let told = head.latest;
                found.add(format_args!(
                    "the latest version of {name} is {latest}, and {told} according to its head"
                ));
            }
        }
        for (alias, version) in pointing {
            found.add(format_args!(
                "the alias {alias} of {name} points to version {version}, which is not there"
            ));
        }
        let state = states.next_of(&series)?;
        let mut learnt = match state
            .map(|(_, value)| StateRecord::open(&value))
            .transpose()
        {
            Ok(state) => state.map(|state| state.seq),
            Err(reason) => {
                found.damaged(format_args!("the online state of {name}: {reason}"));
                while points.next_of(&series)?.is_some() {}
                None
            }
        };
        while let Some((key, value)) = points.next_of(&series)? {
            let first = number_of(&key);
            let Some(before) = learnt else {
                found.add(format_args!("{name} has learnt points and no online state"));
                continue;
            };
            if first != before + 1 {
                found.add(format_args!(
                    "the online state of {name} has point {first} after point {before}"
                ));
            }
            match Learnt::open(&value) {
                Ok(points) => learnt = Some(first + points.points.len().max(1) as u64 - 1),
                Err(reason) => {
                    found.damaged(format_args!("points of {name} from {first} on: {reason}"));
                    while points.next_of(&series)?.is_some() {}
                }
            }
        }
    }
    let counted = read_number(&tables.heads, SERIES_COUNT_KEY)?.unwrap_or(0);
    if counted != n_series {
        found.add(format_args!(
            "there are {n_series} series, and {counted} were counted"
        ));
    }
    labelled.count(tables, &mut found)?;
    let changes = read_number(&tables.aliases, REVISION_KEY)?.unwrap_or(0);
    if newest_change > changes {
        found.add(format_args!(
            "an alias was changed by change {newest_change}, and {changes} were counted"
        ));
    }
    Ok(found)
}
