//! What is told of a damaged store over a socket and by the commands, until its loss is accepted.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::binary::{Ended, Tidemark, program, run};
use super::damage::files;
use super::http::{Connection, Reply};
use super::payload::{self, POINT};

const FITS: u64 = 8;

fn ask(addr: SocketAddr, method: &str, target: &str, body: &[u8]) -> Reply {
    let mut connection = Connection::open(addr).expect("it listens");
    connection.exchange(method, target, body).expect("a reply")
}

fn predict(addr: SocketAddr, target: &str) -> Reply {
    ask(addr, "POST", target, POINT)
}

/// Two series with versions, an alias and a state in a store that was stopped.
fn make(data: &Path) {
    let server = Tidemark::start(data, &[]);
    for mark in 0..FITS {
        let target = format!("/fit/s-{}", mark % 2);
        let fit = ask(server.addr, "POST", &target, &payload::fit(mark, 5));
        assert_eq!(fit.status, 200, "{}", fit.text());
    }
    let alias = ask(
        server.addr,
        "PUT",
        "/series/s-0/aliases/live",
        b"{\"version\":\"1\"}",
    );
    assert!(alias.status < 300, "{}", alias.text());
    server.stop();
}

fn journal(data: &Path) -> std::path::PathBuf {
    let mut files = files(&data.join("store")).into_iter();
    let journal = files.find(|file| file.extension().is_some_and(|end| end == "jnl"));
    journal.expect("there is a journal")
}

/// Takes the second half from the journal, and with it acknowledged fits.
fn cut_journal(data: &Path) {
    let path = journal(data);
    let bytes = std::fs::read(&path).expect("it can be read");
    let end = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .expect("it has batches");
    std::fs::write(&path, &bytes[..end / 2]).expect("it can be written");
}

fn command(name: &str, data: &Path, flags: &[&str]) -> Ended {
    let mut command = Command::new(program());
    command.arg(name).arg("--data-dir").arg(data).args(flags);
    run(&mut command)
}

#[track_caller]
fn assert_problem(reply: &Reply, status: u16, code: &str) {
    assert_eq!(reply.status, status, "{}", reply.text());
    assert_eq!(reply.json()["code"], code, "{}", reply.text());
}

#[test]
fn an_incomplete_store_serves_what_it_has_until_the_loss_is_accepted() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let data = folder.path();
    make(data);
    let whole = command("verify", data, &[]);
    assert_eq!(whole.status.code(), Some(0), "{whole:?}");
    cut_journal(data);

    // A start says it, and one after it.
    for _ in 0..2 {
        let server = Tidemark::start(data, &[]);
        let addr = server.addr;
        assert!(server.log().contains("incomplete"), "{}", server.log());
        assert_eq!(ask(addr, "GET", "/health/live", b"").status, 200);
        let ready = ask(addr, "GET", "/health/ready", b"");
        assert_eq!(ready.status, 503);
        assert_eq!(ready.json()["reason"], "store_unavailable");
        assert_eq!(predict(addr, "/predict/s-0?version=1").status, 200);
        for target in [
            "/predict/s-0",
            "/predict/s-0?version=4",
            "/predict/s-0?alias=live",
            "/predict/unknown",
        ] {
            assert_problem(&predict(addr, target), 500, "store_incomplete");
        }
        let fit = ask(addr, "POST", "/fit/s-0", &payload::fit(1, 5));
        assert_problem(&fit, 500, "store_incomplete");
        let alias = ask(
            addr,
            "PUT",
            "/series/s-0/aliases/live",
            b"{\"version\":\"1\"}",
        );
        assert_problem(&alias, 500, "store_incomplete");
        let held = command("verify", data, &[]);
        assert_eq!(held.status.code(), Some(2), "{held:?}");
        assert!(held.errors.contains("stop the server first"), "{held:?}");
        server.stop();
    }

    let damaged = command("verify", data, &[]);
    assert_eq!(damaged.status.code(), Some(1), "{damaged:?}");
    assert!(damaged.output.contains("commits: "), "{damaged:?}");
    let refused = command("repair", data, &[]);
    assert_ne!(refused.status.code(), Some(0), "{refused:?}");
    assert!(refused.errors.contains("--accept-loss"), "{refused:?}");
    assert_eq!(
        command("verify", data, &[]).status.code(),
        Some(1),
        "nothing was changed"
    );
    let accepted = command("repair", data, &["--accept-loss"]);
    assert_eq!(accepted.status.code(), Some(0), "{accepted:?}");
    assert!(accepted.output.contains("accepted: "), "{accepted:?}");
    let again = command("repair", data, &["--accept-loss"]);
    assert!(again.output.contains("nothing is missing"), "{again:?}");
    let verified = command("verify", data, &[]);
    assert_eq!(verified.status.code(), Some(0), "{verified:?}");

    let server = Tidemark::start(data, &[]);
    assert_eq!(ask(server.addr, "GET", "/health/ready", b"").status, 200);
    let fit = ask(server.addr, "POST", "/fit/s-1", &payload::fit(1, 5));
    assert_eq!(fit.status, 200, "{}", fit.text());
    assert_eq!(predict(server.addr, "/predict/s-1").status, 200);
    assert_eq!(predict(server.addr, "/predict/s-0?alias=live").status, 404);
    server.stop();
}

/// Lists of tables say where records are. With them gone, the records are not.
#[test]
fn lists_of_tables_that_are_cut_off_cost_nothing_that_the_journal_has() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let data = folder.path();
    make(data);
    let mut cut = 0;
    for file in files(&data.join("store/keyspaces")) {
        let name = file.file_name().expect("a file has a name");
        if name == "current" {
            std::fs::write(&file, b"cut off").expect("it can be written");
            cut += 1;
        }
    }
    assert!(cut >= 8, "{cut} lists");
    let verified = command("verify", data, &["--json"]);
    assert_eq!(verified.status.code(), Some(1), "{verified:?}");
    let findings = verified
        .output
        .matches("it is not a version and a checksum");
    assert_eq!(findings.count(), cut, "{verified:?}");
    let server = Tidemark::start(data, &[]);
    assert_eq!(ask(server.addr, "GET", "/health/ready", b"").status, 200);
    for version in 1..=FITS / 2 {
        let reply = predict(server.addr, &format!("/predict/s-1?version={version}"));
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    assert_eq!(predict(server.addr, "/predict/s-0?alias=live").status, 200);
    let fit = ask(server.addr, "POST", "/fit/s-0", &payload::fit(1, 5));
    let next = (FITS / 2 + 1).to_string();
    assert_eq!(fit.json()["version"], next, "{}", fit.text());
    server.stop();
    let kept = data.join("store/tidemark-set-aside/keyspace-1.0/current");
    assert_eq!(std::fs::read(kept).expect("it was kept"), b"cut off");
}

#[test]
fn a_store_that_is_not_there_is_neither_verified_nor_made() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    for name in ["verify", "repair"] {
        let ended = command(
            name,
            folder.path(),
            if name == "repair" {
                &["--accept-loss"]
            } else {
                &[]
            },
        );
        assert_ne!(ended.status.code(), Some(0), "{ended:?}");
        assert!(ended.errors.contains("there is no store"), "{ended:?}");
    }
    let mut entries = std::fs::read_dir(folder.path()).expect("it can be read");
    assert!(entries.next().is_none());
}
