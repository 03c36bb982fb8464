//! A store of which acknowledged commits are missing: what it still answers, and until when.
//!
//! Records that are there are whole and are read by their numbers. What depends on records that may
//! be missing (the latest version, an alias, an online state, that something is not there) is refused,
//! and so is every write: a version number that was given must not be given twice. That lasts until a
//! backup is restored or the operator accepts the loss; a file says so, because fjall forgets where
//! batches were missing.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::StoreError;

/// In the database's folder. That it is there is what counts; its text is for people.
const NAME: &str = "tidemark-incomplete";

/// What is known of the loss.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incomplete {
    /// Sentences.
    pub findings: Vec<String>,
}

impl Incomplete {
    /// Where the store in `folder` says so.
    #[must_use]
    pub fn path(folder: &Path) -> PathBuf {
        folder.join(NAME)
    }

    pub(super) fn read(folder: &Path) -> io::Result<Option<Self>> {
        match std::fs::read(Self::path(folder)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
            Ok(text) => {
                let text = String::from_utf8_lossy(&text);
                let findings = text.lines().map(str::to_owned).collect();
                Ok(Some(Self { findings }))
            }
        }
    }

    /// Says so until it is accepted, durably.
    pub(super) fn write(&self, folder: &Path) -> io::Result<()> {
        let mut file = File::create(Self::path(folder))?;
        for finding in &self.findings {
            writeln!(file, "{finding}")?;
        }
        file.sync_all()?;
        File::open(folder)?.sync_all()
    }

    pub(super) fn remove(folder: &Path) -> io::Result<()> {
        std::fs::remove_file(Self::path(folder))?;
        File::open(folder)?.sync_all()
    }

    /// The error of what cannot be answered.
    pub(super) fn refusal(&self) -> StoreError {
        StoreError::Incomplete(self.to_string())
    }
}

impl fmt::Display for Incomplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = if self.findings.is_empty() {
            "what is missing is not known".to_owned()
        } else {
            self.findings.join("; ")
        };
        write!(
            f,
            "acknowledged commits are missing ({known}): versions are read by their numbers, all else is \
             refused until a backup is restored or `tidemark repair --accept-loss` is run"
        )
    }
}
