//! One connection, one request at a time: the least that tells "answered" from "cut off".

use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A guard against hanging, not a promise about speed.
const ANSWERED_WITHIN: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is UTF-8")
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }
}

/// A kept-alive connection.
pub(crate) struct Connection(BufReader<TcpStream>);

impl Connection {
    pub(crate) fn open(addr: SocketAddr) -> Result<Self> {
        Self::over(TcpStream::connect(addr)?)
    }

    /// On a socket that is connected.
    pub(crate) fn over(stream: TcpStream) -> Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWERED_WITHIN))?;
        stream.set_write_timeout(Some(ANSWERED_WITHIN))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Without the buffer, for who keeps many.
    pub(crate) fn into_stream(self) -> TcpStream {
        self.0.into_inner()
    }

    /// Gives up on replies sooner.
    pub(crate) fn answered_within(&self, timeout: Duration) -> Result<()> {
        self.0.get_ref().set_read_timeout(Some(timeout))
    }

    /// Sends bytes that are no request yet.
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.get_mut().write_all(bytes)
    }

    pub(crate) fn send(&mut self, method: &str, target: &str, body: &[u8]) -> Result<()> {
        self.send_with("", method, target, body)
    }

    /// As [`Connection::send`] with further header lines.
    pub(crate) fn send_with(
        &mut self,
        headers: &str,
        method: &str,
        target: &str,
        body: &[u8],
    ) -> Result<()> {
        let mut request = format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        self.0.get_mut().write_all(&request)
    }

    /// Whether something of a reply is here after a moment.
    #[cfg(feature = "syscall-tests")]
    pub(crate) fn is_answered(&mut self) -> Result<bool> {
        self.answered_within(Duration::from_millis(20))?;
        let begun = match self.0.fill_buf() {
            Err(error) if is_timeout(&error) => Ok(false),
            begun => begun.map(|_| true),
        };
        self.answered_within(ANSWERED_WITHIN)?;
        begun
    }

    pub(crate) fn receive(&mut self) -> Result<Reply> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.0.read_line(&mut head)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        let odd = || Error::new(ErrorKind::InvalidData, head.clone());
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status: u16 = status.ok_or_else(odd)?;
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .and_then(|length| length.parse().ok());
        // No content, no length.
        let length: usize = match status {
            204 => 0,
            _ => length.ok_or_else(odd)?,
        };
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        Ok(Reply { status, body, head })
    }

    pub(crate) fn exchange(&mut self, method: &str, target: &str, body: &[u8]) -> Result<Reply> {
        self.send(method, target, body)?;
        self.receive()
    }

    /// Whether the server closes the connection without a further byte.
    pub(crate) fn is_closed_by_peer(&mut self) -> bool {
        match self.0.fill_buf() {
            Ok(rest) => rest.is_empty(),
            Err(error) => !is_timeout(&error),
        }
    }

    /// Whether the server closes the connection, whatever it says before.
    pub(crate) fn is_ended_by_peer(&mut self) -> bool {
        match self.0.read_to_end(&mut Vec::new()) {
            Ok(_) => true,
            Err(error) => !is_timeout(&error),
        }
    }
}

fn is_timeout(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// One request on a connection of its own.
pub(crate) fn once(addr: SocketAddr, method: &str, target: &str, body: &[u8]) -> Result<Reply> {
    Connection::open(addr)?.exchange(method, target, body)
}
