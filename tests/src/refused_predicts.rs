//! Every body a predict refuses, whether or not the series is known.

use serde_json::{Value, json};

use crate::problem::{assert_problem, assert_problem_at};
use crate::server::{Server, history, point};

async fn assert_refused(cases: &[(&str, &str, Value)]) {
    let server = Server::start().await;
    server.fit("a", &history(&[1.0, 2.0, 4.0])).await.ok();
    let before = server.predict("a", &point(5, 2.5)).await;
    for (body, code, loc) in cases {
        println!("{body}");
        for series in ["a", "a?version=1", "nobody"] {
            let target = format!("/predict/{series}");
            let reply = server.post(&target, (*body).to_owned()).await;
            assert_problem_at(&reply, 422, code, loc);
        }
    }
    let after = server.predict("a", &point(5, 2.5)).await;
    assert_eq!(after.body, before.body, "a refusal leaves no trace");
}

#[tokio::test]
async fn times_that_are_impossible() {
    let place = json!(["body", "timestamp"]);
    let cases = [
        r#"{"timestamp":"","value":1}"#,
        r#"{"timestamp":"x","value":1}"#,
        r#"{"timestamp":"-1","value":1}"#,
        r#"{"timestamp":"+1","value":1}"#,
        r#"{"timestamp":" 1","value":1}"#,
        r#"{"timestamp":"1.5","value":1}"#,
        r#"{"timestamp":"1e3","value":1}"#,
        r#"{"timestamp":"99999999999999999999","value":1}"#,
        r#"{"timestamp":-1,"value":1}"#,
        r#"{"timestamp":1.5,"value":1}"#,
        r#"{"timestamp":9223372036854775808,"value":1}"#,
        r#"{"timestamp":"2026-02-30T00:00:00Z","value":1}"#,
        r#"{"timestamp":"2026-01-31T25:00:00Z","value":1}"#,
        r#"{"timestamp":"2026-01-31T08:00:00","value":1}"#,
        r#"{"timestamp":"2026-01-31","value":1}"#,
        r#"{"timestamp":"1969-12-31T23:59:59Z","value":1}"#,
        r#"{"timestamp":null,"value":1}"#,
        r#"{"timestamp":true,"value":1}"#,
        r#"{"timestamp":["1"],"value":1}"#,
        r#"{"timestamp":{},"value":1}"#,
    ]
    .map(|body| (body, "timestamp_invalid", place.clone()));
    assert_refused(&cases).await;
}

#[tokio::test]
async fn values_that_are_no_finite_numbers() {
    let place = json!(["body", "value"]);
    let not_finite = [
        r#"{"timestamp":"1","value":NaN}"#,
        r#"{"timestamp":"1","value":Infinity}"#,
        r#"{"timestamp":"1","value":-Infinity}"#,
        r#"{"timestamp":"1","value":1e999}"#,
        r#"{"timestamp":"1","value":-1e309}"#,
        r#"{"value":NaN,"timestamp":"1"}"#,
    ]
    .map(|body| (body, "value_not_finite", place.clone()));
    assert_refused(&not_finite).await;
    let not_numbers = [
        r#"{"timestamp":"1","value":null}"#,
        r#"{"timestamp":"1","value":"1"}"#,
        r#"{"timestamp":"1","value":"NaN"}"#,
        r#"{"timestamp":"1","value":true}"#,
        r#"{"timestamp":"1","value":[1]}"#,
    ]
    .map(|body| (body, "value_not_a_number", place.clone()));
    assert_refused(&not_numbers).await;
}

#[tokio::test]
async fn bodies_of_another_shape() {
    let body = |field: &str| json!(["body", field]);
    assert_refused(&[
        ("{}", "missing_field", body("timestamp")),
        (r#"{"timestamp":"1"}"#, "missing_field", body("value")),
        (r#"{"value":1}"#, "missing_field", body("timestamp")),
        (
            r#"{"timestamp":"1","value":1,"x":1}"#,
            "unknown_field",
            body("x"),
        ),
        (
            r#"{"timestamp":"1","value":1,"value":2}"#,
            "duplicate_field",
            body("value"),
        ),
        (
            r#"{"timestamp":"1","timestamp":"1","value":2}"#,
            "duplicate_field",
            body("timestamp"),
        ),
        (r#"{"timestamps":["1"]}"#, "missing_field", body("values")),
        (r#"{"values":[1]}"#, "missing_field", body("timestamps")),
        (
            r#"{"timestamps":["1"],"value":1}"#,
            "conflicting_fields",
            body("value"),
        ),
        (
            r#"{"timestamp":"1","values":[1]}"#,
            "conflicting_fields",
            body("timestamp"),
        ),
        ("null", "invalid_type", json!(["body"])),
        ("[]", "invalid_type", json!(["body"])),
        (r#"["1",2]"#, "invalid_type", json!(["body"])),
        (
            r#"{"timestamps":"1","values":[1]}"#,
            "invalid_type",
            body("timestamps"),
        ),
        (
            r#"{"timestamps":["1"],"values":null}"#,
            "invalid_type",
            body("values"),
        ),
    ])
    .await;
}

#[tokio::test]
async fn columns_name_the_first_offending_index() {
    let at = |field: &str, index: usize| json!(["body", field, index]);
    assert_refused(&[
        (
            r#"{"timestamps":["1","2"],"values":[1]}"#,
            "lengths_differ",
            at("timestamps", 1),
        ),
        (
            r#"{"timestamps":[],"values":[1]}"#,
            "lengths_differ",
            at("values", 0),
        ),
        (
            r#"{"timestamps":["1","x","y"],"values":[1,2,3]}"#,
            "timestamp_invalid",
            at("timestamps", 1),
        ),
        (
            r#"{"timestamps":[1,2,-3],"values":[1,2,3]}"#,
            "timestamp_invalid",
            at("timestamps", 2),
        ),
        (
            r#"{"timestamps":[1,2,3],"values":[1,null,null]}"#,
            "value_not_a_number",
            at("values", 1),
        ),
        (
            r#"{"timestamps":[1,2,3],"values":[1,2,NaN]}"#,
            "value_not_finite",
            at("values", 2),
        ),
        (
            r#"{"timestamps":[1,2,3],"values":[1e999,2,3]}"#,
            "value_not_finite",
            at("values", 0),
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_column_that_does_not_exist_cannot_be_selected() {
    let server = Server::start().await;
    server.fit("a", &history(&[1.0, 2.0, 4.0])).await.ok();
    let body = json!({"timestamps":[1],"values":[1]});
    for list in ["", "score", "anomaly,", "anomaly,nope", "ANOMALY", "%ff"] {
        let reply = server.predict(&format!("a?fields={list}"), &body).await;
        let loc = json!(["query", "fields"]);
        assert_problem_at(&reply, 422, "invalid_query", &loc);
    }
}

#[tokio::test]
async fn bytes_that_are_no_json() {
    let server = Server::start().await;
    server.fit("a", &history(&[1.0, 2.0, 4.0])).await.ok();
    for body in [
        &b""[..],
        b"{",
        b"{\"timestamp\":\"1\",\"value\":1} x",
        b"{\"timestamp\":\"1\",\"value\":1,}",
        b"{\"timestamp\":\"\\ud800\",\"value\":1}",
        b"{\"timestamp\":\"\xff\",\"value\":1}",
        b"{\"timestamp\":\"1\",\"value\":01}",
        b"value=1",
    ] {
        let reply = server.post("/predict/a", body.to_vec()).await;
        println!("{}", String::from_utf8_lossy(body));
        assert_problem(&reply, 422, "malformed_json");
    }
}
