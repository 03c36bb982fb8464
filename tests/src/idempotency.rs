//! `Idempotency-Key`: a fit sent again is answered as it was, and makes no second version.

use serde_json::{Value, json};

use crate::problem::assert_problem_at;
use crate::reply::Reply;
use crate::server::{Server, history, long_history, point};

async fn fit_as(server: &Server, series: &str, key: &str, body: &Value) -> Reply {
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", key),
    ];
    let target = format!("/fit/{series}");
    server
        .send("POST", &target, &headers, body.to_string())
        .await
}

fn is_replay(reply: &Reply) -> bool {
    reply.header("idempotency-replayed") == Some("true")
}

async fn latest(server: &Server, series: &str) -> String {
    let reply = server.predict(series, &point(9, 10.0)).await.ok();
    reply["model_version"].as_str().expect("text").to_owned()
}

#[tokio::test]
async fn the_same_key_and_body_get_the_same_bytes_and_no_second_version() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Server::at(folder.path(), &[]).await;
    let mut answers = Vec::new();
    for (series, body) in [
        ("short", history(&[1.0, 2.0, 4.0])),
        ("long", long_history(3_000)),
    ] {
        let first = fit_as(&server, series, "key-1", &body).await;
        assert_eq!(first.ok()["version"], "1");
        assert!(!is_replay(&first));
        let again = fit_as(&server, series, "\"key-1\"", &body).await;
        again.ok();
        assert!(is_replay(&again), "{:?}", again.headers);
        assert_eq!(again.body, first.body);
        answers.push((series, body, first.body));
    }
    server.stop().await;
    let server = Server::at(folder.path(), &[]).await;
    for (series, body, first) in &answers {
        let again = fit_as(&server, series, "key-1", body).await;
        assert!(is_replay(&again), "after a restart");
        assert_eq!(&again.body, first);
        assert_eq!(latest(&server, series).await, "1");
        // Another key is another request.
        assert_eq!(
            fit_as(&server, series, "key-2", body).await.ok()["version"],
            "2"
        );
        // The answer stays that of its time.
        let again = fit_as(&server, series, "key-1", body).await;
        assert_eq!(&again.body, first);
        assert_eq!(latest(&server, series).await, "2");
    }
}

/// The control: without the key, the same request makes a version each time it is sent.
#[tokio::test]
async fn without_a_key_a_fit_sent_again_is_a_second_version() {
    let server = Server::start().await;
    let body = history(&[1.0, 2.0, 4.0]);
    for version in 1..=3 {
        let fit = server.fit("a", &body).await.ok();
        assert_eq!(fit["version"], version.to_string());
    }
}

/// Fits of one key by several callers, in turn: the version of each, and whether it is a replay.
async fn fits_of(server: &Server, tenants: &[Option<&str>]) -> Vec<(Value, bool)> {
    let body = history(&[1.0, 2.0, 4.0]).to_string();
    let mut fits = Vec::new();
    for tenant in tenants {
        let mut headers = vec![
            ("content-type", "application/json"),
            ("idempotency-key", "k"),
        ];
        headers.extend(tenant.map(|tenant| ("x-tenant", tenant)));
        let fit = server.send("POST", "/fit/a", &headers, body.clone()).await;
        fits.push((fit.ok()["version"].clone(), is_replay(&fit)));
    }
    fits
}

#[tokio::test]
async fn each_tenant_has_keys_of_its_own() {
    let server = Server::with(&["--tenant-header", "X-Tenant"]).await;
    let tenants = [
        Some("one"),
        Some("two"),
        None,
        Some("one"),
        Some("two"),
        None,
    ];
    let expected = ["1", "2", "3", "1", "2", "3"];
    for (idx, (version, is_replay)) in fits_of(&server, &tenants).await.iter().enumerate() {
        assert_eq!(
            (version, *is_replay),
            (&json!(expected[idx]), idx >= 3),
            "{idx}"
        );
    }
}

/// The control: where nothing tells tenants apart, the header is nobody's name.
#[tokio::test]
async fn without_tenants_all_callers_share_their_keys() {
    let server = Server::start().await;
    let fits = fits_of(&server, &[Some("one"), Some("two"), None]).await;
    assert_eq!(
        fits,
        [(json!("1"), false), (json!("1"), true), (json!("1"), true)]
    );
}

#[tokio::test]
async fn the_same_key_with_another_body_is_refused() {
    let server = Server::start().await;
    let body = history(&[1.0, 2.0, 4.0]);
    let first = fit_as(&server, "a", "k", &body).await;
    first.ok();
    let other = fit_as(&server, "a", "k", &history(&[1.0, 2.0, 5.0])).await;
    let loc = json!(["header", "Idempotency-Key"]);
    assert_problem_at(&other, 422, "idempotency_key_reused", &loc);
    assert_eq!(latest(&server, "a").await, "1");
    // Another series has keys of its own.
    assert_eq!(
        fit_as(&server, "b", "k", &history(&[1.0, 2.0, 5.0]))
            .await
            .ok()["version"],
        "1"
    );
    assert_eq!(fit_as(&server, "a", "k", &body).await.body, first.body);
}

#[tokio::test]
async fn a_freeze_sent_again_is_one_version_too() {
    let server = Server::start().await;
    let updates = json!({ "timestamps": [1, 2, 3], "values": [1.0, 2.0, 4.0] });
    server.post("/update/a", updates.to_string()).await.ok();
    let freeze = async |key: &str| {
        let headers = [
            ("content-type", "application/json"),
            ("idempotency-key", key),
        ];
        let body = json!({ "from": "online" }).to_string();
        server
            .send("POST", "/series/a/versions", &headers, body)
            .await
    };
    let first = freeze("k").await;
    assert_eq!(
        (&first.ok()["version"], &first.ok()["state_seq"]),
        (&json!("1"), &json!(3))
    );
    let later = json!({ "timestamp": 4, "value": 3.0 });
    server.post("/update/a", later.to_string()).await.ok();
    let again = freeze("k").await;
    assert!(is_replay(&again) && !is_replay(&first));
    assert_eq!(again.body, first.body);
    let other = freeze("k2").await.ok();
    assert_eq!(
        (&other["version"], &other["state_seq"]),
        (&json!("2"), &json!(4))
    );
    // A fit under the key of a freeze asks for something else.
    let fit = fit_as(&server, "a", "k", &history(&[1.0, 2.0, 4.0])).await;
    assert_problem_at(
        &fit,
        422,
        "idempotency_key_reused",
        &json!(["header", "Idempotency-Key"]),
    );
}

#[tokio::test]
async fn a_refused_request_leaves_its_key_free() {
    let server = Server::start().await;
    let refused = fit_as(&server, "a", "k", &history(&[1.0, 1.0, 1.0])).await;
    assert_eq!(refused.status, 422);
    let fit = fit_as(&server, "a", "k", &history(&[1.0, 2.0, 4.0])).await;
    assert_eq!(fit.ok()["version"], "1");
    assert!(!is_replay(&fit));
}

#[tokio::test]
async fn a_key_that_is_none_is_refused() {
    let server = Server::start().await;
    let body = history(&[1.0, 2.0, 4.0]);
    let loc = json!(["header", "Idempotency-Key"]);
    for key in ["\"\"", "a b", "\"a", &"x".repeat(256)] {
        let refused = fit_as(&server, "a", key, &body).await;
        assert_problem_at(&refused, 422, "idempotency_key_invalid", &loc);
    }
    let twice = [("idempotency-key", "a"), ("idempotency-key", "b")];
    let refused = server
        .send("POST", "/fit/a", &twice, body.to_string())
        .await;
    assert_problem_at(&refused, 422, "idempotency_key_invalid", &loc);
    assert_eq!(server.series_trained().await, 0);
}

#[tokio::test]
async fn requests_with_one_key_at_once_make_one_version() {
    let server = Server::start().await;
    // The longer history takes the way over the pool.
    for (round, body) in [history(&[1.0, 2.0, 4.0]), long_history(500)]
        .iter()
        .enumerate()
    {
        for key in 0..10 {
            let (series, key) = (format!("s-{round}-{key}"), format!("key-{key}"));
            let twins = (0..16).map(|_| fit_as(&server, &series, &key, body));
            let replies = futures_util::future::join_all(twins).await;
            for reply in &replies {
                assert_eq!(reply.ok()["version"], "1");
                assert_eq!(reply.body, replies[0].body);
            }
            let first = replies.iter().filter(|reply| !is_replay(reply)).count();
            assert_eq!(first, 1, "one is the answer, the others are its copies");
            assert_eq!(latest(&server, &series).await, "1");
        }
    }
}

#[tokio::test]
async fn an_old_answer_is_forgotten() {
    let server = Server::with(&["--idempotency-ttl", "200ms"]).await;
    let body = history(&[1.0, 2.0, 4.0]);
    fit_as(&server, "a", "k", &body).await.ok();
    let started = std::time::Instant::now();
    while is_replay(&fit_as(&server, "a", "k", &body).await) {
        assert!(
            started.elapsed().as_secs() < 60,
            "the answer stays for ever"
        );
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(latest(&server, "a").await, "2");
}

#[tokio::test]
async fn answers_beyond_the_limit_are_forgotten_oldest_first() {
    let server = Server::with(&["--idempotency-keys", "5"]).await;
    let body = history(&[1.0, 2.0, 4.0]);
    for key in 0..40 {
        fit_as(&server, "a", &key.to_string(), &body).await.ok();
    }
    let young = fit_as(&server, "a", "39", &body).await;
    assert!(is_replay(&young));
    let started = std::time::Instant::now();
    while is_replay(&fit_as(&server, "a", "0", &body).await) {
        assert!(started.elapsed().as_secs() < 60, "the oldest answer stays");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
