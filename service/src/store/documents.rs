//! Documents: small records of a series that are no versions, such as jobs and feedback.
//!
//! | keyspace | key | value |
//! |---|---|---|
//! | `documents` | kind, 0x00, series, 0x00, id | sealed bytes of the kind |
//!
//! The kind comes first: all of a kind are read at a start without those of others. What a series has is the prefixes
//! of [`DocumentKind::prefix`], one a kind.

use std::collections::BTreeMap;

use compact_str::CompactString;
use detectors::envelope;

use super::reading;
use super::{PutError, StoreError};

const MAGIC: [u8; 4] = *b"TDOC";
const FORMAT: u16 = 1;

/// What a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DocumentKind {
    /// What is told of a backtest.
    Backtest,
    /// What the report of a backtest draws.
    BacktestCharts,
    /// A label that a user gave.
    Feedback,
}

impl DocumentKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Backtest, Self::BacktestCharts, Self::Feedback];

    /// The kind as keys have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Backtest => "backtest",
            Self::BacktestCharts => "backtest_charts",
            Self::Feedback => "feedback",
        }
    }

    /// What the keys of all documents of this kind of `series` begin with.
    #[must_use]
    pub fn prefix(self, series: &str) -> Vec<u8> {
        [self.as_str().as_bytes(), b"\0", series.as_bytes(), b"\0"].concat()
    }

    fn key(self, series: &str, id: &str) -> Vec<u8> {
        let mut key = self.prefix(series);
        key.extend_from_slice(id.as_bytes());
        key
    }
}

/// A document as it is read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The series.
    pub series: CompactString,
    /// Its id among those of its kind and series.
    pub id: CompactString,
    /// What it says, or what is wrong with its record.
    pub body: Result<Vec<u8>, String>,
}

/// Changes of documents of one series, made together.
#[derive(Clone, Debug)]
pub struct DocumentPut {
    /// The series; a valid id.
    pub series: CompactString,
    /// The life of the series that they are of; `None` to write them whatever became of it.
    pub life: Option<u64>,
    /// What is written, a document a line.
    pub writes: Vec<DocumentWrite>,
}

/// One document to be written or removed.
#[derive(Clone, Debug)]
pub struct DocumentWrite {
    /// What it is.
    pub kind: DocumentKind,
    /// Its id; without the byte 0x00.
    pub id: CompactString,
    /// What it says from now on; `None` removes it, and it need not be there.
    pub body: Option<Vec<u8>>,
}

/// Called once, as a [`super::Completion`].
pub type DocumentCompletion = Box<dyn FnOnce(Result<(), PutError>) + Send>;

impl DocumentPut {
    /// Bytes it takes.
    pub(super) fn size(&self) -> usize {
        let bodies = self.writes.iter().filter_map(|write| write.body.as_ref());
        bodies.map(Vec::len).sum()
    }
}

fn seal(body: &[u8]) -> Vec<u8> {
    envelope::seal(MAGIC, FORMAT, 0, body)
}

/// The body of a sealed record.
///
/// # Errors
/// A sentence that says what is wrong with the bytes.
pub fn open(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let sealed = envelope::open(MAGIC, bytes).map_err(|error| error.to_string())?;
    if sealed.format != FORMAT {
        return Err(format!(
            "its format is {}, known is {FORMAT}",
            sealed.format
        ));
    }
    Ok(sealed.payload.to_vec())
}

/// Kind, series and id of a key; `None` of one that is none.
pub(super) fn parts_of(key: &[u8]) -> Option<(DocumentKind, &str, &str)> {
    let text = std::str::from_utf8(key).ok()?;
    let (kind, rest) = text.split_once('\0')?;
    let (series, id) = rest.split_once('\0')?;
    let kind = DocumentKind::ALL
        .into_iter()
        .find(|known| known.as_str() == kind)?;
    (!series.is_empty() && !id.is_empty() && !id.contains('\0')).then_some((kind, series, id))
}

pub(super) fn read(
    table: &fjall::Keyspace,
    kind: DocumentKind,
    series: &str,
    id: &str,
) -> Result<Option<Vec<u8>>, StoreError> {
    let name = || format!("{series} ({} {id})", kind.as_str());
    let bytes = table.get(kind.key(series, id));
    let bytes = bytes.map_err(|error| reading::failed(&name(), &error))?;
    let body = bytes.map(|bytes| open(&bytes)).transpose();
    body.map_err(|reason| reading::damaged(&name(), reason))
}

/// Documents of a kind in the order of series and ids, those after a key: of one series, or of all.
pub(super) fn read_all(
    table: &fjall::Keyspace,
    kind: DocumentKind,
    (series, after): (Option<&str>, Option<&str>),
    limit: usize,
) -> Result<Vec<Document>, StoreError> {
    let prefix = match series {
        Some(series) => kind.prefix(series),
        None => [kind.as_str().as_bytes(), b"\0"].concat(),
    };
    let mut from = prefix.clone();
    if let Some(after) = after {
        from.extend_from_slice(after.as_bytes());
        from.push(0);
    }
    let of = series.unwrap_or("all series");
    let mut found = Vec::new();
    for record in table.range(from..) {
        if found.len() == limit {
            break;
        }
        let record = record.into_inner();
        let (key, bytes) = record
            .map_err(|error| reading::failed(&format!("{of} ({}s)", kind.as_str()), &error))?;
        if !key.starts_with(&prefix) {
            break;
        }
        let Some((_, series, id)) = parts_of(&key) else {
            continue;
        };
        found.push(Document {
            series: series.into(),
            id: id.into(),
            body: open(&bytes),
        });
    }
    Ok(found)
}

/// What one batch changes. A batch may not write and remove one key: the last change of each counts.
#[derive(Default)]
pub(super) struct DocumentWrites<'a> {
    changed: BTreeMap<Vec<u8>, Option<&'a [u8]>>,
}

impl<'a> DocumentWrites<'a> {
    pub(super) fn add(&mut self, put: &'a DocumentPut) {
        for write in &put.writes {
            let key = write.kind.key(&put.series, &write.id);
            self.changed.insert(key, write.body.as_deref());
        }
    }

    pub(super) fn write(self, write: &mut fjall::OwnedWriteBatch, table: &fjall::Keyspace) {
        for (key, body) in self.changed {
            match body {
                Some(body) => write.insert(table, key, seal(body)),
                None => write.remove(table, key),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_and_every_truncation_is_noticed() {
        let sealed = seal(b"{\"status\":\"queued\"}");
        assert_eq!(open(&sealed).unwrap(), b"{\"status\":\"queued\"}");
        for bit in 0..sealed.len() * 8 {
            let mut damaged = sealed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&damaged).is_err(), "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert!(open(&sealed[..length]).is_err(), "length {length}");
        }
    }

    #[test]
    fn keys_have_three_parts() {
        let key = DocumentKind::Feedback.key("acme/s", "1");
        assert_eq!(
            parts_of(&key),
            Some((DocumentKind::Feedback, "acme/s", "1"))
        );
        for bad in [
            &b"feedback"[..],
            b"feedback\0s",
            b"feedback\0s\0",
            b"x\0s\x001",
            b"feedback\0\x001",
        ] {
            assert_eq!(parts_of(bad), None, "{bad:?}");
        }
    }
}
