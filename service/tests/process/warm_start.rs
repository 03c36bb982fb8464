//! `--warm-start`: the models of the last run are in memory before anybody asks, and nothing depends on it.

use std::path::Path;
use std::time::{Duration, Instant};

use super::binary::Tidemark;
use super::http::Connection;
use super::payload::{self, POINT};

const SERIES: usize = 200;
const WARM: [&str; 1] = ["--warm-start"];
/// A guard against hanging, not a promise about speed.
const HANG: Duration = Duration::from_secs(60);

/// One request a series; all are answered.
fn each(server: &Tidemark, resource: &str, body: &[u8]) {
    let mut connection = Connection::open(server.addr).expect("it listens");
    for i in 0..SERIES {
        let target = format!("/{resource}/{i}");
        let reply = connection.exchange("POST", &target, body).expect("a reply");
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
}

/// Waits until models are read back, or the list is found to be damaged.
fn has_read(server: &Tidemark) {
    let started = Instant::now();
    let ends = ["models of the last run", "the list of models is damaged"];
    while !ends.iter().any(|end| server.log().contains(end)) {
        assert!(started.elapsed() < HANG, "{}", server.log());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The share of first predicts after a start that memory answers.
fn answered_from_memory(data_dir: &Path, flags: &[&str]) -> f64 {
    let server = Tidemark::start(data_dir, flags);
    if flags == WARM {
        has_read(&server);
    }
    each(&server, "predict", POINT);
    let mut connection = Connection::open(server.addr).expect("it listens");
    let ready = connection
        .exchange("GET", "/health/ready", b"")
        .expect("a reply");
    server.stop();
    ready.json()["cache_hit_ratio"].as_f64().expect("a share")
}

#[test]
fn a_warm_start_brings_back_what_was_in_memory() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Tidemark::start(folder.path(), &WARM);
    each(&server, "fit", &payload::fit(1, 10));
    server.stop();
    assert_eq!(answered_from_memory(folder.path(), &WARM), 1.0);
    assert_eq!(answered_from_memory(folder.path(), &[]), 0.0, "the control");
    // A server that starts without the flag leaves the list alone.
    assert_eq!(answered_from_memory(folder.path(), &WARM), 1.0);

    let list = folder.path().join("warm");
    let mut bytes = std::fs::read(&list).expect("it was written");
    *bytes.last_mut().expect("it is not empty") ^= 1;
    std::fs::write(&list, bytes).expect("it can be written");
    assert_eq!(
        answered_from_memory(folder.path(), &WARM),
        0.0,
        "damage is noticed"
    );
    assert_eq!(
        answered_from_memory(folder.path(), &WARM),
        1.0,
        "and healed"
    );
}
