//! D6: a damaged store gives the right answer or an error, never another answer, and `verify` finds
//! every damage that changes one.
//!
//! Stores are small and opened in this process: a thousand cases are minutes. A store that is copied
//! while it is open is what `kill -9` leaves: what is acknowledged has left the process.
//!
//! ```text
//! TIDEMARK_FLIPS=1000 TIDEMARK_TRUNCATIONS=1000 cargo test -p service --lib damage_tests -- --nocapture
//! ```

mod answers;
mod campaign;
mod made;
mod salvage;

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::path::Path;

pub(super) use made::try_copy;

use answers::{ask, wrong, wrongly_numbered};
use campaign::{FileKind, Outcomes, campaign, from_env, judge};
use made::{KILLED, KILLED_WITH_TABLES, KINDS, SERIES, VERSIONS, copy, files, make, put};

use super::laws::put_and_wait;
use super::watermark::Watermark;
use super::{EmbeddedOptions, EmbeddedStore, Incomplete, Store, accept_loss, verify};

/// Undamaged series are served: no store is refused, and damage of what says where records are costs no
/// version that is asked for by its number.
fn check_served(outcomes: &BTreeMap<FileKind, Outcomes>) {
    for (kind, found) in outcomes {
        assert_eq!(found.refused, 0, "{kind:?}: {found:?}");
        match kind {
            FileKind::List | FileKind::Names | FileKind::Note => {
                assert_eq!(found.served, found.asked, "{kind:?}: {found:?}");
            }
            FileKind::Journal | FileKind::Table | FileKind::Values => {}
        }
    }
    let explicit: u64 = outcomes.values().map(|found| found.explicit).sum();
    assert!(explicit > 0, "no damage was met: {outcomes:?}");
}

#[test]
fn a_flipped_bit_gives_the_right_answer_or_an_error() {
    let outcomes = campaign(from_env("TIDEMARK_FLIPS", 40), true);
    check_served(&outcomes);
    // A bit costs at most the block it is in; the tables of these stores have few of them.
    for (kind, found) in &outcomes {
        assert!(found.served * 10 >= found.asked * 8, "{kind:?}: {found:?}");
    }
}

#[test]
fn a_truncated_file_gives_the_right_answer_or_an_error() {
    check_served(&campaign(from_env("TIDEMARK_TRUNCATIONS", 40), false));
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
    let expected = make(&path, KILLED);
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
    let expected = make(&path, KILLED_WITH_TABLES);
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
