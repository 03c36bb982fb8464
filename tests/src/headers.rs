//! `X-Request-ID` and `X-Response-Time`: on every reply, refusals included.

use std::collections::HashSet;

use crate::raw;
use crate::reply::Reply;
use crate::server::{Server, history, point};

/// `12.34ms`.
fn is_duration(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    text.strip_suffix("ms")
        .and_then(|number| number.split_once('.'))
        .is_some_and(|(whole, fraction)| digits(whole) && digits(fraction) && fraction.len() == 2)
}

#[test]
fn a_duration_has_two_decimals_and_its_unit() {
    assert!(is_duration("12.34ms") && is_duration("0.00ms"));
    for text in ["12.3ms", "12ms", ".34ms", "-1.00ms", "1.00 ms", "1.00s", ""] {
        assert!(!is_duration(text), "{text}");
    }
}

/// One reply of every kind a caller meets.
async fn replies(server: &Server, headers: &[(&str, &str)]) -> Vec<(u16, Reply)> {
    let fit = history(&[1.0, 2.0, 4.0]).to_string();
    let one = point(1, 1.0).to_string();
    let kinds = [
        (200, "POST", "/fit/a", fit.clone()),
        (200, "POST", "/predict/a", one.clone()),
        (200, "GET", "/healthcheck", String::new()),
        (200, "GET", "/health/live", String::new()),
        (200, "GET", "/plot?series_id=a", String::new()),
        (200, "GET", "/problems/internal", String::new()),
        (404, "POST", "/predict/nobody", one.clone()),
        (404, "POST", "/predict/a?version=9", one),
        (404, "GET", "/nowhere", String::new()),
        (405, "DELETE", "/fit/a", String::new()),
        (405, "HEAD", "/fit/a", String::new()),
        (413, "POST", "/fit/a", " ".repeat(5_000)),
        (422, "POST", "/fit/a", "{}".into()),
        (422, "POST", "/fit/a%2fb", fit),
        (422, "POST", "/predict/a?version=x", String::new()),
    ];
    let mut answered = Vec::new();
    for (status, method, path, body) in kinds {
        let reply = server.send(method, path, headers, body).await;
        assert_eq!(reply.status, status, "{method} {path}");
        answered.push((status, reply));
    }
    let mut text = headers.to_vec();
    text.push(("content-type", "text/plain"));
    let reply = server.send("POST", "/fit/a", &text, "1").await;
    answered.push((415, reply));
    answered
}

#[tokio::test]
async fn every_reply_is_stamped() {
    let server = Server::with(&["--max-body", "4KiB"]).await;
    let mut ids = HashSet::new();
    for (status, reply) in replies(&server, &[]).await {
        assert_eq!(reply.status, status);
        let took = reply.header("x-response-time").expect("a time");
        assert!(is_duration(took), "{took}");
        let id = reply.header("x-request-id").expect("an id");
        assert!(
            !id.is_empty() && ids.insert(id.to_owned()),
            "{id} is its own"
        );
    }
}

#[tokio::test]
async fn an_id_that_was_sent_is_kept() {
    let server = Server::with(&["--max-body", "4KiB"]).await;
    let longest = "i".repeat(128);
    for sent in [
        "caller-7",
        "0af7651916cd43dd8448eb211c80319c",
        "a/b=c;d",
        &longest,
    ] {
        for (_, reply) in replies(&server, &[("x-request-id", sent)]).await {
            assert_eq!(reply.header("x-request-id"), Some(sent));
        }
    }
}

#[tokio::test]
async fn an_id_that_would_spoil_a_log_is_replaced() {
    let server = Server::start().await;
    let long = "i".repeat(129);
    for sent in ["", "two words", "tab\there", "\u{e4}", &long] {
        let headers = [("x-request-id", sent)];
        let reply = server.send("GET", "/healthcheck", &headers, "").await;
        let id = reply.header("x-request-id").expect("an id");
        assert!(id != sent && !id.is_empty(), "{sent:?} was kept");
    }
}

#[tokio::test]
async fn generated_ids_are_unique_across_connections() {
    let server = Server::start().await;
    let mut ids = HashSet::new();
    for _ in 0..200 {
        let reply = server.get("/health/live").await;
        assert!(ids.insert(reply.header("x-request-id").expect("an id").to_owned()));
    }
}

/// "Every reply carries both, errors and refusals included": also where the request could not be
/// read far enough to have a path.
#[tokio::test]
async fn a_request_that_cannot_be_read_is_refused_and_its_connection_closed() {
    let server = Server::start().await;
    let unreadable: [(&str, &[u8], u16); 5] = [
        ("no Host", b"GET /healthcheck HTTP/1.1\r\n\r\n", 400),
        (
            "space in the path",
            b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
            400,
        ),
        (
            "bad header",
            b"GET / HTTP/1.1\r\nHost: x\r\nbad header\r\n\r\n",
            400,
        ),
        (
            "bad length",
            b"POST /fit/a HTTP/1.1\r\nHost: x\r\nContent-Length: -3\r\n\r\n",
            400,
        ),
        (
            "unknown version",
            b"GET /healthcheck HTTP/3.0\r\nHost: x\r\n\r\n",
            400,
        ),
    ];
    for (what, request, status) in unreadable {
        let reply = raw::exchange(server.addr, request.to_vec()).await;
        assert_eq!(reply.status, status, "{what}");
        assert_eq!(reply.header("connection"), Some("close"), "{what}");
    }
}
