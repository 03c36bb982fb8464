//! Writes the folder of a run: the configuration before the first request, responses as they come,
//! the rest at the end.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::config::RunConfig;
use super::error::ResultsError;
use super::summary::{RunSummary, StatsFile};
use crate::load::response::ResponseRecord;
use crate::report::atomic;
use crate::tally::stats::RunStats;

/// What was asked for.
pub const CONFIG: &str = "run_config.json";
/// A line a response.
pub const RESPONSES: &str = "responses.jsonl";
/// The figures.
pub const STATS: &str = "stats.json";
/// How the run went.
pub const SUMMARY: &str = "summary.json";
/// The histograms, as HdrHistogram's tools read them.
pub const HISTOGRAMS: &str = "latency.hlog";

/// What the server used and how it was, a line a look.
pub const TIMELINE: &str = "timeline.jsonl";

/// Files that a folder with a run has some of.
pub const FILES: [&str; 6] = [CONFIG, RESPONSES, STATS, SUMMARY, HISTOGRAMS, TIMELINE];

/// Lines are given to the operating system in pieces of this size.
const PIECE: usize = 256 << 10;

/// The folder of one run, while it is written.
///
/// What was [flushed](Self::flush) survives `kill -9`: lines are appended, and a line that was cut
/// is dropped by whoever loads the folder. The other files are there whole or not at all.
#[derive(Debug)]
pub struct FolderWriter {
    dir: PathBuf,
    responses: PathBuf,
    file: File,
    /// Whole lines that the operating system does not have yet.
    waiting: Vec<u8>,
    /// Bytes of whole lines that it has.
    written: u64,
    /// Why nothing more is written.
    broken: Option<(io::ErrorKind, String)>,
}

impl FolderWriter {
    /// Makes the folder if need be and sees that a run could be written to it, before the minutes
    /// that it may take to get there.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn check(dir: &Path) -> Result<(), ResultsError> {
        fs::create_dir_all(dir).map_err(ResultsError::write(dir))?;
        if let Some(file) = FILES.into_iter().find(|file| dir.join(file).exists()) {
            return Err(ResultsError::Taken {
                dir: dir.to_owned(),
                file,
            });
        }
        tempfile::tempfile_in(dir).map_err(ResultsError::write(dir))?;
        Ok(())
    }

    /// Claims a folder, which is made if need be, and writes the configuration.
    ///
    /// # Errors
    /// When a run is in it, whole or in part, or it cannot be written.
    pub fn create(dir: &Path, config: &RunConfig) -> Result<Self, ResultsError> {
        Self::check(dir)?;
        let responses = dir.join(RESPONSES);
        // Of two runs that get here at once, only one makes the file.
        let mut options = OpenOptions::new();
        let file = match options.append(true).create_new(true).open(&responses) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(ResultsError::Taken {
                    dir: dir.to_owned(),
                    file: RESPONSES,
                });
            }
            Err(error) => return Err(ResultsError::write(&responses)(error)),
        };
        let writer = Self {
            dir: dir.to_owned(),
            responses,
            file,
            waiting: Vec::with_capacity(2 * PIECE),
            written: 0,
            broken: None,
        };
        writer.put(CONFIG, &pretty(config))?;
        Ok(writer)
    }

    /// Where it writes.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Appends a line a response. They reach the operating system in large pieces, and at a flush.
    ///
    /// # Errors
    /// When they cannot be written; then the file ends after a whole line, and every further call
    /// fails, so that no response is missing in the middle.
    pub fn append(&mut self, records: &[ResponseRecord]) -> Result<(), ResultsError> {
        for record in records {
            if self.broken.is_some() {
                return self.flush();
            }
            line(&mut self.waiting, record).map_err(ResultsError::write(&self.responses))?;
            if self.waiting.len() >= PIECE {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Gives what was appended to the operating system, so that the end of this process does not
    /// lose it.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub fn flush(&mut self) -> Result<(), ResultsError> {
        if let Some((kind, reason)) = &self.broken {
            let error = io::Error::new(*kind, reason.clone());
            return Err(ResultsError::write(&self.responses)(error));
        }
        if let Err(error) = self.file.write_all(&self.waiting) {
            self.end_after_a_whole_line();
            self.broken = Some((error.kind(), error.to_string()));
            self.waiting = Vec::new();
            return Err(ResultsError::write(&self.responses)(error));
        }
        self.written += self.waiting.len() as u64;
        self.waiting.clear();
        Ok(())
    }

    /// Takes off what a failed write left of a line. If that fails too, a cut line is left, which
    /// whoever loads the folder drops.
    fn end_after_a_whole_line(&mut self) {
        let Ok(metadata) = self.file.metadata() else {
            return;
        };
        let landed = metadata.len().saturating_sub(self.written);
        let landed = self
            .waiting
            .len()
            .min(usize::try_from(landed).unwrap_or(usize::MAX));
        let lines = self.waiting[..landed]
            .iter()
            .rposition(|&byte| byte == b'\n');
        self.written += lines.map_or(0, |end| end as u64 + 1);
        let _ = self.file.set_len(self.written);
    }

    /// Writes the rest, the summary last: where it is, the folder is whole.
    ///
    /// # Errors
    /// At the first file that cannot be written.
    pub fn finish(
        mut self,
        summary: &RunSummary,
        stats: &RunStats,
        histograms: &[u8],
    ) -> Result<(), ResultsError> {
        self.flush()?;
        self.file
            .sync_all()
            .map_err(ResultsError::write(&self.responses))?;
        let stats = StatsFile {
            stats: stats.clone(),
            contributed: summary.contributed.clone(),
        };
        self.put(STATS, &compact(&stats))?;
        self.put(HISTOGRAMS, histograms)?;
        self.put(SUMMARY, &pretty(summary))
    }

    fn put(&self, name: &str, content: &[u8]) -> Result<(), ResultsError> {
        let path = self.dir.join(name);
        atomic::write(&path, content).map_err(ResultsError::write(&path))
    }
}

fn line(buffer: &mut Vec<u8>, record: &ResponseRecord) -> io::Result<()> {
    serde_json::to_writer(&mut *buffer, record)?;
    buffer.push(b'\n');
    Ok(())
}

fn pretty(value: &impl Serialize) -> Vec<u8> {
    let json = serde_json::to_vec_pretty(value);
    with_end_of_line(json.expect("keys are strings and numbers are finite"))
}

/// For files with long arrays, which would have a line a number.
fn compact(value: &impl Serialize) -> Vec<u8> {
    let json = serde_json::to_vec(value);
    with_end_of_line(json.expect("keys are strings and numbers are finite"))
}

fn with_end_of_line(mut json: Vec<u8>) -> Vec<u8> {
    json.push(b'\n');
    json
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::config::Bound;
    use crate::results::fixture;
    use crate::tally::tests::records;

    fn config() -> RunConfig {
        fixture::config(Bound::Requests { n: 10 })
    }

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_configuration_is_there_before_the_first_response() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("not/yet/there");
        let _writer = FolderWriter::create(&dir, &config()).unwrap();
        assert_eq!(names(&dir), [RESPONSES, CONFIG]);
        let read: RunConfig = serde_json::from_slice(&fs::read(dir.join(CONFIG)).unwrap()).unwrap();
        assert_eq!(read, config());
    }

    #[test]
    fn levels_of_a_sweep_written_into_one_folder() {
        for file in FILES {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join(file), "of the level before").unwrap();
            let error = FolderWriter::create(dir.path(), &config()).unwrap_err();
            let said = error.to_string();
            assert!(
                said.contains("already has a run in it") && said.contains(file),
                "{said}"
            );
            assert_eq!(names(dir.path()), [file], "nothing was added");
            let kept = fs::read_to_string(dir.path().join(file)).unwrap();
            assert_eq!(kept, "of the level before");
        }
        let dir = tempfile::tempdir().unwrap();
        let first = FolderWriter::create(dir.path(), &config()).unwrap();
        FolderWriter::create(dir.path(), &config()).expect_err("the first is still running");
        drop(first);
    }

    #[test]
    fn other_files_do_not_take_a_folder() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("notes.txt"), "").unwrap();
        FolderWriter::create(dir.path(), &config()).unwrap();
    }

    #[test]
    fn what_was_flushed_is_in_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = FolderWriter::create(dir.path(), &config()).unwrap();
        let records = records(1, 5_000, 1_000_000_000);
        for some in records.chunks(7) {
            writer.append(some).unwrap();
        }
        let lines = || fs::read_to_string(dir.path().join(RESPONSES)).unwrap();
        let early = lines();
        assert!(
            early.len() > PIECE && early.ends_with('\n'),
            "large pieces go out by themselves"
        );
        writer.flush().unwrap();
        let read: Vec<ResponseRecord> = lines()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(read, records);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn after_a_failed_write_every_further_one_fails() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = FolderWriter::create(dir.path(), &config()).unwrap();
        let records = records(1, 10, 1_000_000_000);
        // The disk that is always full, and then is not.
        let good = std::mem::replace(&mut writer.file, File::create("/dev/full").unwrap());
        writer.append(&records).unwrap();
        let error = writer.flush().unwrap_err().to_string();
        assert!(
            error.contains(RESPONSES) && error.contains("No space left"),
            "{error}"
        );
        writer.file = good;
        let again = writer.append(&records).unwrap_err().to_string();
        assert_eq!(again, error);
        assert_eq!(writer.flush().unwrap_err().to_string(), error);
        assert_eq!(fs::read(dir.path().join(RESPONSES)).unwrap(), b"");
    }
}
