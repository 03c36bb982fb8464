//! What became of each point: its latency, and the log with a row a point.

use std::io;
use std::path::Path;

use jiff::Timestamp;

use crate::load::response::{OutcomeClass, ResponseRecord};

/// The columns of a log.
pub const FIELDS: [&str; 4] = ["request_id", "timestamp_ms", "latency_ms", "status_code"];

/// A point and what became of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Item {
    /// Its number, from 0.
    pub request_id: u64,
    /// When it arrived, in milliseconds since 1970.
    pub timestamp_ms: f64,
    /// From its arrival to the end of the reply that has its answer, or to the failure.
    pub latency_ms: f64,
    /// The status of that reply; −1 without one.
    pub status_code: i32,
}

impl Item {
    /// Whether it was answered.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        (200..300).contains(&self.status_code)
    }
}

/// The points of `responses`, each of which carried `batch` of them. Points arrive in equal distances
/// of `every_ns`, and a request was meant to be sent when its last point was there.
#[must_use]
pub fn items(
    responses: &[ResponseRecord],
    batch: usize,
    every_ns: f64,
    started_at: Timestamp,
) -> Vec<Item> {
    let start_ms = started_at.as_nanosecond() as f64 / 1e6;
    let mut responses: Vec<_> = responses.iter().collect();
    responses.sort_unstable_by_key(|response| response.index);
    let of_response = |response: &&ResponseRecord| {
        let status_code = match (response.class, response.status) {
            (OutcomeClass::TimedOut | OutcomeClass::Transport, _) | (_, None) => -1,
            (_, Some(status)) => i32::from(status),
        };
        let (index, intended) = (response.index, response.intended_ns as f64);
        let latency = response.last_ns.saturating_sub(response.intended_ns) as f64;
        (0..batch).map(move |member| {
            let waited = (batch - 1 - member) as f64 * every_ns;
            Item {
                request_id: index * batch as u64 + member as u64,
                timestamp_ms: start_ms + (intended - waited) / 1e6,
                latency_ms: (latency + waited) / 1e6,
                status_code,
            }
        })
    };
    responses.iter().flat_map(of_response).collect()
}

/// The log: a row a point under [`FIELDS`].
///
/// # Errors
/// When it cannot be written.
pub fn log(items: &[Item], to: impl io::Write) -> csv::Result<()> {
    let mut csv = csv::Writer::from_writer(to);
    csv.write_record(FIELDS)?;
    for item in items {
        csv.write_record([
            item.request_id.to_string(),
            format!("{:.3}", item.timestamp_ms),
            format!("{:.6}", item.latency_ms),
            item.status_code.to_string(),
        ])?;
    }
    csv.flush()?;
    Ok(())
}

/// Reads a log back.
///
/// # Errors
/// When a field that is required is missing, or is no number.
pub fn read(log: impl io::Read) -> Result<Vec<Item>, String> {
    let mut csv = csv::Reader::from_reader(log);
    let head = csv.headers().map_err(|error| error.to_string())?.clone();
    let column = |name: &str| {
        let column = head.iter().position(|field| field == name);
        column.ok_or_else(|| format!("the log has no field {name}"))
    };
    let mut columns = [0; FIELDS.len()];
    for (column_of, name) in columns.iter_mut().zip(FIELDS) {
        *column_of = column(name)?;
    }
    let rows = csv.records().map(|row| {
        let row = row.map_err(|error| error.to_string())?;
        let number = |n: usize| -> Result<f64, String> {
            let text = &row[columns[n]];
            text.parse()
                .map_err(|_| format!("{}: `{text}` is no number", FIELDS[n]))
        };
        Ok(Item {
            request_id: number(0)? as u64,
            timestamp_ms: number(1)?,
            latency_ms: number(2)?,
            status_code: number(3)? as i32,
        })
    });
    rows.collect()
}

/// Writes a log to a file.
///
/// # Errors
/// When it cannot be written.
pub fn write(items: &[Item], path: &Path) -> io::Result<()> {
    let mut text = Vec::new();
    log(items, &mut text)?;
    crate::report::atomic::write(path, &text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::tests::records;

    fn response(index: u64, intended_ms: u64, last_ms: u64, status: Option<u16>) -> ResponseRecord {
        ResponseRecord {
            index,
            intended_ns: intended_ms * 1_000_000,
            last_ns: last_ms * 1_000_000,
            class: status.map_or(OutcomeClass::Transport, OutcomeClass::of_status),
            status,
            ..records(1, 1, 1_000_000_000).remove(0)
        }
    }

    #[test]
    fn the_wait_for_a_batch_to_fill_counts() {
        let responses = [
            response(1, 50, 57, Some(200)),
            response(0, 20, 25, Some(503)),
        ];
        let start = "1970-01-01T00:00:01Z".parse().unwrap();
        let items = items(&responses, 3, 10e6, start);
        let latencies: Vec<f64> = items.iter().map(|item| item.latency_ms).collect();
        assert_eq!(latencies, [25.0, 15.0, 5.0, 27.0, 17.0, 7.0]);
        let arrivals: Vec<f64> = items.iter().map(|item| item.timestamp_ms).collect();
        assert_eq!(arrivals, [1000.0, 1010.0, 1020.0, 1030.0, 1040.0, 1050.0]);
        let ids: Vec<u64> = items.iter().map(|item| item.request_id).collect();
        assert_eq!(ids, [0, 1, 2, 3, 4, 5]);
        let ok: Vec<bool> = items.iter().map(Item::is_ok).collect();
        assert_eq!(ok, [false, false, false, true, true, true]);
    }

    #[test]
    fn a_log_has_a_row_a_member_and_minus_one_without_a_reply() {
        let responses = [response(0, 0, 5, None), response(1, 10, 15, Some(200))];
        let items = items(&responses, 2, 1e6, Timestamp::UNIX_EPOCH);
        let mut text = Vec::new();
        log(&items, &mut text).unwrap();
        let lines = String::from_utf8(text.clone()).unwrap();
        let lines: Vec<_> = lines.lines().collect();
        assert_eq!(lines[0], "request_id,timestamp_ms,latency_ms,status_code");
        assert_eq!(lines[1], "0,-1.000,6.000000,-1");
        assert_eq!((lines[4], lines.len()), ("3,10.000,5.000000,200", 5));
        assert_eq!(read(text.as_slice()).unwrap(), items);
        let without = "request_id,timestamp_ms,status_code\n1,2,200\n";
        let refused = read(without.as_bytes()).unwrap_err();
        assert_eq!(refused, "the log has no field latency_ms");
    }
}
