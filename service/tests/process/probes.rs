//! Probes on a listener of their own: what is there, for how long, and that nobody holds it up.

use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::binary::{Tidemark, run};
use super::http::{Connection, Reply, once};
use super::payload::POINT;

const HEALTH: [&str; 2] = ["--health-addr", "127.0.0.1:0"];
/// More than a pool of threads would have, fewer than the listener takes at a time.
const SILENT: usize = 200;
const DRIBBLING: usize = 50;
/// A guard against hanging, not a promise about speed.
const HANG: Duration = Duration::from_secs(60);

fn get(addr: SocketAddr, path: &str) -> Reply {
    once(addr, "GET", path, b"").expect("it listens")
}

#[test]
fn the_port_for_probes_has_probes_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Tidemark::start(folder.path(), &HEALTH);
    let health = server.health();
    assert_ne!(health, server.addr);
    for path in [
        "/health",
        "/health/live",
        "/health/ready",
        "/health/startup",
    ] {
        let (own, main) = (get(health, path), get(server.addr, path));
        assert_eq!((own.status, own.text()), (200, main.text()), "{path}");
        assert!(own.head.contains("connection: close"), "{}", own.head);
    }
    for path in ["/", "/healthcheck", "/plot", "/predict/a"] {
        let reply = get(health, path);
        assert_eq!(reply.status, 404, "{path}");
        assert_eq!(reply.json()["code"], "not_found");
    }
    for path in ["/health/live", "/fit/a"] {
        let reply = once(health, "POST", path, POINT).expect("it listens");
        assert_eq!(reply.status, 405, "{path}");
        assert!(reply.head.contains("allow: GET, HEAD"), "{}", reply.head);
    }
    let mut probe = Command::new(env!("CARGO_BIN_EXE_tidemark"));
    let asked = run(probe.args(["probe", "--addr", &health.to_string()]));
    assert!(asked.status.success(), "{asked:?}");
    server.stop();
    assert!(
        Connection::open(health).is_err(),
        "it ends with the process"
    );
}

#[test]
fn probes_are_answered_after_the_main_port_is_closed() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Tidemark::start(
        folder.path(),
        &[&HEALTH[..], &["--drain-timeout", "1h"]].concat(),
    );
    let mut stuck = Connection::open(server.addr).expect("it listens");
    // A request that is never sent to its end keeps the server from ending.
    let head = "/fit/stuck HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nGET /";
    stuck.send("POST", head, b"").expect("it reads");
    server.signal(Signal::TERM);
    let started = Instant::now();
    while Connection::open(server.addr).is_ok() {
        assert!(started.elapsed() < HANG, "it goes on listening");
    }
    assert_eq!(get(server.health(), "/health/live").status, 200);
    let ready = get(server.health(), "/health/ready");
    assert_eq!(ready.status, 503);
    assert_eq!(ready.json()["reason"], "shutting_down");
    server.signal(Signal::TERM);
    assert!(server.wait().status.success());
}

/// Whether a probe is answered before `patience` ends.
fn is_answered(addr: SocketAddr, patience: Duration) -> bool {
    let asked = Connection::open(addr).and_then(|mut connection| {
        connection.answered_within(patience)?;
        connection.exchange("GET", "/health/live", b"")
    });
    asked.is_ok_and(|reply| reply.status == 200)
}

#[test]
fn slow_probers_do_not_hold_up_others() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Tidemark::start(folder.path(), &HEALTH);
    let open = |_| Connection::open(server.health()).expect("it listens");
    let mut silent: Vec<Connection> = (0..SILENT).map(open).collect();
    let mut dribbling: Vec<Connection> = (0..DRIBBLING).map(open).collect();
    for byte in b"GET /health/live HTTP/1.1\r\nX: y" {
        // The server may cut some off meanwhile.
        dribbling.retain_mut(|connection| connection.send_raw(&[*byte]).is_ok());
        assert!(is_answered(server.health(), HANG), "before {byte}");
        std::thread::sleep(Duration::from_millis(20));
    }
    for connection in silent.iter_mut().chain(&mut dribbling) {
        assert!(connection.is_ended_by_peer(), "their time is bounded");
    }
    server.stop();
}

/// The control: a listener that accepts nobody.
#[test]
fn a_probe_that_is_held_up_is_noticed() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port can be had");
    let addr = listener.local_addr().expect("it is bound");
    assert!(!is_answered(addr, Duration::from_millis(200)));
}
