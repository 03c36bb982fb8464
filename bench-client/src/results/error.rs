//! What can be wrong with the folder of a run.

use std::io;
use std::path::{Path, PathBuf};

/// Folders that an error names at most.
const NAMED: usize = 12;

/// Why a folder could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    /// A file or folder cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file or folder cannot be written. What was written before can be loaded.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The folder has a run in it.
    #[error("{} already has a run in it ({file}); each run needs a folder of its own", dir.display())]
    Taken {
        /// The folder.
        dir: PathBuf,
        /// The file that tells.
        file: &'static str,
    },
    /// The folder has no run in it.
    #[error("{} has no run in it: there is no {file}", dir.display())]
    NoRun {
        /// The folder.
        dir: PathBuf,
        /// The file that is missing.
        file: &'static str,
    },
    /// The folder has runs in its folders, as a sweep's does.
    #[error("{} has a run in each of its folders: name them, such as {}", dir.display(), some(folders))]
    Several {
        /// The folder.
        dir: PathBuf,
        /// Its folders that have one, at least one.
        folders: Vec<PathBuf>,
    },
    /// A file of a later version of this program.
    #[error(
        "{} is of format {found}, and this version reads formats up to {known}: \
         use a newer tidemark-bench",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
        /// The latest known.
        known: u32,
    },
    /// A file is not what it should be.
    #[error("{}: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A line of a file is not what it should be.
    #[error("{}, line {line}: {reason}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// Runs that cannot become one.
    #[error("cannot merge: {0}")]
    Merge(String),
}

/// The first few of many.
fn some(paths: &[PathBuf]) -> String {
    let first = paths
        .iter()
        .take(NAMED)
        .map(|path| path.display().to_string());
    let mut text = first.collect::<Vec<_>>().join(" ");
    if paths.len() > NAMED {
        text.push_str(&format!(" and {} more", paths.len() - NAMED));
    }
    text
}

impl ResultsError {
    pub(super) fn read(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Read {
            path: path.to_owned(),
            source,
        }
    }

    pub(super) fn write(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Write {
            path: path.to_owned(),
            source,
        }
    }

    pub(super) fn content(path: &Path, reason: impl ToString) -> Self {
        Self::Content {
            path: path.to_owned(),
            reason: reason.to_string(),
        }
    }
}
