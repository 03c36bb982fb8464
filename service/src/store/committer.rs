//! Group commit: one thread takes whatever is queued, writes it with one sync, then completes it.
//!
//! There is no timer. While a sync runs, puts queue up; the next batch is what came meanwhile, so
//! a lone writer waits for one sync and a hundred writers share one (Gawlick and Kinkade, "Varieties
//! of concurrency control in IMS/VS Fast Path", 1985, describe the idea; the absence of a timer
//! differs). Version numbers are given here and nowhere else: the order of commits is their order.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use compact_str::CompactString;
use crossbeam_channel::Receiver;

use super::record::{SERIES_COUNT_KEY, open_number, seal_number, version_key};
use super::{Completion, Put, PutError};

/// A batch ends when it holds this many bytes of records, so that a burst of large fits does not
/// make one commit of unbounded size.
const BATCH_BYTES: usize = 32 * 1024 * 1024;

/// A put with what to call when it is done.
pub(super) struct Queued {
    pub(super) put: Put,
    pub(super) done: Completion,
}

/// The keyspaces of one store and how a batch is made durable.
#[derive(Clone)]
pub(super) struct Tables {
    pub(super) db: fjall::Database,
    pub(super) versions: fjall::Keyspace,
    pub(super) heads: fjall::Keyspace,
    pub(super) training: fjall::Keyspace,
    pub(super) sync: Option<fjall::PersistMode>,
}

/// What the committer shares with the store's readers.
#[derive(Default)]
pub(super) struct Shared {
    /// Distinct series, as of the last commit.
    pub(super) series: AtomicU64,
    /// Set once, when writes stopped for good.
    pub(super) refusal: OnceLock<String>,
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
        match commit(tables, &batch, shared) {
            Ok(outcomes) => batch
                .drain(..)
                .zip(outcomes)
                .for_each(|(queued, outcome)| (queued.done)(outcome)),
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
        self.put.record.len() + self.put.training.as_ref().map_or(0, Vec::len)
    }
}

fn fail(batch: &mut Vec<Queued>, error: &PutError) {
    for queued in batch.drain(..) {
        (queued.done)(Err(error.clone()));
    }
}

fn commit(
    tables: &Tables,
    batch: &[Queued],
    shared: &Shared,
) -> Result<Vec<Result<u64, PutError>>, String> {
    let mut write = tables.db.batch().durability(tables.sync);
    let mut latest: HashMap<&CompactString, u64> = HashMap::with_capacity(batch.len());
    let mut outcomes = Vec::with_capacity(batch.len());
    let mut new_series = 0;
    for Queued { put, .. } in batch {
        let head = match latest.get(&put.series) {
            Some(head) => *head,
            None => match tables
                .heads
                .get(&put.series)
                .map_err(|error| error.to_string())?
                .map(|b| open_number(&b))
            {
                None => 0,
                Some(Ok(head)) => head,
                // Only this series is refused: giving it a number could repeat one.
                Some(Err(reason)) => {
                    outcomes.push(Err(PutError::Damaged(format!(
                        "the head of {}: {reason}",
                        put.series
                    ))));
                    continue;
                }
            },
        };
        new_series += u64::from(head == 0);
        let version = head + 1;
        latest.insert(&put.series, version);
        let key = version_key(&put.series, version);
        if let Some(training) = &put.training {
            write.insert(&tables.training, key.as_slice(), training.as_slice());
        }
        write.insert(&tables.versions, key, put.record.as_slice());
        outcomes.push(Ok(version));
    }
    for (series, version) in latest {
        write.insert(&tables.heads, series.as_bytes(), seal_number(version));
    }
    let series = shared.series.load(Ordering::Relaxed) + new_series;
    if new_series > 0 {
        write.insert(&tables.heads, SERIES_COUNT_KEY, seal_number(series));
    }
    write.commit().map_err(|error| error.to_string())?;
    shared.series.store(series, Ordering::Relaxed);
    Ok(outcomes)
}
