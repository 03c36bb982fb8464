//! The laws of requests that name themselves, part of the suite in `laws`.

use std::sync::mpsc;
use std::time::Duration;

use super::answers::{Answers, Before, NewAnswers, Sweeper};
use super::chores::{Chores, rests, sweep};
use super::commit_record::CommitRecord;
use super::committer::Shared;
use super::laws::{found, put, put_and_wait};
use super::opening::{self, CommitNumbers};
use super::room::Room;
use super::{
    Answer, BodyDigest, EmbeddedOptions, EmbeddedStore, KeepAnswers, KeptAnswer, Put, PutError,
    Request, RequestKey, Store, Stored, VersionSelector,
};

fn named(series: &str, mark: u64, key: &str, body: &str) -> Put {
    Put {
        request: Some(Request {
            key: RequestKey::new(b"", key),
            body: BodyDigest::of(body.as_bytes()),
            answer: Answer {
                before: format!("{mark}: version ").into_bytes(),
                after: b".".to_vec(),
            },
        }),
        ..put(series, mark)
    }
}

/// Submits all at once, so that some share a commit, and waits for all.
fn put_all(store: &dyn Store, puts: Vec<Put>) -> Vec<Result<Stored, PutError>> {
    let (sender, receiver) = mpsc::channel();
    for (idx, put) in puts.into_iter().enumerate() {
        let sender = sender.clone();
        store.submit(
            put,
            Box::new(move |outcome| sender.send((idx, outcome)).unwrap()),
        );
    }
    drop(sender);
    let mut outcomes: Vec<_> = receiver.iter().collect();
    outcomes.sort_by_key(|(idx, _)| *idx);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

fn answered(store: &dyn Store, series: &str, key: &str) -> Option<String> {
    let kept = store.answered(series, RequestKey::new(b"", key)).unwrap()?;
    Some(text_of(&kept))
}

fn text_of(kept: &KeptAnswer) -> String {
    String::from_utf8(kept.answer.of_version(kept.version)).unwrap()
}

pub(super) fn a_request_sent_again_makes_no_second_version(store: &dyn Store) {
    assert_eq!(answered(store, "a", "k"), None);
    assert_eq!(put_and_wait(store, named("a", 1, "k", "body")), Ok(1));
    assert_eq!(put_and_wait(store, put("a", 2)), Ok(2));
    let outcomes = put_all(
        store,
        vec![
            named("a", 3, "k", "body"),
            named("a", 4, "k", "other"),
            named("b", 5, "k", "body"),
        ],
    );
    let Ok(Stored::Before(kept)) = &outcomes[0] else {
        panic!("{outcomes:?}");
    };
    assert_eq!(
        text_of(kept),
        "1: version 1.",
        "the first answer, at its version"
    );
    assert_eq!(outcomes[1], Err(PutError::KeyReused));
    assert!(
        matches!(outcomes[2], Ok(Stored::New { version: 1, .. })),
        "a series has keys of its own"
    );
    assert_eq!(found(store, "a", VersionSelector::Latest), (2, 2));
    assert_eq!(answered(store, "a", "k").as_deref(), Some("1: version 1."));
    assert_eq!(answered(store, "a", "K"), None);
}

/// Twins in one commit: one is the version, the others learn of it.
pub(super) fn twins_that_share_a_commit_are_one_version(store: &dyn Store) {
    let twins = (0..40).flat_map(|mark| {
        [
            named("twins", mark, &format!("k{}", mark / 4), "body"),
            named(
                "other",
                mark,
                &format!("k{}", mark % 3),
                if mark < 3 { "body" } else { "another" },
            ),
        ]
    });
    let outcomes = put_all(store, twins.collect());
    for (mark, pair) in outcomes.chunks(2).enumerate() {
        let version = mark as u64 / 4 + 1;
        match &pair[0] {
            Ok(Stored::New { version: new, .. }) => assert_eq!((mark % 4, *new), (0, version)),
            Ok(Stored::Before(kept)) => {
                assert_eq!(
                    text_of(kept),
                    format!("{}: version {version}.", mark - mark % 4)
                );
            }
            Err(error) => panic!("{error}"),
        }
        assert_eq!(
            matches!(pair[1], Err(PutError::KeyReused)),
            mark >= 3,
            "{mark}"
        );
    }
    assert_eq!(found(store, "twins", VersionSelector::Latest).0, 10);
    assert_eq!(found(store, "other", VersionSelector::Latest).0, 3);
}

/// How many answers are on the disk, and how many entries their order of ages has.
fn on_disk(folder: &std::path::Path) -> (usize, usize) {
    let database = fjall::Database::builder(folder).open().unwrap();
    let table = database
        .keyspace("idempotency", fjall::KeyspaceCreateOptions::default)
        .unwrap();
    let keys: Vec<_> = table.iter().map(|entry| entry.key().unwrap()).collect();
    let ages = keys.iter().filter(|key| key[0] == 0).count();
    (keys.iter().filter(|key| key[0] > 1).count(), ages)
}

#[test]
fn what_is_too_old_or_too_many_is_swept_from_the_disk() {
    for (keep, left) in [
        (
            KeepAnswers {
                ttl: Duration::ZERO,
                max: u64::MAX,
            },
            0..=0,
        ),
        (
            KeepAnswers {
                ttl: Duration::MAX,
                max: 50,
            },
            50..=50,
        ),
        (KeepAnswers::default(), 2_000..=2_000),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let options = EmbeddedOptions {
            answers: keep,
            ..EmbeddedOptions::at(folder.path())
        };
        let store = EmbeddedStore::open(&options).unwrap();
        let puts = (0..2_000).map(|mark| named("a", mark, &mark.to_string(), "body"));
        assert!(put_all(&store, puts.collect()).iter().all(Result::is_ok));
        store.close();
        drop(store);
        let (answers, ages) = on_disk(folder.path());
        assert!(
            left.contains(&answers) && answers == ages,
            "{keep:?}: {answers} answers, {ages} ages"
        );
    }
}

#[test]
fn a_store_that_nobody_writes_to_sweeps_too() {
    let folder = tempfile::tempdir().unwrap();
    let open = |ttl| {
        let answers = KeepAnswers { ttl, max: u64::MAX };
        EmbeddedStore::open(&EmbeddedOptions {
            answers,
            ..EmbeddedOptions::at(folder.path())
        })
        .unwrap()
    };
    put_and_wait(&open(Duration::MAX), named("a", 1, "k", "body")).unwrap();
    let store = open(Duration::MAX);
    assert_eq!(answered(&store, "a", "k").as_deref(), Some("1: version 1."));
    drop(store);
    let started = std::time::Instant::now();
    while on_disk(folder.path()) != (0, 0) {
        assert!(started.elapsed().as_secs() < 60, "the old answer stays");
        let store = open(Duration::from_millis(1));
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(answered(&store, "a", "k"), None);
    }
}

/// A committer that did not rest would ask without end for a sweep that does nothing.
#[test]
fn after_a_failed_write_nothing_is_swept_and_the_committer_rests() {
    let folder = tempfile::tempdir().unwrap();
    let (ttl, max) = (Duration::MAX, 0);
    let opened = opening::open(&EmbeddedOptions {
        answers: KeepAnswers { ttl, max },
        ..EmbeddedOptions::at(folder.path())
    });
    let tables = opened.unwrap().tables;
    let answers = &tables.answers;
    let mut chores = Chores::of(&tables).unwrap();
    let numbers = CommitNumbers::after(CommitRecord::default(), None);
    let shared = Shared::new(0, numbers, Room::at(folder.path(), 0));
    let keep = |chores: &mut Chores, series| {
        let put = named(series, 1, "k", "body");
        let mut write = tables.db.batch();
        let mut new = NewAnswers::at(1_000);
        new.keep(&put, 1);
        new.write(&mut write, answers, &mut chores.sweeper);
        write.commit().unwrap();
    };
    keep(&mut chores, "a");
    assert_eq!(rests(&tables, &shared, &chores, 1_000), Duration::ZERO);
    sweep(&tables, &shared, &mut chores);
    assert_eq!(answers.table.iter().count(), 1, "nothing but the count");
    assert_eq!(shared.commit.begun(), 1, "a sweep that hangs is seen");
    assert_eq!(shared.commit.longest(), Duration::ZERO);
    keep(&mut chores, "b");
    shared.refusal.set("the disk is gone".into()).unwrap();
    sweep(&tables, &shared, &mut chores);
    assert_eq!(answers.table.iter().count(), 3);
    assert!(rests(&tables, &shared, &chores, 1_000) > Duration::from_secs(1));
}

#[test]
fn a_key_used_anew_after_its_time_outlives_its_old_entry() {
    let folder = tempfile::tempdir().unwrap();
    let db = fjall::Database::builder(folder.path()).open().unwrap();
    let table = db.keyspace("idempotency", fjall::KeyspaceCreateOptions::default);
    let keep = KeepAnswers {
        ttl: Duration::from_millis(100),
        max: u64::MAX,
    };
    let answers = Answers {
        table: table.unwrap(),
        keep,
    };
    let mut sweeper = Sweeper::of(&answers).unwrap();
    let put = named("a", 1, "k", "body");
    let mut keep_at = |now_ms, version| {
        let mut write = db.batch();
        let mut new = NewAnswers::at(now_ms);
        assert!(
            matches!(new.before(&answers, &put, 0), Ok(Ok(Before::Nothing))),
            "{now_ms}"
        );
        new.keep(&put, version);
        new.write(&mut write, &answers, &mut sweeper);
        write.commit().unwrap();
    };
    keep_at(1_000, 1);
    keep_at(1_150, 2);
    let key = RequestKey::new(b"", "k");
    let at = |now_ms| {
        answers
            .find(("a", 0), key, now_ms)
            .unwrap()
            .map(|kept| kept.version)
    };
    assert_eq!((at(1_160), at(900)), (Some(2), Some(2)));
    sweeper.step(&db, &answers, 1_160).unwrap();
    assert_eq!(at(1_160), Some(2), "only the entry of its first use went");
    assert_eq!(sweeper.rests(&answers, 1_160), Duration::from_millis(90));
    sweeper.step(&db, &answers, 1_250).unwrap();
    assert_eq!(answers.table.iter().count(), 1, "nothing but the count");
    let mut write = db.batch();
    let mut new = NewAnswers::at(500);
    new.keep(&put, 3);
    new.write(&mut write, &answers, &mut sweeper);
    write.commit().unwrap();
    sweeper.step(&db, &answers, 600).unwrap();
    assert_eq!(
        answers.table.iter().count(),
        1,
        "after the clock was set back"
    );
}
