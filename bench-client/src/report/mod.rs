//! What people read of a measurement: pages, charts and summaries, each a pure function of saved data.

pub(crate) mod atomic;
mod charts;
pub mod export;
mod figures;
pub mod folder;
pub mod heatmap;
mod markdown;
pub mod notebook;
mod page;
pub mod run;
pub mod sweep;

use std::path::{Path, PathBuf};

/// A file of the results could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {source}", path.display())]
pub struct ReportError {
    path: PathBuf,
    source: std::io::Error,
}

impl ReportError {
    pub(crate) fn at(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self {
            path: path.to_owned(),
            source,
        }
    }
}

/// Makes the folder and checks that files can be made in it.
///
/// # Errors
/// When either fails.
pub fn prepare(dir: &Path) -> Result<(), ReportError> {
    std::fs::create_dir_all(dir).map_err(ReportError::at(dir))?;
    tempfile::tempfile_in(dir).map_err(ReportError::at(dir))?;
    Ok(())
}

/// Writes a file of a report.
///
/// # Errors
/// When it cannot be written.
pub fn put(path: &Path, content: &[u8]) -> Result<(), ReportError> {
    atomic::write(path, content).map_err(ReportError::at(path))
}
