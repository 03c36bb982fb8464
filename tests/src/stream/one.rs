//! One series: each line is answered as a predict of its own would be.

use serde_json::{Value, json};

use super::answers;
use super::talk::Talk;
use crate::histories::noise;
use crate::problem::{assert_problem, assert_problem_at};
use crate::server::{Server, history, long_history, point};

#[tokio::test]
async fn a_line_is_answered_before_the_next_is_sent() {
    let server = Server::start().await;
    server.fit("a", &long_history(500)).await.ok();
    for query in ["", "?explain=true", "?version=1"] {
        let target = format!("/predict/a{query}");
        let mut talk = Talk::begin(&server, &target, "").await;
        let head = talk.head().await;
        assert!(head.starts_with("HTTP/1.1 200"), "before any line: {head}");
        assert!(
            head.contains("content-type: application/x-ndjson"),
            "{head}"
        );
        for i in 0..20 {
            let line = point(1_700_000_000 + 60 * i, 45.0 + i as f64).to_string();
            // Wherever a line is cut.
            let (first, second) = line.split_at(i as usize + 1);
            talk.send(first).await;
            talk.send(format!("{second}\n")).await;
            let alone = server.post(&target, line).await;
            assert_eq!(talk.told().await, alone.text(), "{target}");
        }
        talk.end().await;
        assert_eq!(talk.rest().await, (vec![], true));
    }
}

/// Of every model, few lines and many: what is answered on the pool is answered alike.
#[tokio::test]
async fn lines_are_answered_as_points_alone_are() {
    let server = Server::start().await;
    for model in [
        "auto",
        "gaussian",
        "robust",
        "seasonal",
        "forest",
        "tail_views",
    ] {
        let mut body = long_history(600);
        body["model"] = json!(model);
        server.fit(model, &body).await.ok();
        for (n, query) in [(1, ""), (40, "?explain=true"), (1_500, "")] {
            let points: Vec<Value> = (0..n)
                .map(|i| point(1_700_036_000 + 60 * i as i64, 50.0 + 30.0 * noise(i)))
                .collect();
            let lines: String = points.iter().map(|point| format!("{point}\n")).collect();
            let target = format!("/predict/{model}{query}");
            let reply = server.predict_lines(&target, lines).await;
            let told: Vec<&str> = reply.text().lines().collect();
            assert_eq!(told.len(), n);
            for i in (0..n).step_by(n.div_ceil(40)) {
                let alone = server.post(&target, points[i].to_string()).await;
                assert_eq!(told[i], alone.text(), "{model} {query} {i}");
            }
        }
    }
}

#[tokio::test]
async fn one_version_answers_from_the_first_line_to_the_last() {
    let server = Server::start().await;
    server.fit("a", &history(&[1.0, 2.0, 4.0, 3.0])).await.ok();
    let mut talk = Talk::begin(&server, "/predict/a", "").await;
    talk.head().await;
    let line = format!("{}\n", point(9, 3.0));
    talk.send(&line).await;
    let first = talk.told().await;
    server.fit("a", &history(&[100.0, 200.0, 400.0])).await.ok();
    talk.send(&line).await;
    assert_eq!(talk.told().await, first);
    // The control: who asks now is answered by the other.
    let now = server.predict_lines("/predict/a", line).await;
    assert_ne!(now.text().trim_end(), first);
}

#[tokio::test]
async fn a_bad_line_is_answered_in_its_place() {
    let server = Server::start().await;
    server.fit("a", &history(&[1.0, 2.0, 4.0, 3.0])).await.ok();
    const MAX: usize = 64 * 1024;
    let good = point(9, 3.0).to_string();
    let long = [good.clone(), " ".repeat(MAX), good.clone()].concat();
    let longest = good.clone() + &" ".repeat(MAX - good.len() - 1);
    let lines = [
        good.as_str(),
        "",
        r#"{"timestamp":2,"value":NaN}"#,
        " \t",
        &long,
        r#"{"timestamp":4}"#,
        &longest,
        "[4,1]",
        r#"{"timestamp":"-4","value":1}"#,
        r#"{"timestamp":"9000-01-01T00:00:00Z","value":1,"value":2}"#,
        "\u{7f}\u{0}",
        &good,
    ];
    let reply = server.predict_lines("/predict/a", lines.join("\r\n")).await;
    let told = answers(&reply);
    let verdict = server.post("/predict/a", good.clone()).await.ok();
    for index in [0, 4, 9] {
        assert_eq!(told[index], verdict);
    }
    for (index, line, code, field) in [
        (1, 3, "value_not_finite", Some("value")),
        (2, 5, "malformed_json", None),
        (3, 6, "missing_field", Some("value")),
        (5, 8, "invalid_type", None),
        (6, 9, "timestamp_invalid", Some("timestamp")),
        (7, 10, "duplicate_field", Some("value")),
        (8, 11, "malformed_json", None),
    ] {
        let problem = &told[index];
        let mut loc = vec![json!("body"), json!(index)];
        loc.extend(field.map(|field| json!(field)));
        assert_eq!(problem["errors"][0]["loc"], json!(loc), "{problem}");
        assert_eq!(
            (&problem["code"], &problem["line"]),
            (&json!(code), &json!(line))
        );
        assert_eq!(problem["type"], format!("/problems/{code}"));
        assert_eq!(problem["status"], 422);
        assert_eq!(problem["request_id"].as_str(), reply.header("x-request-id"));
    }
    assert_eq!(told.len(), 10, "blank lines get no answer");
    // All of it was there: the connection is kept.
    assert_eq!(reply.header("connection"), None);
}

#[tokio::test]
async fn what_holds_for_all_lines_is_refused_before_the_first() {
    let server = Server::start().await;
    let line = format!("{}\n", point(9, 3.0));
    let unknown = server.predict_lines("/predict/a", line.clone()).await;
    assert_problem(&unknown, 404, "unknown_series");
    server.fit("a", &history(&[1.0, 2.0, 4.0, 3.0])).await.ok();
    for (query, status, code, place) in [
        ("fields=p_value", 422, "invalid_query", "fields"),
        ("version=x", 422, "invalid_version", "version"),
        ("version=1&alias=b", 422, "parameter_conflict", "alias"),
        ("explain=perhaps", 422, "invalid_query", "explain"),
    ] {
        let reply = server
            .predict_lines(&format!("/predict/a?{query}"), line.clone())
            .await;
        assert_problem_at(&reply, status, code, &json!(["query", place]));
    }
    let version = server.predict_lines("/predict/a?version=7", line).await;
    assert_problem(&version, 404, "unknown_version");
}

#[tokio::test]
async fn lines_have_several_names() {
    let server = Server::start().await;
    server.fit("a", &history(&[1.0, 2.0, 4.0, 3.0])).await.ok();
    let body = format!("{0}\n{0}\n", point(9, 3.0));
    for name in [
        "application/x-ndjson",
        "application/ndjson",
        "Application/JSONL; charset=utf-8",
    ] {
        for target in ["/predict/a", "/update/b"] {
            let reply = server
                .send("POST", target, &[("content-type", name)], body.clone())
                .await;
            assert_eq!(answers(&reply).len(), 2, "{name} {target}");
        }
    }
    for body in ["", "\n", " \r\n\n"] {
        assert!(answers(&server.predict_lines("/predict/a", body).await).is_empty());
    }
}
