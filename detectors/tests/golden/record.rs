//! What is recorded of a model, and where: bytes in a file of each, hashes and scores in one of all.
//!
//! Both were made by
//!
//! ```text
//! TIDEMARK_WRITE_GOLDEN=1 cargo test -p detectors --test golden
//! ```
//!
//! which writes what is not there yet: what a release has written is never written again.

use std::path::{Path, PathBuf};

use detectors::envelope::{self, digest_hex};
use detectors::{MAGIC, Score};
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) name: String,
    pub(crate) model_hash: String,
    pub(crate) scores: Vec<ScoreRecord>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ScoreRecord {
    pub(crate) timestamp: i64,
    pub(crate) value: f64,
    pub(crate) anomaly: bool,
    pub(crate) anomaly_score: f64,
    pub(crate) p_value: f64,
    pub(crate) expected: f64,
    pub(crate) lower: f64,
    pub(crate) upper: f64,
}

impl ScoreRecord {
    pub(crate) fn of(timestamp: i64, value: f64, score: &Score) -> Self {
        Self {
            timestamp,
            value,
            anomaly: score.anomaly,
            anomaly_score: score.anomaly_score,
            p_value: score.p_value,
            expected: score.expected,
            lower: score.lower,
            upper: score.upper,
        }
    }
}

/// The hash that a reply tells of a model's bytes.
pub(crate) fn hash_of(bytes: &[u8]) -> String {
    digest_hex(&envelope::open(MAGIC, bytes).unwrap().digest)
}

/// A file of the folder of this test.
pub(crate) fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

/// The records of a file.
pub(crate) fn read(name: &str) -> Vec<Record> {
    serde_json::from_str(&std::fs::read_to_string(file(name)).unwrap()).unwrap()
}

/// The bytes recorded of a model.
pub(crate) fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(file(name)).unwrap()
}

/// Where it is asked for and there are none yet, writes models as they are fitted today, each with
/// its record.
pub(crate) fn write_new(records: &str, models: impl Iterator<Item = (String, Vec<u8>, Record)>) {
    if std::env::var_os("TIDEMARK_WRITE_GOLDEN").is_none() || file(records).exists() {
        return;
    }
    let write = |(name, bytes, record): (String, Vec<u8>, Record)| {
        std::fs::write(file(&name), bytes).unwrap();
        record
    };
    let all: Vec<Record> = models.map(write).collect();
    let text = serde_json::to_string_pretty(&all).unwrap();
    std::fs::write(file(records), text + "\n").unwrap();
}
