//! A server that answers everything with 200 and counts its requests, right or wrong.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counts {
    Right,
    /// One request in so many is not counted.
    Without(u64),
    /// One request in so many is counted twice.
    Twice(u64),
    /// It has no metrics.
    None,
}

/// It serves until the test's process ends.
pub(crate) struct Counting {
    pub(crate) url: String,
}

struct State {
    counts: Counts,
    requests: AtomicU64,
    by_route: Mutex<BTreeMap<String, u64>>,
}

impl Counting {
    pub(crate) fn start(counts: Counts) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State {
            counts,
            requests: AtomicU64::new(0),
            by_route: Mutex::default(),
        });
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&state);
                std::thread::spawn(move || state.serve(stream));
            }
        });
        Self { url }
    }
}

impl State {
    /// Answers one connection until it closes. A path with `silent` in it never gets a reply.
    fn serve(&self, mut stream: TcpStream) -> Option<()> {
        stream.set_nodelay(true).ok()?;
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        loop {
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                (reader.read_line(&mut head).ok()? > 0).then_some(())?;
            }
            let path = head.split(' ').nth(1)?.to_owned();
            let length = head.to_ascii_lowercase();
            let length = length.split("content-length: ").nth(1);
            let length = length.and_then(|rest| rest.lines().next()?.parse().ok());
            reader.read_exact(&mut vec![0; length.unwrap_or(0)]).ok()?;
            if path == "/metrics" && self.counts == Counts::None {
                reply(&mut stream, "404 Not Found", "")?;
                continue;
            }
            let route = format!("/{}/{{series_id}}", path.split('/').nth(1)?);
            let number = self.requests.fetch_add(1, SeqCst);
            let times = match self.counts {
                Counts::Without(n) if number % n == n - 1 => 0,
                Counts::Twice(n) if number % n == n - 1 => 2,
                _ => 1,
            };
            *self.by_route.lock().unwrap().entry(route).or_default() += times;
            if path.contains("silent") {
                std::thread::sleep(Duration::from_secs(3_600));
            }
            match path.as_str() {
                "/metrics" => reply(&mut stream, "200 OK", &self.metrics())?,
                _ => reply(&mut stream, "200 OK", "{\"version\":\"1\"}")?,
            }
        }
    }

    fn metrics(&self) -> String {
        let mut page = "# TYPE tidemark_http_requests_total counter\n".to_owned();
        for (route, n) in &*self.by_route.lock().unwrap() {
            let labels = format!("method=\"POST\",route=\"{route}\",status=\"200\"");
            let _ = writeln!(page, "tidemark_http_requests_total{{{labels}}} {n}");
        }
        page + "process_start_time_seconds 1.5\ntidemark_http_requests_in_flight 3\n"
    }
}

fn reply(stream: &mut TcpStream, status: &str, body: &str) -> Option<()> {
    let length = body.len();
    let reply = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(reply.as_bytes()).ok()
}
