//! Many series: each line names its own.

use serde_json::json;

use super::answers;
use super::talk::Talk;
use crate::problem::{assert_problem, assert_problem_at};
use crate::server::{Server, history, point};

#[tokio::test]
async fn each_line_is_answered_by_its_series_in_order() {
    let server = Server::start().await;
    for i in 0..30 {
        let level = f64::from(10 * i);
        let mut body = history(&[level + 1.0, level + 2.0, level + 4.0]);
        body["set_alias"] = json!("champion");
        server.fit(&format!("s{i}"), &body).await.ok();
        server
            .fit(&format!("s{i}"), &history(&[1.0, 2.0, 9.0]))
            .await
            .ok();
    }
    for query in ["", "?explain=true"] {
        let mut lines = String::new();
        let mut expected = Vec::new();
        for k in 0..300 {
            let (id, value) = (format!("s{}", (k * 7) % 30), 3.0 + f64::from(k));
            let (version, own) = match k % 3 {
                0 => ("", ""),
                1 => (r#","version":"1""#, "version=1&"),
                _ => (r#","alias":"champion""#, "alias=champion&"),
            };
            lines +=
                &format!("{{\"series_id\":\"{id}\",\"timestamp\":9,\"value\":{value}{version}}}\n");
            let target = format!("/predict/{id}?{own}{}", query.trim_start_matches('?'));
            let alone = server.post(&target, point(9, value).to_string()).await;
            let rest = alone.text().strip_prefix('{').expect("an object");
            expected.push(format!("{{\"series_id\":\"{id}\",{rest}"));
        }
        let reply = server
            .predict_lines(&format!("/predict{query}"), lines)
            .await;
        let told: Vec<&str> = reply.text().lines().collect();
        assert_eq!(told, expected, "{query}");
    }
}

/// Models that are not in memory are read ahead, and answered in their order.
#[tokio::test]
async fn models_come_from_the_store_in_the_order_of_lines() {
    let folder = tempfile::tempdir().expect("a folder");
    let data_dir = folder.path().join("data");
    let server = Server::at(&data_dir, &[]).await;
    for i in 0..100 {
        let level = f64::from(i);
        server
            .fit(
                &format!("s{i}"),
                &history(&[level, level + 1.0, level + 3.0]),
            )
            .await
            .ok();
    }
    server.stop().await;
    let server = Server::at(&data_dir, &[]).await;
    let line = |i: usize| json!({"series_id": format!("s{i}"), "timestamp": 9, "value": 1});
    let lines: Vec<String> = (0..100)
        .map(|i| format!("{}\n", line((i * 37) % 103)))
        .collect();
    let told = answers(&server.predict_lines("/predict", lines.concat()).await);
    assert_eq!(told.len(), 100);
    for (i, told) in told.iter().enumerate() {
        let id = (i * 37) % 103;
        assert_eq!(told["series_id"], format!("s{id}"));
        if id < 100 {
            let low = told["expected_value"].as_f64().expect("a number");
            assert!((low - id as f64 - 4.0 / 3.0).abs() < 1e-9, "{told}");
        } else {
            assert_eq!(told["code"], "unknown_series", "{told}");
        }
    }
}

#[tokio::test]
async fn a_bad_line_is_answered_in_its_place_and_named() {
    let server = Server::start().await;
    server.fit("a", &history(&[1.0, 2.0, 4.0])).await.ok();
    let mut talk = Talk::begin(&server, "/predict", "").await;
    assert!(talk.head().await.starts_with("HTTP/1.1 200"));
    for (index, (line, code, id)) in [
        (
            r#"{"series_id":"a","timestamp":9,"value":1}"#,
            None,
            Some("a"),
        ),
        (
            r#"{"series_id":"b","timestamp":9,"value":1}"#,
            Some("unknown_series"),
            Some("b"),
        ),
        (
            r#"{"series_id":"../a","timestamp":9,"value":1}"#,
            Some("invalid_series_id"),
            None,
        ),
        (r#"{"timestamp":9,"value":1}"#, Some("missing_field"), None),
        (
            r#"{"series_id":"a","timestamp":9,"value":1,"version":"3"}"#,
            Some("unknown_version"),
            Some("a"),
        ),
        (
            r#"{"series_id":"a","timestamp":9,"value":1,"alias":"b"}"#,
            Some("unknown_alias"),
            Some("a"),
        ),
        (
            r#"{"series_id":"a","timestamp":9,"value":null}"#,
            Some("value_not_a_number"),
            Some("a"),
        ),
        (
            r#"{"series_id":"a","timestamp":"9999-01-01T00:00:00Z","value":1}"#,
            None,
            Some("a"),
        ),
    ]
    .into_iter()
    .enumerate()
    {
        talk.send(format!("{line}\n\n")).await;
        let told: serde_json::Value = serde_json::from_str(&talk.told().await).expect("JSON");
        assert_eq!(told["code"].as_str(), code, "{told}");
        assert_eq!(told["series_id"].as_str(), id, "{told}");
        if code.is_some() {
            assert_eq!(told["line"], 2 * index + 1, "{told}");
        }
    }
    talk.end().await;
    assert_eq!(talk.rest().await, (vec![], true));
}

#[tokio::test]
async fn only_lines_are_read() {
    let server = Server::start().await;
    let json = server.post("/predict", r#"{"series_id":"a"}"#).await;
    assert_problem(&json, 415, "unsupported_media_type");
    let query = server.predict_lines("/predict?version=1", "").await;
    assert_problem_at(&query, 422, "invalid_query", &json!(["query", "version"]));
    let get = server.get("/predict").await;
    assert_problem(&get, 405, "method_not_allowed");
    assert_eq!(get.header("allow"), Some("POST"));
}
