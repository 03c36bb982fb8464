//! Scenarios that start the server themselves: the stub, behind a script that takes a server's
//! arguments. That the service passes them is shown where its binary is built.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use assert_cmd::cargo::cargo_bin;
use tempfile::TempDir;

use super::command::{Played, Stub, play};

/// A program that is started as `… serve --addr HOST:PORT --data-dir DIR`, and does `script`.
fn program(script: &str) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("server");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    (dir, path)
}

/// Plays a scenario on stubs with these flags.
fn on_stub(name: &str, stub: &str, flags: &[&str]) -> Played {
    let binary = cargo_bin!("tidemark-bench").display().to_string();
    let (_dir, path) = program(&format!("exec '{binary}' stub --port ${{3##*:}} {stub}"));
    let path = path.display().to_string();
    play(name, &[&["--server-bin", &path], flags].concat())
}

#[test]
fn a_server_that_starts_is_told_from_one_that_does_not() {
    let played = on_stub("cold-start", "", &[]);
    played.assert_verdict("pass", 0);
    assert!(played.figure("start to live min") <= played.figure("start to ready min"));

    let (_dir, path) = program("echo no such disk >&2; exit 7");
    let played = play("cold-start", &["--server-bin", &path.display().to_string()]);
    played.assert_verdict("fail", 1);
    assert!(
        played.stdout.contains("exit status: 7"),
        "{}",
        played.stdout
    );
    assert!(played.stdout.contains("no such disk"), "{}", played.stdout);
}

/// The stub ends on a signal, whatever is in flight.
#[test]
fn a_server_that_drops_what_is_in_flight_does_not_drain() {
    let played = on_stub("drain", "--delay-ms 20 --capacity 1", &[]);
    played.assert_verdict("fail", 1);
    assert_eq!(played.check("100 % of the accepted"), "fail");
    assert_eq!(played.check("/health/ready says 503"), "fail");
}

/// The stub forgets everything, and knows of no series from the start.
#[test]
fn a_server_that_forgets_does_not_resume() {
    let played = on_stub("resume", "", &["--series", "200"]);
    played.assert_verdict("fail", 1);
    assert_eq!(played.figure("acknowledged fits"), 200.0);
    assert_eq!(played.check("every first predict is answered"), "pass");
    assert_eq!(played.check("every acknowledged series"), "fail");
}

#[test]
fn what_needs_the_program_is_not_measurable_at_an_address() {
    let stub = Stub::start(&[]);
    for name in ["cold-start", "drain", "resume"] {
        let played = play(name, &["--base-url", &stub.url]);
        played.assert_verdict("not_measurable", 3);
        assert!(played.stdout.contains("--server-bin"), "{}", played.stdout);
    }
}

#[test]
fn the_list_has_every_name_that_can_be_played() {
    let run = |args: &[&str]| {
        let output = Command::new(cargo_bin!("tidemark-bench"))
            .arg("scenario")
            .args(args)
            .output();
        let output = output.unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    let (code, list) = run(&["list"]);
    assert_eq!(code, Some(0));
    let names: Vec<&str> = list
        .lines()
        .filter(|line| !line.starts_with(' '))
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "cold-start",
            "sequential",
            "health",
            "burst-150",
            "ramp",
            "agents",
            "paced",
            "hot-swap",
            "drain",
            "resume",
            "recovery",
            "soak",
            "overload"
        ]
    );
    assert_eq!(run(&["nonsense"]).0, Some(2));
    let exclusive = [
        "soak",
        "--server-bin",
        "x",
        "--base-url",
        "http://127.0.0.1:1",
    ];
    assert_eq!(run(&exclusive).0, Some(2));
}
