//! The batches of all journals in their order: which numbers are missing between them.

use super::journal::Batch;
use crate::store::commit_record::CommitRecord;

/// Whether a batch is where it was written in the order of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Right,
    /// It cannot be: it must not be used.
    Wrong,
    /// It is, and so those before it cannot be that have this sequence number or a higher one: they would
    /// hide this one.
    RightAndThoseFromWrong(u64),
}

/// What the journals have, read from the oldest batch to the newest.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Chain {
    first: Option<u64>,
    /// Batches without a number before the first one that has one.
    before_first: u64,
    last: Option<CommitRecord>,
    last_sequence: u64,
    /// First and last number of each gap.
    gaps: Vec<(u64, u64)>,
    accepted: u64,
    /// Batches that turned out to hide the one after them.
    hiding: u64,
}

impl Chain {
    /// Takes the next batch.
    pub(super) fn add(&mut self, batch: &Batch) -> Place {
        let Some(commit) = batch.commit else {
            self.last_sequence = self.last_sequence.max(batch.sequence);
            self.before_first += u64::from(self.last.is_none());
            return Place::Right;
        };
        let is_later = self.last.is_none_or(|last| last.number < commit.number);
        if !batch.is_in_its_place() || !is_later {
            return Place::Wrong;
        }
        let is_hidden = self.last_sequence >= commit.floor;
        self.hiding += u64::from(is_hidden);
        if let Some(last) = self.last
            && last.number + 1 < commit.number
        {
            self.gaps.push((last.number + 1, commit.number - 1));
        }
        self.accepted = self.accepted.max(commit.accepted);
        self.last_sequence = batch.sequence;
        self.first.get_or_insert(commit.number);
        self.last = Some(commit);
        if is_hidden {
            Place::RightAndThoseFromWrong(commit.floor)
        } else {
            Place::Right
        }
    }

    /// Whether the first batch ever is there: the store's format alone is written before it.
    pub(super) fn begins_with_the_first(&self) -> bool {
        self.first == Some(1) && self.before_first <= 1
    }

    /// The number of the last batch.
    pub(super) fn last(&self) -> Option<u64> {
        self.last.map(|last| last.number)
    }

    /// Numbers that are missing between others, without those that were accepted. Those at the end are
    /// not seen here.
    pub(super) fn missing(&self) -> u64 {
        let count =
            |(first, last): &(u64, u64)| (last + 1).saturating_sub((*first).max(self.accepted + 1));
        self.hiding + self.gaps.iter().map(count).sum::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(number: u64, sequence: u64, floor: u64, accepted: u64) -> Batch {
        let commit = CommitRecord {
            number,
            floor,
            accepted,
        };
        Batch {
            bytes: 0..1,
            sequence,
            commit: Some(commit),
        }
    }

    #[test]
    fn gaps_are_counted_until_they_are_accepted() {
        let mut chain = Chain::default();
        for number in [3, 4, 7, 8] {
            let next = batch(number, number + 10, number + 10, 0);
            assert_eq!(chain.add(&next), Place::Right);
        }
        assert_eq!((chain.last(), chain.missing()), (Some(8), 2));
        chain.add(&batch(10, 20, 20, 10));
        assert_eq!(chain.missing(), 0);
        chain.add(&batch(12, 30, 30, 10));
        assert_eq!(chain.missing(), 1);
    }

    #[test]
    fn a_batch_out_of_its_place_is_noticed() {
        let mut chain = Chain::default();
        assert_eq!(chain.add(&batch(1, 10, 10, 0)), Place::Right);
        let too_small = batch(2, 3, 11, 0);
        assert_eq!(chain.add(&too_small), Place::Wrong);
        let again = batch(1, 12, 12, 0);
        assert_eq!(chain.add(&again), Place::Wrong);
        let mut chain = Chain::default();
        let may_be = batch(1, 700, 10, 0);
        assert_eq!(chain.add(&may_be), Place::Right);
        let place = chain.add(&batch(2, 11, 11, 0));
        assert_eq!(place, Place::RightAndThoseFromWrong(11));
        assert_eq!(chain.missing(), 1);
        assert_eq!(chain.add(&batch(3, 12, 12, 0)), Place::Right);
    }
}
