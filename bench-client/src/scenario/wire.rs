//! Requests whose every step is ours: when the connection is opened, when the last byte is written,
//! and which headers a reply has. For scenarios that ask about these; load goes through the engine.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::base_url::BaseUrl;

/// Header fields that a reply may have.
const MOST_FIELDS: usize = 64;

/// A connection with at most one request under way.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    host: String,
}

/// What is told of a whole reply.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    /// Whether `Retry-After` is there and a whole number of seconds.
    pub(super) retry_after: bool,
    /// Whether it says that its body is a problem document.
    pub(super) problem: bool,
}

impl Connection {
    pub(super) async fn open(base: &BaseUrl) -> io::Result<Self> {
        let host = base.authority();
        let stream = TcpStream::connect(&host).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, host })
    }

    /// Writes a request whole.
    pub(super) async fn send(&mut self, method: &str, target: &str, body: &[u8]) -> io::Result<()> {
        let (host, length) = (&self.host, body.len());
        let mut bytes = format!(
            "{method} {target} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n"
        )
        .into_bytes();
        bytes.extend_from_slice(body);
        self.stream.write_all(&bytes).await
    }

    /// Whether the server keeps it, while no reply is due: as far as the runtime has been told.
    pub(super) fn is_kept(&self) -> bool {
        let read = self.stream.try_read(&mut [0]);
        read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Reads the reply to it.
    pub(super) async fn receive(&mut self) -> io::Result<Reply> {
        let mut bytes = Vec::with_capacity(1_024);
        loop {
            if let Some((reply, length)) = head(&bytes)? {
                return self.body(bytes, reply, length).await;
            }
            if self.stream.read_buf(&mut bytes).await? == 0 {
                let error = "the connection was closed before the reply";
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, error));
            }
        }
    }

    async fn body(
        &mut self,
        mut bytes: Vec<u8>,
        (from, reply): (usize, Reply),
        length: usize,
    ) -> io::Result<Reply> {
        while bytes.len() < from + length {
            if self.stream.read_buf(&mut bytes).await? == 0 {
                let error = "the connection was closed in the middle of the reply";
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, error));
            }
        }
        Ok(reply)
    }
}

/// Where the body begins, the reply without it, and its length; none while the head is not whole.
fn head(bytes: &[u8]) -> io::Result<Option<((usize, Reply), usize)>> {
    let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
    let mut response = httparse::Response::new(&mut fields);
    let invalid = |error: &str| io::Error::new(io::ErrorKind::InvalidData, error.to_owned());
    let from = match response.parse(bytes) {
        Ok(httparse::Status::Complete(from)) => from,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(invalid(&error.to_string())),
    };
    let field = |name: &str| {
        let field = response
            .headers
            .iter()
            .find(|h| h.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(field.value).ok()
    };
    let length = field("content-length").and_then(|length| length.parse().ok());
    let reply = Reply {
        status: response.code.unwrap_or_default(),
        retry_after: field("retry-after").is_some_and(|s| s.parse::<u32>().is_ok()),
        problem: field("content-type").is_some_and(|s| s.starts_with("application/problem+json")),
    };
    let length = length.ok_or_else(|| invalid("the reply has no length"))?;
    Ok(Some(((from, reply), length)))
}

/// One request over a connection of its own.
pub(super) async fn once(
    base: &BaseUrl,
    method: &str,
    path: &[&str],
    body: &[u8],
    within: Duration,
) -> io::Result<Reply> {
    let target = target(base, path);
    let exchange = async {
        let mut connection = Connection::open(base).await?;
        connection.send(method, &target, body).await?;
        connection.receive().await
    };
    match timeout(within, exchange).await {
        Ok(reply) => reply,
        Err(_elapsed) => Err(io::Error::new(io::ErrorKind::TimedOut, "no reply in time")),
    }
}

/// The path of `segments` below the base.
pub(super) fn target(base: &BaseUrl, segments: &[&str]) -> String {
    base.join(segments, None).path().to_owned()
}
