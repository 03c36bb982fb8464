//! Small stores of every kind of record, and how they came to their end.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use detectors::{Params, Series};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::answers::{Answers, ask};
use crate::store::alias_laws::point_at;
use crate::store::laws::put_and_wait;
use crate::store::training::TrainingPoints;
use crate::store::{
    Answer, BodyDigest, EmbeddedOptions, EmbeddedStore, Learnt, Put, Request, RequestKey,
    StateChange, StatePut, StateRecord, Store, VersionRecord,
};

pub(super) const SERIES: u64 = 5;
pub(super) const VERSIONS: u64 = 4;

pub(super) fn series(of: u64) -> String {
    format!("s-{of}")
}

pub(super) fn key(of: u64, version: u64) -> RequestKey {
    RequestKey::new(b"", &format!("{of}-{version}"))
}

/// A version with a model of its own; every third has training points in a record of their own.
pub(super) fn put(of: u64, version: u64) -> Put {
    let mark = (10 * of + version) as f64;
    let n = if version.is_multiple_of(3) { 900 } else { 5 };
    // Noise, which cannot be packed: the longer ones stand in a file of values.
    let mut random = ChaCha8Rng::seed_from_u64(10 * of + version);
    let mut noise = |_| random.random_range(-mark..mark);
    let points = TrainingPoints {
        timestamps: (0..n).map(|i| 60 * i + (i * i) % 7).collect(),
        values: (0..n).map(&mut noise).collect(),
    };
    let history = Series::new(&points.timestamps, &points.values).unwrap();
    let short = Series::new(&points.timestamps[..5], &points.values[..5]).unwrap();
    let params = Params::default().check().unwrap();
    let fitted = params.fit(&short).unwrap();
    let sealed = points.seal();
    let (inline, apart) = if n > 5 {
        (None, Some(sealed))
    } else {
        (Some(sealed), None)
    };
    let record = VersionRecord {
        fitted_at_ms: 0,
        points_used: history.len() as u64,
        trained_from: 0,
        trained_to: n,
        model: fitted.encode(),
        training: inline,
        metadata: Default::default(),
    };
    Put {
        series: series(of).into(),
        record: record.seal(),
        training: apart,
        request: Some(Request {
            key: key(of, version),
            body: BodyDigest::of(b"{}"),
            answer: Answer {
                before: b"{".to_vec(),
                after: b"}".to_vec(),
            },
        }),
        alias: (version == 2).then(|| "live".into()),
        life: None,
        index: Default::default(),
    }
}

fn change_state(store: &EmbeddedStore, of: u64, change: StateChange) {
    let (sender, receiver) = mpsc::channel();
    let series = series(of).into();
    let done = move |outcome| sender.send(outcome).unwrap();
    let put = StatePut {
        series,
        life: 0,
        change,
    };
    store.submit_state(put, Box::new(done));
    receiver.recv().unwrap().unwrap();
}

fn snapshot(seq: u64) -> StateChange {
    let params = Params::default().check().unwrap();
    let record = StateRecord {
        seq,
        origin_version: 0,
        origin_digest: [0; 16],
        learnt_from: None,
        online: detectors::online::Online::new(&params, 0).encode(),
    };
    StateChange::Snapshot {
        record: record.seal(),
        replaces: Vec::new(),
    }
}

fn points(first_seq: u64) -> StateChange {
    let points = vec![(first_seq as i64, 1.5), (first_seq as i64 + 1, 2.5)];
    StateChange::Points {
        first_seq,
        record: Learnt { first_seq, points }.seal(),
    }
}

pub(super) fn fill(store: &EmbeddedStore, version: u64) {
    for of in 0..SERIES {
        assert_eq!(put_and_wait(store, put(of, version)), Ok(version));
        match version {
            1 => change_state(store, of, snapshot(0)),
            _ => change_state(store, of, points(2 * version - 3)),
        }
        if version == 3 {
            point_at(store, &series(of), "best", of % 3 + 1);
        }
    }
}

/// How a store came to its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    pub(super) is_killed: bool,
    pub(super) has_tables: bool,
    /// All of it is in tables, and the journals before them are gone.
    pub(super) is_rotated: bool,
}

const fn kind(is_killed: bool, has_tables: bool, is_rotated: bool) -> Kind {
    Kind {
        is_killed,
        has_tables,
        is_rotated,
    }
}

pub(super) const KILLED: Kind = kind(true, false, false);
pub(super) const KILLED_WITH_TABLES: Kind = kind(true, true, false);
pub(super) const ROTATED: Kind = kind(false, true, true);

pub(super) const KINDS: [Kind; 5] = [
    KILLED,
    KILLED_WITH_TABLES,
    kind(false, false, false),
    kind(false, true, false),
    ROTATED,
];

/// Makes a store in `folder` and returns what it answers.
pub(super) fn make(folder: &Path, kind: Kind) -> Answers {
    let made = folder.with_extension("made");
    let store = EmbeddedStore::open(&EmbeddedOptions::at(&made)).unwrap();
    for version in 1..=VERSIONS {
        fill(&store, version);
        let is_last = version == VERSIONS;
        if kind.has_tables && version == 3 || kind.is_rotated && is_last {
            store.write_tables();
        }
    }
    let expected = ask(&store);
    assert!(
        expected.values().all(|answer| answer.starts_with("Ok")),
        "{expected:?}"
    );
    if kind.is_killed {
        copy(&made, folder);
    }
    store.close();
    drop(store);
    if !kind.is_killed {
        copy(&made, folder);
    }
    for file in files(folder)
        .iter()
        .filter(|file| file.extension().is_some_and(|e| e == "jnl"))
    {
        // Of the zeros that a journal is allocated with, some are enough.
        let bytes = std::fs::read(file).unwrap();
        let end = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0) as u64;
        let file = OpenOptions::new().write(true).open(file).unwrap();
        let length = if kind.is_rotated { 0 } else { end + 1 + 256 };
        file.set_len(length).unwrap();
    }
    std::fs::remove_dir_all(&made).unwrap();
    expected
}

pub(in crate::store) fn copy(from: &Path, to: &Path) {
    try_copy(from, to).unwrap();
}

/// Copies a folder in which files may be removed meanwhile.
pub(in crate::store) fn try_copy(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            try_copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// The files of a folder that have bytes.
pub(in crate::store) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.metadata().unwrap().len() > 0 {
            found.push(path);
        }
    }
    found.sort();
    found
}
