//! Every body a fit refuses: status, code, field, first offending index; and nothing is stored.

use serde_json::{Value, json};

use crate::problem::{assert_problem, assert_problem_at};
use crate::server::{Server, history, point};

/// Body, code, place.
type Case = (&'static str, &'static str, Value);

async fn assert_refused(cases: Vec<Case>) {
    let server = Server::start().await;
    server.fit("before", &history(&[1.0, 2.0, 4.0])).await.ok();
    for (body, code, loc) in cases {
        let reply = server.post("/fit/a", body).await;
        println!("{body}");
        assert_problem_at(&reply, 422, code, &loc);
    }
    assert_eq!(server.series_trained().await, 1, "nothing was stored");
    let reply = server.predict("a", &point(1, 1.0)).await;
    assert_problem(&reply, 404, "unknown_series");
}

#[tokio::test]
async fn values_that_are_no_numbers() {
    let at = |index: usize| json!(["body", "values", index]);
    let mut cases: Vec<Case> = vec![
        (
            r#"{"timestamps":[1,2,3],"values":[1,null,3]}"#,
            "value_not_a_number",
            at(1),
        ),
        (
            r#"{"timestamps":[1,2,3],"values":[1,2,"3"]}"#,
            "value_not_a_number",
            at(2),
        ),
        (
            r#"{"timestamps":[1,2,3],"values":["NaN",2,3]}"#,
            "value_not_a_number",
            at(0),
        ),
        (
            r#"{"timestamps":[1,2,3],"values":[1,true,3]}"#,
            "value_not_a_number",
            at(1),
        ),
        (
            r#"{"timestamps":[1,2,3],"values":[1,[2],3]}"#,
            "value_not_a_number",
            at(1),
        ),
        (
            r#"{"timestamps":[1,2,3],"values":[1,{"v":2},3]}"#,
            "value_not_a_number",
            at(1),
        ),
        (
            r#"{"timestamps":[1,2,3],"values":[null,NaN,3]}"#,
            "value_not_a_number",
            at(0),
        ),
    ];
    let not_finite = [
        r#"{"timestamps":[1,2,3],"values":[1,NaN,3]}"#,
        r#"{"timestamps":[1,2,3],"values":[1,-NaN,3]}"#,
        r#"{"timestamps":[1,2,3],"values":[1,Infinity,3]}"#,
        r#"{"timestamps":[1,2,3],"values":[1,-Infinity,3]}"#,
        r#"{"timestamps":[1,2,3],"values":[1,1e999,3]}"#,
        r#"{"timestamps":[1,2,3],"values":[1,-1e999,3]}"#,
        r#"{"timestamps":[1,2,3],"values":[1,2e308,3]}"#,
        r#"{"timestamps":[1,2,3],"values":[1, NaN ,null]}"#,
        "{\"timestamps\":[1,2,3],\r\n\t\"values\":[1,\r\n\tNaN,\r\n\t3]}",
        r#"{"values":[1,NaN,3],"timestamps":[1,2,3]}"#,
        r#"{"model":"gaussian","values":[1,1e309,NaN],"timestamps":[1,2,3]}"#,
    ];
    cases.extend(not_finite.map(|body| (body, "value_not_finite", at(1))));
    assert_refused(cases).await;
}

#[tokio::test]
async fn timestamps_that_are_no_increasing_times() {
    let at = |index: usize| json!(["body", "timestamps", index]);
    assert_refused(vec![
        (
            r#"{"timestamps":[-1,2,3],"values":[1,2,3]}"#,
            "timestamp_negative",
            at(0),
        ),
        (
            r#"{"timestamps":[-5,-4,-3],"values":[1,2,3]}"#,
            "timestamp_negative",
            at(0),
        ),
        (
            r#"{"timestamps":[1,2,2],"values":[1,2,3]}"#,
            "timestamps_not_increasing",
            at(2),
        ),
        (
            r#"{"timestamps":[1,1,2,2],"values":[1,2,3,4]}"#,
            "timestamps_not_increasing",
            at(1),
        ),
        (
            r#"{"timestamps":[1,3,2,1],"values":[1,2,3,4]}"#,
            "timestamps_not_increasing",
            at(2),
        ),
        (
            r#"{"timestamps":[3,2,1],"values":[1,2,3]}"#,
            "timestamps_not_increasing",
            at(1),
        ),
        (
            r#"{"timestamps":[1,2.5,3],"values":[1,2,3]}"#,
            "timestamp_invalid",
            at(1),
        ),
        (
            r#"{"timestamps":[1,2.0,3],"values":[1,2,3]}"#,
            "timestamp_invalid",
            at(1),
        ),
        (
            r#"{"timestamps":[1,"2",3],"values":[1,2,3]}"#,
            "timestamp_invalid",
            at(1),
        ),
        (
            r#"{"timestamps":[1,null,3],"values":[1,2,3]}"#,
            "timestamp_invalid",
            at(1),
        ),
        (
            r#"{"timestamps":[1,2,9223372036854775808],"values":[1,2,3]}"#,
            "timestamp_invalid",
            at(2),
        ),
        (
            r#"{"timestamps":[1,2,1e3],"values":[1,2,3]}"#,
            "timestamp_invalid",
            at(2),
        ),
    ])
    .await;
}

#[tokio::test]
async fn columns_that_make_no_series() {
    let body = |field: &str| json!(["body", field]);
    let at = |field: &str, index: usize| json!(["body", field, index]);
    assert_refused(vec![
        (
            r#"{"timestamps":[1,2,3],"values":[1,2]}"#,
            "lengths_differ",
            at("timestamps", 2),
        ),
        (
            r#"{"timestamps":[1,2,3],"values":[1,2,3,4,5]}"#,
            "lengths_differ",
            at("values", 3),
        ),
        (
            r#"{"timestamps":[],"values":[1,2,3]}"#,
            "lengths_differ",
            at("values", 0),
        ),
        (
            r#"{"timestamps":[],"values":[]}"#,
            "too_few_points",
            body("timestamps"),
        ),
        (
            r#"{"timestamps":[1],"values":[1]}"#,
            "too_few_points",
            body("timestamps"),
        ),
        (
            r#"{"timestamps":[1,2],"values":[1,2]}"#,
            "too_few_points",
            body("timestamps"),
        ),
        (
            r#"{"timestamps":[1,2,3],"values":[5,5,5]}"#,
            "values_constant",
            body("values"),
        ),
        (
            r#"{"timestamps":[1,2,3],"values":[0,-0.0,0]}"#,
            "values_constant",
            body("values"),
        ),
        (
            r#"{"timestamps":[1,2,3],"values":[5,5,5],"model":"robust"}"#,
            "values_constant",
            body("values"),
        ),
        (r#"{"timestamps":[1,2,3]}"#, "missing_field", body("values")),
        (r#"{"values":[1,2,3]}"#, "missing_field", body("timestamps")),
        ("{}", "missing_field", body("timestamps")),
    ])
    .await;
}

#[tokio::test]
async fn bodies_of_another_shape() {
    let body = |field: &str| json!(["body", field]);
    assert_refused(vec![
        (
            r#"{"timestamps":[1,2,3],"values":[1,2,4],"valeus":[1]}"#,
            "unknown_field",
            body("valeus"),
        ),
        (
            r#"{"timestamps":[1,2,3],"values":[1,2,4],"Model":"auto"}"#,
            "unknown_field",
            body("Model"),
        ),
        (
            r#"{"timestamps":[1,2,3],"values":[1,2,3],"values":[1,2,4]}"#,
            "duplicate_field",
            body("values"),
        ),
        (
            r#"{"timestamps":[1,2,3],"values":[1,2,4],"timestamps":[1,2,3]}"#,
            "duplicate_field",
            body("timestamps"),
        ),
        (
            r#"{"timestamps":null,"values":[1,2,4]}"#,
            "invalid_type",
            body("timestamps"),
        ),
        (
            r#"{"timestamps":[1,2,3],"values":"1,2,4"}"#,
            "invalid_type",
            body("values"),
        ),
        (
            r#"{"timestamps":{"0":1},"values":[1,2,4]}"#,
            "invalid_type",
            body("timestamps"),
        ),
        (
            r#"{"timestamps":[1,2,3],"values":[1,2,4],"alarm_rate":"low"}"#,
            "invalid_type",
            body("alarm_rate"),
        ),
        (
            r#"{"timestamps":[1,2,3],"values":[1,2,4],"model":7}"#,
            "invalid_type",
            body("model"),
        ),
        ("[]", "invalid_type", json!(["body"])),
        ("[[1,2,3],[1,2,4]]", "invalid_type", json!(["body"])),
        (r#""text""#, "invalid_type", json!(["body"])),
        ("null", "invalid_type", json!(["body"])),
        (" \n\t42", "invalid_type", json!(["body"])),
        ("true", "invalid_type", json!(["body"])),
    ])
    .await;
}

#[tokio::test]
async fn parameters_that_do_not_hold() {
    let cases = [
        (r#""model":"prophet""#, "unknown_model", "model"),
        (r#""model":"""#, "unknown_model", "model"),
        (r#""alarm_rate":0"#, "parameter_out_of_range", "alarm_rate"),
        (
            r#""alarm_rate":-0.1"#,
            "parameter_out_of_range",
            "alarm_rate",
        ),
        (r#""alarm_rate":1"#, "parameter_out_of_range", "alarm_rate"),
        (r#""direction":"up""#, "parameter_out_of_range", "direction"),
        (
            r#""model":"gaussian","sigma":0"#,
            "parameter_out_of_range",
            "sigma",
        ),
        (
            r#""model":"gaussian","sigma":-3"#,
            "parameter_out_of_range",
            "sigma",
        ),
    ];
    let server = Server::start().await;
    for (parameter, code, field) in cases {
        let body = format!(r#"{{"timestamps":[1,2,3],"values":[1,2,4],{parameter}}}"#);
        let reply = server.post("/fit/a", body).await;
        assert_problem_at(&reply, 422, code, &json!(["body", field]));
    }
    for (parameter, code) in [
        (
            r#""model":"gaussian","sigma":3,"alarm_rate":0.01"#,
            "parameter_conflict",
        ),
        (r#""model":"robust","sigma":3"#, "parameter_unsupported"),
    ] {
        let body = format!(r#"{{"timestamps":[1,2,3],"values":[1,2,4],{parameter}}}"#);
        assert_problem(&server.post("/fit/a", body).await, 422, code);
    }
    assert_eq!(server.series_trained().await, 0);
}

#[tokio::test]
async fn bytes_that_are_no_json() {
    let bodies: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"   ".to_vec(),
        b"{".to_vec(),
        b"{\"timestamps\":[1,2,3],\"values\":[1,2,".to_vec(),
        b"{\"timestamps\":[1,2,3],\"values\":[1,2,4]".to_vec(),
        b"{\"timestamps\":[1,2,3],\"values\":[1,2,4],}".to_vec(),
        b"{\"timestamps\":[1,2,3,],\"values\":[1,2,4]}".to_vec(),
        b"{\"timestamps\":[1,2,3],\"values\":[1,2,4]} x".to_vec(),
        b"{\"timestamps\":[1,2,3],\"values\":[1,2,4]}{}".to_vec(),
        b"{\"timestamps\":[1,2,3],\"values\":[1,2,4]}\0".to_vec(),
        b"{'timestamps':[1,2,3],'values':[1,2,4]}".to_vec(),
        b"{timestamps:[1,2,3],values:[1,2,4]}".to_vec(),
        b"{\"timestamps\":[01,2,3],\"values\":[1,2,4]}".to_vec(),
        b"{\"timestamps\":[1,2,3],\"values\":[1,2,+4]}".to_vec(),
        b"{\"timestamps\":[1,2,3],\"values\":[1,2,.4]}".to_vec(),
        b"{\"timestamps\":[1,2,3],\"values\":[1,2,0x4]}".to_vec(),
        b"{\"timestamps\":[1,2,3],\"values\":[1,2,4],\"model\":\"\\ud800\"}".to_vec(),
        b"{\"timestamps\":[1,2,3],\"values\":[1,2,4],\"model\":\"\\udc00\\ud800\"}".to_vec(),
        b"{\"timestamps\":[1,2,3],\"values\":[1,2,4],\"model\":\"\xff\"}".to_vec(),
        b"{\"timestamps\":[1,2,3],\"values\":[1,2,4],\"model\":\"a\nb\"}".to_vec(),
        b"\xef\xbb\xbf{\"timestamps\":[1,2,3],\"values\":[1,2,4]}".to_vec(),
        b"\xff\xfe{\0}\0".to_vec(),
    ];
    let server = Server::start().await;
    for body in bodies {
        println!("{}", String::from_utf8_lossy(&body));
        let reply = server.post("/fit/a", body).await;
        let document = assert_problem(&reply, 422, "malformed_json");
        assert_eq!(document["errors"][0]["loc"][0], "body");
    }
    assert_eq!(server.series_trained().await, 0);
}

#[tokio::test]
async fn ten_thousand_brackets_do_not_exhaust_the_stack() {
    let server = Server::start().await;
    let deep = "[".repeat(10_000);
    let objects = r#"{"timestamps":"#.repeat(10_000);
    for body in [
        deep.clone(),
        objects,
        format!(r#"{{"timestamps":{deep}"#),
        format!(r#"{{"timestamps":[1,2,3],"values":[1,2,{deep}"#),
        format!(r#"{{"timestamps":[1,2,3],"values":[1,2,4],"model":{deep}"#),
        format!(
            r#"{{"timestamps":[1,2,3],"values":[1,2,4],"unknown":{deep}{}}}"#,
            "]".repeat(10_000)
        ),
    ] {
        for operation in ["fit", "predict"] {
            let reply = server.post(&format!("/{operation}/a"), body.clone()).await;
            let code = reply.json()["code"].as_str().expect("a code").to_owned();
            assert_problem(&reply, 422, &code);
        }
    }
    assert_eq!(server.series_trained().await, 0);
}
