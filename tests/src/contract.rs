//! The base contract: each operation's request and reply, names and types to the letter.

use serde_json::{Value, json};

use crate::problem::assert_problem;
use crate::server::{Server, history, point};

const HISTORY: [f64; 6] = [10.0, 10.2, 10.1, 9.9, 10.3, 10.15];

#[tokio::test]
async fn a_fit_answers_with_id_version_and_points() {
    let server = Server::start().await;
    for version in ["1", "2", "3"] {
        let reply = server.fit("sensor_XYZ", &history(&HISTORY)).await;
        assert_eq!(reply.header("content-type"), Some("application/json"));
        let fit = reply.ok();
        assert_eq!(fit["series_id"], "sensor_XYZ");
        assert_eq!(fit["version"], version, "a bare number in a string");
        assert_eq!(fit["points_used"], 6);
    }
}

#[tokio::test]
async fn a_fit_adds_what_part_two_lists() {
    let server = Server::start().await;
    let fit = server.fit("a", &history(&HISTORY)).await.ok();
    assert_eq!(fit["model"], "gaussian");
    assert_eq!(fit["alarm_rate"], 0.001);
    assert_eq!(fit["direction"], "both");
    assert_eq!(fit["periods"], json!([]));
    assert_eq!(fit["calibration"]["n"], 6);
    assert!(fit["calibration"]["method"].is_string());
    assert!(fit["calibration"]["min_attainable_alarm_rate"].is_number());
    assert_eq!(fit["trained_from"], 1);
    assert_eq!(fit["trained_to"], 6);
    assert!(fit["duration_ms"].as_f64().is_some_and(|ms| ms > 0.0));
    assert!(fit["warnings"].is_array());
    let hash = fit["model_hash"].as_str().expect("a hash");
    assert!(!hash.is_empty() && hash.bytes().all(|b| b.is_ascii_hexdigit()));
    let again = server.fit("b", &history(&HISTORY)).await.ok();
    assert_eq!(again["model_hash"], hash, "equal data give an equal hash");
}

#[tokio::test]
async fn a_predict_answers_with_a_verdict_and_the_version_that_gave_it() {
    let server = Server::start().await;
    server.fit("a", &history(&HISTORY)).await.ok();
    let reply = server.predict("a", &point(1_769_846_400, 10.1)).await;
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let normal = reply.ok();
    assert_eq!(normal["anomaly"], false);
    assert_eq!(normal["model_version"], "1");
    let far = server.predict("a", &point(1_769_846_400, 99.0)).await.ok();
    assert_eq!(far["anomaly"], true);
    assert_eq!(far["direction"], "above");
}

#[tokio::test]
async fn a_predict_adds_what_part_two_lists() {
    let server = Server::start().await;
    let hash = server.fit("a", &history(&HISTORY)).await.ok()["model_hash"].clone();
    let reply = server.predict("a", &point(1_769_846_400, 10.1)).await.ok();
    assert_eq!(reply["timestamp"], 1_769_846_400);
    assert_eq!(reply["value"], 10.1);
    assert_eq!(reply["model_hash"], hash);
    for name in [
        "anomaly_score",
        "p_value",
        "severity",
        "expected_value",
        "lower_bound",
        "upper_bound",
    ] {
        assert!(reply[name].is_f64(), "{name}: {}", reply[name]);
    }
    for name in ["direction", "status"] {
        assert!(reply[name].is_string(), "{name}");
    }
}

#[tokio::test]
async fn a_timestamp_is_digits_an_integer_or_rfc_3339() {
    let server = Server::start().await;
    server.fit("a", &history(&HISTORY)).await.ok();
    let forms = [
        json!("1769846400"),
        json!(1_769_846_400),
        json!("2026-01-31T08:00:00Z"),
        json!("2026-01-31T09:00:00+01:00"),
    ];
    let mut replies = Vec::new();
    for timestamp in forms {
        let body = json!({ "timestamp": timestamp, "value": 10.2 });
        let reply = server.predict("a", &body).await;
        reply.ok();
        replies.push(reply.body);
    }
    assert!(replies.iter().all(|body| *body == replies[0]));
}

#[tokio::test]
async fn the_healthcheck_counts_series_and_not_versions() {
    let server = Server::start().await;
    let empty = server.get("/healthcheck").await.ok();
    assert_eq!(empty["series_trained"], 0);
    assert_latencies(&empty);
    for series in ["a", "b", "a", "a", "c", "b"] {
        server.fit(series, &history(&HISTORY)).await.ok();
    }
    server.predict("a", &point(1, 1.0)).await.ok();
    let health = server.get("/healthcheck").await.ok();
    assert_eq!(health["series_trained"], 3);
    assert_latencies(&health);
    for kind in ["inference_latency_ms", "training_latency_ms"] {
        let avg = health[kind]["avg"].as_f64().expect("a number");
        assert!(avg > 0.0, "{kind} was measured");
    }
}

fn assert_latencies(health: &Value) {
    for kind in ["inference_latency_ms", "training_latency_ms"] {
        for statistic in ["avg", "p95"] {
            let ms = health[kind][statistic].as_f64();
            assert!(ms.is_some_and(|ms| ms >= 0.0), "{health}");
        }
    }
    assert_eq!(health.as_object().expect("an object").len(), 3);
}

#[tokio::test]
async fn refused_requests_do_not_count_in_the_latencies() {
    let server = Server::start().await;
    server.fit("a", &json!({})).await;
    server.predict("a", &json!({})).await;
    server.predict("nobody", &point(1, 1.0)).await;
    let health = server.get("/healthcheck").await.ok();
    assert_eq!(health["training_latency_ms"], json!({"avg":0.0,"p95":0.0}));
    assert_eq!(health["inference_latency_ms"], json!({"avg":0.0,"p95":0.0}));
}

#[tokio::test]
async fn probes_answer() {
    let server = Server::start().await;
    for (path, status) in [
        ("/health/live", "live"),
        ("/health/ready", "ready"),
        ("/health", "ready"),
        ("/health/startup", "started"),
    ] {
        assert_eq!(server.get(path).await.ok()["status"], status, "{path}");
    }
    let ready = server.get("/health/ready").await.ok();
    for measure in ["pool_utilization", "cache_hit_ratio"] {
        let share = ready[measure].as_f64().expect(measure);
        assert!((0.0..=1.0).contains(&share), "{measure} {share}");
    }
}

#[tokio::test]
async fn nothing_is_known_before_it_is_fitted() {
    let server = Server::start().await;
    let predict = server.predict("a", &point(1, 1.0)).await;
    assert_problem(&predict, 404, "unknown_series");
    let version = server.predict("a?version=1", &point(1, 1.0)).await;
    assert_problem(&version, 404, "unknown_series");
    let plot = server.get("/plot?series_id=a").await;
    assert_problem(&plot, 404, "unknown_series");
}
