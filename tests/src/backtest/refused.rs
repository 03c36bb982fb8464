//! What a backtest is refused for, each by its field.

use super::*;

#[tokio::test]
async fn what_cannot_be_is_refused_by_field_and_reason() {
    let server = Server::start().await;
    server.fit("s", &spiked(100, &[])).await.ok();
    let history = spiked(100, &[]);
    let with = |field: &str, value: Value| {
        let mut body = history.clone();
        body[field] = value;
        body
    };
    let many: Vec<Value> = (0..9).map(|_| json!({})).collect();
    for (body, status, code, place) in [
        (
            with("values", json!([1.0])),
            422,
            "lengths_differ",
            "timestamps",
        ),
        (
            json!({ "timestamps": [1, 2] }),
            422,
            "missing_field",
            "values",
        ),
        (
            with("history_of", json!("1")),
            422,
            "conflicting_fields",
            "history_of",
        ),
        (json!({ "history_of": "7" }), 404, "unknown_version", ""),
        (with("versions", json!(["7"])), 404, "unknown_version", ""),
        (
            with("versions", json!(["nobody"])),
            404,
            "unknown_alias",
            "",
        ),
        (
            with("versions", json!(["No body"])),
            422,
            "invalid_alias",
            "versions",
        ),
        (
            with("candidates", json!([{ "model": "nothing" }])),
            422,
            "unknown_model",
            "candidates",
        ),
        (
            with("candidates", json!([{ "alarm_rate": 2.0 }])),
            422,
            "parameter_out_of_range",
            "alarm_rate",
        ),
        (
            with("candidates", json!([{ "name": "a" }, { "name": "a" }])),
            422,
            "parameter_conflict",
            "name",
        ),
        (
            with("candidates", json!([{ "online": true, "model": "pca" }])),
            422,
            "parameter_conflict",
            "model",
        ),
        (
            with("candidates", json!(many)),
            422,
            "parameter_out_of_range",
            "candidates",
        ),
        (
            with("candidates", json!([])),
            422,
            "parameter_out_of_range",
            "candidates",
        ),
        (
            with("train_share", json!(1.0)),
            422,
            "parameter_out_of_range",
            "train_share",
        ),
        (
            with("train_points", json!(100)),
            422,
            "parameter_out_of_range",
            "train_points",
        ),
        (
            with("refit_every", json!(0)),
            422,
            "parameter_out_of_range",
            "refit_every",
        ),
        (
            with("refit_window", json!(5)),
            422,
            "parameter_conflict",
            "refit_window",
        ),
        (
            with("labels", json!([{ "from": 1 }])),
            422,
            "conflicting_fields",
            "labels",
        ),
        (
            with("labels", json!([{ "from": 2, "to": 1 }])),
            422,
            "parameter_out_of_range",
            "labels",
        ),
        (
            with("set_alias", json!({ "alias": "latest" })),
            422,
            "invalid_alias",
            "set_alias",
        ),
        (
            with("set_alias", json!({ "alias": "a", "if": "lucky" })),
            422,
            "parameter_out_of_range",
            "if",
        ),
        (
            with("set_alias", json!({ "alias": "a", "if": "event_f1" })),
            422,
            "parameter_conflict",
            "if",
        ),
        (
            json!({ "time_unit": "ms" }),
            422,
            "parameter_conflict",
            "time_unit",
        ),
        (
            json!({ "timestamps": [1, 2, 3], "values": [1.0, 2.0, 3.0] }),
            422,
            "too_few_points",
            "",
        ),
        (with("more", json!(1)), 422, "unknown_field", "more"),
    ] {
        let reply = server.post("/backtest/s", body.to_string()).await;
        let problem = reply.json();
        let told = problem["errors"].to_string();
        assert_eq!(
            (reply.status, problem["code"].as_str()),
            (status, Some(code)),
            "{problem}"
        );
        assert!(told.contains(place), "{place} in {told}");
    }
    for (target, status, code) in [
        ("/backtests?limit=0", 422, "invalid_query"),
        ("/backtests?limit=101", 422, "invalid_query"),
        ("/backtests?cursor=x", 422, "invalid_query"),
        ("/backtests?series_id=a%2fb", 422, "invalid_series_id"),
        ("/backtests/x", 404, "unknown_backtest"),
        ("/backtests/x/report", 404, "unknown_backtest"),
    ] {
        let reply = server.get(target).await;
        assert_eq!(
            (reply.status, reply.json()["code"].as_str()),
            (status, Some(code)),
            "{target}"
        );
    }
    assert_eq!(
        server.get("/backtests").await.ok()["backtests"],
        json!([]),
        "nothing came of any"
    );
    // A candidate that cannot be fitted is told, and the job has failed only if none can.
    let mut flat = history.clone();
    flat["values"] = json!(vec![1.0; 100]);
    let job = run(&server, "s", &flat).await;
    assert_eq!(job["status"], "failed");
    assert!(job["error"].as_str().unwrap().contains("equal"), "{job}");
}
