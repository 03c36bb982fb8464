//! A run's files: `fit.csv`, `predict.csv`, `summary.json` and `report.html`.

pub(crate) mod atomic;
mod charts;
mod csv;
mod html;
#[cfg(test)]
mod sample;
mod tables;

use std::path::{Path, PathBuf};

use crate::notebook::NotebookRun;

/// A file of the results could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {source}", path.display())]
pub struct ReportError {
    path: PathBuf,
    source: std::io::Error,
}

impl ReportError {
    fn at(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
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

/// Writes all four files, each in one step, and gives the path of the report.
///
/// # Errors
/// At the first file that cannot be written.
pub fn write(dir: &Path, run: &NotebookRun) -> Result<PathBuf, ReportError> {
    let put = |name: &str, content: &[u8]| {
        let path = dir.join(name);
        atomic::write(&path, content).map_err(ReportError::at(&path))?;
        Ok(path)
    };
    let failed = |name: &str| {
        let path = dir.join(name);
        move |source| ReportError { path, source }
    };
    let fit = csv::render(&run.fit).map_err(failed("fit.csv"))?;
    put("fit.csv", &fit)?;
    let predict = csv::render(&run.predict).map_err(failed("predict.csv"))?;
    put("predict.csv", &predict)?;
    let mut summary =
        serde_json::to_vec_pretty(&run.summary).map_err(|e| failed("summary.json")(e.into()))?;
    summary.push(b'\n');
    put("summary.json", &summary)?;
    put("report.html", html::page(run).as_bytes())
}
