//! Requests whose answer nobody waits for: past their deadline, or their client has gone.

use std::io::Write;
use std::net::TcpStream;

use rstest::rstest;

use super::*;
use crate::problem::assert_problem;
use crate::raw;

/// Points that keep the thread busy for longer than a request here waits.
const LONG: usize = 20_000;

async fn long_predict(server: &Arc<Server>) -> tokio::task::JoinHandle<Reply> {
    let busy = {
        let server = Arc::clone(server);
        tokio::spawn(async move { server.predict(DEAR, &columns(LONG)).await })
    };
    until_busy(server).await;
    busy
}

#[tokio::test]
async fn a_request_whose_deadline_passes_in_the_queue_never_runs() {
    let server = busy_server(&[]).await;
    fit_dear(&server, "late").await;
    fit_dear(&server, "in-time").await;
    let busy = long_predict(&server).await;
    let ask = |series: &str, ms: &'static str| {
        let (server, target) = (Arc::clone(&server), format!("/predict/{series}"));
        tokio::spawn(async move {
            let headers = [("x-request-deadline-ms", ms)];
            let body = columns(3).to_string();
            server.send("POST", &target, &headers, body).await
        })
    };
    let in_time = ask("in-time", "60000");
    let late = ask("late", "20").await.unwrap();
    let problem = assert_problem(&late, 503, "deadline_exceeded");
    assert!(late.header("retry-after").is_some(), "{problem}");
    assert!(!busy.is_finished(), "it was answered before its turn");
    busy.await.unwrap().ok();
    // The control: a request that waited in the same queue was served.
    in_time.await.unwrap().ok();
    assert_eq!(scored(&server, "in-time").await, 3);
    assert_eq!(scored(&server, "late").await, 0);
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
    assert_eq!(*loc, json!(["header", "x-request-deadline-ms"]));
}

#[tokio::test]
async fn a_request_whose_client_has_gone_never_runs() {
    let server = busy_server(&[]).await;
    fit_dear(&server, "gone").await;
    fit_dear(&server, "there").await;
    let busy = long_predict(&server).await;
    let before = utilization(&server).await;
    let sent = |series: &str| {
        let mut stream = TcpStream::connect(server.addr).expect("it listens");
        let target = format!("/predict/{series}");
        let body = columns(3).to_string();
        let request = raw::post(target.as_bytes(), body.as_bytes());
        stream.write_all(&request).expect("it reads");
        stream
    };
    let gone = sent("gone");
    let there = sent("there");
    let begun = Instant::now();
    while utilization(&server).await < before * 2.5 {
        assert!(
            begun.elapsed() < HANG && !busy.is_finished(),
            "they do not wait"
        );
    }
    drop(gone);
    while utilization(&server).await > before * 2.5 {
        assert!(
            begun.elapsed() < HANG && !busy.is_finished(),
            "it stays in the queue"
        );
    }
    busy.await.unwrap().ok();
    // The control: the one whose client is still there was served, after the other's turn.
    while scored(&server, "there").await < 3 {
        assert!(begun.elapsed() < HANG, "it is not served");
    }
    assert_eq!(scored(&server, "gone").await, 0);
    drop(there);
}
