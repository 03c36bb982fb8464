//! The default store: fjall, a log-structured store in one folder, written by one committer thread.
//!
//! fjall takes the writes because it gave the most synced commits a second of the embedded stores
//! measured (docs/decisions/embedded-store.md).

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;

use compact_str::CompactString;
use crossbeam_channel::{Sender, TrySendError};
use fjall::PersistMode;

use super::aliases::{self, REVISION_KEY};
use super::answers::{Answers, KeepAnswers, Sweeper, now_ms};
use super::backup::{self, BackupError, CarriedFile, Inconsistencies, Summary};
use super::committer::{self, Queued, Shared, Tables};
use super::keyspaces;
use super::making::make_if_absent;
use super::record::{
    SERIES_COUNT_KEY, STORE_FORMAT, VersionRecord, open_number, seal_number, version_key,
};
use super::room::{DISK_RESERVE, Room};
use super::{
    AliasCompletion, AliasPut, AliasRecord, Commits, Completion, Found, HANGS_AFTER, KeptAnswer,
    Learnt, Put, PutError, RequestKey, Space, StateCompletion, StatePut, StateRecord, Store,
    StoreError, StoredState, StoredVersion, VersionSelector, Waits,
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
        let path = &options.path;
        let db = keyspaces::open_database(path).map_err(|error| open_error(path, error))?;
        let table =
            |name: &str| keyspaces::open(&db, name).map_err(|error| open_error(path, error));
        // `meta` first: a store of a newer format is refused before anything else is touched.
        let meta = table(keyspaces::META)?;
        check_format(&db, &meta)?;
        let tables = Tables {
            versions: table(keyspaces::VERSIONS)?,
            heads: table(keyspaces::HEADS)?,
            training: table(keyspaces::TRAINING)?,
            online: table(keyspaces::ONLINE)?,
            points: table(keyspaces::POINTS)?,
            aliases: table(keyspaces::ALIASES)?,
            answers: Answers {
                table: table(keyspaces::ANSWERS)?,
                keep: options.answers,
            },
            db: db.clone(),
            sync: match options.durability {
                Durability::Synced => Some(PersistMode::SyncData),
                Durability::Buffered => Some(PersistMode::Buffer),
            },
        };
        let n_series = read_number(&tables.heads, SERIES_COUNT_KEY)?.unwrap_or(0);
        let shared = Arc::new(Shared::new(n_series, Room::at(path, options.disk_reserve)));
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
            queue: RwLock::new(Some(sender)),
            committer: Mutex::new(Some(committer)),
        })
    }

    fn latest(&self, series: &str) -> Result<Option<u64>, StoreError> {
        read_number(&self.tables.heads, series)
    }

    fn enqueue(&self, queued: Queued) {
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
        let records = self.tables.points.range(keys).map(|record| {
            let (_, bytes) = record.into_inner().map_err(unavailable)?;
            Learnt::open(&bytes).map_err(|reason| StoreError::Damaged {
                key: format!("{series} (points learnt after {from})"),
                reason,
            })
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
        let Some(bytes) = self.tables.online.get(series).map_err(unavailable)? else {
            return Ok(None);
        };
        let damaged = |reason| StoreError::Damaged {
            key: format!("{series} (online state)"),
            reason,
        };
        let snapshot = StateRecord::open(&bytes).map_err(damaged)?;
        let log = self.log(series, snapshot.seq.saturating_add(1))?;
        StoredState::assemble(snapshot, log)
            .map(Some)
            .map_err(damaged)
    }

    fn version(&self, series: &str, selector: VersionSelector) -> Result<Found, StoreError> {
        let _under_way = self.shared.reads.begin();
        let Some(latest) = self.latest(series)? else {
            return Ok(Found::NoSuchSeries);
        };
        let version = match selector {
            VersionSelector::Latest => latest,
            VersionSelector::Exactly(version) if version <= latest => version,
            VersionSelector::Exactly(_) => return Ok(Found::NoSuchVersion { latest }),
        };
        let name = || format!("{series} version {version}");
        match self
            .tables
            .versions
            .get(version_key(series, version))
            .map_err(unavailable)?
        {
            Some(bytes) => VersionRecord::open(&bytes)
                .map(|record| Found::Version(StoredVersion { version, record }))
                .map_err(|reason| StoreError::Damaged {
                    key: name(),
                    reason,
                }),
            None => Err(StoreError::Damaged {
                key: name(),
                reason: "it is missing".into(),
            }),
        }
    }

    fn training(&self, series: &str, version: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let _under_way = self.shared.reads.begin();
        let bytes = self
            .tables
            .training
            .get(version_key(series, version))
            .map_err(unavailable)?;
        Ok(bytes.map(|bytes| bytes.to_vec()))
    }

    fn submit_alias(&self, put: AliasPut, done: AliasCompletion) {
        self.enqueue(Queued::Alias(put, done));
    }

    fn alias(&self, series: &str, alias: &str) -> Result<Option<AliasRecord>, StoreError> {
        let _under_way = self.shared.reads.begin();
        aliases::read(&self.tables.aliases, series, alias)
    }

    fn aliases(&self, series: &str) -> Result<Vec<(CompactString, AliasRecord)>, StoreError> {
        let _under_way = self.shared.reads.begin();
        aliases::read_all(&self.tables.aliases, series)
    }

    fn answered(&self, series: &str, key: RequestKey) -> Result<Option<KeptAnswer>, StoreError> {
        let _under_way = self.shared.reads.begin();
        self.tables.answers.find(series, key, now_ms())
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

fn check_format(db: &fjall::Database, meta: &fjall::Keyspace) -> Result<(), StoreError> {
    match read_number(meta, "format")? {
        Some(found) if found == u64::from(STORE_FORMAT) => Ok(()),
        Some(found) => Err(StoreError::NewerFormat {
            found: u16::try_from(found).unwrap_or(u16::MAX),
            known: STORE_FORMAT,
        }),
        None => {
            let mut first = db.batch().durability(Some(PersistMode::SyncAll));
            first.insert(meta, "format", seal_number(u64::from(STORE_FORMAT)));
            first.commit().map_err(unavailable)?;
            // Into a table at once: a journal is kept until every write in it is in a table.
            meta.rotate_memtable_and_wait().map_err(unavailable)
        }
    }
}

pub(super) fn read_number(table: &fjall::Keyspace, key: &str) -> Result<Option<u64>, StoreError> {
    let Some(bytes) = table.get(key).map_err(unavailable)? else {
        return Ok(None);
    };
    open_number(&bytes)
        .map(Some)
        .map_err(|reason| StoreError::Damaged {
            key: format!("{key} in {}", table.name()),
            reason,
        })
}

pub(super) fn unavailable(error: fjall::Error) -> StoreError {
    StoreError::Unavailable(error.to_string())
}

pub(super) fn open_error(path: &Path, error: fjall::Error) -> StoreError {
    match error {
        fjall::Error::Locked => StoreError::Locked(path.display().to_string()),
        other => StoreError::Unavailable(format!("{}: {other}", path.display())),
    }
}
