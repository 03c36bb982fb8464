//! Durable commits: the service's store, the disk under it, and the stores it was chosen from.
//!
//! `store/commit/N` keeps the queue full and lets every sync take N puts, so a commit of N is timed
//! without the wait for its callers. `store/put` is a lone caller's wait.
//!
//! `TIDEMARK_BENCH_HEAVY=1` adds stores of 10⁶ series: size, time to open after an abort, and pages of a list of them. The
//! word `lists` on the command line measures the lists alone.

mod contenders;
mod listing;
mod recovery;

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use benches::{data, is_heavy, is_smoke, servers};
use criterion::{Criterion, Throughput};
use service::store::{EmbeddedOptions, EmbeddedStore, Put, Store};
use tempfile::TempDir;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A page, as file systems write them.
const PAGE_BYTES: usize = 4 * 1024;
/// Puts made beforehand and stored again and again: each is a further version of its series.
const PUTS: usize = 10_000;

/// A folder on the disk that the build uses: a temporary file system in memory syncs nothing.
fn folder() -> TempDir {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(target).expect("the target folder can be written");
    tempfile::tempdir_in(target).expect("a folder can be made")
}

fn main() {
    servers::play_if_asked();
    recovery::play_if_asked();
    if std::env::args().any(|argument| argument == "lists") {
        return listing::measure(if is_smoke() { 1_000 } else { 1_000_000 });
    }
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(5))
        .sample_size(20)
        .configure_from_args();
    commits(&mut criterion);
    raw_syncs(&mut criterion);
    comparison(&mut criterion);
    criterion.final_summary();
    if is_heavy() || is_smoke() {
        recovery::measure(if is_smoke() { 1_000 } else { 1_000_000 });
        listing::measure(if is_smoke() { 1_000 } else { 1_000_000 });
    }
}

fn commits(c: &mut Criterion) {
    let puts: Vec<Put> = (0..if is_smoke() { 100 } else { PUTS })
        .map(data::put)
        .collect();
    let mut group = c.benchmark_group("store");
    for n in [1, 10, 100, 1_000] {
        let folder = folder();
        let options = EmbeddedOptions {
            batch_puts: n,
            ..EmbeddedOptions::at(folder.path())
        };
        group.throughput(Throughput::Elements(n as u64));
        group.bench_function(format!("commit/{n}"), |b| {
            let store = EmbeddedStore::open(&options).expect("the store opens");
            b.iter_custom(|iters| fill(&store, &puts, iters as usize * n, 4 * n));
        });
    }
    let folder = folder();
    group.throughput(Throughput::Elements(1));
    group.bench_function("put", |b| {
        let store = EmbeddedStore::open(&EmbeddedOptions::at(folder.path())).expect("it opens");
        b.iter_custom(|iters| fill(&store, &puts, iters as usize, 1));
    });
}

/// Stores `n` puts with at most `window` of them waiting.
fn fill(store: &EmbeddedStore, puts: &[Put], n: usize, window: usize) -> Duration {
    let (sender, done) = mpsc::channel();
    let submit = |i: usize| {
        let sender = sender.clone();
        let completion = move |outcome| sender.send(outcome).expect("it is waited for");
        store.submit(puts[i % puts.len()].clone(), Box::new(completion));
    };
    let start = Instant::now();
    let window = window.min(n);
    (0..window).for_each(submit);
    for i in window..n + window {
        done.recv().expect("it is called").expect("a put is stored");
        if i < n {
            submit(i);
        }
    }
    start.elapsed()
}

fn raw_syncs(c: &mut Criterion) {
    let page = [7; PAGE_BYTES];
    let mut group = c.benchmark_group("disk");
    let folder = folder();
    group.bench_function("fdatasync/append", |b| {
        let mut file = File::create(folder.path().join("append")).expect("a file can be made");
        b.iter(|| {
            file.write_all(&page).expect("the disk has room");
            file.sync_data().expect("the disk syncs");
        });
    });
    group.bench_function("fdatasync/in_place", |b| {
        let path = folder.path().join("in_place");
        fs::write(&path, vec![0; 64 << 20]).expect("the disk has room");
        let mut file = OpenOptions::new()
            .write(true)
            .open(&path)
            .expect("it is there");
        file.sync_all().expect("the disk syncs");
        let mut written = 0;
        b.iter(|| {
            if written == 64 << 20 {
                std::io::Seek::rewind(&mut file).expect("a file can be rewound");
                written = 0;
            }
            file.write_all(&page).expect("the disk has room");
            file.sync_data().expect("the disk syncs");
            written += PAGE_BYTES;
        });
    });
}

fn comparison(c: &mut Criterion) {
    for n in [1, 100] {
        let mut group = c.benchmark_group(format!("stores/commit/{n}"));
        group.throughput(Throughput::Elements(n as u64));
        for name in ["fjall", "redb", "log"] {
            let folder = folder();
            group.bench_function(name, |b| {
                let mut store = contenders::open(name, &store_path(&folder));
                let mut items = contenders::items(4);
                b.iter(|| store.commit(&mut items.by_ref().take(n)));
            });
        }
    }
}

fn store_path(folder: &TempDir) -> PathBuf {
    folder.path().join("store")
}
