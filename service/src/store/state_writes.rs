//! What one batch changes of online states.

use super::StateChange;
use super::committer::Tables;
use super::record::version_key;

/// What one batch changes of one state. A batch has one sequence number for all of its writes, so
/// no key may be written and removed in it: what a later snapshot of the batch makes superfluous
/// is left out.
#[derive(Default)]
pub(super) struct StateWrites<'a> {
    snapshot: Option<&'a [u8]>,
    /// Points logged before this batch that the snapshot has learnt, by their first number.
    replaced: Vec<u64>,
    /// Points logged after the snapshot.
    log: Vec<(u64, &'a [u8])>,
}

impl<'a> StateWrites<'a> {
    pub(super) fn add(&mut self, change: &'a StateChange) {
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

    pub(super) fn write(self, write: &mut fjall::OwnedWriteBatch, tables: &Tables, series: &str) {
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
