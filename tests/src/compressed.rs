//! Replies compressed as the client would like them.

use std::io::Read;

use flate2::read::MultiGzDecoder;

use crate::reply::Reply;
use crate::server::{Server, history, long_history, point};
use crate::stream::talk::Talk;

fn plain(reply: &Reply) -> Vec<u8> {
    let mut inflated = Vec::new();
    match reply.header("content-encoding") {
        Some("gzip") => {
            let mut decoder = MultiGzDecoder::new(&reply.body[..]);
            decoder.read_to_end(&mut inflated).expect("whole gzip");
        }
        Some("zstd") => inflated = zstd::decode_all(&reply.body[..]).expect("whole zstd"),
        other => {
            assert_eq!(other, None);
            inflated = reply.body.clone();
        }
    }
    inflated
}

#[tokio::test]
async fn long_replies_are_compressed_for_who_asks() {
    let server = Server::start().await;
    let points = long_history(3_000);
    server.fit("a", &points).await.ok();
    let lines: String = (0..500)
        .map(|i| format!("{}\n", point(1_700_000_000 + i, 50.0)))
        .collect();
    let bodies = [
        ("/predict/a", "application/json", points.to_string()),
        (
            "/predict/a?fields=anomaly",
            "application/json",
            points.to_string(),
        ),
        ("/detect", "application/json", long_history(400).to_string()),
        ("/predict/a", "application/x-ndjson", lines),
    ];
    for (target, media_type, body) in &bodies {
        let ask = async |accept: Option<&str>| {
            let mut headers = vec![("content-type", *media_type)];
            headers.extend(accept.map(|accept| ("accept-encoding", accept)));
            server.send("POST", target, &headers, body.clone()).await
        };
        let expected = ask(None).await;
        assert_eq!(expected.status, 200, "{target}: {}", expected.text());
        for (accept, coding) in [
            ("gzip", Some("gzip")),
            ("zstd", Some("zstd")),
            ("gzip;q=0.5, zstd", Some("zstd")),
            ("br, deflate, gzip;q=0.1", Some("gzip")),
            ("br", None),
            ("gzip;q=0", None),
            ("identity, gzip;q=0.5", None),
            ("*", None),
        ] {
            let reply = ask(Some(accept)).await;
            assert_eq!(
                reply.header("content-encoding"),
                coding,
                "{target} {accept}"
            );
            assert!(plain(&reply) == expected.body, "{target} {accept}");
            assert_eq!(reply.header("vary"), Some("accept, accept-encoding"));
            if coding.is_some() {
                assert!(reply.body.len() < expected.body.len(), "{target} {accept}");
            }
        }
        assert_eq!(expected.header("vary"), Some("accept, accept-encoding"));
    }
    // A short one is one packet in any case.
    let headers = [
        ("content-type", "application/json"),
        ("accept-encoding", "gzip"),
    ];
    let body = point(1_700_000_000, 50.0).to_string();
    let short = server.send("POST", "/predict/a", &headers, body).await;
    assert_eq!(
        (short.status, short.header("content-encoding")),
        (200, None)
    );
}

/// Compressed or not, a line is there before the next is sent.
#[tokio::test]
async fn lines_are_compressed_as_they_are_answered() {
    let server = Server::start().await;
    server.fit("a", &history(&[1.0, 2.0, 4.0, 3.0])).await.ok();
    for coding in ["gzip", "zstd"] {
        let asked = format!("Accept-Encoding: {coding}\r\n");
        let mut talk = Talk::begin(&server, "/predict/a", &asked).await;
        let head = talk.head().await;
        assert!(
            head.contains(&format!("content-encoding: {coding}\r\n")),
            "{head}"
        );
        let mut came = Vec::new();
        let mut expected = String::new();
        for i in 0..20 {
            let line = format!("{}\n", point(9, f64::from(i)));
            talk.send(&line).await;
            expected += server.post("/predict/a", line).await.text();
            expected.push('\n');
            // What has come can be read, although the end has not.
            while inflated(coding, &came) != expected.as_bytes() {
                came.extend(talk.piece().await.expect("more comes"));
            }
        }
        talk.end().await;
        while let Some(piece) = talk.piece().await {
            came.extend(piece);
        }
        let reply = Reply {
            status: 200,
            headers: vec![("content-encoding".to_owned(), coding.to_owned())],
            body: came,
        };
        assert_eq!(
            plain(&reply),
            expected.as_bytes(),
            "{coding}: it has its end"
        );
    }
}

/// What can be read of a reply that goes on.
fn inflated(coding: &str, came: &[u8]) -> Vec<u8> {
    let mut reader: Box<dyn Read> = match coding {
        "gzip" => Box::new(MultiGzDecoder::new(came)),
        _ => Box::new(zstd::stream::read::Decoder::new(came).expect("a decoder")),
    };
    let (mut inflated, mut buffer) = (Vec::new(), [0; 4_096]);
    while let Ok(n @ 1..) = reader.read(&mut buffer) {
        inflated.extend_from_slice(&buffer[..n]);
    }
    inflated
}
