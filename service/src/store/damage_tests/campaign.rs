//! Many damaged stores, and how each was opened and answered.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::answers::{Answers, ask, wrong, wrongly_numbered};
use super::made::{KINDS, copy, files, make};
use crate::store::{EmbeddedOptions, EmbeddedStore, verify};

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum FileKind {
    Journal,
    /// Which tables a keyspace has.
    List,
    /// Which keyspaces there are.
    Names,
    Table,
    /// Large values.
    Values,
    /// Marks and notes of the whole store.
    Note,
}

impl FileKind {
    fn of(path: &Path) -> Self {
        let text = path.to_string_lossy();
        match text
            .strip_prefix("keyspaces/")
            .and_then(|rest| rest.split_once('/'))
        {
            Some((_, name)) if name.starts_with('v') || name == "current" => Self::List,
            Some(("0", _)) => Self::Names,
            Some((_, name)) if name.starts_with("tables/") => Self::Table,
            Some(_) => Self::Values,
            None if text.ends_with(".jnl") => Self::Journal,
            None => Self::Note,
        }
    }
}

/// How damaged stores were opened and answered.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outcomes {
    /// Every answer was right.
    pub(super) right: u64,
    /// Some were errors, the others right.
    pub(super) explicit: u64,
    /// The store was not opened.
    pub(super) refused: u64,
    /// Versions that were asked for by number, and those that were answered.
    pub(super) asked: u64,
    pub(super) served: u64,
}

/// Opens the damaged store in `folder` and holds every answer against the right one; false if the
/// damage was told of.
pub(super) fn judge(
    folder: &Path,
    expected: &Answers,
    outcomes: &mut Outcomes,
    what: &str,
) -> bool {
    let is_version =
        |question: &str| question.contains(" version ") && expected[question].contains("Version(");
    outcomes.asked += expected
        .keys()
        .filter(|question| is_version(question))
        .count() as u64;
    let store = match EmbeddedStore::open(&EmbeddedOptions::at(folder)) {
        Ok(store) => store,
        Err(error) => {
            let words = error.to_string();
            assert!(words.len() > 20, "{what}: {words}");
            println!("refused: {what}: {words}");
            outcomes.refused += 1;
            return false;
        }
    };
    let found = ask(&store);
    assert_eq!(wrong(expected, &found), [""; 0], "{what}");
    let is_served =
        |(question, answer): &(&String, &String)| is_version(question) && answer.starts_with("Ok");
    outcomes.served += found.iter().filter(is_served).count() as u64;
    assert_eq!(wrongly_numbered(&store), [""; 0], "{what}");
    let is_right = found == *expected;
    if is_right {
        outcomes.right += 1;
    } else {
        outcomes.explicit += 1;
    }
    is_right
}

/// Damages one file of `folder`; which, and what was done.
fn damage(folder: &Path, random: &mut ChaCha8Rng, is_flip: bool) -> (FileKind, String) {
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
    let name = path.strip_prefix(folder).unwrap();
    let kind = FileKind::of(name);
    let name = name.display();
    if !is_flip {
        file.set_len(at).unwrap();
        return (kind, format!("{name} cut to {at} of {length}"));
    }
    let bit = random.random_range(0..8);
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    byte[0] ^= 1 << bit;
    file.write_all_at(&byte, at).unwrap();
    (kind, format!("{name} byte {at} bit {bit}"))
}

pub(super) fn from_env(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// Damages `cases` stores, one file of each, by a flipped bit or by a cut. How each kind of file came out.
pub(super) fn campaign(cases: u64, is_flip: bool) -> BTreeMap<FileKind, Outcomes> {
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
    let mut outcomes = BTreeMap::<FileKind, Outcomes>::new();
    for case in 0..cases {
        let (whole, expected) = &wholes[case as usize % KINDS.len()];
        let (damaged, twin) = (folder.path().join("damaged"), folder.path().join("twin"));
        copy(whole, &damaged);
        let (kind, what) = damage(&damaged, &mut random, is_flip);
        let what = format!(
            "case {case}, {:?}: {what}",
            KINDS[case as usize % KINDS.len()]
        );
        copy(&damaged, &twin);
        if !judge(&damaged, expected, outcomes.entry(kind).or_default(), &what) {
            let mut told = 0;
            let verified = verify(&EmbeddedOptions::at(&twin), |_| told += 1);
            let found = verified.map_or(1, |verified| verified.findings);
            assert!(found > 0, "{what}: verify has nothing to say");
        }
        std::fs::remove_dir_all(&damaged).unwrap();
        std::fs::remove_dir_all(&twin).unwrap();
    }
    for (kind, outcomes) in &outcomes {
        println!("{kind:?}: {outcomes:?}");
    }
    outcomes
}
