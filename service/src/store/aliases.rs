//! Aliases: names of versions, changed in the order of commits.
//!
//! | keyspace | key | value |
//! |---|---|---|
//! | `aliases` | series, 0x00, alias | sealed [`AliasRecord`] |
//! | `aliases` | 0x00, `revision` | sealed number of the last change of any alias |

use std::collections::{BTreeMap, BTreeSet};

use api::limits::ALIASES_PER_SERIES;
use compact_str::CompactString;
use fjall::Readable;
use serde::{Deserialize, Serialize};

use super::reading;
use super::record::seal_number;
use super::sealed;
use super::{PutError, StoreError};

const MAGIC: [u8; 4] = *b"TALI";
const FORMAT: u16 = 1;
pub(super) const REVISION_KEY: &str = "\0revision";

/// Where an alias points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasRecord {
    /// The version.
    pub version: u64,
    /// The number of this change among all changes of aliases: what `ETag` tells.
    pub revision: u64,
    /// Wall clock of the change, milliseconds since 1970.
    pub updated_at_ms: u64,
}

impl AliasRecord {
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

/// A change of an alias to be stored.
#[derive(Clone, Debug)]
pub struct AliasPut {
    /// The series; a valid id.
    pub series: CompactString,
    /// The alias; a valid one.
    pub alias: CompactString,
    /// The version it is to point to; `None` removes it.
    pub version: Option<u64>,
    /// Only if it is as the caller assumes.
    pub condition: Condition,
}

/// What a caller assumes of an alias that he changes (RFC 9110, section 13.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// Nothing.
    #[default]
    Any,
    /// `If-None-Match: *`: it is not there.
    Absent,
    /// `If-Match: *`: it is there.
    Present,
    /// `If-Match`: it is as one of these changes left it.
    OneOf(Vec<u64>),
}

impl Condition {
    fn holds(&self, current: Option<&AliasRecord>) -> bool {
        match self {
            Self::Any => true,
            Self::Absent => current.is_none(),
            Self::Present => current.is_some(),
            Self::OneOf(revisions) => {
                current.is_some_and(|record| revisions.contains(&record.revision))
            }
        }
    }
}

/// A change that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AliasChanged {
    /// Where it pointed before.
    pub before: Option<AliasRecord>,
    /// Where it points now.
    pub now: Option<AliasRecord>,
}

/// Why an alias was not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AliasError {
    /// The store did not take it.
    #[error(transparent)]
    Put(#[from] PutError),
    /// The series has no version.
    #[error("the series is not known")]
    NoSuchSeries,
    /// The series has no such version; `latest` is its newest.
    #[error("the series has no such version, its latest is {latest}")]
    NoSuchVersion {
        /// The newest version.
        latest: u64,
    },
    /// There is nothing to remove.
    #[error("the series has no such alias")]
    NoSuchAlias,
    /// The condition does not hold.
    #[error("the alias is not as assumed: {}", match .current {
        Some(record) => format!("it points to version {} as \"{}\"", record.version, record.revision),
        None => "it is not there".to_owned(),
    })]
    Unmet {
        /// What it is.
        current: Option<AliasRecord>,
    },
    /// The series has as many as it may have.
    #[error("the series has {ALIASES_PER_SERIES} aliases already")]
    TooMany,
}

/// Called once, as a [`super::Completion`].
pub type AliasCompletion = Box<dyn FnOnce(Result<AliasChanged, AliasError>) + Send>;

pub(super) fn alias_key(series: &str, alias: &str) -> Vec<u8> {
    [series.as_bytes(), b"\0", alias.as_bytes()].concat()
}

/// The alias `alias` of `series` as the table has it.
pub(super) fn read(
    table: &fjall::Keyspace,
    series: &str,
    alias: &str,
) -> Result<Option<AliasRecord>, StoreError> {
    opened(series, alias, table.get(alias_key(series, alias)))
}

/// As [`read`], as it is at a moment.
pub(super) fn read_at(
    moment: &fjall::Snapshot,
    table: &fjall::Keyspace,
    series: &str,
    alias: &str,
) -> Result<Option<AliasRecord>, StoreError> {
    opened(series, alias, moment.get(table, alias_key(series, alias)))
}

fn opened(
    series: &str,
    alias: &str,
    bytes: fjall::Result<Option<fjall::UserValue>>,
) -> Result<Option<AliasRecord>, StoreError> {
    let bytes = bytes.map_err(|error| reading::failed(&name(series, alias), &error))?;
    bytes.map(|bytes| open(series, alias, &bytes)).transpose()
}

/// All aliases of `series` as the table has them, in the order of their names.
pub(super) fn read_all(
    table: &fjall::Keyspace,
    series: &str,
) -> Result<Vec<(CompactString, AliasRecord)>, StoreError> {
    let prefix = alias_key(series, "");
    let entries = table.prefix(&prefix).map(|entry| {
        let (key, bytes) = entry
            .into_inner()
            .map_err(|error| reading::failed(&format!("{series} (aliases)"), &error))?;
        let alias = String::from_utf8_lossy(&key[prefix.len()..]);
        let record = open(series, &alias, &bytes)?;
        Ok((alias.as_ref().into(), record))
    });
    entries.collect()
}

fn open(series: &str, alias: &str, bytes: &[u8]) -> Result<AliasRecord, StoreError> {
    AliasRecord::open(bytes).map_err(|reason| reading::damaged(&name(series, alias), reason))
}

fn name(series: &str, alias: &str) -> String {
    format!("{series} (alias {alias})")
}

/// The aliases that one batch changes, on top of those of the table.
pub(super) struct AliasWrites<'a> {
    changed: BTreeMap<(&'a str, &'a str), Option<AliasRecord>>,
    /// The last change so far.
    pub(super) revision: u64,
    now_ms: u64,
}

impl<'a> AliasWrites<'a> {
    pub(super) fn after(revision: u64, now_ms: u64) -> Self {
        Self {
            changed: BTreeMap::new(),
            revision,
            now_ms,
        }
    }

    fn current(
        &self,
        table: &fjall::Keyspace,
        series: &str,
        alias: &str,
    ) -> Result<Option<AliasRecord>, StoreError> {
        match self.changed.get(&(series, alias)) {
            Some(record) => Ok(*record),
            None => read(table, series, alias),
        }
    }

    /// Whether `alias` may point to a version: it is as assumed, and is there or there is room for it. An inner error
    /// refuses this put alone.
    pub(super) fn takes(
        &self,
        table: &fjall::Keyspace,
        (series, alias): (&str, &str),
        condition: &Condition,
    ) -> Result<Result<(), PutError>, StoreError> {
        let current = self.current(table, series, alias)?;
        Ok(if !condition.holds(current.as_ref()) {
            Err(PutError::AliasUnmet)
        } else if current.is_some() || self.has_room(table, series)? {
            Ok(())
        } else {
            Err(PutError::TooManyAliases)
        })
    }

    fn has_room(&self, table: &fjall::Keyspace, series: &str) -> Result<bool, StoreError> {
        let stored = read_all(table, series)?;
        let mut names: BTreeSet<&str> = stored.iter().map(|(alias, _)| alias.as_str()).collect();
        let of_series = self.changed.range((series, "")..);
        for ((_, alias), record) in of_series.take_while(|((of, _), _)| *of == series) {
            match record {
                Some(_) => names.insert(alias),
                None => names.remove(alias),
            };
        }
        Ok(names.len() < ALIASES_PER_SERIES)
    }

    /// Points `alias` to `version`, or removes it.
    pub(super) fn set(
        &mut self,
        (series, alias): (&'a str, &'a str),
        version: Option<u64>,
    ) -> Option<AliasRecord> {
        self.revision += 1;
        let record = version.map(|version| AliasRecord {
            version,
            revision: self.revision,
            updated_at_ms: self.now_ms,
        });
        self.changed.insert((series, alias), record);
        record
    }

    /// The versions that aliases of `series` point to.
    pub(super) fn versions(
        &self,
        table: &fjall::Keyspace,
        series: &str,
    ) -> Result<BTreeSet<u64>, StoreError> {
        let is_as_stored =
            |alias: &CompactString| !self.changed.contains_key(&(series, alias.as_str()));
        let stored = read_all(table, series)?.into_iter();
        let stored = stored.filter(|(alias, _)| is_as_stored(alias));
        let of_series = self.changed.range((series, "")..);
        let of_series = of_series.take_while(|((of, _), _)| *of == series);
        let changed = of_series.filter_map(|(_, record)| *record);
        let all = stored.map(|(_, record)| record).chain(changed);
        Ok(all.map(|record| record.version).collect())
    }

    /// Makes the change of `put`, if everything about it holds; `latest` is the series' newest
    /// version, 0 if it has none, `is_there` whether it has the one that `put` names.
    pub(super) fn apply(
        &mut self,
        table: &fjall::Keyspace,
        put: &'a AliasPut,
        (latest, is_there): (u64, bool),
    ) -> Result<Result<AliasChanged, AliasError>, String> {
        let attempt = || -> Result<Result<Option<AliasRecord>, AliasError>, StoreError> {
            let before = self.current(table, &put.series, &put.alias)?;
            Ok(match put.version {
                _ if latest == 0 => Err(AliasError::NoSuchSeries),
                _ if !put.condition.holds(before.as_ref()) => {
                    Err(AliasError::Unmet { current: before })
                }
                Some(_) if !is_there => Err(AliasError::NoSuchVersion { latest }),
                None if before.is_none() => Err(AliasError::NoSuchAlias),
                Some(_) if before.is_none() && !self.has_room(table, &put.series)? => {
                    Err(AliasError::TooMany)
                }
                _ => Ok(before),
            })
        };
        let before = match attempt() {
            Ok(Ok(before)) => before,
            Ok(Err(refused)) => return Ok(Err(refused)),
            Err(error @ StoreError::Damaged { .. }) => {
                return Ok(Err(PutError::Damaged(error.to_string()).into()));
            }
            Err(error) => return Err(error.to_string()),
        };
        let now = self.set((&put.series, &put.alias), put.version);
        Ok(Ok(AliasChanged { before, now }))
    }

    pub(super) fn write(self, write: &mut fjall::OwnedWriteBatch, table: &fjall::Keyspace) {
        if self.changed.is_empty() {
            return;
        }
        write.insert(table, REVISION_KEY, seal_number(self.revision));
        for ((series, alias), record) in self.changed {
            let key = alias_key(series, alias);
            match record {
                Some(record) => write.insert(table, key, record.seal()),
                None => write.remove(table, key),
            }
        }
    }
}
