//! One statistic over a grid of points per fit and points per request: which size of body pays.
//!
//! Each cell is a whole run with a folder of its own.

mod file;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use crate::interrupt::Stop;
use crate::results::config::WorkloadSpec;
use crate::results::summary::RunData;
use crate::sweep::file::{claim, unclaim};
use crate::sweep::sequence::{self, End, SequenceError};
use crate::tally::statistic::Statistic;

pub use file::{CSV, CellRow, FILE, FORMAT_VERSION, HeatmapFile};

/// A heatmap, beside what its cells say.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder, which holds no heatmap yet.
    pub out: PathBuf,
    /// UTC start as `%Y%m%d_%H%M%S`, and eight random hexadecimal digits.
    pub run_id: String,
    /// What the user calls it.
    pub name: Option<String>,
    /// The command line, to run it again.
    pub command: Vec<String>,
    /// The server.
    pub base_url: String,
    /// What a cell shows.
    pub statistic: Statistic,
    /// Time between two cells.
    pub pause: Duration,
}

/// A cell to be run.
#[derive(Debug, Clone, PartialEq)]
pub struct CellSpec {
    /// Points in the body of a fit.
    pub points_per_fit: u32,
    /// Points in a request with columns or NDJSON.
    pub batch: u32,
    /// Its folder under the heatmap's.
    pub folder: String,
    /// What it sends.
    pub workload: WorkloadSpec,
}

/// A grid that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GridError {
    /// An axis without values.
    #[error("{0} needs at least one value")]
    Empty(&'static str),
    /// Two cells would share a folder.
    #[error("{axis}: {value} is there twice")]
    Twice {
        /// The axis.
        axis: &'static str,
        /// The value.
        value: u32,
    },
}

/// The cells of a grid, by points per fit and then by batch, each the base workload but for the two
/// sizes.
///
/// # Errors
/// When an axis is empty or has a value twice.
pub fn plan(
    base: &WorkloadSpec,
    points_per_fit: &[u32],
    batch: &[u32],
) -> Result<Vec<CellSpec>, GridError> {
    check("points per fit", points_per_fit)?;
    check("batch", batch)?;
    let cell = |points_per_fit, batch| CellSpec {
        points_per_fit,
        batch,
        folder: format!("{points_per_fit:07}-points-{batch:07}-batch"),
        workload: WorkloadSpec {
            points_per_fit,
            batch,
            ..base.clone()
        },
    };
    let row = |&points: &u32| batch.iter().map(move |&batch| cell(points, batch));
    Ok(points_per_fit.iter().flat_map(row).collect())
}

fn check(axis: &'static str, values: &[u32]) -> Result<(), GridError> {
    if values.is_empty() {
        return Err(GridError::Empty(axis));
    }
    for (at, &value) in values.iter().enumerate() {
        if values[..at].contains(&value) {
            return Err(GridError::Twice { axis, value });
        }
    }
    Ok(())
}

/// Runs all `cells` one after the other, giving `run_cell` each with the folder that is its own,
/// and `done` each row as it comes.
///
/// `heatmap.json` and `heatmap.csv` are written anew after every cell.
///
/// # Errors
/// When a cell could not be run, or the folder cannot be written.
pub fn run<E: std::fmt::Display>(
    settings: &Settings,
    cells: &[CellSpec],
    stop: &Stop,
    mut run_cell: impl FnMut(&CellSpec, &Path) -> Result<RunData, E>,
    mut done: impl FnMut(&CellRow),
) -> Result<HeatmapFile, SequenceError<E>> {
    claim(&settings.out, FILE)?;
    let mut heatmap = HeatmapFile::new(settings, cells);
    heatmap.write(&settings.out)?;
    let ended = sequence::run_each(
        cells,
        settings.pause,
        stop,
        |spec| run_cell(spec, &settings.out.join(&spec.folder)),
        |spec, data| {
            let row = CellRow::of(spec, data, &settings.statistic);
            done(&row);
            heatmap.cells.push(row);
            heatmap.write(&settings.out)
        },
    );
    if ended.is_err() && heatmap.cells.is_empty() {
        // Nothing was measured: the folder is free again for when what was wrong is put right.
        unclaim(&settings.out, &[FILE, CSV]);
    } else {
        heatmap.finished_at = Some(Timestamp::now());
        heatmap.interrupted = matches!(ended, Ok(End::Interrupted));
        heatmap.error = ended.as_ref().err().map(ToString::to_string);
        heatmap.write(&settings.out)?;
    }
    ended?;
    Ok(heatmap)
}
