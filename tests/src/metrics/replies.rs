//! Every reply is counted, once, where it belongs.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::exposition::{Exposition, split};
use super::scrape;
use crate::raw;
use crate::server::{Server, history, long_history, point};

/// Replies by route, method and status.
type Tally = BTreeMap<(String, String, String), u64>;

fn tally(of: &Exposition) -> Tally {
    let mut tally = Tally::new();
    for (sample, value) in &of.samples {
        let (name, labels) = split(sample);
        if name == "tidemark_http_requests_total" && *value > 0.0 {
            let label = |name: &str| labels[name].to_owned();
            let key = (label("route"), label("method"), label("status"));
            tally.insert(key, *value as u64);
        }
    }
    tally
}

/// What differs between what was counted from `before` to `after` and what clients `received`.
fn differences(before: &Tally, after: &Tally, received: &Tally) -> Vec<String> {
    let keys = after.keys().chain(received.keys());
    let of = |tally: &Tally, key| tally.get(key).copied().unwrap_or(0);
    let mut found: Vec<String> = keys
        .map(|key| (key, of(after, key) - of(before, key), of(received, key)))
        .filter(|(_, counted, received)| counted != received)
        .map(|(key, counted, received)| format!("{key:?}: {counted} counted, {received} received"))
        .collect();
    found.dedup();
    found
}

/// One of every kind of request, with its route.
fn kinds() -> Vec<(&'static str, &'static str, String, String)> {
    let fit = history(&[1.0, 2.0, 4.0]).to_string();
    let one = point(1, 1.0).to_string();
    let lines = "{\"timestamp\":9,\"value\":1}\n".repeat(3_000);
    let mut kinds = vec![
        ("POST", "/fit/{series_id}", "/fit/a".to_owned(), fit.clone()),
        ("POST", "/fit/{series_id}", "/fit/a%2fb".into(), fit),
        ("POST", "/fit/{series_id}", "/fit/a".into(), "{}".into()),
        (
            "POST",
            "/fit/{series_id}",
            "/fit/a".into(),
            " ".repeat(300_000),
        ),
        ("DELETE", "/fit/{series_id}", "/fit/a".into(), String::new()),
        ("BREW", "/fit/{series_id}", "/fit/a".into(), String::new()),
        (
            "POST",
            "/update/{series_id}",
            "/update/a".into(),
            one.clone(),
        ),
        ("POST", "/update/{series_id}", "/update/lines".into(), lines),
        (
            "POST",
            "/predict/{series_id}",
            "/predict/nobody".into(),
            one.clone(),
        ),
        (
            "POST",
            "/predict/{series_id}",
            "/predict/a?version=9".into(),
            one.clone(),
        ),
        (
            "PUT",
            "/series/{series_id}/aliases/{alias}",
            "/series/a/aliases/x".into(),
            "{}".into(),
        ),
    ];
    let one = || {
        (
            "POST",
            "/predict/{series_id}",
            "/predict/a".to_owned(),
            one.clone(),
        )
    };
    kinds.extend((0..5).map(|_| one()));
    for (route, path) in [
        ("/healthcheck", "/healthcheck"),
        ("/health/live", "/health/live"),
        ("/health/ready", "/health"),
        ("/health/ready", "/health/ready"),
        ("/metrics", "/metrics"),
        ("/plot", "/plot?series_id=a"),
        ("/problems/{code}", "/problems/internal"),
        ("/problems/{code}", "/problems/none"),
        ("/series/{series_id}/calibration", "/series/a/calibration"),
        ("/series/{series_id}/versions", "/series/a/versions"),
        ("/series/{series_id}/aliases", "/series/a/aliases"),
        ("unmatched", "/nowhere"),
        ("/predict", "/predict"),
    ] {
        for method in ["GET", "HEAD"] {
            kinds.push((method, route, path.to_owned(), String::new()));
        }
    }
    kinds
}

#[tokio::test]
async fn counts_of_replies_agree_with_what_clients_received() {
    let server = Server::with(&["--max-body", "200KiB"]).await;
    assert_eq!(
        server.fit("a", &history(&[1.0, 2.0, 4.0])).await.status,
        200
    );
    let before = tally(&scrape(&server).await);
    let mut received = Tally::new();
    let metrics = ("/metrics".to_owned(), "GET".to_owned(), "200".to_owned());
    // The scrape before was told before it was counted.
    received.insert(metrics, 1);
    let server = std::sync::Arc::new(server);
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let server = std::sync::Arc::clone(&server);
            tokio::spawn(async move {
                let mut replies = Vec::new();
                for (method, route, target, body) in (0..4).flat_map(|_| kinds()) {
                    let kind = if target.ends_with("lines") {
                        "application/x-ndjson"
                    } else {
                        "application/json"
                    };
                    let headers = [("content-type", kind)];
                    let reply = server.send(method, &target, &headers, body).await;
                    let method = if method == "BREW" { "other" } else { method };
                    replies.push((
                        route.to_owned(),
                        method.to_owned(),
                        reply.status.to_string(),
                    ));
                }
                replies
            })
        })
        .collect();
    for client in clients {
        for reply in client.await.expect("a client that does not fail") {
            *received.entry(reply).or_default() += 1;
        }
    }
    let after = tally(&scrape(&server).await);
    assert!(received.len() > 30, "{} kinds", received.len());
    assert_eq!(
        differences(&before, &after, &received),
        Vec::<String>::new()
    );
    // The control: one reply that was counted elsewhere, and one that was not counted.
    let served = received
        .keys()
        .find(|(route, _, status)| route == "/plot" && status == "200");
    let served = served.expect("the plot was served").clone();
    let mut other = received.clone();
    *other.get_mut(&served).unwrap() -= 1;
    assert_eq!(differences(&before, &after, &other).len(), 1);
    other.insert((served.0, served.1, "500".into()), 1);
    assert_eq!(differences(&before, &after, &other).len(), 2);
}

/// Fits that one thread works off one after the other: most are in the queue when their clients leave.
#[tokio::test]
async fn a_client_that_hangs_up_is_no_reply() {
    const CLIENTS: usize = 8;
    let server = Server::with(&["--compute-threads", "1"]).await;
    let fits = [("route", "/fit/{series_id}")];
    let mut clients = Vec::new();
    let request = raw::post(b"/fit/a", long_history(5_000).to_string().as_bytes());
    for _ in 0..CLIENTS {
        let mut client = TcpStream::connect(server.addr).await.unwrap();
        client.write_all(&request).await.unwrap();
        clients.push(client);
    }
    let (in_flight, replies) = (
        "tidemark_http_requests_in_flight",
        "tidemark_http_requests_total",
    );
    let started = Instant::now();
    let within = || {
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "it is not counted"
        )
    };
    loop {
        let told = scrape(&server).await;
        // The scrape itself is in flight, too.
        if told.sum(in_flight, &[]) - 1.0 + told.sum(replies, &fits) >= CLIENTS as f64 {
            break;
        }
        within();
    }
    drop(clients);
    loop {
        let told = scrape(&server).await;
        let hung_up = told.sum("tidemark_http_requests_hung_up_total", &fits);
        if hung_up + told.sum(replies, &fits) >= CLIENTS as f64 {
            assert_eq!(hung_up + told.sum(replies, &fits), CLIENTS as f64);
            assert!(hung_up > 0.0, "all were answered");
            assert_eq!(told.sum(in_flight, &[]), 1.0);
            break;
        }
        within();
    }
}
