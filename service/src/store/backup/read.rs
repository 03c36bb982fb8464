//! A backup read part by part; every part is verified before it is handed out.

use std::io::Read;

use serde::Deserialize;

use super::frame::{self, Frame, Kind, MAX_PAYLOAD};
use super::{BackupError, CARRIED_FILES, CarriedFile, Head, Summary};
use crate::store::keyspaces;
use crate::store::record::STORE_FORMAT;

/// LZ4 makes no byte more than this many.
const LARGEST_RATIO: u64 = 255;

/// A part of a backup.
#[derive(Debug, PartialEq, Eq)]
pub enum Part {
    /// Records of one keyspace; more of it may follow.
    Records(Records),
    /// A file that was carried along.
    File(CarriedFile),
}

/// Records of one keyspace in the order of their keys.
#[derive(Debug, PartialEq, Eq)]
pub struct Records {
    /// The keyspace.
    pub keyspace: &'static str,
    bytes: Vec<u8>,
}

impl Records {
    /// Keys and values.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut rest = self.bytes.as_slice();
        std::iter::from_fn(move || {
            let (key, value, after) = split(rest)?;
            rest = after;
            Some((key, value))
        })
    }
}

/// The first record, and what comes after it.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (key, rest) = bytes.split_first_chunk::<4>()?;
    let (value, rest) = rest.split_first_chunk::<4>()?;
    let (key, rest) = rest.split_at_checked(u32::from_le_bytes(*key) as usize)?;
    let (value, rest) = rest.split_at_checked(u32::from_le_bytes(*value) as usize)?;
    Some((key, value, rest))
}

/// The keyspace of a frame of records, their length, and what they are compressed to.
fn opened(payload: &[u8]) -> Option<(&[u8], u32, &[u8])> {
    let (name, rest) = payload.split_first_chunk::<4>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (name, compressed) = rest.split_at_checked(u32::from_le_bytes(*name) as usize)?;
    Some((name, u32::from_le_bytes(*length), compressed))
}

/// Reads a backup from its beginning to its end.
pub struct Reader<R> {
    input: R,
    /// Bytes that were read.
    at: u64,
    digest: blake3::Hasher,
    found: Summary,
    /// The keyspace of the latest records, and the last key of them.
    last: Option<(&'static str, Vec<u8>)>,
    is_ended: bool,
}

impl<R: Read> Reader<R> {
    /// Reads the head.
    ///
    /// # Errors
    /// When there is no backup, or one of a newer release.
    pub fn open(mut input: R) -> Result<Self, BackupError> {
        let frame = frame::read(&mut input, 0)?;
        if frame.kind != Kind::Head {
            return Err(damaged(0, "it does not begin with its head"));
        }
        let head: Head = json(&frame, 0)?;
        if head.store_format > STORE_FORMAT {
            return Err(BackupError::Newer(format!(
                "its store has format {}, this release reads formats up to {STORE_FORMAT}",
                head.store_format
            )));
        }
        let mut reader = Self {
            input,
            at: frame.length,
            digest: blake3::Hasher::new(),
            found: Summary::new(head),
            last: None,
            is_ended: false,
        };
        reader.digest.update(&frame.check);
        Ok(reader)
    }

    /// Where the backup comes from.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.found.head
    }

    /// What was read so far; all of it once [`Reader::next_part`] has returned `None`.
    #[must_use]
    pub fn found(&self) -> &Summary {
        &self.found
    }

    /// Reads what is left, for its verification alone.
    ///
    /// # Errors
    /// As [`Reader::next_part`].
    pub fn verify(mut self) -> Result<Summary, BackupError> {
        while self.next_part()?.is_some() {}
        Ok(self.found)
    }

    /// The next part, `None` after the last one, when the whole backup has been verified.
    ///
    /// # Errors
    /// When it is damaged or cut off.
    pub fn next_part(&mut self) -> Result<Option<Part>, BackupError> {
        if self.is_ended {
            return Ok(None);
        }
        let at = self.at;
        let frame = frame::read(&mut self.input, at)?;
        self.at += frame.length;
        let before = self.digest.finalize();
        self.digest.update(&frame.check);
        match frame.kind {
            Kind::Head => Err(damaged(at, "a head where none may be")),
            Kind::File => self.file(&frame, at).map(Some),
            Kind::Records => self.records(&frame, at).map(Some),
            Kind::End => {
                let (claimed, digest): (Summary, String) = json(&frame, at)?;
                if digest != before.to_hex().as_str() {
                    return Err(damaged(at, "a part before is missing or not in its place"));
                }
                if claimed != self.found {
                    return Err(damaged(at, "it counts other records than there are"));
                }
                self.expect_nothing()?;
                self.is_ended = true;
                Ok(None)
            }
        }
    }

    fn file(&mut self, frame: &Frame, at: u64) -> Result<Part, BackupError> {
        let file: CarriedFile = plain(&frame.payload, at)?;
        if !CARRIED_FILES.contains(&file.name.as_str()) {
            return Err(BackupError::Newer(format!(
                "it carries the file {:?}, which this release does not know",
                file.name
            )));
        }
        self.found.files.push(file.name.clone());
        Ok(Part::File(file))
    }

    fn records(&mut self, frame: &Frame, at: u64) -> Result<Part, BackupError> {
        let (name, length, compressed) =
            opened(&frame.payload).ok_or_else(|| damaged(at, "it is too short"))?;
        let known = keyspaces::ALL
            .into_iter()
            .find(|known| known.as_bytes() == name);
        let Some(keyspace) = known else {
            return Err(BackupError::Newer(format!(
                "it has the keyspace {:?}, which this release does not know",
                String::from_utf8_lossy(name)
            )));
        };
        let bytes = decompress(compressed, length).map_err(|reason| damaged(at, reason))?;
        let mut last = match self.last.take() {
            Some((latest, key)) if latest == keyspace => Some(key),
            _ if self.found.keyspaces.contains_key(keyspace) => {
                return Err(damaged(at, "a keyspace comes twice"));
            }
            _ => None,
        };
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let (key, value, after) =
                split(rest).ok_or_else(|| damaged(at, "a record is cut off"))?;
            if key.is_empty() || key.len() > usize::from(u16::MAX) {
                return Err(damaged(at, "a key has a length that cannot be"));
            }
            if last.as_deref().is_some_and(|last| last >= key) {
                return Err(damaged(at, "its keys are not in order"));
            }
            self.found.count(keyspace, key, value);
            let buffer = last.get_or_insert_default();
            buffer.clear();
            buffer.extend_from_slice(key);
            rest = after;
        }
        self.last = last.map(|key| (keyspace, key));
        Ok(Part::Records(Records { keyspace, bytes }))
    }

    /// Nothing comes after the end.
    fn expect_nothing(&mut self) -> Result<(), BackupError> {
        let more = self.input.read(&mut [0]).map_err(BackupError::Read)?;
        match more {
            0 => Ok(()),
            _ => Err(damaged(self.at, "bytes follow the end of the backup")),
        }
    }
}

fn damaged(at: u64, reason: impl Into<String>) -> BackupError {
    BackupError::Damaged {
        at,
        reason: reason.into(),
    }
}

fn json<'a, T: Deserialize<'a>>(frame: &'a Frame, at: u64) -> Result<T, BackupError> {
    serde_json::from_slice(&frame.payload).map_err(|error| damaged(at, error.to_string()))
}

fn plain<'a, T: Deserialize<'a>>(payload: &'a [u8], at: u64) -> Result<T, BackupError> {
    postcard::from_bytes(payload).map_err(|error| damaged(at, error.to_string()))
}

fn decompress(compressed: &[u8], length: u32) -> Result<Vec<u8>, String> {
    let possible = (compressed.len() as u64).saturating_mul(LARGEST_RATIO) + 64;
    if length > MAX_PAYLOAD || u64::from(length) > possible {
        return Err("its length cannot be".to_owned());
    }
    let length = length as usize;
    let bytes =
        lz4_flex::block::decompress(compressed, length).map_err(|error| error.to_string())?;
    if bytes.len() == length {
        Ok(bytes)
    } else {
        Err(format!("{} bytes of {length}", bytes.len()))
    }
}
