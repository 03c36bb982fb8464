//! The laws of online states, part of the suite in `laws`.

use std::sync::mpsc;

use super::{Learnt, PutError, StateChange, StatePut, StateRecord, Store, StoreError, StoredState};

/// First numbers of the records of a log, and how many points each has.
type Logged<'a> = &'a [(u64, u64)];

fn snapshot(seq: u64) -> StateRecord {
    StateRecord {
        seq,
        origin_version: 0,
        origin_digest: [0; 16],
        learnt_from: None,
        online: seq.to_le_bytes().to_vec(),
    }
}

/// `n` points, the first of which has the number `first_seq`.
fn learnt(first_seq: u64, n: u64) -> Learnt {
    let points = (first_seq..first_seq + n).map(|seq| (seq as i64, seq as f64));
    Learnt {
        first_seq,
        points: points.collect(),
    }
}

fn points(first_seq: u64, n: u64) -> StateChange {
    StateChange::Points {
        first_seq,
        record: learnt(first_seq, n).seal(),
    }
}

fn state(seq: u64, replaces: &[u64]) -> StateChange {
    StateChange::Snapshot {
        record: snapshot(seq).seal(),
        replaces: replaces.to_vec(),
    }
}

/// Submits all changes at once, so that some share a commit, and waits for all.
fn put_all(store: &dyn Store, changes: &[(&str, StateChange)]) -> Vec<Result<(), PutError>> {
    let (sender, receiver) = mpsc::channel();
    for (idx, (series, change)) in changes.iter().enumerate() {
        let put = StatePut {
            series: (*series).into(),
            life: 0,
            change: change.clone(),
        };
        let sender = sender.clone();
        let done = move |outcome| sender.send((idx, outcome)).unwrap();
        store.submit_state(put, Box::new(done));
    }
    drop(sender);
    let mut outcomes: Vec<_> = receiver.iter().collect();
    outcomes.sort_by_key(|(idx, _)| *idx);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

#[track_caller]
fn assert_state(store: &dyn Store, series: &str, seq: u64, log: Logged<'_>) {
    let log = log.iter().map(|(first, n)| learnt(*first, *n)).collect();
    let expected = StoredState {
        snapshot: snapshot(seq),
        log,
    };
    assert_eq!(store.state(series).unwrap(), Some(expected), "{series}");
}

pub(super) fn a_state_is_its_snapshot_and_the_points_after_it(store: &dyn Store) {
    assert_eq!(store.state("a").unwrap(), None);
    let steps: [(StateChange, u64, Logged); 7] = [
        (state(0, &[]), 0, &[]),
        (points(1, 1), 0, &[(1, 1)]),
        (points(2, 3), 0, &[(1, 1), (2, 3)]),
        (StateChange::Nothing, 0, &[(1, 1), (2, 3)]),
        (state(5, &[1, 2]), 5, &[]),
        (points(6, 1), 5, &[(6, 1)]),
        (state(300, &[6]), 300, &[]),
    ];
    for (change, seq, log) in steps {
        assert_eq!(put_all(store, &[("a", change)]), [Ok(())]);
        assert_state(store, "a", seq, log);
    }
    assert_eq!(store.state("a:b").unwrap(), None, "each series is its own");
    assert_eq!(store.series_count(), 0, "a state is no version");
}

/// Whatever shares a commit, the outcome is that of one change after the other.
pub(super) fn changes_that_share_a_commit_keep_their_order(store: &dyn Store) {
    let mut changes = vec![("b", state(0, &[])), ("c", state(0, &[]))];
    for round in 0..50 {
        let first = 4 * round + 1;
        changes.extend([
            ("b", points(first, 1)),
            ("c", points(first, 1)),
            ("b", points(first + 1, 2)),
            ("c", StateChange::Nothing),
            ("c", points(first + 1, 3)),
            ("b", state(first + 3, &[first, first + 1])),
        ]);
    }
    changes.push(("b", points(201, 2)));
    let outcomes = put_all(store, &changes);
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    the_shared_commits_are_there(store);
}

pub(super) fn the_shared_commits_are_there(store: &dyn Store) {
    assert_state(store, "b", 200, &[(201, 2)]);
    let logged: Vec<_> = (0..50)
        .flat_map(|round| [(4 * round + 1, 1), (4 * round + 2, 3)])
        .collect();
    assert_state(store, "c", 0, &logged);
}

pub(super) fn a_lost_point_is_an_error_and_no_state(store: &dyn Store) {
    let changes = [
        ("d", state(0, &[])),
        ("d", points(1, 1)),
        ("d", points(3, 1)),
    ];
    assert!(put_all(store, &changes).iter().all(Result::is_ok));
    let read = store.state("d");
    assert!(
        matches!(&read, Err(StoreError::Damaged { key, .. }) if key.contains('d')),
        "{read:?}"
    );
}

pub(super) fn a_closed_store_refuses_changes_and_keeps_the_queued(store: &dyn Store) {
    let queued: Vec<_> = std::iter::once(("e", state(0, &[])))
        .chain((1..=100).map(|seq| ("e", points(seq, 1))))
        .collect();
    assert!(put_all(store, &queued).iter().all(Result::is_ok));
    store.close();
    let late = put_all(store, &[("e", points(101, 1)), ("e", StateChange::Nothing)]);
    let is_closed = |outcome: &_| matches!(outcome, Err(PutError::Closed(_)));
    assert!(late.iter().all(is_closed), "{late:?}");
    let logged: Vec<_> = (1..=100).map(|seq| (seq, 1)).collect();
    assert_state(store, "e", 0, &logged);
}
