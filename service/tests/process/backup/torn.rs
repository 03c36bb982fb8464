//! The controls of the audit: stores that are of several moments.

use std::path::Path;
use std::time::Instant;

use super::super::audit::{self, Ack};
use super::super::binary::Tidemark;
use super::super::http::Connection;
use super::super::payload;
use super::moment::{Moment, Violation};
use super::writers::Written;
use super::{back_up, refused, restore, succeeded, text, tidemark};

const SERIES: [&str; 3] = ["a", "b", "c"];

/// Copies the records whose keys begin with `prefix` from a keyspace of one store into another's.
fn copy_records(from: &Path, to: &Path, keyspace: &str, prefix: &str) {
    let open = |path: &Path| {
        let db = fjall::Database::builder(path.join("store")).open();
        let db = db.expect("nobody has it open");
        let table = db.keyspace(keyspace, || unreachable!("it is there"));
        (db, table.expect("it can be opened"))
    };
    let ((_later, theirs), (db, ours)) = (open(from), open(to));
    for record in theirs.prefix(prefix) {
        let (key, value) = record.into_inner().expect("it can be read");
        ours.insert(key, value).expect("it can be written");
    }
    db.persist(fjall::PersistMode::SyncAll)
        .expect("it can be synced");
}

#[test]
fn copies_of_several_moments_are_reported_and_not_restored() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let data_dir = folder.path().join("data");
    let server = Tidemark::start(&data_dir, &[]);
    let mut connection = Connection::open(server.addr).expect("it listens");
    let started = Instant::now();
    let mut written = Written::default();
    let mut fit_all = |version: u64| {
        for series in SERIES {
            let body = payload::fit(version, 300);
            let sent = started.elapsed();
            let reply = connection.exchange("POST", &format!("/fit/{series}"), &body);
            let reply = reply.expect("a reply").json();
            written.fits.push(Ack {
                series: series.into(),
                version,
                hash: reply["model_hash"].as_str().expect("a hash").into(),
                sent,
                told: started.elapsed(),
            });
        }
    };
    let (early, late) = (folder.path().join("early"), folder.path().join("late"));
    fit_all(1);
    let begun = started.elapsed();
    succeeded(back_up(&data_dir, &early));
    fit_all(2);
    succeeded(back_up(&data_dir, &late));
    server.stop();
    let restored = |name: &str, backup: &Path| {
        let path = folder.path().join(name);
        succeeded(restore(backup, &path));
        path
    };
    let later = restored("later", &late);
    let audited = |path: &Path| {
        let server = Tidemark::start(path, &[]);
        let all = SERIES.map(str::to_owned).into();
        let moment = Moment::read(server.addr, &all, &written);
        server.stop();
        moment.audit(&written, begun)
    };
    assert_eq!(audited(&restored("right", &early)), []);
    assert_eq!(audited(&later), []);

    // Keyspace after keyspace, each from a moment of its own: heads later than versions.
    let torn = restored("heads", &early);
    copy_records(&later, &torn, "heads", "");
    // The latest version of each series is damaged, so that none is found.
    let lost = SERIES.map(|series| {
        Violation::Fit(audit::Violation::Lost {
            series: series.into(),
            version: 1,
        })
    });
    let reported = |path: &Path| {
        let violations = audited(path);
        lost.iter().all(|violation| violations.contains(violation))
    };
    assert!(reported(&torn));
    let copy = folder.path().join("torn");
    succeeded(back_up(&torn, &copy));
    let target = folder.path().join("target");
    let words = "a has 1 versions, and 2 according to its head";
    refused(&restore(&copy, &target), words);
    assert!(!target.exists(), "nothing is left of it");
    let mut accept = tidemark(&["restore", "--accept-inconsistent", "--from", text(&copy)]);
    let accepted = super::run(accept.args(["--data-dir", text(&target)]));
    assert!(succeeded(accepted).errors.contains(words));
    assert!(reported(&target));

    // Versions later than heads are as little restored.
    let torn = restored("versions", &early);
    copy_records(&later, &torn, "versions", "");
    let copy = folder.path().join("torn-versions");
    succeeded(back_up(&torn, &copy));
    let words = "a has 2 versions, and 1 according to its head";
    refused(&restore(&copy, &folder.path().join("nothing")), words);

    // One series of a later moment than the others: all fits together, and no such moment was.
    let torn = restored("series", &early);
    for keyspace in ["heads", "versions", "training"] {
        copy_records(&later, &torn, keyspace, "c");
    }
    let missing = ["a", "b"].map(|series| Violation::Torn {
        what: format!("{series} version 2"),
    });
    assert_eq!(audited(&torn), missing);
}
