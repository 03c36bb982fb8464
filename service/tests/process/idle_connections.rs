//! O5: probes are answered while the server is overloaded and thousands of connections do nothing.
//! G14: what such a connection costs.

use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::binary::{Tidemark, serve_arguments};
use super::http::{Connection, Reply};
use super::{from_env, payload};

const HEALTH: [&str; 2] = ["--health-addr", "127.0.0.1:0"];
/// Longer than it takes to open all of them and to probe beside them.
const KEPT: [&str; 2] = ["--keep-alive", "1h"];
/// Descriptors of this process for everything else, other tests among it.
const SPARE_DESCRIPTORS: u64 = 1_500;
/// Clients that fit without a pause: many more than there are cores.
const FITTING: usize = 32;
const POINTS: usize = 2_000;
/// Ten probes of each kind a second.
const BETWEEN_PROBES: Duration = Duration::from_millis(100);
/// A guard against hanging, not a promise about speed.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);
/// Resident memory of an idle connection, by G14.
const MOST_BYTES: u64 = 20 * 1024;

/// As many descriptors as this process may have.
fn raise_descriptors() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).expect("up to the hard limit one may raise it");
    most
}

/// Connections that were answered once and stay open.
fn idle(addr: SocketAddr, n: u64) -> Vec<TcpStream> {
    let open = |_| {
        let mut connection = Connection::open(addr).expect("it listens");
        let reply = connection.exchange("POST", "/predict/a", payload::POINT);
        assert_eq!(reply.expect("a reply").status, 200);
        connection.into_stream()
    };
    (0..n).map(open).collect()
}

/// What became of the probes of one port.
#[derive(Debug, Default)]
struct Probed {
    took: Vec<Duration>,
    failures: Vec<String>,
}

impl Probed {
    fn ask(&mut self, addr: SocketAddr, path: &str, patience: Duration) {
        let started = Instant::now();
        let asked = Connection::open(addr).and_then(|mut connection| {
            connection.answered_within(patience)?;
            connection.exchange("GET", path, b"")
        });
        match asked {
            Ok(reply) if is_due(path, &reply) => self.took.push(started.elapsed()),
            Ok(reply) => self.failures.push(format!("{path}: {}", reply.text())),
            Err(error) => self.failures.push(format!("{path}: {error}")),
        }
    }

    fn report(&mut self, port: &str) {
        self.took.sort_unstable();
        let n = self.took.len();
        let p99 = self.took.get((n * 99).div_ceil(100).saturating_sub(1));
        println!(
            "{port}: {n} probes answered, p99 {p99:?}, {} failed",
            self.failures.len()
        );
    }
}

/// An overloaded server may be unready for that reason alone.
fn is_due(path: &str, reply: &Reply) -> bool {
    let is_busy = || reply.json()["reason"] == "pool_near_exhaustion";
    reply.status == 200 || (path == "/health/ready" && reply.status == 503 && is_busy())
}

/// Probes both ports for a while: the main one's and the other's.
fn probe(server: &Tidemark, rounds: u64, patience: Duration) -> [Probed; 2] {
    let mut probed = <[Probed; 2]>::default();
    for _ in 0..rounds {
        for (addr, probed) in [server.addr, server.health()].into_iter().zip(&mut probed) {
            for path in ["/health/live", "/health/ready", "/health/startup"] {
                probed.ask(addr, path, patience);
            }
        }
        std::thread::sleep(BETWEEN_PROBES);
    }
    probed
}

/// Fits without a pause, on one connection until it is closed; what is refused is sent again at once.
fn overload(addr: SocketAddr, stop: &AtomicBool) {
    let body = payload::fit(1, POINTS);
    while !stop.load(Ordering::Relaxed) {
        let Ok(mut connection) = Connection::open(addr) else {
            continue;
        };
        while !stop.load(Ordering::Relaxed)
            && connection.exchange("POST", "/fit/busy", &body).is_ok()
        {}
    }
}

fn resident_bytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    kib.expect("Linux tells it")
        .parse::<u64>()
        .expect("a number")
        * 1024
}

fn start(more: &[&str]) -> (tempfile::TempDir, Tidemark) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Tidemark::start(folder.path(), &[&HEALTH[..], more].concat());
    let fitted = super::http::once(server.addr, "POST", "/fit/a", &payload::fit(1, 50));
    assert_eq!(fitted.expect("a reply").status, 200);
    (folder, server)
}

#[test]
fn probes_are_answered_beside_idle_connections_and_overload() {
    let allowed = raise_descriptors().saturating_sub(SPARE_DESCRIPTORS);
    let n_idle = from_env("TIDEMARK_IDLE", 15_000).min(allowed);
    let (_folder, server) = start(&KEPT);
    drop(idle(server.addr, 100));
    let before = resident_bytes(server.pid());
    let idle = idle(server.addr, n_idle);
    let bytes = resident_bytes(server.pid()).saturating_sub(before) / n_idle;
    println!("{n_idle} idle connections, {bytes} bytes of resident memory each");
    assert!(bytes <= MOST_BYTES, "{bytes}");
    let stop = &AtomicBool::new(false);
    let mut probed = std::thread::scope(|scope| {
        for _ in 0..FITTING {
            scope.spawn(move || overload(server.addr, stop));
        }
        let probed = probe(&server, from_env("TIDEMARK_PROBES", 50), ANSWERED_WITHIN);
        stop.store(true, Ordering::Relaxed);
        probed
    });
    for (probed, port) in probed.iter_mut().zip(["main port", "port for probes"]) {
        probed.report(port);
        assert_eq!(probed.failures, [] as [String; 0], "{port}");
    }
    assert!(idle.iter().all(is_open), "one was closed meanwhile");
    drop(idle);
    server.stop();
}

/// Whether the server keeps `connection`, which has nothing to read.
fn is_open(connection: &TcpStream) -> bool {
    connection.set_nonblocking(true).expect("it is a socket");
    let peeked = connection.peek(&mut [0]);
    peeked.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
}

/// Where the system allows few descriptors, connections get none of those that probes and the store need.
#[test]
fn probes_and_the_store_keep_their_descriptors() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let mut command = Command::new("sh");
    command.args(["-c", r#"ulimit -n 1000; exec "$0" "$@""#]);
    command.arg(env!("CARGO_BIN_EXE_tidemark"));
    serve_arguments(&mut command, folder.path(), &HEALTH);
    let server = Tidemark::spawn(&mut command);
    let mut first = Connection::open(server.addr).expect("it listens");
    let all = (0..1_200).map(|_| TcpStream::connect(server.addr).expect("it listens"));
    let idle: Vec<TcpStream> = all.collect();
    let [_, own] = probe(&server, 2, Duration::from_millis(200));
    assert_eq!((own.took.len(), own.failures.len()), (6, 0), "{own:?}");
    let fitted = first.exchange("POST", "/fit/a", &payload::fit(1, 50));
    assert_eq!(fitted.expect("it was accepted").status, 200);
    drop(idle);
    server.stop();
}

/// The control: where idle connections take all that the main port has, its probes wait, and are
/// reported. Those of the other port go on, which is what it is for.
#[test]
fn probes_that_wait_behind_idle_connections_are_reported() {
    let (_folder, server) = start(&["--max-connections", "32"]);
    let all = (0..200).map(|_| TcpStream::connect(server.addr).expect("it listens"));
    let idle: Vec<TcpStream> = all.collect();
    let [main, own] = probe(&server, 2, Duration::from_millis(200));
    assert_eq!((main.took.len(), main.failures.len()), (0, 6), "{main:?}");
    assert_eq!((own.took.len(), own.failures.len()), (6, 0), "{own:?}");
    drop(idle);
    server.stop();
}
