//! Reads the files of a folder one by one.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::config::{self, RunConfig};
use super::error::ResultsError;
use super::folder::{CONFIG, RESPONSES, STATS, SUMMARY};
use super::summary::{self, RunSummary, StatsFile};
use crate::load::response::ResponseRecord;
use crate::tally::stats;

/// `run_config.json`.
///
/// # Errors
/// When it is missing, of a later format, or not what it should be.
pub fn config(dir: &Path) -> Result<RunConfig, ResultsError> {
    let known = config::FORMAT_VERSION;
    read(&dir.join(CONFIG), known)?.ok_or_else(|| no_run(dir))
}

/// Of a folder of a sweep, a heatmap or several runs, that its folders have runs.
fn no_run(dir: &Path) -> ResultsError {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let with_run = entries.filter(|entry| entry.path().join(CONFIG).exists());
    let mut folders: Vec<_> = with_run.map(|entry| entry.path()).collect();
    folders.sort();
    if folders.is_empty() {
        let (dir, file) = (dir.to_owned(), CONFIG);
        return ResultsError::NoRun { dir, file };
    }
    ResultsError::Several {
        dir: dir.to_owned(),
        folders,
    }
}

/// `summary.json`, if it was written.
///
/// # Errors
/// When it is of a later format, or not what it should be.
pub fn summary(dir: &Path) -> Result<Option<RunSummary>, ResultsError> {
    read(&dir.join(SUMMARY), summary::FORMAT_VERSION)
}

/// `stats.json`, if it was written.
///
/// # Errors
/// When it is of a later format, or not what it should be.
pub fn stats(dir: &Path) -> Result<Option<StatsFile>, ResultsError> {
    read(&dir.join(STATS), stats::FORMAT_VERSION)
}

/// A JSON file; none if it is not there.
pub(crate) fn read<T: DeserializeOwned>(
    path: &Path,
    known: u32,
) -> Result<Option<T>, ResultsError> {
    #[derive(Deserialize)]
    struct Version {
        format_version: u64,
    }
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(ResultsError::read(path)(error)),
    };
    let broken = |error| ResultsError::content(path, error);
    // Apart and first: a later format may lack what this one cannot do without.
    let version: Version = serde_json::from_slice(&bytes).map_err(broken)?;
    if version.format_version > u64::from(known) {
        return Err(ResultsError::Newer {
            path: path.to_owned(),
            found: version.format_version,
            known,
        });
    }
    serde_json::from_slice(&bytes).map(Some).map_err(broken)
}

/// What there was in `responses.jsonl` beside its responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replayed {
    /// Whole lines.
    pub responses: u64,
    /// Whether the last line was cut, by a kill or a full disk.
    pub cut: bool,
}

/// Gives every response of a folder to `each`, in the order in which they were written.
///
/// # Errors
/// When the file is missing or cannot be read, a line that is not the last is not a response, or
/// `each` fails.
pub fn responses(
    dir: &Path,
    mut each: impl FnMut(ResponseRecord) -> Result<(), ResultsError>,
) -> Result<Replayed, ResultsError> {
    let path = dir.join(RESPONSES);
    let file = File::open(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ResultsError::NoRun {
            dir: dir.to_owned(),
            file: RESPONSES,
        },
        _ => ResultsError::read(&path)(error),
    })?;
    let mut file = BufReader::with_capacity(1 << 20, file);
    let (mut line, mut number) = (Vec::new(), 0);
    let mut broken = None;
    loop {
        line.clear();
        if file
            .read_until(b'\n', &mut line)
            .map_err(ResultsError::read(&path))?
            == 0
        {
            break;
        }
        // Only the last line may be broken, and this one comes after it.
        if let Some(reason) = broken {
            let path = path.clone();
            return Err(ResultsError::Line {
                path,
                line: number,
                reason,
            });
        }
        number += 1;
        match serde_json::from_slice(&line) {
            Ok(record) => each(record)?,
            Err(error) => broken = Some(error.to_string()),
        }
    }
    Ok(Replayed {
        responses: number - u64::from(broken.is_some()),
        cut: broken.is_some(),
    })
}
