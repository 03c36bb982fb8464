//! NDJSON of one series beside a loop that parses each line and prints the same reply from ready values: CPU time a line,
//! of the path in process and of the whole server; and the server's memory from 10⁵ lines to 10⁷.

use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use api::PointReply;
use api::update::read_line;
use benches::ask::Connection;
use benches::memory_store::MemoryStore;
use benches::process::Server;
use benches::report::{Target, median, verdict};
use benches::servers::Role;
use benches::{data, is_heavy, is_smoke, machine, requests};
use bytes::Bytes;
use detectors::envelope::digest_hex;
use detectors::{Fitted, Score};
use service::http::bodies;
use service::registry::{FitJob, Registry, RegistryOptions};
use service::store::{Durability, VersionSelector};

use crate::fixture::folder;

/// Lines of a body in process, and of a chunk on the wire.
const LINES: usize = 10_000;
/// Bytes that come at once, as the framework hands them out.
const CHUNK: usize = 32 * 1_024;
/// A loop that parses and prints what is ready is what no server can be below.
const AT_MOST: f64 = 1.5;

pub(crate) fn run() {
    let rounds = if is_smoke() { 2 } else { 31 };
    let points = data::history(LINES, 2);
    let lines: Vec<String> = points
        .timestamps
        .iter()
        .zip(&points.values)
        .map(|(t, v)| format!("{{\"timestamp\":{t},\"value\":{v}}}"))
        .collect();
    let body = Bytes::from(lines.join("\n") + "\n");
    for name in ["gaussian_sigma", "gaussian_t", "robust"] {
        in_process(name, &body, rounds);
    }
    over_a_socket(&body);
}

/// Replies that are printed without being computed.
struct Ready {
    scores: Vec<(i64, f64, Score)>,
    hash: String,
}

impl Ready {
    fn of(model: &Fitted, body: &[u8]) -> Self {
        let lines = body.split(|byte| *byte == b'\n');
        let lines = lines.filter(|line| !line.is_empty());
        let scores = lines.map(|line| {
            let (time, value) = read_line(0, line).expect("a point");
            let ticks = time.ticks(1).expect("a time");
            (ticks, value, model.score(ticks, value))
        });
        Self {
            scores: scores.collect(),
            hash: digest_hex(&[7; 16]),
        }
    }

    fn parse_and_print(&self, body: &[u8]) -> usize {
        let mut bytes = 0;
        let mut written = Vec::with_capacity(1 << 20);
        let lines = body.split(|byte| *byte == b'\n');
        for (i, (line, (timestamp, value, score))) in lines.zip(&self.scores).enumerate() {
            black_box(read_line(i, line).expect("a point"));
            let reply = PointReply {
                anomaly: score.anomaly,
                model_version: 1,
                timestamp: *timestamp,
                value: *value,
                anomaly_score: score.anomaly_score,
                p_value: score.p_value,
                severity: score.severity,
                expected_value: score.expected,
                lower_bound: score.lower,
                upper_bound: score.upper,
                direction: score.side.as_str(),
                status: score.status.as_str(),
                tail_extrapolated: score.tail_extrapolated,
                model_hash: &self.hash,
                reasons: None,
            };
            serde_json::to_writer(&mut written, &reply).expect("it serialises");
            written.push(b'\n');
            if written.len() > 1 << 19 {
                bytes += written.len();
                written.clear();
            }
        }
        bytes + written.len()
    }
}

/// CPU time of this process for `work`.
fn cpu_of<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let before = machine::cpu_time(std::process::id());
    let result = work();
    (machine::cpu_time(std::process::id()) - before, result)
}

fn in_process(name: &str, body: &Bytes, rounds: usize) {
    let options = RegistryOptions {
        min_training_points: 3,
        model_cache_bytes: usize::MAX,
    };
    let registry = Registry::new(Arc::new(MemoryStore), options);
    let job = FitJob {
        points: data::history(1_000, 1),
        params: data::params(name),
        fitted_at_ms: data::START * 1_000,
        set_alias: None,
    };
    let mut fitting = job.run(&options).expect("it fits");
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let stored = registry.store("a", &mut fitting);
    runtime
        .expect("a runtime")
        .block_on(stored)
        .expect("it is stored");
    let model = registry
        .resident("a", VersionSelector::Latest)
        .expect("it is there");
    let ready = Ready::of(&model.fitted, body);
    let mut path = bodies::predict_lines("a", &model, registry.monitors());
    let (mut ratios, mut ns) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let (floor, printed) = cpu_of(|| ready.parse_and_print(body));
        let (taken, written) = cpu_of(|| {
            let mut rest = body.clone();
            let mut written = 0;
            while !rest.is_empty() {
                let chunk = rest.split_to(rest.len().min(CHUNK));
                written += path(chunk).iter().map(Bytes::len).sum::<usize>();
            }
            written
        });
        assert_eq!(written, printed, "the same replies");
        ratios.push(taken.as_secs_f64() / floor.as_secs_f64());
        ns.push([floor, taken].map(|time| time.as_nanos() as f64 / LINES as f64));
    }
    let [floor, taken] = [0, 1].map(|of| median(&ns.iter().map(|ns| ns[of]).collect::<Vec<_>>()));
    println!(
        "{name}: {floor:.0} ns a line parsed and printed, {taken:.0} ns read, scored and written"
    );
    let what = format!("CPU of NDJSON in process / parse and print, {name}");
    verdict("ndjson", &what, median(&ratios), Target::AtMost(AT_MOST));
}

fn over_a_socket(body: &Bytes) {
    let folder = folder();
    let server = Server::start(&Role::service(folder.path(), Durability::Synced));
    let mut connection = Connection::open(server.addr()).expect("the service listens");
    let points = data::history(1_000, 1);
    connection.must(&requests::fit("a", &points, Some(r#""model":"gaussian""#)));
    let model = data::fit(&data::params("gaussian_t"), &points);
    let ready = Ready::of(&model, body);
    let most = match (is_smoke(), is_heavy()) {
        (true, _) => 1,
        (false, false) => 100,
        (false, true) => 1_000,
    };
    let few = most.min(10);
    for _ in 0..2 {
        exchange(server.addr(), body, few);
    }
    let before = server.resident_bytes();
    let (floor, _) = cpu_of(|| {
        (0..most)
            .map(|_| ready.parse_and_print(body))
            .sum::<usize>()
    });
    let begun = (Instant::now(), server.cpu_time());
    exchange(server.addr(), body, most);
    let (took, cpu) = (begun.0.elapsed(), server.cpu_time() - begun.1);
    let n = (most * LINES) as f64;
    println!(
        "over a socket, {n:.0} lines: {:.0} lines/s, {:.0} ns of CPU a line with the kernel's, {:.2} of parse and print",
        n / took.as_secs_f64(),
        cpu.as_nanos() as f64 / n,
        cpu.as_secs_f64() / floor.as_secs_f64()
    );
    let grown = server.resident_bytes().saturating_sub(before) as f64 / f64::from(1 << 20);
    let what = format!(
        "MiB of resident memory from {} lines to {n:.0}",
        few * LINES
    );
    verdict("ndjson", &what, grown, Target::AtMost(8.0));
}

/// Sends `times` bodies as one stream while the replies are read and dropped.
fn exchange(addr: SocketAddr, body: &Bytes, times: usize) {
    let mut socket = TcpStream::connect(addr).expect("it listens");
    let mut reader = socket.try_clone().expect("a socket");
    let reading = std::thread::spawn(move || {
        let mut tail = Vec::new();
        let mut buffer = vec![0; 256 * 1_024];
        while !tail.ends_with(b"\r\n0\r\n\r\n") {
            let n = reader.read(&mut buffer).expect("a reply");
            assert!(n > 0, "the reply has an end");
            tail.extend_from_slice(&buffer[..n]);
            tail.drain(..tail.len().saturating_sub(16));
        }
    });
    let head = "POST /predict/a HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-ndjson\r\n\
                Transfer-Encoding: chunked\r\n\r\n";
    socket.write_all(head.as_bytes()).expect("it reads");
    let chunk = [format!("{:x}\r\n", body.len()).as_bytes(), body, b"\r\n"].concat();
    for _ in 0..times {
        socket.write_all(&chunk).expect("it reads");
    }
    socket.write_all(b"0\r\n\r\n").expect("it reads");
    reading.join().expect("no panic");
}
