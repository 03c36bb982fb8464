//! What a series' head says: which version numbers were given, and which of those versions remain.
//!
//! A number is given once for ever: neither deleting versions nor deleting the series takes it back, so
//! the head of a deleted series stays.

use serde::{Deserialize, Serialize};

use super::record::open_number;
use super::sealed;

const MAGIC: [u8; 4] = *b"THED";
const FORMAT: u16 = 1;

/// Before the series' name, the key in `heads` of what is left to remove of a deleted series: no series
/// has such an id.
pub(super) const DELETED_PREFIX: &str = "\0deleted\0";

/// The head of one series.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The last number that was given; 0 for none.
    pub last: u64,
    /// The highest version that remains; 0 for none.
    pub latest: u64,
    /// Versions that remain.
    pub count: u64,
    /// How often the series was deleted. What was begun in an earlier life is not stored in a later one.
    pub life: u64,
    /// Numbers up to this one were given in earlier lives: what is there of them yet counts for nothing.
    pub deleted_to: u64,
    /// Versions from this number on are there, but for single ones that were deleted.
    pub from: u64,
    /// Versions below `from` that are there: aliases pointed to them when the others were removed.
    /// Ascending.
    pub kept: Vec<u64>,
}

impl Head {
    /// The head of a series of which no version is deleted.
    #[must_use]
    pub fn of_all(last: u64) -> Self {
        Self {
            last,
            latest: last,
            count: last,
            from: 1,
            ..Self::default()
        }
    }

    /// Seals the record.
    #[must_use]
    pub fn seal(&self) -> Vec<u8> {
        sealed::seal(MAGIC, FORMAT, self)
    }

    /// Opens a sealed record. In a store of format 1 it is the number of the latest version.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the bytes.
    pub fn open(bytes: &[u8]) -> Result<Self, String> {
        if !bytes.starts_with(&MAGIC) {
            let last = open_number(bytes)?;
            return match last {
                0 => Err("it is 0".to_owned()),
                last => Ok(Self::of_all(last)),
            };
        }
        let head: Self = sealed::open(MAGIC, FORMAT, bytes)?;
        head.check()?;
        Ok(head)
    }

    /// What every head keeps.
    fn check(&self) -> Result<(), String> {
        let is_ordered = self.kept.is_sorted_by(|a, b| a < b);
        let first_kept = self.kept.first().copied().unwrap_or(self.from);
        let are_below = self.kept.last().is_none_or(|last| *last < self.from);
        let is_within = self.deleted_to < first_kept && self.from <= self.last.saturating_add(1);
        let is_latest = self.latest <= self.last && (self.latest == 0) == (self.count == 0);
        if is_ordered && are_below && is_within && is_latest && self.count <= self.most() {
            return Ok(());
        }
        Err(format!("its numbers do not fit together: {self:?}"))
    }

    /// Versions there would be if none from `from` on were deleted.
    fn most(&self) -> u64 {
        let upwards = self.last.saturating_add(1).saturating_sub(self.from);
        upwards.saturating_add(self.kept.len() as u64)
    }

    /// Whether a version was stored since the series was deleted the last time.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.last > self.deleted_to
    }

    /// Whether `version` may be there: if it is not, it was deleted alone.
    #[must_use]
    pub fn may_have(&self, version: u64) -> bool {
        (self.from..=self.last).contains(&version) || self.kept.binary_search(&version).is_ok()
    }

    /// Whether versions from `from` on were deleted: then one that is not there need not be lost.
    #[must_use]
    pub fn has_gaps(&self) -> bool {
        self.count < self.most()
    }

    /// The versions that may be there, ascending.
    pub fn candidates(&self) -> impl Iterator<Item = u64> + use<> {
        self.kept.clone().into_iter().chain(self.from..=self.last)
    }

    /// Gives the next number.
    pub(super) fn give(&mut self) -> u64 {
        self.from = self.from.max(1);
        self.last += 1;
        self.latest = self.last;
        self.count += 1;
        self.last
    }

    /// Notes that `version`, which is there, goes. If it is the latest one, the caller says which one
    /// is then.
    pub(super) fn take(&mut self, version: u64) {
        self.count -= 1;
        if version == self.from {
            self.from += 1;
        } else if let Ok(at) = self.kept.binary_search(&version) {
            self.kept.remove(at);
        }
        if self.count == 0 {
            self.latest = 0;
            self.from = self.last + 1;
            self.kept.clear();
        }
    }

    /// The head where later changes of it may be lost, from the versions that are `there`, ascending.
    pub(super) fn of_those_there(mut self, there: &[u64]) -> Self {
        let there = &there[there.partition_point(|version| *version <= self.deleted_to)..];
        self.latest = there.last().copied().unwrap_or_default();
        self.last = self.last.max(self.latest);
        self.count = there.len() as u64;
        self.from = there.first().copied().unwrap_or(self.last + 1);
        self.kept.clear();
        self
    }

    /// Notes that the series is deleted.
    pub(super) fn end(&mut self) {
        *self = Self {
            last: self.last,
            life: self.life + 1,
            deleted_to: self.last,
            from: self.last + 1,
            ..Self::default()
        };
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::seal_number;
    use super::*;

    fn head() -> Head {
        Head {
            last: 9,
            latest: 9,
            count: 4,
            life: 1,
            deleted_to: 2,
            from: 7,
            kept: vec![3, 5],
        }
    }

    #[test]
    fn a_head_comes_back_and_one_of_format_1_is_that_of_all_versions() {
        assert_eq!(Head::open(&head().seal()), Ok(head()));
        assert_eq!(Head::open(&seal_number(3)), Ok(Head::of_all(3)));
        assert!(Head::open(&seal_number(0)).is_err());
    }

    #[test]
    fn every_flipped_bit_and_every_truncation_is_noticed() {
        let sealed = head().seal();
        for bit in 0..sealed.len() * 8 {
            let mut damaged = sealed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Head::open(&damaged).is_err(), "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert!(Head::open(&sealed[..length]).is_err(), "length {length}");
        }
    }

    #[test]
    fn a_head_is_made_anew_from_versions() {
        let anew = |there: &[u64]| head().of_those_there(there);
        for (there, latest, count, from, last) in [
            (&[1, 2, 4, 7, 12][..], 12, 3, 4, 12),
            (&[3], 3, 1, 3, 9),
            (&[2], 0, 0, 10, 9),
            (&[], 0, 0, 10, 9),
        ] {
            let head = anew(there);
            let found = (head.latest, head.count, head.from, head.last);
            assert_eq!(found, (latest, count, from, last), "{there:?}");
            assert_eq!(Head::open(&head.seal()), Ok(head));
        }
        assert_eq!(Head::default().of_those_there(&[1, 2]), Head::of_all(2));
    }

    #[test]
    fn numbers_that_cannot_be_are_refused() {
        let wrong: [fn(&mut Head); 7] = [
            |head| head.latest = 10,
            |head| head.latest = 0,
            |head| head.count = 6,
            |head| head.from = 11,
            |head| head.kept = vec![5, 3],
            |head| head.kept = vec![2],
            |head| head.kept = vec![7],
        ];
        for (n, change) in wrong.iter().enumerate() {
            let mut head = head();
            change(&mut head);
            assert!(Head::open(&head.seal()).is_err(), "{n}: {head:?}");
        }
    }

    #[test]
    fn numbers_go_on_after_the_series_was_deleted() {
        let mut head = Head::default();
        assert_eq!([head.give(), head.give(), head.give()], [1, 2, 3]);
        assert_eq!(head, Head::of_all(3));
        head.take(2);
        assert!(head.has_gaps() && head.may_have(2));
        head.take(1);
        assert!(!head.may_have(1) && head.may_have(3));
        head.end();
        assert!(!head.is_there() && !(1..=4).any(|version| head.may_have(version)));
        assert_eq!((head.give(), head.count, head.latest), (4, 1, 4));
        assert!(head.is_there() && head.may_have(4) && !head.may_have(3) && !head.has_gaps());
        head.take(4);
        assert_eq!((head.latest, head.count, head.give()), (0, 0, 5));
        assert_eq!(Head::open(&head.seal()), Ok(head));
    }
}
