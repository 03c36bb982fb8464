//! A store of which acknowledged commits are missing: what it still answers, and until when.
//!
//! Records that are there are whole and are read by their numbers. What depends on records that may
//! be missing (the latest version, an alias, an online state, that something is not there) is refused,
//! and so is every write: a version number that was given must not be given twice. Where it is known
//! which keyspaces lost records, what rests on the others alone is answered. That lasts until a
//! backup is restored or the operator accepts the loss; a file says so, because fjall forgets where
//! batches were missing.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::folder::replace;
use super::{StoreError, keyspaces};

/// In the database's folder. That it is there is what counts; its text is for people, but for the first
/// line if it says where something is missing.
const NAME: &str = "tidemark-incomplete";
/// How that line begins. It ends in a full stop: one that is cut off says nothing.
const ONLY_IN: &str = "missing only in: ";

/// What is known of the loss.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incomplete {
    /// Sentences.
    pub findings: Vec<String>,
    /// Where something may be missing.
    pub(super) lost: Lost,
}

/// Where records may be missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// Anywhere.
    Anywhere,
    /// In the keyspaces with these names and in no other.
    In(BTreeSet<String>),
}

impl Lost {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::In(mut some), Self::In(others)) => {
                some.extend(others);
                Self::In(some)
            }
            _ => Self::Anywhere,
        }
    }

    /// Whether something may be missing in one of `keyspaces`.
    pub(super) fn touches(&self, keyspaces: &[&str]) -> bool {
        match self {
            Self::Anywhere => true,
            Self::In(lost) => keyspaces.iter().any(|name| lost.contains(*name)),
        }
    }

    /// What the first line of the file says.
    fn read(line: &str) -> Option<Self> {
        let names = line.strip_prefix(ONLY_IN)?.strip_suffix('.')?;
        let names: BTreeSet<String> = names.split(' ').map(str::to_owned).collect();
        let are_known = names
            .iter()
            .all(|name| keyspaces::ALL.contains(&name.as_str()));
        are_known.then_some(Self::In(names))
    }
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
                let mut lines = text.lines().peekable();
                let lost = lines.peek().and_then(|line| Lost::read(line));
                if lost.is_some() {
                    lines.next();
                }
                let findings = lines.map(str::to_owned).collect();
                let lost = lost.unwrap_or(Lost::Anywhere);
                Ok(Some(Self { findings, lost }))
            }
        }
    }

    /// Both.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.findings.extend(other.findings);
        self.lost = self.lost.and(other.lost);
        self
    }

    /// Says so until it is accepted, durably.
    pub(super) fn write(&self, folder: &Path) -> io::Result<()> {
        replace(&Self::path(folder), |file| {
            if let Lost::In(keyspaces) = &self.lost {
                let names: Vec<&str> = keyspaces.iter().map(String::as_str).collect();
                writeln!(file, "{ONLY_IN}{}.", names.join(" "))?;
            }
            for finding in &self.findings {
                writeln!(file, "{finding}")?;
            }
            Ok(())
        })
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
            "acknowledged records are missing ({known}): versions are read by their numbers, what may rest on \
             what is missing is refused until a backup is restored or `tidemark repair --accept-loss` is run"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_says_where_something_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let lost = |names: &[&str]| Lost::In(names.iter().map(|name| (*name).to_owned()).collect());
        for lost in [lost(&["aliases", "heads"]), Lost::Anywhere] {
            let findings = vec!["a table".to_owned(), "a list".to_owned()];
            let incomplete = Incomplete { findings, lost };
            incomplete.write(folder.path()).unwrap();
            assert_eq!(Incomplete::read(folder.path()).unwrap(), Some(incomplete));
        }
        let both = lost(&["heads"]).and(lost(&["points"]));
        assert!(both.touches(&["online", "points"]) && !both.touches(&["aliases"]));
        assert_eq!(both.and(Lost::Anywhere), Lost::Anywhere);
    }

    /// What cannot be read of the line must not be taken for less than it said.
    #[test]
    fn a_damaged_file_says_that_anything_may_be_missing() {
        let folder = tempfile::tempdir().unwrap();
        let lost = Lost::In(["heads".to_owned(), "meta".to_owned()].into());
        let findings = Vec::new();
        let incomplete = Incomplete { findings, lost };
        incomplete.write(folder.path()).unwrap();
        let path = Incomplete::path(folder.path());
        let whole = std::fs::read(&path).unwrap();
        let read = || Incomplete::read(folder.path()).unwrap().unwrap().lost;
        for length in 0..whole.len() - 1 {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert_eq!(read(), Lost::Anywhere, "{length}");
        }
        for bit in 0..8 * (whole.len() - 1) {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, &flipped).unwrap();
            assert_eq!(read(), Lost::Anywhere, "bit {bit}");
        }
    }
}
