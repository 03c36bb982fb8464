//! L4: liveness never depends on the store. strace holds a sync back for as long as a disk that hangs.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::sync_order::need;
use crate::binary::{Starting, Tidemark, program, serve, serve_arguments};
use crate::http::{Connection, Reply, once};
use crate::payload::{self, POINT};

/// Several times as long as a store may take before it counts as one that hangs.
const HANGS_FOR: &str = "6s";
const HEALTH: [&str; 2] = ["--health-addr", "127.0.0.1:0"];
/// A guard against hanging, not a promise about speed.
const HANG: Duration = Duration::from_secs(60);

/// The server under strace, which holds back the first `call` of every thread.
fn delayed(data_dir: &Path, call: &str) -> Command {
    need("strace", Command::new("strace").arg("-V").output().is_ok());
    let mut command = Command::new("strace");
    command.args(["-D", "-f", "--seccomp-bpf", "-o", "/dev/null", "-e"]);
    command.arg(format!("trace={call}"));
    command.arg("-e");
    command.arg(format!("inject={call}:delay_enter={HANGS_FOR}:when=1"));
    command.arg(program());
    serve_arguments(&mut command, data_dir, &HEALTH);
    command
}

/// What must not happen while a fit waits for the disk.
#[derive(Debug, PartialEq)]
enum Violation {
    /// Live was not 200 on one of the ports.
    NotLive,
    /// Ready was 200 all the time on one of the ports.
    StayedReady,
    /// A predict of a model in memory or of one in the store was not answered.
    PredictNotAnswered,
    /// A fit or an update of later was not refused, but waited for the disk.
    WriteWaited,
}

/// Looks at the server until the fit is answered.
fn violations_during_fit(server: &Tidemark) -> Vec<Violation> {
    let mut fit = Connection::open(server.addr).expect("it listens");
    let body = payload::fit(3, 4);
    fit.send("POST", "/fit/late", &body).expect("it reads");
    let ports = [server.addr, server.health()];
    let get = |addr, path| once(addr, "GET", path, b"").expect("it listens");
    let mut violations = Vec::new();
    let mut unready = [false; 2];
    let mut refused = false;
    while !fit.is_answered().expect("it is connected") {
        for (addr, unready) in ports.into_iter().zip(&mut unready) {
            let ready = get(addr, "/health/ready");
            *unready |= ready.status == 503 && ready.json()["reason"] == "store_unavailable";
            if get(addr, "/health/live").status != 200 {
                violations.push(Violation::NotLive);
            }
        }
        for target in ["/predict/resident", "/predict/stored?version=1"] {
            let reply = once(server.addr, "POST", target, POINT).expect("it listens");
            if reply.status != 200 {
                violations.push(Violation::PredictNotAnswered);
            }
        }
        if unready == [true; 2] && !refused {
            for reply in writes(server) {
                if reply.status != 503 || reply.json()["code"] != "store_unavailable" {
                    violations.push(Violation::WriteWaited);
                }
            }
            refused = true;
        }
    }
    assert_eq!(fit.receive().expect("a reply").status, 200);
    let stayed = unready.into_iter().filter(|unready| !unready);
    violations.extend(stayed.map(|_| Violation::StayedReady));
    violations
}

/// Answers to a fit and an update.
fn writes(server: &Tidemark) -> [Reply; 2] {
    let history = payload::fit(3, 4);
    [("/fit/later", &history[..]), ("/update/resident", POINT)]
        .map(|(target, body)| once(server.addr, "POST", target, body).expect("it listens"))
}

fn prepare(data_dir: &Path) {
    let server = Tidemark::start(data_dir, &[]);
    for series in ["resident", "stored"] {
        let target = format!("/fit/{series}");
        let reply = once(server.addr, "POST", &target, &payload::fit(1, 4)).expect("a reply");
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    server.stop();
}

fn is_ready_again(server: &Tidemark) {
    let started = Instant::now();
    for addr in [server.addr, server.health()] {
        while once(addr, "GET", "/health/ready", b"")
            .expect("it listens")
            .status
            != 200
        {
            assert!(started.elapsed() < HANG, "it does not recover");
        }
    }
}

#[test]
fn a_commit_that_hangs_withdraws_readiness_and_not_liveness() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    prepare(folder.path());
    let server = Tidemark::spawn(&mut delayed(folder.path(), "fdatasync"));
    let loaded = once(server.addr, "POST", "/predict/resident", POINT).expect("a reply");
    assert_eq!(loaded.status, 200);
    assert_eq!(violations_during_fit(&server), []);
    is_ready_again(&server);
    for reply in writes(&server) {
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    server.stop();
}

/// The control: a disk that does not hang, so that ready is 200 however often one looks.
#[test]
fn a_server_that_stays_ready_is_reported() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    prepare(folder.path());
    let server = Tidemark::spawn(&mut serve(folder.path(), &HEALTH));
    let expected = [Violation::StayedReady, Violation::StayedReady];
    assert_eq!(violations_during_fit(&server), expected);
    is_ready_again(&server);
    server.stop();
}

#[test]
fn a_store_that_does_not_open_is_starting_and_live() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let mut starting = Starting::spawn(&mut delayed(folder.path(), "fsync"));
    let health = starting.told("health").expect("it is printed at once");
    let get = |path| once(health, "GET", path, b"").expect("it listens");
    assert_eq!(get("/health/live").status, 200);
    for path in ["/health/startup", "/health/ready"] {
        let reply = get(path);
        assert_eq!(
            (reply.status, reply.json()["reason"].as_str()),
            (503, Some("starting"))
        );
    }
    let server = starting.listening().expect("it opens at last");
    is_ready_again(&server);
    assert_eq!(get("/health/startup").status, 200);
    server.stop();
}
