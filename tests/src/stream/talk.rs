//! One exchange in which both sides speak at the same time.

use std::io::{Error, ErrorKind, Result};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

use crate::server::Server;

/// A guard against hanging, not a promise about speed.
const WITHIN: Duration = Duration::from_secs(30);

pub(crate) struct Talk {
    pub(crate) writer: OwnedWriteHalf,
    reading: Reading,
}

/// The reply.
pub(crate) struct Reading {
    reader: BufReader<OwnedReadHalf>,
    /// Of the reply, what is no whole line yet.
    begun: Vec<u8>,
    is_whole: bool,
}

impl Talk {
    /// Begins a POST of lines without a length.
    pub(crate) async fn begin(server: &Server, target: &str, headers: &str) -> Self {
        let socket = TcpStream::connect(server.addr).await.expect("it listens");
        socket.set_nodelay(true).expect("a socket");
        let (reader, mut writer) = socket.into_split();
        let head = format!(
            "POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n\
             Transfer-Encoding: chunked\r\n{headers}\r\n"
        );
        writer.write_all(head.as_bytes()).await.expect("it reads");
        let reading = Reading {
            reader: BufReader::new(reader),
            begun: Vec::new(),
            is_whole: false,
        };
        Self { writer, reading }
    }

    /// Sends bytes as one chunk.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        let chunk = [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
        self.writer.write_all(&chunk).await.expect("it reads");
    }

    pub(crate) async fn end(&mut self) {
        self.writer.write_all(b"0\r\n\r\n").await.expect("it reads");
    }

    pub(crate) fn split(self) -> (Reading, OwnedWriteHalf) {
        (self.reading, self.writer)
    }

    pub(crate) async fn head(&mut self) -> String {
        self.reading.head().await
    }

    /// The next line, which there has to be.
    pub(crate) async fn told(&mut self) -> String {
        self.reading.line().await.expect("a reply").expect("a line")
    }

    pub(crate) async fn rest(&mut self) -> (Vec<String>, bool) {
        self.reading.rest().await
    }

    /// The next bytes of the reply; none after the last.
    pub(crate) async fn piece(&mut self) -> Option<Vec<u8>> {
        let piece = timeout(WITHIN, self.reading.chunk()).await;
        piece.expect("in time").expect("a reply")
    }
}

impl Reading {
    /// The head of the reply.
    pub(crate) async fn head(&mut self) -> String {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let read = timeout(WITHIN, self.reader.read_line(&mut head)).await;
            assert_ne!(read.expect("in time").expect("a head"), 0, "{head}");
        }
        head
    }

    /// The next line of the reply; none after the last.
    pub(crate) async fn line(&mut self) -> Result<Option<String>> {
        loop {
            if let Some(end) = self.begun.iter().position(|byte| *byte == b'\n') {
                let line = self.begun.drain(..=end).take(end).collect();
                return Ok(Some(String::from_utf8(line).expect("UTF-8")));
            }
            let chunk = timeout(WITHIN, self.chunk()).await;
            match chunk.map_err(|_| Error::from(ErrorKind::TimedOut))?? {
                Some(chunk) => self.begun.extend(chunk),
                None => {
                    assert!(self.begun.is_empty(), "the last line has its end");
                    return Ok(None);
                }
            }
        }
    }

    /// All lines that come, and whether the reply has its end.
    pub(crate) async fn rest(&mut self) -> (Vec<String>, bool) {
        let mut lines = Vec::new();
        while let Ok(Some(line)) = self.line().await {
            lines.push(line);
        }
        (lines, self.is_whole)
    }

    async fn chunk(&mut self) -> Result<Option<Vec<u8>>> {
        let mut size = String::new();
        if self.reader.read_line(&mut size).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let size = usize::from_str_radix(size.trim_end(), 16).expect("a chunk's size");
        let mut chunk = vec![0; size + 2];
        self.reader.read_exact(&mut chunk).await?;
        assert!(chunk.ends_with(b"\r\n"));
        chunk.truncate(size);
        self.is_whole = size == 0;
        Ok((size > 0).then_some(chunk))
    }
}
