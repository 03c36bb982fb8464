//! The laws every store keeps, as one suite: a new store passes it or is none.

use std::collections::HashMap;
use std::sync::{Arc, mpsc};

use super::record::{Metadata, VersionRecord};
use super::{
    EmbeddedOptions, EmbeddedStore, Found, Indexed, Put, PutError, Store, StoreError, Stored,
    StoredVersion, VersionSelector,
};
use super::{alias_laws, answer_laws, state_laws};

fn record(mark: u64) -> VersionRecord {
    VersionRecord {
        fitted_at_ms: 0,
        points_used: mark,
        trained_from: 0,
        trained_to: 1,
        model: mark.to_le_bytes().to_vec(),
        training: None,
        metadata: Metadata::default(),
    }
}

pub(super) fn put(series: &str, mark: u64) -> Put {
    Put {
        series: series.into(),
        record: record(mark).seal(),
        training: Some(vec![7; 10_000]),
        request: None,
        alias: None,
        index: Indexed::default(),
        life: None,
    }
}

pub(super) fn put_and_wait(store: &dyn Store, put: Put) -> Result<u64, PutError> {
    let (sender, receiver) = mpsc::channel();
    store.submit(put, Box::new(move |outcome| sender.send(outcome).unwrap()));
    receiver.recv().unwrap().map(version_of)
}

pub(super) fn version_of(stored: Stored) -> u64 {
    match stored {
        Stored::New { version, .. } => version,
        Stored::Before(kept) => panic!("no put was sent twice: {kept:?}"),
    }
}

pub(super) fn found(store: &dyn Store, series: &str, selector: VersionSelector) -> (u64, u64) {
    match store.version(series, selector).unwrap() {
        Found::Version(StoredVersion { version, record }) => (version, record.points_used),
        other => panic!("{series} {selector:?}: {other:?}"),
    }
}

fn versions_count_from_one_without_gaps(store: &dyn Store) {
    for mark in 1..=5 {
        assert_eq!(put_and_wait(store, put("a", mark)), Ok(mark));
    }
    assert_eq!(
        put_and_wait(store, put("a:b", 1)),
        Ok(1),
        "a series whose id extends another's is its own"
    );
    for mark in 1..=5 {
        assert_eq!(
            found(store, "a", VersionSelector::Exactly(mark)),
            (mark, mark)
        );
    }
    assert_eq!(found(store, "a", VersionSelector::Latest), (5, 5));
    assert_eq!(store.series_count(), 2);
}

fn what_is_not_there_is_told_apart(store: &dyn Store) {
    assert_eq!(
        store.version("nobody", VersionSelector::Latest).unwrap(),
        Found::NoSuchSeries
    );
    assert_eq!(
        store
            .version("nobody", VersionSelector::Exactly(1))
            .unwrap(),
        Found::NoSuchSeries
    );
    let latest = put_and_wait(store, put("known", 1)).unwrap();
    assert_eq!(
        store.version("known", VersionSelector::Exactly(9)).unwrap(),
        Found::NoSuchVersion { latest }
    );
    assert_eq!(store.training("known", 9).unwrap(), None);
    assert_eq!(store.training("known", 1).unwrap(), Some(vec![7; 10_000]));
}

/// Many writers, few series: the numbers of each series are exactly 1..=n, and each number's
/// record is the one its writer was told about.
fn concurrent_puts_get_distinct_versions_in_commit_order(store: &dyn Store) {
    const WRITERS: u64 = 16;
    const PUTS: u64 = 50;
    let told = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                scope.spawn(move || {
                    let write = |i| {
                        let (series, mark) = (format!("shared-{}", i % 3), writer * PUTS + i);
                        (
                            series.clone(),
                            put_and_wait(store, put(&series, mark)).unwrap(),
                            mark,
                        )
                    };
                    (0..PUTS).map(write).collect::<Vec<_>>()
                })
            })
            .collect();
        writers
            .into_iter()
            .flat_map(|writer| writer.join().unwrap())
            .collect::<Vec<_>>()
    });
    let mut by_series: HashMap<String, Vec<u64>> = HashMap::new();
    for (series, version, mark) in told {
        assert_eq!(
            found(store, &series, VersionSelector::Exactly(version)),
            (version, mark)
        );
        by_series.entry(series).or_default().push(version);
    }
    for (series, mut versions) in by_series {
        versions.sort_unstable();
        assert!(
            versions.iter().copied().eq(1..=versions.len() as u64),
            "{series}: {versions:?}"
        );
    }
}

fn a_closed_store_refuses_puts_and_completes_the_queued(store: &dyn Store) {
    let (sender, receiver) = mpsc::channel();
    for mark in 0..200 {
        let sender = sender.clone();
        store.submit(
            put("last", mark),
            Box::new(move |outcome| sender.send(outcome).unwrap()),
        );
    }
    store.close();
    drop(sender);
    assert_eq!(
        receiver
            .iter()
            .map(|stored| version_of(stored.unwrap()))
            .max(),
        Some(200)
    );
    assert!(matches!(
        put_and_wait(store, put("late", 1)),
        Err(PutError::Closed(_))
    ));
    assert!(store.refusal().is_some());
}

fn every_law(open: impl Fn() -> Arc<dyn Store>) {
    versions_count_from_one_without_gaps(&*open());
    what_is_not_there_is_told_apart(&*open());
    concurrent_puts_get_distinct_versions_in_commit_order(&*open());
    a_closed_store_refuses_puts_and_completes_the_queued(&*open());
    alias_laws::an_alias_is_where_the_last_change_pointed_it(&*open());
    alias_laws::alias_changes_that_share_a_commit_keep_their_order(&*open());
    alias_laws::a_version_and_its_alias_are_one_commit(&*open());
    answer_laws::a_request_sent_again_makes_no_second_version(&*open());
    answer_laws::twins_that_share_a_commit_are_one_version(&*open());
    state_laws::a_state_is_its_snapshot_and_the_points_after_it(&*open());
    state_laws::changes_that_share_a_commit_keep_their_order(&*open());
    state_laws::a_lost_point_is_an_error_and_no_state(&*open());
    state_laws::a_closed_store_refuses_changes_and_keeps_the_queued(&*open());
}

#[test]
fn the_embedded_store_keeps_every_law() {
    let folder = tempfile::tempdir().unwrap();
    let next = std::cell::Cell::new(0);
    every_law(|| {
        next.set(next.get() + 1);
        Arc::new(
            EmbeddedStore::open(&EmbeddedOptions::at(
                folder.path().join(next.get().to_string()),
            ))
            .unwrap(),
        )
    });
}

#[test]
fn a_reopened_store_continues_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let open = || EmbeddedStore::open(&EmbeddedOptions::at(folder.path())).unwrap();
    let first = open();
    put_and_wait(&first, put("a", 1)).unwrap();
    put_and_wait(&first, put("b", 1)).unwrap();
    drop(first);
    let second = open();
    assert_eq!(second.series_count(), 2);
    assert_eq!(put_and_wait(&second, put("a", 2)), Ok(2));
    assert_eq!(found(&second, "a", VersionSelector::Exactly(1)), (1, 1));
}

#[test]
fn a_reopened_store_has_its_states() {
    let folder = tempfile::tempdir().unwrap();
    let open = || EmbeddedStore::open(&EmbeddedOptions::at(folder.path())).unwrap();
    state_laws::changes_that_share_a_commit_keep_their_order(&open());
    state_laws::the_shared_commits_are_there(&open());
}

/// What a snapshot has learnt does not stay, also where it shared a commit with the snapshot.
#[test]
fn points_that_a_snapshot_has_learnt_are_gone_from_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(&EmbeddedOptions::at(folder.path())).unwrap();
    state_laws::a_state_is_its_snapshot_and_the_points_after_it(&store);
    state_laws::changes_that_share_a_commit_keep_their_order(&store);
    drop(store);
    let database = fjall::Database::builder(folder.path()).open().unwrap();
    let points = database.keyspace("points", fjall::KeyspaceCreateOptions::default);
    let keys = points.unwrap().iter().map(|point| point.key().unwrap());
    let series = keys.map(|key| key[..key.len() - 9].to_vec());
    let mut left: HashMap<Vec<u8>, usize> = HashMap::new();
    series.for_each(|series| *left.entry(series).or_default() += 1);
    // Of `a` and `b` what came after their last snapshots; `c` had none.
    let expected = HashMap::from([(b"b".to_vec(), 1), (b"c".to_vec(), 100)]);
    assert_eq!(left, expected);
}

#[test]
fn a_second_opener_is_told_that_the_store_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let _first = EmbeddedStore::open(&EmbeddedOptions::at(folder.path())).unwrap();
    let second = EmbeddedStore::open(&EmbeddedOptions::at(folder.path()));
    assert!(matches!(second.err(), Some(StoreError::Locked(_))));
}

#[test]
fn a_full_queue_refuses_instead_of_growing() {
    let folder = tempfile::tempdir().unwrap();
    let options = EmbeddedOptions {
        queue_puts: 1,
        ..EmbeddedOptions::at(folder.path())
    };
    let store = EmbeddedStore::open(&options).unwrap();
    let (sender, receiver) = mpsc::channel();
    for mark in 0..500 {
        let sender = sender.clone();
        store.submit(
            put("a", mark),
            Box::new(move |outcome| sender.send(outcome).unwrap()),
        );
    }
    drop(sender);
    let outcomes: Vec<_> = receiver.iter().collect();
    let stored = outcomes.iter().filter(|outcome| outcome.is_ok()).count() as u64;
    let refused = outcomes.iter().filter(|it| **it == Err(PutError::Busy));
    let refused = refused.count() as u64;
    assert!(refused > 0);
    assert_eq!(store.commits().unwrap().refused(), refused);
    assert_eq!(
        found(&store, "a", VersionSelector::Latest).0,
        stored,
        "a refused put takes no number"
    );
}
