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
        life: None,
        record: Vec::new(),
        training: None,
        index,
    };
    fitting.place(record, training);
    Ok(fitting)
}

#[cfg(test)]
mod tests {
    use detectors::{MODELS, Params};
    use proptest::prelude::*;

    use super::*;
    use crate::registry::{FitJob, RegistryOptions, ServedModel};
    use crate::store::training::TrainingPoints;
    use crate::store::{StoredVersion, VersionRecord};

    const OPTIONS: RegistryOptions = RegistryOptions {
        min_training_points: 3,
        model_cache_bytes: 1 << 20,
    };

    /// What is stored of a version, with its points in it.
    fn stored(fitting: &mut Fitting) -> VersionRecord {
        let mut record = VersionRecord::open(&fitting.record).unwrap();
        let apart = fitting.training.take();
        record.training = apart.or_else(|| record.training.take());
        record
    }

    fn file_of(mut record: VersionRecord) -> Vec<u8> {
        let training = record.training.take().unwrap();
        Artifact { record, training }.seal()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(42))]

        /// Of every model: what is imported scores every point, to the last bit, as what was exported, and keeps all
        /// that is told of it; exported again, it is the same but for the time of its import.
        #[test]
        fn an_imported_version_scores_as_the_one_that_was_exported(
            model in prop::sample::select(MODELS), noise in prop::collection::vec(-1.0..1.0_f64, 64..200), step in 1_i64..4_000,
            asked in prop::collection::vec((0_i64..1_000_000_000, -1e6..1e6_f64), 1..40), label in "[a-z]{1,4}"
        ) {
            let n = noise.len() as i64;
            let values = noise.iter().enumerate().map(|(i, noise)| 50.0 + (i % 12) as f64 + noise);
            let job = FitJob {
                points: TrainingPoints { timestamps: (0..n).map(|i| step * i).collect(), values: values.collect() },
                params: Params { model: Some((*model).to_owned()), ..Params::default() },
                fitted_at_ms: 1_769_846_400_123,
                set_alias: None,
                labels: Some([(label.into(), "x".into())].into()),
            };
            // Some models need more points than there are.
            let Ok(mut fitting) = job.run(&OPTIONS) else { return Ok(()) };
            let ours = stored(&mut fitting);
            let file = file_of(ours.clone());
            let mut imported = import(&file, noise.len(), 7, None).unwrap();
            prop_assert_eq!(imported.digest, fitting.digest);
            prop_assert_eq!(&imported.index.labels, &ours.metadata.labels);
            prop_assert_eq!(imported.index.since_ms, 7);
            let theirs = stored(&mut imported);
            let read = |record: &VersionRecord| {
                ServedModel::from_stored("s", &StoredVersion { version: 1, record: record.clone() }).unwrap().fitted
            };
            let (here, there) = (read(&ours), read(&theirs));
            for (time, value) in asked {
                let bits = |fitted: &detectors::Fitted| {
                    let score = fitted.score(time, value);
                    [score.p_value, score.anomaly_score, score.expected, score.lower, score.upper].map(f64::to_bits)
                };
                prop_assert_eq!(bits(&here), bits(&there), "{} at {}", model, time);
            }
            let mut again = theirs.clone();
            prop_assert_eq!(again.metadata.imported_at_ms.take(), Some(7));
            prop_assert_eq!(file_of(again), file);
        }
    }
}
