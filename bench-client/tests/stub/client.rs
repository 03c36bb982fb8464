//! A client in a few lines that sees every byte of a reply, and when it came.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Long enough for the slowest machine; short enough for a test that fails.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Client(TcpStream);

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// From the request to the reply's last byte.
    pub(crate) took: Duration,
}

impl Client {
    pub(crate) fn connect(url: &str) -> Self {
        let stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    pub(crate) fn get(&mut self, path: &str) -> Reply {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n"))
            .unwrap()
    }

    pub(crate) fn post(&mut self, path: &str, body: &str) -> Reply {
        self.try_post(path, "application/json", body).unwrap()
    }

    pub(crate) fn post_lines(&mut self, path: &str, body: &str) -> Reply {
        self.try_post(path, "application/x-ndjson", body).unwrap()
    }

    /// `None` if the connection is closed before a reply.
    pub(crate) fn try_post(&mut self, path: &str, kind: &str, body: &str) -> Option<Reply> {
        let length = body.len();
        self.send(&format!(
            "POST {path} HTTP/1.1\r\nHost: h\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
    }

    /// Posts lines and reads until `part` has come.
    pub(crate) fn read_until(&mut self, path: &str, lines: &str, part: &str) {
        let length = lines.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-ndjson\r\nContent-Length: {length}\r\n\r\n{lines}"
        );
        self.0.write_all(request.as_bytes()).unwrap();
        let mut seen = Vec::new();
        while !String::from_utf8_lossy(&seen).contains(part) {
            let piece = self.read();
            assert!(!piece.is_empty(), "ended without {part:?}");
            seen.extend(piece);
        }
    }

    /// Whether the server has closed the connection, or does so before long.
    pub(crate) fn closed(&mut self) -> bool {
        self.read().is_empty()
    }

    /// What has come, at least a byte of it; nothing when the server has closed the connection.
    fn read(&mut self) -> Vec<u8> {
        let mut piece = [0; 4096];
        loop {
            match self.0.read(&mut piece) {
                Ok(n) => return piece[..n].to_vec(),
                Err(error) => match error.kind() {
                    ErrorKind::ConnectionReset => return Vec::new(),
                    // A child of another test has ended.
                    ErrorKind::Interrupted => {}
                    _ => panic!("{error}"),
                },
            }
        }
    }

    /// Sends these bytes and reads one reply.
    pub(crate) fn send(&mut self, request: &str) -> Option<Reply> {
        let start = Instant::now();
        self.0.write_all(request.as_bytes()).unwrap();
        let mut bytes = Vec::new();
        loop {
            if let Some(mut reply) = parse(&bytes) {
                reply.took = start.elapsed();
                return Some(reply);
            }
            let piece = self.read();
            if piece.is_empty() {
                return None;
            }
            bytes.extend(piece);
        }
    }
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|(known, _)| known == name);
        header.map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    pub(crate) fn lines(&self) -> Vec<Value> {
        let lines = self.body.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// `None` until the reply is whole.
fn parse(bytes: &[u8]) -> Option<Reply> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(end) = head.parse(bytes).unwrap() else {
        return None;
    };
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let mut reply = Reply {
        status: head.code.unwrap(),
        headers: (head.headers.iter())
            .map(|header| (header.name.to_ascii_lowercase(), text(header.value)))
            .collect(),
        body: String::new(),
        took: Duration::ZERO,
    };
    let body = &bytes[end..];
    let body = match reply.header("content-length") {
        Some(length) => body.get(..length.parse().unwrap())?.to_vec(),
        None if reply.header("transfer-encoding").is_some() => chunks(body)?,
        None => Vec::new(),
    };
    reply.body = text(&body);
    Some(reply)
}

/// The content of a chunked body; `None` until its last chunk is there.
fn chunks(mut body: &[u8]) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    loop {
        let httparse::Status::Complete((start, size)) = httparse::parse_chunk_size(body).unwrap()
        else {
            return None;
        };
        let size = usize::try_from(size).unwrap();
        let rest = body.get(start..start + size + 2)?;
        if size == 0 {
            return Some(content);
        }
        content.extend_from_slice(&rest[..size]);
        body = &body[start + size + 2..];
    }
}
