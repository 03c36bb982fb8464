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

use compact_str::CompactString;
use crossbeam_channel::Receiver;

use super::record::{SERIES_COUNT_KEY, open_number, seal_number, version_key};
use super::under_way::UnderWay;
use super::{Completion, Put, PutError, StateChange, StateCompletion, StatePut};

/// A batch ends when it holds this many bytes of records, so that a burst of large fits does not
/// make one commit of unbounded size.
const BATCH_BYTES: usize = 32 * 1024 * 1024;

/// What is to be committed, with what to call when it is done.
pub(super) enum Queued {
    Version(Put, Completion),
    State(StatePut, StateCompletion),
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
    pub(super) sync: Option<fjall::PersistMode>,
}

/// Reads that are noted at a time.
const NOTED_READS: usize = 64;

/// What the committer shares with the store's readers.
pub(super) struct Shared {
    /// Distinct series, as of the last commit.
    pub(super) series: AtomicU64,
    /// Set once, when writes stopped for good.
    pub(super) refusal: OnceLock<String>,
    /// The commit that is under way.
    pub(super) commit: UnderWay,
    /// Reads that are under way.
    pub(super) reads: UnderWay,
}

impl Shared {
    pub(super) fn new(series: u64) -> Self {
        Self {
            series: AtomicU64::new(series),
            refusal: OnceLock::new(),
            commit: UnderWay::new(1),
            reads: UnderWay::new(NOTED_READS),
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
    batch_puts: usize,
) {
    let mut batch = Vec::with_capacity(batch_puts);
    while let Ok(first) = queue.recv() {
        let mut bytes = first.size();
        batch.push(first);
        while batch.len() < batch_puts && bytes < BATCH_BYTES {
            let Ok(next) = queue.try_recv() else { break };
            bytes += next.size();
            batch.push(next);
        }
        if let Some(reason) = shared.refusal.get() {
            fail(&mut batch, &PutError::Closed(reason.clone()));
            continue;
        }
        let under_way = shared.commit.begin();
        let outcomes = commit(tables, &batch, shared);
        drop(under_way);
        match outcomes {
            Ok(outcomes) => batch
                .drain(..)
                .zip(outcomes)
                .for_each(|(queued, outcome)| queued.complete(outcome)),
            Err(reason) => {
                tracing::error!(
                    reason,
                    "a commit failed: the store takes no more writes until a restart"
                );
                let _ = shared.refusal.set(format!(
                    "an earlier write failed ({reason}); restart to recover"
                ));
                fail(&mut batch, &PutError::Unknown(reason));
            }
        }
    }
}

impl Queued {
    fn size(&self) -> usize {
        match self {
            Self::Version(put, _) => put.record.len() + put.training.as_ref().map_or(0, Vec::len),
            Self::State(put, _) => match &put.change {
                StateChange::Nothing => 0,
                StateChange::Points { record, .. } | StateChange::Snapshot { record, .. } => {
                    record.len()
                }
            },
        }
    }

    /// Tells the outcome; the number is that of a version, and means nothing to a state.
    pub(super) fn complete(self, outcome: Result<u64, PutError>) {
        match self {
            Self::Version(_, done) => done(outcome),
            Self::State(_, done) => done(outcome.map(|_| ())),
        }
    }
}

fn fail(batch: &mut Vec<Queued>, error: &PutError) {
    for queued in batch.drain(..) {
        queued.complete(Err(error.clone()));
    }
}

fn commit(
    tables: &Tables,
    batch: &[Queued],
    shared: &Shared,
) -> Result<Vec<Result<u64, PutError>>, String> {
    let mut write = tables.db.batch().durability(tables.sync);
    let mut numbers = Numbers::default();
    let mut states: HashMap<&str, StateWrites> = HashMap::new();
    let mut outcomes = Vec::with_capacity(batch.len());
    for queued in batch {
        outcomes.push(match queued {
            Queued::Version(put, _) => {
                let number = numbers.next(tables, &put.series)?;
                if let Ok(version) = number {
                    write_version(&mut write, tables, put, version);
                }
                number
            }
            Queued::State(put, _) => {
                states.entry(&put.series).or_default().add(&put.change);
                Ok(0)
            }
        });
    }
    for (series, writes) in states {
        writes.write(&mut write, tables, series);
    }
    let series = shared.series.load(Ordering::Relaxed) + numbers.new_series;
    numbers.write(&mut write, tables, series);
    // A batch without a write is no commit: what was queued before it is synced already.
    write.commit().map_err(|error| error.to_string())?;
    shared.series.store(series, Ordering::Relaxed);
    Ok(outcomes)
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
    /// The next version's number; an inner error refuses this series alone.
    fn next(
        &mut self,
        tables: &Tables,
        series: &'a CompactString,
    ) -> Result<Result<u64, PutError>, String> {
        let head = match self.latest.get(series) {
            Some(head) => *head,
            None => match tables
                .heads
                .get(series)
                .map_err(|error| error.to_string())?
                .map(|b| open_number(&b))
            {
                None => 0,
                Some(Ok(head)) => head,
                // Giving it a number could repeat one.
                Some(Err(reason)) => {
                    return Ok(Err(PutError::Damaged(format!(
                        "the head of {series}: {reason}"
                    ))));
                }
            },
        };
        self.new_series += u64::from(head == 0);
        self.latest.insert(series, head + 1);
        Ok(Ok(head + 1))
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
