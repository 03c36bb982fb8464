//! CSV by the names of its columns, with the file and the line in every error.

use std::path::Path;
use std::str::FromStr;

use csv::StringRecord;

use super::error::QualityError;

/// Where the columns of a file are.
pub(super) struct Columns<'a> {
    path: &'a Path,
    header: StringRecord,
}

impl<'a> Columns<'a> {
    /// Reads the header; errors name the file.
    pub(super) fn of<R: std::io::Read>(
        path: &'a Path,
        reader: &mut csv::Reader<R>,
    ) -> Result<Self, QualityError> {
        let header = reader
            .headers()
            .map_err(|error| QualityError::csv(path, error))?;
        let header = header.iter().map(str::trim).collect();
        Ok(Self { path, header })
    }

    /// All columns, in their order.
    pub(super) fn names(&self) -> Vec<String> {
        self.header.iter().map(str::to_owned).collect()
    }

    /// Index of a column that must be there.
    pub(super) fn required(&self, name: &str) -> Result<usize, QualityError> {
        self.optional(name).ok_or_else(|| {
            let present: Vec<&str> = self.header.iter().collect();
            let reason = format!("no column {name:?}; there are {}", present.join(","));
            QualityError::line(self.path, 1, reason)
        })
    }

    /// Index of a column that may be there.
    pub(super) fn optional(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|column| column == name)
    }

    /// A field as a value; `what` says what it should have been.
    pub(super) fn parse<T: FromStr>(
        &self,
        record: &StringRecord,
        column: usize,
        what: &str,
    ) -> Result<T, QualityError> {
        let text = field(record, column);
        text.parse()
            .map_err(|_| self.wrong(record, column, text, what))
    }

    /// The error for a field that is not what it should be.
    pub(super) fn wrong(
        &self,
        record: &StringRecord,
        column: usize,
        text: &str,
        what: &str,
    ) -> QualityError {
        let name = self.header.get(column).unwrap_or("");
        let reason = format!("{name} is {text:?}, expected {what}");
        QualityError::line(self.path, line(record), reason)
    }
}

/// A field without the blanks around it, empty where the record has none.
pub(super) fn field(record: &StringRecord, column: usize) -> &str {
    record.get(column).unwrap_or("").trim()
}

/// Line of a record, counted from 1.
pub(super) fn line(record: &StringRecord) -> u64 {
    record.position().map_or(1, csv::Position::line)
}
