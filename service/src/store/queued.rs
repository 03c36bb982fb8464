//! What waits for a commit, and what goes into one together.

use std::collections::HashSet;

use compact_str::CompactString;

use super::aliases::{AliasCompletion, AliasPut};
use super::committer::Shared;
use super::deletes::{DeleteCompletion, DeleteError, DeletePut, Deleted};
use super::{
    AliasChanged, AliasError, Completion, Put, PutError, StateChange, StateCompletion, StatePut,
    Stored,
};

/// What is to be committed, with what to call when it is done.
pub(super) enum Queued {
    Version(Put, Completion),
    State(StatePut, StateCompletion),
    Alias(AliasPut, AliasCompletion),
    Delete(DeletePut, DeleteCompletion),
}

/// How one of a batch ended.
pub(super) enum Outcome {
    Version(Result<Stored, PutError>),
    State(Result<(), PutError>),
    Alias(Result<AliasChanged, AliasError>),
    Delete(Result<Deleted, DeleteError>),
}

impl Queued {
    /// Whether it takes space, for good.
    pub(super) fn writes(&self) -> bool {
        match self {
            Self::State(put, _) => !matches!(put.change, StateChange::Nothing),
            Self::Delete(..) => false,
            Self::Version(..) | Self::Alias(..) => true,
        }
    }

    fn series(&self) -> &CompactString {
        match self {
            Self::Version(put, _) => &put.series,
            Self::State(put, _) => &put.series,
            Self::Alias(put, _) => &put.series,
            Self::Delete(put, _) => &put.series,
        }
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
            Self::Alias(..) | Self::Delete(..) => 0,
            Self::State(put, _) => match &put.change {
                StateChange::Nothing => 0,
                StateChange::Points { record, .. } | StateChange::Snapshot { record, .. } => {
                    record.len()
                }
            },
        }
    }

    pub(super) fn complete(self, outcome: Outcome, shared: &Shared) {
        match (self, outcome) {
            (Self::Version(_, done), Outcome::Version(outcome)) => done(outcome),
            (Self::State(_, done), Outcome::State(outcome)) => done(outcome),
            (Self::Alias(_, done), Outcome::Alias(outcome)) => done(outcome),
            (Self::Delete(_, done), Outcome::Delete(outcome)) => {
                if let Ok(deleted) = &outcome {
                    shared.tell(deleted);
                }
                done(outcome);
            }
            _ => unreachable!("a batch has an outcome of its kind for each of its changes"),
        }
    }

    /// Tells that nothing came of it.
    pub(super) fn fail(self, error: PutError) {
        match self {
            Self::Version(_, done) => done(Err(error)),
            Self::State(_, done) => done(Err(error)),
            Self::Alias(_, done) => done(Err(error.into())),
            Self::Delete(_, done) => done(Err(error.into())),
        }
    }
}

/// The series that a batch deletes something of. No other change of the batch is one of these series, so
/// that each finds in the tables what the other left.
#[derive(Default)]
pub(super) struct Deletes(HashSet<CompactString>);

/// Deletions in one batch.
const BATCH_DELETES: usize = 64;

impl Deletes {
    pub(super) fn add(&mut self, queued: &Queued) {
        if let Queued::Delete(put, _) = queued {
            self.0.insert(put.series.clone());
        }
    }

    /// Whether `batch` ends before `next`.
    pub(super) fn end_before(&self, batch: &[Queued], next: &Queued) -> bool {
        let series = next.series();
        self.0.contains(series)
            || matches!(next, Queued::Delete(..))
                && (self.0.len() >= BATCH_DELETES
                    || batch.iter().any(|queued| queued.series() == series))
    }
}
