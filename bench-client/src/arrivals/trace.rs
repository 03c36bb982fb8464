//! Arrivals replayed from a file: a line an arrival, either seconds since the start, or CSV with a
//! column `timestamp` in Unix seconds or RFC 3339, counted from the first.

use std::io;
use std::sync::Arc;

use jiff::Timestamp;

use super::NS_PER_S;
use crate::results::config::Arrivals;

/// Arrivals of a file, in nanoseconds since the run's start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    path: String,
    blake3: String,
    moments: Arc<[u64]>,
}

/// Why a file is no trace.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// It cannot be read.
    #[error("cannot read the trace {path}: {reason}")]
    Unreadable {
        /// The path as it was given.
        path: String,
        /// Why.
        #[source]
        reason: io::Error,
    },
    /// A line is no moment, or comes before the one before it.
    #[error("{path}:{line}: {reason}")]
    Line {
        /// The path as it was given.
        path: String,
        /// From 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// It has no arrivals.
    #[error("{path}: there is no arrival in it")]
    Empty {
        /// The path as it was given.
        path: String,
    },
    /// It is not the file that the configuration was made from.
    #[error("{path}: it has changed since this run was configured")]
    Changed {
        /// The path as it was given.
        path: String,
    },
}

impl Trace {
    /// Reads a trace. Blank lines, and lines that begin with `#`, are passed over where there is no
    /// CSV header.
    ///
    /// # Errors
    /// When it cannot be read, has no arrival, or a line that is no moment or out of order.
    pub fn read(path: &str) -> Result<Self, TraceError> {
        let bytes = std::fs::read(path).map_err(|reason| TraceError::Unreadable {
            path: path.to_owned(),
            reason,
        })?;
        let moments = parse(&bytes).map_err(|(line, reason)| TraceError::Line {
            path: path.to_owned(),
            line,
            reason,
        })?;
        if moments.is_empty() {
            return Err(TraceError::Empty {
                path: path.to_owned(),
            });
        }
        Ok(Self {
            path: path.to_owned(),
            blake3: blake3::hash(&bytes).to_hex().to_string(),
            moments: moments.into(),
        })
    }

    /// The trace that `arrivals` names, if they are one.
    ///
    /// # Errors
    /// As [`Trace::read`], and when the file is not the one that was configured.
    pub fn of(arrivals: &Arrivals) -> Result<Option<Self>, TraceError> {
        let Arrivals::Trace { path, blake3, .. } = arrivals else {
            return Ok(None);
        };
        let trace = Self::read(path)?;
        if trace.blake3 == *blake3 {
            Ok(Some(trace))
        } else {
            Err(TraceError::Changed { path: path.clone() })
        }
    }

    /// How a configuration refers to it.
    #[must_use]
    pub fn arrivals(&self) -> Arrivals {
        Arrivals::Trace {
            path: self.path.clone(),
            blake3: self.blake3.clone(),
            arrivals: self.moments.len() as u64,
        }
    }

    pub(super) fn moments(&self) -> Replayed {
        Replayed {
            moments: Arc::clone(&self.moments),
            next: 0,
        }
    }
}

#[derive(Debug)]
pub(super) struct Replayed {
    moments: Arc<[u64]>,
    next: usize,
}

impl Iterator for Replayed {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        self.nth(0)
    }

    fn nth(&mut self, skipped: usize) -> Option<u64> {
        let at = self.next.saturating_add(skipped);
        self.next = at.saturating_add(1);
        self.moments.get(at).copied()
    }
}

type BadLine = (u64, String);

fn parse(bytes: &[u8]) -> Result<Vec<u64>, BadLine> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let lines = bytes[..error.valid_up_to()].split(|byte| *byte == b'\n');
        (lines.count() as u64, "it is not UTF-8".to_owned())
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let header = text.lines().next().unwrap_or_default();
    let is_column = |name: &str| {
        name.trim()
            .trim_matches('"')
            .eq_ignore_ascii_case("timestamp")
    };
    if header.split(',').any(is_column) {
        from_csv(text)
    } else {
        from_lines(text)
    }
}

fn from_lines(text: &str) -> Result<Vec<u64>, BadLine> {
    let mut moments = Vec::new();
    for (line, content) in (1..).zip(text.lines()) {
        let content = content.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let seconds: f64 = content.parse().map_err(|_| {
            let wanted = "expected seconds since the start, or a header with a column `timestamp`";
            (line, format!("`{content}`: {wanted}"))
        })?;
        if !(0.0..=1e9).contains(&seconds) {
            return Err((line, format!("`{content}`: expected seconds from 0 to 1e9")));
        }
        push(&mut moments, (seconds * NS_PER_S).round() as i128, line)?;
    }
    Ok(moments)
}

fn from_csv(text: &str) -> Result<Vec<u64>, BadLine> {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let headers = reader.headers().map_err(bad_row)?;
    let column = headers
        .iter()
        .position(|name| name.eq_ignore_ascii_case("timestamp"))
        .ok_or_else(|| (1, "there is no column `timestamp`".to_owned()))?;
    let mut moments = Vec::new();
    let mut first = None;
    for row in reader.records() {
        let row = row.map_err(bad_row)?;
        let line = row.position().map_or(0, csv::Position::line);
        let cell = row.get(column).unwrap_or_default();
        let at = moment(cell).ok_or_else(|| {
            let wanted = "expected Unix seconds or a date-time such as 2026-01-31T12:00:00Z";
            (line, format!("`{cell}`: {wanted}"))
        })?;
        let first = *first.get_or_insert(at);
        push(&mut moments, at - first, line)?;
    }
    Ok(moments)
}

/// Nanoseconds since the epoch.
fn moment(cell: &str) -> Option<i128> {
    if let Ok(seconds) = cell.parse::<i64>() {
        return Some(i128::from(seconds) * 1_000_000_000);
    }
    if let Ok(seconds) = cell.parse::<f64>() {
        // A double has some hundred nanoseconds of this century's Unix seconds.
        let plausible = seconds.is_finite() && seconds.abs() < 1e11;
        return plausible.then_some((seconds * NS_PER_S).round() as i128);
    }
    cell.parse::<Timestamp>().ok().map(Timestamp::as_nanosecond)
}

fn push(moments: &mut Vec<u64>, at: i128, line: u64) -> Result<(), BadLine> {
    let last = moments.last().copied().unwrap_or(0);
    let at = u64::try_from(at).ok().filter(|at| *at >= last);
    let at = at.ok_or_else(|| (line, "it is before the line before it".to_owned()))?;
    moments.push(at);
    Ok(())
}

fn bad_row(error: csv::Error) -> BadLine {
    let line = error.position().map_or(1, csv::Position::line);
    (line, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Trace, TraceError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t");
        std::fs::write(&path, text).unwrap();
        Trace::read(path.to_str().unwrap())
    }

    fn moments(text: &str) -> Vec<u64> {
        read(text).unwrap().moments().collect()
    }

    fn error(text: &str) -> String {
        read(text).unwrap_err().to_string()
    }

    #[test]
    fn offsets_are_seconds_since_the_start() {
        let text = "# recorded on Monday\n0.5\n\n0.5\r\n1\n2.000000001\n";
        let ns = [500_000_000, 500_000_000, 1_000_000_000, 2_000_000_001];
        assert_eq!(moments(text), ns);
    }

    #[test]
    fn timestamps_count_from_the_first() {
        let unix = "value,timestamp\n1,1700000000\n2,1700000001\n3,1700000003\n";
        assert_eq!(moments(unix), [0, 1_000_000_000, 3_000_000_000]);
        let dates = "\u{feff}Timestamp\n2026-01-31T12:00:00Z\n2026-01-31T13:00:00.25+01:00\n";
        assert_eq!(moments(dates), [0, 250_000_000]);
        let fractions = "timestamp\n1700000000.0\n1700000000.5\n";
        assert_eq!(moments(fractions), [0, 500_000_000]);
    }

    #[test]
    fn a_bad_line_is_named() {
        assert!(error("0\n1\nx\n").contains("t:3: `x`: expected seconds"));
        assert!(error("0\n\n2\n1\n").ends_with("t:4: it is before the line before it"));
        assert!(error("-1\n").contains("t:1: `-1`"));
        assert!(error("NaN\n").contains("t:1: `NaN`"));
        assert!(error("timestamp\n5\n4\n").ends_with("t:3: it is before the line before it"));
        assert!(error("timestamp\n\"a\nb\"\n").contains("t:2:"));
        assert!(error("timestamp,v\n1,2\n3\n").contains("t:3:"));
        assert!(error("timestamp\n").ends_with("there is no arrival in it"));
        assert!(error("").ends_with("there is no arrival in it"));
    }

    #[test]
    fn another_file_under_the_same_name_is_not_replayed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t");
        std::fs::write(&path, "0\n1\n").unwrap();
        let path_text = path.to_str().unwrap();
        let configured = Trace::read(path_text).unwrap();
        let arrivals = configured.arrivals();
        assert_eq!(Trace::of(&arrivals).unwrap(), Some(configured));
        std::fs::write(&path, "0\n2\n").unwrap();
        let error = Trace::of(&arrivals).unwrap_err();
        assert!(matches!(error, TraceError::Changed { .. }), "{error}");
        assert_eq!(Trace::of(&Arrivals::Constant { per_s: 1.0 }).unwrap(), None);
    }
}
