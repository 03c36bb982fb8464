//! Refusals before a body matters: unknown paths, wrong methods, media types, sizes.

use serde_json::json;

use crate::problem::assert_problem;
use crate::raw;
use crate::server::{Server, history, point};

const METHODS: [&str; 9] = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW",
];

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let server = Server::start().await;
    server.fit("a", &history(&[1.0, 2.0, 4.0])).await.ok();
    for (path, allowed) in [
        ("/fit/a", "POST"),
        ("/predict/a", "POST"),
        ("/healthcheck", "GET, HEAD"),
        ("/plot?series_id=a", "GET, HEAD"),
        ("/series/a/calibration", "GET, HEAD"),
        ("/health/live", "GET, HEAD"),
        ("/health/ready", "GET, HEAD"),
        ("/health/startup", "GET, HEAD"),
        ("/health", "GET, HEAD"),
        ("/problems/not_found", "GET, HEAD"),
    ] {
        for method in METHODS {
            if allowed.split(", ").any(|name| name == method) {
                continue;
            }
            let reply = server.send(method, path, &[], "").await;
            assert_eq!(reply.header("allow"), Some(allowed), "{method} {path}");
            if method == "HEAD" {
                assert_eq!(reply.status, 405, "{path}");
            } else {
                assert_problem(&reply, 405, "method_not_allowed");
            }
        }
    }
    let reply = server.predict("a", &point(1, 2.0)).await.ok();
    assert_eq!(reply["model_version"], "1", "no method made a version");
}

#[tokio::test]
async fn head_answers_as_get_without_a_body() {
    let server = Server::start().await;
    for path in ["/healthcheck", "/health/live", "/problems/not_found"] {
        let head = server.send("HEAD", path, &[], "").await;
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
        let get = server.get(path).await;
        assert_eq!(head.header("content-type"), get.header("content-type"));
    }
}

#[tokio::test]
async fn nothing_is_at_other_paths() {
    let server = Server::start().await;
    for path in [
        "/fit",
        "/fits/a",
        "/Fit/a",
        "/healthcheck/",
        "/healthz",
        "/health/",
        "/health/other",
        "/plot/",
        "/Plot",
        "/problems",
        "/favicon.ico",
        "/..%2f..%2fetc/passwd",
        "/%66it/a",
    ] {
        for method in ["GET", "POST", "DELETE"] {
            let reply = server.send(method, path, &[], "").await;
            assert_problem(&reply, 404, "not_found");
        }
    }
}

#[tokio::test]
async fn other_media_types_are_not_read() {
    let server = Server::start().await;
    let body = history(&[1.0, 2.0, 4.0]).to_string();
    let refused: [&[(&str, &str)]; 11] = [
        &[("content-type", "text/plain")],
        &[("content-type", "text/json")],
        &[("content-type", "application/x-www-form-urlencoded")],
        &[("content-type", "multipart/form-data; boundary=x")],
        &[("content-type", "application/xml")],
        &[("content-type", "application/jsonp")],
        &[("content-type", "json")],
        &[("content-type", "application/json; charset=latin1")],
        &[
            ("content-type", "application/json"),
            ("content-encoding", "br"),
        ],
        &[
            ("content-type", "application/json"),
            ("content-encoding", "deflate"),
        ],
        &[("content-encoding", "compress")],
    ];
    for headers in refused {
        for path in ["/fit/a", "/predict/a"] {
            let reply = server.send("POST", path, headers, body.clone()).await;
            assert_problem(&reply, 415, "unsupported_media_type");
        }
    }
    assert_eq!(server.series_trained().await, 0);
    let read: [&[(&str, &str)]; 6] = [
        &[("content-type", "application/json")],
        &[("content-type", "Application/JSON")],
        &[("content-type", "application/json; charset=utf-8")],
        &[("content-type", "application/json;charset=\"UTF-8\"")],
        &[
            ("content-type", "application/json"),
            ("content-encoding", "identity"),
        ],
        &[],
    ];
    for headers in read {
        server
            .send("POST", "/fit/a", headers, body.clone())
            .await
            .ok();
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_whole() {
    let server = Server::with(&["--max-body", "1KiB"]).await;
    let body = history(&[1.0, 2.0, 4.0]).to_string();
    let padded = |length: usize| format!("{body}{}", " ".repeat(length - body.len()));
    server.post("/fit/limit", padded(1024)).await.ok();
    for length in [1025, 5_000] {
        for operation in ["fit", "predict"] {
            let reply = server
                .post(&format!("/{operation}/a"), padded(length))
                .await;
            assert_problem(&reply, 413, "body_too_large");
        }
    }
    assert_eq!(server.series_trained().await, 1);
}

#[tokio::test]
async fn a_declared_length_over_the_limit_is_refused_before_the_body_comes() {
    let server = Server::with(&["--max-body", "1KiB"]).await;
    let head = b"POST /fit/a HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n";
    let reply = raw::exchange(server.addr, head.to_vec()).await;
    assert_problem(&reply, 413, "body_too_large");
}

#[tokio::test]
async fn a_chunked_body_is_counted_as_it_comes() {
    let server = Server::with(&["--max-body", "1KiB"]).await;
    let chunked = |chunks: &[&[u8]]| {
        let mut request =
            b"POST /fit/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        for chunk in chunks {
            request.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            request.extend_from_slice(chunk);
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"0\r\n\r\n");
        request
    };
    let blank = [b' '; 600];
    for chunks in [&[&blank[..]; 2][..], &[&blank[..]; 9], &[&[b' '; 1025][..]]] {
        let reply = raw::exchange(server.addr, chunked(chunks)).await;
        assert_problem(&reply, 413, "body_too_large");
    }
    assert_eq!(server.series_trained().await, 0);
    let body = history(&[1.0, 2.0, 4.0]).to_string();
    let (first, second) = body.as_bytes().split_at(20);
    let reply = raw::exchange(server.addr, chunked(&[first, second]))
        .await
        .ok();
    assert_eq!(reply["version"], "1", "a small one is read");
}

#[tokio::test]
async fn a_fit_takes_no_query() {
    let server = Server::start().await;
    let reply = server.fit("a?version=3", &history(&[1.0, 2.0, 4.0])).await;
    assert_problem(&reply, 422, "invalid_query");
    assert_eq!(server.series_trained().await, 0);
}

#[tokio::test]
async fn the_least_number_of_points_is_the_operators() {
    let server = Server::with(&["--min-training-points", "5"]).await;
    let short = server.fit("a", &history(&[1.0, 2.0, 4.0, 8.0])).await;
    let document = assert_problem(&short, 422, "too_few_points");
    assert_eq!(document["errors"][0]["loc"], json!(["body", "timestamps"]));
    server
        .fit("a", &history(&[1.0, 2.0, 4.0, 8.0, 9.0]))
        .await
        .ok();
}
