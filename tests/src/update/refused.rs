//! What an update, a freeze and the state's calibration refuse, by name.

use serde_json::{Value, json};

use super::{columns, points};
use crate::histories::daily;
use crate::problem::{assert_problem, assert_problem_at};
use crate::server::{Server, point};

#[tokio::test]
async fn a_state_is_started_once() {
    let server = Server::start().await;
    server.fit("a", &daily(10)).await.ok();
    let next = point(1_800_000_000, 50.0);
    server.update("a?from=1", &next).await.ok();
    server.fit("a", &daily(20)).await.ok();
    for query in [
        "from=2",
        "from=0",
        "from=1&timezone=UTC",
        "alarm_rate=0.001",
        "timezone=UTC",
        "time_unit=s",
        "seasonality=auto",
    ] {
        let name = query.split('=').next().expect("a name");
        let again = server.update(&format!("a?{query}"), &next).await;
        assert_problem_at(&again, 409, "online_state_exists", &json!(["query", name]));
    }
    let seq = server.update("a", &point(1_800_000_060, 50.0)).await.ok();
    assert_eq!(seq["state_seq"], 2, "the refused ones were not learnt");
}

/// An answer may be lost, that of the first update, too.
#[tokio::test]
async fn what_started_a_state_may_be_sent_again() {
    let server = Server::start().await;
    server.fit("fitted", &daily(10)).await.ok();
    let whole = "alarm_rate=0.05&timezone=Europe/Rome&time_unit=ms&seasonality=1001000,5005000";
    for (series, first, again) in [
        ("fitted", "from=1", "from=0"),
        (
            "new",
            whole,
            "time_unit=ms&seasonality=1001000,5005000&timezone=Europe/Rome&alarm_rate=0.05",
        ),
        ("plain", "alarm_rate=0.001", "seasonality=auto"),
    ] {
        let next = point(1_800_000_000, 50.0);
        let started = server
            .update(&format!("{series}?{first}"), &next)
            .await
            .ok();
        assert_eq!(started["learnt"], true);
        for query in [first, again] {
            let late = server
                .update(&format!("{series}?{query}"), &next)
                .await
                .ok();
            assert_eq!(
                (&late["learnt"], &late["state_seq"]),
                (&json!(false), &json!(1))
            );
            assert_eq!(late["model_hash"], started["model_hash"]);
        }
        let later = point(1_800_000_000 + 60_000, 50.0);
        let second = server
            .update(&format!("{series}?{first}"), &later)
            .await
            .ok();
        assert_eq!(second["state_seq"], 2);
    }
    for other in [
        whole.replace("0.05", "0.06"),
        whole.replace("Rome", "Lisbon"),
        whole.replace("=ms", "=s"),
        whole.replace("1001000,", ""),
        whole.replace("timezone=Europe/Rome&", ""),
    ] {
        let again = server
            .update(&format!("new?{other}"), &point(1_900_000_000, 1.0))
            .await;
        let at = json!(["query", "alarm_rate"]);
        assert_problem_at(&again, 409, "online_state_exists", &at);
    }
    // A version that came later does not make it another start.
    server.freeze("new").await;
    server
        .update(&format!("new?{whole}"), &point(1_900_000_000, 1.0))
        .await
        .ok();
    let from = server
        .update("new?from=1", &point(1_900_000_001, 1.0))
        .await;
    assert_problem_at(&from, 409, "online_state_exists", &json!(["query", "from"]));
}

#[tokio::test]
async fn a_start_that_cannot_be_is_refused_by_name() {
    let server = Server::start().await;
    server.fit("fitted", &daily(10)).await.ok();
    let cases = [
        ("new?from=1", 404, "unknown_series", None),
        ("fitted?from=2", 404, "unknown_version", None),
        ("new?from=latest", 422, "invalid_version", Some("from")),
        ("new?alarm_rate=x", 422, "invalid_query", Some("alarm_rate")),
        (
            "new?alarm_rate=0.9",
            422,
            "parameter_out_of_range",
            Some("alarm_rate"),
        ),
        (
            "new?timezone=Mars/X",
            422,
            "parameter_out_of_range",
            Some("timezone"),
        ),
        (
            "new?time_unit=h",
            422,
            "parameter_out_of_range",
            Some("time_unit"),
        ),
        (
            "new?seasonality=x",
            422,
            "invalid_query",
            Some("seasonality"),
        ),
        (
            "fitted?alarm_rate=0.1",
            422,
            "parameter_conflict",
            Some("alarm_rate"),
        ),
        (
            "fitted?from=1&timezone=UTC",
            422,
            "parameter_conflict",
            Some("timezone"),
        ),
        ("new?version=1", 422, "invalid_query", Some("version")),
        ("new?explain=true", 422, "invalid_query", Some("explain")),
        ("new?from=1&from=2", 422, "invalid_query", Some("from")),
    ];
    for (target, status, code, name) in cases {
        let reply = server.update(target, &point(1_800_000_000, 1.0)).await;
        match name {
            None => {
                assert_problem(&reply, status, code);
            }
            Some(name) => assert_problem_at(&reply, status, code, &json!(["query", name])),
        }
    }
    let negative = server.update("new?seasonality=60,-5", &point(1, 1.0)).await;
    let at = json!(["query", "seasonality", 1]);
    assert_problem_at(&negative, 422, "parameter_out_of_range", &at);
    for series in ["new", "fitted"] {
        let target = format!("/series/{series}/calibration?state=online");
        assert_problem(&server.get(&target).await, 404, "no_online_state");
    }
}

#[tokio::test]
async fn a_body_is_refused_as_a_predict_refuses_it() {
    let server = Server::start().await;
    server.update_one("a", (1, 1.0)).await;
    let cases: [(&str, &str, Value); 9] = [
        ("{}", "missing_field", json!(["body", "timestamp"])),
        (
            r#"{"timestamp":2}"#,
            "missing_field",
            json!(["body", "value"]),
        ),
        (
            r#"{"timestamp":-2,"value":1}"#,
            "timestamp_invalid",
            json!(["body", "timestamp"]),
        ),
        (
            r#"{"timestamp":2,"value":1e999}"#,
            "value_not_finite",
            json!(["body", "value"]),
        ),
        (
            r#"{"timestamp":2,"value":1,"x":1}"#,
            "unknown_field",
            json!(["body", "x"]),
        ),
        (
            r#"{"timestamps":[2,3],"values":[1]}"#,
            "lengths_differ",
            json!(["body", "timestamps", 1]),
        ),
        (
            r#"{"timestamps":[2,3],"values":[1,null]}"#,
            "value_not_a_number",
            json!(["body", "values", 1]),
        ),
        (
            r#"{"timestamps":[],"values":[]}"#,
            "too_few_points",
            json!(["body", "timestamps"]),
        ),
        (
            r#"{"timestamps":[2],"value":1}"#,
            "conflicting_fields",
            json!(["body", "value"]),
        ),
    ];
    for (body, code, loc) in cases {
        let reply = server.post("/update/a", body).await;
        assert_problem_at(&reply, 422, code, &loc);
    }
    let fields = server.update("a?fields=p_value", &point(2, 1.0)).await;
    assert_problem_at(&fields, 422, "invalid_query", &json!(["query", "fields"]));
    let id = server.update("a%20b", &point(2, 1.0)).await;
    assert_problem_at(&id, 422, "invalid_series_id", &json!(["path", "series_id"]));
    let next = server.update_one("a", (2, 1.0)).await;
    assert_eq!(
        next["state_seq"], 2,
        "nothing of what was refused was learnt"
    );
}

#[tokio::test]
async fn a_version_is_frozen_of_a_state_alone() {
    let server = Server::start().await;
    let freeze = async |series: &str, body: &'static str| {
        server
            .post(&format!("/series/{series}/versions"), body)
            .await
    };
    let online = r#"{"from":"online"}"#;
    assert_problem(&freeze("a", online).await, 404, "no_online_state");
    server.fit("a", &daily(10)).await.ok();
    assert_problem(&freeze("a", online).await, 404, "no_online_state");
    server.update("b", &columns(&points(3))).await.ok();
    let missing = freeze("b", "{}").await;
    assert_problem_at(&missing, 422, "missing_field", &json!(["body", "from"]));
    let other = freeze("b", r#"{"from":"elsewhere"}"#).await;
    assert_problem_at(
        &other,
        422,
        "parameter_out_of_range",
        &json!(["body", "from"]),
    );
    let unknown = freeze("b", r#"{"from":"online","name":"x"}"#).await;
    assert_problem_at(&unknown, 422, "unknown_field", &json!(["body", "name"]));
    let query = server.post("/series/b/versions?x=1", online).await;
    assert_problem_at(&query, 422, "invalid_query", &json!(["query", "x"]));
    assert_problem(&freeze("a%2Fb", online).await, 422, "invalid_series_id");
    assert_eq!(server.freeze("b").await["version"], "1");
}

#[tokio::test]
async fn other_methods_and_states_are_refused() {
    let server = Server::start().await;
    for (method, target, allowed) in [
        ("GET", "/update/a", "POST"),
        ("PUT", "/series/a/versions", "GET, HEAD, POST"),
    ] {
        let reply = server.send(method, target, &[], "").await;
        assert_problem(&reply, 405, "method_not_allowed");
        assert_eq!(reply.header("allow"), Some(allowed));
    }
    server.update_one("a", (1, 1.0)).await;
    let state = server.get("/series/a/calibration?state=offline").await;
    assert_problem_at(&state, 422, "invalid_query", &json!(["query", "state"]));
    let both = server
        .get("/series/a/calibration?state=online&version=1")
        .await;
    assert_problem_at(&both, 422, "invalid_query", &json!(["query", "version"]));
}
