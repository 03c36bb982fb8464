//! The commands: what they refuse, what they leave alone, and where a backup goes.

use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use super::super::binary::{Tidemark, run};
use super::super::http::once;
use super::super::payload::{self, POINT};
use super::damaged::small_backup;
use super::{back_up, refused, restore, succeeded, text, tidemark};

fn names(folder: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("it can be read");
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("it can be read").file_name())
        .map(|name| name.into_string().expect("UTF-8"))
        .collect();
    names.sort();
    names
}

#[test]
fn a_folder_without_a_store_is_not_backed_up_and_not_made() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let (typo, file) = (folder.path().join("typo"), folder.path().join("file"));
    refused(&back_up(&typo, &file), "there is no store at");
    assert!(names(folder.path()).is_empty());
    refused(&restore(&file, &typo), "cannot be read");
    assert!(names(folder.path()).is_empty());
}

#[test]
fn a_file_is_replaced_only_when_asked_and_only_by_a_whole_backup() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = small_backup(folder.path());
    let data_dir = folder.path().join("small");
    let whole = std::fs::read(&file).expect("it can be read");
    let mode = file.metadata().expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "it has the data of all tenants");
    refused(&back_up(&data_dir, &file), "is there already");
    let forced = |data_dir: &std::path::Path| {
        let mut command = tidemark(&["backup", "--force", "--data-dir", text(data_dir)]);
        run(command.args(["--to", text(&file)]))
    };
    refused(&forced(&folder.path().join("typo")), "there is no store");
    assert_eq!(std::fs::read(&file).expect("it is there"), whole);
    std::fs::write(&file, "old").expect("it can be written");
    succeeded(forced(&data_dir));
    assert!(std::fs::read(&file).expect("it is there").len() > 100);
    assert_eq!(names(folder.path()), ["small", "small.backup"]);
    refused(&back_up(&data_dir, folder.path()), "is a folder");
}

#[test]
fn a_store_or_keys_that_are_there_are_left_alone() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = small_backup(folder.path());
    let data_dir = folder.path().join("small");
    let ended = restore(&file, &data_dir);
    refused(&ended, "small/store is there already");
    let with_keys = folder.path().join("with-keys");
    std::fs::create_dir(&with_keys).expect("it can be made");
    std::fs::write(with_keys.join("keys.toml"), "mine").expect("it can be written");
    refused(&restore(&file, &with_keys), "keys.toml is there already");
    assert_eq!(names(&with_keys), ["keys.toml"]);
}

#[test]
fn the_keys_go_along_and_logs_do_not() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    small_backup(folder.path());
    let data_dir = folder.path().join("small");
    for name in ["keys.toml", "warm", "other.log"] {
        std::fs::write(data_dir.join(name), name).expect("it can be written");
    }
    let file = folder.path().join("with-keys.backup");
    let told = succeeded(back_up(&data_dir, &file)).output;
    assert!(
        told.contains("keys.toml") && told.contains("no server runs"),
        "{told}"
    );
    let target = folder.path().join("restored");
    succeeded(restore(&file, &target));
    assert_eq!(names(&target), ["keys.toml", "store"]);
    let keys = target.join("keys.toml");
    assert_eq!(std::fs::read(&keys).expect("it is there"), b"keys.toml");
    let mode = keys.metadata().expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_backup_goes_through_a_pipe() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    let server = Tidemark::start(&from, &[]);
    for mark in 0..40 {
        let body = payload::fit(mark, 2_000);
        let reply = once(server.addr, "POST", &format!("/fit/s-{mark}"), &body);
        assert_eq!(reply.expect("a reply").status, 200);
    }
    let mut backup = tidemark(&["backup", "--data-dir", text(&from), "--to", "-"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let piped = backup.stdout.take().expect("it is piped");
    let restored = tidemark(&["restore", "--from", "-", "--data-dir", text(&to)])
        .stdin(piped)
        .output()
        .expect("it runs");
    let backup = backup.wait_with_output().expect("it ends");
    assert!(
        backup.status.success() && restored.status.success(),
        "{backup:?} {restored:?}"
    );
    let told = String::from_utf8_lossy(&restored.stdout).into_owned();
    assert!(told.contains("40 series, 40 versions"), "{told}");
    server.stop();
    let server = Tidemark::start(&to, &[]);
    let reply = once(server.addr, "POST", "/predict/s-39", POINT).expect("a reply");
    assert_eq!(reply.status, 200);
    server.stop();
}

#[test]
fn a_restore_that_was_killed_is_cleared_away_by_the_next_one() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = small_backup(folder.path());
    let target = folder.path().join("target");
    let left = target.join("restoring/store");
    std::fs::create_dir_all(&left).expect("it can be made");
    std::fs::write(left.join("0.jnl"), "half").expect("it can be written");
    let folder_of_it = File::open(target.join("restoring")).expect("it is there");
    folder_of_it.lock().expect("nobody holds it");
    refused(&restore(&file, &target), "another restore into");
    drop(folder_of_it);
    succeeded(restore(&file, &target));
    assert_eq!(names(&target), ["store"]);
}
