//! Logs: what a request's line holds, and that the level changes while the server runs.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use super::binary::Tidemark;
use super::http::{Connection, Reply, once};
use super::payload::POINT;

const HEALTH: [&str; 2] = ["--health-addr", "127.0.0.1:0"];
/// A guard against hanging, not a promise about speed.
const HANG: Duration = Duration::from_secs(60);

/// The lines that requests of these ids have.
fn lines(server: &Tidemark, request_id: &str) -> Vec<Value> {
    let log = server.log();
    let lines = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")));
    lines
        .filter(|line: &Value| line["request_id"] == request_id)
        .collect()
}

fn ask(server: &Tidemark, request_id: &str, target: &str) -> Reply {
    let mut connection = Connection::open(server.addr).expect("it listens");
    let method = if target.starts_with("/predict") {
        "POST"
    } else {
        "GET"
    };
    let headers = format!("X-Request-ID: {request_id}\r\n");
    let body = if method == "POST" { POINT } else { b"" };
    let sent = connection.send_with(&headers, method, target, body);
    sent.and_then(|()| connection.receive())
        .expect("it answers")
}

fn put(server: &Tidemark, body: &str) -> Reply {
    once(server.health(), "PUT", "/log-level", body.as_bytes()).expect("it listens")
}

fn in_force(server: &Tidemark) -> Value {
    let reply = once(server.health(), "GET", "/log-level", b"").expect("it listens");
    assert_eq!(reply.status, 200);
    reply.json()["filter"].clone()
}

/// Waits for a filter that a signal puts in force.
fn wait_for(server: &Tidemark, filter: &str) {
    let started = Instant::now();
    while in_force(server) != filter {
        assert!(started.elapsed() < HANG, "{}", in_force(server));
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_level_changes_while_the_server_runs() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Tidemark::start(folder.path(), &HEALTH);
    let start = in_force(&server);
    assert_eq!(start, "info,actix_server=warn");

    // The control: before the change there are no such lines.
    assert_eq!(ask(&server, "before", "/predict/odd").status, 404);
    assert_eq!(ask(&server, "quiet", "/healthcheck").status, 200);
    assert_eq!(lines(&server, "before"), [Value::Null; 0]);
    assert_eq!(lines(&server, "quiet"), [Value::Null; 0]);

    let changed = put(&server, r#"{"filter":"info,request=debug"}"#);
    assert_eq!(
        (changed.status, in_force(&server)),
        (200, "info,request=debug".into())
    );
    ask(&server, "after", "/predict/odd");
    let after = lines(&server, "after");
    let [line] = after.as_slice() else {
        panic!("one request has one line: {after:?}");
    };
    assert_eq!(line["level"], "DEBUG");
    assert_eq!(line["method"], "POST");
    assert_eq!(line["route"], "/predict/{series_id}");
    assert_eq!(line["path"], "/predict/odd");
    assert_eq!(line["status"], 404);
    assert_eq!(line["code"], "unknown_series");
    assert!(
        line["duration_ms"].as_f64().is_some_and(|ms| ms > 0.0),
        "{line}"
    );
    ask(&server, "probe", "/health/ready");
    assert_eq!(
        lines(&server, "probe"),
        [Value::Null; 0],
        "probes have no line"
    );
    ask(&server, "good", "/healthcheck");
    let good = lines(&server, "good");
    assert_eq!((good.len(), &good[0]["status"]), (1, &200.into()));
    assert_eq!(good[0].get("code"), None, "it was not refused");

    server.signal(Signal::USR2);
    wait_for(&server, "info,actix_server=warn");
    ask(&server, "back", "/healthcheck");
    assert_eq!(lines(&server, "back"), [Value::Null; 0]);
    server.signal(Signal::USR1);
    wait_for(&server, "debug");
    ask(&server, "again", "/healthcheck");
    assert_eq!(lines(&server, "again").len(), 1);
    server.stop();
}

#[test]
fn what_is_no_filter_changes_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let flags = [&HEALTH[..], &["--log-filter", "warn"]].concat();
    let server = Tidemark::start(folder.path(), &flags);
    let long = format!(r#"{{"filter":"{}"}}"#, "x".repeat(20_000));
    for (body, status, code) in [
        (r#"{"filter":"debgu"}"#, 422, "invalid_log_filter"),
        (r#"{"filter":""}"#, 422, "invalid_log_filter"),
        (r#"{"filter":7}"#, 422, "invalid_type"),
        (r#"{"level":"debug"}"#, 422, "unknown_field"),
        ("{}", 422, "missing_field"),
        ("", 422, "malformed_json"),
        (&long, 413, "body_too_large"),
    ] {
        let reply = put(&server, body);
        assert_eq!(
            (reply.status, &reply.json()["code"]),
            (status, &code.into()),
            "{body}"
        );
        assert_eq!(in_force(&server), "warn", "{body}");
    }
    let posted = once(server.health(), "POST", "/log-level", b"{}").expect("it listens");
    assert_eq!(posted.status, 405);
    assert!(
        posted.head.contains("allow: GET, HEAD, PUT"),
        "{}",
        posted.head
    );
    let main = once(server.addr, "PUT", "/log-level", br#"{"filter":"debug"}"#);
    assert_eq!(main.expect("it listens").status, 404, "callers have no say");
    server.stop();
}

/// What the server counts of the connections that it closed for what came on them.
fn malformed(server: &Tidemark) -> u64 {
    let metrics = once(server.health(), "GET", "/metrics", b"").expect("it listens");
    let name = "tidemark_connections_closed_total{reason=\"malformed\"} ";
    let mut lines = metrics.text().lines();
    let count = lines.find_map(|line| line.strip_prefix(name));
    count.expect("it is there").parse().expect("a number")
}

/// Sends what is no request, until the server closes the connection.
fn offend(server: &Tidemark, bytes: &[u8]) {
    let mut connection = Connection::open(server.addr).expect("it listens");
    // It may be closed before it has read all.
    let _ = connection.send_raw(bytes);
    assert!(connection.is_ended_by_peer());
}

/// Who need not authenticate to be wrong cannot fill the log. It is counted, and told to who asks for it.
#[test]
fn malformed_requests_fill_no_log() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Tidemark::start(folder.path(), &HEALTH);
    let forms: [&[u8]; 5] = [
        b"no request\r\n\r\n",
        b"GET / HTTP/1.1\nHost: localhost\n\n",
        b"POST /predict/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /predict/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        &[b'x'; 200_000],
    ];
    // Whoever asks for something and goes is none of them.
    assert_eq!(ask(&server, "good", "/healthcheck").status, 200);
    let before = server.log();
    let all = forms.iter().cycle().take(100);
    all.for_each(|bytes| offend(&server, bytes));
    let started = Instant::now();
    while malformed(&server) < 100 && started.elapsed() < HANG {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(malformed(&server), 100);
    assert_eq!(server.log(), before);
    // The control: they do cause lines, where those are asked for.
    assert_eq!(
        put(&server, r#"{"filter":"info,actix_http=error"}"#).status,
        200
    );
    offend(&server, forms[0]);
    while !server.log().contains("stream error") {
        assert!(started.elapsed() < HANG, "{}", server.log());
        std::thread::sleep(Duration::from_millis(5));
    }
    server.stop();
}
