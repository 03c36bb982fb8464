//! Reports of whole folders, whatever is in them: a run, a sweep with a run a level, a heatmap with
//! a run a cell.

use std::path::{Component, Path, PathBuf};

use super::export::Picture;
use super::heatmap::{self, Cell, Heatmap};
use super::sweep::{self, Level, Sweep};
use super::{ReportError, run};
use crate::heatmap::HeatmapFile;
use crate::results::error::ResultsError;
use crate::results::files;
use crate::results::filter::Filter;
use crate::results::load::{self, Loaded};
use crate::results::summary::RunData;
use crate::sweep::{SweepFile, level};

/// The page's file.
const PAGE: &str = "report.html";

/// Why a folder has no report.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// What is in it cannot be read.
    #[error(transparent)]
    Results(#[from] ResultsError),
    /// A file of the report cannot be written.
    #[error(transparent)]
    Report(#[from] ReportError),
}

/// What a folder has in it.
#[derive(Debug, Clone, PartialEq)]
pub enum Saved {
    /// One run, with what is not as a finished run leaves it, a sentence each.
    Run(Box<RunData>, Vec<String>),
    /// Levels of load.
    Sweep(Sweep),
    /// A grid.
    Heatmap(Heatmap),
}

impl Saved {
    /// Reads a folder. Figures of a run are computed again from its responses; those of a sweep's
    /// levels are the ones that they saved.
    ///
    /// # Errors
    /// When there is nothing of ours in it, or a file is not what it should be.
    pub fn read(dir: &Path) -> Result<Self, ResultsError> {
        let known = crate::sweep::FORMAT_VERSION;
        if let Some(file) = files::read::<SweepFile>(&dir.join(crate::sweep::FILE), known)? {
            return Ok(Self::Sweep(sweep_of(dir, &file)?));
        }
        let known = crate::heatmap::FORMAT_VERSION;
        if let Some(file) = files::read::<HeatmapFile>(&dir.join(crate::heatmap::FILE), known)? {
            return Ok(Self::Heatmap(heatmap_of(dir, &file)?));
        }
        let Loaded { run, notes, .. } = load::open(dir, &Filter::default())?;
        Ok(Self::Run(Box::new(run), notes))
    }

    /// The page.
    #[must_use]
    pub fn page(&self) -> String {
        match self {
            Self::Run(run, _) => run::page(run),
            Self::Sweep(sweep) => sweep::page(sweep),
            Self::Heatmap(heatmap) => heatmap::page(heatmap),
        }
    }

    /// Writes every chart into a folder and gives the files' paths.
    ///
    /// # Errors
    /// When one cannot be written.
    pub fn write_charts(&self, dir: &Path, picture: Picture) -> Result<Vec<PathBuf>, ReportError> {
        match self {
            Self::Run(run, _) => run::write_charts(dir, run, picture),
            Self::Sweep(sweep) => sweep::write_charts(dir, sweep, picture),
            Self::Heatmap(heatmap) => heatmap::write_charts(dir, heatmap, picture),
        }
    }
}

/// Writes `report.html` into a folder, for a sweep or heatmap also into those of its runs that have
/// none yet, and gives the first one's path.
///
/// # Errors
/// When something cannot be read or written.
pub fn write(dir: &Path) -> Result<PathBuf, FolderError> {
    let saved = Saved::read(dir)?;
    match &saved {
        Saved::Run(run, _) => return Ok(run::write(dir, run)?),
        Saved::Sweep(sweep) => {
            for level in &sweep.levels {
                let folder = dir.join(&level.folder);
                if !folder.join(PAGE).exists() {
                    run::write(&folder, &level.data)?;
                }
            }
        }
        Saved::Heatmap(heatmap) => {
            for cell in heatmap.cells.iter().flatten().flatten() {
                let folder = dir.join(&cell.folder);
                if !folder.join(PAGE).exists() {
                    run::write(&folder, &run_in(&folder)?)?;
                }
            }
        }
    }
    let path = dir.join(PAGE);
    super::put(&path, saved.page().as_bytes())?;
    Ok(path)
}

/// A run by the figures that it saved; of one that has none that can be read, by its
/// responses.
fn run_in(dir: &Path) -> Result<RunData, ResultsError> {
    let loaded = load::load_stats_only(dir);
    match loaded {
        Err(ResultsError::NoRun { .. } | ResultsError::Content { .. }) => load::load(dir),
        loaded => Ok(loaded?.run),
    }
}

fn sweep_of(dir: &Path, file: &SweepFile) -> Result<Sweep, ResultsError> {
    let level = |row: &crate::sweep::LevelRow| {
        let label = match row.level {
            level::Level::Clients(n) => n.to_string(),
            level::Level::PerS(per_s) => per_s.to_string(),
        };
        Ok(Level {
            label,
            folder: inside(dir, &row.folder)?.to_owned(),
            data: run_in(&dir.join(&row.folder))?,
        })
    };
    let clients = |level: &level::Level| matches!(level, level::Level::Clients(_));
    let mut remarks = Vec::new();
    if file.levels.len() < file.planned.len() {
        let why = match &file.error {
            Some(error) => error.clone(),
            None if file.interrupted => "interrupted".to_owned(),
            None => "the sweep did not finish".to_owned(),
        };
        let (done, planned) = (file.levels.len(), file.planned.len());
        remarks.push(format!("{done} of {planned} levels were run: {why}."));
    }
    for row in file.levels.iter().filter(|row| row.raised_from.is_some()) {
        remarks.push(format!(
            "The level {} was made longer than asked for, to have at least {} requests.",
            row.level.load(),
            level::LEAST_REQUESTS
        ));
    }
    let knee = file.knee.as_ref();
    Ok(Sweep {
        title: file.name.clone().unwrap_or_else(|| file.run_id.clone()),
        what: match file.planned.first() {
            Some(first) if clients(first) => "clients".to_owned(),
            _ => "requests a second".to_owned(),
        },
        base_url: file.base_url.clone(),
        started_at: file.started_at,
        command: file.command.clone(),
        levels: file.levels.iter().map(level).collect::<Result<_, _>>()?,
        knee: knee.and_then(|knee| file.levels.iter().position(|row| row.folder == knee.folder)),
        knee_method: knee.map(|knee| knee.method.clone()),
        no_knee: file.no_knee.map(|none| none.to_string()),
        remarks,
    })
}

fn heatmap_of(dir: &Path, file: &HeatmapFile) -> Result<Heatmap, ResultsError> {
    for row in &file.cells {
        inside(dir, &row.folder)?;
    }
    let cell = |points, batch| {
        let row = file.cell(points, batch)?;
        Some(Cell {
            value: row.value,
            folder: row.folder.clone(),
        })
    };
    let row = |&points: &u32| {
        file.batch
            .iter()
            .map(|&batch| cell(points, batch))
            .collect()
    };
    let planned = file.points_per_fit.len() * file.batch.len();
    let remark = (file.cells.len() < planned).then(|| {
        let why = file.error.as_deref();
        let why = why.unwrap_or(if file.interrupted {
            "interrupted"
        } else {
            "the heatmap did not finish"
        });
        format!("{} of {planned} cells were run: {why}.", file.cells.len())
    });
    let labels = |values: &[u32]| {
        values
            .iter()
            .map(|n| super::figures::count((*n).into()))
            .collect()
    };
    Ok(Heatmap {
        title: file.name.clone().unwrap_or_else(|| file.run_id.clone()),
        base_url: file.base_url.clone(),
        started_at: file.started_at,
        command: file.command.clone(),
        x_label: "points per request".to_owned(),
        xs: labels(&file.batch),
        y_label: "points per fit".to_owned(),
        ys: labels(&file.points_per_fit),
        statistic: file.statistic.clone(),
        unit: file.unit.clone(),
        cells: file.points_per_fit.iter().map(row).collect(),
        remark,
    })
}

/// The folder, if it is one within `dir`: a report is written there.
fn inside<'a>(dir: &Path, folder: &'a str) -> Result<&'a str, ResultsError> {
    let mut parts = Path::new(folder).components();
    match (parts.next(), parts.next()) {
        (Some(Component::Normal(_)), None) => Ok(folder),
        _ => Err(ResultsError::Content {
            path: dir.to_owned(),
            reason: format!("{folder:?} is no folder within it"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_within_are_written_to() {
        let dir = Path::new("sweep");
        assert_eq!(inside(dir, "00001-clients").unwrap(), "00001-clients");
        for outside in ["..", "/etc", "a/b", "../a", "", "."] {
            inside(dir, outside).expect_err(outside);
        }
    }
}
