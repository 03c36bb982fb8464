//! D6: a damaged store gives the right answer or an error, never another answer, and `verify` finds
//! every damage that changes one.
//!
//! Stores are small and opened in this process: a thousand cases are minutes. A store that is copied
//! while it is open is what `kill -9` leaves: what is acknowledged has left the process.
//!
//! ```text
//! TIDEMARK_FLIPS=1000 TIDEMARK_TRUNCATIONS=1000 cargo test -p service --lib damage_tests -- --nocapture
//! ```

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use detectors::{Params, Series};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::alias_laws::point_at;
use super::laws::put_and_wait;
use super::training::TrainingPoints;
use super::watermark::Watermark;
use super::{
    Answer, BodyDigest, EmbeddedOptions, EmbeddedStore, Incomplete, Learnt, Put, Request,
    RequestKey, StateChange, StatePut, StateRecord, Store, VersionRecord, VersionSelector,
    accept_loss, verify,
};

const SERIES: u64 = 5;
const VERSIONS: u64 = 4;

fn series(of: u64) -> String {
    format!("s-{of}")
}

fn key(of: u64, version: u64) -> RequestKey {
    RequestKey::new(b"", &format!("{of}-{version}"))
}

/// A version with a model of its own; every third has training points in a record of their own.
fn put(of: u64, version: u64) -> Put {
    let mark = (10 * of + version) as f64;
    let n = if version.is_multiple_of(3) { 900 } else { 5 };
    let noise = |i: i64| ((i * 7919) % 1009) as f64 * mark;
    let points = TrainingPoints {
        timestamps: (0..n).map(|i| 60 * i + (i * i) % 7).collect(),
        values: (0..n).map(noise).collect(),
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
        alias_if: Default::default(),
    }
}

fn change_state(store: &EmbeddedStore, of: u64, change: StateChange) {
    let (sender, receiver) = mpsc::channel();
    let series = series(of).into();
    let done = move |outcome| sender.send(outcome).unwrap();
    store.submit_state(StatePut { series, change }, Box::new(done));
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

fn fill(store: &EmbeddedStore, version: u64) {
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
struct Kind {
    is_killed: bool,
    has_tables: bool,
}

const KINDS: [Kind; 4] = [
    Kind {
        is_killed: true,
        has_tables: false,
    },
    Kind {
        is_killed: true,
        has_tables: true,
    },
    Kind {
        is_killed: false,
        has_tables: false,
    },
    Kind {
        is_killed: false,
        has_tables: true,
    },
];

/// Makes a store in `folder` and returns what it answers.
fn make(folder: &Path, kind: Kind) -> Answers {
    let made = folder.with_extension("made");
    let store = EmbeddedStore::open(&EmbeddedOptions::at(&made)).unwrap();
    for version in 1..=VERSIONS {
        fill(&store, version);
        if kind.has_tables && version == 3 {
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
        file.set_len(end + 1 + 256).unwrap();
    }
    std::fs::remove_dir_all(&made).unwrap();
    expected
}

pub(super) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target)
                .unwrap_or_else(|error| panic!("{}: {error}", entry.path().display()));
        }
    }
}

/// The files of a folder that have bytes.
fn files(folder: &Path) -> Vec<PathBuf> {
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

/// What a store says, by question.
type Answers = BTreeMap<String, String>;

fn ask(store: &EmbeddedStore) -> Answers {
    let mut answers = Answers::new();
    let mut note = |question: String, answer: &dyn Debug| {
        answers.insert(question, format!("{answer:?}"));
    };
    for of in 0..SERIES {
        let name = series(of);
        let latest = store.version(&name, VersionSelector::Latest);
        note(format!("{name} latest"), &latest);
        for version in 1..=VERSIONS + 1 {
            let stored = store.version(&name, VersionSelector::Exactly(version));
            note(format!("{name} version {version}"), &stored);
            note(
                format!("{name} training {version}"),
                &store.training(&name, version),
            );
            let kept = store.answered(&name, key(of, version));
            // When it was given is the one thing that two stores of a test have not in common.
            note(
                format!("{name} answer {version}"),
                &kept.map(|kept| kept.map(|kept| kept.version)),
            );
        }
        note(format!("{name} aliases"), &store.aliases(&name));
        note(format!("{name} alias live"), &store.alias(&name, "live"));
        note(format!("{name} alias none"), &store.alias(&name, "none"));
        note(format!("{name} state"), &store.state(&name));
    }
    note(
        "nobody".into(),
        &store.version("nobody", VersionSelector::Latest),
    );
    answers
}

/// Answers that are neither what they were nor an error.
fn wrong(expected: &Answers, found: &Answers) -> Vec<String> {
    let changed = found
        .iter()
        .filter(|(question, answer)| expected[*question] != **answer && !answer.starts_with("Err"));
    changed
        .map(|(question, answer)| format!("{question}: {answer:.200}"))
        .collect()
}

/// A number that is given to a further version and is not the next one.
fn wrongly_numbered(store: &EmbeddedStore) -> Vec<String> {
    let given = (0..SERIES).map(|of| (of, put_and_wait(store, put(of, VERSIONS + 1))));
    let wrong = given.filter(|(_, given)| given.as_ref().is_ok_and(|given| *given != VERSIONS + 1));
    wrong
        .map(|(of, given)| format!("{}: {given:?}", series(of)))
        .collect()
}

/// How a damaged store was opened and answered.
#[derive(Debug, Default)]
struct Outcomes {
    right: u64,
    explicit: u64,
    refused: u64,
    /// Versions that were asked for by number in stores that opened, and those that were answered.
    asked: u64,
    served: u64,
}

/// Opens the damaged store in `folder` and holds every answer against the right one; false if the
/// damage was told of.
fn judge(folder: &Path, expected: &Answers, outcomes: &mut Outcomes, what: &str) -> bool {
    let store = match EmbeddedStore::open(&EmbeddedOptions::at(folder)) {
        Ok(store) => store,
        Err(error) => {
            let words = error.to_string();
            assert!(words.len() > 20, "{what}: {words}");
            outcomes.refused += 1;
            return false;
        }
    };
    let found = ask(&store);
    assert_eq!(wrong(expected, &found), [""; 0], "{what}");
    let by_number = found.iter().filter(|(question, answer)| {
        question.contains(" version ") && expected[*question].contains("Version(") && {
            outcomes.asked += 1;
            answer.starts_with("Ok")
        }
    });
    outcomes.served += by_number.count() as u64;
    assert_eq!(wrongly_numbered(&store), [""; 0], "{what}");
    let is_right = found == *expected;
    if is_right {
        outcomes.right += 1;
    } else {
        outcomes.explicit += 1;
    }
    is_right
}

/// Damages one file of `folder`; what was done.
fn damage(folder: &Path, random: &mut ChaCha8Rng, is_flip: bool) -> String {
    let files = files(folder);
    let lengths: Vec<u64> = files
        .iter()
        .map(|file| file.metadata().unwrap().len())
        .collect();
    // Half of the cases by file, so that small ones have their share, and half by byte.
    let mut idx = random.random_range(0..files.len());
    if random.random() {
        let mut at = random.random_range(0..lengths.iter().sum::<u64>());
        idx = 0;
        while at >= lengths[idx] {
            at -= lengths[idx];
            idx += 1;
        }
    }
    let (path, length) = (&files[idx], lengths[idx]);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let at = random.random_range(0..length);
    let name = path.strip_prefix(folder).unwrap().display();
    if !is_flip {
        file.set_len(at).unwrap();
        return format!("{name} cut to {at} of {length}");
    }
    let bit = random.random_range(0..8);
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    byte[0] ^= 1 << bit;
    file.write_all_at(&byte, at).unwrap();
    format!("{name} byte {at} bit {bit}")
}

fn from_env(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

fn campaign(cases: u64, is_flip: bool) -> Outcomes {
    let seed = from_env("TIDEMARK_SEED", u64::from(std::process::id()));
    println!("{cases} cases, TIDEMARK_SEED={seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let folder = tempfile::tempdir().unwrap();
    let wholes: Vec<(PathBuf, Answers)> = (0..)
        .zip(KINDS)
        .map(|(idx, kind)| {
            let path = folder.path().join(format!("whole-{idx}"));
            let expected = make(&path, kind);
            (path, expected)
        })
        .collect();
    let mut outcomes = Outcomes::default();
    for case in 0..cases {
        let (whole, expected) = &wholes[(case % 4) as usize];
        let (damaged, twin) = (folder.path().join("damaged"), folder.path().join("twin"));
        copy(whole, &damaged);
        let what = format!(
            "case {case}, {:?}: {}",
            KINDS[(case % 4) as usize],
            damage(&damaged, &mut random, is_flip)
        );
        copy(&damaged, &twin);
        if !judge(&damaged, expected, &mut outcomes, &what) {
            let mut told = 0;
            let verified = verify(&EmbeddedOptions::at(&twin), |_| told += 1);
            let found = verified.map_or(1, |verified| verified.findings);
            assert!(found > 0, "{what}: verify has nothing to say");
        }
        std::fs::remove_dir_all(&damaged).unwrap();
        std::fs::remove_dir_all(&twin).unwrap();
    }
    println!("{outcomes:?}");
    outcomes
}

#[test]
fn a_flipped_bit_gives_the_right_answer_or_an_error() {
    let flips = from_env("TIDEMARK_FLIPS", 40);
    let outcomes = campaign(flips, true);
    assert!(outcomes.explicit + outcomes.refused > 0);
}

#[test]
fn a_truncated_file_gives_the_right_answer_or_an_error() {
    let truncations = from_env("TIDEMARK_TRUNCATIONS", 40);
    let outcomes = campaign(truncations, false);
    assert!(outcomes.explicit + outcomes.refused > 0);
}

/// The journal of a store, and where its last batches end.
fn cut_journal(folder: &Path, bytes: u64) {
    let journal = files(folder)
        .into_iter()
        .find(|file| file.extension().is_some_and(|e| e == "jnl"));
    let file = OpenOptions::new()
        .write(true)
        .open(journal.unwrap())
        .unwrap();
    let length = file.metadata().unwrap().len();
    file.set_len(length - 256 - bytes).unwrap();
}

/// The control of the watermark: without it the same check finds the loss in the answers.
#[test]
fn without_the_watermark_the_lost_end_of_the_journal_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let expected = make(&path, KINDS[0]);
    // The last batch is points of a state, the one before a version.
    cut_journal(&path, 600);
    let twin = folder.path().join("twin");
    copy(&path, &twin);
    let told = judge(
        &path,
        &expected,
        &mut Outcomes::default(),
        "with the watermark",
    );
    assert!(!told && Incomplete::path(&path).exists());
    std::fs::remove_file(Watermark::path(&twin)).unwrap();
    let store = EmbeddedStore::open(&EmbeddedOptions::at(&twin)).unwrap();
    assert!(!wrong(&expected, &ask(&store)).is_empty());
    assert!(!wrongly_numbered(&store).is_empty());
}

#[test]
fn an_incomplete_store_says_so_until_the_loss_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let expected = make(&path, KINDS[1]);
    cut_journal(&path, 600);
    let options = EmbeddedOptions::at(&path);
    for _ in 0..2 {
        let store = EmbeddedStore::open(&options).unwrap();
        let found = ask(&store);
        assert!(store.refusal().unwrap().contains("missing"));
        assert!(
            found["s-0 latest"].contains("Incomplete"),
            "{}",
            found["s-0 latest"]
        );
        assert!(found["nobody"].contains("Incomplete"));
        assert_eq!(found["s-0 version 3"], expected["s-0 version 3"]);
    }
    let accepted = accept_loss(&options).unwrap().unwrap();
    assert!(accepted.findings[0].contains("commits"), "{accepted}");
    assert_eq!(accept_loss(&options).unwrap(), None);
    for version in [VERSIONS, VERSIONS + 1] {
        let store = EmbeddedStore::open(&options).unwrap();
        assert_eq!(store.refusal(), None);
        let last = SERIES - 1;
        assert_eq!(put_and_wait(&store, put(last, version + 10)), Ok(version));
    }
    assert_eq!(
        verify(&options, |finding| println!("{finding}"))
            .unwrap()
            .findings,
        0
    );
}

#[test]
fn a_whole_store_has_no_findings_and_an_open_one_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    for (idx, kind) in (0..).zip(KINDS) {
        let path = folder.path().join(format!("store-{idx}"));
        let expected = make(&path, kind);
        let options = EmbeddedOptions::at(&path);
        let verified = verify(&options, |finding| panic!("{kind:?}: {finding}")).unwrap();
        assert_eq!(
            (
                verified.series,
                verified.versions,
                verified.aliases,
                verified.states,
                verified.answers
            ),
            (
                SERIES,
                SERIES * VERSIONS,
                2 * SERIES,
                SERIES,
                SERIES * VERSIONS
            )
        );
        let store = EmbeddedStore::open(&options).unwrap();
        assert_eq!(ask(&store), expected, "{kind:?}");
        let error = verify(&options, |_| {}).unwrap_err();
        assert!(error.to_string().contains("another process"), "{error}");
    }
}

#[test]
fn another_answer_is_noticed() {
    let expected = Answers::from([("q".to_owned(), "Ok(Version(3))".to_owned())]);
    let found = |answer: &str| Answers::from([("q".to_owned(), answer.to_owned())]);
    assert_eq!(wrong(&expected, &found("Ok(Version(3))")), [""; 0]);
    assert_eq!(wrong(&expected, &found("Err(Damaged)")), [""; 0]);
    assert_eq!(wrong(&expected, &found("Ok(Version(2))")).len(), 1);
    assert_eq!(wrong(&expected, &found("Ok(NoSuchSeries)")).len(), 1);
}
