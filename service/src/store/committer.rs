//! Group commit: one thread takes whatever is queued, writes it with one sync, then completes it.
//!
//! There is no timer. While a sync runs, puts queue up; the next batch is what came meanwhile, so
//! a lone writer waits for one sync and a hundred writers share one (Gawlick and Kinkade, "Varieties
//! of concurrency control in IMS/VS Fast Path", 1985, describe the idea; the absence of a timer
//! differs). Version numbers are given here and nowhere else: the order of commits is their order.
//! The numbers of learnt points are given before, under the lock of their series, and queue in
//! that order.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use compact_str::CompactString;
use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::aliases::{AliasCompletion, AliasPut, AliasWrites};
use super::answers::{Answers, Before, LOOK_EVERY, NewAnswers, Sweeper, now_ms};
use super::commits::Commits;
use super::documents::{DocumentCompletion, DocumentPut, DocumentWrites};
use super::opening::CommitNumbers;
use super::reading;
use super::record::{SERIES_COUNT_KEY, open_number, seal_number, version_key};
use super::room::{self, Room};
use super::under_way::UnderWay;
use super::{
    AliasChanged, AliasError, Completion, Put, PutError, StateChange, StateCompletion, StatePut,
    StoreError, Stored,
};

/// A batch ends when it holds this many bytes of records, so that a burst of large fits does not
/// make one commit of unbounded size.
const BATCH_BYTES: usize = 32 * 1024 * 1024;

/// What is to be committed, with what to call when it is done.
pub(super) enum Queued {
    Version(Put, Completion),
    State(StatePut, StateCompletion),
    Alias(AliasPut, AliasCompletion),
    Document(DocumentPut, DocumentCompletion),
}

/// How one of a batch ended.
enum Outcome {
    Version(Result<Stored, PutError>),
    State,
    Alias(Result<AliasChanged, AliasError>),
    Document,
}

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
    pub(super) documents: fjall::Keyspace,
    pub(super) answers: Answers,
    pub(super) sync: Option<fjall::PersistMode>,
}

/// Reads that are noted at a time.
const NOTED_READS: usize = 64;

/// What the committer shares with the store's readers.
pub(super) struct Shared {
    /// Distinct series, as of the last commit.
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
    mut sweeper: Sweeper,
    batch_puts: usize,
) {
    let mut batch = Vec::with_capacity(batch_puts);
    loop {
        let rests = rests(&tables.answers, shared, &sweeper, now_ms());
        match queue.recv_timeout(rests.min(room::LOOK_EVERY)) {
            Ok(first) => batch.push(first),
            Err(RecvTimeoutError::Timeout) => {
                look(&tables.db, shared);
                sweep(&tables.db, &tables.answers, shared, &mut sweeper);
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
        let mut bytes = batch[0].size();
        while batch.len() < batch_puts && bytes < BATCH_BYTES {
            let Ok(next) = queue.try_recv() else { break };
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
        let outcomes = reading::caught(|| commit(tables, &batch, shared, &mut sweeper));
        let outcomes = outcomes.unwrap_or_else(Err);
        drop(under_way);
        match outcomes {
            Ok(outcomes) => {
                // Before anybody hears of it, so that whoever does finds it counted.
                shared.commits.done(batch.len(), begun.elapsed());
                let batch = batch.drain(..).zip(outcomes);
                batch.for_each(|(queued, outcome)| queued.complete(outcome));
            }
            Err(reason) => {
                refuse_from_now_on(shared, &reason);
                shared.commits.failed(batch.len());
                fail(&mut batch, &PutError::Unknown(reason));
            }
        }
        sweep(&tables.db, &tables.answers, shared, &mut sweeper);
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
/// while there was room, and what was queued is learnt; the reserve is for them.
fn refuse_without_room(batch: &mut Vec<Queued>, room: &Room, bytes: usize) {
    let Err(full) = room.takes(batch.len(), bytes) else {
        return;
    };
    let (states, others): (Vec<_>, Vec<_>) = batch
        .drain(..)
        .partition(|queued| matches!(queued, Queued::State(..)));
    others
        .into_iter()
        .for_each(|queued| queued.fail(full.clone()));
    batch.extend(states);
}

/// How long the committer may wait for a batch before something is to be swept.
pub(super) fn rests(
    answers: &Answers,
    shared: &Shared,
    sweeper: &Sweeper,
    now_ms: u64,
) -> Duration {
    // What is due then stays due: nothing is swept any more, or not until there is room.
    if shared.refusal.get().is_some() || shared.room.is_full() {
        return LOOK_EVERY;
    }
    sweeper.rests(answers, now_ms)
}

/// One step of the sweeping: nobody waits for it but the next batch, which waits as long as it does.
pub(super) fn sweep(
    db: &fjall::Database,
    answers: &Answers,
    shared: &Shared,
    sweeper: &mut Sweeper,
) {
    if shared.refusal.get().is_some() || shared.room.is_full() {
        return;
    }
    // A disk that hangs here holds up the next batch as one that hangs in a commit.
    let _under_way = shared.commit.begin();
    if let Err(reason) = sweeper.step(db, answers, now_ms()) {
        refuse_from_now_on(shared, &reason);
    }
}

fn refuse_from_now_on(shared: &Shared, reason: &str) {
    tracing::error!(
        reason,
        "a commit failed: the store takes no more writes until a restart"
    );
    let _ = shared.refusal.set(format!(
        "an earlier write failed ({reason}); restart to recover"
    ));
}

impl Queued {
    /// Whether it takes space.
    pub(super) fn writes(&self) -> bool {
        !matches!(self, Self::State(put, _) if matches!(put.change, StateChange::Nothing))
    }

    pub(super) fn size(&self) -> usize {
        match self {
            Self::Version(put, _) => {
                let beside = put
                    .request
                    .as_ref()
                    .map_or(0, |request| request.answer.len());
                put.record.len() + put.training.as_ref().map_or(0, Vec::len) + beside
            }
            Self::Alias(..) => 0,
            Self::Document(put, _) => put.size(),
            Self::State(put, _) => match &put.change {
                StateChange::Nothing => 0,
                StateChange::Points { record, .. } | StateChange::Snapshot { record, .. } => {
                    record.len()
                }
            },
        }
    }

    fn complete(self, outcome: Outcome) {
        match (self, outcome) {
            (Self::Version(_, done), Outcome::Version(outcome)) => done(outcome),
            (Self::State(_, done), Outcome::State) => done(Ok(())),
            (Self::Alias(_, done), Outcome::Alias(outcome)) => done(outcome),
            (Self::Document(_, done), Outcome::Document) => done(Ok(())),
            _ => unreachable!("a batch has an outcome of its kind for each of its changes"),
        }
    }

    /// Tells that nothing came of it.
    pub(super) fn fail(self, error: PutError) {
        match self {
            Self::Version(_, done) => done(Err(error)),
            Self::State(_, done) => done(Err(error)),
            Self::Alias(_, done) => done(Err(error.into())),
            Self::Document(_, done) => done(Err(error)),
        }
    }
}

fn fail(batch: &mut Vec<Queued>, error: &PutError) {
    for queued in batch.drain(..) {
        queued.fail(error.clone());
    }
}

fn commit(
    tables: &Tables,
    batch: &[Queued],
    shared: &Shared,
    sweeper: &mut Sweeper,
) -> Result<Vec<Outcome>, String> {
    let now_ms = now_ms();
    let mut write = tables.db.batch().durability(tables.sync);
    let mut numbers = Numbers::default();
    let mut states: HashMap<&str, StateWrites> = HashMap::new();
    let mut answers = NewAnswers::at(now_ms);
    let mut aliases = AliasWrites::after(shared.revision.load(Ordering::Relaxed), now_ms);
    let mut documents = DocumentWrites::default();
    let mut outcomes = Vec::with_capacity(batch.len());
    for queued in batch {
        outcomes.push(match queued {
            Queued::Version(put, _) => Outcome::Version(put_version(
                tables,
                &mut write,
                put,
                (&mut numbers, &mut answers, &mut aliases),
            )?),
            Queued::State(put, _) => {
                states.entry(&put.series).or_default().add(&put.change);
                Outcome::State
            }
            Queued::Document(put, _) => {
                documents.add(put);
                Outcome::Document
            }
            Queued::Alias(put, _) => Outcome::Alias(match numbers.latest(tables, &put.series)? {
                Ok(latest) => aliases.apply(&tables.aliases, put, latest)?,
                Err(error) => Err(error.into()),
            }),
        });
    }
    for (series, writes) in states {
        writes.write(&mut write, tables, series);
    }
    let series = shared.series.load(Ordering::Relaxed) + numbers.new_series;
    let revision = aliases.revision;
    numbers.write(&mut write, tables, series);
    aliases.write(&mut write, &tables.aliases);
    documents.write(&mut write, &tables.documents);
    answers.write(&mut write, &tables.answers, sweeper);
    // A batch without a write is no commit: what was queued before it is synced already.
    let number = shared.numbers.give(&mut write, tables);
    write.commit().map_err(|error| error.to_string())?;
    shared.numbers.committed(number);
    shared.series.store(series, Ordering::Relaxed);
    shared.revision.store(revision, Ordering::Relaxed);
    Ok(outcomes)
}

/// Gives a put its number, unless its request was answered before; an inner error refuses this put
/// alone, and then nothing of it is in the batch.
fn put_version<'a>(
    tables: &Tables,
    write: &mut fjall::OwnedWriteBatch,
    put: &'a Put,
    (numbers, answers, aliases): (&mut Numbers<'a>, &mut NewAnswers<'a>, &mut AliasWrites<'a>),
) -> Result<Result<Stored, PutError>, String> {
    match answers.before(&tables.answers, put)? {
        Ok(Before::Nothing) => {}
        Ok(Before::Same(kept)) => return Ok(Ok(Stored::Before(kept))),
        Err(refused) => return Ok(Err(refused)),
    }
    let alias = put.alias.as_deref();
    if let Some(alias) = alias {
        match aliases.takes(&tables.aliases, (&put.series, alias), &put.alias_if) {
            Ok(Ok(())) => {}
            Ok(Err(refused)) => return Ok(Err(refused)),
            Err(error @ StoreError::Damaged { .. }) => {
                return Ok(Err(PutError::Damaged(error.to_string())));
            }
            Err(error) => return Err(error.to_string()),
        }
    }
    let version = match numbers.next(tables, &put.series)? {
        Ok(version) => version,
        Err(refused) => return Ok(Err(refused)),
    };
    write_version(write, tables, put, version);
    answers.keep(put, version);
    let alias = alias.and_then(|alias| aliases.set((&put.series, alias), Some(version)));
    Ok(Ok(Stored::New { version, alias }))
}

fn write_version(write: &mut fjall::OwnedWriteBatch, tables: &Tables, put: &Put, version: u64) {
    let key = version_key(&put.series, version);
    if let Some(training) = &put.training {
        write.insert(&tables.training, key.as_slice(), training.as_slice());
    }
    write.insert(&tables.versions, key, put.record.as_slice());
}

/// The latest versions of the series of one batch.
#[derive(Default)]
struct Numbers<'a> {
    latest: HashMap<&'a CompactString, u64>,
    new_series: u64,
}

impl<'a> Numbers<'a> {
    /// The number of the latest version, 0 where there is none; an inner error refuses this series
    /// alone.
    fn latest(
        &self,
        tables: &Tables,
        series: &CompactString,
    ) -> Result<Result<u64, PutError>, String> {
        if let Some(latest) = self.latest.get(series) {
            return Ok(Ok(*latest));
        }
        let head = match tables.heads.get(series) {
            Ok(head) => head,
            Err(error) => match reading::failed(&format!("the head of {series}"), &error) {
                StoreError::Damaged { key, reason } => {
                    return Ok(Err(PutError::Damaged(format!("{key}: {reason}"))));
                }
                error => return Err(error.to_string()),
            },
        };
        // Giving a number after a damaged one could repeat one.
        let number = head.map_or(Ok(0), |bytes| open_number(&bytes));
        Ok(number.map_err(|reason| PutError::Damaged(format!("the head of {series}: {reason}"))))
    }

    /// The next version's number, as [`Numbers::latest`].
    fn next(
        &mut self,
        tables: &Tables,
        series: &'a CompactString,
    ) -> Result<Result<u64, PutError>, String> {
        let latest = self.latest(tables, series)?;
        if let Ok(latest) = latest {
            self.new_series += u64::from(latest == 0);
            self.latest.insert(series, latest + 1);
        }
        Ok(latest.map(|latest| latest + 1))
    }

    fn write(self, write: &mut fjall::OwnedWriteBatch, tables: &Tables, n_series: u64) {
        for (series, version) in self.latest {
            write.insert(&tables.heads, series.as_bytes(), seal_number(version));
        }
        if self.new_series > 0 {
            write.insert(&tables.heads, SERIES_COUNT_KEY, seal_number(n_series));
        }
    }
}

/// What one batch changes of one state. A batch has one sequence number for all of its writes, so
/// no key may be written and removed in it: what a later snapshot of the batch makes superfluous
/// is left out.
#[derive(Default)]
struct StateWrites<'a> {
    snapshot: Option<&'a [u8]>,
    /// Points logged before this batch that the snapshot has learnt, by their first number.
    replaced: Vec<u64>,
    /// Points logged after the snapshot.
    log: Vec<(u64, &'a [u8])>,
}

impl<'a> StateWrites<'a> {
    fn add(&mut self, change: &'a StateChange) {
        match change {
            StateChange::Nothing => {}
            StateChange::Points { first_seq, record } => self.log.push((*first_seq, record)),
            StateChange::Snapshot { record, replaces } => {
                // The points of this batch that the snapshot replaces are the latest ones.
                let of_this_batch = self.log.first().map_or(u64::MAX, |(first, _)| *first);
                let earlier = replaces.iter().filter(|first| **first < of_this_batch);
                self.replaced.extend(earlier);
                self.log.clear();
                self.snapshot = Some(record);
            }
        }
    }

    fn write(self, write: &mut fjall::OwnedWriteBatch, tables: &Tables, series: &str) {
        if let Some(record) = self.snapshot {
            write.insert(&tables.online, series.as_bytes(), record);
        }
        for first_seq in self.replaced {
            write.remove(&tables.points, version_key(series, first_seq));
        }
        for (first_seq, record) in self.log {
            write.insert(&tables.points, version_key(series, first_seq), record);
        }
    }
}
