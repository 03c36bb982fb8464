//! The notebook's files: `fit.csv`, `predict.csv`, `summary.json` and `report.html`.

mod csv;
mod html;
#[cfg(test)]
mod sample;
mod tables;

use std::path::{Path, PathBuf};

use super::{ReportError, atomic};
use crate::notebook::NotebookRun;

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
        move |source| ReportError::at(&path)(source)
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
