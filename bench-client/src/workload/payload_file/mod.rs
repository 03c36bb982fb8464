//! Payloads from a file instead of made-up ones: CSV with a point a row, or JSON with a payload a
//! line. Every line is read and checked before anything is sent.
//!
//! CSV has a header with the columns `timestamp` (Unix seconds or RFC 3339) and `value`, and may
//! have `series_id`. A line of JSON is a body of the contract, told by its fields (`timestamps` and
//! `values`, or `timestamp` and `value`) and perhaps a `series_id` besides; or, for any server,
//! `{"method":"POST","path":"/predict/x?version=1","body":{…}}`.
//!
//! Payloads that name no series are spread over the run's own in turn.

mod json;
mod rows;

use std::collections::BTreeMap;

use super::Prepared;
use super::error::WorkloadError;
use super::generated::{Generated, Kind};
use super::wire::Wire;
use crate::load::response::Op;
use crate::results::config::{PayloadFile, Share};

/// What a file has.
#[derive(Debug)]
pub struct Payloads {
    file: PayloadFile,
    payloads: Vec<Payload>,
}

#[derive(Debug, PartialEq)]
struct Payload {
    to: Recipient,
    /// JSON, or a point a line for [`Op::Ndjson`].
    body: Option<String>,
    points: u32,
}

#[derive(Debug, PartialEq)]
enum Recipient {
    /// A series of the run, in turn.
    Turn(Kind),
    /// A series that the payload names.
    Series(Kind, String),
    /// What the payload says.
    Custom { method: String, path: String },
}

/// What payloads without a method are sent as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Reading {
    /// Those of one point.
    one: Option<Kind>,
    /// Those of many.
    many: Option<Kind>,
}

/// Number of a line, from 1, and what is wrong with it.
type BadLine = (u64, String);

impl Payloads {
    /// Reads and checks a file whose payloads are to be sent as `ops`.
    ///
    /// # Errors
    /// When it cannot be read or has nothing in it, `ops` do not say how to send a payload, or
    /// a line is none; the first such line is named.
    pub fn read(path: &str, ops: &[Op]) -> Result<Self, WorkloadError> {
        let whole = |reason| WorkloadError::File {
            path: path.to_owned(),
            reason,
        };
        let reading = Reading::of(ops).map_err(whole)?;
        let bytes = std::fs::read(path).map_err(|reason| WorkloadError::Unreadable {
            path: path.to_owned(),
            reason,
        })?;
        let payloads = parse(&bytes, is_json(path, &bytes), reading);
        let payloads = payloads.map_err(|(line, reason)| WorkloadError::Line {
            path: path.to_owned(),
            line,
            reason,
        })?;
        if payloads.is_empty() {
            return Err(whole("there is no payload in it".to_owned()));
        }
        Ok(Self {
            file: PayloadFile {
                path: path.to_owned(),
                blake3: blake3::hash(&bytes).to_hex().to_string(),
                payloads: payloads.len() as u64,
            },
            payloads,
        })
    }

    /// The payloads that a configuration names.
    pub(super) fn configured(file: &PayloadFile, mix: &[Share]) -> Result<Self, WorkloadError> {
        let ops: Vec<Op> = mix.iter().map(|share| share.op).collect();
        let read = Self::read(&file.path, &ops)?;
        if read.file.blake3 == file.blake3 {
            Ok(read)
        } else {
            Err(WorkloadError::File {
                path: file.path.clone(),
                reason: "it has changed since this run was configured".to_owned(),
            })
        }
    }

    /// How a configuration refers to the file.
    #[must_use]
    pub fn file(&self) -> &PayloadFile {
        &self.file
    }

    /// How many payloads of each kind there are.
    #[must_use]
    pub fn mix(&self) -> Vec<Share> {
        let mut counts = BTreeMap::new();
        for payload in &self.payloads {
            *counts.entry(payload.to.op()).or_insert(0_u32) += 1;
        }
        let share = |(op, weight)| Share { op, weight };
        counts.into_iter().map(share).collect()
    }

    /// Whether there are payloads that name no series.
    #[must_use]
    pub fn use_series(&self) -> bool {
        self.turns().next().is_some()
    }

    /// Whether some of those are predictions, which need a model.
    #[must_use]
    pub fn need_fits(&self) -> bool {
        self.turns()
            .any(|kind| matches!(kind, Kind::Predict | Kind::Columns))
    }

    /// How many of `series` series of the run are to be fitted before it.
    pub(super) fn to_fit(&self, series: u32) -> u64 {
        if self.need_fits() {
            u64::from(series).min(self.turns().count() as u64)
        } else {
            0
        }
    }

    /// The requests, in the order of the file.
    pub(super) fn requests(&self, wire: &Wire, generated: &Generated) -> Vec<Prepared> {
        let mut turn = 0;
        let requests = self.payloads.iter().map(|payload| {
            let Payload { to, body, points } = payload;
            let text = body.as_deref().unwrap_or_default();
            match to {
                Recipient::Turn(kind) => {
                    turn += 1;
                    generated.with_body(*kind, turn - 1, text, *points)
                }
                Recipient::Series(kind, id) => wire.about(kind.op(), id, text, *points),
                Recipient::Custom { method, path } => {
                    wire.custom(method, path, body.as_deref(), *points)
                }
            }
        });
        requests.collect()
    }

    fn turns(&self) -> impl Iterator<Item = Kind> + '_ {
        self.payloads.iter().filter_map(|payload| match payload.to {
            Recipient::Turn(kind) => Some(kind),
            Recipient::Series(..) | Recipient::Custom { .. } => None,
        })
    }
}

impl Recipient {
    fn new(kind: Kind, series: Option<String>) -> Self {
        match series {
            Some(id) => Self::Series(kind, id),
            None => Self::Turn(kind),
        }
    }

    fn op(&self) -> Op {
        match self {
            Self::Turn(kind) | Self::Series(kind, _) => kind.op(),
            Self::Custom { .. } => Op::Custom,
        }
    }
}

impl Reading {
    fn of(ops: &[Op]) -> Result<Self, String> {
        let mut reading = Self::default();
        for op in ops {
            let (place, kind) = match op {
                Op::Predict => (&mut reading.one, Kind::Predict),
                Op::Update => (&mut reading.one, Kind::Update),
                Op::Fit => (&mut reading.many, Kind::Fit),
                Op::Columns => (&mut reading.many, Kind::Columns),
                Op::Ndjson => (&mut reading.many, Kind::Ndjson),
                Op::Custom => continue,
                Op::Health => {
                    return Err("a health check has no payload to read from a file".to_owned());
                }
            };
            if let Some(other) = place.replace(kind) {
                return Err(format!(
                    "its payloads could be sent as {other:?} or {kind:?}: name one of them"
                ));
            }
        }
        Ok(reading)
    }
}

/// By the file's name, or else by how it begins.
fn is_json(path: &str, bytes: &[u8]) -> bool {
    let extension = std::path::Path::new(path).extension();
    match extension.and_then(|e| e.to_str()) {
        Some("jsonl" | "ndjson" | "json") => true,
        Some("csv") => false,
        _ => {
            let begins = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
            // An array is no payload, and no header of CSV either.
            matches!(begins, Some(b'{' | b'['))
        }
    }
}

fn parse(bytes: &[u8], is_json: bool, reading: Reading) -> Result<Vec<Payload>, BadLine> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let lines = bytes[..error.valid_up_to()].split(|byte| *byte == b'\n');
        (lines.count() as u64, "it is not UTF-8".to_owned())
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if is_json {
        json::parse(text, reading)
    } else {
        rows::parse(text, reading)
    }
}

#[cfg(test)]
mod tests;
