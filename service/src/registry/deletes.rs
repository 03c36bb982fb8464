//! Deleting versions and series: through the store in the order of commits, out of memory before anybody
//! hears that it is done.
//!
//! Also what the store removes on its own, the versions beyond those that are kept, goes out of memory
//! here. A read that began before may come with what was deleted after; each map has its own way to tell.

use std::sync::{Arc, Weak};

use compact_str::CompactString;
use tokio::sync::oneshot;

use super::aliases::AliasCache;
use super::cache::ModelCache;
use super::{Backtests, Monitors, OnlineStates, Registry, RegistryError};
use crate::store::{DeleteError, DeletePut, Deleted, PutError, VersionSelector};

/// What has copies of what is stored.
pub(super) struct Copies {
    pub(super) models: Arc<ModelCache>,
    pub(super) aliases: Arc<AliasCache>,
    pub(super) monitors: Arc<Monitors>,
    /// They hold the store, which holds this.
    pub(super) online: Weak<OnlineStates>,
    pub(super) backtests: Weak<Backtests>,
}

impl Copies {
    /// Drops what was just deleted. Called in commit order.
    pub(super) fn drop_deleted(&self, deleted: &Deleted) {
        match deleted {
            Deleted::Versions { series, versions } => {
                self.models.forget(series, versions.iter().copied());
                let is_one = |version| versions.contains(&version);
                self.monitors.forget(series, is_one);
            }
            Deleted::Series {
                series,
                versions,
                aliases,
            } => {
                self.models.forget_all(series, versions.clone());
                for alias in aliases {
                    self.aliases.publish(series, alias, None);
                }
                if let Some(online) = self.online.upgrade() {
                    online.forget(series);
                }
                if let Some(backtests) = self.backtests.upgrade() {
                    backtests.forget(series);
                }
                self.monitors.forget(series, |_| true);
            }
        }
    }
}

impl Registry {
    /// Deletes a version; answers when that is durable and no later look-up on this node finds it. With
    /// `assumed` only if its model has one of these digests.
    ///
    /// # Errors
    /// When there is no such version, it is another one, an alias points to it, or the store takes no
    /// writes.
    pub async fn delete_version(
        &self,
        series: &str,
        version: u64,
        assumed: Option<&[[u8; 16]]>,
    ) -> Result<(), RegistryError> {
        // A version is the same for ever: what it is now, it is when it is deleted.
        if let Some(digests) = assumed {
            let model = self.model(series, VersionSelector::Exactly(version));
            let digest = model.await?.digest;
            if !digests.contains(&digest) {
                return Err(RegistryError::VersionUnmet {
                    series: series.to_owned(),
                    version,
                });
            }
        }
        self.delete(series, Some(version)).await
    }

    /// Deletes all that belongs to a series; answers as [`Registry::delete_version`].
    ///
    /// # Errors
    /// When there is no such series, or the store takes no writes.
    pub async fn delete_series(&self, series: &str) -> Result<(), RegistryError> {
        self.delete(series, None).await
    }

    async fn delete(&self, series: &str, version: Option<u64>) -> Result<(), RegistryError> {
        let (sender, receiver) = oneshot::channel();
        let put = DeletePut {
            series: CompactString::from(series),
            version,
        };
        let done = move |outcome: Result<Deleted, DeleteError>| {
            let _ = sender.send(outcome);
        };
        self.store.submit_delete(put, Box::new(done));
        let gone = || DeleteError::Put(PutError::Unknown("the committer is gone".into()));
        let outcome = receiver.await.unwrap_or_else(|_| Err(gone()));
        outcome
            .map(drop)
            .map_err(|error| in_words(series, version, error))
    }
}

fn in_words(series: &str, version: Option<u64>, error: DeleteError) -> RegistryError {
    let series = series.to_owned();
    let version = version.unwrap_or_default();
    match error {
        DeleteError::Put(put) => RegistryError::Put(put),
        DeleteError::NoSuchSeries => RegistryError::UnknownSeries(series),
        DeleteError::NoSuchVersion { latest } => RegistryError::UnknownVersion {
            series,
            version,
            latest,
        },
        DeleteError::InUse { aliases } => RegistryError::VersionInUse {
            series,
            version,
            aliases,
        },
    }
}
