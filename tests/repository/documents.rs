//! A test that a document names exists: a promise whose test is not there is none.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const DOCUMENTS: [&str; 2] = ["docs/promises.md", "docs/threat-model.md"];

/// A test or a module by its path: folders, file, modules inside of it, name.
type Place = Vec<String>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let path = entry.expect("an entry can be read").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') || name == "target" {
            continue;
        }
        if path.is_dir() {
            files_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Every test and every module.
fn places() -> BTreeSet<Place> {
    let mut files = Vec::new();
    files_below(&root(), &mut files);
    let mut places = BTreeSet::new();
    for file in files {
        let relative = file.strip_prefix(root()).expect("it is below");
        let relative = relative.with_extension("");
        let names = relative
            .iter()
            .map(|name| name.to_string_lossy().into_owned());
        let place = names.filter(|name| !["src", "mod", "main", "lib"].contains(&&**name));
        let text = fs::read_to_string(&file).expect("a source can be read");
        places.extend(places_in(&place.collect(), &text));
    }
    places
}

/// What one file has.
fn places_in(file: &Place, text: &str) -> Vec<Place> {
    let mut places = vec![file.clone()];
    // Modules that the line stands in, by their indentation.
    let mut inside: Vec<(usize, String)> = Vec::new();
    let mut is_test = false;
    for line in text.lines() {
        let depth = line.len() - line.trim_start().len();
        let line = line.trim_start();
        if line.is_empty() {
            continue;
        }
        if line.starts_with('}') {
            inside.retain(|(outer, _)| *outer < depth);
        }
        let words = line
            .trim_start_matches("pub ")
            .trim_start_matches("pub(crate) ");
        let words = words.trim_start_matches("async ");
        let name = |rest: &str| -> String {
            let end = rest.find(|letter: char| !(letter.is_alphanumeric() || letter == '_'));
            rest[..end.unwrap_or(rest.len())].to_owned()
        };
        let below = |name: String| -> Place {
            let modules = inside.iter().map(|(_, name)| name.clone());
            file.iter().cloned().chain(modules).chain([name]).collect()
        };
        if line.starts_with("#[") {
            is_test |= line.contains("test]")
                || line.contains("test(")
                || line.contains("rstest")
                || line.contains("case");
        } else if let Some(rest) = words.strip_prefix("fn ") {
            if is_test {
                places.push(below(name(rest)));
            }
            is_test = false;
        } else if let Some(rest) = words.strip_prefix("mod ") {
            let name = name(rest);
            places.push(below(name.clone()));
            if line.ends_with('{') {
                inside.push((depth, name));
            }
            is_test = false;
        }
    }
    places
}

/// Texts between backticks that are paths of tests: `module::name`, `module::*`, and `module::begin_…`.
fn named(document: &str) -> Vec<&str> {
    let spans = document.split('`').skip(1).step_by(2);
    let is_path = |span: &&str| {
        let plain = span.trim_end_matches("::*").trim_end_matches('…');
        let segments = plain.split("::");
        let word = |text: &str| {
            let mut letters = text.chars();
            !text.is_empty()
                && letters.all(|letter| {
                    letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_'
                })
        };
        span.contains("::") && segments.clone().all(word)
    };
    spans.filter(is_path).collect()
}

/// Whether a place ends with these segments, in this order. Modules between them may be left out, as a document says
/// `aliases::name` of a test in a module `aliases::tests`.
fn is_at(place: &Place, name: &str) -> bool {
    let (path, begins) = match name.strip_suffix('…') {
        Some(path) => (path, true),
        None => (name, false),
    };
    let mut segments: Vec<&str> = path.trim_end_matches("::*").split("::").collect();
    let last = segments.pop().expect("a split has a part");
    let Some((own, modules)) = place.split_last() else {
        return false;
    };
    let ends = if begins {
        own.starts_with(last)
    } else {
        own == last
    };
    let mut rest = modules.iter();
    ends && segments
        .iter()
        .all(|segment| rest.any(|module| module == segment))
}

fn missing<'a>(document: &'a str, places: &BTreeSet<Place>) -> Vec<&'a str> {
    let names = named(document).into_iter();
    names
        .filter(|name| !places.iter().any(|place| is_at(place, name)))
        .collect()
}

#[test]
fn every_test_that_a_document_names_exists() {
    let places = places();
    for name in DOCUMENTS {
        let document = fs::read_to_string(root().join(name)).expect("the document is there");
        assert!(named(&document).len() > 10, "{name} names no tests");
        assert_eq!(missing(&document, &places), Vec::<&str>::new(), "{name}");
    }
}

/// Control.
#[test]
fn a_test_that_does_not_exist_is_noticed() {
    let places = places();
    let document = "`documents::a_test_that_does_not_exist_is_noticed`, `documents::*`, `documents::a_test_that_…`, \
                    `documents::there_is_none`, `nowhere::*`, `nowhere::a_test_that_does_not_exist_is_noticed`, \
                    `documents::there_…`, `documents::places_in`, and no `path/of/a.rs` or `word`";
    assert_eq!(
        missing(document, &places),
        [
            "documents::there_is_none",
            "nowhere::*",
            "nowhere::a_test_that_does_not_exist_is_noticed",
            "documents::there_…",
            "documents::places_in",
        ]
    );
}
