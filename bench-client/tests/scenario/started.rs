//! Scenarios that start the server themselves: the stub, behind a script that takes a server's
//! arguments. That the service passes them is shown where its binary is built.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use assert_cmd::cargo::cargo_bin;
use rustix::process::Signal;
use tempfile::TempDir;

use super::command::{Played, Stub, play, start};

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

    let played = on_stub("cold-start", "--wrong 1", &[]);
    played.assert_verdict("fail", 1);
    assert_eq!(played.check("the server becomes ready"), "pass");
    assert_eq!(played.check("answered 200 by its model"), "fail");

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

#[test]
fn a_server_that_ends_with_an_error_does_not_drain() {
    let binary = cargo_bin!("tidemark-bench").display().to_string();
    let stub = format!("'{binary}' stub --port ${{3##*:}} & stub=$!");
    let (_dir, path) = program(&format!("{stub}; trap 'kill $stub; exit 3' TERM; wait"));
    let played = play("drain", &["--server-bin", path.to_str().unwrap()]);
    played.assert_verdict("fail", 1);
    assert_eq!(played.check("ends by itself with 0"), "fail");
    assert!(
        played.stdout.contains("exit status: 3"),
        "{}",
        played.stdout
    );
}

#[test]
fn a_server_that_takes_its_time_does_not_resume() {
    let binary = cargo_bin!("tidemark-bench").display().to_string();
    let late = format!("sleep 1.2; exec '{binary}' stub --port ${{3##*:}} --delay-ms 40");
    let (_dir, path) = program(&late);
    let flags = ["--server-bin", path.to_str().unwrap(), "--series", "200"];
    let played = play("resume", &flags);
    played.assert_verdict("fail", 1);
    for rule in ["live ≤ 0.3 s", "ready ≤ 1 s", "first predict within 20 ms"] {
        // On a machine that others use it is nothing that can be said; never a pass.
        assert_ne!(played.check(rule), "pass", "{rule}");
    }
    let played = on_stub("resume", "--respond 500:0.5", &["--series", "200"]);
    played.assert_verdict("fail", 1);
    assert_eq!(played.check("every first predict is answered"), "fail");
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

/// The second signal ends the client at once, when nothing is dropped any more that would end the server.
#[test]
fn signals_leave_no_server_behind() {
    let binary = cargo_bin!("tidemark-bench").display().to_string();
    let script =
        format!("echo $$ > \"$(dirname \"$0\")/pid\"; exec '{binary}' stub --port ${{3##*:}}");
    for twice in [false, true] {
        let (dir, path) = program(&script);
        let soak = start(&["scenario", "soak", "--server-bin", path.to_str().unwrap()]);
        soak.wait_for("soak/soak/responses.jsonl");
        let pid = std::fs::read_to_string(dir.path().join("pid")).unwrap();
        let process = PathBuf::from(format!("/proc/{}", pid.trim()));
        assert!(process.exists(), "it serves");
        soak.signal(Signal::INT);
        if twice {
            // Another one, since two of a kind may arrive as one.
            soak.signal(Signal::TERM);
        }
        assert_eq!(soak.wait().code, Some(130));
        // One that was killed is gone, or is waited for by whoever inherits it, which may take a while.
        let until = Instant::now() + Duration::from_secs(60);
        while is_alive(&process) {
            assert!(
                Instant::now() < until,
                "it still runs, after two signals: {twice}"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn is_alive(process: &std::path::Path) -> bool {
    let status = std::fs::read_to_string(process.join("status")).unwrap_or_default();
    let mut state = status.lines().filter_map(|l| l.strip_prefix("State:"));
    state
        .next()
        .is_some_and(|state| !state.trim_start().starts_with('Z'))
}
