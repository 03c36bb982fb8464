//! What the server tells of its work is what it did, and no longer for the ids it did it for.

use std::collections::BTreeSet;

use super::exposition::Exposition;
use super::scrape;
use crate::server::{Server, history, point};

#[tokio::test]
async fn work_is_counted_where_it_is_done() {
    let server = Server::start().await;
    let fit = history(&[10.0, 10.2, 10.1, 9.9, 10.3, 10.15, 9.95, 10.25]);
    for series in ["a", "b"] {
        server.fit(series, &fit).await.ok();
    }
    server.predict("a", &point(9, 10.0)).await.ok();
    server.predict("a", &point(10, 99.0)).await.ok();
    let columns = serde_json::json!({ "timestamps": [11, 12, 13], "values": [10.0, 99.0, -99.0] });
    server.predict("b?fields=anomaly", &columns).await.ok();
    assert_eq!(server.predict("nobody", &point(1, 1.0)).await.status, 404);
    let told = scrape(&server).await;
    for (name, value) in [
        ("tidemark_points_scored_total", 5.0),
        ("tidemark_alarms_total", 3.0),
        ("tidemark_fit_seconds_count", 2.0),
        ("tidemark_score_seconds_count", 3.0),
        ("tidemark_store_commits_total", 2.0),
        ("tidemark_store_commit_records_sum", 2.0),
        ("tidemark_store_commit_seconds_count", 2.0),
        ("tidemark_store_failures_total", 0.0),
        ("tidemark_series", 2.0),
        ("tidemark_models_in_memory", 2.0),
        ("tidemark_model_cache_hits_total", 3.0),
        ("tidemark_model_cache_misses_total", 1.0),
        ("tidemark_ready", 1.0),
        ("tidemark_refusals_total", 0.0),
    ] {
        assert_eq!(told.sum(name, &[]), value, "{name}");
    }
    for name in [
        "tidemark_build_info",
        "tidemark_memory_budget_bytes",
        "tidemark_model_cache_bytes",
        "tidemark_http_connections",
    ] {
        assert!(told.sum(name, &[]) > 0.0, "{name}");
    }
    if cfg!(target_os = "linux") {
        let open = told.sum("process_open_fds", &[]);
        assert!(open > 3.0 && open < told.sum("process_max_fds", &[]));
        assert!(told.sum("process_resident_memory_bytes", &[]) > 1e6);
        let started = told.sum("process_start_time_seconds", &[]);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let age = now.unwrap().as_secs_f64() - started;
        assert!((-2.0..86_400.0).contains(&age), "{age}");
    }
}

/// Samples that are in one of the two only, and ids that are in a name or a label.
fn grown(before: &Exposition, after: &Exposition, ids: &[String]) -> Vec<String> {
    let names = |of: &Exposition| of.samples.keys().cloned().collect::<BTreeSet<String>>();
    let mut found: Vec<String> = names(before)
        .symmetric_difference(&names(after))
        .cloned()
        .collect();
    let told = |id: &&String| after.samples.keys().any(|sample| sample.contains(*id));
    found.extend(ids.iter().filter(told).cloned());
    found
}

#[tokio::test]
async fn no_series_is_in_the_metrics_and_their_number_does_not_grow() {
    const SERIES: usize = 1_000;
    let server = Server::start().await;
    let ids: Vec<String> = (0..SERIES).map(|i| format!("odd:{i}@-id.{i}_")).collect();
    let fit = history(&[1.0, 2.0, 4.0]);
    let one_each = async |id: &str| {
        server.fit(id, &fit).await.ok();
        server.predict(id, &point(4, 1.0)).await.ok();
        let update = point(4, 1.0).to_string();
        server.post(&format!("/update/{id}"), update).await.ok();
        let calibration = format!("/series/{id}/calibration");
        assert_eq!(server.get(&calibration).await.status, 200);
        let nowhere = format!("/nowhere/{id}");
        assert_eq!(server.get(&nowhere).await.status, 404);
        let odd = format!("M{}", id.len() % 7);
        assert_eq!(server.send(&odd, &nowhere, &[], "").await.status, 404);
    };
    one_each("first").await;
    scrape(&server).await;
    let before = scrape(&server).await;
    for id in &ids {
        one_each(id).await;
    }
    let mut after = scrape(&server).await;
    assert_eq!(after.sum("tidemark_series", &[]), SERIES as f64 + 1.0);
    assert_eq!(grown(&before, &after, &ids), Vec::<String>::new());
    // The control: a metric by series.
    let seeded = format!("tidemark_points_scored_total{{series=\"{}\"}}", ids[7]);
    after.samples.insert(seeded, 1.0);
    assert_eq!(grown(&before, &after, &ids).len(), 2);
}
