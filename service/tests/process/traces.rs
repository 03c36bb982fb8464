//! Traces: which requests have spans, of which trace, and that a collector cannot disturb the server.

use std::net::{SocketAddr, TcpListener};
use std::process::Command;

use super::binary::{Tidemark, serve};
use super::collector::{Collector, Span, attribute};
use super::http::{Connection, Reply};
use super::payload::POINT;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
const FIT: &[u8] = br#"{"timestamps":[1,2,3,4,5,6],"values":[10.0,10.2,10.1,9.9,10.3,10.15]}"#;

/// A server that sends its spans to `url`, whatever the environment of the tests says.
fn traced(folder: &std::path::Path, url: &str, flags: &[&str]) -> Command {
    let mut command = serve(folder, &[&["--otlp-endpoint", url], flags].concat());
    for name in [
        "http_proxy",
        "HTTP_PROXY",
        "all_proxy",
        "ALL_PROXY",
        "OTEL_SERVICE_NAME",
    ] {
        command.env_remove(name);
    }
    command
}

fn ask(addr: SocketAddr, parent: Option<&str>, target: &str, body: &[u8]) -> Reply {
    let header = parent.map_or_else(String::new, |parent| format!("traceparent: {parent}\r\n"));
    let mut connection = Connection::open(addr).expect("it listens");
    let method = if body.is_empty() { "GET" } else { "POST" };
    let sent = connection.send_with(&header, method, target, body);
    sent.and_then(|()| connection.receive())
        .expect("it answers")
}

fn sampled() -> String {
    format!("00-{TRACE}-{CALLER}-01")
}

fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The spans of this name.
fn named<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

fn parts<'a>(spans: &'a [Span], of: &Span) -> Vec<&'a str> {
    let mut parts: Vec<&Span> = spans
        .iter()
        .filter(|it| it.parent_span_id == of.span_id)
        .collect();
    for part in &parts {
        assert_eq!(part.trace_id, of.trace_id);
        assert!(of.start_time_unix_nano <= part.start_time_unix_nano);
        assert!(part.start_time_unix_nano <= part.end_time_unix_nano);
        assert!(part.end_time_unix_nano <= of.end_time_unix_nano);
    }
    parts.sort_by_key(|part| part.start_time_unix_nano);
    parts.iter().map(|part| part.name.as_str()).collect()
}

#[test]
fn a_request_is_a_span_of_its_callers_trace() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let collector = Collector::start();
    let flags = ["--trace-sample", "0", "--log-filter", "request=debug"];
    let server = Tidemark::spawn(&mut traced(folder.path(), &collector.url(), &flags));
    let parent = sampled();
    assert_eq!(ask(server.addr, Some(&parent), "/fit/odd", FIT).status, 200);
    assert_eq!(
        ask(server.addr, Some(&parent), "/predict/odd", POINT).status,
        200
    );
    assert_eq!(
        ask(server.addr, Some(&parent), "/update/odd", POINT).status,
        200
    );
    assert_eq!(ask(server.addr, Some(&parent), "/detect", FIT).status, 200);
    assert_eq!(ask(server.addr, Some(&parent), "/nowhere", b"").status, 404);
    assert_eq!(
        ask(server.addr, Some(&parent), "/health/live", b"").status,
        200
    );
    // The controls: not recorded by the caller, no caller and a share of nothing, no parent at all.
    let unsampled = format!("00-{TRACE}-{CALLER}-00");
    for parent in [Some(unsampled.as_str()), None, Some("00-nonsense-01")] {
        assert_eq!(ask(server.addr, parent, "/healthcheck", b"").status, 200);
    }
    let log = server.log();
    server.stop();

    let spans = collector.spans();
    for (name, status, expected) in [
        ("POST /fit/{series_id}", "200", &["fit", "commit"][..]),
        ("POST /predict/{series_id}", "200", &["score"]),
        ("POST /update/{series_id}", "200", &["learn", "commit"]),
        ("POST /detect", "200", &["queue", "detect"]),
        ("GET unmatched", "404", &[]),
    ] {
        let [span] = named(&spans, name)[..] else {
            panic!("one {name}: {spans:#?}");
        };
        assert_eq!(
            (hex(&span.trace_id), hex(&span.parent_span_id)),
            (TRACE.into(), CALLER.into())
        );
        assert_eq!(
            attribute(&span.attributes, "http.response.status_code").unwrap(),
            status
        );
        assert_eq!(parts(&spans, span), expected, "{name}");
    }
    let requests = spans
        .iter()
        .filter(|span| hex(&span.parent_span_id) == CALLER);
    assert_eq!(
        requests.count(),
        5,
        "neither probes nor what is not sampled: {spans:#?}"
    );
    assert!(named(&spans, "GET /healthcheck").is_empty());
    assert_eq!(
        attribute(&collector.resource(), "service.name").unwrap(),
        "tidemark"
    );

    let lines = |needle: &str| log.lines().filter(|line| line.contains(needle)).count();
    assert_eq!(
        lines(&format!(r#""trace_id":"{TRACE}""#)),
        6,
        "sampled or not: {log}"
    );
    assert_eq!(lines("trace_id"), 6, "no trace, no id: {log}");
}

#[test]
fn requests_without_a_caller_begin_traces_of_their_own() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let collector = Collector::start();
    let url = collector.url();
    let mut command = traced(folder.path(), &url, &["--trace-sample", "1"]);
    let server = Tidemark::spawn(&mut command);
    for _ in 0..3 {
        assert_eq!(ask(server.addr, None, "/healthcheck", b"").status, 200);
    }
    let unsampled = format!("00-{TRACE}-{CALLER}-00");
    assert_eq!(
        ask(server.addr, Some(&unsampled), "/healthcheck", b"").status,
        200
    );
    server.stop();
    let spans = collector.spans();
    let mut ids: Vec<String> = spans.iter().map(|span| hex(&span.trace_id)).collect();
    ids.sort();
    ids.dedup();
    assert_eq!((spans.len(), ids.len()), (3, 3), "{spans:#?}");
    assert!(!ids.iter().any(|id| id == TRACE));
    assert!(spans.iter().all(|span| span.parent_span_id.is_empty()));
}

#[test]
fn a_collector_that_is_down_or_hangs_disturbs_nothing() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port can be had");
    let hangs = silent.local_addr().expect("it is bound");
    let down = {
        let closed = TcpListener::bind("127.0.0.1:0").expect("a free port can be had");
        closed.local_addr().expect("it is bound")
    };
    for addr in [down, hangs] {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let url = format!("http://{addr}");
        let mut command = traced(folder.path(), &url, &["--trace-sample", "1"]);
        let server = Tidemark::spawn(&mut command);
        let mut connection = Connection::open(server.addr).expect("it listens");
        for _ in 0..3_000 {
            let reply = connection.exchange("GET", "/healthcheck", b"");
            assert_eq!(reply.expect("it answers").status, 200);
        }
        server.stop();
    }
}
