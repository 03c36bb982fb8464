//! A model ready to score with.

use std::sync::atomic::{AtomicBool, Ordering};

use detectors::envelope::{self, EnvelopeError};
use detectors::{Fitted, MAGIC};

use crate::store::{StoreError, StoredVersion};

/// What the envelope of a model's bytes says of them.
pub(super) fn model_digest(bytes: &[u8]) -> Result<[u8; 16], EnvelopeError> {
    Ok(envelope::open(MAGIC, bytes)?.digest)
}

/// One version of one series, decoded. Small on purpose: a million of these are in memory.
pub struct ServedModel {
    /// The version's number.
    pub version: u64,
    /// The model.
    pub fitted: Fitted,
    /// What the envelope of the model's bytes says of them; shown as `model_hash`.
    pub digest: [u8; 16],
    /// Set by every use, cleared by the cache when it looks for models to drop.
    pub(super) used: AtomicBool,
}

impl ServedModel {
    /// A model as it was just fitted; `bytes` are its own sealed bytes.
    pub(super) fn new(version: u64, fitted: Fitted, digest: [u8; 16]) -> Self {
        Self {
            version,
            fitted,
            digest,
            used: AtomicBool::new(true),
        }
    }

    /// Decodes a stored version.
    pub(super) fn from_stored(series: &str, stored: &StoredVersion) -> Result<Self, StoreError> {
        let bytes = &stored.record.model;
        let damaged = |reason: String| StoreError::Damaged {
            key: format!("{series} version {}", stored.version),
            reason,
        };
        let fitted = Fitted::decode(bytes).map_err(|error| damaged(error.to_string()))?;
        Ok(Self::new(
            stored.version,
            fitted,
            model_digest(bytes).map_err(|error| damaged(error.to_string()))?,
        ))
    }

    pub(super) fn mark_used(&self) {
        // A plain load first: a store by every predict would move the line between cores.
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn is_used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }

    /// Bytes this model holds, itself included.
    pub(super) fn size_bytes(&self) -> usize {
        size_of::<Self>() + self.fitted.heap_bytes()
    }
}
