//! The dashboard and the alert rules ask for metrics and labels that the server has.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::exposition::{Exposition, split};
use super::scrape;
use crate::server::{Server, history, point};

const DASHBOARD: &str = include_str!("../../../deploy/grafana/dashboards/tidemark.json");
const ALERTS: &str = include_str!("../../../deploy/prometheus/alerts.yml");
/// What Prometheus adds itself.
const OF_PROMETHEUS: [&str; 2] = ["job", "instance"];

/// The expressions of a dashboard, wherever they stand.
fn expressions(of: &Value) -> Vec<String> {
    match of {
        Value::Object(members) => {
            let own = members.get("expr").and_then(Value::as_str);
            let own = own.map(ToOwned::to_owned);
            own.into_iter()
                .chain(members.values().flat_map(expressions))
                .collect()
        }
        Value::Array(entries) => entries.iter().flat_map(expressions).collect(),
        _ => Vec::new(),
    }
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The metrics of ours that a text names.
fn metrics(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c| !is_name(c));
    words
        .filter(|word| word.starts_with("tidemark_") || word.starts_with("process_"))
        .collect()
}

/// Each metric that a text asks for, with the labels that it matches or keeps.
fn asked(expression: &str) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut asked = BTreeMap::<&str, BTreeSet<&str>>::new();
    let groups = expression.split("by (").skip(1);
    let kept = groups.filter_map(|rest| rest.split(')').next());
    let kept: BTreeSet<&str> = kept.flat_map(|list| list.split(", ")).collect();
    for name in metrics(expression) {
        let mut labels = kept.clone();
        for (_, rest) in expression
            .match_indices(name)
            .map(|(at, name)| expression.split_at(at + name.len()))
        {
            let Some(matchers) = rest.strip_prefix('{') else {
                continue;
            };
            let matchers = matchers.split('"').step_by(2);
            let before_equals = matchers.filter_map(|text| {
                let text = text.split('}').next()?.trim_end_matches(['=', '~', '!']);
                text.rsplit(|c| !is_name(c)).next()
            });
            // The text after the closing brace is no matcher.
            let upto = rest.find('}').map_or(rest, |end| &rest[..end]);
            labels.extend(
                before_equals
                    .filter(|label| !label.is_empty() && upto.contains(&format!("{label}="))),
            );
        }
        asked.entry(name).or_default().extend(labels);
    }
    asked
}

/// What `expressions` ask for and `told` does not have.
fn missing(expressions: &[String], told: &Exposition) -> Vec<String> {
    let mut has = BTreeMap::<&str, BTreeSet<&str>>::new();
    for sample in told.samples.keys() {
        let (name, labels) = split(sample);
        has.entry(name).or_default().extend(labels.into_keys());
    }
    let mut found = Vec::new();
    for (name, labels) in expressions.iter().flat_map(|expression| asked(expression)) {
        let Some(own) = has.get(name) else {
            found.push(name.to_owned());
            continue;
        };
        let unknown = |label: &&&str| !own.contains(**label) && !OF_PROMETHEUS.contains(label);
        found.extend(
            labels
                .iter()
                .filter(unknown)
                .map(|label| format!("{name}{{{label}}}")),
        );
    }
    found
}

async fn told() -> Exposition {
    let server = Server::start().await;
    server.fit("a", &history(&[1.0, 2.0, 4.0])).await.ok();
    server.predict("a", &point(4, 1.0)).await.ok();
    scrape(&server).await
}

/// Expressions of the alert rules, each up to the next key.
fn of_alerts() -> Vec<String> {
    let rules = ALERTS.split("expr: ").skip(1);
    let expressions = rules.map(|rest| {
        let end = ["\n        for:", "\n        labels:"]
            .iter()
            .filter_map(|key| rest.find(key))
            .min();
        rest[..end.expect("a rule goes on")].to_owned()
    });
    expressions.collect()
}

#[tokio::test]
async fn the_dashboard_and_the_alerts_ask_for_what_there_is() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("it is JSON");
    let shown = expressions(&dashboard);
    assert!(shown.len() > 30, "{}", shown.len());
    let alerts = of_alerts();
    assert_eq!(alerts.len(), 9);
    let told = told().await;
    if cfg!(target_os = "linux") {
        assert_eq!(missing(&shown, &told), Vec::<String>::new());
    }
    assert_eq!(missing(&alerts, &told), Vec::<String>::new());
}

/// The control.
#[tokio::test]
async fn a_metric_or_label_that_there_is_not_is_noticed() {
    let told = told().await;
    for (expression, what) in [
        (
            "rate(tidemark_http_request_total[5m])",
            "tidemark_http_request_total",
        ),
        (
            "sum by (path) (tidemark_http_requests_total)",
            "tidemark_http_requests_total{path}",
        ),
        (
            "tidemark_refusals_total{cause=\"memory\"}",
            "tidemark_refusals_total{cause}",
        ),
        (
            "tidemark_ready{instance=~\"a\",zone=\"b\"} == 0",
            "tidemark_ready{zone}",
        ),
    ] {
        assert_eq!(missing(&[expression.to_owned()], &told), [what]);
    }
}
