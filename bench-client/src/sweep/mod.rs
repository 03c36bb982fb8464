//! The same load at several levels, to see where the server's knee is.
//!
//! Each level is a whole run with a folder of its own. What makes the runs is given by the caller,
//! so that this module knows the order of things and nothing of sockets.

pub(crate) mod file;
pub mod knee;
pub mod level;
pub mod sequence;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use crate::interrupt::Stop;
use crate::results::summary::RunData;

pub use file::{FILE, FORMAT_VERSION, Knee, LevelRow, SweepFile};
use level::LevelSpec;
use sequence::{End, SequenceError};

/// A sweep, beside what its levels say.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder, which holds no sweep yet.
    pub out: PathBuf,
    /// UTC start as `%Y%m%d_%H%M%S`, and eight random hexadecimal digits.
    pub run_id: String,
    /// What the user calls it.
    pub name: Option<String>,
    /// The command line, to run it again.
    pub command: Vec<String>,
    /// The server.
    pub base_url: String,
    /// Time between two levels, for queues to drain and sockets to close.
    pub pause: Duration,
}

/// Runs all `levels` one after the other, giving `run_level` each with the folder that is its own,
/// and `done` each row as it comes.
///
/// `sweep.json` is written anew after every level, so that a sweep that ends early, however it does,
/// keeps those that were finished.
///
/// # Errors
/// When a level could not be run, or the folder cannot be written.
pub fn run<E: std::fmt::Display>(
    settings: &Settings,
    levels: &[LevelSpec],
    stop: &Stop,
    mut run_level: impl FnMut(&LevelSpec, &Path) -> Result<RunData, E>,
    mut done: impl FnMut(&LevelRow),
) -> Result<SweepFile, SequenceError<E>> {
    file::claim(&settings.out, FILE)?;
    let mut sweep = SweepFile {
        format_version: FORMAT_VERSION,
        kind: "sweep".to_owned(),
        run_id: settings.run_id.clone(),
        name: settings.name.clone(),
        command: settings.command.clone(),
        base_url: settings.base_url.clone(),
        started_at: Timestamp::now(),
        finished_at: None,
        interrupted: false,
        error: None,
        planned: levels.iter().map(|spec| spec.level).collect(),
        levels: Vec::with_capacity(levels.len()),
        knee: None,
        no_knee: None,
    };
    sweep.write(&settings.out)?;
    let ended = sequence::run_each(
        levels,
        settings.pause,
        stop,
        |spec| run_level(spec, &settings.out.join(&spec.folder)),
        |spec, data| {
            let row = LevelRow::of(spec, data);
            done(&row);
            sweep.levels.push(row);
            sweep.find_knee();
            sweep.write(&settings.out)
        },
    );
    if ended.is_err() && sweep.levels.is_empty() {
        // Nothing was measured: the folder is free again for when what was wrong is put right.
        file::unclaim(&settings.out, &[FILE]);
    } else {
        sweep.find_knee();
        sweep.finished_at = Some(Timestamp::now());
        sweep.interrupted = matches!(ended, Ok(End::Interrupted));
        sweep.error = ended.as_ref().err().map(ToString::to_string);
        sweep.write(&settings.out)?;
    }
    ended?;
    Ok(sweep)
}
