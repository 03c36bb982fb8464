//! `POST /update/{series_id}`: scores from before each point was learnt, whatever way the points come.

mod concurrent;
mod frozen;
mod late;
mod lines;
mod refused;
mod replay;
mod start;

use serde_json::{Value, json};

use crate::histories::noise;
use crate::reply::Reply;
use crate::server::{Server, point};

/// A minute-by-minute series that wanders a little, with a spike now and then.
fn points(n: usize) -> Vec<(i64, f64)> {
    (0..n)
        .map(|i| {
            let spike = if i % 197 == 196 { 40.0 } else { 0.0 };
            let wave = (i as f64 / 31.0).sin();
            (
                1_700_000_000 + 60 * i as i64,
                20.0 + wave + noise(i) + spike,
            )
        })
        .collect()
}

fn columns(points: &[(i64, f64)]) -> Value {
    let (timestamps, values): (Vec<i64>, Vec<f64>) = points.iter().copied().unzip();
    json!({ "timestamps": timestamps, "values": values })
}

fn ndjson(points: &[(i64, f64)]) -> String {
    let lines = points.iter().map(|(t, v)| format!("{}\n", point(*t, *v)));
    lines.collect()
}

impl Server {
    /// `series` may carry a query.
    async fn update(&self, series: &str, body: &Value) -> Reply {
        self.post(&format!("/update/{series}"), body.to_string())
            .await
    }

    async fn update_lines(&self, series: &str, body: impl Into<String>) -> Reply {
        let headers = [("content-type", "application/x-ndjson")];
        let target = format!("/update/{series}");
        self.send("POST", &target, &headers, body.into()).await
    }

    async fn update_one(&self, series: &str, (timestamp, value): (i64, f64)) -> Value {
        self.update(series, &point(timestamp, value)).await.ok()
    }

    async fn freeze(&self, series: &str) -> Value {
        let target = format!("/series/{series}/versions");
        self.post(&target, r#"{"from":"online"}"#).await.ok()
    }
}

/// The lines of a reply.
fn answers(reply: &Reply) -> Vec<Value> {
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("content-type"), Some("application/x-ndjson"));
    let lines = reply.text().lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// The entries of columns as the replies that the single points would get.
fn entries(reply: &Value) -> Vec<Value> {
    let n = reply["n_points"].as_u64().expect("a count") as usize;
    let mut entries = vec![json!({}); n];
    for (name, column) in reply.as_object().expect("an object") {
        let single = match name.as_str() {
            "timestamps" => "timestamp",
            "values" => "value",
            "n_points" | "n_anomalies" | "n_learnt" | "n_alerts" => continue,
            other => other,
        };
        for (i, entry) in entries.iter_mut().enumerate() {
            entry[single] = match column {
                Value::Array(column) => {
                    assert_eq!(column.len(), n, "{name}");
                    column[i].clone()
                }
                same_for_all => same_for_all.clone(),
            };
        }
    }
    entries
}

#[tokio::test]
async fn a_series_that_nobody_fitted_begins_from_nothing_and_says_so() {
    let server = Server::start().await;
    let points = points(200);
    let first = server.update_one("a", points[0]).await;
    assert_eq!(first["status"], "warming_up");
    assert_eq!(
        (&first["state_seq"], &first["learnt"]),
        (&json!(1), &json!(true))
    );
    assert_eq!(
        (&first["anomaly"], &first["p_value"]),
        (&json!(false), &json!(1.0))
    );
    assert_eq!(first["model_version"], "0");
    assert_eq!(first["timestamp"], points[0].0);
    assert_eq!(first["value"], points[0].1);
    let rest = server.update("a", &columns(&points[1..])).await.ok();
    assert_eq!(rest["n_learnt"], 199);
    assert_eq!(rest["state_seq"][198], 200);
    assert_eq!(rest["status"][198], "ok");
    assert_eq!(rest["model_hash"], first["model_hash"]);
    // The spike is an anomaly and an alert.
    assert_eq!(
        (&rest["anomaly"][195], &rest["alert"][195]),
        (&json!(true), &json!(true))
    );
    let predict = server.predict("a", &point(1, 1.0)).await;
    crate::problem::assert_problem(&predict, 404, "unknown_series");
}

#[tokio::test]
async fn scores_do_not_depend_on_how_points_come() {
    let server = Server::start().await;
    let points = points(2_500);
    let all = server.update("columns", &columns(&points)).await.ok();
    let all = entries(&all);
    let lines = answers(&server.update_lines("lines", ndjson(&points)).await);
    assert!(lines == all, "lines");
    let mut singly = Vec::new();
    for point in &points[..600] {
        singly.push(server.update_one("singly", *point).await);
    }
    assert!(singly == all[..600], "single points");
    let mut mixed = Vec::new();
    let (mut from, mut size) = (0, 1);
    while from < points.len() {
        let some = &points[from..points.len().min(from + size)];
        match size % 3 {
            0 => mixed.extend(answers(&server.update_lines("mixed", ndjson(some)).await)),
            1 if some.len() == 1 => mixed.push(server.update_one("mixed", some[0]).await),
            _ => mixed.extend(entries(&server.update("mixed", &columns(some)).await.ok())),
        }
        from += some.len();
        size = size * 3 / 2 + 1;
    }
    assert!(mixed == all, "a mixture");
    let hash = server.freeze("columns").await["model_hash"].clone();
    for series in ["lines", "mixed"] {
        assert_eq!(server.freeze(series).await["model_hash"], hash, "{series}");
    }
    server.update("singly", &columns(&points[600..])).await.ok();
    assert_eq!(server.freeze("singly").await["model_hash"], hash);
}

#[tokio::test]
async fn the_future_changes_no_score() {
    let server = Server::start().await;
    let points = points(1_500);
    let told = entries(&server.update("a", &columns(&points)).await.ok());
    let mut other = points.clone();
    other[1_000..]
        .iter_mut()
        .for_each(|(_, value)| *value = -7.0);
    let of_other = entries(&server.update("b", &columns(&other)).await.ok());
    assert!(told[..1_000] == of_other[..1_000]);
    assert!(told[1_000..] != of_other[1_000..]);
}

#[tokio::test]
async fn columns_of_the_reply_are_those_asked_for() {
    let server = Server::start().await;
    let target = "a?fields=anomaly,p_value";
    let reply = server.update(target, &columns(&points(20))).await.ok();
    let mut members: Vec<&String> = reply.as_object().expect("an object").keys().collect();
    members.sort();
    let expected = [
        "alert",
        "anomaly",
        "learnt",
        "model_hash",
        "model_version",
        "n_alerts",
        "n_anomalies",
        "n_learnt",
        "n_points",
        "p_value",
        "state_seq",
    ];
    assert_eq!(members, expected);
}

#[tokio::test]
async fn the_decision_rule_holds_for_every_point() {
    let server = Server::start().await;
    let reply = server
        .update("a?alarm_rate=0.01", &columns(&points(3_000)))
        .await;
    let mut n_anomalies = 0;
    for entry in entries(&reply.ok()) {
        let number = |name: &str| entry[name].as_f64().expect(name);
        let anomaly = entry["anomaly"].as_bool().expect("a verdict");
        n_anomalies += usize::from(anomaly);
        let outside =
            number("value") < number("lower_bound") || number("value") > number("upper_bound");
        assert_eq!(anomaly, number("p_value") < 0.01, "{entry}");
        assert_eq!(anomaly, number("anomaly_score") > 1.0, "{entry}");
        assert_eq!(anomaly, outside, "{entry}");
        assert!(anomaly || entry["alert"] == false, "{entry}");
    }
    assert!(n_anomalies > 0);
}

#[tokio::test]
async fn the_control_of_the_alarm_rate_is_shown() {
    let server = Server::start().await;
    let points = points(2_000);
    let reply = server.update("a", &columns(&points)).await.ok();
    let online = server.get("/series/a/calibration?state=online").await.ok();
    let control = &online["online"];
    assert_eq!(control["state_seq"], 2_000);
    let counted = control["n_points"].as_u64().expect("a count");
    assert!((1_800..2_000).contains(&counted), "{control}");
    assert_eq!(control["n_alarms"], reply["n_anomalies"]);
    let share = control["n_alarms"].as_f64().expect("a count") / counted as f64;
    assert_eq!(control["observed_alarm_rate"], share);
    assert!(
        control["log_factor"].as_f64().is_some_and(|f| f > 0.0),
        "{control}"
    );
    assert_eq!(online["model_version"], "0");
    assert_eq!(online["alarm_rate"], 0.001);
    assert_eq!(
        online["n_scored"], counted,
        "the monitor saw the same points"
    );
    assert_eq!(online["n_alarms"], reply["n_anomalies"]);
    // Late points are no part of it.
    server.update("a", &columns(&points[..50])).await.ok();
    let after = server.get("/series/a/calibration?state=online").await.ok();
    assert_eq!(after, online);
}
