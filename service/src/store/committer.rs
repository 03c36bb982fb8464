//! Group commit: one thread takes whatever is queued, writes it with one sync, then completes it.
//!
//! There is no timer. While a sync runs, puts queue up; the next batch is what came meanwhile, so
//! a lone writer waits for one sync and a hundred writers share one (Gawlick and Kinkade, "Varieties
//! of concurrency control in IMS/VS Fast Path", 1985, describe the idea; the absence of a timer
//! differs). Version numbers are given here and nowhere else: the order of commits is their order.
//! The numbers of learnt points are given before, under the lock of their series, and queue in
//! that order.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::aliases::AliasWrites;
use super::answers::{Answers, Before, NewAnswers, now_ms};
use super::chores::{Chores, rests, sweep};
use super::commits::Commits;
use super::deletes::{self, DeleteListener, Deleted};
use super::heads::Heads;
use super::index::IndexWrites;
use super::opening::CommitNumbers;
use super::queued::{Deletes, Outcome, Queued};
use super::room::{self, Room};
use super::state_writes::StateWrites;
use super::under_way::UnderWay;
use super::{Put, PutError, StatePut, StoreError, Stored, reading, retention};

/// A batch ends when it holds this many bytes of records, so that a burst of large fits does not
/// make one commit of unbounded size.
const BATCH_BYTES: usize = 32 * 1024 * 1024;

/// The keyspaces of one store and how a batch is made durable.
#[derive(Clone)]
pub(super) struct Tables {
    pub(super) db: fjall::Database,
    pub(super) versions: fjall::Keyspace,
    pub(super) heads: fjall::Keyspace,
    pub(super) training: fjall::Keyspace,
    pub(super) online: fjall::Keyspace,
    pub(super) points: fjall::Keyspace,
    pub(super) aliases: fjall::Keyspace,
    pub(super) answers: Answers,
    pub(super) times: fjall::Keyspace,
    pub(super) labels: fjall::Keyspace,
    pub(super) labelled: fjall::Keyspace,
    pub(super) sync: Option<fjall::PersistMode>,
    /// Versions of a series that are kept; 0 for all.
    pub(super) keep_versions: u64,
}

/// Reads that are noted at a time.
const NOTED_READS: usize = 64;

/// What the committer shares with the store's readers.
pub(super) struct Shared {
    /// Series that have a version, as of the last commit.
    pub(super) series: AtomicU64,
    /// Changes of aliases, as of the last commit.
    pub(super) revision: AtomicU64,
    /// Set once, when writes stopped for good.
    pub(super) refusal: OnceLock<String>,
    /// The commit that is under way.
    pub(super) commit: UnderWay,
    /// Reads that are under way.
    pub(super) reads: UnderWay,
    /// Those that were made.
    pub(super) commits: Commits,
    /// Their numbers.
    pub(super) numbers: CommitNumbers,
    /// Space for further ones.
    pub(super) room: Room,
    /// Whether nothing is left to be removed of what was deleted or is beyond what is kept.
    pub(super) is_tidy: AtomicBool,
    /// Told of what is deleted.
    pub(super) on_delete: OnceLock<DeleteListener>,
}

impl Shared {
    pub(super) fn new(series: u64, numbers: CommitNumbers, room: Room) -> Self {
        Self {
            series: AtomicU64::new(series),
            revision: AtomicU64::new(0),
            refusal: OnceLock::new(),
            commit: UnderWay::new(1),
            reads: UnderWay::new(NOTED_READS),
            commits: Commits::default(),
            numbers,
            room,
            is_tidy: AtomicBool::new(false),
            on_delete: OnceLock::new(),
        }
    }

    pub(super) fn tell(&self, deleted: &Deleted) {
        if let Some(listener) = self.on_delete.get() {
            listener(deleted);
        }
    }
}

/// Commits until every sender is gone. After a failed write nothing is acknowledged again: what
/// reached the disk is unknown until a restart has read it back (Rebello et al., "Can applications
/// recover from fsync failures?", USENIX ATC 2020).
pub(super) fn run(
    tables: &Tables,
    queue: &Receiver<Queued>,
    shared: &Arc<Shared>,
    mut chores: Chores,
    batch_puts: usize,
) {
    let mut batch = Vec::with_capacity(batch_puts);
    // Taken from the queue for the next batch.
    let mut waiting = None;
    loop {
        let rests = rests(tables, shared, &chores, now_ms());
        shared.is_tidy.store(chores.are_done(), Ordering::Release);
        match waiting.take().map_or_else(
            || queue.recv_timeout(rests.min(room::LOOK_EVERY)),
            Ok::<Queued, RecvTimeoutError>,
        ) {
            Ok(first) => batch.push(first),
            Err(RecvTimeoutError::Timeout) => {
                look(&tables.db, shared);
                sweep(tables, shared, &mut chores);
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
        let mut bytes = batch[0].size();
        let mut deletes = Deletes::default();
        deletes.add(&batch[0]);
        while batch.len() < batch_puts && bytes < BATCH_BYTES {
            let Ok(next) = queue.try_recv() else { break };
            if deletes.end_before(&batch, &next) {
                waiting = Some(next);
                break;
            }
            deletes.add(&next);
            bytes += next.size();
            batch.push(next);
        }
        if let Some(reason) = shared.refusal.get() {
            shared.commits.failed(batch.len());
            fail(&mut batch, &PutError::Closed(reason.clone()));
            continue;
        }
        shared.room.look(tables.db.write_buffer_size());
        refuse_without_room(&mut batch, &shared.room, bytes);
        if batch.is_empty() {
            continue;
        }
        let begun = Instant::now();
        let under_way = shared.commit.begin();
        // An assertion inside of the database fails the commit; this thread has to tell those who wait.
        let outcomes = reading::caught(|| commit(tables, &batch, shared, &mut chores));
        let outcomes = outcomes.unwrap_or_else(Err);
        drop(under_way);
        match outcomes {
            Ok(Committed { outcomes, removed }) => {
                // Before anybody hears of it, so that whoever does finds it counted.
                shared.commits.done(batch.len(), begun.elapsed());
                removed.iter().for_each(|deleted| shared.tell(deleted));
                let batch = batch.drain(..).zip(outcomes);
                batch.for_each(|(queued, outcome)| queued.complete(outcome, shared));
            }
            Err(reason) => {
                refuse_from_now_on(shared, &reason);
                shared.commits.failed(batch.len());
                fail(&mut batch, &PutError::Unknown(reason));
            }
        }
        sweep(tables, shared, &mut chores);
    }
}

/// What is looked at while nothing is queued: space, and whether a table could not be written in the
/// background. Then no commit will succeed, and nobody should be sent here to find out.
fn look(db: &fjall::Database, shared: &Shared) {
    if shared.refusal.get().is_some() {
        return;
    }
    let _under_way = shared.commit.begin();
    shared.room.look(db.write_buffer_size());
    // Syncs nothing and writes nothing: every batch has left the journal's buffer.
    if let Err(error) = db.persist(fjall::PersistMode::Buffer) {
        refuse_from_now_on(shared, &error.to_string());
    }
}

/// Fails what would take from the space that is kept free. Changes of states go on: they were queued
/// while there was room, and what was queued is learnt; the reserve is for them. Deletions do, too, or there
/// would never be room again.
fn refuse_without_room(batch: &mut Vec<Queued>, room: &Room, bytes: usize) {
    let Err(full) = room.takes(batch.len(), bytes) else {
        return;
    };
    let (states, others): (Vec<_>, Vec<_>) = batch
        .drain(..)
        .partition(|queued| matches!(queued, Queued::State(..) | Queued::Delete(..)));
    others
        .into_iter()
        .for_each(|queued| queued.fail(full.clone()));
    batch.extend(states);
}

pub(super) fn refuse_from_now_on(shared: &Shared, reason: &str) {
    tracing::error!(
        reason,
        "a commit failed: the store takes no more writes until a restart"
    );
    let _ = shared.refusal.set(format!(
        "an earlier write failed ({reason}); restart to recover"
    ));
}

fn fail(batch: &mut Vec<Queued>, error: &PutError) {
    for queued in batch.drain(..) {
        queued.fail(error.clone());
    }
}

/// What became of a batch.
struct Committed {
    outcomes: Vec<Outcome>,
    /// What it removed beside what it was asked to.
    removed: Vec<Deleted>,
}

fn commit(
    tables: &Tables,
    batch: &[Queued],
    shared: &Shared,
    chores: &mut Chores,
) -> Result<Committed, String> {
    let now_ms = now_ms();
    let mut write = tables.db.batch().durability(tables.sync);
    let mut heads = Heads::default();
    let mut states: HashMap<&str, StateWrites> = HashMap::new();
    let mut answers = NewAnswers::at(now_ms);
    let mut aliases = AliasWrites::after(shared.revision.load(Ordering::Relaxed), now_ms);
    let mut index = IndexWrites::default();
    let mut outcomes = Vec::with_capacity(batch.len());
    for queued in batch {
        outcomes.push(match queued {
            Queued::Version(put, _) => Outcome::Version(put_version(
                tables,
                put,
                (&mut heads, &mut answers, &mut aliases, &mut index),
            )?),
            Queued::State(put, _) => {
                let is_of_now = is_of_now(&mut heads, tables, put)?;
                if is_of_now {
                    states.entry(&put.series).or_default().add(&put.change);
                }
                Outcome::State(is_of_now.then_some(()).ok_or(PutError::Deleted))
            }
            Queued::Alias(put, _) => Outcome::Alias(match heads.of(tables, &put.series)? {
                Ok(series) => {
                    let is_there = put.version.map(|version| series.has(tables, version));
                    let is_there = is_there.transpose()?.unwrap_or(false);
                    aliases.apply(&tables.aliases, put, (series.head.latest, is_there))?
                }
                Err(error) => Err(error.into()),
            }),
            Queued::Delete(put, _) => {
                Outcome::Delete(deletes::apply(&mut write, tables, &mut heads, put)?)
            }
        });
    }
    let removed = retention::of_batch(&mut write, tables, &mut heads, &aliases)?;
    for series in heads.with_puts() {
        index.prune(tables, series.name, &series.head)?;
    }
    for (series, writes) in states {
        writes.write(&mut write, tables, series);
    }
    let series = heads.write(&mut write, tables, shared.series.load(Ordering::Relaxed));
    let revision = aliases.revision;
    aliases.write(&mut write, &tables.aliases);
    index.write(&mut write, tables);
    answers.write(&mut write, &tables.answers, &mut chores.sweeper);
    // A batch without a write is no commit: what was queued before it is synced already.
    let number = shared.numbers.give(&mut write, tables);
    write.commit().map_err(|error| error.to_string())?;
    shared.numbers.committed(number);
    shared.series.store(series, Ordering::Relaxed);
    shared.revision.store(revision, Ordering::Relaxed);
    for outcome in &outcomes {
        if let Outcome::Delete(Ok(deleted)) = outcome {
            chores.graves.add(deleted);
        }
    }
    Ok(Committed { outcomes, removed })
}

/// Whether the series was not deleted since the state was begun that `put` changes. Where the head is
/// damaged, it was not: then it could not be.
fn is_of_now<'a>(
    heads: &mut Heads<'a>,
    tables: &Tables,
    put: &'a StatePut,
) -> Result<bool, String> {
    let series = heads.of(tables, &put.series)?;
    Ok(series.map_or(true, |series| series.head.life == put.life))
}

/// Gives a put its number, unless its request was answered before; an inner error refuses this put
/// alone, and then nothing of it is in the batch.
fn put_version<'a>(
    tables: &Tables,
    put: &'a Put,
    (heads, answers, aliases, index): (
        &mut Heads<'a>,
        &mut NewAnswers<'a>,
        &mut AliasWrites<'a>,
        &mut IndexWrites<'a>,
    ),
) -> Result<Result<Stored, PutError>, String> {
    let series = match heads.of(tables, &put.series)? {
        Ok(series) => series,
        Err(refused) => return Ok(Err(refused)),
    };
    if put.life.is_some_and(|life| life != series.head.life) {
        return Ok(Err(PutError::Deleted));
    }
    match answers.before(&tables.answers, put, series.head.deleted_to)? {
        Ok(Before::Nothing) => {}
        Ok(Before::Same(kept)) => return Ok(Ok(Stored::Before(kept))),
        Err(refused) => return Ok(Err(refused)),
    }
    let alias = put.alias.as_deref();
    if let Some(alias) = alias {
        match aliases.takes(&tables.aliases, &put.series, alias) {
            Ok(true) => {}
            Ok(false) => return Ok(Err(PutError::TooManyAliases)),
            Err(error @ StoreError::Damaged { .. }) => {
                return Ok(Err(PutError::Damaged(error.to_string())));
            }
            Err(error) => return Err(error.to_string()),
        }
    }
    match index.takes(tables, put) {
        Ok(()) => {}
        Err(error @ StoreError::Damaged { .. }) => {
            return Ok(Err(PutError::Damaged(error.to_string())));
        }
        Err(error) => return Err(error.to_string()),
    }
    let version = series.put(put);
    index.set(put, version);
    answers.keep(put, version);
    let alias = alias.and_then(|alias| aliases.set((&put.series, alias), Some(version)));
    Ok(Ok(Stored::New { version, alias }))
}
