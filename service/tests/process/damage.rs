//! A store with a flipped bit is served by the binary: a version answers as it did or with an error that
//! says what is damaged, and never with 404. `service` `store::damage_tests` has many more cases.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::binary::{Tidemark, serve};
use super::crash::copy_folder;
use super::from_env;
use super::http::Connection;
use super::payload::{self, POINT};

const SERIES: usize = 6;
const VERSIONS: usize = 4;

/// Status and body of every predict, by its target.
type Replies = BTreeMap<String, (u16, String)>;

fn replies(addr: SocketAddr) -> Replies {
    let mut connection = Connection::open(addr).expect("it listens");
    let targets = (0..SERIES).flat_map(|series| {
        (1..=VERSIONS).map(move |version| format!("/predict/s-{series}?version={version}"))
    });
    targets
        .map(|target| {
            let reply = connection
                .exchange("POST", &target, POINT)
                .expect("a reply");
            let text = reply.text().to_owned();
            (target, (reply.status, text))
        })
        .collect()
}

/// Answers that are neither what they were nor an error of the store.
fn wrong(expected: &Replies, found: &Replies) -> Vec<String> {
    let acceptable = |reply: &(u16, String)| reply.0 == 500;
    found
        .iter()
        .filter(|(target, reply)| expected[*target] != **reply && !acceptable(reply))
        .map(|(target, (status, body))| format!("{target}: {status} {body}"))
        .collect()
}

/// The files of a folder that have bytes.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder can be read") {
        let path = entry.expect("a folder can be read").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.metadata().expect("a file has metadata").len() > 0 {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn flip(file: &Path, bit: u64) {
    let mut options = std::fs::OpenOptions::new();
    let file = options
        .read(true)
        .write(true)
        .open(file)
        .expect("it can be opened");
    let mut byte = [0];
    file.read_exact_at(&mut byte, bit / 8)
        .expect("it is that long");
    byte[0] ^= 1 << (bit % 8);
    file.write_all_at(&byte, bit / 8)
        .expect("it can be written");
}

#[test]
fn a_flipped_bit_never_gives_another_models_answer() {
    let flips = from_env("TIDEMARK_FLIPS", 40);
    let seed = from_env("TIDEMARK_SEED", u64::from(std::process::id()));
    println!("TIDEMARK_FLIPS={flips} TIDEMARK_SEED={seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let whole = folder.path().join("whole");
    let expected = make_store(&whole);
    let (mut right, mut explicit) = (0, 0);
    for _ in 0..flips {
        let damaged = folder.path().join("damaged");
        copy_folder(&whole, &damaged);
        let (journals, others): (Vec<PathBuf>, Vec<PathBuf>) = files(&damaged)
            .into_iter()
            .partition(|file| file.extension().is_some_and(|e| e == "jnl"));
        let kind = if random.random() { journals } else { others };
        let file = &kind[random.random_range(0..kind.len())];
        let bits = 8 * file.metadata().expect("a file has metadata").len();
        let bit = random.random_range(0..bits);
        flip(file, bit);
        let what = format!("{} bit {bit}", file.display());
        let server = Tidemark::try_spawn(&mut serve(&damaged, &[]));
        let server = server.unwrap_or_else(|ended| panic!("{what}: {ended:?}"));
        let found = replies(server.addr);
        assert_eq!(wrong(&expected, &found), [""; 0], "{what}");
        if found == expected {
            right += 1;
        } else {
            explicit += 1;
        }
        server.stop();
        std::fs::remove_dir_all(&damaged).expect("it can be removed");
    }
    println!("{flips} flips: {right} answered right, {explicit} with explicit errors");
    assert!(explicit > 0, "no flip met a record");
}

/// A store with a journal of its true length, and what it answers.
fn make_store(path: &Path) -> Replies {
    let server = Tidemark::start(path, &[]);
    let mut connection = Connection::open(server.addr).expect("it listens");
    for mark in 0..SERIES * VERSIONS {
        let target = format!("/fit/s-{}", mark % SERIES);
        let n = if mark.is_multiple_of(5) { 300 } else { 5 };
        let body = payload::fit(mark as u64, n);
        let fit = connection
            .exchange("POST", &target, &body)
            .expect("a reply");
        assert_eq!(fit.status, 200, "{}", fit.text());
    }
    drop(connection);
    server.stop();
    // Recovery cuts the journal to its length: most of its bits are then bits of records.
    let server = Tidemark::start(path, &[]);
    let expected = replies(server.addr);
    server.stop();
    expected
}

#[test]
fn another_models_answer_is_noticed() {
    let reply = |status, body: &str| (status, body.to_owned());
    let expected = Replies::from([("/predict/s?version=1".to_owned(), reply(200, "one"))]);
    let found =
        |status, body| Replies::from([("/predict/s?version=1".to_owned(), reply(status, body))]);
    assert_eq!(wrong(&expected, &found(200, "one")), [""; 0]);
    assert_eq!(wrong(&expected, &found(500, "damaged")), [""; 0]);
    assert_eq!(wrong(&expected, &found(200, "two")).len(), 1);
    assert_eq!(wrong(&expected, &found(404, "")).len(), 1);
    assert_eq!(wrong(&expected, &found(422, "")).len(), 1);
}
