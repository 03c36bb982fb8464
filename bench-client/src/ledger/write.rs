//! Writing a ledger while a run goes on.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::entry::Entry;
use super::{LedgerError, checksum};

/// Requests that are announced together: one write to the file for so many.
const AHEAD: u64 = 1_024;

/// A ledger that is being written. The threads that send share it.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    file: Mutex<File>,
    /// Requests with lower numbers are announced.
    until: AtomicU64,
}

impl Ledger {
    /// Makes a new file, which must not be there yet: a ledger is of one run.
    ///
    /// # Errors
    /// When it is there, or cannot be written.
    pub fn create(path: &Path) -> Result<Self, LedgerError> {
        let file = OpenOptions::new().append(true).create_new(true).open(path);
        Ok(Self {
            file: Mutex::new(file.map_err(|reason| failed(path, reason))?),
            path: path.to_owned(),
            until: AtomicU64::new(0),
        })
    }

    /// Sees that request `index` is announced before it is sent. Meets neither lock nor file but once
    /// in a thousand requests.
    ///
    /// # Errors
    /// When the file cannot be written; the request must not be sent then.
    pub fn announce(&self, index: u64) -> Result<(), LedgerError> {
        if index < self.until.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if index < self.until.load(Ordering::Acquire) {
            return Ok(());
        }
        let until = (index / AHEAD + 1) * AHEAD;
        let line = line(&Entry::Intended { until }).and_then(|line| file.write_all(&line));
        line.map_err(|reason| failed(&self.path, reason))?;
        self.until.store(until, Ordering::Release);
        Ok(())
    }

    /// Gives entries to the operating system.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn append(&self, entries: &[Entry]) -> Result<(), LedgerError> {
        let lines = entries.iter().map(line).collect::<io::Result<Vec<_>>>();
        let written = lines.and_then(|lines| {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            file.write_all(&lines.concat())
        });
        written.map_err(|reason| failed(&self.path, reason))
    }
}

fn line(entry: &Entry) -> io::Result<Vec<u8>> {
    let json = serde_json::to_vec(entry)?;
    let mut line = checksum(&json).into_bytes();
    line.push(b' ');
    line.extend_from_slice(&json);
    line.push(b'\n');
    Ok(line)
}

fn failed(path: &Path, reason: io::Error) -> LedgerError {
    LedgerError::File {
        path: path.to_owned(),
        reason,
    }
}
