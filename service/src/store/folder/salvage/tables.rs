//! The records of a table that may be damaged: those of every block whose checksum is right.
//!
//! A table begins with its blocks of records, one after the other; blocks of other kinds follow. That
//! one of those follows without a gap is how it is known that none is missing.

use std::fs::File;
use std::io::{self, Write};
use std::ops::Range;
use std::path::Path;

use lsm_tree::coding::Decode;
use lsm_tree::table::Scanner;
use lsm_tree::table::block::{BlockType, Header};
use lsm_tree::{CompressionType, InternalValue};
use xxhash_rust::xxh3::xxh3_128;

/// The first bytes of each block.
const MAGIC: &[u8] = b"LSM\x03";

/// What is whole of a table.
pub(super) struct Table {
    scanner: Option<Scanner>,
    /// Whether all of its records are.
    pub(super) is_complete: bool,
}

impl Table {
    /// Records in the order of their keys.
    pub(super) fn records(self) -> impl Iterator<Item = lsm_tree::Result<InternalValue>> {
        self.scanner.into_iter().flatten()
    }
}

/// Reads the table at `path`. If it has gaps, a copy without them is made at `copy`.
pub(super) fn read(path: &Path, copy: &Path) -> io::Result<Table> {
    let bytes = std::fs::read(path)?;
    let found = blocks(&bytes);
    if found.records.is_empty() {
        let is_complete = found.is_complete;
        let scanner = None;
        return Ok(Table {
            scanner,
            is_complete,
        });
    }
    let from = if found.is_complete {
        path
    } else {
        let mut file = File::create(copy)?;
        for range in &found.records {
            file.write_all(&bytes[range.clone()])?;
        }
        copy
    };
    let compression = match found.is_compressed {
        true => CompressionType::Lz4,
        false => CompressionType::None,
    };
    let scanner = Scanner::new(from, found.records.len(), compression, 0);
    Ok(Table {
        scanner: Some(scanner.map_err(io::Error::other)?),
        is_complete: found.is_complete,
    })
}

#[derive(Debug, PartialEq, Eq)]
struct Blocks {
    /// Those of records that are whole.
    records: Vec<Range<usize>>,
    is_compressed: bool,
    is_complete: bool,
}

fn blocks(bytes: &[u8]) -> Blocks {
    let mut found = Blocks {
        records: Vec::new(),
        is_compressed: false,
        is_complete: true,
    };
    let mut at = 0;
    while let Some(header) = header_at(bytes, at).or_else(|| {
        found.is_complete = false;
        at = next_header(bytes, at);
        header_at(bytes, at)
    }) {
        // The header has a checksum of its own: what it says of the kind is right in a damaged block, too.
        if header.block_type != BlockType::Data {
            return found;
        }
        let from = at + Header::serialized_len();
        let body = usize::try_from(header.data_length)
            .ok()
            .and_then(|length| bytes.get(from..from.checked_add(length)?));
        match body {
            Some(body) if xxh3_128(body) == header.checksum.into_u128() => {
                found.is_compressed |= is_compressed(&header, body);
                found.records.push(at..from + body.len());
                at = from + body.len();
            }
            _ => {
                found.is_complete = false;
                at = next_header(bytes, at + 1);
            }
        }
    }
    // No block of another kind follows: how many of records did is not known.
    found.is_complete = false;
    found
}

fn header_at(bytes: &[u8], at: usize) -> Option<Header> {
    let mut rest = bytes.get(at..).filter(|rest| rest.starts_with(MAGIC))?;
    Header::decode_from(&mut rest).ok()
}

/// Where the next block begins at or after `from`; the end if none does.
fn next_header(bytes: &[u8], from: usize) -> usize {
    (from..bytes.len())
        .find(|at| header_at(bytes, *at).is_some())
        .unwrap_or(bytes.len())
}

/// The blocks of a table are compressed or they are not; what describes the table may be damaged.
fn is_compressed(header: &Header, body: &[u8]) -> bool {
    if header.data_length != header.uncompressed_length {
        return true;
    }
    let mut plain = vec![0; body.len()];
    lz4_flex::decompress_into(body, &mut plain).is_ok_and(|n| n == plain.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use lsm_tree::{AbstractTree, Config};

    const RECORDS: u64 = 400;

    /// The bytes of a table of some blocks.
    fn table() -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let tree = Config::new(folder.path(), Default::default(), Default::default())
            .open()
            .unwrap();
        for n in 0..RECORDS {
            tree.insert(n.to_be_bytes(), n.to_le_bytes().repeat(8), n);
        }
        tree.flush_active_memtable(0).unwrap();
        std::fs::read(folder.path().join("tables/0")).unwrap()
    }

    fn read_all(bytes: &[u8]) -> (Vec<u64>, bool) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("0");
        std::fs::write(&path, bytes).unwrap();
        let table = read(&path, &folder.path().join("copy")).unwrap();
        let is_complete = table.is_complete;
        let found = table.records().map(|record| {
            let record = record.unwrap();
            let n = u64::from_be_bytes((*record.key.user_key).try_into().unwrap());
            assert_eq!(&*record.value, n.to_le_bytes().repeat(8));
            n
        });
        (found.collect(), is_complete)
    }

    #[test]
    fn a_flipped_bit_costs_one_block_and_a_cut_what_follows() {
        let whole = table();
        let all: Vec<u64> = (0..RECORDS).collect();
        assert_eq!(read_all(&whole), (all.clone(), true));
        let of_records = blocks(&whole).records;
        let n = of_records.len();
        let end = of_records[n - 1].end;
        assert!(n > 4, "{of_records:?}");
        for at in (0..whole.len()).step_by(13) {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << (at % 8);
            let (found, is_complete) = read_all(&flipped);
            assert!(found.is_sorted() && found.len() as u64 >= RECORDS - RECORDS / 4);
            // It is not said to be complete when it is not.
            assert!(!is_complete || found == all, "byte {at}");
            assert!(at < end || found == all, "byte {at}");
            let (found, is_complete) = read_all(&whole[..at]);
            assert!(all.starts_with(&found), "cut to {at}");
            assert!(!is_complete || found == all, "cut to {at}");
            assert!(at < end || found == all, "cut to {at}");
        }
    }
}
