//! A memory budget far too small: models leave memory and come back from the store unchanged.

use serde_json::{Value, json};

use crate::server::{Server, history, long_history, point};

const SERIES: usize = 40;
const VERSIONS: usize = 3;

/// The replies that tell every model from every other one.
async fn replies(server: &Server) -> Vec<Vec<u8>> {
    let mut bodies = Vec::new();
    for k in 0..SERIES {
        for version in 1..=VERSIONS {
            let target = format!("s-{k}?version={version}");
            let one = server.predict(&target, &point(77, 12.5)).await;
            let columns = json!({"timestamps":[1, 2], "values":[-3.5, 1e6]});
            let two = server.predict(&target, &columns).await;
            for reply in [one, two] {
                assert_eq!(reply.ok()["model_version"], version.to_string());
                bodies.push(reply.body);
            }
        }
        let latest = server.predict(&format!("s-{k}"), &point(77, 12.5)).await;
        assert_eq!(latest.ok()["model_version"], VERSIONS.to_string());
        bodies.push(latest.body);
    }
    bodies
}

fn body(k: usize, version: usize) -> Value {
    let level = (k * VERSIONS + version) as f64;
    let mut body = if k.is_multiple_of(2) {
        history(&[level, level + 1.0, level + 5.0])
    } else {
        long_history(100)
    };
    body["values"][0] = json!(level);
    body["model"] = json!(["gaussian", "robust", "auto"][k % 3]);
    body
}

async fn fit_all(server: &Server) {
    for version in 1..=VERSIONS {
        for k in 0..SERIES {
            let fit = server.fit(&format!("s-{k}"), &body(k, version)).await.ok();
            assert_eq!(fit["version"], version.to_string());
        }
    }
}

async fn hit_ratio(server: &Server) -> f64 {
    let ready = server.get("/health/ready").await.ok();
    ready["cache_hit_ratio"].as_f64().expect("a share")
}

#[tokio::test]
async fn evicted_models_answer_with_the_same_bytes() {
    let roomy = Server::start().await;
    fit_all(&roomy).await;
    let expected = replies(&roomy).await;
    assert_eq!(
        replies(&roomy).await,
        expected,
        "a roomy server repeats itself"
    );
    for budget in ["1KiB", "0"] {
        let tight = Server::with(&["--model-cache", budget]).await;
        fit_all(&tight).await;
        assert_eq!(replies(&tight).await, expected);
        assert_eq!(replies(&tight).await, expected);
        let (roomy, tight) = (hit_ratio(&roomy).await, hit_ratio(&tight).await);
        assert!(
            tight < 0.7 && tight < roomy,
            "models were evicted: {tight} against {roomy}"
        );
    }
}

#[tokio::test]
async fn an_old_version_is_still_the_old_model() {
    let server = Server::with(&["--model-cache", "1KiB"]).await;
    server.fit("a", &history(&[1.0, 2.0, 3.0])).await.ok();
    let first = server.predict("a?version=1", &point(5, 2.5)).await;
    for k in 2..=6 {
        let level = 100.0 * f64::from(k);
        server
            .fit("a", &history(&[level, level + 1.0, level + 2.0]))
            .await
            .ok();
    }
    let again = server.predict("a?version=1", &point(5, 2.5)).await;
    assert_eq!(again.body, first.body);
    assert_eq!(again.ok()["expected_value"], 2.0);
    let latest = server.predict("a", &point(5, 2.5)).await.ok();
    assert_eq!(latest["expected_value"], 601.0);
}
