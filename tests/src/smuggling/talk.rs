//! What a connection says to some bytes: every reply on it, and whether it ends.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::reply::Reply;

/// All that came back.
#[derive(Debug, Default)]
pub(crate) struct Talk {
    /// Final replies, in order; those of 1xx are left out.
    pub(crate) replies: Vec<Reply>,
    /// Bytes after the last whole reply.
    pub(crate) rest: Vec<u8>,
    /// Whether the server ended the connection within the time given.
    pub(crate) is_closed: bool,
}

/// Sends `bytes` at once and reads until the server ends the connection, or says nothing for `patience`.
pub(crate) fn talk(addr: SocketAddr, bytes: &[u8], patience: Duration) -> Talk {
    let mut stream = TcpStream::connect(addr).expect("the server listens");
    stream
        .set_read_timeout(Some(patience))
        .expect("a time that is not zero");
    stream
        .set_write_timeout(Some(patience))
        .expect("a time that is not zero");
    // A server that has heard enough may end the connection before all was sent.
    let _ = stream.write_all(bytes);
    let (mut received, mut chunk) = (Vec::new(), [0; 16 * 1024]);
    let is_closed = loop {
        match stream.read(&mut chunk) {
            Ok(0) => break true,
            Ok(n) => received.extend_from_slice(&chunk[..n]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => {
                break !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
            }
        }
    };
    let (replies, rest) = split(&received);
    Talk {
        replies,
        rest,
        is_closed,
    }
}

/// The whole replies in `bytes`, and what comes after them.
fn split(mut bytes: &[u8]) -> (Vec<Reply>, Vec<u8>) {
    let mut replies = Vec::new();
    while let Some((reply, length)) = first(bytes) {
        bytes = &bytes[length..];
        if reply.status >= 200 {
            replies.push(reply);
        }
    }
    (replies, bytes.to_vec())
}

/// The first reply and its length; `None` if it is not whole, or is none.
fn first(bytes: &[u8]) -> Option<(Reply, usize)> {
    let head = bytes.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&bytes[..head]).ok()?;
    let mut lines = text.lines();
    let status = lines
        .next()?
        .strip_prefix("HTTP/1.")?
        .split(' ')
        .nth(1)?
        .parse()
        .ok()?;
    let headers = lines.filter_map(|line| line.split_once(": "));
    let mut reply = Reply {
        status,
        headers: headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        body: Vec::new(),
    };
    let length = reply
        .header("content-length")
        .map_or(Some(0), |text| text.parse().ok())?;
    reply.body = bytes.get(head..head + length)?.to_vec();
    Some((reply, head + length))
}
