//! Where versions, their aliases and online states live: the trait every store keeps, and the embedded one.
//!
//! A store allocates version numbers in commit order and completes a put only after its record
//! is synced. Reads block (they may touch the disk) and are called from blocking threads only.

mod accepting;
#[cfg(test)]
mod alias_laws;
pub mod aliases;
#[cfg(test)]
mod answer_laws;
pub mod answers;
pub mod artifact;
pub mod backup;
mod chores;
mod commit_record;
mod commits;
mod committer;
#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod delete_laws;
#[cfg(test)]
mod delete_model;
pub mod deletes;
#[cfg(test)]
mod document_laws;
pub mod documents;
pub mod embedded;
mod folder;
mod graves;
#[cfg(test)]
mod graves_tests;
pub mod head;
mod heads;
#[cfg(test)]
mod healthy_tests;
mod incomplete;
pub mod index;
#[cfg(test)]
mod index_laws;
pub(crate) mod keyspaces;
#[cfg(test)]
mod laws;
pub mod listing;
mod making;
mod opening;
mod queued;
mod reading;
pub mod record;
pub mod request;
mod retention;
mod room;
mod sealed;
pub mod state;
#[cfg(test)]
mod state_laws;
mod state_writes;
pub mod training;
mod under_way;
mod verify;
mod watermark;

use std::io::Write;
use std::time::Duration;

use compact_str::CompactString;

pub use accepting::accept_loss;
pub use aliases::{AliasChanged, AliasCompletion, AliasError, AliasPut, AliasRecord, Condition};
pub use answers::KeepAnswers;
pub use api::VersionSelector;
pub use backup::{BackupError, CarriedFile, Summary};
pub use commits::Commits;
pub use deletes::{DeleteCompletion, DeleteError, DeleteListener, DeletePut, Deleted};
pub use documents::{Document, DocumentCompletion, DocumentKind, DocumentPut, DocumentWrite};
pub use embedded::{Durability, EmbeddedOptions, EmbeddedStore};
pub use head::Head;
pub use incomplete::Incomplete;
pub use index::{AsOf, Indexed, Labels, SeriesLabels};
pub use listing::{
    ListedSeries, ListedVersion, SeriesFacts, SeriesPage, SeriesQuery, VersionsQuery,
};
pub use record::{FitParameters, Metadata, VersionRecord};
pub use request::{Answer, BodyDigest, KeptAnswer, Request, RequestKey};
pub use room::{DISK_RESERVE, Space};
pub use state::{Learnt, StateRecord, StoredState};
pub use verify::{Finding, Verified, verify};

/// A version to be stored. Its number is the store's to give.
#[derive(Clone, Debug)]
pub struct Put {
    /// The series; a valid id.
    pub series: CompactString,
    /// The sealed [`VersionRecord`].
    pub record: Vec<u8>,
    /// The sealed training points, if they are too large to stand in the record itself.
    pub training: Option<Vec<u8>>,
    /// The request that asks for it, if it named itself: sent again, it makes no second version.
    pub request: Option<Request>,
    /// An alias that points to it from the same commit on.
    pub alias: Option<CompactString>,
    /// By what it is found besides its number.
    pub index: Indexed,
    /// The life of the series that it was made of, if it was made of something that the series had.
    pub life: Option<u64>,
    /// Only if that alias is as the caller assumes; without an alias of no effect.
    pub alias_if: Condition,
}

/// How a put ended well.
#[derive(Clone, Debug, PartialEq)]
pub enum Stored {
    /// As a version.
    New {
        /// Its number.
        version: u64,
        /// What its alias is now, if it was put with one.
        alias: Option<AliasRecord>,
    },
    /// Not again: the same request was answered before, with this.
    Before(KeptAnswer),
}

/// Called once with what became of a put, or with why nothing did.
///
/// The completions of one series run in the order of its versions, on the store's own thread, also when
/// the request that waited for it is gone: what must happen with every committed version (publishing
/// it to readers) belongs in here, not behind an await that a closed connection cancels.
pub type Completion = Box<dyn FnOnce(Result<Stored, PutError>) + Send>;

/// A change of a series' online state to be stored.
#[derive(Clone, Debug)]
pub struct StatePut {
    /// The series; a valid id.
    pub series: CompactString,
    /// The life of the series that the state is of.
    pub life: u64,
    /// What changes.
    pub change: StateChange,
}

/// What changes of an online state. The changes of one series are submitted in their order.
#[derive(Clone, Debug)]
pub enum StateChange {
    /// Nothing: completed once all that was queued before is durable.
    Nothing,
    /// Points were learnt.
    Points {
        /// The number of the first one.
        first_seq: u64,
        /// The sealed [`Learnt`].
        record: Vec<u8>,
    },
    /// The whole state as it is now.
    Snapshot {
        /// The sealed [`StateRecord`].
        record: Vec<u8>,
        /// The first numbers of all [`StateChange::Points`] since the snapshot before, none of
        /// which is needed any more.
        replaces: Vec<u64>,
    },
}

/// Called once, on the store's own thread or by `submit_state` itself when it refuses: the change is
/// durable, or why it is not. Completions of one series run in the order of its changes.
pub type StateCompletion = Box<dyn FnOnce(Result<(), PutError>) + Send>;

/// Why a put is not stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PutError {
    /// The queue is full; nothing was written.
    #[error("the store's queue is full")]
    Busy,
    /// A commit hangs, and nobody knows for how long; nothing was written, and later writes may be.
    #[error("a commit has been going on for {seconds} s")]
    Hangs {
        /// How long it has taken so far.
        seconds: u64,
    },
    /// The store takes no writes: it is closing, or an earlier write failed. Nothing was written.
    #[error("the store takes no writes: {0}")]
    Closed(String),
    /// Less space is left than is kept free. Nothing was written, and later writes may be.
    #[error("there is no space: {} are free where the store is, and {} are kept free", bytesize::ByteSize(*.free), bytesize::ByteSize(*.reserve))]
    StorageFull {
        /// Bytes that are free.
        free: u64,
        /// Bytes that are kept free.
        reserve: u64,
    },
    /// The series' own record is damaged, so that no version number can be given.
    #[error("a stored record is damaged: {0}")]
    Damaged(String),
    /// Acknowledged commits are missing. Nothing was written.
    #[error("{0}")]
    Incomplete(String),
    /// Another body was put under the same key before. Nothing was written.
    #[error("the idempotency key was used for another body before")]
    KeyReused,
    /// The series has as many aliases as it may have. Nothing was written.
    #[error("the series has {} aliases already", api::limits::ALIASES_PER_SERIES)]
    TooManyAliases,
    /// The series was deleted since the change was begun. Nothing was written.
    #[error("the series was deleted meanwhile")]
    Deleted,
    /// The alias that it was put with is not as assumed. Nothing was written.
    #[error("the alias is not as assumed: another change was made meanwhile")]
    AliasUnmet,
    /// The write failed on its way to the disk; after a restart it may turn out to be there.
    #[error("the outcome of the write is unknown: {0}")]
    Unknown(String),
}

/// Why a read failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// A record is there but not whole.
    #[error("the record of {key} is damaged: {reason}")]
    Damaged {
        /// Which record.
        key: String,
        /// What the check found.
        reason: String,
    },
    /// A file of the store is not as it was written.
    #[error("the file {file} is damaged: {reason}; restore a backup")]
    DamagedFile {
        /// Which file.
        file: String,
        /// What the check found.
        reason: String,
    },
    /// Acknowledged commits are missing, and the answer may depend on them.
    #[error("{0}")]
    Incomplete(String),
    /// The store was written by a newer release.
    #[error("the store has format {found}, this release reads formats up to {known}")]
    NewerFormat {
        /// The format of the store.
        found: u16,
        /// The newest format this release knows.
        known: u16,
    },
    /// Another process has the store open.
    #[error("another process has the store at {0} open")]
    Locked(String),
    /// The store could not be read.
    #[error("the store could not be read: {0}")]
    Unavailable(String),
}

/// A version as it is read back.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredVersion {
    /// Its number.
    pub version: u64,
    /// Its record.
    pub record: VersionRecord,
}

/// What a look-up found.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// The version.
    Version(StoredVersion),
    /// The series exists, this version does not; `latest` is its newest.
    NoSuchVersion {
        /// The newest version of the series.
        latest: u64,
    },
    /// The series has no version.
    NoSuchSeries,
}

/// A read or a commit that takes longer than this does not look like one that will end: the disk
/// hangs, or a volume on the network does. Slow disks take a tenth of it.
pub const HANGS_AFTER: Duration = Duration::from_secs(2);

/// How long what a store is at has been going on; zero where it is at nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    /// The oldest read.
    pub read: Duration,
    /// The commit.
    pub commit: Duration,
}

impl Waits {
    /// Whether reads hang.
    #[must_use]
    pub fn reads_hang(self) -> bool {
        self.read > HANGS_AFTER
    }

    /// Whether reads or commits hang.
    #[must_use]
    pub fn hangs(self) -> bool {
        self.reads_hang() || self.commit > HANGS_AFTER
    }
}

/// Durable, versioned records by series.
pub trait Store: Send + Sync + 'static {
    /// Queues a put; `done` learns its version number once it is durable.
    fn submit(&self, put: Put, done: Completion);

    /// Reads one version.
    ///
    /// # Errors
    /// When the record is damaged or the store cannot be read.
    fn version(&self, series: &str, selector: VersionSelector) -> Result<Found, StoreError>;

    /// Reads the training points that stand outside of their version's record.
    ///
    /// # Errors
    /// When the record is damaged or the store cannot be read.
    fn training(&self, series: &str, version: u64) -> Result<Option<Vec<u8>>, StoreError>;

    /// Queues a change of an online state; `done` learns when it is durable.
    fn submit_state(&self, put: StatePut, done: StateCompletion);

    /// Reads the online state of a series, if it has one. For callers that have no change of it
    /// under way.
    ///
    /// # Errors
    /// When a record is damaged, a point is missing, or the store cannot be read.
    fn state(&self, series: &str) -> Result<Option<StoredState>, StoreError>;

    /// Queues a change of an alias; `done` learns when it is durable.
    fn submit_alias(&self, put: AliasPut, done: AliasCompletion);

    /// Reads an alias, if the series has it.
    ///
    /// # Errors
    /// When the record is damaged or the store cannot be read.
    fn alias(&self, series: &str, alias: &str) -> Result<Option<AliasRecord>, StoreError>;

    /// Reads all aliases of a series, in the order of their names.
    ///
    /// # Errors
    /// As [`Store::alias`].
    fn aliases(&self, series: &str) -> Result<Vec<(CompactString, AliasRecord)>, StoreError>;

    /// Queues the deletion of a version or a series; `done` learns when it is durable.
    fn submit_delete(&self, put: DeletePut, done: DeleteCompletion);

    /// Has `listener` told of every version and series that is deleted, from the first one on. There is
    /// one.
    fn on_delete(&self, listener: DeleteListener);

    /// Reads what is known of the version numbers of a series; the default where it never had one.
    ///
    /// # Errors
    /// When the record is damaged or the store cannot be read.
    fn head(&self, series: &str) -> Result<Head, StoreError>;

    /// Reads the answer that was kept under the key of a request, unless it is too old.
    ///
    /// # Errors
    /// When the record is damaged or the store cannot be read.
    fn answered(&self, series: &str, key: RequestKey) -> Result<Option<KeptAnswer>, StoreError>;

    /// Lists series in the order of their names. A page is of one moment, the next one of a later one.
    ///
    /// # Errors
    /// When the store cannot be read; stores that live elsewhere may have no order.
    fn list(&self, _query: &SeriesQuery) -> Result<SeriesPage, StoreError> {
        Err(unlisted())
    }

    /// What is told of one series, if it is there.
    ///
    /// # Errors
    /// As [`Store::list`], and when a record of it is damaged.
    fn series(&self, _series: &str) -> Result<Option<SeriesFacts>, StoreError> {
        Err(unlisted())
    }

    /// Hands versions of a series to `each`, in the order of their numbers or against it; tells whether
    /// there are more.
    ///
    /// # Errors
    /// As [`Store::list`].
    fn versions(
        &self,
        _query: &VersionsQuery,
        _each: &mut dyn FnMut(ListedVersion),
    ) -> Result<bool, StoreError> {
        Err(unlisted())
    }

    /// The version that was the latest at `at_ms`, milliseconds since 1970.
    ///
    /// # Errors
    /// As [`Store::series`].
    fn as_of(&self, _series: &str, _at_ms: u64) -> Result<AsOf, StoreError> {
        Err(unlisted())
    }

    /// Queues changes of documents; `done` learns when they are durable.
    fn submit_document(&self, _put: DocumentPut, done: DocumentCompletion) {
        done(Err(PutError::Closed("it keeps no documents".into())));
    }

    /// Reads a document, if it is there.
    ///
    /// # Errors
    /// When the record is damaged or the store cannot be read.
    fn document(
        &self,
        _kind: DocumentKind,
        _series: &str,
        _id: &str,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(None)
    }

    /// Reads up to `limit` documents of a kind in the order of their series and ids: of one series those with ids
    /// after `after`, or of all series.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn documents(
        &self,
        _kind: DocumentKind,
        _series: Option<&str>,
        _after: Option<&str>,
        _limit: usize,
    ) -> Result<Vec<Document>, StoreError> {
        Ok(Vec::new())
    }

    /// Distinct series with at least one version.
    fn series_count(&self) -> u64;

    /// Why the store takes no writes, if it takes none.
    fn refusal(&self) -> Option<String>;

    /// What the store is waiting for. Never waits itself.
    fn waits(&self) -> Waits;

    /// The space it has, if it is on a file system. Never waits itself.
    fn space(&self) -> Option<Space> {
        None
    }

    /// Its commits, if it counts them.
    fn commits(&self) -> Option<&Commits> {
        None
    }

    /// Writes a backup of one moment, with `files` in it, to `out`. Takes long; writes go on beside it.
    ///
    /// # Errors
    /// When it cannot be read or written; stores that live elsewhere have none.
    fn back_up(
        &self,
        _files: &[CarriedFile],
        _out: &mut dyn Write,
    ) -> Result<Summary, BackupError> {
        Err(BackupError::Unsupported)
    }

    /// Completes what is queued, syncs and stops taking writes. Idempotent.
    fn close(&self);
}

fn unlisted() -> StoreError {
    StoreError::Unavailable("it keeps no order of its series".into())
}
