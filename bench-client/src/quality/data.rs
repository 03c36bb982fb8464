//! One labelled series: `timestamp,value,label`, plain or gzipped CSV.
//!
//! A timestamp is Unix seconds, or a date and time (`2014-04-01 00:05:00`, `2014-04-01T00:05:00Z`),
//! UTC where it names no offset; fractions of a second are dropped. Timestamps may repeat or go back:
//! that is in real data, and it is the fit that leaves such rows out. A label is 0 or 1.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::columns::{Columns, field};
use super::error::QualityError;

/// A series with a label for every row; all columns of the same length.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LabelledSeries {
    /// Unix seconds, in the order of the file.
    pub timestamps: Vec<i64>,
    /// Finite values.
    pub values: Vec<f64>,
    /// Whether each row is anomalous.
    pub labels: Vec<bool>,
}

impl LabelledSeries {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is no row at all.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

/// Reads a series; `.gz` at the end of the name says that it is gzipped.
///
/// # Errors
/// A file that cannot be read, or the first line that is not a timestamp, a finite number and a label.
pub fn read(path: &Path) -> Result<LabelledSeries, QualityError> {
    let file = File::open(path).map_err(QualityError::read(path))?;
    let file = BufReader::new(file);
    let source: Box<dyn Read> = if path.extension().is_some_and(|extension| extension == "gz") {
        Box::new(MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    };
    let mut reader = csv::Reader::from_reader(source);
    let columns = Columns::of(path, &mut reader)?;
    let [timestamp, value, label] = [
        columns.required("timestamp")?,
        columns.required("value")?,
        columns.required("label")?,
    ];
    let mut series = LabelledSeries::default();
    let mut record = csv::StringRecord::new();
    while reader
        .read_record(&mut record)
        .map_err(|error| QualityError::csv(path, error))?
    {
        let text = field(&record, timestamp);
        let time = unix_seconds(text).filter(|&seconds| seconds >= 0);
        series.timestamps.push(time.ok_or_else(|| {
            let what = "Unix seconds or a date and time, not before 1970";
            columns.wrong(&record, timestamp, text, what)
        })?);
        let number: f64 = columns.parse(&record, value, "a number")?;
        if !number.is_finite() {
            let text = field(&record, value);
            return Err(columns.wrong(&record, value, text, "a finite number"));
        }
        series.values.push(number);
        series.labels.push(match field(&record, label) {
            "0" => false,
            "1" => true,
            other => return Err(columns.wrong(&record, label, other, "0 or 1")),
        });
    }
    Ok(series)
}

/// Unix seconds of a timestamp in either form.
pub(super) fn unix_seconds(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse() {
        return Some(seconds);
    }
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some(timestamp.as_second());
    }
    let date_time: DateTime = text.parse().ok()?;
    let zoned = date_time.to_zoned(TimeZone::UTC).ok()?;
    Some(zoned.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_come_as_seconds_or_as_date_and_time() {
        for text in [
            "1396310700",
            "2014-04-01 00:05:00",
            "2014-04-01T00:05:00",
            "2014-04-01 00:05:00.000000",
            "2014-04-01T00:05:00.999Z",
            "2014-04-01T02:05:00+02:00",
        ] {
            assert_eq!(unix_seconds(text), Some(1_396_310_700), "{text}");
        }
        for text in ["", "yesterday", "2014-13-01 00:00:00", "1e9"] {
            assert_eq!(unix_seconds(text), None, "{text}");
        }
    }
}
