//! Bodies that are compressed, or said to be something else.

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use super::*;

/// Of a bomb, unpacked.
const BOMB_BYTES: usize = 30_000_000;

/// White space before a body that could be fitted: what is unpacked would be taken.
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

#[tokio::test]
async fn nothing_is_unpacked() {
    // Before there is a connection: it takes so long that an idle one would be closed.
    let gzip = bomb(GzEncoder::new(Vec::new(), Compression::best()))
        .finish()
        .unwrap();
    let zlib = bomb(ZlibEncoder::new(Vec::new(), Compression::best()))
        .finish()
        .unwrap();
    let deflate = bomb(DeflateEncoder::new(Vec::new(), Compression::best()))
        .finish()
        .unwrap();
    assert!(gzip.len() < BOMB_BYTES / 500, "{} bytes", gzip.len());
    let server = with_series(&[]).await;
    let before = Seen::of(&server).await;
    let plain = |route: &Route| route.right.as_bytes().to_vec();
    for route in &ROUTES {
        let bodies = [
            ("gzip", gzip.clone()),
            ("GZIP", gzip.clone()),
            ("x-gzip", gzip.clone()),
            ("deflate", zlib.clone()),
            ("deflate", deflate.clone()),
            ("gzip, gzip", gzip.clone()),
            ("identity, gzip", gzip.clone()),
            ("br", plain(route)),
            ("zstd", plain(route)),
            ("compress", plain(route)),
            ("dcb", plain(route)),
            ("", plain(route)),
            ("chunked", plain(route)),
        ];
        for (encoding, body) in bodies {
            let headers = [
                ("content-type", route.media_type),
                ("content-encoding", encoding),
            ];
            let reply = server.send(route.method, route.path, &headers, body).await;
            judge(route, &reply)
                .unwrap_or_else(|reason| panic!("{} {encoding}: {reason}", route.path));
            assert_eq!(reply.status, 415, "{} {encoding}", route.path);
        }
        // Said twice, or not at all.
        let twice = [
            ("content-encoding", "identity"),
            ("content-encoding", "gzip"),
        ];
        let reply = server
            .send(route.method, route.path, &twice, gzip.clone())
            .await;
        assert_eq!(reply.status, 415, "{}", route.path);
        let untold = [("content-type", route.media_type)];
        let reply = server
            .send(route.method, route.path, &untold, gzip.clone())
            .await;
        judge(route, &reply).unwrap_or_else(|reason| panic!("{}: {reason}", route.path));
    }
    assert_eq!(Seen::of(&server).await, before);
    memory_is_given_back(&server).await;
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
