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
use crate::store::documents;
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

/// What does not fit together in a store that nobody writes to.
pub(in crate::store) fn inconsistencies(tables: &Tables) -> Result<Inconsistencies, StoreError> {
    let mut found = Inconsistencies::default();
    let (mut heads, mut versions) = (table(&tables.heads), table(&tables.versions));
    let (mut training, mut aliases) = (table(&tables.training), table(&tables.aliases));
    let (mut states, mut points) = (table(&tables.online), table(&tables.points));
    let (mut n_series, mut newest_change) = (0, 0);
    loop {
        let next = [
            heads.series(),
            versions.series(),
            training.series(),
            aliases.series(),
            states.series(),
            points.series(),
        ];
        let Some(series) = next.into_iter().flatten().min() else {
            break;
        };
        let name = String::from_utf8_lossy(&series).into_owned();
        let head = heads.next_of(&series)?;
        n_series += u64::from(head.is_some());
        let latest = match head.map(|(_, value)| open_number(&value)).transpose() {
            Ok(latest) => Some(latest.unwrap_or(0)),
            Err(reason) => {
                found.damaged(format_args!("the head of {name}: {reason}"));
                None
            }
        };
        let mut n_versions = 0;
        while let Some((key, _)) = versions.next_of(&series)? {
            let version = number_of(&key);
            if version != n_versions + 1 {
                found.add(format_args!(
                    "{name} has version {version} after version {n_versions}"
                ));
            }
            n_versions = version;
        }
        if latest.is_some_and(|latest| latest != n_versions) {
            found.add(format_args!(
                "{name} has {n_versions} versions, and {} according to its head",
                latest.unwrap_or(0)
            ));
        }
        while let Some((key, _)) = training.next_of(&series)? {
            let version = number_of(&key);
            if version == 0 || version > n_versions {
                found.add(format_args!(
                    "{name} has training points of version {version}, which is not there"
                ));
            }
        }
        while let Some((key, value)) = aliases.next_of(&series)? {
            let alias = String::from_utf8_lossy(&key[series.len()..]).replace('\0', "");
            match AliasRecord::open(&value) {
                Ok(record) => {
                    newest_change = newest_change.max(record.revision);
                    if record.version == 0 || record.version > n_versions {
                        found.add(format_args!(
                            "the alias {alias} of {name} points to version {}, which is not there",
                            record.version
                        ));
                    }
                }
                Err(reason) => found.damaged(format_args!("the alias {alias} of {name}: {reason}")),
            }
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
    for record in tables.documents.iter() {
        let (key, value) = record.into_inner().map_err(unavailable)?;
        match (documents::parts_of(&key), documents::open(&value)) {
            (None, _) => found.add(format_args!("{key:?} is no document's key")),
            (Some((kind, series, id)), Err(reason)) => {
                let kind = kind.as_str();
                found.damaged(format_args!("the {kind} {id} of {series}: {reason}"));
            }
            (Some(_), Ok(_)) => {}
        }
    }
    let counted = read_number(&tables.heads, SERIES_COUNT_KEY)?.unwrap_or(0);
    if counted != n_series {
        found.add(format_args!(
            "there are {n_series} series, and {counted} were counted"
        ));
    }
    let changes = read_number(&tables.aliases, REVISION_KEY)?.unwrap_or(0);
    if newest_change > changes {
        found.add(format_args!(
            "an alias was changed by change {newest_change}, and {changes} were counted"
        ));
    }
    Ok(found)
}
