//! Detection in whole series, by their length, on one thread.

use std::hint::black_box;
use std::time::Duration;

use benches::{data, is_smoke};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use detectors::whole::Whole;
use detectors::{Params, Series};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A month of points five minutes apart.
const MONTH: usize = 8_640;

fn detect(c: &mut Criterion) {
    let mut group = c.benchmark_group("detect");
    let whole = Whole::new(&Params::default()).expect("the defaults hold");
    for n in [1_000, MONTH, 100_000] {
        if is_smoke() && n > MONTH {
            continue;
        }
        let points = data::seasonal_history(data::START, n, 1);
        group.throughput(Throughput::Elements(n as u64));
        group.bench_function(BenchmarkId::from_parameter(n), |b| {
            b.iter(|| {
                let points = black_box(&points);
                let series = Series::new(&points.timestamps, &points.values);
                whole
                    .detect(&series.expect("a series"))
                    .expect("it is long enough")
            });
        });
    }
}

criterion_group! {
    name = whole;
    config = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(5))
        .sample_size(10);
    targets = detect
}
criterion::criterion_main!(whole);
