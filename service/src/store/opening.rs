//! Opens the embedded store: first its files, then fjall, then what its records say of themselves.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use fjall::PersistMode;

use super::aliases::REVISION_KEY;
use super::answers::{Answers, Sweeper};
use super::commit_record::{COMMIT_KEY, CommitRecord};
use super::committer::Tables;
use super::embedded::{Durability, EmbeddedOptions};
use super::folder::{self, Depth, Inspected, Names, Staged};
use super::graves::Graves;
use super::incomplete::{Incomplete, Lost};
use super::reading;
use super::record::{SERIES_COUNT_KEY, STORE_FORMAT, open_number, seal_number};
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

/// Opens the store, recovering what was synced before a crash. A damaged one is opened with what is whole
/// of it.
pub(super) fn open(options: &EmbeddedOptions) -> Result<Opened, StoreError> {
    let at = |depth| {
        let opened = open_after(options, depth)?;
        opened.check_essentials().map(|()| opened)
    };
    match at(Depth::ToOpen) {
        // A block that fjall reads when it is asked for it. Without the block the store can be opened.
        Err(StoreError::Damaged { .. }) => at(Depth::Whole),
        opened => opened,
    }
}

impl Opened {
    /// Reads what a store must know of itself.
    fn check_essentials(&self) -> Result<(), StoreError> {
        let tables = &self.tables;
        last_commit(tables)?;
        reading::guarded("a number of the store", || {
            read_number(&tables.heads, SERIES_COUNT_KEY)?;
            read_number(&tables.aliases, REVISION_KEY)?;
            Graves::of(tables)?;
            Sweeper::of(&tables.answers).map(drop)
        })
    }
}

/// Opens the store after a look at its files.
pub(super) fn open_after(options: &EmbeddedOptions, depth: Depth) -> Result<Opened, StoreError> {
    let path = &options.path;
    private_folder::make(path).map_err(|error| {
        StoreError::Unavailable(format!("{} cannot be made: {error}", path.display()))
    })?;
    let unavailable =
        |error: io::Error| StoreError::Unavailable(format!("{}: {error}", path.display()));
    let found = folder::inspect(path, depth)?;
    let staged = found.salvage().map_err(|error| {
        let damage: Vec<String> = found.keyspace_damage().map(ToString::to_string).collect();
        StoreError::Unavailable(format!(
            "{} is damaged ({}), and what is whole of it cannot be written anew: {error}",
            path.display(),
            damage.join("; ")
        ))
    })?;
    let known = Incomplete::read(path).map_err(unavailable)?;
    // What a start before this one found in the journals is in them no more.
    let in_journals = known.is_none().then(|| of_journals(&found)).flatten();
    let lost = of_keyspaces(&found, &staged);
    let is_new = in_journals.is_some() || lost.is_some();
    let mut incomplete = [known, in_journals, lost]
        .into_iter()
        .flatten()
        .reduce(Incomplete::and);
    if let Some(incomplete) = incomplete.as_ref().filter(|_| is_new) {
        incomplete.write(path).map_err(unavailable)?;
    }
    staged.put_in_place().map_err(unavailable)?;
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
    let last = last_commit(&tables).unwrap_or_default();
    // Where heads lost records, the number of the last commit may be one of them.
    if incomplete.is_none() && last.number < watermark {
        let missing = watermark - last.number;
        let incomplete = incomplete.insert(Incomplete {
            findings: vec![format!(
                "{missing} commits after number {}, the last one that is there",
                last.number
            )],
            lost: Lost::Anywhere,
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
    let damage = found.journals.damage();
    let missing = found.journals.missing();
    if damage.is_empty() && missing == 0 {
        return None;
    }
    let mut findings = Vec::new();
    let after = found
        .journals
        .last()
        .map_or(0, |last| found.watermark.saturating_sub(last));
    if missing + after > 0 {
        findings.push(format!("{} commits of the journals", missing + after));
    }
    findings.extend(damage.iter().map(ToString::to_string));
    let lost = Lost::Anywhere;
    Some(Incomplete { findings, lost })
}

/// What is lost of the keyspaces, unless the journals have all of it.
fn of_keyspaces(found: &Inspected, staged: &Staged) -> Option<Incomplete> {
    if found.journals.have_all() {
        return None;
    }
    let mut findings = Vec::new();
    let mut names = BTreeSet::new();
    for keyspace in staged.salvaged.iter().filter(|it| !it.is_complete) {
        names.insert(keyspace.name.clone());
        findings.extend(keyspace.found.iter().map(ToString::to_string));
    }
    let lost = Lost::In(names);
    (!findings.is_empty()).then_some(Incomplete { findings, lost })
}

fn open_tables(options: &EmbeddedOptions) -> Result<Tables, StoreError> {
    let path = &options.path;
    let db = keyspaces::open_database(path).map_err(|error| open_error(path, error))?;
    let table = |name: &str| keyspaces::open(&db, name).map_err(|error| open_error(path, error));
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
        times: table(keyspaces::TIMES)?,
        labels: table(keyspaces::LABELS)?,
        labelled: table(keyspaces::LABELLED)?,
        db: db.clone(),
        sync: match options.durability {
            Durability::Synced => Some(PersistMode::SyncData),
            Durability::Buffered => Some(PersistMode::Buffer),
        },
        keep_versions: options.keep_versions,
    };
    let names = db.list_keyspace_names().into_iter().map(|name| {
        let keyspace = table(&name)?;
        Ok((keyspace.id(), name.to_string()))
    });
    let names = names.collect::<Result<Names, StoreError>>()?;
    if let Err(error) = folder::note_names(path, &names) {
        tracing::warn!(%error, "the names of the keyspaces cannot be noted");
    }
    Ok(tables)
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
        // Its records are read as they are. From here on an earlier release refuses the store: it would
        // take deleted versions for lost ones.
        Some(1) => write_format(db, meta),
        Some(found) => Err(StoreError::NewerFormat {
            found: u16::try_from(found).unwrap_or(u16::MAX),
            known: STORE_FORMAT,
        }),
        None => write_format(db, meta),
    }
}

fn write_format(db: &fjall::Database, meta: &fjall::Keyspace) -> Result<(), StoreError> {
    let mut first = db.batch().durability(Some(PersistMode::SyncAll));
    first.insert(meta, "format", seal_number(u64::from(STORE_FORMAT)));
    first.commit().map_err(unavailable)?;
    // Into a table at once: a journal is kept until every write in it is in a table.
    meta.rotate_memtable_and_wait().map_err(unavailable)
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
