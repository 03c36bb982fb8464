//! Columns as CSV (RFC 4180): the names that a point has them by in JSON, and numbers as JSON writes them.

use api::VerdictColumns;
use bytes::Bytes;
use csv::{Terminator, Writer, WriterBuilder};
use serde::Serialize;

/// Bytes of a row, as it usually is.
const ROW_BYTES: usize = 160;

/// The rows of the columns that are there, with their names before them.
pub(super) fn written(verdicts: &VerdictColumns<'_>) -> Bytes {
    let columns = [
        ("timestamp", verdicts.timestamps.map(Column::Integers)),
        ("value", verdicts.values.map(Column::Numbers)),
        ("anomaly", flags(&verdicts.anomaly)),
        ("anomaly_score", numbers(&verdicts.anomaly_score)),
        ("p_value", numbers(&verdicts.p_value)),
        ("severity", numbers(&verdicts.severity)),
        ("expected_value", numbers(&verdicts.expected_value)),
        ("lower_bound", numbers(&verdicts.lower_bound)),
        ("upper_bound", numbers(&verdicts.upper_bound)),
        ("direction", words(&verdicts.direction)),
        ("status", words(&verdicts.status)),
        ("tail_extrapolated", flags(&verdicts.tail_extrapolated)),
    ];
    let columns = columns.into_iter();
    let there = columns.filter_map(|(name, column)| Some((name, column?)));
    let columns: Vec<(&str, Column<'_>)> = there.collect();
    rows(verdicts.n_points, &columns).expect("memory takes all that is written")
}

enum Column<'a> {
    Integers(&'a [i64]),
    Numbers(&'a [f64]),
    Flags(&'a [bool]),
    Words(&'a [&'static str]),
}

impl Column<'_> {
    fn write(&self, row: usize, cell: &mut Vec<u8>) {
        match self {
            Self::Integers(column) => number(&column[row], cell),
            Self::Numbers(column) => number(&column[row], cell),
            Self::Flags(column) => number(&column[row], cell),
            Self::Words(column) => cell.extend_from_slice(column[row].as_bytes()),
        }
    }
}

fn number(value: &impl Serialize, cell: &mut Vec<u8>) {
    serde_json::to_writer(cell, value).expect("numbers serialise");
}

fn rows(n: usize, columns: &[(&str, Column<'_>)]) -> csv::Result<Bytes> {
    let written = Vec::with_capacity((n + 1) * ROW_BYTES);
    let mut writer: Writer<Vec<u8>> = WriterBuilder::new()
        .terminator(Terminator::CRLF)
        .from_writer(written);
    writer.write_record(columns.iter().map(|(name, _)| name))?;
    let mut cell = Vec::new();
    for row in 0..n {
        for (_, column) in columns {
            cell.clear();
            column.write(row, &mut cell);
            writer.write_field(&cell)?;
        }
        writer.write_record(None::<&[u8]>)?;
    }
    let written = writer.into_inner().map_err(|error| error.into_error())?;
    Ok(written.into())
}

fn numbers(column: &Option<Vec<f64>>) -> Option<Column<'_>> {
    column.as_deref().map(Column::Numbers)
}

fn flags(column: &Option<Vec<bool>>) -> Option<Column<'_>> {
    column.as_deref().map(Column::Flags)
}

fn words<'a>(column: &'a Option<Vec<&'static str>>) -> Option<Column<'a>> {
    column.as_deref().map(Column::Words)
}
