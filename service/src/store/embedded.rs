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
use fjall::{PersistMode, Readable};

use super::aliases::{self, REVISION_KEY};
use super::answers::{KeepAnswers, now_ms};
use super::backup::{self, BackupError, CarriedFile, Inconsistencies, Summary};
use super::chores::Chores;
use super::committer::{self, Shared, Tables};
use super::incomplete::Incomplete;
use super::keyspaces::{
    ALIASES, ANSWERS, HEADS, LABELLED, LABELS, ONLINE, POINTS, TIMES, TRAINING, VERSIONS,
};
use super::making::make_if_absent;
use super::opening::{self, Opened, read_number};
use super::queued::Queued;
use super::record::{SERIES_COUNT_KEY, VersionRecord, version_key};
use super::room::{DISK_RESERVE, Room};
use super::{
    AliasCompletion, AliasPut, AliasRecord, AsOf, Commits, Completion, DeleteCompletion,
    DeleteListener, DeletePut, Found, HANGS_AFTER, Head, KeptAnswer, Learnt, ListedVersion, Put,
    PutError, RequestKey, SeriesFacts, SeriesPage, SeriesQuery, Space, StateCompletion, StatePut,
    StateRecord, Store, StoreError, StoredState, StoredVersion, VersionSelector, VersionsQuery,
    Waits, heads, index, listing, reading,
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
    /// The last so many versions of each series are kept, and those that an alias points to; 0 for all.
    pub keep_versions: u64,
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
            keep_versions: 0,
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
        let chores = Chores::of(&tables)?;
        let (sender, receiver) = crossbeam_channel::bounded(options.queue_puts);
        let batch_puts = options.batch_puts;
        let committer = {
            let (tables, shared) = (tables.clone(), Arc::clone(&shared));
            std::thread::Builder::new()
                .name("tidemark-committer".into())
                .spawn(move || committer::run(&tables, &receiver, &shared, chores, batch_puts))
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

    /// Waits until nothing is left to be removed of what was deleted or is beyond what is kept.
    #[cfg(test)]
    pub(super) fn wait_until_tidy(&self) {
        while !self.shared.is_tidy.load(Ordering::Acquire) {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
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
            &tables.answers.table,
            &tables.times,
            &tables.labels,
            &tables.labelled,
        ] {
            table.rotate_memtable_and_wait().expect("it is written");
        }
    }

    /// Of a batch that is being committed, a read of this moment sees nothing: a read past it may see some
    /// of its writes, and take for lost what is deleted.
    fn now(&self) -> fjall::Snapshot {
        self.tables.db.snapshot()
    }

    /// The version of this number, if it is there.
    fn exactly(
        &self,
        moment: &fjall::Snapshot,
        series: &str,
        version: u64,
    ) -> Result<Option<StoredVersion>, StoreError> {
        let name = format!("{series} version {version}");
        let bytes = moment.get(&self.tables.versions, version_key(series, version));
        let bytes = bytes.map_err(|error| reading::failed(&name, &error))?;
        let record = bytes.map(|bytes| VersionRecord::open(&bytes)).transpose();
        let record = record.map_err(|reason| reading::damaged(&name, reason))?;
        Ok(record.map(|record| StoredVersion { version, record }))
    }

    fn find(&self, series: &str, selector: VersionSelector) -> Result<Found, StoreError> {
        let moment = self.now();
        let head = heads::read_at(&moment, &self.tables, series);
        let version = match (selector, &head) {
            (VersionSelector::Latest, _) => {
                self.check_complete(&[HEADS])?;
                head.clone()?.map_or(0, |head| head.latest)
            }
            (VersionSelector::Exactly(version), Ok(Some(head))) if !head.may_have(version) => 0,
            // What is there is served, whatever became of the head.
            (VersionSelector::Exactly(version), _) => version,
        };
        if version > 0
            && let Some(stored) = self.exactly(&moment, series, version)?
        {
            return Ok(Found::Version(stored));
        }
        self.check_complete(&[HEADS])?;
        let head = head?.unwrap_or_default();
        let latest = head.latest;
        if latest == 0 {
            return Ok(Found::NoSuchSeries);
        }
        if !head.may_have(version) || (version != latest && head.has_gaps()) {
            self.check_complete(&[VERSIONS])?;
            return Ok(Found::NoSuchVersion { latest });
        }
        let name = format!("{series} version {version}");
        Err(reading::damaged(&name, "it is missing".into()))
    }

    /// Refuses an answer that rests on something not being there, or on there being nothing newer, in
    /// one of `keyspaces`.
    fn check_complete(&self, keyspaces: &[&str]) -> Result<(), StoreError> {
        match &self.incomplete {
            Some(incomplete) if incomplete.lost.touches(keyspaces) => Err(incomplete.refusal()),
            _ => Ok(()),
        }
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
                Err(TrySendError::Full(queued)) => {
                    self.shared.commits.refuse();
                    Some((queued, PutError::Busy))
                }
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
    fn log(
        &self,
        moment: &fjall::Snapshot,
        series: &str,
        from: u64,
    ) -> Result<Vec<Learnt>, StoreError> {
        let keys = version_key(series, from)..=version_key(series, u64::MAX);
        let name = || format!("{series} (points learnt after {from})");
        let records = moment.range(&self.tables.points, keys).map(|record| {
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
        self.check_complete(&[ONLINE, POINTS])?;
        let name = format!("{series} (online state)");
        reading::guarded(&name, || {
            let moment = self.now();
            let bytes = moment.get(&self.tables.online, series);
            let Some(bytes) = bytes.map_err(|error| reading::failed(&name, &error))? else {
                return Ok(None);
            };
            let damaged = |reason| reading::damaged(&name, reason);
            let snapshot = StateRecord::open(&bytes).map_err(damaged)?;
            let log = self.log(&moment, series, snapshot.seq.saturating_add(1))?;
            StoredState::assemble(snapshot, log)
                .map(Some)
                .map_err(damaged)
        })
    }

    fn version(&self, series: &str, selector: VersionSelector) -> Result<Found, StoreError> {
        let _under_way = self.shared.reads.begin();
        reading::guarded(series, || self.find(series, selector))
    }

    fn head(&self, series: &str) -> Result<Head, StoreError> {
        let _under_way = self.shared.reads.begin();
        self.check_complete(&[HEADS])?;
        reading::guarded(series, || {
            Ok(heads::read_at(&self.now(), &self.tables, series)?.unwrap_or_default())
        })
    }

    fn training(&self, series: &str, version: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let _under_way = self.shared.reads.begin();
        let name = format!("{series} version {version} (training points)");
        reading::guarded(&name, || {
            let moment = self.now();
            let bytes = moment.get(&self.tables.training, version_key(series, version));
            let bytes = bytes.map_err(|error| reading::failed(&name, &error))?;
            if bytes.is_none() {
                self.check_complete(&[TRAINING])?;
            }
            Ok(bytes.map(|bytes| bytes.to_vec()))
        })
    }

    fn submit_alias(&self, put: AliasPut, done: AliasCompletion) {
        self.enqueue(Queued::Alias(put, done));
    }

    fn submit_delete(&self, put: DeletePut, done: DeleteCompletion) {
        self.enqueue(Queued::Delete(put, done));
    }

    fn on_delete(&self, listener: DeleteListener) {
        let is_first = self.shared.on_delete.set(listener).is_ok();
        debug_assert!(is_first, "there is one listener");
    }

    fn alias(&self, series: &str, alias: &str) -> Result<Option<AliasRecord>, StoreError> {
        let _under_way = self.shared.reads.begin();
        self.check_complete(&[ALIASES])?;
        reading::guarded(series, || {
            aliases::read_at(&self.now(), &self.tables.aliases, series, alias)
        })
    }

    fn aliases(&self, series: &str) -> Result<Vec<(CompactString, AliasRecord)>, StoreError> {
        let _under_way = self.shared.reads.begin();
        self.check_complete(&[ALIASES])?;
        reading::guarded(series, || aliases::read_all(&self.tables.aliases, series))
    }

    fn answered(&self, series: &str, key: RequestKey) -> Result<Option<KeptAnswer>, StoreError> {
        let _under_way = self.shared.reads.begin();
        self.check_complete(&[ANSWERS, HEADS])?;
        reading::guarded(series, || {
            let found = self.tables.answers.find((series, 0), key, now_ms())?;
            let Some(kept) = found else { return Ok(None) };
            // Of a later moment than the answer: of two lives, the head is of the later one.
            let head = heads::read_at(&self.now(), &self.tables, series)?.unwrap_or_default();
            Ok((kept.version > head.deleted_to).then_some(kept))
        })
    }

    fn list(&self, query: &SeriesQuery) -> Result<SeriesPage, StoreError> {
        let _under_way = self.shared.reads.begin();
        self.check_complete(&[HEADS, VERSIONS, LABELS, LABELLED])?;
        reading::guarded("the list of series", || {
            listing::series(&self.tables, query)
        })
    }

    fn series(&self, series: &str) -> Result<Option<SeriesFacts>, StoreError> {
        let _under_way = self.shared.reads.begin();
        self.check_complete(&[HEADS, VERSIONS, LABELS, ALIASES, ONLINE])?;
        reading::guarded(series, || listing::facts(&self.tables, series))
    }

    fn versions(
        &self,
        query: &VersionsQuery,
        each: &mut dyn FnMut(ListedVersion),
    ) -> Result<bool, StoreError> {
        let _under_way = self.shared.reads.begin();
        self.check_complete(&[HEADS, VERSIONS])?;
        reading::guarded(&query.series, || {
            listing::versions(&self.tables, query, each)
        })
    }

    fn as_of(&self, series: &str, at_ms: u64) -> Result<AsOf, StoreError> {
        let _under_way = self.shared.reads.begin();
        self.check_complete(&[HEADS, VERSIONS, TIMES])?;
        reading::guarded(series, || {
            let moment = self.now();
            let head = heads::read_at(&moment, &self.tables, series)?.unwrap_or_default();
            if head.count == 0 {
                return Ok(AsOf::NoSuchSeries);
            }
            let found = index::version_at(&moment, &self.tables, series, at_ms, &head)?;
            Ok(found.map_or(AsOf::NoneYet, AsOf::Version))
        })
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
        if let Some(incomplete) = &self.incomplete {
            return Err(incomplete.refusal().into());
        }
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
