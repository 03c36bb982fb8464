//! After a deletion is acknowledged, nothing that is in memory or was being read brings it back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use compact_str::CompactString;
use detectors::Params;
use tempfile::TempDir;

use super::{FitJob, Opened, Registry, RegistryError, RegistryOptions, StartRequest};
use crate::store::training::TrainingPoints;
use crate::store::{
    AliasCompletion, AliasPut, AliasRecord, Completion, Condition, DeleteCompletion,
    DeleteListener, DeletePut, EmbeddedOptions, EmbeddedStore, Found, Head, KeptAnswer, Put,
    PutError, RequestKey, StateCompletion, StatePut, Store, StoreError, StoredState,
    VersionSelector, Waits,
};

const LATEST: VersionSelector = VersionSelector::Latest;

fn registry(store: Arc<dyn Store>, model_cache_bytes: usize) -> Arc<Registry> {
    let options = RegistryOptions {
        min_training_points: 3,
        model_cache_bytes,
    };
    Arc::new(Registry::new(store, options))
}

fn store(folder: &TempDir) -> EmbeddedStore {
    EmbeddedStore::open(&EmbeddedOptions::at(folder.path())).unwrap()
}

async fn fit(registry: &Registry, series: &str, alias: Option<&str>) -> u64 {
    let job = FitJob {
        points: TrainingPoints {
            timestamps: vec![1, 2, 3],
            values: vec![9.0, 10.0, 11.0],
        },
        params: Params::default(),
        fitted_at_ms: 0,
        set_alias: alias.map(CompactString::from),
        labels: None,
    };
    let mut fitting = job.run(&registry.options()).unwrap();
    registry.store(series, &mut fitting).await.unwrap()
}

/// Deletes a series or its latest version again and again while others ask for models in every way; how
/// often one got a model that had been deleted before he asked.
async fn stale_models(registry: &Arc<Registry>, evicting: bool) -> u64 {
    let (deleted_to, stale) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let is_over = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..8)
        .map(|way| {
            let (registry, is_over) = (Arc::clone(registry), Arc::clone(&is_over));
            let (deleted_to, stale) = (Arc::clone(&deleted_to), Arc::clone(&stale));
            tokio::spawn(async move {
                while !is_over.load(Ordering::SeqCst) {
                    let before = deleted_to.load(Ordering::SeqCst);
                    let read = match way % 4 {
                        0 => registry.model("a", LATEST).await,
                        1 => registry.model_of_alias("a", "live").await,
                        // The one that goes next, and one that went.
                        2 => {
                            let next = VersionSelector::Exactly(before + 1);
                            registry.model("a", next).await
                        }
                        _ => {
                            let gone = VersionSelector::Exactly(before.max(1));
                            registry.model("a", gone).await
                        }
                    };
                    match read {
                        Ok(model) if model.version <= before => {
                            stale.fetch_add(1, Ordering::SeqCst);
                        }
                        Ok(_)
                        | Err(
                            RegistryError::UnknownSeries(_)
                            | RegistryError::UnknownVersion { .. }
                            | RegistryError::UnknownAlias { .. },
                        ) => {}
                        Err(error) => panic!("a deletion is no error: {error}"),
                    }
                    if evicting {
                        registry.cache().evict();
                    }
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for round in 1..=120 {
        let alias = (round % 3 > 0).then_some("live");
        let version = fit(registry, "a", alias).await;
        assert_eq!(version, round, "the numbers go on");
        tokio::task::yield_now().await;
        if alias.is_some() {
            registry.delete_series("a").await.unwrap();
        } else {
            registry.delete_version("a", version, None).await.unwrap();
        }
        deleted_to.store(version, Ordering::SeqCst);
        let of_it = registry.model("a", VersionSelector::Exactly(version)).await;
        for read in [of_it, registry.model("a", LATEST).await] {
            stale.fetch_add(u64::from(read.is_ok()), Ordering::SeqCst);
        }
        assert_eq!(registry.series_count(), 0);
    }
    is_over.store(true, Ordering::SeqCst);
    for reader in readers {
        reader.await.unwrap();
    }
    stale.load(Ordering::SeqCst)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_that_was_deleted_is_found_again() {
    for (budget, evicting) in [(1 << 20, false), (0, true)] {
        let folder = tempfile::tempdir().unwrap();
        let registry = registry(Arc::new(store(&folder)), budget);
        assert_eq!(stale_models(&registry, evicting).await, 0);
    }
}

/// The control: a registry that does not hear of deletions.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_registry_that_is_not_told_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let registry = registry(Arc::new(Silent(store(&folder))), 1 << 20);
    assert!(stale_models(&registry, false).await >= 120);
}

/// An update that is under way when the series is deleted stores nothing, and a later one begins anew.
#[tokio::test]
async fn an_online_state_ends_with_its_series() {
    let folder = tempfile::tempdir().unwrap();
    let registry = registry(Arc::new(store(&folder)), 1 << 20);
    let online = registry.online();
    let open = async || match online.open("a", StartRequest::default()).await.unwrap() {
        Opened::Ready(updating) => updating,
        Opened::Start(job) => job.run().unwrap(),
    };
    for round in 1..=3 {
        fit(&registry, "a", None).await;
        // One has a state, one is about to use it, one is about to start it.
        let mut starting = open().await;
        let mut updating = open().await;
        let applied = updating.apply(&[(100, 10.0)]).unwrap();
        assert_eq!(applied.scored[0].state_seq, 1, "round {round}");
        applied.pending.durable().await.unwrap();
        let frozen = online.freeze("a").await.unwrap();
        registry.delete_series("a").await.unwrap();
        for late in [&mut updating, &mut starting] {
            let refused = late.apply(&[(200, 10.0)]).map(|_| ());
            let refused = matches!(refused, Err(RegistryError::Put(PutError::Deleted)));
            assert!(refused, "round {round}");
        }
        drop((updating, starting));
        let mut fitting = frozen.fitting;
        let stored = registry.store("a", &mut fitting).await;
        assert!(
            matches!(stored, Err(RegistryError::Put(PutError::Deleted))),
            "it was made of a state that is gone"
        );
        let summary = online.summary("a").await;
        assert!(matches!(summary, Err(RegistryError::NoOnlineState(_))));
        assert!(registry.monitors().is_empty());
        assert!(online.is_empty(), "nothing takes memory");
    }
}

/// An alias is set at the same time as its version is deleted: one of the two is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_alias_never_dangles() {
    let folder = tempfile::tempdir().unwrap();
    let registry = registry(Arc::new(store(&folder)), 1 << 20);
    fit(&registry, "a", None).await;
    let (mut n_pointed, mut n_deleted) = (0, 0);
    for _ in 0..100 {
        let version = fit(&registry, "a", None).await;
        let (one, other) = (Arc::clone(&registry), Arc::clone(&registry));
        let point = tokio::spawn(async move {
            let alias = one.change_alias("a", "live", Some(version), Condition::Any);
            alias.await.map(drop)
        });
        let delete = tokio::spawn(async move { other.delete_version("a", version, None).await });
        let (pointed, deleted) = (point.await.unwrap(), delete.await.unwrap());
        match (&pointed, &deleted) {
            (Ok(()), Err(RegistryError::VersionInUse { aliases, .. })) => {
                assert_eq!(aliases, &["live"]);
                n_pointed += 1;
                let model = registry.model_of_alias("a", "live").await.unwrap();
                assert_eq!(model.version, version);
            }
            (Err(RegistryError::UnknownVersion { .. }), Ok(())) => n_deleted += 1,
            _ => panic!("{pointed:?} and {deleted:?}"),
        }
    }
    println!("{n_pointed} aliases were first, {n_deleted} deletions");
}

/// A store that tells nobody of deletions.
struct Silent(EmbeddedStore);

impl Store for Silent {
    fn on_delete(&self, _: DeleteListener) {}

    fn submit(&self, put: Put, done: Completion) {
        self.0.submit(put, done);
    }

    fn submit_state(&self, put: StatePut, done: StateCompletion) {
        self.0.submit_state(put, done);
    }

    fn submit_alias(&self, put: AliasPut, done: AliasCompletion) {
        self.0.submit_alias(put, done);
    }

    fn submit_delete(&self, put: DeletePut, done: DeleteCompletion) {
        self.0.submit_delete(put, done);
    }

    fn head(&self, series: &str) -> Result<Head, StoreError> {
        self.0.head(series)
    }

    fn state(&self, series: &str) -> Result<Option<StoredState>, StoreError> {
        self.0.state(series)
    }

    fn version(&self, series: &str, selector: VersionSelector) -> Result<Found, StoreError> {
        self.0.version(series, selector)
    }

    fn training(&self, series: &str, version: u64) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.training(series, version)
    }

    fn alias(&self, series: &str, alias: &str) -> Result<Option<AliasRecord>, StoreError> {
        self.0.alias(series, alias)
    }

    fn aliases(&self, series: &str) -> Result<Vec<(CompactString, AliasRecord)>, StoreError> {
        self.0.aliases(series)
    }

    fn answered(&self, series: &str, key: RequestKey) -> Result<Option<KeptAnswer>, StoreError> {
        self.0.answered(series, key)
    }

    fn series_count(&self) -> u64 {
        self.0.series_count()
    }

    fn refusal(&self) -> Option<String> {
        self.0.refusal()
    }

    fn waits(&self) -> Waits {
        self.0.waits()
    }

    fn close(&self) {
        self.0.close();
    }
}
