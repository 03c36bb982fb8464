//! Reading a ledger back.

use std::path::Path;

use super::entry::{Begun, Entry, FORMAT_VERSION};
use super::{CHECKSUM, LedgerError, checksum};

/// A ledger as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Ledgered {
    /// The run.
    pub begun: Begun,
    /// All entries behind it, in the order in which they were written.
    pub entries: Vec<Entry>,
    /// Whether the last line was cut off, and is left out.
    pub torn: bool,
}

/// Reads a ledger.
///
/// # Errors
/// When the file cannot be read, is no ledger, or is damaged before its last line.
pub fn read(path: &Path) -> Result<Ledgered, LedgerError> {
    let bytes = std::fs::read(path).map_err(|reason| LedgerError::File {
        path: path.to_owned(),
        reason,
    })?;
    let mut torn = false;
    let mut entries = Vec::new();
    let mut lines = bytes
        .split_inclusive(|byte| *byte == b'\n')
        .enumerate()
        .peekable();
    while let Some((number, line)) = lines.next() {
        match entry(line) {
            Some(entry) => entries.push(entry),
            None if lines.peek().is_none() => torn = true,
            None => {
                return Err(LedgerError::Damaged {
                    path: path.to_owned(),
                    line: number + 1,
                });
            }
        }
    }
    let mut entries = entries.into_iter();
    match entries.next() {
        Some(Entry::Begun(begun)) if begun.format_version == FORMAT_VERSION => Ok(Ledgered {
            begun,
            entries: entries.collect(),
            torn,
        }),
        _ => Err(LedgerError::NoLedger {
            path: path.to_owned(),
        }),
    }
}

/// A whole line that is what was written.
fn entry(line: &[u8]) -> Option<Entry> {
    let line = line.strip_suffix(b"\n")?;
    let (sum, rest) = line.split_at_checked(CHECKSUM)?;
    let json = rest.strip_prefix(b" ")?;
    (checksum(json).as_bytes() == sum).then_some(())?;
    serde_json::from_slice(json).ok()
}
