//! L1: a signal withdraws readiness first, then everything in flight is answered, then the
//! process ends with 0 and an intact store.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::binary::{Ended, Tidemark};
use super::http::{Connection, Reply, once};
use super::payload::{self, POINT};

const IN_FLIGHT: usize = 500;
/// Jobs the server's compute queue takes: what `pool_utilization` is a share of.
const QUEUE: f64 = 1_024.0;
/// Points of a fit that keeps the only compute thread busy for a while.
const POINTS: usize = if cfg!(debug_assertions) {
    5_000
} else {
    25_000
};
/// What is in flight is to be answered, not to be refused because it could wait for long.
const PATIENT: &str = "X-Request-Deadline-Ms: 3600000\r\n";
/// A guard against hanging, not a promise about speed.
const HANG: Duration = Duration::from_secs(60);

/// Requests whose bytes are all at the server.
struct Burst(Vec<Connection>);

type Outcomes = Vec<std::io::Result<Reply>>;

impl Burst {
    /// Sends a slow fit on each of as many connections, and waits until the server has begun.
    fn send(addr: SocketAddr) -> Self {
        let body = payload::fit(1, POINTS);
        let connections = (0..IN_FLIGHT)
            .map(|i| {
                let mut connection = Connection::open(addr).expect("it listens");
                let target = format!("/fit/slow-{i}");
                let sent = connection.send_with(PATIENT, "POST", &target, &body);
                sent.expect("it reads");
                connection
            })
            .collect();
        let started = Instant::now();
        while jobs(addr) < 100.0 {
            assert!(started.elapsed() < HANG, "100 jobs do not queue up");
        }
        Self(connections)
    }

    fn receive(self) -> Outcomes {
        let replies = self.0.into_iter();
        replies.map(|mut connection| connection.receive()).collect()
    }
}

/// Jobs on the compute pool.
fn jobs(addr: SocketAddr) -> f64 {
    let ready = once(addr, "GET", "/health/ready", b"").expect("it listens");
    let share = ready.json()["pool_utilization"].as_f64().expect("a share");
    share * QUEUE
}

/// Requests that were not answered with 200.
fn unanswered(outcomes: &Outcomes) -> usize {
    let is_answered =
        |outcome: &&std::io::Result<Reply>| matches!(outcome, Ok(reply) if reply.status == 200);
    if let Some(other) = outcomes.iter().find(|outcome| !is_answered(outcome)) {
        println!("the first that was not: {other:?}");
    }
    outcomes.len() - outcomes.iter().filter(is_answered).count()
}

/// Versions of the burst's series that are there after a restart.
fn stored(data_dir: &Path) -> usize {
    let server = Tidemark::start(data_dir, &[]);
    let mut connection = Connection::open(server.addr).expect("it listens");
    let there = (0..IN_FLIGHT)
        .filter(|i| {
            let target = format!("/predict/slow-{i}?version=1");
            let reply = connection
                .exchange("POST", &target, POINT)
                .expect("a reply");
            assert!(matches!(reply.status, 200 | 404), "{}", reply.text());
            reply.status == 200
        })
        .count();
    drop(connection);
    server.stop();
    there
}

fn assert_ended_in_order(ended: &Ended) {
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(ended.errors.contains("stopped"), "{}", ended.errors);
}

fn assert_drains_on(signal: Signal) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let flags = [
        "--compute-threads",
        "1",
        "--drain-delay",
        "4s",
        "--drain-timeout",
        "120s",
    ];
    let server = Tidemark::start(folder.path(), &flags);
    let addr = server.addr;
    let mut idle = [(); 4].map(|()| Connection::open(addr).expect("it listens"));
    for connection in &mut idle {
        let ready = connection.exchange("GET", "/health/ready", b"");
        let ready = ready.expect("it is connected");
        assert_eq!(ready.status, 200);
        assert!(!ready.head.contains("connection: close"), "{}", ready.head);
    }
    let burst = Burst::send(addr);
    server.signal(signal);
    let started = Instant::now();
    let draining = loop {
        let ready = once(addr, "GET", "/health/ready", b"").expect("it still listens");
        if ready.status == 503 {
            break ready;
        }
        assert!(started.elapsed() < HANG, "it stays ready");
    };
    assert_eq!(draining.json()["reason"], "shutting_down");
    let live = once(addr, "GET", "/health/live", b"").expect("it still listens");
    assert_eq!(live.status, 200, "a restart would not help");
    let late = once(addr, "POST", "/fit/late", &payload::fit(2, 4)).expect("it still listens");
    assert_eq!(
        late.status, 200,
        "requests arrive until the balancer has noticed"
    );
    assert!(late.head.contains("connection: close"), "{}", late.head);
    for connection in &mut idle {
        let live = connection.exchange("GET", "/health/live", b"");
        let live = live.expect("what was open before the signal is still answered");
        assert!(live.head.contains("connection: close"), "{}", live.head);
        assert!(connection.is_closed_by_peer());
    }
    let outcomes = burst.receive();
    assert_eq!(unanswered(&outcomes), 0, "of {IN_FLIGHT}");
    assert_ended_in_order(&server.wait());
    assert!(Connection::open(addr).is_err(), "the listener is gone");
    assert_eq!(stored(folder.path()), IN_FLIGHT);
}

#[test]
fn sigterm_answers_what_is_in_flight() {
    assert_drains_on(Signal::TERM);
}

#[test]
fn sigint_answers_what_is_in_flight() {
    assert_drains_on(Signal::INT);
}

#[test]
fn kill_9_leaves_requests_unanswered() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Tidemark::start(folder.path(), &["--compute-threads", "1"]);
    let burst = Burst::send(server.addr);
    server.kill_9();
    let outcomes = burst.receive();
    let unanswered = unanswered(&outcomes);
    assert!(
        unanswered >= 50,
        "the check would notice: {unanswered} of {IN_FLIGHT}"
    );
    assert!(stored(folder.path()) >= IN_FLIGHT - unanswered);
}

#[test]
fn a_second_signal_ends_the_wait_and_keeps_the_store() {
    for (first, second) in [
        (Signal::TERM, Signal::TERM),
        (Signal::INT, Signal::TERM),
        (Signal::TERM, Signal::INT),
    ] {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        // The process would stay for an hour if the second signal did not count.
        let flags = ["--compute-threads", "1", "--drain-delay", "1h"];
        let server = Tidemark::start(folder.path(), &flags);
        let burst = Burst::send(server.addr);
        server.signal(first);
        let started = Instant::now();
        while once(server.addr, "GET", "/health/ready", b"")
            .expect("it listens")
            .status
            == 200
        {
            assert!(started.elapsed() < HANG, "it stays ready");
        }
        server.signal(second);
        assert_ended_in_order(&server.wait());
        let answered = IN_FLIGHT - unanswered(&burst.receive());
        let stored = stored(folder.path());
        assert!(
            stored >= answered,
            "{answered} acknowledged, {stored} stored"
        );
    }
}

#[test]
fn a_second_signal_ends_a_drain_that_has_begun() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let flags = ["--compute-threads", "1", "--drain-timeout", "1h"];
    let server = Tidemark::start(folder.path(), &flags);
    let mut stuck = Connection::open(server.addr).expect("it listens");
    // A request that is never sent to its end is never answered.
    let head = "/fit/stuck HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nGET /";
    stuck.send("POST", head, b"").expect("it reads");
    let burst = Burst::send(server.addr);
    server.signal(Signal::TERM);
    let started = Instant::now();
    while Connection::open(server.addr).is_ok() {
        assert!(started.elapsed() < HANG, "it goes on listening");
    }
    server.signal(Signal::TERM);
    assert_ended_in_order(&server.wait());
    let answered = IN_FLIGHT - unanswered(&burst.receive());
    assert!(stored(folder.path()) >= answered);
}

#[test]
fn idle_connections_do_not_hold_up_the_end() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    // Waiting for them would take an hour.
    let server = Tidemark::start(folder.path(), &["--drain-timeout", "1h"]);
    let mut used: Vec<Connection> = (0..8)
        .map(|_| {
            let mut connection = Connection::open(server.addr).expect("it listens");
            let live = connection
                .exchange("GET", "/health/live", b"")
                .expect("a reply");
            assert_eq!(live.status, 200);
            connection
        })
        .collect();
    let mut silent: Vec<Connection> = (0..8)
        .map(|_| Connection::open(server.addr).expect("it listens"))
        .collect();
    server.signal(Signal::TERM);
    assert_ended_in_order(&server.wait());
    for connection in used.iter_mut().chain(&mut silent) {
        assert!(connection.is_closed_by_peer());
    }
}
