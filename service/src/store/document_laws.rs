//! The laws of documents, part of the suite in `laws`.

use std::sync::mpsc;

use super::documents::{Document, DocumentKind, DocumentPut, DocumentWrite};
use super::{EmbeddedOptions, EmbeddedStore, PutError, Store};

const KIND: DocumentKind = DocumentKind::Feedback;

fn write(id: &str, body: Option<&str>) -> DocumentWrite {
    DocumentWrite {
        kind: KIND,
        id: id.into(),
        body: body.map(|body| body.as_bytes().to_vec()),
    }
}

/// Submits all at once, so that some share a commit, and waits for all.
fn put_all(store: &dyn Store, puts: Vec<(&str, Vec<DocumentWrite>)>) -> Vec<Result<(), PutError>> {
    let (sender, receiver) = mpsc::channel();
    for (series, writes) in puts {
        let sender = sender.clone();
        let put = DocumentPut {
            series: series.into(),
            life: None,
            writes,
        };
        store.submit_document(put, Box::new(move |outcome| sender.send(outcome).unwrap()));
    }
    drop(sender);
    receiver.iter().collect()
}

fn ids(store: &dyn Store, series: Option<&str>, after: Option<&str>, limit: usize) -> Vec<String> {
    let found = store.documents(KIND, series, after, limit).unwrap();
    let name = |document: Document| {
        let body = document.body.unwrap();
        let body = String::from_utf8(body).unwrap();
        format!("{}/{}={body}", document.series, document.id)
    };
    found.into_iter().map(name).collect()
}

pub(super) fn a_document_is_what_was_written_last(store: &dyn Store) {
    let read = |id| store.document(KIND, "d", id).unwrap();
    assert_eq!(read("1"), None);
    let outcomes = put_all(
        store,
        vec![
            ("d", vec![write("1", Some("a")), write("2", Some("b"))]),
            ("d", vec![write("1", None)]),
            ("d", vec![write("1", Some("c")), write("3", None)]),
            ("d", vec![write("2", None)]),
        ],
    );
    assert_eq!(outcomes, vec![Ok(()); 4]);
    assert_eq!(read("1").as_deref(), Some(&b"c"[..]));
    assert_eq!((read("2"), read("3")), (None, None));
    let other = store.document(DocumentKind::Backtest, "d", "1");
    assert_eq!(other.unwrap(), None, "another kind is another document");
}

pub(super) fn documents_are_listed_by_series_and_from_a_cursor(store: &dyn Store) {
    let of = |series, ids: &[&str]| {
        let writes = ids.iter().map(|id| write(id, Some("x"))).collect();
        (series, writes)
    };
    let puts = vec![
        of("l", &["a", "b", "c"]),
        of("l.m", &["a"]),
        of("l/m", &["z"]),
    ];
    put_all(store, puts);
    assert_eq!(ids(store, Some("l"), None, 9), ["l/a=x", "l/b=x", "l/c=x"]);
    assert_eq!(ids(store, Some("l"), None, 2), ["l/a=x", "l/b=x"]);
    assert_eq!(ids(store, Some("l"), Some("a"), 9), ["l/b=x", "l/c=x"]);
    // The cursor need not be there any more, and nothing of another series is after it.
    assert_eq!(ids(store, Some("l"), Some("bb"), 9), ["l/c=x"]);
    assert!(ids(store, Some("l"), Some("c"), 9).is_empty());
    assert!(ids(store, Some("k"), None, 9).is_empty());
    let all = ids(store, None, None, 99);
    for one in ["l/a=x", "l.m/a=x", "l/m/z=x"] {
        assert!(all.iter().any(|name| name == one), "{one} of {all:?}");
    }
}

#[test]
fn documents_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let options = EmbeddedOptions::at(folder.path().join("store"));
    let store = EmbeddedStore::open(&options).unwrap();
    put_all(
        &store,
        vec![(
            "s",
            vec![write("1", Some("kept")), write("2", Some("gone"))],
        )],
    );
    put_all(&store, vec![("s", vec![write("2", None)])]);
    drop(store);
    let store = EmbeddedStore::open(&options).unwrap();
    assert_eq!(ids(&store, Some("s"), None, 9), ["s/1=kept"]);
    store.close();
    let refused = put_all(&store, vec![("s", vec![write("3", Some("late"))])]);
    assert!(
        matches!(refused[..], [Err(PutError::Closed(_))]),
        "{refused:?}"
    );
}
