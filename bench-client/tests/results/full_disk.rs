#![cfg(unix)]

use std::process::Command;

use bench_client::results::filter::Filter;
use bench_client::results::load::open;

use super::{BIN, folder};

/// A limit on the length of files does what a full disk does: a write is cut short, and the next
/// one fails.
#[test]
fn what_was_written_before_the_disk_was_full_can_be_loaded() {
    let temp = tempfile::tempdir().unwrap();
    let (a, b) = (
        folder::write(temp.path(), "a", 2_000),
        folder::write(temp.path(), "b", 2_000),
    );
    let out = temp.path().join("out");
    // Blocks of 512 or 1024 bytes, as the shell has it. An ignored signal stays so over exec.
    let script = "trap '' XFSZ && ulimit -f 300 && exec \"$@\"";
    let output = Command::new("sh")
        .args(["-c", script, "sh", BIN, "merge"])
        .args([&a, &b])
        .arg("--out")
        .arg(&out)
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{error}");
    let responses = out.join("responses.jsonl");
    assert!(
        error.contains(&format!("cannot write {}: ", responses.display())),
        "{error}"
    );

    let loaded = open(&out, &Filter::default()).unwrap();
    let n = loaded.run.stats.requests;
    assert!(n > 0 && n < 2_000, "{n}");
    assert_eq!(loaded.run.stats, folder::tally(&folder::records(n)).stats());
    assert!(loaded.run.summary.interrupted && loaded.run.summary.rebuilt);
    assert!(
        !loaded.notes.iter().any(|note| note.contains("was cut")),
        "{:?}",
        loaded.notes
    );
}
