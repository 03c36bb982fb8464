//! A damaged keyspace costs what is damaged: what rests on others is answered, nothing that was damaged is
//! thrown away, and a process that ends meanwhile leaves a store that the next one opens.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use super::answers::{Answers, ask, wrong};
use super::made::{
    KILLED_WITH_TABLES, Kind, ROTATED, SERIES, VERSIONS, copy, files, make, put, series,
};
use crate::store::folder::{self, Depth};
use crate::store::laws::put_and_wait;
use crate::store::{
    DeletePut, EmbeddedOptions, EmbeddedStore, Incomplete, Store, accept_loss, keyspaces, verify,
};

fn made(kind: Kind) -> (tempfile::TempDir, PathBuf, Answers) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let expected = make(&path, kind);
    (folder, path, expected)
}

fn open(path: &Path) -> EmbeddedStore {
    EmbeddedStore::open(&EmbeddedOptions::at(path)).unwrap()
}

/// The folder of the keyspace `name`: they are numbered in the order in which they are opened.
fn keyspace(path: &Path, name: &str) -> PathBuf {
    let before = keyspaces::ALL.iter().position(|other| *other == name);
    path.join(format!("keyspaces/{}", before.unwrap() + 1))
}

fn cut_list(folder: &Path) {
    std::fs::write(folder.join("current"), b"").unwrap();
}

/// Cuts the end of every table of a keyspace, its last block of records with it.
fn cut_tables(folder: &Path) {
    for table in files(&folder.join("tables")) {
        let bytes = std::fs::read(&table).unwrap();
        std::fs::write(&table, &bytes[..100]).unwrap();
    }
}

fn is_told(answers: &Answers, question: &str) -> bool {
    answers[question].contains("Incomplete")
}

#[test]
fn a_lost_list_of_aliases_costs_aliases_alone() {
    let (_folder, path, expected) = made(ROTATED);
    cut_list(&keyspace(&path, "aliases"));
    let store = open(&path);
    assert!(store.refusal().unwrap().contains("current"));
    let found = ask(&store);
    assert_eq!(wrong(&expected, &found), [""; 0]);
    for (question, answer) in &found {
        let is_of_aliases = question.contains("alias");
        assert_eq!(is_told(&found, question), is_of_aliases, "{question}");
        assert!(is_of_aliases || *answer == expected[question], "{question}");
    }
    assert!(put_and_wait(&store, put(0, 5)).is_err());
    drop(store);
    let options = EmbeddedOptions::at(&path);
    let accepted = accept_loss(&options).unwrap().unwrap();
    assert!(accepted.findings[0].contains("current"), "{accepted}");
    let verified = verify(&options, |finding| panic!("{finding}")).unwrap();
    // All of them were there; that could not be known.
    assert_eq!(verified.aliases, 2 * SERIES);
    let store = open(&path);
    assert_eq!(wrong(&expected, &ask(&store)), [""; 0]);
    assert_eq!(put_and_wait(&store, put(0, 5)), Ok(VERSIONS + 1));
}

#[test]
fn numbers_of_versions_are_not_given_twice_when_the_latest_ones_are_lost() {
    let (_folder, path, expected) = made(ROTATED);
    let heads = keyspace(&path, "heads");
    cut_tables(&heads);
    let store = open(&path);
    let found = ask(&store);
    assert_eq!(wrong(&expected, &found), [""; 0]);
    assert!(is_told(&found, "s-1 latest") && is_told(&found, "nobody"));
    assert_eq!(found["s-1 version 2"], expected["s-1 version 2"]);
    drop(store);
    let options = EmbeddedOptions::at(&path);
    accept_loss(&options).unwrap().unwrap();
    verify(&options, |finding| panic!("{finding}")).unwrap();
    let store = open(&path);
    assert_eq!(store.series_count(), SERIES);
    assert_eq!(ask(&store), expected);
    for of in 0..SERIES {
        assert_eq!(put_and_wait(&store, put(of, 5)), Ok(VERSIONS + 1));
    }
}

/// The control: the same heads, of which the store does not know that they lost something.
#[test]
fn lost_heads_that_are_not_told_of_give_numbers_twice() {
    let (_folder, path, expected) = made(ROTATED);
    cut_tables(&keyspace(&path, "heads"));
    drop(open(&path));
    Incomplete::remove(&path).unwrap();
    std::fs::remove_file(path.join("tidemark-watermark")).unwrap();
    let store = open(&path);
    assert!(!wrong(&expected, &ask(&store)).is_empty());
    assert_eq!(put_and_wait(&store, put(0, 5)), Ok(1));
}

#[test]
fn what_the_journals_have_is_not_lost_with_a_keyspace() {
    for damaged in keyspaces::ALL {
        let (_folder, path, expected) = made(KILLED_WITH_TABLES);
        cut_tables(&keyspace(&path, damaged));
        let store = open(&path);
        assert_eq!(ask(&store), expected, "{damaged}");
        assert_eq!(store.refusal(), None);
        assert_eq!(put_and_wait(&store, put(0, 5)), Ok(VERSIONS + 1));
    }
}

#[test]
fn names_are_made_anew_from_the_note_or_from_what_is_left_of_them_or_not_at_all() {
    let (folder, path, expected) = made(ROTATED);
    let note = Path::new("tidemark-keyspaces");
    let with = |cuts_tables: bool, keeps_note: bool| {
        let damaged = folder.path().join("damaged");
        let _ = std::fs::remove_dir_all(&damaged);
        copy(&path, &damaged);
        let names = damaged.join("keyspaces/0");
        match cuts_tables {
            true => cut_tables(&names),
            false => cut_list(&names),
        }
        if !keeps_note {
            std::fs::remove_file(damaged.join(note)).unwrap();
        }
        damaged
    };
    for (cuts_tables, keeps_note) in [(false, true), (true, true), (false, false)] {
        let store = open(&with(cuts_tables, keeps_note));
        assert_eq!(ask(&store), expected);
        assert_eq!(store.refusal(), None);
        assert_eq!(put_and_wait(&store, put(0, 5)), Ok(VERSIONS + 1));
    }
    let damaged = with(true, false);
    let before = files(&damaged);
    let error = EmbeddedStore::open(&EmbeddedOptions::at(&damaged));
    let error = error.map(drop).unwrap_err().to_string();
    assert!(error.contains("names of its keyspaces"), "{error}");
    let is_there = |file: &PathBuf| file.exists();
    assert!(before.iter().all(is_there), "nothing was deleted");
}

#[test]
fn a_salvage_that_was_cut_off_is_finished() {
    let (folder, path, expected) = made(ROTATED);
    let damaged = keyspace(&path, "heads");
    let id = damaged.file_name().unwrap().to_string_lossy().into_owned();
    cut_list(&damaged);
    let tables = |of: &Path| -> Vec<Vec<u8>> {
        let tables = files(&of.join("tables"));
        tables
            .iter()
            .map(|table| std::fs::read(table).unwrap())
            .collect()
    };
    let original = tables(&damaged);
    let aside = path.join("tidemark-salvage");
    let steps: [&dyn Fn(); 5] = [
        &|| {
            let found = folder::inspect(&path, Depth::ToOpen).unwrap();
            drop(found.salvage().unwrap());
        },
        // As the next one, with half of what it writes.
        &|| {
            std::fs::write(
                path.join("tidemark-incomplete.tidemark-anew"),
                "missing only",
            )
            .unwrap()
        },
        &|| {
            std::fs::write(
                path.join("tidemark-incomplete"),
                "missing only in: heads.\na list\n",
            )
            .unwrap()
        },
        &|| {
            let made = aside.join(format!("{id}.made"));
            std::fs::rename(made, aside.join(format!("{id}.whole"))).unwrap();
        },
        &|| {
            let set_aside = path.join("tidemark-set-aside");
            std::fs::create_dir_all(&set_aside).unwrap();
            std::fs::rename(&damaged, set_aside.join(format!("keyspace-{id}.0"))).unwrap();
        },
    ];
    for (idx, step) in steps.iter().enumerate() {
        step();
        let ended = folder.path().join(format!("ended-{idx}"));
        copy(&path, &ended);
        for _ in 0..2 {
            let store = open(&ended);
            let found = ask(&store);
            assert_eq!(wrong(&expected, &found), [""; 0], "step {idx}");
            assert!(is_told(&found, "s-0 latest"), "step {idx}");
            assert!(!is_told(&found, "s-0 aliases"), "step {idx}");
            assert_eq!(
                found["s-0 version 3"], expected["s-0 version 3"],
                "step {idx}"
            );
        }
        assert!(!ended.join("tidemark-salvage").exists(), "step {idx}");
        let kept = ended.join(format!("tidemark-set-aside/keyspace-{id}.0"));
        assert_eq!(tables(&kept), original, "step {idx}");
    }
}

/// A value that stands apart is lost alone, and so is what a table says of where it stands.
#[test]
fn a_damaged_file_of_values_costs_the_values_that_are_damaged() {
    let (folder, path, expected) = made(ROTATED);
    let values = files(&keyspace(&path, "training").join("blobs"));
    let [values] = &values[..] else {
        panic!("{values:?}")
    };
    let whole = std::fs::read(values).unwrap();
    let is_third = |question: &str| question.contains("training 3");
    for length in [whole.len() - 1, whole.len() / 2] {
        std::fs::write(values, &whole[..length]).unwrap();
        let damaged = folder.path().join("damaged");
        copy(&path, &damaged);
        let found = ask(&open(&damaged));
        assert_eq!(wrong(&expected, &found), [""; 0]);
        for (question, answer) in &found {
            let is_served = *answer == expected[question];
            let may_be_lost = length < whole.len() - 1;
            assert!(
                is_served || may_be_lost && question.contains("training"),
                "{question}: {answer}"
            );
        }
        let served = found
            .iter()
            .filter(|(question, answer)| is_third(question) && **answer == expected[*question]);
        let served = served.count() as u64;
        assert!(
            served == SERIES || (1..SERIES).contains(&served) && length < whole.len() - 1,
            "{served}"
        );
        std::fs::remove_dir_all(&damaged).unwrap();
    }
}

/// What was deleted stays so as long as one of the two that know it is whole: the head of the series, or the
/// table with the removal.
#[test]
fn deleted_versions_do_not_come_back_with_a_list() {
    let (folder, path, _) = made(ROTATED);
    let store = open(&path);
    for (of, version) in [(0, Some(3)), (1, None)] {
        let (sender, receiver) = mpsc::channel();
        let series = series(of).into();
        let done = move |outcome| sender.send(outcome).unwrap();
        store.submit_delete(DeletePut { series, version }, Box::new(done));
        receiver.recv().unwrap().unwrap();
    }
    // What is left of a series is removed after it counts as deleted.
    while store.training("s-1", 3).unwrap().is_some() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let expected = ask(&store);
    assert!(expected["s-0 version 3"].contains("NoSuchVersion"));
    assert!(expected["s-1 version 2"].contains("NoSuchSeries"));
    store.write_tables();
    store.close();
    drop(store);
    for journal in files(&path) {
        if journal.extension().is_some_and(|end| end == "jnl") {
            std::fs::write(journal, b"").unwrap();
        }
    }
    for lost in ["versions", "heads", "meta", "idempotency"] {
        let damaged = folder.path().join(lost);
        copy(&path, &damaged);
        cut_list(&keyspace(&damaged, lost));
        let found = ask(&open(&damaged));
        assert_eq!(wrong(&expected, &found), [""; 0], "{lost}");
        assert_eq!(found["s-2 version 2"], expected["s-2 version 2"]);
        accept_loss(&EmbeddedOptions::at(&damaged))
            .unwrap()
            .unwrap();
        let found = ask(&open(&damaged));
        assert_eq!(wrong(&expected, &found), [""; 0], "{lost}, accepted");
    }
}
