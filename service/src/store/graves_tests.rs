//! A series of any size is deleted in one small commit, and what is left of it goes after, also across
//! restarts in the middle.

use std::path::Path;
use std::sync::mpsc;

use super::answers::Sweeper;
use super::deletes::{self, DeletePut};
use super::graves::Graves;
use super::heads::Heads;
use super::laws::{put, put_and_wait};
use super::opening;
use super::{
    Answer, BodyDigest, EmbeddedOptions, EmbeddedStore, Found, Put, Request, RequestKey, Store,
    VersionSelector,
};

/// In the long form, `TIDEMARK_LARGE_SERIES=20000`.
fn n_versions() -> u64 {
    std::env::var("TIDEMARK_LARGE_SERIES").map_or(5_000, |n| n.parse().unwrap())
}

/// Versions with answers that are kept, and every third with points beside it.
fn fill(folder: &Path) {
    let options = EmbeddedOptions {
        queue_puts: usize::try_from(n_versions()).unwrap(),
        ..EmbeddedOptions::at(folder)
    };
    let store = EmbeddedStore::open(&options).unwrap();
    let (sender, receiver) = mpsc::channel();
    for mark in 1..=n_versions() {
        let request = Request {
            key: RequestKey::new(b"", &mark.to_string()),
            body: BodyDigest::of(b"{}"),
            answer: Answer {
                before: b"{".to_vec(),
                after: b"}".to_vec(),
            },
        };
        let put = Put {
            training: (mark % 3 == 0).then(|| vec![7; 100]),
            request: Some(request),
            ..put("a", mark)
        };
        let sender = sender.clone();
        store.submit(put, Box::new(move |stored| sender.send(stored).unwrap()));
    }
    drop(sender);
    assert!(receiver.iter().all(|stored| stored.is_ok()));
    put_and_wait(&store, put("a:b", 1)).unwrap();
}

/// Records of `versions`, `training` and `idempotency`, and whether something is marked to be removed.
fn left(folder: &Path) -> (usize, usize, usize, bool) {
    let opened = opening::open(&EmbeddedOptions::at(folder)).unwrap();
    let tables = &opened.tables;
    let answers = tables.answers.table.iter().count();
    let is_marked = Graves::of(tables).unwrap().is_due();
    (
        tables.versions.iter().count(),
        tables.training.iter().count(),
        answers,
        is_marked,
    )
}

#[test]
fn a_large_series_goes_in_a_small_commit_and_is_removed_across_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fill(path);
    let whole = left(path);
    let n = usize::try_from(n_versions()).unwrap();
    let third = n / 3;
    assert_eq!(whole, (n + 1, third + 1, 2 * n + 1, false));
    {
        let opened = opening::open(&EmbeddedOptions::at(path)).unwrap();
        let tables = &opened.tables;
        let delete = DeletePut {
            series: "a".into(),
            version: None,
        };
        let begun = std::time::Instant::now();
        let mut heads = Heads::default();
        let mut write = tables.db.batch().durability(tables.sync);
        let deleted = deletes::apply(&mut write, tables, &mut heads, &delete);
        deleted.unwrap().unwrap();
        heads.write(&mut write, tables, 2);
        assert!(write.len() <= 3, "{} writes", write.len());
        write.commit().unwrap();
        let took = begun.elapsed();
        println!("{n} versions were deleted in {took:?}");
    }
    // It ends in the middle of the removal, three times.
    let mut before = whole;
    for _ in 0..3 {
        {
            let opened = opening::open(&EmbeddedOptions::at(path)).unwrap();
            let mut sweeper = Sweeper::of(&opened.tables.answers).unwrap();
            let mut graves = Graves::of(&opened.tables).unwrap();
            for _ in 0..2 {
                graves.step(&opened.tables, &mut sweeper).unwrap();
            }
        }
        let now = left(path);
        assert!(
            now.0 < before.0 && now.0 > 1 && now.3,
            "{now:?} after {before:?}"
        );
        before = now;
    }
    let store = EmbeddedStore::open(&EmbeddedOptions::at(path)).unwrap();
    // A new life begins before the end of the last one is removed.
    let find = |selector| store.version("a", selector).unwrap();
    assert_eq!(find(VersionSelector::Latest), Found::NoSuchSeries);
    assert_eq!(
        find(VersionSelector::Exactly(n_versions())),
        Found::NoSuchSeries
    );
    assert_eq!(put_and_wait(&store, put("a", 1)), Ok(n_versions() + 1));
    let gone = find(VersionSelector::Exactly(n_versions()));
    let latest = n_versions() + 1;
    assert_eq!(gone, Found::NoSuchVersion { latest });
    let key = RequestKey::new(b"", "1");
    assert_eq!(store.answered("a", key).unwrap(), None);
    let begun = std::time::Instant::now();
    store.wait_until_tidy();
    println!("the rest was removed in {:?}", begun.elapsed());
    drop(store);
    assert_eq!(
        left(path),
        (2, 2, 1, false),
        "the new version, and the other series"
    );
}

/// The limit was set after the versions were there.
#[test]
fn what_is_beyond_a_new_limit_goes_after_the_start() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path());
    let options = EmbeddedOptions {
        keep_versions: 10,
        ..EmbeddedOptions::at(folder.path())
    };
    let store = EmbeddedStore::open(&options).unwrap();
    store.wait_until_tidy();
    let head = store.head("a").unwrap();
    assert_eq!(
        (head.count, head.from, head.last),
        (10, n_versions() - 9, n_versions())
    );
    for version in [1, n_versions() - 10] {
        let found = store.version("a", VersionSelector::Exactly(version));
        let latest = n_versions();
        assert_eq!(found.unwrap(), Found::NoSuchVersion { latest });
    }
    drop(store);
    // The answers stay.
    let n = usize::try_from(n_versions()).unwrap();
    let third = (n - 9..=n).filter(|version| version % 3 == 0).count();
    assert_eq!(left(folder.path()), (11, third + 1, 2 * n + 1, false));
    let store = EmbeddedStore::open(&options).unwrap();
    assert_eq!(store.inconsistencies().unwrap().sentences, [""; 0]);
}
