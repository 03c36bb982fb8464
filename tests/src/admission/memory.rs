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
        // All have had the time of the first, and not so long that a body would have to get on.
        let waits = std::iter::once(WAIT).chain(std::iter::repeat(Duration::from_millis(10)));
        let mut each = held.iter_mut().zip(waits);
        each.all(|(held, wait)| held.status(wait).is_none())
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
    let refusals = "tidemark_refusals_total{class=\"fit\",reason=\"memory\"}";
    assert_eq!(metric(&server, refusals).await, 0.0);
    let reply = raw::exchange(server.addr, request).await;
    assert_problem(&reply, 503, "overloaded");
    assert_eq!(metric(&server, refusals).await, 1.0);
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

/// What the line of `/metrics` that begins with `sample` tells.
async fn metric(server: &Server, sample: &str) -> f64 {
    let reply = server.get("/metrics").await;
    let text = String::from_utf8(reply.body).expect("text");
    let value = text.lines().find_map(|line| line.strip_prefix(sample));
    let value = value.and_then(|rest| rest.trim().parse().ok());
    value.unwrap_or_else(|| panic!("no {sample} in {text}"))
}

const USED: &str = "tidemark_memory_used_bytes{part=\"requests\"}";

/// A declared body that does not come gives its memory back at the deadline, and so does one that trickles.
#[tokio::test]
async fn a_body_that_does_not_come_holds_its_memory_until_the_deadline() {
    let server = Server::with(&["--max-body", "64MiB"]).await;
    let declared = 60_000_000;
    let ask = |ms: u64, more: &[u8]| {
        let mut request = format!(
            "POST /fit/a HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\
             X-Request-Deadline-Ms: {ms}\r\nContent-Length: {declared}\r\n\r\n"
        )
        .into_bytes();
        request.extend_from_slice(more);
        let mut stream = TcpStream::connect(server.addr).expect("it listens");
        stream.write_all(&request).expect("it reads");
        stream.set_read_timeout(Some(HANG)).expect("a time limit");
        stream
    };
    // The control: with more time, the memory stays taken.
    let patient = ask(600_000, b"{");
    let begun = Instant::now();
    while metric(&server, USED).await == 0.0 {
        assert!(begun.elapsed() < HANG, "the memory is not taken");
    }
    for more in [&b""[..], b"{\"timestamps\":["] {
        let mut stream = ask(300, more);
        let read = tokio::task::spawn_blocking(move || {
            let reply = raw::read_reply(&mut stream).expect("it answers");
            let left = stream.read(&mut [0]).expect("it closes");
            (reply, left)
        });
        let (reply, left) = read.await.expect("no panic");
        assert_problem(&reply, 408, "body_timeout");
        assert_eq!(left, 0, "the connection is closed");
    }
    assert_eq!(metric(&server, USED).await, f64::from(declared));
    drop(patient);
    while metric(&server, USED).await != 0.0 {
        assert!(begun.elapsed() < HANG, "the memory does not come back");
    }
}

/// A fit whose body is padded to this length: its work takes more than [`FLAGS`] leave for all.
const PADDED: usize = 1_000_000;

/// Sends the head of a padded fit and all of its body but the last byte.
fn almost(server: &Server, series: &str, history: &Value) -> TcpStream {
    let mut body = history.to_string();
    body.extend(std::iter::repeat_n(' ', PADDED - body.len()));
    let request = raw::post(format!("/fit/{series}").as_bytes(), body.as_bytes());
    let mut stream = TcpStream::connect(server.addr).expect("it listens");
    let sent = &request[..request.len() - 1];
    stream.write_all(sent).expect("it reads");
    stream.set_read_timeout(Some(HANG)).expect("a time limit");
    stream
}

async fn rest(mut stream: TcpStream) -> Reply {
    let reply = tokio::task::spawn_blocking(move || {
        stream.write_all(b" ").expect("it reads");
        raw::read_reply(&mut stream).expect("it answers")
    });
    reply.await.expect("no panic")
}

/// What bodies take is not all: the work on one begins when it fits or no other is under way.
#[tokio::test]
async fn work_that_does_not_fit_beside_other_work_is_refused() {
    let flags = [&FLAGS[..], &["--compute-threads", "2"]].concat();
    let server = Server::with(&flags).await;
    let small = crate::server::history(&[1.0, 2.0, 4.0]);
    let slow = almost(&server, "slow", &slow_history());
    let refused = almost(&server, "refused", &small);
    // The control: the same body, once no work is under way.
    let later = almost(&server, "later", &small);
    let begun = Instant::now();
    while metric(&server, USED).await < 3.0 * PADDED as f64 {
        assert!(begun.elapsed() < HANG, "the bodies do not arrive");
    }
    let slow = tokio::spawn(rest(slow));
    while metric(&server, "tidemark_admission_running{class=\"fit\"}").await == 0.0 {
        assert!(begun.elapsed() < HANG, "the fit does not begin");
    }
    assert_problem(&rest(refused).await, 503, "overloaded");
    assert!(!slow.is_finished(), "the fit was not slow");
    assert_eq!(slow.await.expect("no panic").status, 200);
    assert_eq!(rest(later).await.status, 200);
}
