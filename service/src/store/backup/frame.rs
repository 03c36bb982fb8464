//! The frames of a backup: an envelope each.

use std::io::Read;

use detectors::envelope;

use super::BackupError;

const MAGIC: [u8; 4] = *b"TBAK";
/// The format of backups. Raised when an older release could not read it rightly.
pub(super) const FORMAT: u16 = 1;
/// Bytes before and after a payload, as an envelope has them.
const HEADER: usize = 12;
const CHECK: usize = 16;
/// No frame is longer: the largest value that a store may have, and its key.
pub(super) const MAX_PAYLOAD: u32 = 2 << 30;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Head,
    Records,
    File,
    End,
}

impl Kind {
    const fn tag(self) -> u16 {
        match self {
            Self::Head => 1,
            Self::Records => 2,
            Self::File => 3,
            Self::End => 4,
        }
    }

    fn of(tag: u16) -> Option<Self> {
        [Self::Head, Self::Records, Self::File, Self::End]
            .into_iter()
            .find(|kind| kind.tag() == tag)
    }
}

/// The checksum of a frame.
pub(super) type Check = [u8; CHECK];

/// The bytes of a frame and its checksum.
pub(super) fn seal(kind: Kind, payload: &[u8]) -> (Vec<u8>, Check) {
    let bytes = envelope::seal(MAGIC, FORMAT, kind.tag(), payload);
    let check = bytes.last_chunk::<CHECK>().copied().unwrap_or_default();
    (bytes, check)
}

/// A frame that was read.
pub(super) struct Frame {
    pub(super) kind: Kind,
    pub(super) payload: Vec<u8>,
    pub(super) check: Check,
    /// Bytes it took.
    pub(super) length: u64,
}

/// Reads the frame that begins at byte `at` of the backup.
pub(super) fn read(input: &mut impl Read, at: u64) -> Result<Frame, BackupError> {
    let mut bytes = Vec::with_capacity(HEADER);
    fill(input, &mut bytes, HEADER, at)?;
    let damaged = |reason: &str| BackupError::Damaged {
        at,
        reason: reason.to_owned(),
    };
    if bytes[..4] != MAGIC {
        return Err(match at {
            0 => BackupError::NoBackup,
            _ => damaged("no part begins here"),
        });
    }
    let word = |from: usize| u16::from_le_bytes([bytes[from], bytes[from + 1]]);
    let (format, tag) = (word(4), word(6));
    let length = u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]);
    if length > MAX_PAYLOAD {
        return Err(damaged("its length cannot be"));
    }
    // As many bytes as arrive, and not as many as a damaged length claims.
    fill(input, &mut bytes, HEADER + length as usize + CHECK, at)?;
    let sealed = envelope::open(MAGIC, &bytes).map_err(|error| damaged(&error.to_string()))?;
    // Only a frame that is whole tells of a newer format; a flipped bit does not.
    if format != FORMAT {
        return Err(BackupError::Newer(format!(
            "its format is {format}, this release reads format {FORMAT}"
        )));
    }
    let kind = Kind::of(tag).ok_or_else(|| damaged("its kind is not known"))?;
    let check = sealed.digest;
    let length = bytes.len() as u64;
    bytes.truncate(bytes.len() - CHECK);
    bytes.drain(..HEADER);
    Ok(Frame {
        kind,
        payload: bytes,
        check,
        length,
    })
}

/// Reads until `bytes` has the length `until`.
fn fill(
    input: &mut impl Read,
    bytes: &mut Vec<u8>,
    until: usize,
    at: u64,
) -> Result<(), BackupError> {
    let missing = (until - bytes.len()) as u64;
    match input.by_ref().take(missing).read_to_end(bytes) {
        Ok(_) if bytes.len() == until => Ok(()),
        Ok(_) => Err(BackupError::Truncated {
            at: at + bytes.len() as u64,
        }),
        Err(error) => Err(BackupError::Read(error)),
    }
}
