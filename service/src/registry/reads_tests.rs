//! Models that are not in memory: read once for all who ask, a few at a time, right under any load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use detectors::Params;
use futures_util::future::join_all;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;

use super::reads::StoreReads;
use super::{FitJob, Fitting, Registry, RegistryError, RegistryOptions, ServedModel};
use crate::store::training::TrainingPoints;
use crate::store::{EmbeddedOptions, EmbeddedStore, VersionSelector};

const LATEST: VersionSelector = VersionSelector::Latest;

fn open(folder: &TempDir, model_cache_bytes: usize) -> Registry {
    let store = EmbeddedStore::open(&EmbeddedOptions::at(folder.path())).unwrap();
    let options = RegistryOptions {
        min_training_points: 3,
        model_cache_bytes,
    };
    Registry::new(Arc::new(store), options)
}

/// A model around `level`, the same one every time.
fn fitting(registry: &Registry, level: f64) -> Fitting {
    let job = FitJob {
        points: TrainingPoints {
            timestamps: vec![1, 2, 3],
            values: vec![level - 1.0, level, level + 1.0],
        },
        params: Params::default(),
        fitted_at_ms: 0,
        set_alias: None,
        labels: None,
    };
    job.run(&registry.options()).unwrap()
}

fn level_of(model: &ServedModel) -> f64 {
    model.fitted.score(9, 0.0).expected
}

#[tokio::test]
async fn many_who_ask_at_once_read_the_store_once() {
    let folder = tempfile::tempdir().unwrap();
    let registry = open(&folder, 1 << 20);
    for series in ["a", "b"] {
        registry
            .store(series, &mut fitting(&registry, 10.0))
            .await
            .unwrap();
    }
    drop(registry);
    let registry = open(&folder, 1 << 20);
    let selectors = [
        ("a", LATEST),
        ("a", VersionSelector::Exactly(1)),
        ("b", LATEST),
    ];
    let asking = (0..300).map(|i| {
        let (series, selector) = selectors[i % 3];
        registry.model(series, selector)
    });
    for model in join_all(asking).await {
        assert_eq!(model.unwrap().version, 1);
    }
    let cache = registry.cache();
    assert_eq!((cache.misses(), cache.loads()), (300, 3));
    assert_eq!(registry.model("a", LATEST).await.unwrap().version, 1);
    assert_eq!((cache.hits(), cache.loads()), (1, 3), "it stays in memory");
}

#[tokio::test]
async fn a_read_goes_on_when_the_first_who_asked_hangs_up() {
    let folder = tempfile::tempdir().unwrap();
    let registry = open(&folder, 1 << 20);
    registry
        .store("a", &mut fitting(&registry, 10.0))
        .await
        .unwrap();
    drop(registry);
    let registry = open(&folder, 1 << 20);
    let mut first = Box::pin(registry.model("a", LATEST));
    assert!(futures_util::poll!(&mut first).is_pending());
    let mut second = Box::pin(registry.model("a", LATEST));
    assert!(futures_util::poll!(&mut second).is_pending());
    drop(first);
    assert_eq!(second.await.unwrap().version, 1);
    assert_eq!(registry.cache().loads(), 1);
    // And with nobody left, it still ends, in memory.
    let started = Instant::now();
    registry.cache().evict();
    drop(registry);
    let registry = open(&folder, 1 << 20);
    let mut only = Box::pin(registry.model("a", LATEST));
    assert!(futures_util::poll!(&mut only).is_pending());
    drop(only);
    while registry.cache().is_empty() {
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "it was not read"
        );
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn what_was_not_there_is_looked_for_anew() {
    let folder = tempfile::tempdir().unwrap();
    let registry = open(&folder, 1 << 20);
    let unknown = join_all((0..100).map(|_| registry.model("a", LATEST))).await;
    let is_unknown = |model: &Result<_, _>| matches!(model, Err(RegistryError::UnknownSeries(_)));
    assert!(unknown.iter().all(is_unknown));
    // Who joined a read that failed asks once more: by one further read, shared as well.
    assert_eq!(registry.cache().loads(), 2);
    registry
        .store("a", &mut fitting(&registry, 10.0))
        .await
        .unwrap();
    assert_eq!(registry.model("a", LATEST).await.unwrap().version, 1);
}

/// A read that began before a fit was acknowledged must not answer who asks after it, also when the
/// new version has left memory already.
#[tokio::test]
async fn who_was_told_of_a_version_never_joins_an_older_read() {
    let folder = tempfile::tempdir().unwrap();
    let registry = open(&folder, 0);
    registry
        .store("a", &mut fitting(&registry, 10.0))
        .await
        .unwrap();
    for version in 2..=50 {
        registry.cache().evict();
        let mut early = Box::pin(registry.model("a", LATEST));
        assert!(futures_util::poll!(&mut early).is_pending());
        let told = registry
            .store("a", &mut fitting(&registry, 10.0))
            .await
            .unwrap();
        assert_eq!(told, version);
        registry.cache().evict();
        assert!(registry.cache().is_empty());
        assert_eq!(registry.model("a", LATEST).await.unwrap().version, version);
        assert!(early.await.unwrap().version >= version - 1);
    }
}

#[tokio::test]
async fn reads_are_a_few_at_a_time_and_too_many_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(&EmbeddedOptions::at(folder.path())).unwrap();
    let reads = StoreReads::of(Arc::new(store));
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let may_end = Arc::new(AtomicBool::new(false));
    let reading = (0..1_100).map(|i| {
        let (running, most) = (Arc::clone(&running), Arc::clone(&most));
        let may_end = Arc::clone(&may_end);
        reads.run(move || {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            while !may_end.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_micros(100));
            }
            running.fetch_sub(1, Ordering::SeqCst);
            Ok(i)
        })
    });
    let mut all = Box::pin(join_all(reading));
    assert!(
        futures_util::poll!(&mut all).is_pending(),
        "every one has asked"
    );
    may_end.store(true, Ordering::SeqCst);
    let outcomes = all.await;
    let is_refused = |read: &&Result<_, _>| matches!(read, Err(RegistryError::TooManyReads));
    let refused = outcomes.iter().filter(is_refused).count();
    assert_eq!(refused, 1_100 - 1_024);
    assert_eq!(reads.refused(), 1_100 - 1_024);
    assert!((1..=16).contains(&most.load(Ordering::SeqCst)), "{most:?}");
    assert_eq!(reads.run(|| Ok(7)).await.unwrap(), 7, "there is room again");
}

#[tokio::test]
async fn a_read_that_panics_fails_for_all_who_wait_and_for_nobody_after() {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(&EmbeddedOptions::at(folder.path())).unwrap();
    let reads = StoreReads::of(Arc::new(store));
    let failed: Result<(), _> = reads.run(|| panic!("seeded")).await;
    assert!(matches!(failed, Err(RegistryError::WorkerLost)));
    for _ in 0..20 {
        assert_eq!(reads.run(|| Ok(7)).await.unwrap(), 7, "its place is free");
    }
}

fn level(series: u64, version: u64) -> f64 {
    (1_000 * series + version) as f64
}

async fn store(registry: &Registry, series: u64, version: u64) {
    let mut fitting = fitting(registry, level(series, version));
    let told = registry.store(&format!("s-{series}"), &mut fitting).await;
    assert_eq!(told.unwrap(), version);
}

const SERIES: u64 = 3_000;
const ASKING: u64 = 8;
const ASKED: usize = 1_500;

/// Thousands of series, memory for a tenth of them, everybody asking and some fitting at once: each
/// answer is of the series and version it says, none is older than what was acknowledged before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_series_in_little_memory_answer_rightly() {
    let folder = tempfile::tempdir().unwrap();
    let registry = open(&folder, usize::MAX);
    join_all((0..SERIES).map(|series| store(&registry, series, 1))).await;
    let budget = registry.cache().bytes() / 10;
    drop(registry);
    let registry = Arc::new(open(&folder, budget));
    let acknowledged: Arc<Vec<AtomicUsize>> = Arc::new((0..SERIES).map(|_| 1.into()).collect());
    let asking = (0..ASKING).map(|seed| {
        let (registry, acknowledged) = (Arc::clone(&registry), Arc::clone(&acknowledged));
        tokio::spawn(async move {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            for _ in 0..ASKED {
                // Few are asked for often: three of four look-ups go to a tenth of the series.
                let share: f64 = random.random();
                let series = (share.powi(8) * SERIES as f64) as u64;
                let name = format!("s-{series}");
                let oldest = acknowledged[series as usize].load(Ordering::SeqCst) as u64;
                if random.random_bool(0.2) {
                    let model = registry
                        .model(&name, VersionSelector::Exactly(1))
                        .await
                        .unwrap();
                    assert_eq!((model.version, level_of(&model)), (1, level(series, 1)));
                    continue;
                }
                let model = registry.model(&name, LATEST).await.unwrap();
                assert!(
                    model.version >= oldest,
                    "{name}: {} after {oldest}",
                    model.version
                );
                assert_eq!(level_of(&model), level(series, model.version), "{name}");
                // One writer a series: its versions are known.
                if series % ASKING == seed && random.random_bool(0.2) {
                    store(&registry, series, oldest + 1).await;
                    acknowledged[series as usize].store(oldest as usize + 1, Ordering::SeqCst);
                }
                // A pass may be under way while others fill what it has emptied.
                let bytes = registry.cache().bytes();
                assert!(bytes <= budget + budget / 4, "{bytes} of {budget} bytes");
            }
        })
    });
    for asked in join_all(asking).await {
        asked.unwrap();
    }
    registry.cache().evict();
    let cache = registry.cache();
    let (hits, misses, loads) = (cache.hits(), cache.misses(), cache.loads());
    assert!(cache.bytes() <= budget && cache.evicted() > 0);
    assert!(
        loads <= misses && loads < (hits + misses) / 2,
        "{hits} hits, {misses} misses, {loads} loads"
    );
    println!(
        "{hits} hits, {misses} misses, {loads} loads, {} evicted",
        cache.evicted()
    );
}
