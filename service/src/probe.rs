//! `tidemark probe`: one GET, for health checks in images without a shell.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(5);

/// Asks `path` of the server at `addr`.
///
/// # Errors
/// A sentence with the status and body, or with why there was no answer.
pub fn ask(addr: SocketAddr, path: &str) -> Result<(), String> {
    let reply = get(addr, path).map_err(|error| format!("{addr} does not answer: {error}"))?;
    let status = reply.split(' ').nth(1).unwrap_or_default();
    if status == "200" {
        Ok(())
    } else {
        Err(format!(
            "{addr}{path} answered {}",
            reply.lines().next().unwrap_or("nothing")
        ))
    }
}

fn get(addr: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&addr, DEADLINE)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.set_write_timeout(Some(DEADLINE))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n"
    )?;
    let mut reply = String::new();
    stream.take(64 * 1024).read_to_string(&mut reply)?;
    Ok(reply)
}
