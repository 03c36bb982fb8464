//! A server of the base contract that learns the mean of a series, and is wrong in one thing.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

/// In what it is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    Nothing,
    /// It says no more than the base contract asks for.
    SaysLittle,
    /// Every twentieth answer is of another series' model.
    OthersModel,
    /// Answers have the number of the latest version and the model of the one before.
    Mixed,
    /// Answers are of the version before the latest.
    Stale,
    /// It knows no aliases.
    NoAliases,
    /// It says that an alias points elsewhere and leaves every fifth where it was.
    StaleAlias,
    /// Every fifth predict is refused without saying when to come again.
    NoRetryAfter,
    /// Every fifth predict fails.
    PredictsFail,
    /// Every fifth predict is refused, and that takes fifty milliseconds.
    SlowRefusals,
    /// Every fifth fit fails.
    FitsFail,
    /// Probes take fifty milliseconds.
    SlowProbes,
    /// Every tenth probe is limited.
    LimitedProbes,
}

/// It serves until the test's process ends.
pub(crate) struct Fake {
    pub(crate) url: String,
}

struct State {
    wrong: Wrong,
    /// Means of the versions of each series.
    series: Mutex<HashMap<String, Vec<f64>>>,
    /// Which version the alias of a series points to.
    aliases: Mutex<HashMap<String, usize>>,
    requests: AtomicU64,
}

impl Fake {
    pub(crate) fn start(wrong: Wrong) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State {
            wrong,
            series: Mutex::default(),
            aliases: Mutex::default(),
            requests: AtomicU64::new(0),
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
    /// Ends with the connection.
    fn serve(&self, mut stream: TcpStream) -> Option<()> {
        stream.set_nodelay(true).ok()?;
        let mut bytes = Vec::new();
        loop {
            let (path, from, length) = loop {
                if let Some(head) = head(&bytes) {
                    break head;
                }
                read(&mut stream, &mut bytes)?;
            };
            while bytes.len() < from + length {
                read(&mut stream, &mut bytes)?;
            }
            let body = serde_json::from_slice(&bytes[from..from + length]).unwrap_or(Value::Null);
            bytes.drain(..from + length);
            let (status, answer) = self.answer(&path, &body);
            let answer = answer.to_string();
            let length = answer.len();
            let reply =
                format!("HTTP/1.1 {status} Said\r\ncontent-length: {length}\r\n\r\n{answer}");
            stream.write_all(reply.as_bytes()).ok()?;
        }
    }

    fn answer(&self, path: &str, body: &Value) -> (u16, Value) {
        let number = self.requests.fetch_add(1, SeqCst);
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        if path.starts_with("/health") {
            if self.wrong == Wrong::SlowProbes {
                std::thread::sleep(Duration::from_millis(50));
            }
            let limited = self.wrong == Wrong::LimitedProbes && number.is_multiple_of(10);
            return (if limited { 429 } else { 200 }, json!({}));
        }
        if let Some(rest) = path.strip_prefix("/series/") {
            return self.point(rest.split('/').next().unwrap(), body);
        }
        if path.starts_with("/predict/") && number.is_multiple_of(5) {
            match self.wrong {
                Wrong::NoRetryAfter => return (503, json!({})),
                Wrong::PredictsFail => return (500, json!({})),
                Wrong::SlowRefusals => {
                    std::thread::sleep(Duration::from_millis(50));
                    return (503, json!({}));
                }
                _ => {}
            }
        }
        let mut all = self.series.lock().unwrap();
        if let Some(id) = path.strip_prefix("/fit/") {
            // The first fit of a series has to work, or there would be nothing to ask.
            if self.wrong == Wrong::FitsFail && all.contains_key(id) && number.is_multiple_of(5) {
                return (500, json!({}));
            }
            let values = body["values"].as_array().unwrap();
            let sum: f64 = values.iter().map(|v| v.as_f64().unwrap()).sum();
            let versions = all.entry(id.to_owned()).or_default();
            versions.push(sum / values.len() as f64);
            return (
                200,
                json!({"series_id": id, "version": versions.len().to_string()}),
            );
        }
        let id = path.strip_prefix("/predict/").unwrap();
        let Some(versions) = all.get(id) else {
            return (404, json!({}));
        };
        let latest = match query.starts_with("alias=") {
            true => self.aliases.lock().unwrap()[id],
            false => versions.len(),
        };
        let before = latest.saturating_sub(1).max(1);
        let (version, mean) = match self.wrong {
            Wrong::Mixed => (latest, versions[before - 1]),
            Wrong::Stale => (before, versions[before - 1]),
            Wrong::OthersModel if number.is_multiple_of(20) => {
                let other = all.iter().find(|(other, _)| *other != id);
                (latest, other.map_or(versions[latest - 1], |(_, v)| v[0]))
            }
            _ => (latest, versions[latest - 1]),
        };
        let value = body["value"].as_f64().unwrap();
        let mut answer = json!({
            "anomaly": (value - mean).abs() > 5.0,
            "model_version": version.to_string(),
        });
        if self.wrong != Wrong::SaysLittle {
            answer["expected_value"] = mean.into();
        }
        (200, answer)
    }

    fn point(&self, id: &str, body: &Value) -> (u16, Value) {
        if self.wrong == Wrong::NoAliases {
            return (404, json!({}));
        }
        let version: usize = body["version"].as_str().unwrap().parse().unwrap();
        if self.wrong != Wrong::StaleAlias || version % 5 != 4 {
            self.aliases.lock().unwrap().insert(id.to_owned(), version);
        }
        (200, json!({ "version": version.to_string() }))
    }
}

fn read(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<()> {
    let mut piece = [0; 4_096];
    let n = stream.read(&mut piece).ok().filter(|n| *n > 0)?;
    bytes.extend_from_slice(&piece[..n]);
    Some(())
}

/// Path, where the body begins, and its length.
fn head(bytes: &[u8]) -> Option<(String, usize, usize)> {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let path = text.split(' ').nth(1)?.to_owned();
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"));
    let length = length
        .and_then(|n| n.trim().parse().ok())
        .unwrap_or_default();
    Some((path, end, length))
}
