//! L4: a store that hangs withdraws readiness, never liveness, and holds nobody up who can do without it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::body::to_bytes;
use compact_str::CompactString;
use tempfile::TempDir;

use super::{live, ready, startup};
use crate::admission::Admission;
use crate::compute::Compute;
use crate::registry::{Registry, RegistryError, RegistryOptions};
use crate::startup::State;
use crate::store::{
    AliasCompletion, AliasPut, AliasRecord, Completion, DeleteCompletion, DeleteListener,
    DeletePut, EmbeddedOptions, EmbeddedStore, Found, HANGS_AFTER, Head, KeptAnswer, Put,
    RequestKey, StateCompletion, StatePut, Store, StoreError, StoredState, VersionSelector, Waits,
};

/// A store that says of its waits what a test sets.
struct Slow {
    store: EmbeddedStore,
    waits: Mutex<Waits>,
    n_reads: AtomicUsize,
    /// Held while reads of versions are to hang.
    gate: tokio::sync::Mutex<()>,
    _folder: TempDir,
}

impl Slow {
    fn new() -> Arc<Self> {
        let folder = tempfile::tempdir().unwrap();
        Arc::new(Self {
            store: EmbeddedStore::open(&EmbeddedOptions::at(folder.path())).unwrap(),
            waits: Mutex::default(),
            n_reads: AtomicUsize::new(0),
            gate: tokio::sync::Mutex::default(),
            _folder: folder,
        })
    }

    fn set(&self, read: Duration, commit: Duration) {
        *self.waits.lock().unwrap() = Waits { read, commit };
    }
}

impl Store for Slow {
    fn submit(&self, put: Put, done: Completion) {
        self.store.submit(put, done);
    }

    fn submit_state(&self, put: StatePut, done: StateCompletion) {
        self.store.submit_state(put, done);
    }

    fn state(&self, series: &str) -> Result<Option<StoredState>, StoreError> {
        self.n_reads.fetch_add(1, Ordering::Relaxed);
        self.store.state(series)
    }

    fn version(&self, series: &str, selector: VersionSelector) -> Result<Found, StoreError> {
        self.n_reads.fetch_add(1, Ordering::Relaxed);
        drop(self.gate.blocking_lock());
        self.store.version(series, selector)
    }

    fn training(&self, series: &str, version: u64) -> Result<Option<Vec<u8>>, StoreError> {
        self.n_reads.fetch_add(1, Ordering::Relaxed);
        self.store.training(series, version)
    }

    fn submit_alias(&self, put: AliasPut, done: AliasCompletion) {
        self.store.submit_alias(put, done);
    }

    fn alias(&self, series: &str, alias: &str) -> Result<Option<AliasRecord>, StoreError> {
        self.store.alias(series, alias)
    }

    fn aliases(&self, series: &str) -> Result<Vec<(CompactString, AliasRecord)>, StoreError> {
        self.store.aliases(series)
    }

    fn submit_delete(&self, put: DeletePut, done: DeleteCompletion) {
        self.store.submit_delete(put, done);
    }

    fn on_delete(&self, listener: DeleteListener) {
        self.store.on_delete(listener);
    }

    fn head(&self, series: &str) -> Result<Head, StoreError> {
        self.store.head(series)
    }

    fn answered(&self, series: &str, key: RequestKey) -> Result<Option<KeptAnswer>, StoreError> {
        self.store.answered(series, key)
    }

    fn series_count(&self) -> u64 {
        self.store.series_count()
    }

    fn refusal(&self) -> Option<String> {
        self.store.refusal()
    }

    fn waits(&self) -> Waits {
        *self.waits.lock().unwrap()
    }

    fn close(&self) {
        self.store.close();
    }
}

fn state(store: &Arc<Slow>) -> State {
    let state = State::new(
        Compute::new(1).unwrap(),
        Admission::new(1 << 20, None),
        1_024,
    );
    let options = RegistryOptions {
        min_training_points: 3,
        model_cache_bytes: 1 << 20,
    };
    let store: Arc<dyn Store> = Arc::<Slow>::clone(store);
    state.opened(Registry::new(store, options));
    state
}

async fn reason(state: &State) -> Option<String> {
    let reply = ready(state);
    let is_ready = reply.status() == 200;
    let body = to_bytes(reply.into_body()).await.unwrap();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let reason = body["reason"].as_str().map(ToOwned::to_owned);
    assert_eq!(is_ready, reason.is_none(), "{body}");
    reason
}

#[actix_web::test]
async fn a_store_that_hangs_withdraws_readiness_until_it_goes_on() {
    let store = Slow::new();
    let state = state(&store);
    let a_bit = Duration::from_millis(1);
    for (read, commit, expected) in [
        (Duration::ZERO, Duration::ZERO, None),
        (HANGS_AFTER, HANGS_AFTER, None),
        (HANGS_AFTER + a_bit, a_bit, Some("store_unavailable")),
        (Duration::ZERO, Duration::ZERO, None),
        (a_bit, HANGS_AFTER + a_bit, Some("store_unavailable")),
        (a_bit, a_bit, None),
    ] {
        store.set(read, commit);
        assert_eq!(
            reason(&state).await.as_deref(),
            expected,
            "{read:?} {commit:?}"
        );
        assert_eq!(live().status(), 200);
        assert_eq!(startup(&state).status(), 200);
    }
    state.start_draining();
    assert_eq!(reason(&state).await.as_deref(), Some("shutting_down"));
}

#[actix_web::test]
async fn no_further_reads_are_begun_while_one_hangs() {
    let store = Slow::new();
    let state = state(&store);
    let registry = state.registry().unwrap();
    let look_up = || registry.model("nobody", VersionSelector::Latest);
    let unknown = |error| matches!(error, RegistryError::UnknownSeries(_));
    assert!(look_up().await.is_err_and(unknown));
    assert_eq!(store.n_reads.load(Ordering::Relaxed), 1);

    store.set(2 * HANGS_AFTER, Duration::ZERO);
    let refused = |error| matches!(error, RegistryError::Store(StoreError::Unavailable(_)));
    assert!(look_up().await.is_err_and(refused));
    assert!(
        registry
            .online()
            .summary("nobody")
            .await
            .is_err_and(refused)
    );
    assert_eq!(store.n_reads.load(Ordering::Relaxed), 1);

    // A commit that hangs does not keep anybody from reading.
    store.set(Duration::ZERO, 2 * HANGS_AFTER);
    assert!(look_up().await.is_err_and(unknown));
    assert_eq!(store.n_reads.load(Ordering::Relaxed), 2);
}

#[actix_web::test]
async fn who_waits_for_a_read_while_all_hang_is_refused_and_not_forgotten() {
    let store = Slow::new();
    let state = Arc::new(state(&store));
    let held = store.gate.lock().await;
    let look_up = |i: usize| {
        let state = Arc::clone(&state);
        actix_web::rt::spawn(async move {
            let (registry, series) = (state.registry().unwrap(), i.to_string());
            let found = registry.model(&series, VersionSelector::Latest).await;
            found.err().expect("nothing was fitted")
        })
    };
    let all: Vec<_> = (0..40).map(look_up).collect();
    // More than are read at a time: the last ones wait for those, which do not end.
    let (first, last) = (all.into_iter(), look_up(40));
    let refused = last.await.unwrap();
    assert!(
        matches!(refused, RegistryError::Store(StoreError::Unavailable(_))),
        "{refused}"
    );
    drop(held);
    let mut n_read = 0;
    for found in first {
        n_read += usize::from(matches!(
            found.await.unwrap(),
            RegistryError::UnknownSeries(_)
        ));
    }
    assert!(n_read > 0, "those that were begun end");
    assert_eq!(n_read, store.n_reads.load(Ordering::Relaxed));
}
