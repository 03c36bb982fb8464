//! The ledger of a run: what was written to a server, and what the server said to it, in a file
//! that is only ever appended to.
//!
//! A line is the first 16 hex digits of the BLAKE3 hash of the rest, a space, and an [`entry`] as JSON. A line
//! reaches the operating system before the request that it announces, so that the client may be
//! killed at any moment: what it was about to send is in [`Entry::Intended`], by ranges of numbers, because a
//! payload is a function of its number. Acknowledgements follow within [some
//! 20 ms](crate::load); one that was lost with the client makes a write unknown, not lost. The end of
//! a line that was cut off is dropped and said. Lines are not synced: the ledger survives its
//! process, and should be on another machine than the server that is to lose power.

pub mod entry;
mod read;
mod write;

use std::io;
use std::path::PathBuf;

pub use self::entry::{Acknowledged, Begun, Entry, Write};
pub use self::read::{Ledgered, read};
pub use self::write::Ledger;

/// Hex digits of a line's checksum.
const CHECKSUM: usize = 16;

/// A ledger that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file cannot be read or written.
    #[error("cannot use the ledger {}: {reason}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        reason: io::Error,
    },
    /// A line that is not the last is not what was written.
    #[error("the ledger {} is damaged in line {line}", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// It does not begin as a ledger of this format does.
    #[error("{} is no ledger of format {}", path.display(), entry::FORMAT_VERSION)]
    NoLedger {
        /// Which.
        path: PathBuf,
    },
}

fn checksum(json: &[u8]) -> String {
    blake3::hash(json).to_hex()[..CHECKSUM].to_owned()
}

#[cfg(test)]
mod tests;
