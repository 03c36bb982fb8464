//! How an online state begins.

use serde_json::{Value, json};

use super::{columns, points};
use crate::histories::{HOUR, daily, end, with};
use crate::server::{Server, point};

#[tokio::test]
async fn a_state_starts_from_the_version_asked_for_with_its_parameters() {
    let server = Server::start().await;
    let history = with(daily(30), &json!({ "alarm_rate": 0.02 }));
    let fit = server.fit("a", &history).await.ok();
    assert_eq!(fit["periods"], json!([86_400]));
    server.fit("a", &with(daily(20), &json!({}))).await.ok();
    let next = point(end(&history) + HOUR, 50.0);
    let first = server.update("a?from=v1", &next).await.ok();
    assert_eq!(first["model_version"], "1");
    assert_eq!(first["model_hash"], fit["model_hash"]);
    assert_eq!(first["status"], "ok", "it has learnt the history: {first}");
    assert_eq!(
        (&first["state_seq"], &first["learnt"]),
        (&json!(1), &json!(true))
    );
    let calibration = server.get("/series/a/calibration?state=online").await.ok();
    assert_eq!(calibration["alarm_rate"], 0.02);
    let far = point(end(&history) + 2 * HOUR, 5_000.0);
    let far = server.update("a", &far).await.ok();
    assert_eq!(
        (&far["anomaly"], &far["alert"]),
        (&json!(true), &json!(true))
    );
}

#[tokio::test]
async fn without_a_word_a_state_starts_from_the_latest_version() {
    let server = Server::start().await;
    server.fit("a", &daily(10)).await.ok();
    let latest = server.fit("a", &daily(20)).await.ok();
    for (series, target) in [("a", "a"), ("b", "b?from=0")] {
        if series == "b" {
            server.fit("b", &daily(10)).await.ok();
            server.fit("b", &daily(20)).await.ok();
        }
        let next = point(end(&daily(20)) + HOUR, 50.0);
        let first = server.update(target, &next).await.ok();
        assert_eq!(first["model_version"], "2");
        assert_eq!(first["model_hash"], latest["model_hash"]);
    }
}

#[tokio::test]
async fn a_state_goes_on_where_a_fit_of_tail_views_was() {
    let server = Server::start().await;
    let history = with(daily(30), &json!({ "model": "tail_views" }));
    server.fit("a", &history).await.ok();
    let next = point(end(&history) + HOUR, 71.5);
    let predicted = server.predict("a", &next).await.ok();
    let updated = server.update("a?from=1", &next).await.ok();
    for (name, value) in predicted.as_object().expect("an object") {
        assert_eq!(&updated[name], value, "{name}");
    }
}

#[tokio::test]
async fn parameters_are_taken_at_the_start_alone() {
    let server = Server::start().await;
    let query = "alarm_rate=0.05&timezone=Europe/Rome&time_unit=ms&seasonality=auto";
    let first = server
        .update(
            &format!("a?{query}"),
            &json!({"timestamp": "2026-01-31T08:00:00Z", "value": 1}),
        )
        .await
        .ok();
    assert_eq!(first["timestamp"], 1_769_846_400_000_i64, "in milliseconds");
    let rfc_3339 = json!({"timestamp": "2026-01-31T08:01:00Z", "value": 2});
    let second = server.update("a", &rfc_3339).await.ok();
    assert_eq!(second["timestamp"], 1_769_846_460_000_i64);
    server
        .update(
            "a",
            &json!({"timestamp": "2026-01-31T08:02:00Z", "value": 1.5}),
        )
        .await
        .ok();
    let frozen = server.freeze("a").await;
    assert_eq!(frozen["alarm_rate"], 0.05);
    assert_eq!(frozen["time_unit"], "ms");
    let calibration = server.get("/series/a/calibration?state=online").await.ok();
    assert_eq!(calibration["alarm_rate"], 0.05);
}

#[tokio::test]
async fn periods_that_are_named_are_those_of_the_state() {
    let server = Server::start().await;
    let periods = |frozen: &Value| frozen["periods"].clone();
    for (query, expected) in [
        ("seasonality=1001,5005", json!([1_001, 5_005])),
        ("", json!([86_400, 604_800])),
    ] {
        let series = format!("of-{}", query.len());
        let target = format!("{series}?{query}");
        server.update(&target, &columns(&points(10))).await.ok();
        assert_eq!(periods(&server.freeze(&series).await), expected, "{query}");
    }
}
