//! The records of a file of values that may be damaged.
//!
//! A record is `BLOB | XXH3 of key and stored value u128 | sequence number u64 | key length u16 | value length u32
//! | stored length u32 | key | stored value`, little endian. The records follow each other.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use xxhash_rust::xxh3::Xxh3;

use crate::store::folder::contents::number;

const MAGIC: &[u8] = b"BLOB";

/// A value, and where it belongs.
pub(super) struct Value {
    pub(super) key: Vec<u8>,
    pub(super) sequence: u64,
    pub(super) value: Vec<u8>,
}

/// The whole records of the file at `path`, in the order of their keys. They are read one by one.
pub(super) fn read(path: &Path) -> io::Result<impl Iterator<Item = io::Result<Value>> + use<>> {
    let whole = whole(&std::fs::read(path)?);
    let file = File::open(path)?;
    Ok(whole.into_iter().map(move |range| {
        let mut bytes = vec![0; range.len()];
        file.read_exact_at(&mut bytes, range.start as u64)?;
        let changed = || io::Error::other("it changes while it is read");
        let record = record(&bytes).ok_or_else(changed)?;
        Ok(Value {
            key: record.key.to_vec(),
            sequence: record.sequence,
            value: record.plain().ok_or_else(changed)?,
        })
    }))
}

fn whole(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match record(&bytes[at..]) {
            Some(record) => {
                if record.plain().is_some() {
                    found.push(at..at + record.length);
                }
                at += record.length;
            }
            None => {
                let next = bytes[at + 1..]
                    .windows(MAGIC.len())
                    .position(|window| window == MAGIC);
                at = next.map_or(bytes.len(), |next| at + 1 + next);
            }
        }
    }
    found
}

struct Record<'a> {
    key: &'a [u8],
    sequence: u64,
    stored: &'a [u8],
    length_of_value: usize,
    length: usize,
}

/// The record at the beginning of `bytes`, if it is whole.
fn record(bytes: &[u8]) -> Option<Record<'_>> {
    let mut rest = bytes.strip_prefix(MAGIC)?;
    let checksum = number::<16>(&mut rest)?;
    let sequence = u64::try_from(number::<8>(&mut rest)?).ok()?;
    let of_key = usize::try_from(number::<2>(&mut rest)?).ok()?;
    let length_of_value = usize::try_from(number::<4>(&mut rest)?).ok()?;
    let of_stored = usize::try_from(number::<4>(&mut rest)?).ok()?;
    let (key, rest) = rest.split_at_checked(of_key)?;
    let (stored, rest) = rest.split_at_checked(of_stored)?;
    let mut hasher = Xxh3::new();
    hasher.update(key);
    hasher.update(stored);
    (hasher.digest128() == checksum).then_some(Record {
        key,
        sequence,
        stored,
        length_of_value,
        length: bytes.len() - rest.len(),
    })
}

impl Record<'_> {
    /// The value as it was given to fjall; nothing if its length is damaged, which has no checksum.
    fn plain(&self) -> Option<Vec<u8>> {
        // No block of LZ4 is 256 times as long as what it was made of, nor that much shorter.
        if self.length_of_value / 256 > self.stored.len() {
            return None;
        }
        let mut plain = vec![0; self.length_of_value];
        let n = lz4_flex::decompress_into(self.stored, &mut plain).ok()?;
        (n == plain.len()).then_some(plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(key: &[u8], value: &[u8]) -> Vec<u8> {
        let packed = lz4_flex::compress(value);
        let mut hasher = Xxh3::new();
        hasher.update(key);
        hasher.update(&packed);
        let length = |n: usize| u32::try_from(n).unwrap().to_le_bytes();
        let key_length = u16::try_from(key.len()).unwrap().to_le_bytes();
        [
            MAGIC,
            &hasher.digest128().to_le_bytes(),
            &7_u64.to_le_bytes(),
            &key_length,
            &length(value.len()),
            &length(packed.len()),
            key,
            &packed,
        ]
        .concat()
    }

    #[test]
    fn every_flipped_bit_costs_one_value_and_no_other() {
        let values = [b"first".repeat(9), b"second".repeat(9), b"third".repeat(9)];
        let pieces: Vec<Vec<u8>> = values.iter().map(|value| stored(b"k", value)).collect();
        let second = pieces[0].len()..pieces[0].len() + pieces[1].len();
        let file = tempfile::NamedTempFile::new().unwrap();
        let read_all = |bytes: &[u8]| -> Vec<(u64, Vec<u8>)> {
            std::fs::write(file.path(), bytes).unwrap();
            let found = read(file.path()).unwrap();
            found
                .map(|value| value.map(|value| (value.sequence, value.value)).unwrap())
                .collect()
        };
        let bytes = [pieces.concat(), b"META and more".to_vec()].concat();
        let expected = values.map(|value| (7, value));
        assert_eq!(read_all(&bytes), expected);
        for bit in 8 * second.start..8 * second.end {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let found = read_all(&flipped);
            assert!(found.contains(&expected[0]) && found.contains(&expected[2]));
            // Its sequence number has no checksum: the table that refers to it has another one then.
            let others: Vec<_> = found.iter().filter(|it| it.1 == expected[1].1).collect();
            assert!(others.iter().all(|other| other.0 != 7), "bit {bit}");
            assert_eq!(found.len(), 2 + others.len(), "bit {bit}");
        }
        assert_eq!(read_all(&bytes[..second.end - 1]), expected[..1]);
    }
}
