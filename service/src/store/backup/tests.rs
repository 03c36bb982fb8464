//! Every flipped bit and every length of a backup; frames that are whole and not in their place.

use fjall::PersistMode;

use super::frame::{self, Kind};
use super::read::Reader;
use super::write::{Frames, push};
use super::*;
use crate::store::record::{SERIES_COUNT_KEY, STORE_FORMAT, seal_number, version_key};
use crate::store::{EmbeddedOptions, EmbeddedStore, Store, keyspaces};

fn put(store: &EmbeddedStore, series: &str) {
    let (sender, told) = std::sync::mpsc::channel();
    let put = crate::store::Put {
        series: series.into(),
        record: vec![7; 300],
        training: None,
        request: None,
        alias: Some("live".into()),
        index: crate::store::Indexed {
            since_ms: 1_000 + store.series_count(),
            labels: Some([("site".into(), "north".into())].into()),
        },
        life: None,
    };
    store.submit(put, Box::new(move |done| sender.send(done).unwrap()));
    told.recv().unwrap().unwrap();
}

/// A store with a version of each series, and its backup.
fn backup_of(series: &[&str]) -> (tempfile::TempDir, Vec<u8>, Summary) {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(&EmbeddedOptions::at(folder.path())).unwrap();
    for series in series {
        put(&store, series);
    }
    let mut bytes = Vec::new();
    let file = CarriedFile {
        name: CARRIED_FILES[0].into(),
        bytes: b"key".to_vec(),
    };
    let summary = store.back_up(&[file], &mut bytes).unwrap();
    store.close();
    (folder, bytes, summary)
}

fn verified(bytes: &[u8]) -> Result<Summary, BackupError> {
    Reader::open(bytes).and_then(Reader::verify)
}

#[test]
fn a_backup_is_restored_with_every_record() {
    let (_folder, bytes, summary) = backup_of(&["a", "b", "a"]);
    assert_eq!((summary.series, summary.versions()), (2, 3));
    assert_eq!(verified(&bytes).unwrap(), summary);
    let folder = tempfile::tempdir().unwrap();
    let mut reader = Reader::open(bytes.as_slice()).unwrap();
    let (files, found) = restore(&mut reader, folder.path()).unwrap();
    assert_eq!(files[0].bytes, b"key");
    assert_eq!((found.count, found.damaged), (0, vec![]));
    let store = EmbeddedStore::open(&EmbeddedOptions::at(folder.path())).unwrap();
    assert_eq!(store.series_count(), 2);
    let mut again = Vec::new();
    let second = store.back_up(&files, &mut again).unwrap();
    assert_eq!(second.keyspaces, summary.keyspaces);
    put(&store, "a");
    assert_eq!(store.alias("a", "live").unwrap().unwrap().version, 3);
}

#[test]
fn a_backup_shows_its_moment_and_nothing_later() {
    struct Late<'a>(&'a EmbeddedStore, Vec<u8>);
    impl std::io::Write for Late<'_> {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            // As the first bytes leave, the snapshot has been taken.
            put(self.0, "a");
            put(self.0, "later");
            self.1.write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(&EmbeddedOptions::at(folder.path())).unwrap();
    put(&store, "a");
    let mut late = Late(&store, Vec::new());
    store.back_up(&[], &mut late).unwrap();
    let summary = verified(&late.1).unwrap();
    assert_eq!((summary.series, summary.versions()), (1, 1));
    assert!(store.series_count() == 2, "they were put meanwhile");
}

#[test]
fn every_flipped_bit_and_every_length_is_refused() {
    let (_folder, bytes, _) = backup_of(&["a", "b"]);
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(verified(&flipped).is_err(), "bit {bit}");
    }
    for length in 0..bytes.len() {
        let refused = verified(&bytes[..length]).unwrap_err();
        assert!(
            matches!(refused, BackupError::Truncated { .. }),
            "{refused}"
        );
    }
    let more = [bytes.as_slice(), b"\0"].concat();
    assert!(matches!(verified(&more), Err(BackupError::Damaged { .. })));
}

/// The frames of a backup.
fn frames(bytes: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let length = frame::read(&mut &*rest, 1).unwrap().length;
        let (first, after) = rest.split_at(usize::try_from(length).unwrap());
        frames.push(first);
        rest = after;
    }
    frames
}

#[test]
fn frames_that_are_missing_twice_or_moved_are_refused() {
    let (_folder, bytes, _) = backup_of(&["a", "b"]);
    let all = frames(&bytes);
    assert!(all.len() > 5 && verified(&all.concat()).is_ok());
    for i in 0..all.len() {
        let mut missing = all.clone();
        missing.remove(i);
        assert!(verified(&missing.concat()).is_err(), "{i} missing");
        let mut twice = all.clone();
        twice.insert(i, all[i]);
        assert!(verified(&twice.concat()).is_err(), "{i} twice");
        if i > 0 {
            let mut moved = all.clone();
            moved.swap(i, i - 1);
            assert!(verified(&moved.concat()).is_err(), "{i} moved");
        }
    }
}

/// A backup with frames of the test's own between head and end.
fn made(head: &Head, write: impl FnOnce(&mut Frames<'_>, &mut Summary)) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut frames = Frames {
        out: &mut bytes,
        digest: blake3::Hasher::new(),
    };
    let head_bytes = serde_json::to_vec(head).unwrap();
    frames.write(Kind::Head, &head_bytes).unwrap();
    let mut summary = Summary::new(head.clone());
    write(&mut frames, &mut summary);
    let digest = frames.digest.finalize().to_hex().to_string();
    let end = serde_json::to_vec(&(&summary, digest)).unwrap();
    frames.write(Kind::End, &end).unwrap();
    bytes
}

fn head() -> Head {
    Head {
        store_format: STORE_FORMAT,
        created_at_ms: 1,
        release: "test".into(),
    }
}

#[test]
fn what_a_newer_release_wrote_is_refused_in_words() {
    let newer_store = Head {
        store_format: STORE_FORMAT + 1,
        ..head()
    };
    let unknown = |frames: &mut Frames<'_>, _: &mut Summary| {
        frames.records("colours", b"").unwrap();
    };
    let mut newer_format = made(&head(), |_, _| {});
    newer_format = {
        let payload = serde_json::to_vec(&head()).unwrap();
        let first = detectors::envelope::seal(*b"TBAK", frame::FORMAT + 1, 1, &payload);
        [first, newer_format].concat()
    };
    for (bytes, words) in [
        (made(&newer_store, |_, _| {}), "its store has format 3"),
        (made(&head(), unknown), "the keyspace \"colours\""),
        (newer_format, "its format is 2"),
    ] {
        let refused = verified(&bytes).unwrap_err();
        assert!(matches!(refused, BackupError::Newer(_)), "{refused:?}");
        assert!(refused.to_string().contains(words), "{refused}");
    }
}

#[test]
fn records_that_no_backup_has_are_refused() {
    let records = |keys: &[&[u8]]| {
        let mut records = Vec::new();
        for key in keys {
            push(&mut records, key, b"value");
        }
        records
    };
    let with = |pieces: &[(&str, Vec<u8>)]| {
        made(&head(), |frames, summary| {
            for (keyspace, records) in pieces {
                frames.records(keyspace, records).unwrap();
                let _ = summary;
            }
        })
    };
    let long = vec![1; 70_000];
    for (bytes, words) in [
        (with(&[("heads", records(&[b"b", b"a"]))]), "not in order"),
        (with(&[("heads", records(&[b"a", b"a"]))]), "not in order"),
        (with(&[("heads", records(&[b""]))]), "length that cannot be"),
        (
            with(&[("heads", records(&[&long]))]),
            "length that cannot be",
        ),
        (with(&[("heads", vec![1, 2, 3])]), "a record is cut off"),
        (
            with(&[
                ("heads", records(&[b"a"])),
                ("points", records(&[b"a"])),
                ("heads", records(&[b"b"])),
            ]),
            "comes twice",
        ),
        (with(&[("heads", records(&[b"a"]))]), "counts other records"),
    ] {
        let refused = verified(&bytes).unwrap_err().to_string();
        assert!(refused.contains(words), "{words}: {refused}");
    }
}

/// What is done to a store.
type Change<'a> = &'a dyn Fn(&fjall::Database);

#[test]
fn what_does_not_fit_together_is_found() {
    let (folder, _, _) = backup_of(&["a", "b", "a"]);
    let found_after = |change: Change<'_>| {
        let copy = tempfile::tempdir().unwrap();
        let mut bytes = Vec::new();
        let store = EmbeddedStore::open(&EmbeddedOptions::at(folder.path())).unwrap();
        store.back_up(&[], &mut bytes).unwrap();
        drop(store);
        restore(&mut Reader::open(bytes.as_slice()).unwrap(), copy.path()).unwrap();
        let db = keyspaces::open_database(copy.path()).unwrap();
        change(&db);
        db.persist(PersistMode::SyncAll).unwrap();
        drop(db);
        let store = EmbeddedStore::open(&EmbeddedOptions::at(copy.path())).unwrap();
        let found = store.inconsistencies().unwrap();
        assert_eq!(found.count, found.sentences.len() as u64);
        (found.sentences.join("; "), found.damaged.join("; "))
    };
    let table = |db: &fjall::Database, name: &str| keyspaces::open(db, name).unwrap();
    assert_eq!(found_after(&|_| {}), Default::default());
    let cases: [(Change<'_>, &str); 10] = [
        (
            &|db| table(db, "heads").insert("a", seal_number(3)).unwrap(),
            "a has 2 versions, and 3 according to its head",
        ),
        (
            &|db| table(db, "heads").remove("b").unwrap(),
            "b has 1 versions, and 0 according to its head; there are 1 series, and 2 were counted",
        ),
        (
            &|db| table(db, "versions").remove(version_key("a", 1)).unwrap(),
            "a has 1 versions, and 2 according to its head",
        ),
        (
            &|db| {
                let key = version_key("b", 2);
                table(db, "training").insert(key, "points").unwrap();
            },
            "b has training points of version 2, which is not there",
        ),
        (
            &|db| {
                let key = version_key("b", 1);
                table(db, "points").insert(key, "points").unwrap();
            },
            "b has learnt points and no online state",
        ),
        (
            &|db| {
                let one = seal_number(1);
                table(db, "heads").insert(SERIES_COUNT_KEY, one).unwrap();
            },
            "there are 2 series, and 1 were counted",
        ),
        (
            &|db| {
                let (key, late) = (version_key("b", 2_000), seal_number(7));
                table(db, "times").insert(key, late).unwrap();
            },
            "b has version 7 as its latest from 2000 on, after version 1 of 1",
        ),
        (
            &|db| table(db, "labelled").remove("site=north\0a").unwrap(),
            "a is not found by its label site",
        ),
        (
            &|db| table(db, "labelled").insert("site=south\0a", "").unwrap(),
            "3 labels of series are indexed, and series have 2 of these",
        ),
        (
            &|db| {
                let labels = [("site".into(), "north".into())].into();
                let record = crate::store::SeriesLabels { version: 9, labels };
                table(db, "labels").insert("a", record.seal()).unwrap();
            },
            "a has labels of version 9, which is not there",
        ),
    ];
    for (change, sentence) in cases {
        assert_eq!(found_after(change), (sentence.to_owned(), String::new()));
    }
    let alias = crate::store::AliasRecord {
        version: 9,
        revision: 99,
        updated_at_ms: 0,
    };
    let (found, _) = found_after(&|db| {
        table(db, "aliases")
            .insert("a\0live", alias.seal())
            .unwrap();
    });
    assert_eq!(
        found,
        "the alias live of a points to version 9, which is not there; an alias was changed by change 99, and 3 \
         were counted"
    );
    // Of a damaged record nothing is said but that it is damaged.
    let (found, damaged) = found_after(&|db| table(db, "heads").insert("a", "?").unwrap());
    assert_eq!(found, "");
    assert!(damaged.starts_with("the head of a: "), "{damaged}");
}
