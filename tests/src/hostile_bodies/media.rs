//! Bodies that are compressed, or said to be something else.

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use super::*;

/// Of a bomb, inflated.
const BOMB_BYTES: usize = 20_000_000;
/// What a body may have here.
const MAX_BODY: &[&str] = &["--max-body", "4MiB"];

/// White space before a body that could be fitted: what is inflated would be taken.
fn bomb<W: Write>(mut encoder: W) -> W {
    let blank = vec![b' '; 1_000_000];
    for _ in 0..BOMB_BYTES / blank.len() {
        encoder.write_all(&blank).expect("memory takes all");
    }
    encoder
        .write_all(ROUTES[0].right.as_bytes())
        .expect("memory takes all");
    encoder
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory takes all");
    encoder.finish().expect("memory takes all")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).expect("memory takes all")
}

async fn coded(server: &Server, route: &Route, coding: &str, body: Vec<u8>) -> Reply {
    let headers = [
        ("content-type", route.media_type),
        ("content-encoding", coding),
    ];
    server.send(route.method, route.path, &headers, body).await
}

#[tokio::test]
async fn what_is_inflated_is_no_larger_than_a_body_may_be() {
    // Before there is a connection: it takes so long that an idle one would be closed.
    let of_gzip = bomb(GzEncoder::new(Vec::new(), Compression::best()))
        .finish()
        .unwrap();
    let of_zstd = bomb(zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap())
        .finish()
        .unwrap();
    assert!(of_gzip.len() < BOMB_BYTES / 500, "{} bytes", of_gzip.len());
    assert!(
        of_zstd.len() < BOMB_BYTES / 2_000,
        "{} bytes",
        of_zstd.len()
    );
    // A million of members with nothing in them, before one with too much.
    let members = [gzip(b"").repeat(100_000), of_gzip.clone()].concat();
    let frames = [zstd(b"").repeat(100_000), of_zstd.clone()].concat();
    let server = with_series(MAX_BODY).await;
    let before = Seen::of(&server).await;
    for route in &ROUTES {
        for (coding, body) in [
            ("gzip", &of_gzip),
            ("zstd", &of_zstd),
            ("gzip", &members),
            ("zstd", &frames),
        ] {
            let reply = coded(&server, route, coding, body.clone()).await;
            let problem = crate::problem::assert_problem(&reply, 413, "body_too_large");
            let detail = problem["detail"].as_str().expect("a sentence");
            // Where bodies are small, it is too large as it comes.
            let is_small = route.path.starts_with("/series/");
            assert!(
                is_small || detail.ends_with("when inflated"),
                "{}: {detail}",
                route.path
            );
        }
    }
    // As lines it is one that is too long.
    for route in &STREAMS {
        for (coding, body) in [("gzip", &members), ("zstd", &frames)] {
            let reply = coded(&server, route, coding, body.clone()).await;
            judge(route, &reply).unwrap_or_else(|reason| panic!("{}: {reason}", route.path));
            assert_eq!((reply.status, reply.text().lines().count()), (200, 1));
        }
    }
    assert_eq!(Seen::of(&server).await, before);
    memory_is_given_back(&server).await;
}

#[tokio::test]
async fn what_is_cut_or_damaged_is_not_taken() {
    let server = with_series(&[]).await;
    let before = Seen::of(&server).await;
    for route in ROUTES.iter().chain(&STREAMS) {
        let plain = route.right.as_bytes();
        for (coding, whole) in [("gzip", gzip(plain)), ("zstd", zstd(plain))] {
            let cut = whole[..whole.len() - 3].to_vec();
            let mut damaged = whole.clone();
            let last = damaged.len() - 6;
            damaged[last] ^= 0x40;
            let behind = [&whole[..], b"more"].concat();
            let twice = if coding == "gzip" {
                gzip(&whole)
            } else {
                zstd(&whole)
            };
            let bodies = [
                ("cut", cut),
                ("damaged", damaged),
                ("with more behind", behind),
                ("as it is", plain.to_vec()),
                ("twice", twice),
            ];
            for (name, body) in bodies {
                let reply = coded(&server, route, coding, body).await;
                let refused = judge(route, &reply);
                // Lines are answered while the end is still to come.
                let text = String::from_utf8_lossy(&reply.body);
                let is_cut = STREAMS
                    .iter()
                    .any(|it| it.path == route.path && it.media_type == route.media_type)
                    && text.contains("malformed_request");
                assert!(
                    refused.is_ok() || is_cut,
                    "{} {coding} {name}: {refused:?}",
                    route.path
                );
            }
        }
    }
    assert_eq!(Seen::of(&server).await, before);
    memory_is_given_back(&server).await;
}

#[tokio::test]
async fn other_codings_are_refused_with_those_that_are_read() {
    let server = with_series(&[]).await;
    let before = Seen::of(&server).await;
    let deflate = bomb(DeflateEncoder::new(Vec::new(), Compression::fast()))
        .finish()
        .unwrap();
    let zlib = bomb(ZlibEncoder::new(Vec::new(), Compression::fast()))
        .finish()
        .unwrap();
    for route in ROUTES.iter().chain(&STREAMS) {
        let plain = route.right.as_bytes();
        let bodies = [
            ("deflate", zlib.clone()),
            ("deflate", deflate.clone()),
            ("gzip, gzip", gzip(&gzip(plain))),
            ("zstd, gzip", gzip(&zstd(plain))),
            ("br", plain.to_vec()),
            ("compress", plain.to_vec()),
            ("dcz", plain.to_vec()),
            ("", plain.to_vec()),
            ("chunked", plain.to_vec()),
        ];
        for (coding, body) in bodies {
            let reply = coded(&server, route, coding, body).await;
            crate::problem::assert_problem(&reply, 415, "unsupported_media_type");
            assert_eq!(reply.header("accept-encoding"), Some("gzip, zstd"));
        }
        let twice = [
            ("content-type", route.media_type),
            ("content-encoding", "gzip"),
            ("content-encoding", "gzip"),
        ];
        let reply = server
            .send(route.method, route.path, &twice, gzip(&gzip(plain)))
            .await;
        assert_eq!(reply.status, 415, "{}", route.path);
        // Not told, it is no JSON.
        let untold = [("content-type", route.media_type)];
        let reply = server
            .send(route.method, route.path, &untold, gzip(plain))
            .await;
        judge(route, &reply).unwrap_or_else(|reason| panic!("{}: {reason}", route.path));
    }
    assert_eq!(Seen::of(&server).await, before);
    memory_is_given_back(&server).await;
}

/// The control of all of them: what is right is answered as if it had not been coded.
#[tokio::test]
async fn what_is_coded_is_answered_as_what_is_not() {
    let [plain, coded_so] = [with_series(&[]).await, with_series(&[]).await];
    for (i, route) in ROUTES.iter().chain(&STREAMS).enumerate() {
        let body = route.right.replace("\"9\"", &format!("\"{}\"", 20 + i));
        let media_type = [("content-type", route.media_type)];
        let expected = plain
            .send(route.method, route.path, &media_type, body.clone())
            .await;
        let (coding, body) = match i % 2 {
            0 => ("gzip", gzip(body.as_bytes())),
            _ => ("zstd", zstd(body.as_bytes())),
        };
        let told = coded(&coded_so, route, coding, body).await;
        assert!(
            (200..300).contains(&told.status),
            "{}: {}",
            route.path,
            told.text()
        );
        let essence = |reply: &Reply| {
            let mut document = reply.json();
            for fleeting in ["duration_ms", "updated_at", "request_id"] {
                document
                    .as_object_mut()
                    .expect("an object")
                    .remove(fleeting);
            }
            (reply.status, document)
        };
        assert_eq!(essence(&told), essence(&expected), "{}", route.path);
    }
}

#[tokio::test]
async fn what_is_said_to_be_something_else_is_not_read() {
    let server = with_series(&[]).await;
    let before = Seen::of(&server).await;
    let types: [&[(&str, &str)]; 17] = [
        &[("content-type", "application/json; charset=utf-16")],
        &[(
            "content-type",
            "application/json; charset=utf-8; charset=utf-16",
        )],
        &[("content-type", "application/json; CHARSET=utf-16")],
        &[("content-type", "application/json;charset=\"utf-7\"")],
        &[("content-type", "application/json, text/plain")],
        &[("content-type", "text/plain, application/json")],
        &[
            ("content-type", "application/json"),
            ("content-type", "text/plain"),
        ],
        &[
            ("content-type", "text/plain"),
            ("content-type", "application/json"),
        ],
        &[("content-type", "text/plain; application/json")],
        &[("content-type", "application/x-json")],
        &[("content-type", "application/json-seq")],
        &[(
            "content-type",
            "multipart/form-data; boundary=application/json",
        )],
        &[("content-type", "application/x-www-form-urlencoded")],
        &[("content-type", "*/*")],
        &[("content-type", "")],
        &[("content-type", ";")],
        &[("content-type", "application/\u{e4}+json")],
    ];
    for route in &ROUTES {
        for headers in types {
            let reply = server
                .send(route.method, route.path, headers, route.right)
                .await;
            judge(route, &reply)
                .unwrap_or_else(|reason| panic!("{} {headers:?}: {reason}", route.path));
            assert_eq!(reply.status, 415, "{} {headers:?}", route.path);
        }
    }
    assert_eq!(Seen::of(&server).await, before);
}
