//! Find a version: in memory without waiting, or in the store on a blocking thread.

use std::sync::Arc;

use super::{Registry, RegistryError, ServedModel};
use crate::store::training::TrainingPoints;
use crate::store::{Found, Store, StoreError, StoredVersion, VersionSelector};

impl Registry {
    /// The model, if it is in memory. Never waits.
    #[must_use]
    pub fn resident(&self, series: &str, selector: VersionSelector) -> Option<Arc<ServedModel>> {
        let model = match selector {
            VersionSelector::Latest => self.cache.latest(series),
            VersionSelector::Exactly(version) => self.cache.version(series, version),
        };
        if model.is_some() {
            self.cache.count_hit();
        }
        model
    }

    /// The model, from memory or from the store.
    ///
    /// # Errors
    /// When the series or version is not known, its record is damaged, or the store cannot be read.
    pub async fn model(
        &self,
        series: &str,
        selector: VersionSelector,
    ) -> Result<Arc<ServedModel>, RegistryError> {
        if let Some(model) = self.resident(series, selector) {
            return Ok(model);
        }
        self.cache.count_miss();
        let (store, cache, name) = (
            Arc::clone(&self.store),
            Arc::clone(&self.cache),
            series.to_owned(),
        );
        on_blocking_thread(&*self.store, move || {
            let epoch = cache.epoch();
            let stored = find(&*store, &name, selector)?;
            let model = Arc::new(ServedModel::from_stored(&name, &stored)?);
            match selector {
                VersionSelector::Latest => cache.offer_latest(&name, Arc::clone(&model), epoch),
                VersionSelector::Exactly(_) => cache.offer_older(&name, Arc::clone(&model)),
            }
            if cache.is_over_budget() {
                cache.evict();
            }
            Ok(model)
        })
        .await
    }

    /// A version's model and the points it was trained on.
    ///
    /// # Errors
    /// As [`Registry::model`].
    pub async fn training(
        &self,
        series: &str,
        selector: VersionSelector,
    ) -> Result<(ServedModel, TrainingPoints), RegistryError> {
        let (store, name) = (Arc::clone(&self.store), series.to_owned());
        on_blocking_thread(&*self.store, move || {
            let stored = find(&*store, &name, selector)?;
            let model = ServedModel::from_stored(&name, &stored)?;
            let points = training_of(&*store, &name, &stored)?;
            Ok((model, points))
        })
        .await
    }
}

/// The training points of a version, from its record or from beside it.
pub(super) fn training_of(
    store: &dyn Store,
    series: &str,
    stored: &StoredVersion,
) -> Result<TrainingPoints, StoreError> {
    let damaged = |reason: String| StoreError::Damaged {
        key: format!("{series} version {} (training points)", stored.version),
        reason,
    };
    let sealed = match &stored.record.training {
        Some(inline) => inline.clone(),
        None => store
            .training(series, stored.version)?
            .ok_or_else(|| damaged("they are missing".into()))?,
    };
    TrainingPoints::open(&sealed).map_err(damaged)
}

pub(super) fn find(
    store: &dyn Store,
    series: &str,
    selector: VersionSelector,
) -> Result<StoredVersion, RegistryError> {
    match (store.version(series, selector)?, selector) {
        (Found::Version(stored), _) => Ok(stored),
        (Found::NoSuchVersion { latest }, VersionSelector::Exactly(version)) => {
            Err(RegistryError::UnknownVersion {
                series: series.to_owned(),
                version,
                latest,
            })
        }
        (Found::NoSuchVersion { .. }, VersionSelector::Latest) | (Found::NoSuchSeries, _) => {
            Err(RegistryError::UnknownSeries(series.to_owned()))
        }
    }
}

/// Runs `read` where it may wait for the disk or for a lock.
///
/// While reads of `store` hang, no more are begun: each would hold a thread and a request until it
/// recovers. Those that were begun show when it does.
pub(super) async fn on_blocking_thread<T: Send + 'static>(
    store: &dyn Store,
    read: impl FnOnce() -> Result<T, RegistryError> + Send + 'static,
) -> Result<T, RegistryError> {
    let waits = store.waits();
    if waits.reads_hang() {
        let seconds = waits.read.as_secs();
        let reason = format!("a read has been going on for {seconds} s");
        return Err(StoreError::Unavailable(reason).into());
    }
    tokio::task::spawn_blocking(read)
        .await
        .map_err(|_| RegistryError::WorkerLost)?
}
