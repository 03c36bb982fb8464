//! Opens the embedded store: first its files, then fjall, then what its records say of themselves.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use fjall::PersistMode;

use super::answers::Answers;
use super::commit_record::{COMMIT_KEY, CommitRecord};
use super::committer::Tables;
use super::embedded::{Durability, EmbeddedOptions};
use super::folder::{self, Inspected};
use super::incomplete::Incomplete;
use super::reading;
use super::record::{STORE_FORMAT, open_number, seal_number};
use super::watermark::Watermark;
use super::{StoreError, keyspaces};
use crate::private_folder;

/// A store that is open, and what is known of it.
pub(super) struct Opened {
    pub(super) tables: Tables,
    pub(super) numbers: CommitNumbers,
    pub(super) incomplete: Option<Incomplete>,
}

/// The numbers of commits. Only the committer gives them.
pub(super) struct CommitNumbers {
    last: AtomicU64,
    accepted: u64,
    watermark: Option<Watermark>,
}

impl CommitNumbers {
    /// Those of a store whose last commit had this record, noted in `watermark`.
    pub(super) fn after(last: CommitRecord, watermark: Option<Watermark>) -> Self {
        Self {
            last: AtomicU64::new(last.number),
            accepted: last.accepted,
            watermark,
        }
    }

    /// Gives a batch its number, as its last record; an empty one is no commit.
    pub(super) fn give(&self, write: &mut fjall::OwnedWriteBatch, tables: &Tables) -> Option<u64> {
        if write.is_empty() {
            return None;
        }
        let record = CommitRecord {
            number: self.last.load(Ordering::Relaxed) + 1,
            floor: tables.db.seqno(),
            accepted: self.accepted,
        };
        write.insert(&tables.heads, COMMIT_KEY, record.seal());
        Some(record.number)
    }

    /// Notes that the commit that was given this number is durable.
    pub(super) fn committed(&self, number: Option<u64>) {
        let Some(number) = number else { return };
        self.last.store(number, Ordering::Relaxed);
        if let Some(watermark) = &self.watermark {
            watermark.note(number);
        }
    }
}

/// Opens the store, recovering what was synced before a crash.
pub(super) fn open(options: &EmbeddedOptions) -> Result<Opened, StoreError> {
    let path = &options.path;
    private_folder::make(path).map_err(|error| {
        StoreError::Unavailable(format!("{} cannot be made: {error}", path.display()))
    })?;
    let unavailable =
        |error: io::Error| StoreError::Unavailable(format!("{}: {error}", path.display()));
    let found = folder::inspect(path)?;
    let mut incomplete = Incomplete::read(path).map_err(unavailable)?;
    if incomplete.is_none() {
        incomplete = of_journals(&found);
        if let Some(incomplete) = &incomplete {
            incomplete.write(path).map_err(unavailable)?;
        }
    }
    found.make_readable().map_err(unavailable)?;
    let watermark = found.watermark;
    // fjall takes the lock itself.
    drop(found);
    let tables = reading::caught(|| open_tables(options)).unwrap_or_else(|said| {
        let folder = path.display();
        Err(StoreError::Unavailable(format!(
            "the database in {folder} is damaged: it failed while it was opened: {said}"
        )))
    })?;
    let last = last_commit(&tables)?;
    if incomplete.is_none() && last.number < watermark {
        let missing = watermark - last.number;
        let incomplete = incomplete.insert(Incomplete {
            findings: vec![format!(
                "{missing} commits after number {}, the last one that is there",
                last.number
            )],
        });
        incomplete.write(path).map_err(unavailable)?;
    }
    let watermark = match &incomplete {
        Some(incomplete) => {
            tracing::error!(folder = %path.display(), "the store is incomplete: {incomplete}");
            None
        }
        None => Some(Watermark::open(path, last.number).map_err(unavailable)?),
    };
    Ok(Opened {
        tables,
        numbers: CommitNumbers::after(last, watermark),
        incomplete,
    })
}

/// What the journals show to be missing, before fjall forgets it.
fn of_journals(found: &Inspected) -> Option<Incomplete> {
    let damage = found.journal_damage();
    let missing = found.missing();
    if damage.is_empty() && missing == 0 {
        return None;
    }
    let mut findings = Vec::new();
    let after = found
        .last_in_journals()
        .map_or(0, |last| found.watermark.saturating_sub(last));
    if missing + after > 0 {
        findings.push(format!("{} commits of the journals", missing + after));
    }
    findings.extend(damage.iter().map(ToString::to_string));
    Some(Incomplete { findings })
}

fn open_tables(options: &EmbeddedOptions) -> Result<Tables, StoreError> {
    let path = &options.path;
    let db = keyspaces::open_database(path).map_err(|error| open_error(path, error))?;
    let table = |name: &str| keyspaces::open(&db, name).map_err(|error| open_error(path, error));
    // `meta` first: a store of a newer format is refused before anything else is touched.
    let meta = table(keyspaces::META)?;
    check_format(&db, &meta)?;
    Ok(Tables {
        versions: table(keyspaces::VERSIONS)?,
        heads: table(keyspaces::HEADS)?,
        training: table(keyspaces::TRAINING)?,
        online: table(keyspaces::ONLINE)?,
        points: table(keyspaces::POINTS)?,
        aliases: table(keyspaces::ALIASES)?,
        documents: table(keyspaces::DOCUMENTS)?,
        answers: Answers {
            table: table(keyspaces::ANSWERS)?,
            keep: options.answers,
        },
        db: db.clone(),
        sync: match options.durability {
            Durability::Synced => Some(PersistMode::SyncData),
            Durability::Buffered => Some(PersistMode::Buffer),
        },
    })
}

/// The record of the last commit; zeros where none was made since batches have numbers.
pub(super) fn last_commit(tables: &Tables) -> Result<CommitRecord, StoreError> {
    let key = "the number of the last commit";
    reading::guarded(key, || {
        let bytes = tables.heads.get(COMMIT_KEY);
        match bytes.map_err(|error| reading::failed(key, &error))? {
            None => Ok(CommitRecord::default()),
            Some(bytes) => {
                CommitRecord::open(&bytes).map_err(|reason| reading::damaged(key, reason))
            }
        }
    })
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
    let name = || format!("{} in {}", key.trim_start_matches('\0'), table.name());
    let bytes = table
        .get(key)
        .map_err(|error| reading::failed(&name(), &error))?;
    let number = bytes.map(|bytes| open_number(&bytes)).transpose();
    number.map_err(|reason| reading::damaged(&name(), reason))
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

/// Goes on with what is there: nothing that is missing up to now counts as missing any more.
///
/// # Errors
/// When the store cannot be opened or written.
pub fn accept_loss(options: &EmbeddedOptions) -> Result<Option<Incomplete>, StoreError> {
    let path = &options.path;
    let unavailable_file =
        |error: io::Error| StoreError::Unavailable(format!("{}: {error}", path.display()));
    let known = Watermark::read(path).map_err(unavailable_file)?;
    let Opened {
        tables, incomplete, ..
    } = open(options)?;
    let Some(incomplete) = incomplete else {
        return Ok(None);
    };
    let accepted = last_commit(&tables)?.number.max(known);
    let record = CommitRecord {
        number: accepted + 1,
        floor: tables.db.seqno(),
        accepted,
    };
    let mut write = tables.db.batch().durability(Some(PersistMode::SyncAll));
    write.insert(&tables.heads, COMMIT_KEY, record.seal());
    write.commit().map_err(unavailable)?;
    Watermark::open(path, record.number).map_err(unavailable_file)?;
    Incomplete::remove(path).map_err(unavailable_file)?;
    Ok(Some(incomplete))
}
