//! What lists, labels and times tell is what was stored, whatever comes and goes meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc;

use proptest::prelude::*;

use super::laws::{put, put_and_wait};
use super::*;

fn open(folder: &std::path::Path) -> EmbeddedStore {
    EmbeddedStore::open(&EmbeddedOptions::at(folder)).unwrap()
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    let pairs = pairs.iter();
    pairs
        .map(|(key, value)| ((*key).into(), (*value).into()))
        .collect()
}

fn put_at(series: &str, since_ms: u64, labels: Option<Labels>) -> Put {
    let mut record = VersionRecord::open(&put(series, since_ms).record).unwrap();
    record.fitted_at_ms = i64::try_from(since_ms).unwrap();
    record.metadata.labels = labels.clone();
    Put {
        record: record.seal(),
        training: None,
        index: Indexed { since_ms, labels },
        ..put(series, since_ms)
    }
}

fn query(scope: &str, limit: usize) -> SeriesQuery {
    SeriesQuery {
        scope: scope.into(),
        limit,
        ..SeriesQuery::default()
    }
}

/// All names that a walk over all pages tells; `between` is called before each next page.
fn walk(store: &dyn Store, mut query: SeriesQuery, mut between: impl FnMut(usize)) -> Vec<String> {
    let mut names = Vec::new();
    for page in 0.. {
        let told = store.list(&query).unwrap();
        assert!(told.series.len() <= query.limit);
        names.extend(told.series.iter().map(|it| it.series.to_string()));
        match told.next {
            Some(next) => query.after = Some(next),
            None => return names,
        }
        between(page);
    }
    unreachable!("a list ends")
}

/// Names of a tenant and of others, in and around its range.
fn names() -> impl Strategy<Value = BTreeSet<String>> {
    let name = prop_oneof!["[ab.0-]{1,3}", "(acme|acm|acmf|a|b)/[ab.0-]{1,3}",];
    prop::collection::btree_set(name, 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Every page size, scope, prefix and label gives what a plain filter of all series gives, in order.
    #[test]
    fn a_walk_tells_what_a_filter_of_all_series_has(
        names in names(), limit in 1_usize..7, scope in prop_oneof!["", "acme/", "a/"], prefix in "[ab.]{0,1}"
    ) {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        let mut of: BTreeMap<String, Labels> = BTreeMap::new();
        for (i, name) in names.iter().enumerate() {
            let odd = if i % 2 == 0 { "even" } else { "odd" };
            let third = if i % 3 == 0 { "yes" } else { "no" };
            let named = labels(&[("parity", odd), ("third", third)]);
            put_and_wait(&store, put_at(name, 1, Some(named.clone()))).unwrap();
            of.insert(name.clone(), named);
        }
        let own = |name: &String| {
            name.strip_prefix(scope.as_str()).is_some_and(|id| !id.contains('/') && id.starts_with(prefix.as_str()))
        };
        for filter in [vec![], vec![("parity", "odd")], vec![("parity", "even"), ("third", "yes")], vec![("third", "maybe")]] {
            let has = |name: &&String| {
                own(name) && filter.iter().all(|(key, value)| of[*name].get(*key).is_some_and(|it| it == value))
            };
            let expected: Vec<String> = names.iter().filter(has).cloned().collect();
            let query = SeriesQuery {
                prefix: prefix.as_str().into(),
                labels: filter.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
                ..query(&scope, limit)
            };
            prop_assert_eq!(walk(&store, query, |_| {}), expected);
        }
    }

    /// What is there throughout is told exactly once while others come; a list that counts entries is the control.
    #[test]
    fn series_that_come_between_pages_move_no_other(
        there in prop::collection::btree_set("[a-z]{2}", 5..30), come in prop::collection::vec("[a-z]{2}", 1..20), limit in 1_usize..5
    ) {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        for name in &there {
            put_and_wait(&store, put_at(name, 1, None)).unwrap();
        }
        let told = walk(&store, query("", limit), |page| {
            if let Some(name) = come.get(page) {
                put_and_wait(&store, put_at(name, 1, None)).unwrap();
            }
        });
        let mut sorted = told.clone();
        sorted.sort();
        sorted.dedup();
        prop_assert_eq!(&sorted, &told, "in order, and none twice");
        for name in &there {
            prop_assert!(told.contains(name), "{} of {:?}", name, told);
        }
    }

    /// Labels are those of the newest put that named any; the version of a time is the last one in commit order whose
    /// time, or the time of one before, is not later.
    #[test]
    fn labels_and_times_are_those_of_a_plain_model(
        puts in prop::collection::vec((0_usize..3, 0_u64..50, prop::option::of(prop::collection::btree_map("[xy]", "[12]", 0..3))), 1..60),
        at in prop::collection::vec((0_usize..3, 0_u64..60), 10), batch in 1_usize..20
    ) {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        let mut expected: BTreeMap<String, (Labels, Vec<u64>)> = BTreeMap::new();
        // Many at once: a commit has several versions of a series.
        for group in puts.chunks(batch) {
            let (sender, told) = mpsc::channel();
            for (series, ms, named) in group {
                let name = format!("s{series}");
                let named = named.as_ref().map(|named| {
                    named.iter().map(|(key, value)| (key.as_str().into(), value.as_str().into())).collect::<Labels>()
                });
                let sender = sender.clone();
                store.submit(put_at(&name, *ms, named.clone()), Box::new(move |done| sender.send(done.map(|_| ())).unwrap()));
                let (labels, times) = expected.entry(name).or_default();
                if let Some(named) = named {
                    *labels = named;
                }
                times.push(times.last().map_or(*ms, |last| *ms.max(last)));
            }
            for _ in group {
                told.recv().unwrap().unwrap();
            }
        }
        prop_assert_eq!(store.inconsistencies().unwrap().count, 0);
        for (name, (labels, times)) in &expected {
            let facts = store.series(name).unwrap().unwrap();
            prop_assert_eq!(&facts.labels, labels);
            prop_assert_eq!((facts.first, facts.versions), (1, times.len() as u64));
            for (label, value) in [("x", "1"), ("x", "2"), ("y", "1"), ("y", "2")] {
                let query = SeriesQuery { labels: vec![(label.into(), value.into())], ..query("", 10) };
                let is_told = walk(&store, query, |_| {}).contains(name);
                prop_assert_eq!(is_told, labels.get(label).is_some_and(|it| it == value));
            }
        }
        for (series, at) in at {
            let name = format!("s{series}");
            let version = expected.get(&name).map(|(_, times)| times.iter().take_while(|ms| **ms <= at).count() as u64);
            let as_of = match version {
                None => AsOf::NoSuchSeries,
                Some(0) => AsOf::NoneYet,
                Some(version) => AsOf::Version(version),
            };
            prop_assert_eq!(store.as_of(&name, at).unwrap(), as_of, "{} at {}", name, at);
        }
    }
}

/// The control: a page that begins after so many entries loses or repeats what others push along.
#[test]
fn a_cursor_that_counts_entries_is_caught() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for name in ["b", "c", "d", "e"] {
        put_and_wait(&store, put_at(name, 1, None)).unwrap();
    }
    let all = || walk(&store, query("", 100), |_| {});
    let first: Vec<String> = all().into_iter().take(2).collect();
    put_and_wait(&store, put_at("a", 1, None)).unwrap();
    let second: Vec<String> = all().into_iter().skip(2).collect();
    let told = [first, second].concat();
    assert_eq!(told, ["b", "c", "c", "d", "e"], "`c` comes twice");
}

#[test]
fn versions_are_paged_from_either_end() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for ms in 1..=7 {
        put_and_wait(&store, put_at("s", ms, None)).unwrap();
        put_and_wait(&store, put_at("s.", ms, None)).unwrap();
    }
    for (is_descending, pages) in [
        (true, vec![vec![7, 6, 5], vec![4, 3, 2], vec![1]]),
        (false, vec![vec![1, 2, 3], vec![4, 5, 6], vec![7]]),
    ] {
        let (mut after, mut told) = (None, Vec::new());
        loop {
            let query = VersionsQuery {
                series: "s".into(),
                after,
                is_descending,
                limit: 3,
            };
            let mut page = Vec::new();
            let mut each = |listed: ListedVersion| {
                assert_eq!(listed.record.unwrap().points_used, listed.version);
                assert!(listed.bytes > 0);
                page.push(listed.version);
            };
            let has_more = store.versions(&query, &mut each).unwrap();
            after = page.last().copied();
            told.push(page);
            if !has_more {
                break;
            }
        }
        assert_eq!(told, pages);
    }
}

/// As a release without the index left it: the records alone.
#[test]
fn versions_without_an_index_are_found_by_their_records() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for ms in [10, 30, 20] {
        put_and_wait(&store, put_at("s", ms, None)).unwrap();
    }
    drop(store);
    let db = keyspaces::open_database(folder.path()).unwrap();
    let times = keyspaces::open(&db, keyspaces::TIMES).unwrap();
    for ms in [10, 30] {
        times.remove(record::version_key("s", ms)).unwrap();
    }
    drop((times, db));
    let store = open(folder.path());
    assert_eq!(store.inconsistencies().unwrap().count, 0);
    let as_of = |at| store.as_of("s", at).unwrap();
    assert_eq!(
        (as_of(9), as_of(25), as_of(30)),
        (AsOf::NoneYet, AsOf::Version(1), AsOf::Version(3))
    );
    put_and_wait(&store, put_at("s", 40, None)).unwrap();
    assert_eq!(
        (as_of(10), as_of(39), as_of(40)),
        (AsOf::Version(1), AsOf::Version(3), AsOf::Version(4))
    );
}

/// A damaged record is told of by name, and the others are listed.
#[test]
fn a_damaged_record_ends_no_list() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for name in ["a", "b", "c"] {
        put_and_wait(&store, put_at(name, 1, None)).unwrap();
    }
    drop(store);
    let db = keyspaces::open_database(folder.path()).unwrap();
    let versions = keyspaces::open(&db, keyspaces::VERSIONS).unwrap();
    versions.insert(record::version_key("b", 1), "?").unwrap();
    drop((versions, db));
    let store = open(folder.path());
    let page = store.list(&query("", 10)).unwrap();
    let told: Vec<_> = page
        .series
        .iter()
        .map(|it| (it.series.as_str(), it.found.is_ok()))
        .collect();
    assert_eq!(told, [("a", true), ("b", false), ("c", true)]);
}

#[test]
fn every_flipped_bit_and_every_truncation_of_labels_is_noticed() {
    let record = SeriesLabels {
        version: 3,
        labels: labels(&[("site", "north"), ("team", "")]),
    };
    let sealed = record.seal();
    assert_eq!(SeriesLabels::open(&sealed), Ok(record));
    for bit in 0..sealed.len() * 8 {
        let mut damaged = sealed.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(SeriesLabels::open(&damaged).is_err(), "bit {bit}");
    }
    for length in 0..sealed.len() {
        assert!(
            SeriesLabels::open(&sealed[..length]).is_err(),
            "length {length}"
        );
    }
}

fn delete(store: &dyn Store, series: &str, version: Option<u64>) {
    let (sender, told) = mpsc::channel();
    let put = DeletePut {
        series: series.into(),
        version,
    };
    store.submit_delete(put, Box::new(move |done| sender.send(done).unwrap()));
    told.recv().unwrap().unwrap();
}

/// What is deleted is in no list and found by no label; its time tells it, and no version before it.
#[test]
fn what_is_deleted_is_found_by_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let site = || Some(labels(&[("site", "north")]));
    for ms in [10, 20, 30] {
        put_and_wait(&store, put_at("a", ms, site())).unwrap();
        put_and_wait(&store, put_at("b", ms, site())).unwrap();
    }
    let north = SeriesQuery {
        labels: vec![("site".into(), "north".into())],
        ..query("", 10)
    };
    let listed = |store: &EmbeddedStore| {
        let all = walk(store, query("", 1), |_| {});
        assert_eq!(walk(store, north.clone(), |_| {}), all);
        all
    };
    delete(&store, "a", Some(2));
    let versions = |store: &EmbeddedStore, series: &str| {
        let query = VersionsQuery {
            series: series.into(),
            after: None,
            is_descending: false,
            limit: 10,
        };
        let mut told = Vec::new();
        store
            .versions(&query, &mut |listed| told.push(listed.version))
            .unwrap();
        told
    };
    assert_eq!(versions(&store, "a"), [1, 3]);
    let facts = store.series("a").unwrap().unwrap();
    assert_eq!((facts.versions, facts.first), (2, 1));
    assert_eq!(store.as_of("a", 25).unwrap(), AsOf::Version(2));
    delete(&store, "a", None);
    assert_eq!(listed(&store), ["b"]);
    assert_eq!(store.series("a").unwrap(), None);
    assert_eq!(store.as_of("a", 25).unwrap(), AsOf::NoSuchSeries);
    put_and_wait(&store, put_at("a", 40, None)).unwrap();
    let holds = |store: &EmbeddedStore| {
        assert_eq!(versions(store, "a"), [4]);
        let facts = store.series("a").unwrap().unwrap();
        assert_eq!((facts.versions, facts.first, facts.labels.len()), (1, 4, 0));
        assert_eq!(store.as_of("a", 25).unwrap(), AsOf::NoneYet);
        assert_eq!(store.as_of("a", 40).unwrap(), AsOf::Version(4));
        assert_eq!(walk(store, north.clone(), |_| {}), ["b"]);
        assert_eq!(walk(store, query("", 1), |_| {}), ["a", "b"]);
        assert_eq!(store.inconsistencies().unwrap().sentences, [""; 0]);
    };
    holds(&store);
    drop(store);
    holds(&open(folder.path()));
}

/// Of a series that keeps few versions, times do not pile up, and those of versions that are gone tell none.
#[test]
fn times_of_versions_that_are_gone_do_not_pile_up() {
    let folder = tempfile::tempdir().unwrap();
    let options = EmbeddedOptions {
        keep_versions: 3,
        ..EmbeddedOptions::at(folder.path())
    };
    let store = EmbeddedStore::open(&options).unwrap();
    for ms in 1..=60 {
        let named = Put {
            alias: (ms == 7).then(|| "live".into()),
            ..put_at("s", ms, None)
        };
        put_and_wait(&store, named).unwrap();
    }
    let as_of = |at| store.as_of("s", at).unwrap();
    assert_eq!(
        (as_of(7), as_of(58), as_of(99)),
        (AsOf::Version(7), AsOf::Version(58), AsOf::Version(60))
    );
    // One that is gone stands for those after it.
    for at in [1, 3, 8, 30, 57] {
        let AsOf::Version(version) = as_of(at) else {
            panic!("{at}")
        };
        let found = store
            .version("s", VersionSelector::Exactly(version))
            .unwrap();
        assert!(
            matches!(found, Found::NoSuchVersion { latest: 60 }),
            "{at}: {version}"
        );
    }
    assert_eq!(store.inconsistencies().unwrap().sentences, [""; 0]);
    drop(store);
    let db = keyspaces::open_database(folder.path()).unwrap();
    let times = keyspaces::open(&db, keyspaces::TIMES).unwrap();
    let n = times.iter().count();
    assert!(n < 10, "{n} times");
}
