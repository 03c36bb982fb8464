//! The bytes of the store: keys, and sealed values with a format version and a checksum.
//!
//! | keyspace | key | value |
//! |---|---|---|
//! | `versions` | series, 0x00, version (u64, big endian) | sealed [`VersionRecord`] |
//! | `heads` | series | sealed [`Head`](super::head::Head): which numbers were given, which versions remain |
//! | `heads` | 0x00, `deleted`, 0x00, series | sealed number: versions up to it are yet to be removed |
//! | `training` | as in `versions` | sealed training points (see `training`) |
//! | `heads` | 0x00, `series` | sealed number of distinct series |
//! | `meta` | `format` | sealed number: the store's format |
//!
//! Online states are in two keyspaces of their own (see `state`), aliases in one (see `aliases`),
//! answers by idempotency key in one (see `request`); what series are found by is in three more (see `index`).
//!
//! No byte of a series id is 0x00, so no series' keys are a prefix of another's.

use api::feedback::FeedbackObeyed;
use detectors::envelope;
use serde::{Deserialize, Serialize};

use super::index::Labels;

/// The format of the store as a whole. Raised when an older release could not read it rightly. A new
/// keyspace does not raise it while nothing is released.
///
/// 1: heads were the number of the latest version, and all versions up to it were there. 2: versions may
/// be deleted.
pub const STORE_FORMAT: u16 = 2;

/// Where `heads` has the number of distinct series; no series has this id. It is not in `meta`,
/// because a table that is hardly written holds up the end of every journal it wrote to.
pub const SERIES_COUNT_KEY: &str = "\0series";

const RECORD_MAGIC: [u8; 4] = *b"TVER";
const NUMBER_MAGIC: [u8; 4] = *b"TNUM";
const RECORD_FORMAT: u16 = 2;
const NUMBER_FORMAT: u16 = 1;

/// What is stored for one version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VersionRecord {
    /// Wall clock of the fit, milliseconds since 1970.
    pub fitted_at_ms: i64,
    /// Points the model was fitted on.
    pub points_used: u64,
    /// First timestamp of the training data, Unix seconds.
    pub trained_from: i64,
    /// Last timestamp of the training data, Unix seconds.
    pub trained_to: i64,
    /// The model's own sealed bytes.
    pub model: Vec<u8>,
    /// The sealed training points, unless they are stored on their own.
    pub training: Option<Vec<u8>>,
    /// What is told of the version and decides no score.
    pub metadata: Metadata,
}

/// What is told of a version and decides no score. Records of format 1 have none of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metadata {
    /// The labels that its fit named, if it named any.
    pub labels: Option<Labels>,
    /// What its fit was asked for, as far as the model does not tell it.
    pub parameters: Option<Box<FitParameters>>,
    /// Wall clock of its import, milliseconds since 1970, if it was fitted elsewhere.
    pub imported_at_ms: Option<i64>,
    /// Points that its fit treated as feedback says, if the series had any.
    pub feedback: Option<FeedbackObeyed>,
}

/// What a fit was asked for, defaults filled in. Alarm rate, direction and time unit are the model's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FitParameters {
    /// The model that was asked for, `auto` among them.
    pub model: String,
    /// Width of the band in standard deviations, if it was given so.
    pub sigma: Option<f64>,
    /// Smallest deviation that may alarm: in the unit of the series, and as a share of the expected value.
    pub min_deviation: (f64, f64),
    /// Periods that were named; none where they were to be found.
    pub periods: Option<Vec<i64>>,
    /// Zone whose clock the seasons follow.
    pub timezone: String,
    /// Stretches left out of the history, both ends included.
    pub exclude: Vec<(i64, i64)>,
}

/// Format 1: without metadata.
#[derive(Deserialize)]
struct RecordOfFormat1 {
    fitted_at_ms: i64,
    points_used: u64,
    trained_from: i64,
    trained_to: i64,
    model: Vec<u8>,
    training: Option<Vec<u8>>,
}

impl From<RecordOfFormat1> for VersionRecord {
    fn from(record: RecordOfFormat1) -> Self {
        Self {
            fitted_at_ms: record.fitted_at_ms,
            points_used: record.points_used,
            trained_from: record.trained_from,
            trained_to: record.trained_to,
            model: record.model,
            training: record.training,
            metadata: Metadata::default(),
        }
    }
}

impl VersionRecord {
    /// The moment from which the version counts as there, by the clock of the host it was stored on.
    #[must_use]
    pub fn since_ms(&self) -> i64 {
        self.metadata.imported_at_ms.unwrap_or(self.fitted_at_ms)
    }

    /// Seals the record.
    #[must_use]
    pub fn seal(&self) -> Vec<u8> {
        let payload = postcard::to_stdvec(self).expect("plain data serialises into memory");
        envelope::seal(RECORD_MAGIC, RECORD_FORMAT, 0, &payload)
    }

    /// Opens a sealed record.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the bytes.
    pub fn open(bytes: &[u8]) -> Result<Self, String> {
        let sealed = envelope::open(RECORD_MAGIC, bytes).map_err(|error| error.to_string())?;
        match sealed.format {
            1 => postcard::from_bytes::<RecordOfFormat1>(sealed.payload).map(Self::from),
            RECORD_FORMAT => postcard::from_bytes(sealed.payload),
            format => {
                return Err(format!(
                    "its format is {format}, known are those up to {RECORD_FORMAT}"
                ));
            }
        }
        .map_err(|error| error.to_string())
    }
}

/// The key of a version, or of another number of a series.
#[must_use]
pub fn version_key(series: &str, version: u64) -> Vec<u8> {
    let mut key = Vec::with_capacity(series.len() + 9);
    key.extend_from_slice(series.as_bytes());
    key.push(0);
    key.extend_from_slice(&version.to_be_bytes());
    key
}

/// What a key of [`version_key`] is made of.
pub(super) fn series_and_number(key: &[u8]) -> Option<(String, u64)> {
    let (series, number) = key.split_last_chunk::<8>()?;
    let series = series.strip_suffix(&[0])?;
    let series = String::from_utf8_lossy(series).into_owned();
    Some((series, u64::from_be_bytes(*number)))
}

/// Seals a number.
#[must_use]
pub fn seal_number(number: u64) -> Vec<u8> {
    envelope::seal(NUMBER_MAGIC, NUMBER_FORMAT, 0, &number.to_le_bytes())
}

/// Opens a sealed number.
///
/// # Errors
/// A sentence that says what is wrong with the bytes.
pub fn open_number(bytes: &[u8]) -> Result<u64, String> {
    let sealed = envelope::open(NUMBER_MAGIC, bytes).map_err(|error| error.to_string())?;
    if sealed.format != NUMBER_FORMAT {
        return Err(format!(
            "its format is {}, known is {NUMBER_FORMAT}",
            sealed.format
        ));
    }
    sealed
        .payload
        .try_into()
        .map(u64::from_le_bytes)
        .map_err(|_| "it is not a number".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> VersionRecord {
        VersionRecord {
            fitted_at_ms: 1_769_846_400_123,
            points_used: 3,
            trained_from: 1,
            trained_to: 3,
            model: vec![1, 2, 3],
            training: Some(vec![9; 40]),
            metadata: Metadata {
                labels: Some([("site".into(), "north".into())].into()),
                parameters: Some(Box::new(FitParameters {
                    model: "auto".into(),
                    sigma: None,
                    min_deviation: (0.5, 0.0),
                    periods: Some(vec![24]),
                    timezone: "UTC".into(),
                    exclude: vec![(1, 2)],
                })),
                imported_at_ms: Some(7),
                feedback: None,
            },
        }
    }

    /// The bytes of a record as releases before wrote it.
    #[test]
    fn a_record_of_format_1_is_read() {
        #[derive(Serialize)]
        struct Old(i64, u64, i64, i64, Vec<u8>, Option<Vec<u8>>);
        let new = record();
        let old = Old(
            new.fitted_at_ms,
            3,
            1,
            3,
            new.model.clone(),
            new.training.clone(),
        );
        let sealed = envelope::seal(RECORD_MAGIC, 1, 0, &postcard::to_stdvec(&old).unwrap());
        let metadata = Metadata::default();
        assert_eq!(
            VersionRecord::open(&sealed).unwrap(),
            VersionRecord { metadata, ..new }
        );
        let newer = envelope::seal(RECORD_MAGIC, 3, 0, &postcard::to_stdvec(&old).unwrap());
        assert!(
            VersionRecord::open(&newer)
                .unwrap_err()
                .contains("format is 3")
        );
    }

    #[test]
    fn records_and_numbers_come_back() {
        assert_eq!(VersionRecord::open(&record().seal()).unwrap(), record());
        assert_eq!(open_number(&seal_number(u64::MAX)).unwrap(), u64::MAX);
    }

    #[test]
    fn every_flipped_bit_and_every_truncation_is_noticed() {
        let sealed = record().seal();
        for bit in 0..sealed.len() * 8 {
            let mut damaged = sealed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(VersionRecord::open(&damaged).is_err(), "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert!(
                VersionRecord::open(&sealed[..length]).is_err(),
                "length {length}"
            );
        }
    }

    #[test]
    fn no_key_is_a_prefix_of_another_series_keys() {
        assert!(!version_key("ab", 1).starts_with(&version_key("a", 1)[..2]));
        assert!(
            version_key("a", 1) < version_key("a", 2)
                && version_key("a", 255) < version_key("a", 256)
        );
    }
}
