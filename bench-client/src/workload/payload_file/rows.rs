//! CSV, a point a row.

use jiff::Timestamp;

use super::{BadLine, Payload, Reading, Recipient};

pub(super) fn parse(text: &str, reading: Reading) -> Result<Vec<Payload>, BadLine> {
    let kind = reading.one.ok_or_else(|| {
        let wanted = "CSV has a point a row, which is sent as predict or update; write many points as JSON, a body a line";
        (1, wanted.to_owned())
    })?;
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let headers = reader.headers().map_err(bad_row)?.clone();
    let column = |name: &str| headers.iter().position(|h| h.eq_ignore_ascii_case(name));
    let needed = |name: &str| {
        column(name).ok_or_else(|| {
            let wanted = "expected a header with timestamp, value and perhaps series_id, or JSON with an object a line";
            (1, format!("there is no column `{name}`: {wanted}"))
        })
    };
    let (timestamp, value) = (needed("timestamp")?, needed("value")?);
    let series = column("series_id");
    let mut payloads = Vec::new();
    for row in reader.records() {
        let row = row.map_err(bad_row)?;
        let line = row.position().map_or(0, csv::Position::line);
        let cell = |column: usize| row.get(column).unwrap_or_default();
        let wrong = |cell: &str, wanted: &str| (line, format!("`{cell}`: expected {wanted}"));
        let time = cell(timestamp);
        let digits = time.parse::<i64>().is_ok();
        if !digits && time.parse::<Timestamp>().is_err() {
            let wanted = "Unix seconds or a date-time such as 2026-01-31T12:00:00Z";
            return Err(wrong(time, wanted));
        }
        let number: Option<f64> = cell(value).parse().ok().filter(|v: &f64| v.is_finite());
        let number = number.ok_or_else(|| wrong(cell(value), "a finite number"))?;
        let id = series.map(cell);
        if id == Some("") {
            return Err((line, "there is no series_id".to_owned()));
        }
        payloads.push(Payload {
            to: Recipient::new(kind, id.map(str::to_owned)),
            body: Some(format!(r#"{{"timestamp":"{time}","value":{number}}}"#)),
            points: 1,
        });
    }
    Ok(payloads)
}

fn bad_row(error: csv::Error) -> BadLine {
    let line = error.position().map_or(1, csv::Position::line);
    (line, error.to_string())
}
