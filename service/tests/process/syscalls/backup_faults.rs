//! A disk that is full, or that fails, while a backup is written or restored: nothing is left of it.

use std::path::Path;
use std::process::Command;

use super::sync_order::need;
use crate::binary::{Ended, Tidemark, run};
use crate::http::once;
use crate::payload;

/// `tidemark` with arguments, whose n-th call (of each thread) fails.
fn with_fault(call: &str, error: &str, n: usize, arguments: &[&str]) -> Ended {
    need("strace", Command::new("strace").arg("-V").output().is_ok());
    let mut command = Command::new("strace");
    command.args(["-f", "--seccomp-bpf", "-o", "/dev/null", "-e"]);
    command.arg(format!("trace={call}"));
    command.arg("-e");
    command.arg(format!("inject={call}:error={error}:when={n}"));
    command.arg(env!("CARGO_BIN_EXE_tidemark")).args(arguments);
    run(&mut command)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("it can be read");
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("it can be read").file_name())
        .map(|name| name.into_string().expect("UTF-8"))
        .collect();
    names.sort();
    names
}

fn text(path: &Path) -> &str {
    path.to_str().expect("the path is UTF-8")
}

#[test]
fn a_full_disk_leaves_no_half_of_a_backup_and_no_half_of_a_store() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let (data_dir, target) = (folder.path().join("data"), folder.path().join("target"));
    std::fs::create_dir(&target).expect("it can be made");
    let server = Tidemark::start(&data_dir, &[]);
    for i in 0..10 {
        let body = payload::fit(i, 2_000);
        let reply = once(server.addr, "POST", &format!("/fit/s-{i}"), &body).expect("a reply");
        assert_eq!(reply.status, 200);
    }
    let file = target.join("file");
    let backup = ["backup", "--data-dir", text(&data_dir), "--to", text(&file)];
    let faults = (1..=4)
        .map(|n| ("write", "ENOSPC", n))
        .chain([("fsync", "EIO", 1), ("fsync", "EIO", 2)]);
    let mut said = String::new();
    let mut n_failed = 0;
    for (call, error, n) in faults {
        let ended = with_fault(call, error, n, &backup);
        if ended.status.success() || (call, n) == ("fsync", 2) {
            // The fault met what is said of it, or the folder, when the file had its name already.
            assert!(names(&target).iter().all(|name| name == "file"), "{n}");
            std::fs::remove_file(&file).expect("it is there");
        } else {
            assert!(names(&target).is_empty(), "{call} {n}: {ended:?}");
            said.push_str(&ended.errors);
            n_failed += 1;
        }
    }
    assert!(n_failed >= 2, "the faults met the backup: {said}");
    assert!(
        said.contains("file cannot be written: No space left"),
        "{said}"
    );
    assert!(
        said.contains("file cannot be written: Input/output"),
        "{said}"
    );

    // The control: without a fault it is there, and the server serves on.
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemark"));
    assert!(run(command.args(backup)).status.success());
    server.stop();

    let restored = target.join("restored");
    let from = [
        "restore",
        "--from",
        text(&file),
        "--data-dir",
        text(&restored),
    ];
    let mut n_failed = 0;
    for (call, error, n) in [
        ("write", "ENOSPC", 1),
        ("write", "ENOSPC", 5),
        ("write", "ENOSPC", 20),
        ("fsync", "EIO", 1),
        ("fsync", "EIO", 10),
        ("fsync", "EIO", 20),
    ] {
        let ended = with_fault(call, error, n, &from);
        if ended.status.success() {
            std::fs::remove_dir_all(&restored).expect("it is there");
        } else {
            assert_eq!(names(&target), ["file"], "{call} {n}: {ended:?}");
            n_failed += 1;
        }
    }
    assert!(n_failed >= 3, "the faults met the restore");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemark"));
    assert!(run(command.args(from)).status.success());
    assert_eq!(names(&restored), ["store"]);
}
