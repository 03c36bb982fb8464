//! Ids that no client library would send, byte for byte: refused, and nothing stored.

use serde_json::json;

use crate::problem::{assert_problem, assert_problem_at};
use crate::raw;
use crate::server::{Server, history};

fn targets(ids: &[&[u8]]) -> Vec<Vec<u8>> {
    let prefixes = [&b"/fit/"[..], b"/predict/"];
    ids.iter()
        .flat_map(|id| prefixes.map(|prefix| [prefix, *id].concat()))
        .collect()
}

#[tokio::test]
async fn an_id_outside_the_set_is_refused_at_its_place() {
    let server = Server::start().await;
    let long = [b'x'; 257];
    let longer = [b'x'; 5_000];
    let ids: [&[u8]; 28] = [
        b"",
        b".",
        b"..",
        b"%2e",
        b"%2e%2e",
        b"%2e%2e%2f",
        b"%2E%2E",
        b"%00",
        b"a%00",
        b"%ff",
        b"%c0%ae",
        b"a%41",
        b"%61",
        b"a%20b",
        b"a+b",
        b"a/b",
        b"/a",
        b"a/",
        b"../fit/a",
        b"a%2fb",
        b"a;b",
        b"a,b",
        b"a\\b",
        b"a'b",
        b"(a)",
        b"a&b",
        &long,
        &longer,
    ];
    let body = history(&[1.0, 2.0, 4.0]).to_string();
    for target in targets(&ids) {
        let request = raw::post(&target, body.as_bytes());
        let reply = raw::exchange(server.addr, request).await;
        println!("{}", String::from_utf8_lossy(&target));
        let loc = json!(["path", "series_id"]);
        assert_problem_at(&reply, 422, "invalid_series_id", &loc);
    }
    assert_eq!(server.series_trained().await, 0);
}

#[tokio::test]
async fn a_request_line_that_is_none_is_refused() {
    let server = Server::start().await;
    let body = history(&[1.0, 2.0, 4.0]).to_string();
    let ids: [&[u8]; 7] = [
        b"a b",
        b"a\tb",
        b"a\0",
        b"\xff",
        "\u{e4}".as_bytes(),
        b"a\x7f",
        b"a\x01",
    ];
    for target in targets(&ids) {
        let request = raw::post(&target, body.as_bytes());
        let reply = raw::exchange(server.addr, request).await;
        let shown = String::from_utf8_lossy(&target);
        assert!(
            matches!(reply.status, 400 | 422),
            "{shown:?}: {}",
            reply.status
        );
    }
    for target in [&b"fit/a"[..], b"a", b"", b"?"] {
        let request = raw::post(target, body.as_bytes());
        let reply = raw::exchange(server.addr, request).await;
        let shown = String::from_utf8_lossy(target);
        assert!(
            matches!(reply.status, 400 | 404),
            "{shown:?}: {}",
            reply.status
        );
    }
    assert_eq!(server.series_trained().await, 0);
}

/// A request target has no fragment (RFC 9112, section 3.2). The framework's parser drops one
/// before anything of ours sees the target, so what is left has to be an id of its own right.
#[tokio::test]
async fn a_fragment_is_no_part_of_an_id() {
    let server = Server::start().await;
    let body = history(&[1.0, 2.0, 4.0]).to_string();
    for (target, status) in [("/fit/a#b", 200), ("/fit/a#", 200), ("/fit/#a", 422)] {
        let request = raw::post(target.as_bytes(), body.as_bytes());
        let reply = raw::exchange(server.addr, request).await;
        assert_eq!(reply.status, status, "{target}");
    }
    assert_eq!(server.series_trained().await, 1);
}

#[tokio::test]
async fn a_path_is_matched_byte_by_byte() {
    let server = Server::start().await;
    let body = history(&[1.0, 2.0, 4.0]).to_string();
    for target in [
        "//fit/a",
        "/./fit/a",
        "/x/../fit/a",
        "/%66it/a",
        "/fit%2fa",
        "*",
    ] {
        let request = raw::post(target.as_bytes(), body.as_bytes());
        let reply = raw::exchange(server.addr, request).await;
        assert_problem(&reply, 404, "not_found");
    }
    assert_eq!(server.series_trained().await, 0);
}

/// RFC 9112, section 3.2.2: a server accepts the absolute form, and the id in it is checked alike.
#[tokio::test]
async fn an_absolute_form_is_the_path_in_it() {
    let server = Server::start().await;
    let body = history(&[1.0, 2.0, 4.0]).to_string();
    for id in ["..", "%2e%2e", "a/b", "%00", "a%41"] {
        let target = format!("http://localhost/fit/{id}");
        let request = raw::post(target.as_bytes(), body.as_bytes());
        let reply = raw::exchange(server.addr, request).await;
        assert_problem(&reply, 422, "invalid_series_id");
    }
    let elsewhere = raw::post(b"http://localhost/other", body.as_bytes());
    let reply = raw::exchange(server.addr, elsewhere).await;
    assert_problem(&reply, 404, "not_found");
    assert_eq!(server.series_trained().await, 0);
    let plain = raw::post(b"http://localhost/fit/plain", body.as_bytes());
    let reply = raw::exchange(server.addr, plain).await.ok();
    assert_eq!(reply["series_id"], "plain");
}

#[tokio::test]
async fn every_character_of_the_set_and_every_length_is_taken() {
    let server = Server::start().await;
    let longest = "x".repeat(256);
    let ids = [
        "a",
        "...",
        ".a",
        "-",
        "_",
        ":",
        "@",
        "A-Z.a_z:0@9",
        &longest,
    ];
    for id in ids {
        let fit = server.fit(id, &history(&[1.0, 2.0, 4.0])).await.ok();
        assert_eq!(
            (&fit["series_id"], &fit["version"]),
            (&json!(id), &json!("1"))
        );
    }
    assert_eq!(server.series_trained().await, ids.len() as u64);
}

#[tokio::test]
async fn the_id_of_a_plot_is_checked_alike() {
    let server = Server::start().await;
    for id in [
        "",
        ".",
        "..",
        "a%2Fb",
        "%00",
        "a+b",
        "a%20b",
        &"x".repeat(257),
    ] {
        let reply = server.get(&format!("/plot?series_id={id}")).await;
        let loc = json!(["query", "series_id"]);
        assert_problem_at(&reply, 422, "invalid_series_id", &loc);
    }
}
