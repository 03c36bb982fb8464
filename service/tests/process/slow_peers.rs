//! S1: whoever does not get on loses its connection within ten seconds, in whichever part of an exchange, and others are
//! served meanwhile. Whoever is slow but gets on is served.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::net::sockopt;

use super::binary::Tidemark;
use super::http::{Connection, Reply};
use super::{from_env, payload};

/// Ten seconds are promised, to a machine that does something else as well.
const CLOSED_WITHIN: Duration = Duration::from_secs(14);
/// Longer than any peer may be silent.
const LONG: Duration = Duration::from_secs(11);
const TICK: Duration = Duration::from_millis(250);
/// As if somebody typed it.
const HEAD: &[u8] = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Slow: ";
const GET: &[u8] = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n";
/// Many replies, of which a reader does not take all.
const PIPELINED: usize = 200;

/// A way not to get on.
#[derive(Clone, Copy)]
struct Class {
    name: &'static str,
    /// Sent first; what is answered is read if `is_answered`.
    first: &'static [u8],
    is_answered: bool,
    then: &'static [u8],
    /// Sent every [`TICK`].
    dribbled: &'static [u8],
    reads: Reads,
}

#[derive(Clone, Copy, PartialEq)]
enum Reads {
    All,
    Little,
    Nothing,
}

const SILENT: Class = Class {
    name: "silent",
    first: b"",
    is_answered: false,
    then: b"",
    dribbled: b"",
    reads: Reads::All,
};
const SHORT_BODY: &[u8] =
    b"POST /predict/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000\r\n\r\n{";
const CHUNKED: &[u8] =
    b"POST /predict/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
const CHUNKED_AND_REFUSED: &[u8] =
    b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
const METRICS_LINE: &[u8] = b"GET /metrics ";
const METRICS: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";

const LINES: &[u8] = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n";

const CLASSES: [Class; 13] = [
    SILENT,
    Class {
        name: "idle after a reply",
        first: GET,
        is_answered: true,
        ..SILENT
    },
    Class {
        name: "slow first head",
        first: HEAD,
        dribbled: b"a",
        ..SILENT
    },
    Class {
        name: "slow later head",
        first: GET,
        is_answered: true,
        then: HEAD,
        dribbled: b"a",
        ..SILENT
    },
    Class {
        name: "half a pipelined head",
        first:
            b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\nGET /health/live HTTP/1.1\r\nX-",
        is_answered: true,
        ..SILENT
    },
    Class {
        name: "stalled body",
        first: SHORT_BODY,
        ..SILENT
    },
    Class {
        name: "slow body",
        first: SHORT_BODY,
        dribbled: b" ",
        ..SILENT
    },
    Class {
        name: "slow chunks",
        first: CHUNKED,
        dribbled: b"1\r\n \r\n",
        ..SILENT
    },
    Class {
        name: "silent before the first line",
        first: LINES,
        ..SILENT
    },
    Class {
        name: "a line without an end",
        first: LINES,
        dribbled: b"1\r\n \r\n",
        ..SILENT
    },
    Class {
        name: "slow chunks that nobody reads",
        first: CHUNKED_AND_REFUSED,
        is_answered: true,
        dribbled: b"1\r\n \r\n",
        ..SILENT
    },
    Class {
        name: "reader that takes nothing",
        first: METRICS,
        reads: Reads::Nothing,
        ..SILENT
    },
    Class {
        name: "reader that takes little",
        first: METRICS,
        reads: Reads::Little,
        ..SILENT
    },
];

/// A connection that does not get on, from then on.
struct Slow {
    stream: TcpStream,
    class: Class,
    since: Instant,
}

impl Slow {
    fn open(addr: SocketAddr, class: Class) -> Self {
        // Otherwise the system takes all of the replies, whoever reads them.
        let (stream, times) = match class.reads {
            Reads::All => (TcpStream::connect(addr).expect("it listens"), 1),
            Reads::Little | Reads::Nothing => (small_window(addr), PIPELINED),
        };
        let mut connection = Connection::over(stream).expect("a connection");
        connection
            .send_raw(&class.first.repeat(times))
            .expect("it reads");
        if class.is_answered {
            connection.receive().expect("a reply");
        }
        connection.send_raw(class.then).expect("it reads");
        let stream = connection.into_stream();
        stream.set_nonblocking(true).expect("it is a socket");
        Self {
            stream,
            class,
            since: Instant::now(),
        }
    }

    /// Gets on a little: whether the connection is open.
    fn tick(&mut self) -> bool {
        let reads = match self.class.reads {
            Reads::All => loop {
                match self.stream.read(&mut [0; 4_096]) {
                    Ok(0) => return false,
                    Ok(_) => {}
                    Err(error) => break Err(error),
                }
            },
            Reads::Little => self.stream.read(&mut [0; 100]),
            // Behind what is not read, only a reset can be seen.
            Reads::Nothing => match self.stream.take_error() {
                Ok(Some(error)) | Err(error) => Err(error),
                Ok(None) => Ok(1),
            },
        };
        match reads {
            Ok(0) => return false,
            Err(error) if error.kind() != ErrorKind::WouldBlock => return false,
            _ => {}
        }
        match self.stream.write_all(self.class.dribbled) {
            Ok(()) => true,
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        }
    }
}

/// What became of the connections of a class.
#[derive(Debug)]
struct Outcome {
    class: &'static str,
    /// Not closed in time.
    open: usize,
    /// That of those that were closed.
    slowest: Duration,
}

/// Opens `n` connections of each class at once and watches them.
fn watch(addr: SocketAddr, n: usize) -> Vec<Outcome> {
    let one = |class: Class| {
        let mut open: Vec<Slow> = (0..n).map(|_| Slow::open(addr, class)).collect();
        let mut slowest = Duration::ZERO;
        let mut overdue = 0;
        while !open.is_empty() {
            std::thread::sleep(TICK);
            open.retain_mut(|slow| {
                let is_open = slow.tick();
                let took = slow.since.elapsed();
                let is_overdue = is_open && took > CLOSED_WITHIN;
                if !is_open {
                    slowest = slowest.max(took);
                }
                overdue += usize::from(is_overdue);
                is_open && !is_overdue
            });
        }
        let class = class.name;
        println!("{class}: {overdue} of {n} open, the others closed after {slowest:.1?} at most");
        Outcome {
            class,
            open: overdue,
            slowest,
        }
    };
    std::thread::scope(|scope| {
        let all = CLASSES.map(|class| scope.spawn(move || one(class)));
        all.into_iter()
            .map(|it| it.join().expect("it does not panic"))
            .collect()
    })
}

/// Predicts all the time, on a kept connection and on new ones, until told to stop: how many, and the slowest.
fn serve_others(addr: SocketAddr, stop: &AtomicBool) -> (usize, Duration) {
    let mut kept = Connection::open(addr).expect("it listens");
    let (mut n, mut slowest) = (0, Duration::ZERO);
    while !stop.load(Ordering::Relaxed) {
        let started = Instant::now();
        let reply = kept.exchange("POST", "/predict/a", payload::POINT);
        assert_eq!(reply.expect("a reply").status, 200);
        let reply = super::http::once(addr, "POST", "/predict/a", payload::POINT);
        assert_eq!(reply.expect("a reply").status, 200);
        slowest = slowest.max(started.elapsed());
        n += 2;
        std::thread::sleep(Duration::from_millis(20));
    }
    (n, slowest)
}

fn fitted(flags: &[&str]) -> (tempfile::TempDir, Tidemark) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Tidemark::start(folder.path(), flags);
    let reply = super::http::once(server.addr, "POST", "/fit/a", &payload::fit(1, 50));
    assert_eq!(reply.expect("a reply").status, 200);
    (folder, server)
}

#[test]
fn slow_peers_lose_their_connections_and_others_are_served() {
    let n = from_env("TIDEMARK_SLOW_PEERS", 20) as usize;
    let (_folder, server) = fitted(&[]);
    let stop = &AtomicBool::new(false);
    let (outcomes, (served, slowest)) = std::thread::scope(|scope| {
        let others = scope.spawn(move || serve_others(server.addr, stop));
        let outcomes = watch(server.addr, n);
        stop.store(true, Ordering::Relaxed);
        (outcomes, others.join().expect("others are served"))
    });
    println!("others: {served} predicts, two of them in {slowest:.1?} at most");
    for outcome in outcomes {
        assert_eq!(outcome.open, 0, "{}", outcome.class);
    }
    assert!(served > 0);
}

/// The control: a server that closes no connection is reported in every class.
#[test]
fn a_server_that_closes_no_connection_is_reported() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || patient(stream));
        }
    });
    for outcome in watch(addr, 2) {
        assert_eq!(
            (outcome.open, outcome.slowest),
            (2, Duration::ZERO),
            "{outcome:?}"
        );
    }
}

/// Answers a whole `GET` with more than anybody waits for, nothing else at all, and waits for ever.
pub(crate) fn patient(mut stream: TcpStream) -> std::io::Result<()> {
    let mut bytes = [0; 16_384];
    let n = stream.read(&mut bytes)?;
    let asked = &bytes[..n];
    if asked.starts_with(METRICS_LINE) && asked.ends_with(b"\r\n\r\n") {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10000000\r\n\r\n")?;
        stream.write_all(&vec![b' '; 10_000_000])?;
    } else if !asked.starts_with(b"POST /predict") && !asked.starts_with(HEAD) {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")?;
    }
    while stream.read(&mut bytes)? > 0 {}
    Ok(())
}

/// Sends `bytes` at `rate` bytes a second.
fn send_steadily(connection: &mut Connection, bytes: &[u8], rate: usize) {
    for piece in bytes.chunks(rate / 4) {
        connection.send_raw(piece).expect("it is read");
        std::thread::sleep(Duration::from_millis(250));
    }
}

fn head(target: &str, length: usize) -> String {
    format!("POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n")
}

/// Whoever gets on, if only at 1.5 KiB a second, is served however long it takes.
#[test]
fn a_steady_upload_is_served() {
    let (_folder, server) = fitted(&[]);
    let mut body = payload::fit(2, 200);
    body.resize(18 * 1_024, b' ');
    let mut connection = Connection::open(server.addr).expect("it listens");
    let head = head("/fit/steady", body.len());
    connection.send_raw(head.as_bytes()).expect("it reads");
    let started = Instant::now();
    send_steadily(&mut connection, &body, 1_536);
    assert!(started.elapsed() > Duration::from_secs(11), "it is slow");
    assert_eq!(connection.receive().expect("a reply").status, 200);
    server.stop();
}

/// Whoever takes a reply slowly but steadily, 2 KiB a second here, gets all of it.
#[test]
fn a_steady_reader_is_served() {
    let (_folder, server) = fitted(&[]);
    let socket = small_window(server.addr);
    let mut connection = Connection::over(socket).expect("it is connected");
    let last = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let all = [&METRICS.repeat(9)[..], last].concat();
    connection.send_raw(&all).expect("it reads");
    let mut stream = connection.into_stream();
    let started = Instant::now();
    let mut received = Vec::new();
    while started.elapsed() < Duration::from_secs(20) {
        let mut some = [0; 512];
        let n = stream.read(&mut some).expect("it is not cut off");
        received.extend_from_slice(&some[..n]);
        std::thread::sleep(TICK);
    }
    println!("{} bytes in {:.1?}", received.len(), started.elapsed());
    assert!(received.len() < 64 * 1_024, "it is slow");
    stream
        .read_to_end(&mut received)
        .expect("it is not cut off");
    let replies = String::from_utf8(received).expect("metrics are text");
    assert_eq!(replies.matches("HTTP/1.1 200 OK").count(), 10);
    drop(stream);
    server.stop();
}

/// Connected with so small a window that the server can tell what is taken of a reply.
fn small_window(to: SocketAddr) -> TcpStream {
    use rustix::net::{AddressFamily, SocketType, connect, socket};
    let stream = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    sockopt::set_socket_recv_buffer_size(&stream, 2_048).expect("a small buffer");
    connect(&stream, &to).expect("it listens");
    stream.into()
}

/// A request that the server works on for longer than any peer may be silent is answered.
#[test]
fn a_request_that_takes_long_is_answered() {
    let (_folder, server) = fitted(&["--memory-budget", "8GiB"]);
    let answered = |n: usize| {
        let values: Vec<usize> = (0..n).map(|i| i * 7_919 % 1_009).collect();
        let timestamps: Vec<usize> = (1..=n).map(|i| 60 * i).collect();
        let body = serde_json::json!({ "timestamps": timestamps, "values": values }).to_string();
        let mut connection = Connection::open(server.addr).expect("it listens");
        let patience = Duration::from_secs(600);
        connection.answered_within(patience).expect("a socket");
        let started = Instant::now();
        let patient = "X-Request-Deadline-Ms: 3600000\r\n";
        let target = "/detect?fields=anomaly";
        let sent = connection.send_with(patient, "POST", target, body.as_bytes());
        sent.expect("it reads");
        assert_eq!(connection.receive().expect("a reply").status, 200);
        started.elapsed()
    };
    // So long that judging it takes long enough on this machine.
    let mut n = 10_000;
    let mut took = answered(n);
    while took < LONG && n < 2_000_000 {
        n *= 2;
        took = answered(n);
    }
    println!("{n} points, answered after {took:.1?}");
    assert!(took >= LONG, "that is no long time");
    server.stop();
}

/// Two requests in one write, the second of which is completed later, are both answered; so is one after a pause.
#[test]
fn pipelined_requests_are_answered() {
    let (_folder, server) = fitted(&[]);
    let mut connection = Connection::open(server.addr).expect("it listens");
    let mut receive = |bytes: &[u8], pause: u64| -> Reply {
        connection.send_raw(bytes).expect("it reads");
        std::thread::sleep(Duration::from_secs(pause));
        connection.receive().expect("a reply")
    };
    assert_eq!(receive(&[GET, GET, HEAD].concat(), 0).status, 200);
    assert_eq!(receive(b"", 4).status, 200);
    assert_eq!(receive(b"a\r\n\r\n", 6).status, 200);
    assert_eq!(receive(GET, 0).status, 200);
    server.stop();
}

/// Connections of one address beyond its number are refused, those of another are not.
#[test]
fn a_peer_has_so_many_connections() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Tidemark::start(folder.path(), &["--max-connections-per-peer", "5"]);
    let mut open: Vec<_> = (0..5)
        .map(|_| Connection::open(server.addr).expect("it listens"))
        .collect();
    for connection in &mut open {
        let live = connection.exchange("GET", "/health/live", b"");
        assert_eq!(live.expect("a reply").status, 200);
    }
    let mut sixth = Connection::open(server.addr).expect("the system accepts it");
    let refused = sixth.receive().expect("it is told why");
    assert_eq!(refused.status, 429);
    assert!(sixth.is_closed_by_peer());
    let mut other =
        Connection::over(from_address([127, 0, 0, 2], server.addr)).expect("it is connected");
    let metrics = other.exchange("GET", "/metrics", b"").expect("a reply");
    let counted = "tidemark_connections_closed_total{reason=\"peer_limit\"} 1";
    assert!(metrics.text().contains(counted), "{}", metrics.text());
    drop(open.pop());
    let started = Instant::now();
    while super::http::once(server.addr, "GET", "/health/live", b"")
        .map_or(true, |reply| reply.status != 200)
    {
        assert!(
            started.elapsed() < CLOSED_WITHIN,
            "its place is not given back"
        );
    }
    server.stop();
}

/// The control: unless it is asked for, connections from the machine itself are not counted.
#[test]
fn the_machine_itself_has_any_number_of_connections() {
    let (_folder, server) = fitted(&["--max-connections", "16"]);
    let mut open: Vec<_> = (0..12)
        .map(|_| Connection::open(server.addr).expect("it listens"))
        .collect();
    for connection in &mut open {
        let live = connection.exchange("GET", "/health/live", b"");
        assert_eq!(live.expect("a reply").status, 200);
    }
    server.stop();
}

fn from_address(from: [u8; 4], to: SocketAddr) -> TcpStream {
    use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
    let stream = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    bind(&stream, &SocketAddr::from((from, 0))).expect("a loopback address");
    connect(&stream, &to).expect("it listens");
    stream.into()
}
