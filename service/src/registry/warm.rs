//! Which models were in memory, as bytes, and reading them back: a guess that saves first look-ups
//! after a restart, never anything that an answer depends on.

use std::sync::Arc;

use compact_str::CompactString;
use detectors::envelope;
use serde::{Deserialize, Serialize};

use super::lookup::find;
use super::{Registry, ServedModel};
use crate::store::VersionSelector;

const MAGIC: [u8; 4] = *b"TWRM";
const FORMAT: u16 = 1;

/// A model by what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// The series.
    pub series: CompactString,
    /// The version; none for the latest.
    pub version: Option<u64>,
}

/// The models in memory, those used lately first, as bytes that tell whether they are whole.
#[must_use]
pub fn seal(wanted: &[Wanted]) -> Vec<u8> {
    let payload = postcard::to_stdvec(wanted).expect("plain data serialises into memory");
    envelope::seal(MAGIC, FORMAT, 0, &payload)
}

/// Opens sealed names of models.
///
/// # Errors
/// A sentence that says what is wrong with the bytes.
pub fn open(bytes: &[u8]) -> Result<Vec<Wanted>, String> {
    let sealed = envelope::open(MAGIC, bytes).map_err(|error| error.to_string())?;
    if sealed.format != FORMAT {
        return Err(format!(
            "its format is {}, known is {FORMAT}",
            sealed.format
        ));
    }
    postcard::from_bytes(sealed.payload).map_err(|error| error.to_string())
}

impl Registry {
    /// The models in memory, those used lately first.
    #[must_use]
    pub fn in_memory(&self) -> Vec<Wanted> {
        self.cache.wanted()
    }

    /// Reads a model into memory, if it is not there and there is room for it; whether it was. What
    /// cannot be read is left to the request that asks for it, which says why. Blocks.
    #[must_use]
    pub fn warm(&self, wanted: &Wanted) -> bool {
        let (series, epoch) = (&wanted.series, self.cache.epoch(&wanted.series));
        if !self.cache.has_room() || self.cache.holds(wanted) {
            return false;
        }
        let selector = match wanted.version {
            None => VersionSelector::Latest,
            Some(version) => VersionSelector::Exactly(version),
        };
        let Ok(stored) = find(&*self.store, series, selector) else {
            return false;
        };
        let Ok(model) = ServedModel::from_stored(series, &stored) else {
            return false;
        };
        let model = Arc::new(model);
        match selector {
            VersionSelector::Latest => self.cache.offer_latest(series, model, epoch),
            VersionSelector::Exactly(_) => self.cache.offer_older(series, model, epoch),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use detectors::Params;

    use super::*;
    use crate::registry::{FitJob, RegistryOptions};
    use crate::store::training::TrainingPoints;
    use crate::store::{EmbeddedOptions, EmbeddedStore};

    fn registry(folder: &Path, model_cache_bytes: usize) -> Registry {
        let store = EmbeddedStore::open(&EmbeddedOptions::at(folder)).unwrap();
        let options = RegistryOptions {
            min_training_points: 3,
            model_cache_bytes,
        };
        Registry::new(Arc::new(store), options)
    }

    async fn fit(registry: &Registry, series: &str) {
        let job = FitJob {
            points: TrainingPoints {
                timestamps: vec![1, 2, 3],
                values: vec![1.0, 2.0, 4.0],
            },
            params: Params::default(),
            fitted_at_ms: 0,
            set_alias: None,
            labels: None,
        };
        let mut fitting = job.run(&registry.options()).unwrap();
        registry.store(series, &mut fitting).await.unwrap();
    }

    #[tokio::test]
    async fn what_was_in_memory_is_there_again_before_anybody_asks() {
        let folder = tempfile::tempdir().unwrap();
        let before = registry(folder.path(), 1 << 20);
        for series in ["a", "b", "b"] {
            fit(&before, series).await;
        }
        let first = VersionSelector::Exactly(1);
        before.model("b", first).await.unwrap();
        let sealed = seal(&before.in_memory());
        before.close();
        drop(before);

        let after = registry(folder.path(), 1 << 20);
        assert!(after.cache().is_empty(), "nothing is loaded by itself");
        let mut wanted = open(&sealed).unwrap();
        assert_eq!(wanted.len(), 3);
        wanted.push(Wanted {
            series: "nobody".into(),
            version: None,
        });
        let n_warm = wanted.iter().filter(|wanted| after.warm(wanted)).count();
        assert_eq!(n_warm, 3);
        for (series, selector, version) in [
            ("a", VersionSelector::Latest, 1),
            ("b", VersionSelector::Latest, 2),
            ("b", first, 1),
        ] {
            let model = after.resident(series, selector).expect("it is in memory");
            assert_eq!(model.version, version);
        }
        assert!(
            !wanted.iter().any(|wanted| after.warm(wanted)),
            "once is enough"
        );
    }

    #[tokio::test]
    async fn no_more_is_read_than_there_is_room_for() {
        let folder = tempfile::tempdir().unwrap();
        let before = registry(folder.path(), 1 << 20);
        for i in 0..200 {
            fit(&before, &i.to_string()).await;
        }
        let (wanted, bytes) = (before.in_memory(), before.cache().bytes());
        assert_eq!(wanted.len(), 200);
        before.close();
        drop(before);
        let after = registry(folder.path(), bytes / 2);
        let n_warm = wanted.iter().filter(|wanted| after.warm(wanted)).count();
        assert!((50..100).contains(&n_warm), "{n_warm}");
        assert!(!after.cache().is_over_budget());
    }

    #[test]
    fn damaged_bytes_are_refused() {
        let wanted = Wanted {
            series: "a".into(),
            version: Some(7),
        };
        let sealed = seal(&[wanted]);
        for i in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[i] ^= 1;
            assert!(open(&damaged).is_err(), "byte {i}");
            assert!(open(&sealed[..i]).is_err(), "the first {i} bytes");
        }
    }
}
