//! What can be wrong with the input of a run.

use std::path::{Path, PathBuf};

use detectors::ParamError;
use detectors::eval::EvalError;

use crate::client::ClientError;
use crate::reach::Unreachable;

/// Why accuracy could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum QualityError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A line of a file is not what it should be.
    #[error("{}, line {line}: {reason}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Line in it, counted from 1.
        line: u64,
        /// A sentence for the user.
        reason: String,
    },
    /// A dataset that no line of the index names.
    #[error("{} has no dataset {dataset:?}; there are {present}", path.display())]
    NoSuchDataset {
        /// The index.
        path: PathBuf,
        /// The dataset asked for.
        dataset: String,
        /// Those it has.
        present: String,
    },
    /// An index without a series.
    #[error("{} lists no series", path.display())]
    Empty {
        /// The index.
        path: PathBuf,
    },
    /// A model or an alarm rate that cannot be used.
    #[error("model {model:?}: {source}")]
    Params {
        /// The model asked for.
        model: String,
        /// What is wrong.
        source: ParamError,
    },
    /// A service that cannot be asked.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// The HTTP client could not be set up.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A request that a service did not answer, or not as it should have.
    #[error("{url}: {reason}")]
    Service {
        /// The address asked, with its path.
        url: String,
        /// What came instead.
        reason: String,
    },
    /// Scores and labels that cannot be compared.
    #[error("{}, scored by {scorer}: {source}", path.display())]
    Unusable {
        /// The series.
        path: PathBuf,
        /// The model or baseline.
        scorer: String,
        /// What is wrong.
        source: EvalError,
    },
}

impl QualityError {
    pub(super) fn read(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Read {
            path: path.to_owned(),
            source,
        }
    }

    pub(super) fn write(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Write {
            path: path.to_owned(),
            source,
        }
    }

    pub(super) fn line(path: &Path, line: u64, reason: impl Into<String>) -> Self {
        Self::Line {
            path: path.to_owned(),
            line,
            reason: reason.into(),
        }
    }

    /// A file that stops being CSV: at a line where the reader knows it.
    pub(super) fn csv(path: &Path, error: csv::Error) -> Self {
        let line = error.position().map(csv::Position::line);
        match (line, error.into_kind()) {
            (_, csv::ErrorKind::Io(source)) => Self::Read {
                path: path.to_owned(),
                source,
            },
            (
                line,
                csv::ErrorKind::UnequalLengths {
                    expected_len, len, ..
                },
            ) => Self::line(
                path,
                line.unwrap_or(1),
                format!("{len} fields where the header has {expected_len}"),
            ),
            (line, _) => Self::line(path, line.unwrap_or(1), "not UTF-8 text"),
        }
    }
}
