//! Pages of a list of a million series: at every depth, by prefix, by labels that many, few and hardly any series have.

use std::sync::mpsc;
use std::time::Instant;

use benches::report::{Target, median, verdict};
use benches::{data, machine};
use service::store::{Durability, EmbeddedOptions, EmbeddedStore, Indexed, SeriesQuery, Store};

use super::folder;

/// Entries of a page.
const PAGE: usize = 100;
/// Pages that are timed at each place.
const PAGES: usize = 200;
/// One series of so many has the label that few have.
const GROUPS: usize = 1_000;
/// Puts that wait at a time while the store is filled.
const WINDOW: usize = 4_000;

/// Measures and prints.
pub(crate) fn measure(n: usize) {
    let folder = folder();
    // What is measured are reads: the fill need not wait for the disk.
    let options = EmbeddedOptions {
        durability: Durability::Buffered,
        ..EmbeddedOptions::at(folder.path())
    };
    let store = EmbeddedStore::open(&options).expect("it opens");
    let start = Instant::now();
    fill(&store, n);
    println!(
        "\nlists of {n} series with two labels each, stored in {:?}; the machine: {}",
        start.elapsed(),
        machine::describe()
    );
    // As after a restart: out of tables, not out of the memory of those that were just written.
    drop(store);
    let store = EmbeddedStore::open(&options).expect("it opens again");
    let all = SeriesQuery {
        limit: PAGE,
        ..SeriesQuery::default()
    };
    let labelled = |labels: &[(&str, &str)]| SeriesQuery {
        labels: labels
            .iter()
            .map(|(key, value)| ((*key).into(), (*value).into()))
            .collect(),
        ..all.clone()
    };
    let mut worst = 0.0_f64;
    for (name, query) in [
        ("all", all.clone()),
        (
            "prefix",
            SeriesQuery {
                prefix: data::series_id(0)[..4].into(),
                ..all.clone()
            },
        ),
        ("label of every second", labelled(&[("half", "1")])),
        ("label of one in a thousand", labelled(&[("group", "7")])),
        ("two labels", labelled(&[("half", "1"), ("group", "7")])),
        (
            "two labels that none has together",
            labelled(&[("half", "0"), ("group", "7")]),
        ),
    ] {
        for depth in [0, n / 4, n / 2, n - n / 100, n - n / 1_000] {
            let mut query = query.clone();
            query.after = (depth > 0).then(|| data::series_id(depth).into());
            worst = worst.max(page(&store, name, depth, &query));
        }
    }
    verdict(
        "9.1",
        "page of 100 series at the slowest place, median, ms",
        worst,
        Target::AtMost(5.0),
    );
}

/// The median time of a page in milliseconds.
fn page(store: &EmbeddedStore, name: &str, depth: usize, query: &SeriesQuery) -> f64 {
    let mut entries = 0;
    let mut times: Vec<f64> = (0..PAGES)
        .map(|_| {
            let start = Instant::now();
            let page = store.list(query).expect("the store is read");
            let took = start.elapsed().as_secs_f64() * 1e3;
            assert!(page.series.iter().all(|series| series.found.is_ok()));
            entries = page.series.len();
            took
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let p50 = median(&times);
    println!(
        "{name} after {depth}: {entries} entries, first {:.3} ms at most, p50 {p50:.3} ms, p99 {:.3} ms",
        times[times.len() - 1],
        times[times.len() * 99 / 100]
    );
    p50
}

fn fill(store: &EmbeddedStore, n: usize) {
    let (sender, done) = mpsc::channel();
    let submit = |i: usize| {
        let sender = sender.clone();
        let mut put = data::put(i);
        let labels = [
            ("half".into(), (i % 2).to_string().into()),
            ("group".into(), (i % GROUPS).to_string().into()),
        ];
        put.index = Indexed {
            since_ms: i as u64,
            labels: Some(labels.into()),
        };
        let completion = move |outcome| sender.send(outcome).expect("it is waited for");
        store.submit(put, Box::new(completion));
    };
    let window = WINDOW.min(n);
    (0..window).for_each(submit);
    for i in window..n + window {
        done.recv().expect("it is called").expect("a put is stored");
        if i < n {
            submit(i);
        }
    }
}
