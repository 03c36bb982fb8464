//! The dashboard and the alert rules ask for metrics that the server has.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use serde_json::Value;

use crate::binary::Tidemark;
use crate::http::once;
use crate::payload;

const DASHBOARD: &str = include_str!("../../../deploy/grafana/dashboards/tidemark.json");
const RULES: &str = include_str!("../../../deploy/prometheus/alerts.yml");

/// All expressions of the dashboard, as they are written.
pub(crate) fn expressions() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("the dashboard is JSON");
    let mut found = Vec::new();
    collect(&dashboard, &mut found);
    found
}

fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
        Value::Object(members) => {
            for (name, value) in members {
                match value.as_str() {
                    Some(text) if name == "expr" => found.push(text.to_owned()),
                    _ => collect(value, found),
                }
            }
        }
        _ => {}
    }
}

/// The metrics of ours that a text in PromQL names.
fn asked_for(text: &str) -> BTreeSet<String> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let is_ours = |word: &&str| {
        ["tidemark_", "process_"]
            .iter()
            .any(|start| word.starts_with(start))
    };
    let words = text.split(|c| !is_of_name(c)).filter(is_ours);
    words.map(ToOwned::to_owned).collect()
}

/// The names of all samples in a text of metrics.
fn told(text: &str) -> BTreeSet<String> {
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let names = samples.filter_map(|line| line.split(['{', ' ']).next());
    names.map(ToOwned::to_owned).collect()
}

/// One request of each kind that the dashboard shows.
pub(crate) fn work(addr: SocketAddr) {
    let history = payload::fit(1, 100);
    for (path, body, status) in [
        ("/fit/some-series", &history[..], 200),
        ("/predict/some-series", payload::POINT, 200),
        ("/predict/unknown-series", payload::POINT, 404),
        ("/update/some-series", payload::POINT, 200),
    ] {
        let reply = once(addr, "POST", path, body).expect("a reply");
        assert_eq!(reply.status, status, "{path}: {}", reply.text());
    }
}

/// What is asked for and not told.
fn missing(asked_for: &BTreeSet<String>, told: &BTreeSet<String>) -> Vec<String> {
    asked_for.difference(told).cloned().collect()
}

#[test]
fn the_dashboard_and_the_alerts_name_metrics_that_the_server_has() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Tidemark::start(folder.path(), &["--health-addr", "127.0.0.1:0"]);
    work(server.addr);
    let reply = once(server.health(), "GET", "/metrics", b"").expect("a reply");
    let told = told(reply.text());
    let dashboard = asked_for(&expressions().join("\n"));
    let comments = |line: &&str| !line.trim_start().starts_with('#');
    let rules: Vec<&str> = RULES.lines().filter(comments).collect();
    // What rules record is no metric of ours, and has a colon in its name.
    let rules = asked_for(&rules.join("\n"));
    assert!(dashboard.len() > 30 && rules.len() > 4);
    assert_eq!(missing(&dashboard, &told), [] as [String; 0]);
    assert_eq!(missing(&rules, &told), [] as [String; 0]);
    server.stop();
}

/// The control.
#[test]
fn a_metric_that_no_server_has_is_noticed() {
    let told =
        told("# TYPE tidemark_ready gauge\ntidemark_ready 1\ntidemark_x_bucket{le=\"1\"} 2\n");
    for (text, unknown) in [
        (
            "sum(tidemark_ready{job=\"$job\"}) + rate(tidemark_x_bucket[5m])",
            None,
        ),
        ("sum(tidemark_raedy{job=\"$job\"})", Some("tidemark_raedy")),
        ("rate(tidemark_x_count[5m])", Some("tidemark_x_count")),
        (
            "tidemark_ready / process_open_fds",
            Some("process_open_fds"),
        ),
    ] {
        let unknown: Vec<String> = unknown.into_iter().map(ToOwned::to_owned).collect();
        assert_eq!(missing(&asked_for(text), &told), unknown, "{text}");
    }
}
