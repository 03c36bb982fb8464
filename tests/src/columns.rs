//! Columns: what a single predict says of each point, bit for bit, and only what was asked for.

use serde_json::{Map, Value, json};

use crate::server::{Server, history, long_history, point};

/// Column of the reply and field of a single reply.
pub(crate) const FIELDS: [(&str, &str); 12] = [
    ("timestamps", "timestamp"),
    ("values", "value"),
    ("anomaly", "anomaly"),
    ("anomaly_score", "anomaly_score"),
    ("p_value", "p_value"),
    ("severity", "severity"),
    ("expected_value", "expected_value"),
    ("lower_bound", "lower_bound"),
    ("upper_bound", "upper_bound"),
    ("direction", "direction"),
    ("status", "status"),
    ("tail_extrapolated", "tail_extrapolated"),
];
/// What every reply to columns has besides.
const ALWAYS: [&str; 4] = ["model_version", "model_hash", "n_points", "n_anomalies"];

/// Points on both sides of the threshold, in no order of time, one of them twice.
fn points() -> (Vec<i64>, Vec<f64>) {
    let values: Vec<f64> = (-30..30).map(|k| 55.0 + 1.37 * f64::from(k)).collect();
    let mut timestamps: Vec<i64> = (0..60).map(|i| 1_700_000_000 + (i * 37) % 60).collect();
    timestamps[7] = timestamps[6];
    (timestamps, values)
}

fn columns(timestamps: &[i64], values: &[f64]) -> Value {
    json!({ "timestamps": timestamps, "values": values })
}

#[tokio::test]
async fn every_column_agrees_with_the_single_replies_bit_for_bit() {
    let server = Server::start().await;
    let (timestamps, values) = points();
    for (model, direction) in [("auto", "both"), ("gaussian", "above"), ("robust", "below")] {
        let mut fit = long_history(500);
        fit["model"] = json!(model);
        fit["direction"] = json!(direction);
        server.fit("a", &fit).await.ok();
        let batch = server
            .predict("a", &columns(&timestamps, &values))
            .await
            .ok();
        let mut n_anomalies = 0;
        for (i, (t, v)) in timestamps.iter().zip(&values).enumerate() {
            let single = server.predict("a", &point(*t, *v)).await.ok();
            for (column, field) in FIELDS {
                // Both were parsed by a parser that keeps every bit.
                assert_eq!(batch[column][i], single[field], "{column} of point {i}");
            }
            for name in ["model_version", "model_hash"] {
                assert_eq!(batch[name], single[name]);
            }
            n_anomalies += i32::from(single["anomaly"] == true);
        }
        assert!((1..60).contains(&n_anomalies), "both verdicts occur");
        assert_eq!(batch["n_anomalies"], n_anomalies);
        assert_eq!(batch["n_points"], 60);
    }
}

#[tokio::test]
async fn a_batch_too_large_for_a_connection_thread_answers_alike() {
    let server = Server::start().await;
    server.fit("a", &long_history(500)).await.ok();
    let (timestamps, values) = points();
    let small = server
        .predict("a", &columns(&timestamps, &values))
        .await
        .ok();
    let repeated = columns(&timestamps.repeat(60), &values.repeat(60));
    let large = server.predict("a", &repeated).await.ok();
    assert_eq!(large["n_points"], 3_600);
    for (column, _) in FIELDS {
        let small = small[column].as_array().expect("a column");
        let large = large[column].as_array().expect("a column");
        assert!(large.chunks(60).all(|part| part == small), "{column}");
    }
}

#[tokio::test]
async fn an_empty_batch_has_empty_columns() {
    let server = Server::start().await;
    server.fit("a", &history(&[1.0, 2.0, 4.0])).await.ok();
    let reply = server.predict("a", &columns(&[], &[])).await.ok();
    assert_eq!(
        (&reply["n_points"], &reply["n_anomalies"]),
        (&json!(0), &json!(0))
    );
    for (column, _) in FIELDS {
        assert_eq!(reply[column], json!([]), "{column}");
    }
}

#[tokio::test]
async fn fields_select_columns() {
    let server = Server::start().await;
    server.fit("a", &long_history(500)).await.ok();
    let (timestamps, values) = points();
    let body = columns(&timestamps, &values);
    let whole = server.predict("a", &body).await.ok();
    let every = FIELDS.map(|(column, _)| column).join(",");
    for list in [
        "anomaly",
        "values",
        "anomaly,timestamps",
        "p_value",
        "anomaly_score,severity",
        "lower_bound,upper_bound,expected_value",
        "status,direction",
        "status, anomaly",
        "tail_extrapolated",
        &every,
    ] {
        let query = format!("a?fields={}", list.replace(' ', "%20"));
        let reply = server.predict(&query, &body).await.ok();
        let mut wanted: Map<String, Value> = Map::new();
        for name in list.split(',').map(str::trim).chain(ALWAYS) {
            wanted.insert(name.to_owned(), whole[name].clone());
        }
        assert_eq!(reply, Value::Object(wanted), "{list}");
    }
}

#[tokio::test]
async fn fields_and_version_go_together() {
    let server = Server::start().await;
    server.fit("a", &history(&[1.0, 2.0, 4.0])).await.ok();
    server.fit("a", &history(&[100.0, 200.0, 400.0])).await.ok();
    let body = columns(&[1], &[2.0]);
    let first = server
        .predict("a?version=1&fields=expected_value", &body)
        .await
        .ok();
    assert_eq!(first["model_version"], "1");
    let latest = server.predict("a?fields=expected_value", &body).await.ok();
    assert_eq!(latest["model_version"], "2");
    assert_ne!(first["expected_value"], latest["expected_value"]);
}

#[tokio::test]
async fn times_in_columns_take_every_form() {
    let server = Server::start().await;
    server.fit("a", &history(&[1.0, 2.0, 4.0])).await.ok();
    let body = json!({
        "timestamps": ["1769846400", 1_769_846_400, "2026-01-31T08:00:00Z"],
        "values": [1, 1.0, 1e0],
    });
    let reply = server.predict("a", &body).await.ok();
    assert_eq!(
        reply["timestamps"],
        json!([1_769_846_400, 1_769_846_400, 1_769_846_400])
    );
    assert_eq!(reply["values"], json!([1.0, 1.0, 1.0]));
}
