//! fjall's journal, read before fjall does: which batches are whole, and what is between them.
//!
//! fjall 3 takes a damaged batch for the torn end of a crash and cuts the journal there, with all that
//! comes after it. A batch is: `1 | items u32 | sequence number u64`, the items, `3 | XXH3 of the items
//! u64 | "FJL" 3`. An item is `2 | type | compression | keyspace u64 | key length u16 | value length u32 |
//! stored length u32 | key | stored value`; `4 | keyspace u64` empties a keyspace. Integers are little
//! endian. A file is allocated ahead: zeros follow the last batch.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;

use xxhash_rust::xxh3::xxh3_64;

use crate::store::commit_record::{COMMIT_KEY, CommitRecord};

const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const CLEAR: u8 = 4;
const TRAILER: [u8; 4] = *b"FJL\x03";
/// Sequence numbers are given to batches and to tables: so many are not between two batches.
const FARTHEST_ABOVE_FLOOR: u64 = 1 << 24;

/// A piece of a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Batch(Batch),
    /// Bytes that are no batch.
    Damaged(Range<usize>),
}

/// A whole batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) bytes: Range<usize>,
    pub(super) sequence: u64,
    pub(super) commit: Option<CommitRecord>,
}

impl Batch {
    /// Whether the sequence number may be the one it was written with.
    pub(super) fn is_in_its_place(&self) -> bool {
        self.commit.is_none_or(|commit| {
            let above = self.sequence.checked_sub(commit.floor);
            above.is_some_and(|above| above < FARTHEST_ABOVE_FLOOR)
        })
    }
}

/// The bytes of a journal without the zeros at its end.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let mut bytes = Vec::new();
    let mut chunk = vec![0; 64 * 1024];
    let zeros = vec![0; chunk.len()];
    let mut zeros_before = 0;
    loop {
        let n = file.read(&mut chunk)?;
        if n == 0 {
            break;
        }
        if chunk[..n] == zeros[..n] {
            zeros_before += n;
        } else {
            bytes.resize(bytes.len() + zeros_before, 0);
            bytes.extend_from_slice(&chunk[..n]);
            zeros_before = 0;
        }
    }
    let end = bytes.iter().rposition(|byte| *byte != 0);
    bytes.truncate(end.map_or(0, |last| last + 1));
    Ok(bytes)
}

/// The pieces of a journal, in order and without gaps.
pub(super) fn pieces(bytes: &[u8]) -> impl Iterator<Item = Piece> {
    let mut at = 0;
    std::iter::from_fn(move || {
        if at == bytes.len() {
            return None;
        }
        if let Some(batch) = batch_at(bytes, at) {
            at = batch.bytes.end;
            return Some(Piece::Batch(batch));
        }
        let from = at;
        let is_batch = |at: &usize| bytes[*at] == START && batch_at(bytes, *at).is_some();
        at = (from + 1..bytes.len())
            .find(is_batch)
            .unwrap_or(bytes.len());
        Some(Piece::Damaged(from..at))
    })
}

/// The batch that begins at `from`, if it is whole.
fn batch_at(bytes: &[u8], from: usize) -> Option<Batch> {
    let mut rest = Rest(bytes.get(from..)?);
    if rest.byte()? != START {
        return None;
    }
    let n_items = rest.u32()?;
    let sequence = rest.u64()?;
    let items = rest.0;
    let mut commit = None;
    for _ in 0..n_items {
        commit = rest.item()?;
    }
    let items = &items[..items.len() - rest.0.len()];
    let is_whole = rest.byte()? == END
        && rest.u64()? == xxh3_64(items)
        && rest.take(TRAILER.len())? == TRAILER;
    is_whole.then(|| Batch {
        bytes: from..bytes.len() - rest.0.len(),
        sequence,
        commit,
    })
}

/// What is yet to be read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// Passes an item over; the record of the batch, if the item is that.
    fn item(&mut self) -> Option<Option<CommitRecord>> {
        match self.byte()? {
            ITEM => {}
            CLEAR => return self.u64().map(|_| None),
            _ => return None,
        }
        let [_type, _compression] = self.array()?;
        self.u64()?;
        let key = usize::from(u16::from_le_bytes(self.array()?));
        self.u32()?;
        let stored = usize::try_from(self.u32()?).ok()?;
        let key = self.take(key)?;
        let value = self.take(stored)?;
        let is_record = key == COMMIT_KEY.as_bytes();
        Some(is_record.then(|| CommitRecord::open(value).ok()).flatten())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A batch as fjall writes it, with one item and the record.
    pub(in crate::store::folder) fn batch(number: u64, sequence: u64) -> Vec<u8> {
        let record = CommitRecord {
            number,
            floor: sequence,
            accepted: 0,
        };
        let record = (COMMIT_KEY.as_bytes(), record.seal());
        with_items(sequence, &[(b"a", vec![7; 5]), record])
    }

    /// One without a number, as the sweeping writes it.
    pub(in crate::store::folder) fn unnumbered(sequence: u64) -> Vec<u8> {
        with_items(sequence, &[(b"b", vec![9; 5])])
    }

    fn with_items(sequence: u64, of_batch: &[(&[u8], Vec<u8>)]) -> Vec<u8> {
        let n = u32::try_from(of_batch.len()).unwrap();
        let mut items = Vec::new();
        for (key, value) in of_batch {
            let length = u32::try_from(value.len()).unwrap().to_le_bytes();
            items.extend([ITEM, 0, 0]);
            items.extend(3_u64.to_le_bytes());
            items.extend(u16::try_from(key.len()).unwrap().to_le_bytes());
            items.extend(length);
            items.extend(length);
            items.extend(*key);
            items.extend(value);
        }
        let start = [&[START][..], &n.to_le_bytes(), &sequence.to_le_bytes()].concat();
        let end = [&[END][..], &xxh3_64(&items).to_le_bytes(), &TRAILER].concat();
        [start, items, end].concat()
    }

    #[test]
    fn every_flipped_bit_costs_one_batch_and_no_other() {
        let batches = [batch(1, 10), batch(2, 11), batch(3, 12)];
        let whole = batches.concat();
        let second = batches[0].len()..batches[0].len() + batches[1].len();
        let numbers = |bytes: &[u8]| {
            let found = pieces(bytes).filter_map(|piece| match piece {
                Piece::Batch(batch) if batch.is_in_its_place() => {
                    batch.commit.map(|commit| commit.number)
                }
                _ => None,
            });
            found.collect::<Vec<_>>()
        };
        assert_eq!(numbers(&whole), [1, 2, 3]);
        for bit in 8 * second.start..8 * second.end {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let found = numbers(&flipped);
            // A sequence number that stays between its neighbours changes no order.
            let is_harmless = (8 * second.start + 40..8 * second.start + 104).contains(&bit)
                && found == [1, 2, 3];
            assert!(found == [1, 3] || is_harmless, "bit {bit}: {found:?}");
        }
        for length in second.clone() {
            let found = numbers(&[&whole[..length], &batches[2]].concat());
            assert!(found == [1, 3], "length {length}: {found:?}");
            assert_eq!(numbers(&whole[..length]), [1]);
        }
    }

    #[test]
    fn pieces_follow_each_other_and_zeros_at_the_end_are_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0.jnl");
        let bytes = [batch(1, 1), b"no batch".to_vec(), batch(2, 2)].concat();
        std::fs::write(&path, [bytes.clone(), vec![0; 300_000]].concat()).unwrap();
        let read = read(&path).unwrap();
        assert_eq!(read, bytes);
        let mut at = 0;
        for piece in pieces(&read) {
            let range = match piece {
                Piece::Batch(batch) => batch.bytes,
                Piece::Damaged(range) => range,
            };
            assert_eq!(range.start, at);
            at = range.end;
        }
        assert_eq!(at, bytes.len());
    }
}
