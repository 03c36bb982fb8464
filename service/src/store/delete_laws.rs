//! The laws of deleting and keeping: any sequence of changes leaves a store as it leaves a simple model.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use compact_str::CompactString;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::answers::Sweeper;
use super::delete_model::{ALIASES, Change, Ended, Model, SERIES};
use super::graves::Graves;
use super::laws::put;
use super::opening;
use super::record::version_key;
use super::{
    AliasError, AliasPut, Answer, BodyDigest, Condition, DeleteError, DeletePut, Deleted,
    EmbeddedOptions, EmbeddedStore, Finding, Found, Learnt, Put, PutError, Request, RequestKey,
    StateChange, StatePut, StateRecord, Store, Stored, VersionSelector,
};

#[derive(Clone, Debug)]
enum Step {
    One(Change),
    /// Submitted before the first is done: many share a commit.
    Together(Vec<Change>),
    Restart,
}

/// The first change of a state is a snapshot, and every fifth one.
fn state_change(learnt: u64) -> StateChange {
    if !learnt.is_multiple_of(5) {
        let record = Learnt {
            first_seq: learnt,
            points: vec![(learnt as i64, 0.5)],
        };
        return StateChange::Points {
            first_seq: learnt,
            record: record.seal(),
        };
    }
    let record = StateRecord {
        seq: learnt,
        origin_version: 0,
        origin_digest: [0; 16],
        learnt_from: None,
        online: vec![1],
    };
    StateChange::Snapshot {
        record: record.seal(),
        replaces: (learnt.saturating_sub(4)..learnt)
            .filter(|seq| seq % 5 != 0)
            .collect(),
    }
}

/// Submits `change`, whose place in the order of changes the model has told; `told` learns how it ended.
fn submit(
    store: &dyn Store,
    change: &Change,
    before: &Model,
    told: impl FnOnce(Ended) + Send + 'static,
) {
    let name = |series: &usize| CompactString::from(SERIES[*series]);
    match change {
        Change::Fit { series, alias, key } => {
            let request = key.map(|key| Request {
                key: RequestKey::new(b"", &key.to_string()),
                body: BodyDigest::of(b"{}"),
                answer: Answer {
                    before: b"{".to_vec(),
                    after: b"}".to_vec(),
                },
            });
            let put = Put {
                request,
                alias: alias.map(|alias| ALIASES[alias].into()),
                ..put(SERIES[*series], before.marks + 1)
            };
            let done = |stored: Result<Stored, PutError>| match stored.unwrap() {
                Stored::New { version, .. } => told(Ended::Version(version)),
                Stored::Before(kept) => told(Ended::Before(kept.version)),
            };
            store.submit(put, Box::new(done));
        }
        Change::DeleteVersion(..) | Change::DeleteSeries(_) => {
            let (series, version) = match change {
                Change::DeleteVersion(series, version) => (series, Some(*version)),
                Change::DeleteSeries(series) => (series, None),
                _ => unreachable!("it is one of the two"),
            };
            let series = name(series);
            let done = |deleted: Result<Deleted, DeleteError>| match deleted {
                Ok(_) => told(Ended::Done),
                Err(DeleteError::NoSuchSeries) => told(Ended::NoSeries),
                Err(DeleteError::NoSuchVersion { latest }) => told(Ended::NoVersion(latest)),
                Err(DeleteError::InUse { aliases }) => told(Ended::InUse(aliases)),
                Err(error) => panic!("{error}"),
            };
            store.submit_delete(DeletePut { series, version }, Box::new(done));
        }
        Change::Point(series, alias, version) => {
            let put = AliasPut {
                series: name(series),
                alias: ALIASES[*alias].into(),
                version: *version,
                condition: Condition::Any,
            };
            let done = |changed: Result<_, AliasError>| match changed {
                Ok(_) => told(Ended::Done),
                Err(AliasError::NoSuchSeries) => told(Ended::NoSeries),
                Err(AliasError::NoSuchVersion { latest }) => told(Ended::NoVersion(latest)),
                Err(AliasError::NoSuchAlias) => told(Ended::NoAlias),
                Err(error) => panic!("{error}"),
            };
            store.submit_alias(put, Box::new(done));
        }
        Change::Learn(series) => {
            let kept = before.series.get(series).cloned().unwrap_or_default();
            let put = StatePut {
                series: name(series),
                life: kept.life,
                change: state_change(kept.learnt),
            };
            let done = |stored: Result<(), PutError>| {
                stored.unwrap();
                told(Ended::Done);
            };
            store.submit_state(put, Box::new(done));
        }
    }
}

/// Everything a reader can ask is as the model has it.
fn check(store: &dyn Store, model: &Model) -> Result<(), TestCaseError> {
    prop_assert_eq!(store.series_count(), model.n_series());
    for (series, name) in SERIES.iter().enumerate() {
        let kept = model.series.get(&series).cloned().unwrap_or_default();
        let latest = kept.latest();
        let expected = |version: u64| match kept.versions.get(&version) {
            Some(mark) => (version, *mark),
            None => (0, latest),
        };
        let found = |selector| match store.version(name, selector).unwrap() {
            Found::Version(stored) => (stored.version, stored.record.points_used),
            Found::NoSuchVersion { latest } => (0, latest),
            Found::NoSuchSeries => (0, 0),
        };
        prop_assert_eq!(found(VersionSelector::Latest), expected(latest), "{}", name);
        for version in 1..=kept.last + 1 {
            let read = found(VersionSelector::Exactly(version));
            prop_assert_eq!(read, expected(version), "{} {}", name, version);
            let has_points = store.training(name, version).unwrap().is_some();
            // Those of a deleted series may be there until they are swept.
            if version > store.head(name).unwrap().deleted_to {
                prop_assert_eq!(has_points, kept.versions.contains_key(&version));
            }
        }
        let aliases = store.aliases(name).unwrap();
        let aliases: Vec<_> = aliases
            .iter()
            .map(|(alias, to)| (alias.as_str(), to.version))
            .collect();
        let expected = kept
            .aliases
            .iter()
            .map(|(alias, to)| (ALIASES[*alias], *to));
        prop_assert_eq!(aliases, expected.collect::<Vec<_>>());
        for key in 0..3 {
            let answer = store.answered(name, RequestKey::new(b"", &key.to_string()));
            let answer = answer.unwrap().map(|answer| answer.version);
            prop_assert_eq!(answer, kept.answers.get(&key).copied());
        }
        let learnt = store.state(name).unwrap().map_or(0, |state| {
            let logged: usize = state.log.iter().map(|learnt| learnt.points.len()).sum();
            1 + state.snapshot.seq + logged as u64
        });
        prop_assert_eq!(learnt, kept.learnt);
        let head = store.head(name).unwrap();
        prop_assert_eq!((head.last, head.life), (kept.last, kept.life));
        prop_assert_eq!(head.count, kept.versions.len() as u64);
    }
    Ok(())
}

/// Nothing is left of what was deleted, and what is there fits together.
fn check_disk(options: &EmbeddedOptions, model: &Model) -> Result<(), TestCaseError> {
    check_verified(options)?;
    let opened = opening::open(options).unwrap();
    let tables = &opened.tables;
    let mut sweeper = Sweeper::of(&tables.answers).unwrap();
    let mut graves = Graves::of(tables).unwrap();
    while graves.is_due() {
        graves.step(tables, &mut sweeper).unwrap();
    }
    let all = || model.series.values();
    let n_versions: usize = all().map(|kept| kept.versions.len()).sum();
    prop_assert_eq!(tables.versions.iter().count(), n_versions);
    prop_assert_eq!(tables.training.iter().count(), n_versions);
    let n_answers: usize = all().map(|kept| kept.answers.len()).sum();
    let kept = tables.answers.table.range(&[2][..]..);
    prop_assert_eq!(kept.count(), n_answers);
    let n_states = all().filter(|kept| kept.learnt > 0).count();
    prop_assert_eq!(tables.online.iter().count(), n_states);
    drop(opened);
    let store = EmbeddedStore::open(options).unwrap();
    prop_assert_eq!(
        store.inconsistencies().unwrap().sentences,
        Vec::<String>::new()
    );
    drop(store);
    check_verified(options)
}

/// The records are none that can be decoded, so it is about those that are there and should not be, or
/// the other way round.
fn check_verified(options: &EmbeddedOptions) -> Result<(), TestCaseError> {
    let mut findings = Vec::new();
    let tell = |finding: &Finding| findings.push(finding.to_string());
    super::verify(options, tell).unwrap();
    let about = [
        "missing",
        "version is not",
        "versions:",
        "head:",
        "alias:",
        "kept answer:",
        "number of",
        "no snapshot",
    ];
    findings.retain(|finding| about.iter().any(|words| finding.contains(words)));
    prop_assert_eq!(findings, Vec::<String>::new());
    Ok(())
}

fn change() -> impl Strategy<Value = Change> {
    let series = 0..SERIES.len();
    let alias = 0..ALIASES.len();
    let fit = (
        series.clone(),
        prop::option::weighted(0.3, alias.clone()),
        prop::option::weighted(0.3, 0..3_u8),
    );
    prop_oneof![
        6 => fit.prop_map(|(series, alias, key)| Change::Fit { series, alias, key }),
        4 => (series.clone(), 0..9_u64).prop_map(|(series, version)| Change::DeleteVersion(series, version)),
        1 => series.clone().prop_map(Change::DeleteSeries),
        2 => (series.clone(), alias, prop::option::weighted(0.7, 1..9_u64))
            .prop_map(|(series, alias, version)| Change::Point(series, alias, version)),
        2 => series.prop_map(Change::Learn),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => change().prop_map(Step::One),
        2 => prop::collection::vec(change(), 2..12).prop_map(Step::Together),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_sequence_leaves_what_the_model_has(steps in steps(), keep in prop_oneof![Just(0_u64), 1..4_u64]) {
        let folder = tempfile::tempdir().unwrap();
        let options = EmbeddedOptions {
            keep_versions: keep,
            ..EmbeddedOptions::at(folder.path())
        };
        let mut store = EmbeddedStore::open(&options).unwrap();
        let mut model = Model {
            keep: usize::try_from(keep).unwrap(),
            ..Model::default()
        };
        for step in steps {
            let group = match step {
                Step::Restart => {
                    drop(store);
                    store = EmbeddedStore::open(&options).unwrap();
                    // What was aliased when it went beyond is removed by the pass of the start.
                    if keep > 0 {
                        let keep = model.keep;
                        model.series.values_mut().for_each(|kept| kept.retain(keep));
                        store.wait_until_tidy();
                    }
                    Vec::new()
                }
                Step::One(change) => vec![change],
                // Where a commit ends decides what it removes; then the model is asked one by one.
                Step::Together(changes) if keep == 0 => changes,
                Step::Together(changes) => {
                    for change in &changes[1..] {
                        one_by_one(&store, &mut model, std::slice::from_ref(change))?;
                    }
                    changes[..1].to_vec()
                }
            };
            one_by_one(&store, &mut model, &group)?;
            check(&store, &model)?;
        }
        drop(store);
        check_disk(&options, &model)?;
    }
}

/// Submits all of `changes` before the first is done, and compares how they ended.
fn one_by_one(
    store: &EmbeddedStore,
    model: &mut Model,
    changes: &[Change],
) -> Result<(), TestCaseError> {
    let (sender, receiver) = mpsc::channel();
    let mut expected = Vec::new();
    for (at, change) in changes.iter().enumerate() {
        let sender = sender.clone();
        submit(store, change, model, move |ended| {
            sender.send((at, ended)).unwrap();
        });
        expected.push((at, model.apply(change)));
    }
    drop(sender);
    let mut ended: Vec<_> = receiver.iter().collect();
    ended.sort_by_key(|(at, _)| *at);
    prop_assert_eq!(ended, expected, "{:?}", changes);
    Ok(())
}

/// What is deleted is told once, before the one who asked hears of it, and in the order of commits.
#[test]
fn the_listener_hears_of_every_deletion() {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(&EmbeddedOptions {
        keep_versions: 2,
        ..EmbeddedOptions::at(folder.path())
    });
    let store = store.unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let listener = Arc::clone(&heard);
    store.on_delete(Box::new(move |deleted| {
        listener.lock().unwrap().push(deleted.clone());
    }));
    let take = || std::mem::take(&mut *heard.lock().unwrap());
    let fit = |alias| Change::Fit {
        series: 0,
        alias,
        key: None,
    };
    let mut model = Model {
        keep: 2,
        ..Model::default()
    };
    let mut run = |change: Change| one_by_one(&store, &mut model, &[change]).unwrap();
    for alias in [Some(0), None, None] {
        run(fit(alias));
    }
    assert_eq!(take(), [], "the first of three is aliased");
    run(fit(None));
    let versions = |versions: &[u64]| Deleted::Versions {
        series: "a".into(),
        versions: versions.to_vec(),
    };
    assert_eq!(take(), [versions(&[2])]);
    run(Change::DeleteVersion(0, 4));
    assert_eq!(take(), [versions(&[4])]);
    run(Change::DeleteVersion(0, 1));
    assert_eq!(take(), [], "it is in use");
    run(Change::DeleteSeries(0));
    let series = Deleted::Series {
        series: "a".into(),
        versions: 1..=4,
        aliases: vec!["champion".into()],
    };
    assert_eq!(take(), [series]);
    run(Change::DeleteSeries(0));
    assert_eq!(take(), []);
}

/// That versions may be deleted hides none that is lost, and none that came back.
#[test]
fn a_lost_and_a_returned_version_are_found_among_deleted_ones() {
    let folder = tempfile::tempdir().unwrap();
    let options = EmbeddedOptions::at(folder.path());
    let mut model = Model::default();
    {
        let store = EmbeddedStore::open(&options).unwrap();
        let fit = Change::Fit {
            series: 0,
            alias: None,
            key: None,
        };
        let mut changes = vec![fit; 5];
        changes.extend([Change::DeleteVersion(0, 1), Change::DeleteVersion(0, 3)]);
        one_by_one(&store, &mut model, &changes).unwrap();
    }
    check_disk(&options, &model).unwrap();
    let found_after = |change: &dyn Fn(&fjall::Keyspace)| {
        let opened = opening::open(&options).unwrap();
        change(&opened.tables.versions);
        drop(opened);
        let mut found = Vec::new();
        super::verify(&options, |finding: &Finding| {
            found.push(finding.to_string());
        })
        .unwrap();
        let store = EmbeddedStore::open(&options).unwrap();
        let inconsistent = store.inconsistencies().unwrap().sentences;
        (found.join("; "), inconsistent.join("; "))
    };
    let second = {
        let opened = opening::open(&options).unwrap();
        let bytes = opened.tables.versions.get(version_key("a", 2));
        bytes.unwrap().unwrap()
    };
    let (found, inconsistent) = found_after(&|versions| {
        versions.remove(version_key("a", 2)).unwrap();
    });
    let words = "versions: 2 versions are there and 5 is the latest; according to the head 3 and 5";
    assert!(found.contains(words), "{found}");
    assert!(
        inconsistent.contains("a has 2 versions, and 3 according to its head"),
        "{inconsistent}"
    );
    let (found, _) = found_after(&|versions| {
        for version in [2, 3] {
            versions
                .insert(version_key("a", version), &*second)
                .unwrap();
        }
    });
    assert!(found.contains("4 versions are there"), "{found}");
    let (found, inconsistent) = found_after(&|versions| {
        versions.remove(version_key("a", 3)).unwrap();
        versions.insert(version_key("a", 1), &*second).unwrap();
    });
    let words = "series a version 1, model: it is there, and the version is not";
    assert!(found.contains(words), "{found}");
    let words = "a has version 1, and not according to its head";
    assert!(inconsistent.contains(words), "{inconsistent}");
}
