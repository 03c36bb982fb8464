//! D13: what the store has of a backtest after its server was killed or stopped.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::binary::Tidemark;
use super::http::{Reply, once};

/// A history, and a candidate that takes its time with it.
fn body(n: usize, model: &str, refit_every: usize) -> Value {
    let timestamps: Vec<usize> = (0..n).map(|i| 1_700_000_000 + 60 * i).collect();
    let values: Vec<usize> = (0..n).map(|i| i * 7919 % 101).collect();
    json!({
        "timestamps": timestamps, "values": values,
        "candidates": [{ "model": model }], "refit_every": refit_every,
    })
}

fn send(server: &Tidemark, method: &str, target: &str, body: &str) -> Reply {
    once(server.addr, method, target, body.as_bytes()).expect("the server answers")
}

fn start(server: &Tidemark, body: &Value) -> String {
    let reply = send(server, "POST", "/backtest/s", &body.to_string());
    assert_eq!(reply.status, 202, "{}", reply.text());
    reply.json()["job_id"].as_str().expect("an id").to_owned()
}

fn job(server: &Tidemark, id: &str) -> Value {
    let reply = send(server, "GET", &format!("/backtests/{id}"), "");
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

fn wait_for(server: &Tidemark, id: &str, status: &str) -> Value {
    loop {
        let job = job(server, id);
        if job["status"] == status {
            return job;
        }
        assert!(
            !["failed", "cancelled"].contains(&job["status"].as_str().unwrap()),
            "{job}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// One that ended, one that runs and one that waits.
struct Three {
    ended: Value,
    runs: String,
    waits: String,
}

fn three(server: &Tidemark) -> Three {
    let ended = start(server, &body(300, "gaussian", 50));
    let ended = wait_for(server, &ended, "succeeded");
    let runs = start(server, &body(60_000, "forest", 30));
    let waits = start(server, &body(300, "gaussian", 50));
    wait_for(server, &runs, "running");
    Three { ended, runs, waits }
}

/// What is wrong with what a restarted server tells of them.
fn violations(server: &Tidemark, before: &Three) -> Vec<String> {
    let mut found = Vec::new();
    let ended = before.ended["job_id"].as_str().expect("an id");
    for (id, status) in [
        (ended, "succeeded"),
        (&before.runs, "interrupted"),
        (&before.waits, "interrupted"),
    ] {
        let reply = send(server, "GET", &format!("/backtests/{id}"), "");
        match reply.status {
            200 if reply.json()["status"] == status => {}
            200 => found.push(format!("{id} is {}, not {status}", reply.json()["status"])),
            other => found.push(format!("{id} is answered {other}")),
        }
    }
    if job(server, ended) != before.ended {
        found.push("what had ended is told otherwise".to_owned());
    }
    found
}

fn after_restart(data_dir: &Path, stop: impl FnOnce(Tidemark)) {
    let server = Tidemark::start(data_dir, &[]);
    let before = three(&server);
    // The control: a server that goes on tells of a job that runs, which the same check has to find.
    let found = violations(&server, &before);
    assert!(
        found.iter().any(|found| found.contains("running")),
        "{found:?}"
    );
    stop(server);
    for _ in 0..2 {
        let server = Tidemark::start(data_dir, &[]);
        assert_eq!(violations(&server, &before), [""; 0]);
        let report = send(
            &server,
            "GET",
            &format!(
                "/backtests/{}/report",
                before.ended["job_id"].as_str().unwrap()
            ),
            "",
        );
        assert_eq!(report.status, 200);
        // The next one runs.
        let next = start(&server, &body(300, "gaussian", 50));
        wait_for(&server, &next, "succeeded");
        server.kill_9();
    }
}

#[test]
fn a_killed_server_leaves_no_backtest_running_and_loses_none() {
    let folder = tempfile::tempdir().unwrap();
    after_restart(&folder.path().join("data"), Tidemark::kill_9);
}

#[test]
fn a_stopped_server_leaves_no_backtest_running_and_loses_none() {
    let folder = tempfile::tempdir().unwrap();
    after_restart(&folder.path().join("data"), |server| {
        server.stop();
    });
}
