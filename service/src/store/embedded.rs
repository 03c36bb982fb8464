//! The default store: fjall, a log-structured store in one folder, written by one committer thread.
//!
//! fjall takes the writes because it gave the most synced commits a second of the embedded stores
//! measured (docs/decisions/embedded-store.md).

use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;

use compact_str::CompactString;
use crossbeam_channel::{Sender, TrySendError};
use fjall::PersistMode;

use super::aliases::{self, REVISION_KEY};
use super::answers::{KeepAnswers, Sweeper, now_ms};
use super::backup::{self, BackupError, CarriedFile, Inconsistencies, Summary};
use super::committer::{self, Queued, Shared, Tables};
use super::documents;
use super::incomplete::Incomplete;
use super::making::make_if_absent;
use super::opening::{self, Opened, read_number};
use super::reading;
use super::record::{SERIES_COUNT_KEY, VersionRecord, version_key};
use super::room::{DISK_RESERVE, Room};
use super::{
    AliasCompletion, AliasPut, AliasRecord, Commits, Completion, Document, DocumentCompletion,
    DocumentKind, DocumentPut, Found, HANGS_AFTER, KeptAnswer, Learnt, Put, PutError, RequestKey,
    Space, StateCompletion, StatePut, StateRecord, Store, StoreError, StoredState, StoredVersion,
    VersionSelector, Waits,
};

/// When a commit counts as done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// After `fdatasync`: it survives `kill -9` and power loss. What the server always uses.
    Synced,
    /// After the write: it survives `kill -9` alone. For measuring what the sync costs.
    Buffered,
}

/// How an embedded store is opened.
#[derive(Clone, Debug)]
pub struct EmbeddedOptions {
    /// The folder; made when it is not there.
    pub path: PathBuf,
    /// When a commit counts as done.
    pub durability: Durability,
    /// Most puts that may wait for a commit; one more is refused.
    pub queue_puts: usize,
    /// Most puts in one commit.
    pub batch_puts: usize,
    /// How long the answers of requests that name themselves are kept, and how many.
    pub answers: KeepAnswers,
    /// Bytes of the file system that are kept free: what would take from them is refused.
    pub disk_reserve: u64,
}

impl EmbeddedOptions {
    /// The server's defaults for a store in `path`.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            durability: Durability::Synced,
            queue_puts: 16_384,
            batch_puts: 4_096,
            answers: KeepAnswers::default(),
            disk_reserve: DISK_RESERVE,
        }
    }
}

/// A store in one folder of this machine.
pub struct EmbeddedStore {
    tables: Tables,
    shared: Arc<Shared>,
    /// What is known to be missing, if anything is.
    incomplete: Option<Incomplete>,
    /// Taken by `close`: the committer ends when it has emptied a queue without senders.
    queue: RwLock<Option<Sender<Queued>>>,
    /// Taken by `close` to wait for that end, from whichever thread closes first.
    committer: Mutex<Option<JoinHandle<()>>>,
}

impl EmbeddedStore {
    /// Opens the store, recovering what was synced before a crash, or makes it.
    ///
    /// # Errors
    /// When the folder cannot be made or read, another process has it open, or a newer release
    /// wrote it.
    pub fn open(options: &EmbeddedOptions) -> Result<Self, StoreError> {
        make_if_absent(&options.path, |path| {
            let path = path.to_owned();
            Self::open_in_place(&EmbeddedOptions {
                path,
                ..options.clone()
            })
            .map(drop)
        })?;
        Self::open_in_place(options)
    }

    fn open_in_place(options: &EmbeddedOptions) -> Result<Self, StoreError> {
        let Opened {
            tables,
            numbers,
            incomplete,
        } = opening::open(options)?;
        let n_series = read_number(&tables.heads, SERIES_COUNT_KEY)?.unwrap_or(0);
        let room = Room::at(&options.path, options.disk_reserve);
        let shared = Arc::new(Shared::new(n_series, numbers, room));
        if let Some(incomplete) = &incomplete {
            let _ = shared.refusal.set(incomplete.to_string());
        }
        shared.revision.store(
            read_number(&tables.aliases, REVISION_KEY)?.unwrap_or(0),
            Ordering::Relaxed,
        );
        let sweeper = Sweeper::of(&tables.answers)?;
        let (sender, receiver) = crossbeam_channel::bounded(options.queue_puts);
        let batch_puts = options.batch_puts;
        let committer = {
            let (tables, shared) = (tables.clone(), Arc::clone(&shared));
            std::thread::Builder::new()
                .name("tidemark-committer".into())
                .spawn(move || committer::run(&tables, &receiver, &shared, sweeper, batch_puts))
                .map_err(|error| StoreError::Unavailable(error.to_string()))?
        };
        Ok(Self {
            tables,
            shared,
            incomplete,
            queue: RwLock::new(Some(sender)),
            committer: Mutex::new(Some(committer)),
        })
    }

    /// Writes what is in memory into tables.
    #[cfg(test)]
    pub(super) fn write_tables(&self) {
        let tables = &self.tables;
        for table in [
            &tables.versions,
            &tables.heads,
            &tables.training,
            &tables.online,
            &tables.points,
            &tables.aliases,
            &tables.documents,
            &tables.answers.table,
        ] {
            table.rotate_memtable_and_wait().expect("it is written");
        }
    }

    fn latest(&self, series: &str) -> Result<Option<u64>, StoreError> {
        self.check_complete()?;
        read_number(&self.tables.heads, series)
    }

    /// The version of this number, if it is there.
    fn exactly(&self, series: &str, version: u64) -> Result<Option<StoredVersion>, StoreError> {
        let name = format!("{series} version {version}");
        let bytes = self.tables.versions.get(version_key(series, version));
        let bytes = bytes.map_err(|error| reading::failed(&name, &error))?;
        let record = bytes.map(|bytes| VersionRecord::open(&bytes)).transpose();
        let record = record.map_err(|reason| reading::damaged(&name, reason))?;
        Ok(record.map(|record| StoredVersion { version, record }))
    }

    /// Refuses an answer that rests on something not being there, or on there being nothing newer.
    fn check_complete(&self) -> Result<(), StoreError> {
        self.incomplete
            .as_ref()
            .map_or(Ok(()), |incomplete| Err(incomplete.refusal()))
    }

    fn enqueue(&self, queued: Queued) {
        if let Some(incomplete) = &self.incomplete {
            return queued.fail(PutError::Incomplete(incomplete.to_string()));
        }
        // Whoever joined the queue now would wait, and hold its memory, for as long as the disk hangs.
        let commit = self.waits().commit;
        if commit > HANGS_AFTER {
            let seconds = commit.as_secs();
            return queued.fail(PutError::Hangs { seconds });
        }
        // Here and not by the committer alone: what joins the queue of a state's changes was learnt.
        if queued.writes()
            && let Err(full) = self.shared.room.takes(1, queued.size())
        {
            return queued.fail(full);
        }
        let refused = match &*self.queue.read().unwrap_or_else(PoisonError::into_inner) {
            None => Some((queued, PutError::Closed("the store is closed".into()))),
            Some(queue) => match queue.try_send(queued) {
                Ok(()) => None,
                Err(TrySendError::Full(queued)) => Some((queued, PutError::Busy)),
                Err(TrySendError::Disconnected(queued)) => {
                    Some((queued, PutError::Closed("the committer is gone".into())))
                }
            },
        };
        if let Some((queued, error)) = refused {
            queued.fail(error);
        }
    }

    /// What does not fit together in it. Reads every key and most records.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn inconsistencies(&self) -> Result<Inconsistencies, StoreError> {
        backup::inconsistencies(&self.tables)
    }

    /// The points of `series` from the number `from` on. What a snapshot replaced lies before it and
    /// is not even passed over.
    fn log(&self, series: &str, from: u64) -> Result<Vec<Learnt>, StoreError> {
        let keys = version_key(series, from)..=version_key(series, u64::MAX);
        let name = || format!("{series} (points learnt after {from})");
        let records = self.tables.points.range(keys).map(|record| {
            let record = record.into_inner();
            let (_, bytes) = record.map_err(|error| reading::failed(&name(), &error))?;
            Learnt::open(&bytes).map_err(|reason| reading::damaged(&name(), reason))
        });
        records.collect()
    }
}

impl Store for EmbeddedStore {
    fn submit(&self, put: Put, done: Completion) {
        self.enqueue(Queued::Version(put, done));
    }

    fn submit_state(&self, put: StatePut, done: StateCompletion) {
        self.enqueue(Queued::State(put, done));
    }

    fn state(&self, series: &str) -> Result<Option<StoredState>, StoreError> {
        let _under_way = self.shared.reads.begin();
        self.check_complete()?;
        let name = format!("{series} (online state)");
        reading::guarded(&name, || {
            let bytes = self.tables.online.get(series);
            let Some(bytes) = bytes.map_err(|error| reading::failed(&name, &error))? else {
                return Ok(None);
            };
            let damaged = |reason| reading::damaged(&name, reason);
            let snapshot = StateRecord::open(&bytes).map_err(damaged)?;
            let log = self.log(series, snapshot.seq.saturating_add(1))?;
            StoredState::assemble(snapshot, log)
                .map(Some)
                .map_err(damaged)
        })
    }

    fn version(&self, series: &str, selector: VersionSelector) -> Result<Found, StoreError> {
        let _under_way = self.shared.reads.begin();
        reading::guarded(series, || {
            // What is there is served, whatever became of the number of the latest one.
            if let VersionSelector::Exactly(version) = selector
                && let Some(stored) = self.exactly(series, version)?
            {
                return Ok(Found::Version(stored));
            }
            let Some(latest) = self.latest(series)? else {
                return Ok(Found::NoSuchSeries);
            };
            let version = match selector {
                VersionSelector::Latest => latest,
                VersionSelector::Exactly(version) if version <= latest => version,
                VersionSelector::Exactly(_) => return Ok(Found::NoSuchVersion { latest }),
            };
            let missing = || {
                let name = format!("{series} version {version}");
                reading::damaged(&name, "it is missing".into())
            };
            self.exactly(series, version)?
                .map(Found::Version)
                .ok_or_else(missing)
        })
    }

    fn training(&self, series: &str, version: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let _under_way = self.shared.reads.begin();
        let name = format!("{series} version {version} (training points)");
        reading::guarded(&name, || {
            let bytes = self.tables.training.get(version_key(series, version));
            let bytes = bytes.map_err(|error| reading::failed(&name, &error))?;
            if bytes.is_none() {
                self.check_complete()?;
            }
            Ok(bytes.map(|bytes| bytes.to_vec()))
        })
    }

    fn submit_alias(&self, put: AliasPut, done: AliasCompletion) {
        self.enqueue(Queued::Alias(put, done));
    }

    fn alias(&self, series: &str, alias: &str) -> Result<Option<AliasRecord>, StoreError> {
        let _under_way = self.shared.reads.begin();
        self.check_complete()?;
        reading::guarded(series, || {
            aliases::read(&self.tables.aliases, series, alias)
        })
    }

    fn aliases(&self, series: &str) -> Result<Vec<(CompactString, AliasRecord)>, StoreError> {
        let _under_way = self.shared.reads.begin();
        self.check_complete()?;
        reading::guarded(series, || aliases::read_all(&self.tables.aliases, series))
    }

    fn submit_document(&self, put: DocumentPut, done: DocumentCompletion) {
        self.enqueue(Queued::Document(put, done));
    }

    fn document(
        &self,
        kind: DocumentKind,
        series: &str,
        id: &str,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let _under_way = self.shared.reads.begin();
        self.check_complete()?;
        reading::guarded(series, || {
            documents::read(&self.tables.documents, kind, series, id)
        })
    }

    fn documents(
        &self,
        kind: DocumentKind,
        series: Option<&str>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Document>, StoreError> {
        let _under_way = self.shared.reads.begin();
        self.check_complete()?;
        reading::guarded(series.unwrap_or("documents"), || {
            documents::read_all(&self.tables.documents, kind, (series, after), limit)
        })
    }

    fn answered(&self, series: &str, key: RequestKey) -> Result<Option<KeptAnswer>, StoreError> {
        let _under_way = self.shared.reads.begin();
        self.check_complete()?;
        reading::guarded(series, || self.tables.answers.find(series, key, now_ms()))
    }

    fn series_count(&self) -> u64 {
        self.shared.series.load(Ordering::Relaxed)
    }

    fn refusal(&self) -> Option<String> {
        self.shared.refusal.get().cloned()
    }

    fn space(&self) -> Option<Space> {
        Some(self.shared.room.space())
    }

    fn commits(&self) -> Option<&Commits> {
        Some(&self.shared.commits)
    }

    fn back_up(&self, files: &[CarriedFile], out: &mut dyn Write) -> Result<Summary, BackupError> {
        // A backup does not say that something is missing, and what is restored from it would not.
        self.check_complete()?;
        backup::write(&self.tables.db, files, out)
    }

    fn waits(&self) -> Waits {
        Waits {
            read: self.shared.reads.longest(),
            commit: self.shared.commit.longest(),
        }
    }

    fn close(&self) {
        let committer = self
            .committer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        self.queue
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(committer) = committer {
            if committer.join().is_err() {
                tracing::error!("the committer panicked");
            }
            if let Err(error) = self.tables.db.persist(PersistMode::SyncAll) {
                tracing::error!(%error, "the last sync failed");
            }
            let _ = self.shared.refusal.set("the store is closed".into());
        }
    }
}

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        self.close();
    }
}
