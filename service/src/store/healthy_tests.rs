//! A store that is not damaged is never taken for one that is: with tables larger than what is read of their
//! ends, more than one journal, answers that were removed, after a stop and after what `kill -9` leaves.

use std::path::{Path, PathBuf};
use std::time::Duration;

use detectors::{Params, Series};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::damage_tests::try_copy;
use super::laws::put_and_wait;
use super::training::TrainingPoints;
use super::{
    Answer, BodyDigest, EmbeddedOptions, EmbeddedStore, Finding, KeepAnswers, Put, Request,
    RequestKey, Store, VersionRecord, VersionSelector, verify,
};

/// More than a journal holds, in puts that make tables of hundreds of KiB.
const PUTS: u64 = 160;
const POINTS: i64 = 70_000;

fn put(n: u64, random: &mut ChaCha8Rng) -> Put {
    let points = TrainingPoints {
        timestamps: (0..POINTS).collect(),
        values: (0..POINTS).map(|_| random.random()).collect(),
    };
    let history = Series::new(&points.timestamps[..5], &points.values[..5]).unwrap();
    let fitted = Params::default().check().unwrap().fit(&history).unwrap();
    let record = VersionRecord {
        fitted_at_ms: 0,
        points_used: points.values.len() as u64,
        trained_from: 0,
        trained_to: POINTS - 1,
        model: fitted.encode(),
        training: None,
        metadata: Default::default(),
    };
    Put {
        series: format!("s-{n}").into(),
        record: record.seal(),
        training: Some(points.seal()),
        request: Some(Request {
            key: RequestKey::new(b"", &n.to_string()),
            body: BodyDigest::of(b"{}"),
            answer: Answer {
                before: b"{".to_vec(),
                after: b"}".to_vec(),
            },
        }),
        alias: Some("live".into()),
        index: Default::default(),
        life: None,
    }
}

fn open(folder: &Path) -> EmbeddedStore {
    let store = EmbeddedStore::open(&EmbeddedOptions {
        answers: KeepAnswers {
            ttl: Duration::from_millis(50),
            max: 20,
        },
        ..EmbeddedOptions::at(folder)
    });
    let store = store.expect("a healthy store opens");
    assert_eq!(store.refusal(), None);
    store
}

/// The names and lengths of all files in `folder`.
fn listing(folder: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        match entry.metadata() {
            Ok(of) if of.is_dir() => found.extend(listing(&entry.path())),
            Ok(of) => found.push((entry.path(), of.len())),
            // It is gone meanwhile.
            Err(_) => {}
        }
    }
    found.sort();
    found
}

/// Copies a store that nobody writes to. fjall merges its tables whenever it likes: then once more.
fn copy_of_one_moment(from: &Path, to: &Path) {
    loop {
        let before = listing(from);
        if try_copy(from, to).is_ok() && listing(from) == before {
            return;
        }
        std::fs::remove_dir_all(to).unwrap();
    }
}

#[test]
fn a_healthy_store_is_not_called_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let store_path = folder.path().join("store");
    let mut random = ChaCha8Rng::seed_from_u64(8);
    let mut store = open(&store_path);
    for n in 0..PUTS {
        assert_eq!(put_and_wait(&store, put(n, &mut random)), Ok(1));
        if n % 40 == 39 {
            store.write_tables();
            let killed = folder.path().join(format!("killed-{n}"));
            copy_of_one_moment(&store_path, &killed);
            let opened = open(&killed);
            assert_eq!(opened.series_count(), n + 1);
            opened.version("s-0", VersionSelector::Latest).unwrap();
            opened.close();
            drop(opened);
            std::fs::remove_dir_all(&killed).unwrap();
        }
        if n % 50 == 49 {
            store.close();
            drop(store);
            store = open(&store_path);
        }
    }
    store.close();
    drop(store);
    let findings = |finding: &Finding| panic!("{finding}");
    let verified = verify(&EmbeddedOptions::at(&store_path), findings).unwrap();
    assert_eq!((verified.series, verified.versions), (PUTS, PUTS));
}
