//! Find a version: in memory without waiting, or in the store on a blocking thread.

use std::sync::Arc;

use compact_str::CompactString;

use super::cache::{Epoch, ModelCache, version_key};
use super::reads::Boarded;
use super::{Registry, RegistryError, ServedModel};
use crate::store::training::TrainingPoints;
use crate::store::{Found, Store, StoreError, StoredVersion, VersionSelector};

impl Registry {
    /// The model, if it is in memory. Never waits.
    #[must_use]
    pub fn resident(&self, series: &str, selector: VersionSelector) -> Option<Arc<ServedModel>> {
        let model = self.peek(series, selector);
        if model.is_some() {
            self.cache.count_hit();
        }
        model
    }

    /// As [`Registry::resident`], for who only wants to know what it is: no hit is counted.
    #[must_use]
    pub fn peek(&self, series: &str, selector: VersionSelector) -> Option<Arc<ServedModel>> {
        match selector {
            VersionSelector::Latest => self.cache.latest(series),
            VersionSelector::Exactly(version) => self.cache.version(series, version),
        }
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
        // What another began to read before this look-up may have failed for what has come since:
        // then once more, by a read that began later.
        match self.fly(series, selector).await {
            (true, Err(_)) => self.fly(series, selector).await.1,
            (_, outcome) => outcome,
        }
    }

    /// The model as one read tells it, and whether somebody else began that read.
    async fn fly(
        &self,
        series: &str,
        selector: VersionSelector,
    ) -> (bool, Result<Arc<ServedModel>, RegistryError>) {
        let epoch = self.cache.epoch(series);
        let key = match selector {
            VersionSelector::Latest => CompactString::from(series),
            VersionSelector::Exactly(version) => version_key(series, version),
        };
        match self.flights.board(key, epoch.number()) {
            Boarded::Waits(waiting) => (true, waiting.wait().await),
            Boarded::Reads(landing, waiting) => {
                let (reads, cache) = (Arc::clone(&self.reads), Arc::clone(&self.cache));
                let (store, name) = (Arc::clone(&self.store), CompactString::from(series));
                // A task of its own: it goes on when the caller hangs up, for those who wait, too.
                tokio::spawn(async move {
                    let read = move || load(&*store, &cache, &name, selector, epoch);
                    landing.land(reads.run(read).await);
                });
                (false, waiting.wait().await)
            }
        }
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
        let read = move || loop {
            let stored = find(&*store, &name, selector)?;
            let model = ServedModel::from_stored(&name, &stored)?;
            match training_of(&*store, &name, &stored) {
                Ok(points) => return Ok((model, points)),
                // The latest one was deleted between the two reads: then another one is.
                Err(RegistryError::UnknownVersion { .. })
                    if selector == VersionSelector::Latest => {}
                Err(error) => return Err(error),
            }
        };
        self.reads.run(read).await
    }
}

/// Reads a model and keeps it in memory.
fn load(
    store: &dyn Store,
    cache: &ModelCache,
    series: &str,
    selector: VersionSelector,
    epoch: Epoch,
) -> Result<Arc<ServedModel>, RegistryError> {
    cache.count_load();
    let stored = find(store, series, selector)?;
    let model = Arc::new(ServedModel::from_stored(series, &stored)?);
    match selector {
        VersionSelector::Latest => cache.offer_latest(series, Arc::clone(&model), epoch),
        VersionSelector::Exactly(_) => cache.offer_older(series, Arc::clone(&model), epoch),
    }
    if cache.is_over_budget() {
        cache.evict();
    }
    Ok(model)
}

/// The training points of a version, from its record or from beside it.
pub(super) fn training_of(
    store: &dyn Store,
    series: &str,
    stored: &StoredVersion,
) -> Result<TrainingPoints, RegistryError> {
    let damaged = |reason: String| StoreError::Damaged {
        key: format!("{series} version {} (training points)", stored.version),
        reason,
    };
    let sealed = match &stored.record.training {
        Some(inline) => inline.clone(),
        None => match store.training(series, stored.version)? {
            Some(sealed) => sealed,
            None => {
                // They go with their version.
                find(store, series, VersionSelector::Exactly(stored.version))?;
                return Err(damaged("they are missing".into()).into());
            }
        },
    };
    Ok(TrainingPoints::open(&sealed).map_err(damaged)?)
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
