//! Requests whose answer nobody waits for: past their deadline, or their client has gone.

use std::io::Write;
use std::net::TcpStream;

use rstest::rstest;

use super::*;
use crate::problem::assert_problem;
use crate::raw;
use crate::server::point;

/// Fits before those that are looked at.
const BEFORE: usize = 6;

/// Whether `series` was fitted.
async fn is_fitted(server: &Server, series: &str) -> bool {
    let reply = server.predict(series, &point(1, 1.0)).await;
    assert!(matches!(reply.status, 200 | 404), "{reply:?}");
    reply.status == 200
}

#[tokio::test]
async fn a_request_whose_deadline_passes_in_the_queue_never_runs() {
    let server = busy_server(&[]).await;
    let mut fits = slow_fits(&server, BEFORE).await;
    let ask = |series: &str, ms: &'static str| {
        let (server, target) = (Arc::clone(&server), format!("/fit/{series}"));
        tokio::spawn(async move {
            let headers = [("x-request-deadline-ms", ms)];
            let body = slow_history().to_string();
            server.send("POST", &target, &headers, body).await
        })
    };
    let in_time = ask("in-time", "600000");
    let late = ask("late", "100").await.unwrap();
    assert_problem(&late, 503, "deadline_exceeded");
    assert!(late.header("retry-after").is_some());
    assert!(!in_time.is_finished(), "it was answered before its turn");
    while let Some(status) = fits.join_next().await {
        assert_eq!(status.unwrap(), 200);
    }
    // The control: a request that waited in the same queue with more time was served.
    in_time.await.unwrap().ok();
    assert!(is_fitted(&server, "in-time").await);
    assert!(!is_fitted(&server, "late").await);
}

/// Sends a head, waits, and sends the body.
async fn slowly(server: &Server, series: &str, ms: u64, pause: Duration) -> Reply {
    let body = crate::server::history(&[1.0, 2.0, 4.0]).to_string();
    let head = format!(
        "POST /fit/{series} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\
         X-Request-Deadline-Ms: {ms}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let addr = server.addr;
    let asked = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(addr).expect("it listens");
        stream.write_all(head.as_bytes()).expect("it reads");
        std::thread::sleep(pause);
        // The connection may have been closed by then; the reply is there in any case.
        let _ = stream.write_all(body.as_bytes());
        raw::read_reply(&mut stream).expect("it answers")
    });
    asked.await.expect("no panic")
}

/// No queue is in its way, and yet it does not run.
#[tokio::test]
async fn a_small_request_whose_body_comes_after_the_deadline_never_runs() {
    let server = Server::start().await;
    let pause = Duration::from_millis(400);
    let late = slowly(&server, "late", 50, pause).await;
    assert_problem(&late, 408, "body_timeout");
    assert!(!is_fitted(&server, "late").await);
    // The control: with more time, the same body is served.
    slowly(&server, "in-time", 600_000, pause).await.ok();
    assert!(is_fitted(&server, "in-time").await);
}

#[rstest]
#[case("0")]
#[case("-1")]
#[case("soon")]
#[case("1.5")]
#[case("86400001")]
#[tokio::test]
async fn a_deadline_that_is_none_is_named(#[case] ms: &str) {
    let server = Server::start().await;
    let headers = [("x-request-deadline-ms", ms)];
    let reply = server.send("POST", "/predict/a", &headers, "{}").await;
    let problem = assert_problem(&reply, 422, "invalid_header");
    let loc = &problem["errors"][0]["loc"];
    assert_eq!(*loc, json!(["header", "X-Request-Deadline-Ms"]));
}

#[tokio::test]
async fn a_request_whose_client_has_gone_never_runs() {
    let server = busy_server(&[]).await;
    let mut fits = slow_fits(&server, BEFORE).await;
    let sent = |series: &str| {
        let mut stream = TcpStream::connect(server.addr).expect("it listens");
        let body = slow_history().to_string();
        let request = raw::post(format!("/fit/{series}").as_bytes(), body.as_bytes());
        stream.write_all(&request).expect("it reads");
        stream
    };
    let gone = sent("gone");
    let mut there = sent("there");
    let waiting = (BEFORE + 2) as f64;
    until_jobs(&server, |jobs| jobs == waiting).await;
    drop(gone);
    until_jobs(&server, |jobs| jobs < waiting).await;
    while let Some(status) = fits.join_next().await {
        assert_eq!(status.unwrap(), 200);
    }
    // The control: the one whose client is still there was served, after the other's turn.
    let served = tokio::task::spawn_blocking(move || raw::read_reply(&mut there).unwrap());
    assert_eq!(served.await.unwrap().status, 200);
    assert!(!is_fitted(&server, "gone").await);
}
