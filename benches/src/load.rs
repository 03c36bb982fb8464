//! A load generator on one thread: many keep-alive connections, each with one request in flight.
//!
//! It never sleeps. Waking an idle virtual core costs more than a request, and the waker pays: a
//! client that waits would be measured as a slow server. What it reads of a reply is the status
//! and the length.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

const READ_BYTES: usize = 16 * 1024;
const LONGEST: Duration = Duration::from_secs(60);

/// When requests are sent.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// The next one when the reply is there.
    Closed,
    /// So many a second, whether or not replies keep up; latencies count from when a request was
    /// due, so that waiting for a free connection counts too.
    Open(f64),
}

/// What one run measured.
pub struct Outcome {
    /// Replies.
    pub requests: u64,
    /// From the first request to the last reply.
    pub elapsed: Duration,
    /// Nanoseconds a request.
    pub latency: Histogram<u64>,
}

impl Outcome {
    /// Replies a second.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        self.requests as f64 / self.elapsed.as_secs_f64()
    }

    /// A quantile of the latencies in milliseconds.
    #[must_use]
    pub fn quantile_ms(&self, quantile: f64) -> f64 {
        self.latency.value_at_quantile(quantile) as f64 / 1e6
    }
}

/// Connections to one server.
pub struct Load {
    poll: Poll,
    events: Events,
    connections: Vec<Connection>,
}

struct Connection {
    stream: TcpStream,
    out: Vec<u8>,
    written: usize,
    input: Vec<u8>,
    filled: usize,
    /// When the request in flight was due; none is in flight without it.
    due: Option<Instant>,
}

impl Load {
    /// Opens `connections` connections.
    ///
    /// # Panics
    /// When the server does not take them.
    #[must_use]
    pub fn connect(addr: SocketAddr, connections: usize) -> Self {
        let poll = Poll::new().expect("epoll is there");
        let connections = (0..connections).map(|i| {
            let stream = std::net::TcpStream::connect(addr).expect("the server listens");
            stream.set_nodelay(true).expect("a socket has no delay");
            stream
                .set_nonblocking(true)
                .expect("a socket need not block");
            let mut stream = TcpStream::from_std(stream);
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry()
                .register(&mut stream, Token(i), interest)
                .expect("a socket can be polled");
            Connection {
                stream,
                out: Vec::new(),
                written: 0,
                input: vec![0; READ_BYTES],
                filled: 0,
                due: None,
            }
        });
        Self {
            connections: connections.collect(),
            events: Events::with_capacity(1_024),
            poll,
        }
    }

    /// Sends what `next` writes for `duration`, then waits for the replies in flight.
    ///
    /// # Panics
    /// When a reply is not a 200: a refused request costs less than an answered one.
    pub fn run(
        &mut self,
        duration: Duration,
        pace: Pace,
        mut next: impl FnMut(&mut Vec<u8>),
    ) -> Outcome {
        let mut latency = Histogram::new_with_bounds(1, LONGEST.as_nanos() as u64, 3)
            .expect("the bounds are in order");
        let start = Instant::now();
        let end = start + duration;
        let mut idle: Vec<usize> = (0..self.connections.len()).rev().collect();
        let mut in_flight = 0_usize;
        let mut schedule = Schedule {
            pace,
            start,
            sent: 0,
        };
        loop {
            let now = Instant::now();
            if now < end {
                while let (Some(due), true) = (schedule.due(now), !idle.is_empty()) {
                    let connection = &mut self.connections[idle.pop().expect("one is idle")];
                    connection.out.clear();
                    next(&mut connection.out);
                    connection.start(due);
                    schedule.sent += 1;
                    in_flight += 1;
                }
            } else if in_flight == 0 {
                break;
            }
            self.poll
                .poll(&mut self.events, Some(Duration::ZERO))
                .expect("epoll answers");
            for event in &self.events {
                let index = event.token().0;
                let connection = &mut self.connections[index];
                if event.is_writable() {
                    connection.flush();
                }
                if let Some(due) = connection.finish() {
                    let ns = due.elapsed().as_nanos() as u64;
                    latency.saturating_record(ns.max(1));
                    in_flight -= 1;
                    idle.push(index);
                }
            }
        }
        Outcome {
            requests: schedule.sent,
            elapsed: start.elapsed(),
            latency,
        }
    }
}

struct Schedule {
    pace: Pace,
    start: Instant,
    sent: u64,
}

impl Schedule {
    /// When the next request is due, if that is not after `now`.
    fn due(&self, now: Instant) -> Option<Instant> {
        match self.pace {
            Pace::Closed => Some(now),
            Pace::Open(per_second) => {
                let due = self.start + Duration::from_secs_f64(self.sent as f64 / per_second);
                (due <= now).then_some(due)
            }
        }
    }
}

impl Connection {
    fn start(&mut self, due: Instant) {
        self.written = 0;
        self.filled = 0;
        self.due = Some(due);
        self.flush();
    }

    fn flush(&mut self) {
        while self.due.is_some() && self.written < self.out.len() {
            match self.stream.write(&self.out[self.written..]) {
                Ok(n) => self.written += n,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
                Err(error) => panic!("the server closed a connection: {error}"),
            }
        }
    }

    /// Reads what is there; when the request in flight was due, if its reply is whole.
    fn finish(&mut self) -> Option<Instant> {
        self.due?;
        loop {
            match self.stream.read(&mut self.input[self.filled..]) {
                Ok(0) => panic!("the server closed a connection"),
                Ok(n) => self.filled += n,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return None,
                Err(error) => panic!("a connection broke: {error}"),
            }
            let Some(head) = head(&self.input[..self.filled]).expect("the reply is HTTP") else {
                continue;
            };
            if self.filled == head.bytes + head.body_bytes {
                assert_eq!(
                    head.status,
                    200,
                    "{}",
                    String::from_utf8_lossy(&self.input[..self.filled])
                );
                return self.due.take();
            }
            assert!(
                head.bytes + head.body_bytes <= self.input.len(),
                "replies of this size are for `ask`"
            );
        }
    }
}

/// What a reply's head says.
pub(crate) struct Head {
    pub(crate) status: u16,
    /// Length of the head itself.
    pub(crate) bytes: usize,
    pub(crate) body_bytes: usize,
}

/// Reads a reply's head, once it is whole.
pub(crate) fn head(bytes: &[u8]) -> Result<Option<Head>, String> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut reply = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) =
        reply.parse(bytes).map_err(|error| error.to_string())?
    else {
        return Ok(None);
    };
    let body_bytes = reply
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"))
        .and_then(|header| std::str::from_utf8(header.value).ok()?.parse().ok())
        .ok_or("the reply has no Content-Length")?;
    Ok(Some(Head {
        status: reply.code.unwrap_or_default(),
        bytes: length,
        body_bytes,
    }))
}
