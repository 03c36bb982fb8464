//! The use cases: fit a series, find a version, read its training points, point an alias to it, update
//! an online state. No HTTP in here.
//!
//! The registry stands between a bounded map of ready models and the durable store. The map is
//! only ever a copy of what the store has committed: a miss is read from the store, and a commit
//! is published on the store's own thread before the caller hears of it.

mod aliases;
mod artifact;
mod backtests;
pub mod cache;
mod deletes;
#[cfg(test)]
mod deletes_tests;
mod error;
mod feedback;
mod fit;
mod inventory;
mod lookup;
mod model;
mod observed;
mod once;
mod online;
mod reads;
#[cfg(test)]
mod reads_tests;
mod version_diff;
pub mod warm;

use std::io::Write;
use std::sync::Arc;

pub use artifact::{Exported, import};
pub use backtests::{
    BacktestRequest, Backtests, Candidate, Chart, Charts, Deleted, History, Rule, SetAlias, Train,
    VersionName,
};
pub use error::RegistryError;
pub use fit::{FitJob, Fitting};
pub use inventory::{SeriesOverview, VersionFacts, VersionOfList, VersionsPage};
pub use model::ServedModel;
pub use observed::{Monitors, ONLINE, Observed, Watch, WatchedColumn};
pub use once::Asked;
pub use online::{
    Applied, Frozen, OnlineStates, OnlineSummary, Opened, Origin, Pending, Scored, StartJob,
    StartRequest, Updating,
};

use crate::store::{BackupError, CarriedFile, Commits, Space, Store, Summary};
use aliases::AliasCache;
use cache::ModelCache;
use deletes::Copies;
use feedback::HasFeedback;
use reads::{Flights, StoreReads};

/// What an operator may set.
#[derive(Clone, Copy, Debug)]
pub struct RegistryOptions {
    /// Fewest points a fit takes.
    pub min_training_points: usize,
    /// Bytes of models, online states and monitors kept in memory; other models and states come back
    /// from the store.
    pub model_cache_bytes: usize,
}

/// Series, their versions and the models ready to score with.
pub struct Registry {
    store: Arc<dyn Store>,
    reads: Arc<StoreReads>,
    flights: Arc<Flights>,
    cache: Arc<ModelCache>,
    aliases: Arc<AliasCache>,
    monitors: Arc<Monitors>,
    online: Arc<OnlineStates>,
    backtests: Arc<Backtests>,
    has_feedback: HasFeedback,
    options: RegistryOptions,
}

impl Registry {
    /// A registry over an open store. No model is loaded until it is asked for; the jobs are. Blocks.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, options: RegistryOptions) -> Self {
        let budget = options.model_cache_bytes;
        let cache = ModelCache::new(budget);
        let monitors = Arc::new(Monitors::new(budget, cache.beside()));
        let reads = Arc::new(StoreReads::of(Arc::clone(&store)));
        let online = OnlineStates::new(
            Arc::clone(&store),
            Arc::clone(&reads),
            Arc::clone(&monitors),
            budget,
            cache.beside(),
        );
        let aliases = Arc::new(AliasCache::new(budget, cache.beside()));
        let (cache, online) = (Arc::new(cache), Arc::new(online));
        let backtests = Arc::new(Backtests::open(
            Arc::clone(&store),
            Arc::clone(&cache),
            Arc::clone(&aliases),
            options,
        ));
        let copies = Copies {
            models: Arc::clone(&cache),
            aliases: Arc::clone(&aliases),
            monitors: Arc::clone(&monitors),
            online: Arc::downgrade(&online),
            backtests: Arc::downgrade(&backtests),
        };
        store.on_delete(Box::new(move |deleted| copies.drop_deleted(deleted)));
        let has_feedback = HasFeedback::of(&*store);
        Self {
            store,
            reads,
            flights: Arc::default(),
            cache,
            aliases,
            monitors,
            online,
            backtests,
            has_feedback,
            options,
        }
    }

    /// Distinct series with at least one version.
    #[must_use]
    pub fn series_count(&self) -> u64 {
        self.store.series_count()
    }

    /// Why no fit can be stored, if none can.
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        self.store.refusal()
    }

    /// Whether a read or a commit of the store has been under way for too long.
    #[must_use]
    pub fn store_hangs(&self) -> bool {
        self.store.waits().hangs()
    }

    /// Reads of the store that were refused because too many waited.
    #[must_use]
    pub fn reads_refused(&self) -> u64 {
        self.reads.refused()
    }

    /// The store's commits, if it counts them.
    #[must_use]
    pub fn commits(&self) -> Option<&Commits> {
        self.store.commits()
    }

    /// The space the store has, if it is on a file system.
    #[must_use]
    pub fn space(&self) -> Option<Space> {
        self.store.space()
    }

    /// The models in memory.
    #[must_use]
    pub fn cache(&self) -> &ModelCache {
        &self.cache
    }

    /// What the versions have said of the points they scored.
    #[must_use]
    pub fn monitors(&self) -> &Arc<Monitors> {
        &self.monitors
    }

    /// The online states.
    #[must_use]
    pub fn online(&self) -> &Arc<OnlineStates> {
        &self.online
    }

    /// Writes a backup of this moment, with `files` in it, to `out`. Blocks.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn back_up(
        &self,
        files: &[CarriedFile],
        out: &mut dyn Write,
    ) -> Result<Summary, BackupError> {
        self.store.back_up(files, out)
    }

    /// Completes what is queued and closes the store. Blocks.
    pub fn close(&self) {
        self.backtests.stop();
        self.store.close();
    }
}
