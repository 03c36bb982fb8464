//! O3 and O4: what is refused is refused before its body is read, and says when to come again.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::*;
use crate::problem::assert_problem;
use crate::raw;
use crate::server::{history, point};

/// What is wrong with a refusal, if anything.
fn fault(reply: &Reply) -> Option<String> {
    let header = |name: &str| reply.header(name).unwrap_or_default().to_owned();
    let retry_after = header("retry-after");
    let seconds = retry_after.parse::<u32>().ok();
    let class = "\"predict\"";
    let left = seconds.map(|s| format!("{class};r=0;t={s}"));
    let policy = format!("{class};q=1024;qu=\"concurrent-requests\"");
    [
        (!matches!(reply.status, 429 | 503), "status"),
        (
            !seconds.is_some_and(|s| (1..=5).contains(&s)),
            "Retry-After",
        ),
        (
            header("content-type") != "application/problem+json",
            "Content-Type",
        ),
        (Some(header("ratelimit")) != left, "RateLimit"),
        (header("ratelimit-policy") != policy, "RateLimit-Policy"),
    ]
    .into_iter()
    .find_map(|(is_wrong, what)| is_wrong.then(|| format!("{what} of {reply:?}")))
}

#[tokio::test]
async fn every_refusal_says_when_to_come_again() {
    let server = busy_server(&[]).await;
    let flood = Flood::begin(&server, &[]).await;
    let refused = flood.end().await;
    let mut seconds = BTreeSet::new();
    for reply in &refused {
        assert_problem(reply, 503, "overloaded");
        assert_eq!(fault(reply), None);
        seconds.insert(reply.header("retry-after").map(str::to_owned));
    }
    assert_eq!(
        seconds.len(),
        5,
        "those of {} do not come back together",
        refused.len()
    );
}

#[tokio::test]
async fn a_refusal_without_any_of_it_is_noticed() {
    let server = busy_server(&[]).await;
    let whole = Flood::begin(&server, &[]).await.end().await.remove(0);
    for name in [
        "retry-after",
        "content-type",
        "ratelimit",
        "ratelimit-policy",
    ] {
        let mut without = whole.clone();
        without.headers.retain(|(key, _)| key != name);
        assert!(fault(&without).is_some(), "{name}");
    }
    let mut in_words = whole.clone();
    for (key, value) in &mut in_words.headers {
        if key == "retry-after" {
            *value = "Wed, 21 Oct 2026 07:28:00 GMT".to_owned();
        }
    }
    assert!(fault(&in_words).is_some());
    assert_eq!(fault(&whole), None);
}

/// Sends the head of a predict with a body, and no body: the status, if there is a reply within `wait`.
async fn head_only(addr: SocketAddr, wait: Duration) -> Option<u16> {
    let exchange = move || -> std::io::Result<Option<u16>> {
        let mut stream = TcpStream::connect(addr)?;
        stream.set_read_timeout(Some(wait))?;
        let head = format!(
            "POST /predict/{DEAR} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9000\r\n\r\n"
        );
        stream.write_all(head.as_bytes())?;
        let mut reply = [0; 12];
        match stream.read_exact(&mut reply) {
            Ok(()) => Ok(String::from_utf8_lossy(&reply[9..]).parse().ok()),
            Err(_timeout) => Ok(None),
        }
    };
    let exchanged = tokio::task::spawn_blocking(exchange).await;
    exchanged.expect("no panic").expect("the server accepts")
}

#[tokio::test]
async fn a_request_is_refused_before_its_body_is_read() {
    let server = busy_server(&[]).await;
    let wait = Duration::from_millis(500);
    // The control: with room in the queue, the server waits for the body.
    assert_eq!(head_only(server.addr, wait).await, None);
    let flood = Flood::begin(&server, &[]).await;
    let begun = Instant::now();
    // A place may be free for a moment.
    let status = loop {
        if let Some(status) = head_only(server.addr, wait).await {
            break status;
        }
        assert!(begun.elapsed() < HANG, "never refused");
    };
    assert_eq!(status, 503);
    flood.end().await;
}

#[tokio::test]
async fn what_is_answered_at_once_is_not_refused() {
    let server = busy_server(&[]).await;
    server.fit("light", &history(&[1.0, 2.0, 4.0])).await.ok();
    let flood = Flood::begin(&server, &[]).await;
    for _ in 0..100 {
        server.predict("light", &point(4, 2.0)).await.ok();
    }
    server.fit("light", &history(&[1.0, 2.0, 5.0])).await.ok();
    flood.end().await;
}

/// A client that sends a large body without looking finds the refusal when it does look.
#[tokio::test]
async fn a_client_that_sends_on_reads_the_refusal() {
    let flags = [
        "--memory-budget",
        "20MiB",
        "--model-cache",
        "8MiB",
        "--max-connections",
        "100",
    ];
    let server = busy_server(&flags).await;
    let memory = memory::Held::declare(server.addr, "fit", 10_000_000);
    let begun = Instant::now();
    let body = vec![b' '; 10_000_000];
    let request = raw::post(b"/fit/large", &body);
    let reply = loop {
        let reply = raw::exchange(server.addr, request.clone()).await;
        if reply.status == 503 {
            break reply;
        }
        assert!(begun.elapsed() < HANG, "the memory is not taken");
    };
    assert_problem(&reply, 503, "overloaded");
    drop(memory);
}

/// The rest of a small body is read, and the connection is there for the next request.
#[tokio::test]
async fn a_connection_outlives_the_refusal_of_a_small_request() {
    let server = busy_server(&[]).await;
    let flood = Flood::begin(&server, &[]).await;
    let addr = server.addr;
    let refused = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(addr).expect("it listens");
        stream.set_read_timeout(Some(HANG)).expect("a time limit");
        let body = columns(POINTS).to_string();
        let request = raw::post(format!("/predict/{DEAR}").as_bytes(), body.as_bytes());
        let statuses = (0..20).map(|_| {
            stream.write_all(&request).expect("the connection is open");
            raw::read_reply(&mut stream).expect("a reply").status
        });
        statuses.filter(|status| *status == 503).count()
    });
    assert!(refused.await.expect("the connection stays") > 1);
    flood.end().await;
}
