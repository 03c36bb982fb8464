//! Every model: a fit by the length of the history, a score of one point and of a column, and the
//! bytes that a service holds of it.
//!
//! Histories have a day and a week in them and nobody names the periods: `auto`, `seasonal` and
//! `holt_winters` look for them. Scored are the points that come next.

use std::hint::black_box;
use std::time::Duration;

use benches::{data, is_smoke};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use detectors::{Fitted, MODELS, Score};
use service::store::training::TrainingPoints;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A month of points five minutes apart.
const MONTH: usize = 8_640;

/// Points scored one by one: a power of two, so that the next one costs nothing.
const IN_TURN: usize = 8_192;

/// Points of a column.
const COLUMN: usize = 10_000;

fn history(n: usize) -> TrainingPoints {
    data::seasonal_history(data::START, n, 1)
}

fn fit(c: &mut Criterion) {
    for name in MODELS {
        let mut group = c.benchmark_group(format!("fit/{name}"));
        let params = data::params(name);
        for n in [1_000, MONTH, 100_000] {
            if is_smoke() && n > MONTH {
                continue;
            }
            let points = history(n);
            group.throughput(Throughput::Elements(n as u64));
            group.bench_function(BenchmarkId::from_parameter(n), |b| {
                b.iter(|| data::fit(black_box(&params), black_box(&points)));
            });
        }
    }
}

fn score(c: &mut Criterion) {
    for name in MODELS {
        let model = data::fit(&data::params(name), &history(MONTH));
        println!(
            "{name}: fitted as {}, periods {:?}, {} bytes in memory, {} written",
            model.summary().model,
            model.summary().periods,
            size_of::<Fitted>() + model.heap_bytes(),
            model.encode().len(),
        );
        let after = data::START + data::SEASONAL_STEP_S * MONTH as i64;
        let next = data::seasonal_history(after, COLUMN, 2);
        let mut group = c.benchmark_group(format!("score/{name}"));
        group.bench_function("one", |b| {
            // Points in turn, so that no branch of a single one is learnt.
            let mut i = 0;
            b.iter(|| {
                i = (i + 1) % IN_TURN;
                // Its numbers and not the score: a copy of one just written waits for the write.
                sum_of(&black_box(&model).score(next.timestamps[i], next.values[i]))
            });
        });
        group.throughput(Throughput::Elements(COLUMN as u64));
        group.bench_function(BenchmarkId::new("columns", COLUMN), |b| {
            b.iter(|| {
                let mut sum = 0.0;
                let each = |score: Score| sum += sum_of(&score);
                black_box(&model).score_columns(&next.timestamps, &next.values, each);
                sum
            });
        });
        group.bench_function(BenchmarkId::new("verdicts", COLUMN), |b| {
            b.iter(|| {
                let verdicts = black_box(&model).anomalies(&next.timestamps, &next.values);
                verdicts.into_iter().filter(|anomaly| *anomaly).count()
            });
        });
    }
}

fn sum_of(score: &Score) -> f64 {
    let Score {
        p_value,
        anomaly_score,
        severity,
        lower,
        upper,
        ..
    } = *score;
    p_value + anomaly_score + severity + lower + upper
}

criterion_group! {
    name = models;
    config = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .sample_size(20);
    targets = fit, score
}
criterion::criterion_main!(models);
