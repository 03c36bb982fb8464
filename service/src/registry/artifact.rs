//! Versions as files: export one, import one as the next version of a series.

use std::sync::Arc;

use compact_str::CompactString;
use detectors::envelope::{self, digest_hex};

use super::fit::{Fitting, index_of};
use super::lookup::find;
use super::model::model_digest;
use super::{Registry, RegistryError};
use crate::store::artifact::{Artifact, MAGIC};
use crate::store::{StoreError, VersionSelector};

/// A version as a file.
pub struct Exported {
    /// Its number.
    pub version: u64,
    /// The file.
    pub bytes: Vec<u8>,
    /// The file's own checksum, as its entity tag has it.
    pub digest: String,
}

impl Registry {
    /// A version with its training points as a file: the same version gives the same bytes for ever.
    ///
    /// # Errors
    /// As [`Registry::model`].
    pub async fn export(
        &self,
        series: &str,
        selector: VersionSelector,
    ) -> Result<Exported, RegistryError> {
        let (store, name) = (Arc::clone(&self.store), CompactString::from(series));
        let read = move || {
            let mut stored = find(&*store, &name, selector)?;
            let version = stored.version;
            let inline = stored.record.training.take();
            let damaged = |what: &str, reason: String| StoreError::Damaged {
                key: format!("{name} version {version}{what}"),
                reason,
            };
            let training = match inline {
                Some(inline) => inline,
                None => store
                    .training(&name, version)?
                    .ok_or_else(|| damaged(" (training points)", "they are missing".into()))?,
            };
            let artifact = Artifact {
                record: stored.record,
                training,
            };
            let bytes = artifact.seal();
            let sealed = envelope::open(MAGIC, &bytes);
            let sealed = sealed.map_err(|error| damaged("", error.to_string()))?;
            let digest = digest_hex(&sealed.digest);
            Ok(Exported {
                version,
                bytes,
                digest,
            })
        };
        self.reads.run(read).await
    }
}

/// The version that a file has, ready to be stored as the next one of a series. Pure CPU work.
///
/// # Errors
/// What is wrong with the file.
pub fn import(
    bytes: &[u8],
    most_points: usize,
    now_ms: i64,
    set_alias: Option<CompactString>,
) -> Result<Fitting, RegistryError> {
    let invalid = RegistryError::InvalidArtifact;
    let (artifact, fitted) = Artifact::open(bytes, most_points).map_err(invalid)?;
    let Artifact {
        mut record,
        training,
    } = artifact;
    let digest = model_digest(&record.model).map_err(|error| invalid(error.to_string()))?;
    record.metadata.imported_at_ms = Some(now_ms);
    let index = index_of(&record);
    let mut fitting = Fitting {
        fitted,
        digest,
        points_used: usize::try_from(record.points_used).unwrap_or(usize::MAX),
        trained_from: record.trained_from,
        trained_to: record.trained_to,
        set_alias,
        record: Vec::new(),
        training: None,
        index,
    };
    fitting.place(record, training);
    Ok(fitting)
}
