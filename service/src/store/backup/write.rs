//! From a store to a stream: one snapshot, read keyspace by keyspace.

use std::io::Write;

use fjall::Readable as _;

use super::frame::{self, Kind};
use super::{BackupError, CarriedFile, Head, Summary};
use crate::store::answers::now_ms;
use crate::store::keyspaces;
use crate::store::opening::unavailable;
use crate::store::record::STORE_FORMAT;

/// Records that make a frame. Memory for a backup is a few times this, unless a record is larger.
const FRAME_BYTES: usize = 512 * 1024;

/// Writes what the store has at this moment. Commits go on meanwhile; what they replace is kept on
/// disk until this returns.
pub(in crate::store) fn write(
    db: &fjall::Database,
    files: &[CarriedFile],
    out: &mut dyn Write,
) -> Result<Summary, BackupError> {
    let snapshot = db.snapshot();
    let head = Head {
        store_format: STORE_FORMAT,
        created_at_ms: now_ms(),
        release: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let mut frames = Frames {
        out,
        digest: blake3::Hasher::new(),
    };
    frames.write(Kind::Head, &json(&head))?;
    let mut summary = Summary::new(head);
    for file in files {
        let payload = postcard::to_stdvec(file).expect("plain data serialises into memory");
        frames.write(Kind::File, &payload)?;
        summary.files.push(file.name.clone());
    }
    for name in keyspaces::ALL {
        let table = keyspaces::open(db, name).map_err(unavailable)?;
        let mut records = Vec::with_capacity(FRAME_BYTES);
        for record in snapshot.iter(&table) {
            let (key, value) = record.into_inner().map_err(unavailable)?;
            push(&mut records, &key, &value);
            summary.count(name, &key, &value);
            if records.len() >= FRAME_BYTES {
                frames.records(name, &records)?;
                records.clear();
            }
        }
        if !records.is_empty() {
            frames.records(name, &records)?;
        }
    }
    let digest = frames.digest.finalize().to_hex().to_string();
    frames.write(Kind::End, &json(&(&summary, digest)))?;
    frames.out.flush().map_err(BackupError::Write)?;
    Ok(summary)
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("plain data serialises into memory")
}

/// fjall takes no value that is longer.
fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes()
}

/// Appends a record: the lengths of key and value, little endian, then both.
pub(super) fn push(records: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    records.extend_from_slice(&length(key));
    records.extend_from_slice(&length(value));
    records.extend_from_slice(key);
    records.extend_from_slice(value);
}

/// Writes frames and keeps the digest of their checksums.
pub(super) struct Frames<'a> {
    pub(super) out: &'a mut dyn Write,
    pub(super) digest: blake3::Hasher,
}

impl Frames<'_> {
    pub(super) fn records(&mut self, keyspace: &str, records: &[u8]) -> Result<(), BackupError> {
        let compressed = lz4_flex::block::compress(records);
        let mut payload = Vec::with_capacity(compressed.len() + keyspace.len() + 8);
        payload.extend_from_slice(&length(keyspace.as_bytes()));
        payload.extend_from_slice(&length(records));
        payload.extend_from_slice(keyspace.as_bytes());
        payload.extend_from_slice(&compressed);
        self.write(Kind::Records, &payload)
    }

    pub(super) fn write(&mut self, kind: Kind, payload: &[u8]) -> Result<(), BackupError> {
        let (bytes, check) = frame::seal(kind, payload);
        self.digest.update(&check);
        self.out.write_all(&bytes).map_err(BackupError::Write)
    }
}
