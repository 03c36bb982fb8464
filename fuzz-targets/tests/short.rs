//! The fuzz targets in a short form for any compiler: the committed corpus, and seeded changes of it.
//!
//! `TIDEMARK_FUZZ_CASES` is how many changed inputs each target is fed, `TIDEMARK_SEED` where they come from.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use fuzz_targets::{Outcome, TARGETS, seeds, target};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

/// Most bytes of the whole corpus: it is read at every `cargo test` and cloned by everybody.
const CORPUS_MAX_BYTES: usize = 500_000;
/// No input grows beyond what `cargo fuzz` tries by default.
const INPUT_MAX_BYTES: usize = 4_096;

/// Inputs by name, so that a run is the same everywhere.
type Corpus = BTreeMap<String, Vec<u8>>;

fn folder(target: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "fuzz", "corpus", target]
        .iter()
        .collect()
}

fn corpus(target: &str) -> Corpus {
    let folder = folder(target);
    let entries =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let read = entries.map(|entry| {
        let entry = entry.expect("the folder is read");
        let name = entry.file_name().to_string_lossy().into_owned();
        (name, fs::read(entry.path()).expect("an input is read"))
    });
    read.collect()
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
}

/// What a run has seen.
#[derive(Debug, Default)]
struct Seen {
    cases: u64,
    /// Those that got past the first refusal.
    deep: u64,
    /// The first input that broke a law or panicked, and how.
    find: Option<(Vec<u8>, String)>,
}

/// Feeds `corpus` as it is, then `changed` inputs made of it, up to the first find.
fn feed(corpus: &Corpus, changed: u64, check: impl Fn(&[u8]) -> Outcome) -> Seen {
    let mut seen = Seen::default();
    let mut random = StdRng::seed_from_u64(number("TIDEMARK_SEED", 1));
    let whole: Vec<&Vec<u8>> = corpus.values().collect();
    let made = (0..changed)
        .map(|_| change(&whole, &mut random))
        .collect::<Vec<_>>();
    for input in whole.iter().copied().chain(&made) {
        seen.cases += 1;
        let outcome = catch_unwind(AssertUnwindSafe(|| check(input)));
        let outcome = outcome.unwrap_or_else(|_| Err("it panicked".to_owned()));
        match outcome {
            Ok(deep) => seen.deep += u64::from(deep),
            Err(broken) => {
                seen.find = Some((input.clone(), broken));
                break;
            }
        }
    }
    seen
}

/// An input with a few changes: bytes flipped, put in, taken out, copied from another one; numbers that are hard.
fn change(corpus: &[&Vec<u8>], random: &mut StdRng) -> Vec<u8> {
    const HARD: [&[u8]; 12] = [
        b"1e999",
        b"-1e999",
        b"NaN",
        b"null",
        b"\\u0000",
        b"\\ud800",
        b"-0.0",
        b"9223372036854775807",
        b"[[[[",
        b"\xff",
        b"\0\0\0\0",
        b"\xff\xff\xff\xff",
    ];
    let mut input = corpus.choose(random).expect("there is an input").to_vec();
    for _ in 0..random.random_range(1..=4) {
        let at = random.random_range(0..=input.len());
        let to = random.random_range(at..=input.len().min(at + 16));
        match random.random_range(0..5) {
            0 if at < input.len() => input[at] ^= 1 << random.random_range(0..8),
            1 => drop(input.drain(at..to)),
            2 => {
                let hard = *HARD.choose(random).expect("there are some");
                input.splice(at..to, hard.iter().copied());
            }
            3 => {
                let other = *corpus.choose(random).expect("there is an input");
                let from = random.random_range(0..=other.len());
                let part = &other[from..other.len().min(from + 64)];
                input.splice(at..at, part.iter().copied());
            }
            _ => input.insert(at, random.random()),
        }
    }
    input.truncate(INPUT_MAX_BYTES);
    input
}

/// Feeds the target `name`; its find would be the test's.
fn hold(name: &str, cases: u64) {
    let check = target(name).expect("the target is in the table").check;
    let seen = feed(&corpus(name), number("TIDEMARK_FUZZ_CASES", cases), check);
    println!("{name}: {} cases, {} of them deep", seen.cases, seen.deep);
    if let Some((input, broken)) = &seen.find {
        panic!("{name}: {broken}\n{:?}", String::from_utf8_lossy(input));
    }
    assert!(seen.deep > seen.cases / 50, "{name}: {seen:?}");
}

#[test]
fn the_seeds_are_in_the_corpus() {
    let is_written = std::env::var_os("TIDEMARK_WRITE_CORPUS").is_some();
    let mut bytes = 0;
    for target in TARGETS {
        if is_written {
            fs::create_dir_all(folder(target.name)).unwrap();
        }
        for (name, input) in seeds::of(target.name) {
            if is_written {
                fs::write(folder(target.name).join(&name), &input).unwrap();
            }
            let committed = corpus(target.name);
            assert_eq!(committed.get(&name), Some(&input), "{} {name}", target.name);
        }
        bytes += corpus(target.name).values().map(Vec::len).sum::<usize>();
    }
    assert!(bytes < CORPUS_MAX_BYTES, "{bytes} bytes");
}

#[test]
fn any_fit_obeys_the_laws() {
    hold("fit_score", 500);
}

#[test]
fn whatever_is_decoded_obeys_the_laws() {
    hold("decode", 2_000);
}

#[test]
fn any_body_is_read_or_refused() {
    hold("body", 20_000);
}

#[test]
fn any_body_of_a_fit_is_fitted_or_refused() {
    hold("fit", 2_000);
}

#[test]
fn any_points_are_scored_or_refused() {
    hold("predict", 2_000);
}

#[test]
fn any_update_is_learnt_or_refused() {
    hold("update", 1_000);
}

#[test]
fn any_record_is_opened_or_refused() {
    hold("store_record", 20_000);
}

#[test]
fn any_artifact_is_imported_or_refused() {
    hold("artifact", 5_000);
}

#[test]
fn any_path_names_one_resource_or_none() {
    hold("path", 20_000);
}

/// The negative control: a defect that only a changed input meets is found, as a panic and as a broken law.
#[test]
fn a_seeded_defect_is_found() {
    let inputs = corpus("body");
    let check = target("body").unwrap().check;
    assert!(
        feed(&inputs, 0, check).find.is_none(),
        "the corpus itself holds"
    );
    let is_hard = |input: &[u8]| {
        let is_points = input.first() == Some(&b'p');
        is_points && input.windows(6).any(|part| part == b"-1e999")
    };
    assert!(
        !inputs.values().any(|input| is_hard(input)),
        "the corpus does not meet it"
    );
    let panics = |input: &[u8]| {
        assert!(!is_hard(input), "a seeded panic");
        check(input)
    };
    let (input, broken) = feed(&inputs, 20_000, panics)
        .find
        .expect("the panic is found");
    assert!(is_hard(&input), "{broken}");
    let lies = |input: &[u8]| {
        if is_hard(input) {
            Err("a seeded lie".to_owned())
        } else {
            check(input)
        }
    };
    assert_eq!(
        feed(&inputs, 20_000, lies)
            .find
            .map(|(_, broken)| broken)
            .as_deref(),
        Some("a seeded lie")
    );
}
