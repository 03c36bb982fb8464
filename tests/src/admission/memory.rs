//! O9: what requests take is bounded by one budget, whatever they declare.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::*;
use crate::problem::assert_problem;
use crate::raw;

/// Leaves about 11 MiB for requests.
const FLAGS: [&str; 6] = [
    "--memory-budget",
    "20MiB",
    "--model-cache",
    "8MiB",
    "--max-connections",
    "100",
];

/// A connection that has declared a large body and sends none of it.
pub(super) struct Held(TcpStream);

impl Held {
    pub(super) fn declare(addr: SocketAddr, route: &str, bytes: usize) -> Self {
        let mut stream = TcpStream::connect(addr).expect("it listens");
        let head = format!(
            "POST /{route}/a HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {bytes}\r\n\r\n "
        );
        stream.write_all(head.as_bytes()).expect("it reads");
        Self(stream)
    }

    /// The status of the reply, or none if the server waits for the body.
    fn status(&mut self, wait: Duration) -> Option<u16> {
        self.0.set_read_timeout(Some(wait)).expect("a time limit");
        let mut reply = [0; 12];
        self.0.read_exact(&mut reply).ok()?;
        String::from_utf8_lossy(&reply[9..]).parse().ok()
    }
}

const WAIT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn declared_bodies_beyond_the_budget_are_refused_and_their_memory_comes_back() {
    let server = Server::with(&FLAGS).await;
    let addr = server.addr;
    let declared = tokio::task::spawn_blocking(move || {
        let routes = ["fit", "predict", "update"];
        let mut held: Vec<Held> = (0..30)
            .map(|n| Held::declare(addr, routes[n % 3], 3_000_000))
            .collect();
        let taken = |held: &mut Vec<Held>| {
            let statuses = held.iter_mut().map(|held| held.status(WAIT));
            let (taken, refused): (Vec<_>, Vec<_>) = statuses.partition(Option::is_none);
            assert!(
                refused.iter().all(|status| *status == Some(503)),
                "{refused:?}"
            );
            taken.len()
        };
        // Of eleven MiB, three such bodies.
        assert_eq!(taken(&mut held), 3);
        let mut one_more = Held::declare(addr, "fit", 10_000_000);
        assert_eq!(one_more.status(WAIT), Some(503));
        drop(held);
        // All of it is there again, once the server has noticed.
        let begun = Instant::now();
        while Held::declare(addr, "fit", 10_000_000)
            .status(WAIT)
            .is_some()
        {
            assert!(begun.elapsed() < HANG, "the memory does not come back");
        }
    });
    declared.await.expect("no panic");
    let small = server
        .fit("small", &crate::server::history(&[1.0, 2.0, 4.0]))
        .await;
    small.ok();
}

/// The control: with a larger budget the same bodies are taken.
#[tokio::test]
async fn a_larger_budget_takes_the_same_bodies() {
    let server = Server::start().await;
    let addr = server.addr;
    let declared = tokio::task::spawn_blocking(move || {
        let mut held: Vec<Held> = (0..30)
            .map(|_| Held::declare(addr, "fit", 3_000_000))
            .collect();
        held.iter_mut().all(|held| held.status(WAIT).is_none())
    });
    assert!(declared.await.expect("no panic"));
}

/// A body that tells its length only by its end takes memory as it arrives.
#[tokio::test]
async fn a_body_of_unknown_length_is_refused_when_it_outgrows_the_budget() {
    let server = Server::with(&FLAGS).await;
    let mut held = Held::declare(server.addr, "fit", 9_000_000);
    let waits = tokio::task::spawn_blocking(move || (held.status(WAIT), held));
    let (status, held) = waits.await.expect("no panic");
    assert_eq!(status, None, "it is taken");
    let mut request = b"POST /fit/b HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\
                        Transfer-Encoding: chunked\r\n\r\n"
        .to_vec();
    for _ in 0..40 {
        request.extend_from_slice(b"10000\r\n");
        request.extend_from_slice(&[b' '; 0x10000]);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"0\r\n\r\n");
    let reply = raw::exchange(server.addr, request).await;
    assert_problem(&reply, 503, "overloaded");
    drop(held);
}

/// A body larger than what requests may take together is read when there is no other.
#[tokio::test]
async fn the_largest_body_is_served_when_it_is_alone() {
    let server = Server::with(&FLAGS).await;
    let timestamps: Vec<usize> = (1..700_000).collect();
    let values: Vec<usize> = timestamps.iter().map(|t| t % 97).collect();
    let body = json!({"timestamps": timestamps, "values": values, "model": "gaussian"});
    server.fit("large", &body).await.ok();
}
