//! One request at a time over a connection that stays open, for set-up, checks and large bodies.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::load::head;

const DEADLINE: Duration = Duration::from_secs(120);

/// A reply.
#[derive(Clone, Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The whole body.
    pub body: Vec<u8>,
}

/// A connection that blocks.
pub struct Connection(TcpStream);

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens.
    pub fn open(addr: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(addr)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        Ok(Self(stream))
    }

    /// Sends a request and reads its reply.
    ///
    /// # Errors
    /// When the connection breaks, or what comes back is no reply with a `Content-Length`.
    pub fn ask(&mut self, request: &[u8]) -> Result<Reply> {
        self.0.write_all(request)?;
        let mut bytes = Vec::with_capacity(64 * 1024);
        let head = loop {
            let before = bytes.len();
            bytes.resize(before + 16 * 1024, 0);
            let n = self.0.read(&mut bytes[before..])?;
            bytes.truncate(before + n);
            if n == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            if let Some(head) = head(&bytes).map_err(Error::other)? {
                break head;
            }
        };
        let read = bytes.len();
        bytes.resize(head.bytes + head.body_bytes, 0);
        self.0.read_exact(&mut bytes[read..])?;
        bytes.drain(..head.bytes);
        Ok(Reply {
            status: head.status,
            body: bytes,
        })
    }

    /// As [`Connection::ask`], and the reply must be a 200.
    ///
    /// # Panics
    /// When it is not.
    pub fn must(&mut self, request: &[u8]) -> Vec<u8> {
        let reply = self.ask(request).expect("the server answers");
        assert_eq!(
            reply.status,
            200,
            "{}",
            String::from_utf8_lossy(&reply.body)
        );
        reply.body
    }
}
