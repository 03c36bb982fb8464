//! CSV (RFC 4180): a header line `timestamp,value` and a point a line.

use csv::{ErrorKind, Position, Reader, ReaderBuilder, StringRecord};

use crate::problem::{Code, FieldError, Loc};
use crate::timestamp::Timestamp;
use crate::{Rejection, decode};

/// The columns, as their header names them and as columns of JSON are named.
const COLUMNS: [(&str, &str); 2] = [("timestamp", "timestamps"), ("value", "values")];
/// What other writers put before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads points.
///
/// # Errors
/// As of columns of JSON, with line and column of the cell; `malformed_csv` for what are no cells.
pub fn points(body: &[u8]) -> Result<(Vec<Timestamp>, Vec<f64>), Rejection> {
    let body = unmarked(body);
    let mut reader = reader(body);
    let [time_at, value_at] = header(body, &mut reader)?;
    let (mut timestamps, mut values) = (Vec::new(), Vec::new());
    let mut record = StringRecord::new();
    while reader
        .read_record(&mut record)
        .map_err(|error| malformed(body, &error))?
    {
        let index = values.len();
        let cell = |at: usize| record.get(at).unwrap_or_default().trim();
        let refuse = |of: usize, at: usize, code: Code, reason: String| {
            let place = Place {
                line: line_at(body, record.position()),
                column: at + 1,
                name: COLUMNS[of].0,
            };
            let loc = [
                Loc::from("body"),
                Loc::from(COLUMNS[of].1),
                Loc::from(index),
            ];
            Rejection::one(code, FieldError::new(loc, place.before(&reason)))
        };
        let time = match cell(time_at) {
            "" => Err("the cell is empty: expected a time".to_owned()),
            text => Timestamp::parse(text),
        };
        let time = time.map_err(|reason| refuse(0, time_at, Code::TimestampInvalid, reason))?;
        let value = number(cell(value_at));
        let value = value.map_err(|(code, reason)| refuse(1, value_at, code, reason))?;
        timestamps.push(time);
        values.push(value);
    }
    Ok((timestamps, values))
}

/// The same as a history: times in seconds.
///
/// # Errors
/// As [`points`].
pub fn history(body: &[u8]) -> Result<(Vec<i64>, Vec<f64>), Rejection> {
    let (times, values) = points(body)?;
    let seconds = times
        .into_iter()
        .map(|time| time.ticks(1).unwrap_or(i64::MAX));
    Ok((seconds.collect(), values))
}

/// A refusal of columns that came as CSV, with the line and the column of the cell that it is about.
#[must_use]
pub fn placed(body: &[u8], mut rejection: Rejection) -> Rejection {
    let Some([Loc::Name(part), Loc::Name(field), Loc::Index(index)]) =
        rejection.errors.first().map(|error| &error.loc[..])
    else {
        return rejection;
    };
    let of = COLUMNS.iter().position(|(_, name)| name == field);
    let (Some(of), true) = (of, part == "body") else {
        return rejection;
    };
    let body = unmarked(body);
    let mut reader = reader(body);
    let Ok(places) = header(body, &mut reader) else {
        return rejection;
    };
    let Some(Ok(record)) = reader.records().nth(*index) else {
        return rejection;
    };
    let place = Place {
        line: line_at(body, record.position()),
        column: places[of] + 1,
        name: COLUMNS[of].0,
    };
    let mut error = rejection.errors.swap_remove(0);
    if !error.msg.starts_with("line ") {
        error.msg = place.before(&error.msg);
    }
    Rejection::one(rejection.code, error)
}

/// Where a cell is.
struct Place {
    line: u64,
    column: usize,
    name: &'static str,
}

impl Place {
    fn before(&self, reason: &str) -> String {
        let Self { line, column, name } = self;
        format!("line {line}, column {column} (`{name}`): {reason}")
    }
}

fn reader(body: &[u8]) -> Reader<&[u8]> {
    ReaderBuilder::new().has_headers(false).from_reader(body)
}

fn unmarked(body: &[u8]) -> &[u8] {
    body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body)
}

/// The line of what is at `position`, which is that of the blank lines before it if there are any.
fn line_at(body: &[u8], position: Option<&Position>) -> u64 {
    let Some(position) = position else { return 0 };
    let at = usize::try_from(position.byte()).unwrap_or(usize::MAX);
    let rest = body.get(at..).unwrap_or_default().iter();
    let blank = rest.take_while(|byte| matches!(byte, b'\r' | b'\n'));
    position.line() + blank.filter(|byte| **byte == b'\n').count() as u64
}

/// Where the two columns are.
fn header(body: &[u8], reader: &mut Reader<&[u8]>) -> Result<[usize; 2], Rejection> {
    let mut record = StringRecord::new();
    reader
        .read_record(&mut record)
        .map_err(|error| malformed(body, &error))?;
    let refuse = |code, name: &str, reason: String| {
        let loc = [Loc::from("body"), Loc::from(name)];
        Err(Rejection::one(code, FieldError::new(loc, reason)))
    };
    let mut places = [None; 2];
    for (at, name) in record.iter().map(str::trim).enumerate() {
        let column = at + 1;
        let Some(of) = COLUMNS.iter().position(|(known, _)| *known == name) else {
            let reason = format!(
                "line 1, column {column}: there is no column {name:?}, expected `timestamp` and `value`"
            );
            return refuse(Code::UnknownField, name, reason);
        };
        if places[of].replace(at).is_some() {
            let reason = format!("line 1, column {column}: `{name}` is there already");
            return refuse(Code::DuplicateField, name, reason);
        }
    }
    for ((name, _), place) in COLUMNS.iter().zip(places) {
        if place.is_none() {
            let reason =
                format!("line 1: the column `{name}` is missing, expected `timestamp,value`");
            return refuse(Code::MissingField, name, reason);
        }
    }
    Ok(places.map(|place| place.expect("both are there")))
}

fn number(text: &str) -> Result<f64, (Code, String)> {
    let refused = |code, reason: &str| Err((code, format!("{}: {reason}", decode::quoted(text))));
    if text.is_empty() {
        return Err((
            Code::ValueNotANumber,
            "the cell is empty: expected a number".to_owned(),
        ));
    }
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        Ok(_) => refused(Code::ValueNotFinite, "the value is not finite"),
        Err(_) => refused(Code::ValueNotANumber, "expected a number"),
    }
}

fn malformed(body: &[u8], error: &csv::Error) -> Rejection {
    let line = line_at(body, error.position());
    let reason = match error.kind() {
        ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => {
            format!("line {line}: there are {len} cells, expected {expected_len} as in the header")
        }
        ErrorKind::Utf8 { err, .. } => {
            format!(
                "line {line}, column {}: the cell is not UTF-8",
                err.field() + 1
            )
        }
        _ => format!("line {line}: {error}"),
    };
    let error = FieldError::new([Loc::from("body")], reason);
    Rejection::one(Code::MalformedCsv, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_read_in_the_forms_of_rfc_4180() {
        let time = |text: &str| Timestamp::parse(text).unwrap();
        let expected = Ok((
            vec![time("5"), time("2026-01-31T08:00:00Z")],
            vec![1.5, -2e3],
        ));
        for body in [
            "timestamp,value\n5,1.5\n2026-01-31T08:00:00Z,-2e3\n",
            "timestamp,value\r\n5,1.5\r\n2026-01-31T08:00:00Z,-2e3",
            "\u{feff}value,timestamp\n\"1.5\",\"5\"\n\n-2000, 2026-01-31T08:00:00Z \n",
        ] {
            assert_eq!(points(body.as_bytes()), expected, "{body}");
        }
        assert_eq!(points(b"timestamp,value\n"), Ok((vec![], vec![])));
    }

    #[test]
    fn what_is_wrong_is_told_with_line_and_column() {
        for (body, code, detail) in [
            (
                "",
                Code::MissingField,
                "body.timestamp: line 1: the column `timestamp` is missing",
            ),
            (
                "1,2\n3,4\n",
                Code::UnknownField,
                "body.1: line 1, column 1: there is no column \"1\"",
            ),
            (
                "timestamp,value,x\n",
                Code::UnknownField,
                "body.x: line 1, column 3: ",
            ),
            ("timestamp\n1\n", Code::MissingField, "body.value: line 1: "),
            (
                "value,value\n",
                Code::DuplicateField,
                "body.value: line 1, column 2: ",
            ),
            (
                "timestamp,value\n1,2\n3\n",
                Code::MalformedCsv,
                "body: line 3: there are 1 cells, expected 2",
            ),
            (
                "timestamp,value\n1,2\n\n3,\n",
                Code::ValueNotANumber,
                "body.values[1]: line 4, column 2 (`value`): the cell is empty",
            ),
            (
                "value,timestamp\n1,2\n3,\n",
                Code::TimestampInvalid,
                "body.timestamps[1]: line 3, column 2 (`timestamp`): the cell is empty",
            ),
            (
                "timestamp,value\n1,1e999\n",
                Code::ValueNotFinite,
                "body.values[0]: line 2, column 2 (`value`): ",
            ),
            (
                "timestamp,value\n1,NaN\n",
                Code::ValueNotFinite,
                "body.values[0]: line 2, column 2 (`value`): ",
            ),
            (
                "timestamp,value\n1,two\n",
                Code::ValueNotANumber,
                "body.values[0]: line 2, column 2 (`value`): ",
            ),
            (
                "timestamp,value\n-1,2\n",
                Code::TimestampInvalid,
                "body.timestamps[0]: line 2, column 1 (`timestamp`): ",
            ),
        ] {
            let refused = points(body.as_bytes()).unwrap_err();
            assert_eq!(refused.code, code, "{body:?}");
            assert!(
                refused.detail.starts_with(detail),
                "{body:?}: {}",
                refused.detail
            );
        }
        let bytes = [&b"timestamp,value\n1,"[..], b"\xff", b"\n"].concat();
        let refused = points(&bytes).unwrap_err();
        assert_eq!(
            refused.detail,
            "body: line 2, column 2: the cell is not UTF-8"
        );
    }

    #[test]
    fn what_is_found_later_is_placed() {
        let body = b"value,timestamp\n1,5\n\n\"2\",4\n";
        let loc = [Loc::from("body"), Loc::from("timestamps"), Loc::from(1)];
        let error = FieldError::new(loc, "4 is not above 5");
        let rejection = Rejection::one(Code::TimestampsNotIncreasing, error);
        let told = placed(body, rejection.clone());
        assert_eq!(
            told.detail,
            "body.timestamps[1]: line 4, column 2 (`timestamp`): 4 is not above 5"
        );
        assert_eq!(placed(body, told.clone()), told, "once");
        let other = Rejection::new(Code::UnknownSeries, "no");
        assert_eq!(placed(body, other.clone()), other);
    }
}
