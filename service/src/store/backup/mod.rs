//! Backups: one moment of the store as a stream, and a store made from such a stream.
//!
//! A backup is what one snapshot of the embedded store shows, over all keyspaces: a prefix of the
//! order of commits, so that a commit is in it whole or not at all. It is a row of frames, each an
//! [`envelope`](detectors::envelope) with a checksum of its own (`frame`), and takes the same memory
//! whatever its size:
//!
//! | frame | payload |
//! |---|---|
//! | head | JSON: the store's format, when and by which release it was made |
//! | records | length of the keyspace's name, length of the records, the name, the records compressed with LZ4 |
//! | (a record) | length of the key, length of the value, the key, the value |
//! | file | a small file that is carried along, [`CarriedFile`] |
//! | end | JSON: what there is by keyspace, and the digest of the checksums of all frames before |
//!
//! Records of a keyspace are in the order of their keys and in consecutive frames. The checksums
//! find damage, the end finds frames that are missing, twice or moved.

mod consistency;
mod frame;
mod read;
mod restore;
#[cfg(test)]
mod tests;
mod write;

use std::collections::BTreeMap;
use std::io;

use serde::{Deserialize, Serialize};

pub use consistency::Inconsistencies;
pub(super) use consistency::inconsistencies;
pub use read::{Part, Reader, Records};
pub use restore::{as_it_is, restore};
pub(super) use write::write;

use super::StoreError;

/// Files of the data folder that a backup carries along, if they are there.
pub const CARRIED_FILES: [&str; 1] = ["keys.toml"];

/// A small file of the data folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarriedFile {
    /// Its name, one of [`CARRIED_FILES`].
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// What a backup says of itself before anything else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The format of the store it was made from.
    pub store_format: u16,
    /// When its moment was, milliseconds since 1970.
    pub created_at_ms: u64,
    /// The release that made it.
    pub release: String,
}

/// What there is of one keyspace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// Records.
    pub records: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
}

/// What a backup has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Where it comes from.
    pub head: Head,
    /// Distinct series with a version.
    pub series: u64,
    /// What there is, by keyspace.
    pub keyspaces: BTreeMap<String, Amount>,
    /// Names of the files that are carried along.
    pub files: Vec<String>,
}

impl Summary {
    fn new(head: Head) -> Self {
        Self {
            head,
            series: 0,
            keyspaces: BTreeMap::new(),
            files: Vec::new(),
        }
    }

    /// Adds a record of `keyspace`.
    fn count(&mut self, keyspace: &str, key: &[u8], value: &[u8]) {
        if !self.keyspaces.contains_key(keyspace) {
            self.keyspaces
                .insert(keyspace.to_owned(), Amount::default());
        }
        if let Some(amount) = self.keyspaces.get_mut(keyspace) {
            amount.records += 1;
            amount.bytes += (key.len() + value.len()) as u64;
        }
        if keyspace == super::keyspaces::HEADS && !key.starts_with(&[0]) {
            self.series += 1;
        }
    }

    fn records_of(&self, keyspace: &str) -> u64 {
        self.keyspaces.get(keyspace).map_or(0, |it| it.records)
    }

    /// Versions of all series.
    #[must_use]
    pub fn versions(&self) -> u64 {
        self.records_of(super::keyspaces::VERSIONS)
    }

    /// Online states.
    #[must_use]
    pub fn states(&self) -> u64 {
        self.records_of(super::keyspaces::ONLINE)
    }

    /// Records of all keyspaces.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.keyspaces.values().map(|amount| amount.records).sum()
    }

    /// Bytes of all keys and values.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.keyspaces.values().map(|amount| amount.bytes).sum()
    }
}

/// Why there is no backup, or why nothing is restored from one.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// This kind of store has no backups.
    #[error("this store cannot be backed up")]
    Unsupported,
    /// The store could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The database panicked over what it read.
    #[error("the database failed over what it read, which is damaged; the log says where")]
    Panicked,
    /// The backup could not be written.
    #[error("the backup cannot be written: {0}")]
    Write(io::Error),
    /// The backup could not be read.
    #[error("the backup cannot be read: {0}")]
    Read(io::Error),
    /// The bytes are something else.
    #[error("this is no backup of Tidemark")]
    NoBackup,
    /// The backup ends early.
    #[error("the backup is truncated: it stops at byte {at}, before its end")]
    Truncated {
        /// Bytes there are.
        at: u64,
    },
    /// The backup is not as it was written.
    #[error("the backup is damaged in the part that begins at byte {at}: {reason}")]
    Damaged {
        /// Where the part begins.
        at: u64,
        /// What is wrong.
        reason: String,
    },
    /// A newer release made it.
    #[error("the backup was made by a newer release: {0}")]
    Newer(String),
    /// What is in it does not fit together.
    #[error("the backup is whole, but what is in it does not fit together: {0}")]
    Inconsistent(String),
}
