//! The laws of aliases, part of the suite in `laws`.

use std::sync::mpsc;

use super::laws::{put, put_and_wait};
use super::{
    AliasChanged, AliasError, AliasPut, AliasRecord, Condition, EmbeddedOptions, EmbeddedStore,
    Put, PutError, Store, Stored,
};

fn change(alias: &str, version: impl Into<Option<u64>>, condition: Condition) -> AliasPut {
    AliasPut {
        series: "a".into(),
        alias: alias.into(),
        version: version.into(),
        condition,
    }
}

/// Submits all changes at once, so that some share a commit, and waits for all.
fn change_all(store: &dyn Store, changes: Vec<AliasPut>) -> Vec<Result<AliasChanged, AliasError>> {
    let (sender, receiver) = mpsc::channel();
    for (idx, put) in changes.into_iter().enumerate() {
        let sender = sender.clone();
        store.submit_alias(
            put,
            Box::new(move |outcome| sender.send((idx, outcome)).unwrap()),
        );
    }
    drop(sender);
    let mut outcomes: Vec<_> = receiver.iter().collect();
    outcomes.sort_by_key(|(idx, _)| *idx);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

fn one(store: &dyn Store, put: AliasPut) -> Result<Option<AliasRecord>, AliasError> {
    let outcome = change_all(store, vec![put]).remove(0);
    outcome.map(|changed| changed.now)
}

/// Points `alias` of `series` to `version`.
pub(super) fn point_at(store: &dyn Store, series: &str, alias: &str, version: u64) {
    let put = AliasPut {
        series: series.into(),
        ..change(alias, version, Condition::Any)
    };
    one(store, put).unwrap();
}

fn points_to(store: &dyn Store, alias: &str) -> Option<u64> {
    store
        .alias("a", alias)
        .unwrap()
        .map(|record| record.version)
}

pub(super) fn an_alias_is_where_the_last_change_pointed_it(store: &dyn Store) {
    let (any, v) = (Condition::Any, |version| Some(version));
    assert_eq!(
        one(store, change("x", 1, any.clone())),
        Err(AliasError::NoSuchSeries)
    );
    for mark in 1..=3 {
        put_and_wait(store, put("a", mark)).unwrap();
    }
    assert_eq!(
        one(store, change("x", 4, any.clone())),
        Err(AliasError::NoSuchVersion { latest: 3 })
    );
    assert_eq!(
        one(store, change("x", 0, any.clone())),
        Err(AliasError::NoSuchVersion { latest: 3 })
    );
    assert_eq!(
        one(store, change("x", None, any.clone())),
        Err(AliasError::NoSuchAlias)
    );
    assert_eq!(points_to(store, "x"), None);
    let first = one(store, change("x", 2, Condition::Absent))
        .unwrap()
        .unwrap();
    assert_eq!(points_to(store, "x"), v(2));
    let unmet = Err(AliasError::Unmet {
        current: Some(first),
    });
    assert_eq!(one(store, change("x", 3, Condition::Absent)), unmet);
    let other = Condition::OneOf(vec![first.revision + 1]);
    assert_eq!(one(store, change("x", 3, other)), unmet);
    let right = Condition::OneOf(vec![9_999, first.revision]);
    let second = one(store, change("x", 3, right.clone())).unwrap().unwrap();
    assert!(second.revision > first.revision);
    assert!(matches!(
        one(store, change("x", 1, right)),
        Err(AliasError::Unmet { .. })
    ));
    assert_eq!(one(store, change("x", None, Condition::Present)), Ok(None));
    assert_eq!(points_to(store, "x"), None);
    let again = one(store, change("x", 2, Condition::Absent))
        .unwrap()
        .unwrap();
    assert!(
        again.revision > second.revision,
        "a removed alias does not come back as it was"
    );
    one(store, change("b", 1, any)).unwrap();
    let all: Vec<_> = store.aliases("a").unwrap();
    let all: Vec<_> = all
        .iter()
        .map(|(alias, record)| (alias.as_str(), record.version))
        .collect();
    assert_eq!(all, [("b", 1), ("x", 2)]);
    assert_eq!(store.aliases("a:b").unwrap(), [], "each series is its own");
}

/// Whatever shares a commit, the outcome is that of one change after the other.
pub(super) fn alias_changes_that_share_a_commit_keep_their_order(store: &dyn Store) {
    put_and_wait(store, put("a", 1)).unwrap();
    let rounds = (0..50).flat_map(|_| {
        [
            change("y", 1, Condition::Absent),
            change("y", 1, Condition::Absent),
            change("y", None, Condition::Present),
            change("y", None, Condition::Any),
        ]
    });
    let outcomes = change_all(store, rounds.collect());
    for round in outcomes.chunks(4) {
        assert!(round[0].is_ok() && round[2].is_ok(), "{round:?}");
        assert!(
            matches!(round[1], Err(AliasError::Unmet { current: Some(_) })),
            "{round:?}"
        );
        assert_eq!(round[3], Err(AliasError::NoSuchAlias));
    }
    assert_eq!(points_to(store, "y"), None);
}

pub(super) fn a_version_is_not_stored_if_its_alias_is_not_as_assumed(store: &dyn Store) {
    let mut mark = 0;
    let mut with_alias = |condition| {
        mark += 1;
        let put = Put {
            series: "promoted".into(),
            alias: Some("champion".into()),
            alias_if: condition,
            ..put("promoted", mark)
        };
        put_and_wait(store, put)
    };
    let record = || store.alias("promoted", "champion").unwrap().unwrap();
    assert_eq!(with_alias(Condition::Present), Err(PutError::AliasUnmet));
    assert_eq!(with_alias(Condition::Absent), Ok(1));
    assert_eq!(with_alias(Condition::Absent), Err(PutError::AliasUnmet));
    let first = record().revision;
    assert_eq!(with_alias(Condition::OneOf(vec![first])), Ok(2));
    // Changed meanwhile: neither the alias nor a version comes of it.
    assert_eq!(
        with_alias(Condition::OneOf(vec![first])),
        Err(PutError::AliasUnmet)
    );
    assert_eq!(record().version, 2);
    assert_eq!(with_alias(Condition::Any), Ok(3));
}

pub(super) fn a_version_and_its_alias_are_one_commit(store: &dyn Store) {
    let with_alias = |mark, alias: &str| Put {
        alias: Some(alias.into()),
        ..put("a", mark)
    };
    let (sender, receiver) = mpsc::channel();
    for mark in 1..=100 {
        let sender = sender.clone();
        let done = move |outcome| sender.send(outcome).unwrap();
        store.submit(with_alias(mark, "live"), Box::new(done));
    }
    drop(sender);
    for (version, outcome) in (1..).zip(receiver.iter()) {
        let Ok(Stored::New {
            version: told,
            alias: Some(record),
        }) = outcome
        else {
            panic!("{outcome:?}");
        };
        assert_eq!((told, record.version), (version, version));
    }
    assert_eq!(points_to(store, "live"), Some(100));
    for i in 1..100 {
        one(store, change(&format!("x{i}"), 1, Condition::Any)).unwrap();
    }
    assert_eq!(
        one(store, change("y", 1, Condition::Any)),
        Err(AliasError::TooMany)
    );
    assert_eq!(
        put_and_wait(store, with_alias(101, "y")),
        Err(PutError::TooManyAliases)
    );
    assert_eq!(
        put_and_wait(store, with_alias(101, "x7")),
        Ok(101),
        "no number is given in vain"
    );
    assert_eq!(points_to(store, "x7"), Some(101));
}

#[test]
fn a_reopened_store_has_its_aliases_and_goes_on_counting_their_changes() {
    let folder = tempfile::tempdir().unwrap();
    let open = || EmbeddedStore::open(&EmbeddedOptions::at(folder.path())).unwrap();
    let store = open();
    put_and_wait(&store, put("a", 1)).unwrap();
    let kept = one(&store, change("x", 1, Condition::Any))
        .unwrap()
        .unwrap();
    let gone = one(&store, change("y", 1, Condition::Any))
        .unwrap()
        .unwrap();
    one(&store, change("y", None, Condition::Any)).unwrap();
    drop(store);
    let store = open();
    assert_eq!(store.alias("a", "x").unwrap(), Some(kept));
    assert_eq!(store.alias("a", "y").unwrap(), None);
    let anew = one(&store, change("y", 1, Condition::Absent))
        .unwrap()
        .unwrap();
    assert!(anew.revision > gone.revision + 1);
}

#[test]
fn every_flipped_bit_and_every_truncation_of_an_alias_is_noticed() {
    let record = AliasRecord {
        version: 3,
        revision: 70_000,
        updated_at_ms: 1_769_846_400_123,
    };
    let sealed = record.seal();
    assert_eq!(AliasRecord::open(&sealed), Ok(record));
    for bit in 0..sealed.len() * 8 {
        let mut damaged = sealed.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(AliasRecord::open(&damaged).is_err(), "bit {bit}");
    }
    for length in 0..sealed.len() {
        assert!(
            AliasRecord::open(&sealed[..length]).is_err(),
            "length {length}"
        );
    }
}
