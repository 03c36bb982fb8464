//! Bodies of 100 MB and lists of millions of small items.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};

use super::*;
use crate::problem::assert_problem;
use crate::raw;

/// Above the 64 MiB that a body may have.
const LARGE_BYTES: usize = 100_000_000;
const PIECE_BYTES: usize = 1_000_000;

/// Items of a list: `TIDEMARK_HOSTILE_ITEMS` for the long form.
fn items() -> usize {
    std::env::var("TIDEMARK_HOSTILE_ITEMS").map_or(500_000, |text| text.parse().expect("a number"))
}

/// Sends a body of unknown length until the server has heard enough.
fn chunked(addr: SocketAddr, route: &Route) -> Reply {
    let mut stream = TcpStream::connect(addr).expect("it listens");
    stream
        .set_read_timeout(Some(HANG))
        .expect("a time that is not zero");
    let head = format!(
        "{} {} HTTP/1.1\r\nHost: x\r\nContent-Type: {}\r\nTransfer-Encoding: chunked\r\n\r\n",
        route.method, route.path, route.media_type
    );
    stream.write_all(head.as_bytes()).expect("it reads");
    let mut piece = format!("{PIECE_BYTES:x}\r\n").into_bytes();
    piece.resize(piece.len() + PIECE_BYTES, b' ');
    piece.extend_from_slice(b"\r\n");
    for _ in 0..LARGE_BYTES / PIECE_BYTES {
        if stream.write_all(&piece).is_err() {
            break;
        }
    }
    raw::read_reply(&mut stream).expect("it answers")
}

#[tokio::test]
async fn a_body_of_100_mb_is_refused_declared_or_not() {
    let server = with_series(&[]).await;
    let before = Seen::of(&server).await;
    for route in &ROUTES {
        let head = format!(
            "{} {} HTTP/1.1\r\nHost: x\r\nContent-Type: {}\r\nContent-Length: {LARGE_BYTES}\r\n\r\n{{",
            route.method, route.path, route.media_type
        );
        let declared = raw::exchange(server.addr, head.into_bytes()).await;
        assert_problem(&declared, 413, "body_too_large");
        let addr = server.addr;
        let reply = tokio::task::spawn_blocking(move || chunked(addr, route)).await;
        assert_problem(&reply.expect("nothing panics"), 413, "body_too_large");
    }
    assert_eq!(Seen::of(&server).await, before);
    memory_is_given_back(&server).await;
}

#[tokio::test]
async fn millions_of_small_items_are_refused() {
    // Before there are connections: the server closes those that are idle for as long as this may take.
    let list = |item: &str| vec![item; items()].join(",");
    let bodies = [
        (
            "equal times",
            format!(
                r#"{{"timestamps":[{}],"values":[{}]}}"#,
                list("1"),
                list("1")
            ),
        ),
        (
            "one column",
            format!(r#"{{"timestamps":[{}],"values":[1]}}"#, list("1")),
        ),
        (
            "nulls",
            format!(r#"{{"timestamps":[1],"values":[{}]}}"#, list("null")),
        ),
        ("objects", format!(r#"{{"timestamps":[{}]}}"#, list("{}"))),
        (
            "of another field",
            format!(
                r#"{{"seasonality":[{}],"timestamps":[1,2,3],"values":[1,2,4]}}"#,
                list("1")
            ),
        ),
        ("of no field", format!(r#"{{"labels":[{}]}}"#, list("[]"))),
        ("alone", format!("[{}]", list("1"))),
    ];
    let server = with_series(&[]).await;
    let before = Seen::of(&server).await;
    for route in &ROUTES {
        for (name, body) in &bodies {
            // Equal times are right where points are judged one by one.
            let is_right =
                *name == "equal times" && (route.path == "/predict/a" || route.path == "/update/a");
            if is_right && route.media_type == "application/json" {
                continue;
            }
            let media_type = [("content-type", route.media_type)];
            let reply = server
                .send(route.method, route.path, &media_type, body.clone())
                .await;
            judge(route, &reply).unwrap_or_else(|reason| panic!("{} {name}: {reason}", route.path));
        }
    }
    assert_eq!(Seen::of(&server).await, before);
    memory_is_given_back(&server).await;
}
