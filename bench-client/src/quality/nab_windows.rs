//! The labelled windows of the NAB score: JSON, `{"group/name.csv": [["first time", "last time"], …]}`
//! as in NAB's `combined_windows.json`.

use std::collections::BTreeMap;
use std::path::Path;

use super::data::unix_seconds;
use super::error::QualityError;

/// Windows by the name of their series, as first and last time in Unix seconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NabWindows(BTreeMap<String, Vec<(i64, i64)>>);

impl NabWindows {
    /// The windows of a series, `None` where the file does not name it.
    pub fn of(&self, series: &str) -> Option<&[(i64, i64)]> {
        self.0.get(series).map(Vec::as_slice)
    }
}

/// Reads the windows.
///
/// # Errors
/// A file that cannot be read, or is not of this form; or a time that is none.
pub fn read(path: &Path) -> Result<NabWindows, QualityError> {
    let text = std::fs::read(path).map_err(QualityError::read(path))?;
    let parsed: BTreeMap<String, Vec<(String, String)>> =
        serde_json::from_slice(&text).map_err(|error| {
            QualityError::line(
                path,
                error.line() as u64,
                format!("not NAB windows: {error}"),
            )
        })?;
    let mut windows = BTreeMap::new();
    for (series, times) in parsed {
        let seconds = |(first, last): &(String, String)| {
            let both = unix_seconds(first).zip(unix_seconds(last));
            both.ok_or_else(|| {
                let line = line_of(&text, first);
                let reason = format!("{first:?} and {last:?} of {series} are not both times");
                QualityError::line(path, line, reason)
            })
        };
        let times: Result<Vec<_>, _> = times.iter().map(seconds).collect();
        windows.insert(series, times?);
    }
    Ok(NabWindows(windows))
}

/// The line on which a string of the file first stands.
fn line_of(text: &[u8], string: &str) -> u64 {
    let quoted = format!("{string:?}");
    let at = text
        .windows(quoted.len())
        .position(|part| part == quoted.as_bytes());
    let before = &text[..at.unwrap_or(0)];
    1 + before.iter().filter(|byte| **byte == b'\n').count() as u64
}
