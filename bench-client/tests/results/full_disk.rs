#![cfg(unix)]

use std::process::{Command, Stdio};

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

/// What a command does whose standard output is on a full disk: its exit code, and what it says.
#[cfg(target_os = "linux")]
fn with_full_output(args: &[&str]) -> (Option<i32>, String) {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    let output = Command::new(BIN)
        .args(args)
        .stdout(Stdio::from(full.unwrap()))
        .output()
        .unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
#[cfg(target_os = "linux")]
fn results_that_were_lost_on_a_full_disk_are_a_failure() {
    let temp = tempfile::tempdir().unwrap();
    let dir = folder::write(temp.path(), "run", 20);
    let dir = dir.to_str().unwrap();
    for args in [
        &["show", dir][..],
        &["show", dir, "--format", "json"],
        &["report", dir, "--out", "-"],
        &["report", dir, "--format", "markdown", "--out", "-"],
        &["completions", "bash"],
    ] {
        let (code, error) = with_full_output(args);
        assert_eq!(code, Some(1), "{args:?}: {error}");
        let wanted = "error: cannot write to standard output: ";
        assert!(error.contains(wanted), "{args:?}: {error}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let temp = tempfile::tempdir().unwrap();
    let dir = folder::write(temp.path(), "run", 20);
    for args in [
        &["show", dir.to_str().unwrap()][..],
        &["completions", "zsh"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = Command::new(BIN)
            .args(args)
            .stdout(writer)
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && error.is_empty(), "{error}");
    }
}
