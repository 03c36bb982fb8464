//! A server of the base contract in a few lines, which remembers what it was asked and fails on
//! demand. A thread a connection, so that a test can hold or drop any of them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) content_type: String,
    pub(crate) body: Value,
    /// Which connection it came over, from 0 in the order of acceptance.
    pub(crate) connection: usize,
}

/// What to do with a request.
pub(crate) enum Answer {
    /// The contract's 200.
    Usual,
    Status(u16, String),
    /// Close the connection without a word.
    Drop,
    /// Never answer.
    Hang,
    /// The contract's 200 after a pause.
    Late(Duration),
}

type Decide = dyn Fn(&Seen) -> Answer + Send + Sync;

#[derive(Default)]
struct Log {
    seen: Mutex<Vec<Seen>>,
    more: Condvar,
}

pub(crate) struct Server {
    pub(crate) url: String,
    log: Arc<Log>,
}

impl Server {
    /// Answers as `decide` says, on a free port, until the test ends.
    pub(crate) fn start(decide: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let log = Arc::new(Log::default());
        let decide: Arc<Decide> = Arc::new(decide);
        let shared = Arc::clone(&log);
        std::thread::spawn(move || {
            for (connection, stream) in listener.incoming().enumerate() {
                let (log, decide) = (Arc::clone(&shared), Arc::clone(&decide));
                std::thread::spawn(move || serve(&stream.unwrap(), connection, &log, &*decide));
            }
        });
        Self { url, log }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.log.seen.lock().unwrap().clone()
    }

    /// Waits until `count` requests match; panics after half a minute.
    pub(crate) fn wait_for(&self, count: usize, matches: impl Fn(&Seen) -> bool) {
        let seen = self.log.seen.lock().unwrap();
        let short = |seen: &mut Vec<Seen>| seen.iter().filter(|s| matches(s)).count() < count;
        let patience = Duration::from_secs(30);
        let (seen, timeout) = self
            .log
            .more
            .wait_timeout_while(seen, patience, short)
            .unwrap();
        assert!(!timeout.timed_out(), "saw only {seen:?}");
    }
}

fn serve(stream: &TcpStream, connection: usize, log: &Log, decide: &Decide) {
    let mut reader = BufReader::new(stream);
    while let Some(seen) = read_request(&mut reader, connection) {
        let usual = usual_reply(&seen);
        let answer = decide(&seen);
        log.seen.lock().unwrap().push(seen);
        log.more.notify_all();
        let (status, body) = match answer {
            Answer::Usual => (200, usual),
            Answer::Status(status, body) => (status, body),
            Answer::Drop => return,
            Answer::Hang => loop {
                std::thread::park();
            },
            Answer::Late(pause) => {
                std::thread::sleep(pause);
                (200, usual)
            }
        };
        let length = body.len();
        let reply = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n\r\n{body}");
        let mut writer = stream;
        if writer.write_all(reply.as_bytes()).is_err() {
            return;
        }
    }
}

/// `None` at the connection's end.
fn read_request(reader: &mut BufReader<&TcpStream>, connection: usize) -> Option<Seen> {
    let mut first = String::new();
    reader.read_line(&mut first).ok().filter(|n| *n > 0)?;
    let mut words = first.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (mut length, mut content_type) = (0, String::new());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap(),
            "content-type" => content_type = value.to_owned(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Seen {
        method,
        target,
        content_type,
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        connection,
    })
}

fn usual_reply(seen: &Seen) -> String {
    let reply = if seen.target.starts_with("/fit/") {
        let points = seen.body["values"].as_array().map_or(0, Vec::len);
        json!({"series_id": &seen.target[5..], "version": "1", "points_used": points})
    } else if seen.target.starts_with("/predict/") {
        json!({"anomaly": false, "model_version": "1"})
    } else {
        json!({"series_trained": 0})
    };
    reply.to_string()
}
