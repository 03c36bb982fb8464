//! Where each of fjall's files says what is where in it, and whether that can be read.
//!
//! Lists, tables and files of values end in a table of contents: `TOC! | n u32`, n times `at u64 | length
//! u64 | length of the name u16 | name`, and then `SFA! | 1 | 0 | XXH3 of the table of contents u128 | where it
//! is u64 | its length u64`. fjall makes room for n entries before it compares that checksum. A block is a
//! header with checksums of itself and of what follows it. Integers are little endian.

use std::fs::File;
use std::os::unix::fs::FileExt;

use lsm_tree::coding::Decode;
use lsm_tree::table::block::Header;
use xxhash_rust::xxh3::xxh3_128;

const TRAILER: usize = 38;
/// A table of contents has a dozen entries.
const LONGEST: u64 = 64 * 1024;
/// What a file of values has before the block that describes it.
const OF_VALUES: &[u8] = b"META";

/// The number in the next bytes.
pub(super) fn number<const N: usize>(rest: &mut &[u8]) -> Option<u128> {
    let (bytes, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    let number = bytes.iter().rev();
    Some(number.fold(0, |number, byte| number << 8 | u128::from(*byte)))
}

/// A table of contents that is whole.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Contents(Vec<u8>);

impl Contents {
    /// That of the file whose bytes these are.
    pub(super) fn of(bytes: &[u8]) -> Result<Self, &'static str> {
        Self::of_end(bytes, 0)
    }

    /// That of the file whose last bytes these are; `before` others are left out.
    fn of_end(bytes: &[u8], before: u64) -> Result<Self, &'static str> {
        let split = bytes.len().checked_sub(TRAILER).ok_or("it is cut off")?;
        let (body, trailer) = bytes.split_at(split);
        let mut rest = trailer
            .strip_prefix(b"SFA!\x01\x00")
            .ok_or("it does not end as such a file does")?;
        let (checksum, at) = (number::<16>(&mut rest), number::<8>(&mut rest));
        let at = at.and_then(|at| u64::try_from(at).ok());
        let at = at.and_then(|at| usize::try_from(at.checked_sub(before)?).ok());
        match at.and_then(|at| body.get(at..)) {
            Some(contents) if Some(xxh3_128(contents)) == checksum => Ok(Self(contents.to_vec())),
            _ => Err("the checksum of its table of contents is wrong"),
        }
    }

    /// Reads that of `file`.
    fn read(file: &File) -> Result<Self, String> {
        let length = file.metadata().map_err(|error| error.to_string())?.len();
        let end = length.min(LONGEST);
        let bytes = read_at(file, length - end, end)?;
        Self::of_end(&bytes, length - end).map_err(str::to_owned)
    }

    /// Where a section is, and its length.
    pub(super) fn section(&self, name: &[u8]) -> Option<(u64, u64)> {
        let mut rest = self.0.get(8..)?;
        loop {
            let (at, length) = (number::<8>(&mut rest)?, number::<8>(&mut rest)?);
            let of = usize::try_from(number::<2>(&mut rest)?).ok()?;
            let (found, after) = rest.split_at_checked(of)?;
            rest = after;
            if found == name {
                return Some((u64::try_from(at).ok()?, u64::try_from(length).ok()?));
            }
        }
    }
}

fn read_at(file: &File, at: u64, length: u64) -> Result<Vec<u8>, String> {
    let mut bytes = vec![0; usize::try_from(length).map_err(|error| error.to_string())?];
    file.read_exact_at(&mut bytes, at)
        .map_err(|error| error.to_string())?;
    Ok(bytes)
}

/// Whether fjall can open this table: it has to read where its blocks are, what is in them, and what
/// it says of itself. Reads that alone, which is about a hundredth of it.
pub(super) fn check_table(file: &File) -> Result<(), String> {
    let contents = Contents::read(file)?;
    // The indexes of large tables are in pieces, each of which is read when it is needed.
    let filter: &[u8] = match contents.section(b"filter_tli") {
        Some(_) => b"filter_tli",
        None => b"filter",
    };
    check_section(file, &contents, b"meta", b"")?;
    check_section(file, &contents, b"tli", b"")?;
    match contents.section(filter) {
        Some(_) => check_section(file, &contents, filter, b""),
        None => Ok(()),
    }
}

/// Whether fjall can open this file of values.
pub(super) fn check_values(file: &File) -> Result<(), String> {
    check_section(file, &Contents::read(file)?, b"meta", OF_VALUES)
}

fn check_section(
    file: &File,
    contents: &Contents,
    name: &[u8],
    prefix: &[u8],
) -> Result<(), String> {
    let section = String::from_utf8_lossy(name);
    let damaged = || format!("its section {section} is damaged");
    let (at, length) = contents
        .section(name)
        .ok_or_else(|| format!("its section {section} is missing"))?;
    let end = file.metadata().map_err(|error| error.to_string())?.len();
    if at.checked_add(length).is_none_or(|to| to > end) {
        return Err(damaged());
    }
    let bytes = read_at(file, at, length)?;
    let mut block = bytes.strip_prefix(prefix).ok_or_else(damaged)?;
    let header = Header::decode_from(&mut block).map_err(|_| damaged())?;
    let is_whole = block.len() as u64 == u64::from(header.data_length)
        && xxh3_128(block) == header.checksum.into_u128();
    is_whole.then_some(()).ok_or_else(damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_contents_of_a_large_file_is_found() {
        let name = b"meta";
        let mut contents = b"TOC!\x01\0\0\0".to_vec();
        for number in [77_u64, 12] {
            contents.extend_from_slice(&number.to_le_bytes());
        }
        contents.extend_from_slice(&u16::try_from(name.len()).unwrap().to_le_bytes());
        contents.extend_from_slice(name);
        let at = 2 * LONGEST;
        let mut file = vec![7; usize::try_from(at).unwrap()];
        file.extend_from_slice(&contents);
        file.extend_from_slice(b"SFA!\x01\x00");
        file.extend_from_slice(&xxh3_128(&contents).to_le_bytes());
        file.extend_from_slice(&at.to_le_bytes());
        file.extend_from_slice(&(contents.len() as u64).to_le_bytes());
        let before = file.len() as u64 - LONGEST;
        let end = &mut file[usize::try_from(before).unwrap()..];
        let found = Contents::of_end(end, before).unwrap();
        assert_eq!(found.section(name), Some((77, 12)));
        assert_eq!(found.section(b"tli"), None);
        let flipped = end.len() - TRAILER - 1;
        end[flipped] ^= 1;
        assert!(Contents::of_end(end, before).is_err());
    }
}
