//! Bytes to a socket and the reply's bytes back, for what no client library would send.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::reply::Reply;

/// A guard against hanging, not a promise about speed.
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);

/// Sends `request` and reads one reply.
pub(crate) async fn exchange(addr: SocketAddr, request: Vec<u8>) -> Reply {
    tokio::task::spawn_blocking(move || blocking(addr, &request).expect("the server answers"))
        .await
        .expect("the exchange does not panic")
}

fn blocking(addr: SocketAddr, request: &[u8]) -> std::io::Result<Reply> {
    let mut stream = TcpStream::connect(addr)?;
    stream.set_read_timeout(Some(ANSWERED_WITHIN))?;
    stream.set_write_timeout(Some(ANSWERED_WITHIN))?;
    stream.write_all(request)?;
    read_reply(&mut stream)
}

/// Reads one reply.
pub(crate) fn read_reply(stream: &mut TcpStream) -> std::io::Result<Reply> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break end + 4;
        }
        read_some(stream, &mut bytes)?;
    };
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let mut lines = text.lines();
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut reply = Reply {
        status: status.expect("a status line"),
        headers,
        body: Vec::new(),
    };
    let length = reply.header("content-length");
    let length: usize = length.and_then(|n| n.parse().ok()).unwrap_or(0);
    while bytes.len() < head + length {
        read_some(stream, &mut bytes)?;
    }
    reply.body = bytes[head..head + length].to_vec();
    Ok(reply)
}

fn read_some(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> std::io::Result<()> {
    let mut chunk = [0; 16 * 1024];
    let n = stream.read(&mut chunk)?;
    if n == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    bytes.extend_from_slice(&chunk[..n]);
    Ok(())
}

/// A POST of `body` with `target` byte for byte in its request line.
pub(crate) fn post(target: &[u8], body: &[u8]) -> Vec<u8> {
    let mut request = b"POST ".to_vec();
    request.extend_from_slice(target);
    let head = format!(
        " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    request.extend_from_slice(head.as_bytes());
    request.extend_from_slice(body);
    request
}
