//! Everything a request does in memory: fits, scores, model bytes, the map of models, JSON.

use std::hint::black_box;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use api::{ColumnsReply, FitRequest, PredictRequest, VerdictColumns, decode};
use benches::memory_store::MemoryStore;
use benches::{data, is_smoke, machine, requests};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use detectors::Fitted;
use service::registry::{FitJob, Registry, RegistryOptions};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Series in the map.
const MANY: usize = 1_000_000;

/// The fit of a short request; longer histories are in the bench `models`.
fn fit(c: &mut Criterion) {
    for name in ["gaussian_sigma", "gaussian_t", "robust", "auto"] {
        let mut group = c.benchmark_group(format!("fit/{name}"));
        let params = data::params(name);
        let points = data::history(data::SHORT, 1);
        group.bench_function(BenchmarkId::from_parameter(data::SHORT), |b| {
            b.iter(|| data::fit(black_box(&params), black_box(&points)));
        });
    }
}

fn score(c: &mut Criterion) {
    let history = data::history(1_000, 1);
    let mut group = c.benchmark_group("score/one");
    for name in ["gaussian_sigma", "gaussian_t", "robust"] {
        let model = data::fit(&data::params(name), &history);
        // Values in turn, so that no branch of a single value is learnt.
        let values: [f64; 4_096] = data::history(4_096, 2).values.try_into().unwrap();
        group.bench_function(name, |b| {
            let mut next = 0;
            b.iter(|| {
                next = (next + 1) % values.len();
                black_box(&model).score(data::START, values[next])
            });
        });
    }
    group.finish();
    for name in ["gaussian_sigma", "gaussian_t"] {
        let model = data::fit(&data::params(name), &history);
        for n in [1_000, 1_000_000] {
            let points = data::history(n, 2);
            let mut group = c.benchmark_group(format!("score/columns/{name}"));
            group.throughput(Throughput::Elements(n as u64));
            group.bench_function(BenchmarkId::new("scores", n), |b| {
                b.iter(|| {
                    let (mut p, mut anomalies) = (0.0, 0);
                    model.score_columns(black_box(&points.timestamps), &points.values, |score| {
                        p += score.p_value + score.anomaly_score + score.severity;
                        anomalies += usize::from(score.anomaly);
                    });
                    (p, anomalies)
                });
            });
            group.bench_function(BenchmarkId::new("verdicts", n), |b| {
                b.iter(|| verdicts(&model, black_box(&points.timestamps), &points.values));
            });
        }
    }
}

fn verdicts(model: &Fitted, timestamps: &[i64], values: &[f64]) -> Vec<bool> {
    model.anomalies(timestamps, values)
}

fn model(c: &mut Criterion) {
    let model = data::fit(&data::params("gaussian_t"), &data::history(1_000, 1));
    let bytes = model.encode();
    let mut group = c.benchmark_group("model");
    group.bench_function("encode", |b| b.iter(|| black_box(&model).encode()));
    group.bench_function("decode", |b| {
        b.iter(|| Fitted::decode(black_box(&bytes)).unwrap());
    });
}

/// A registry with a model of every series in its map, and the order of look-ups.
struct Crowd {
    registry: Registry,
    /// Ids in random order, end to end: reading them costs no cache miss of its own.
    ids: String,
    n: usize,
}

impl Crowd {
    fn get() -> &'static Self {
        static CROWD: OnceLock<Crowd> = OnceLock::new();
        CROWD.get_or_init(|| Self::of(if is_smoke() { 10_000 } else { MANY }))
    }

    fn of(n: usize) -> Self {
        let ids: String = data::shuffled(n, 3)
            .into_iter()
            .map(data::series_id)
            .collect();
        let options = RegistryOptions {
            min_training_points: 3,
            model_cache_bytes: usize::MAX,
        };
        let registry = Registry::new(Arc::new(MemoryStore), options);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let before = machine::resident_bytes(std::process::id());
        for index in 0..n {
            let job = FitJob {
                points: data::history(data::SHORT, index as u64),
                params: data::params("gaussian_t"),
                fitted_at_ms: data::START * 1_000,
                set_alias: None,
                labels: None,
            };
            let mut fitting = job.run(&options).unwrap();
            let id = data::series_id(index);
            runtime.block_on(registry.store(&id, &mut fitting)).unwrap();
        }
        let grown = machine::resident_bytes(std::process::id()) - before;
        println!(
            "map: {n} series, {:.1} bytes each by the process' memory, {:.1} by the cache's own account",
            grown as f64 / n as f64,
            registry.cache().bytes() as f64 / n as f64
        );
        Self { registry, ids, n }
    }

    fn id(&self, index: usize) -> &str {
        let length = self.ids.len() / self.n;
        let at = index % self.n * length;
        &self.ids[at..at + length]
    }

    /// Time of `iters` look-ups on one thread, from a place of its own in the order.
    fn look_up(&self, thread: usize, iters: u64) -> Duration {
        let first = thread * self.n / 2;
        let start = Instant::now();
        for i in 0..iters as usize {
            black_box(self.registry.cache().latest(self.id(first + i)).unwrap());
        }
        start.elapsed()
    }
}

fn map(c: &mut Criterion) {
    let mut group = c.benchmark_group("map/lookup");
    for threads in [1, 2] {
        group.throughput(Throughput::Elements(threads));
        group.bench_function(format!("{threads}_threads"), |b| {
            let crowd = Crowd::get();
            b.iter_custom(|iters| {
                std::thread::scope(|scope| {
                    let running: Vec<_> = (0..threads as usize)
                        .map(|thread| scope.spawn(move || crowd.look_up(thread, iters)))
                        .collect();
                    let times = running.into_iter().map(|thread| thread.join().unwrap());
                    times.max().unwrap()
                })
            });
        });
    }
}

fn json(c: &mut Criterion) {
    let mut group = c.benchmark_group("json");
    let body = br#"{"timestamp":"1700003600","value":20.123}"#;
    group.bench_function("predict_body", |b| {
        b.iter(|| {
            decode::<PredictRequest>(black_box(body))
                .unwrap()
                .into_points()
                .unwrap()
        });
    });
    for n in [1_000, 100_000] {
        let body = format!("{{{}}}", requests::columns_members(&data::history(n, 1)));
        group.throughput(Throughput::Elements(n as u64));
        group.bench_function(BenchmarkId::new("fit_columns", n), |b| {
            b.iter(|| {
                let body = black_box(body.as_bytes());
                decode::<FitRequest>(body).unwrap().take_columns().unwrap()
            });
        });
        group.bench_function(BenchmarkId::new("predict_columns", n), |b| {
            b.iter(|| {
                let body = black_box(body.as_bytes());
                decode::<PredictRequest>(body)
                    .unwrap()
                    .into_points()
                    .unwrap()
            });
        });
    }
    let n = 1_000;
    let points = data::history(n, 2);
    let model = data::fit(&data::params("gaussian_t"), &data::history(n, 1));
    let mut scores = Vec::with_capacity(n);
    model.score_columns(&points.timestamps, &points.values, |score| {
        scores.push(score)
    });
    let column = |of: fn(&detectors::Score) -> f64| Some(scores.iter().map(of).collect());
    let reply = ColumnsReply {
        model_version: 1,
        model_hash: "00112233445566778899aabbccddeeff",
        verdicts: VerdictColumns {
            n_points: n,
            timestamps: Some(&points.timestamps),
            values: Some(&points.values),
            anomaly: Some(scores.iter().map(|s| s.anomaly).collect()),
            anomaly_score: column(|s| s.anomaly_score),
            p_value: column(|s| s.p_value),
            severity: column(|s| s.severity),
            expected_value: column(|s| s.expected),
            lower_bound: column(|s| s.lower),
            upper_bound: column(|s| s.upper),
            direction: Some(scores.iter().map(|s| s.side.as_str()).collect()),
            status: Some(scores.iter().map(|s| s.status.as_str()).collect()),
            ..VerdictColumns::default()
        },
        reasons: None,
    };
    group.throughput(Throughput::Elements(n as u64));
    group.bench_function("columns_reply", |b| {
        b.iter(|| serde_json::to_vec(black_box(&reply)).unwrap());
    });
}

criterion_group! {
    name = hot_path;
    config = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .sample_size(50);
    targets = fit, score, model, map, json
}
criterion::criterion_main!(hot_path);
