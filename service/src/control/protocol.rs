//! What goes over the control socket: a line of JSON there, frames back.
//!
//! A frame is a letter, a length (u32, little endian) and as many bytes: `d` data, `e` the sentence
//! why there is no more, `z` the end. A stream that stops without `z` was cut off.

use std::io::{self, BufRead, Read, Write};

use serde::{Deserialize, Serialize};

/// Raised when an older peer would misunderstand.
pub(super) const PROTOCOL: u16 = 1;
/// No request is longer.
const MAX_REQUEST: u64 = 4 * 1024;
/// Largest data frame that is sent.
const MAX_DATA: usize = 256 * 1024;

const DATA: u8 = b'd';
const ERROR: u8 = b'e';
const END: u8 = b'z';

/// What is asked of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Command {
    /// Send a backup.
    Backup,
}

#[derive(Debug, Serialize, Deserialize)]
struct Request {
    protocol: u16,
    command: serde_json::Value,
}

/// Sends a request.
pub(super) fn ask(out: &mut impl Write, command: Command) -> io::Result<()> {
    let command = serde_json::to_value(command)?;
    let request = Request {
        protocol: PROTOCOL,
        command,
    };
    let mut line = serde_json::to_vec(&request)?;
    line.push(b'\n');
    out.write_all(&line)
}

/// Reads a request; an inner error is the sentence for a peer that asked for something else.
pub(super) fn asked(input: &mut impl Read) -> io::Result<Result<Command, String>> {
    let mut line = Vec::new();
    io::BufReader::new(input.take(MAX_REQUEST)).read_until(b'\n', &mut line)?;
    let request: Request = match serde_json::from_slice(&line) {
        Ok(request) => request,
        Err(error) => return Ok(Err(format!("the request is not understood: {error}"))),
    };
    if request.protocol != PROTOCOL {
        return Ok(Err(format!(
            "the request is of protocol {}, the server speaks {PROTOCOL}: use the release of the server, {}",
            request.protocol,
            env!("CARGO_PKG_VERSION")
        )));
    }
    Ok(serde_json::from_value(request.command.clone())
        .map_err(|_| format!("the server does not know the command {}", request.command)))
}

/// Sends data in frames.
pub(super) struct Frames<W> {
    out: W,
    /// Whether the last frame was sent whole, so that another one would be understood.
    is_whole: bool,
}

impl<W: Write> Frames<W> {
    pub(super) fn new(out: W) -> Self {
        Self {
            out,
            is_whole: true,
        }
    }

    fn frame(&mut self, kind: u8, bytes: &[u8]) -> io::Result<()> {
        if !self.is_whole {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.is_whole = false;
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        let mut head = [kind, 0, 0, 0, 0];
        head[1..].copy_from_slice(&length.to_le_bytes());
        self.out.write_all(&head)?;
        self.out.write_all(bytes)?;
        self.is_whole = true;
        Ok(())
    }

    /// Says that all has been sent.
    pub(super) fn end(mut self) -> io::Result<()> {
        self.frame(END, &[])?;
        self.out.flush()
    }

    /// Says why there is no more.
    pub(super) fn fail(mut self, reason: &str) -> io::Result<()> {
        self.frame(ERROR, reason.as_bytes())?;
        self.out.flush()
    }
}

impl<W: Write> Write for Frames<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let bytes = &bytes[..bytes.len().min(MAX_DATA)];
        self.frame(DATA, bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Receives data that was sent in frames. Ends with an error unless the peer said that it was all.
pub(super) struct Data<R> {
    input: R,
    /// Bytes of the frame that are to come.
    left: usize,
    is_ended: bool,
}

impl<R: Read> Data<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            left: 0,
            is_ended: false,
        }
    }

    /// Where it comes from.
    pub(super) fn source(&self) -> &R {
        &self.input
    }

    fn next_frame(&mut self) -> io::Result<()> {
        let mut head = [0; 5];
        self.input.read_exact(&mut head).map_err(cut_off)?;
        let [kind, length @ ..] = head;
        let length = u32::from_le_bytes(length);
        match kind {
            DATA => self.left = length as usize,
            END => self.is_ended = true,
            ERROR => {
                let mut reason = Vec::new();
                let reason_of = self.input.by_ref().take(u64::from(length));
                reason_of.take(MAX_REQUEST).read_to_end(&mut reason)?;
                let reason = String::from_utf8_lossy(&reason).into_owned();
                return Err(io::Error::other(reason));
            }
            other => {
                return Err(io::Error::other(format!(
                    "the server sent a frame of the unknown kind {other}"
                )));
            }
        }
        Ok(())
    }
}

fn cut_off(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => io::Error::other("the server has gone"),
        _ => error,
    }
}

impl<R: Read> Read for Data<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.left == 0 && !self.is_ended {
            self.next_frame()?;
        }
        let n = self.left.min(buffer.len());
        if n == 0 {
            return Ok(0);
        }
        let n = self.input.read(&mut buffer[..n])?;
        if n == 0 {
            return Err(io::Error::other("the server has gone"));
        }
        self.left -= n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(bytes: &[u8]) -> Result<Vec<u8>, String> {
        let mut all = Vec::new();
        let read = Data::new(bytes).read_to_end(&mut all);
        read.map(|_| all).map_err(|error| error.to_string())
    }

    fn sent(end: impl FnOnce(Frames<&mut Vec<u8>>)) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut frames = Frames::new(&mut bytes);
        frames.write_all(b"some ").unwrap();
        frames.write_all(&vec![b'x'; 2 * MAX_DATA]).unwrap();
        end(frames);
        bytes
    }

    #[test]
    fn what_is_sent_arrives_and_a_stream_that_stops_early_is_an_error() {
        let whole = sent(|frames| frames.end().unwrap());
        assert_eq!(received(&whole).unwrap().len(), 5 + 2 * MAX_DATA);
        for length in [0, 3, 8, 12, 1_000, whole.len() - 6, whole.len() - 1] {
            assert_eq!(
                received(&whole[..length]),
                Err("the server has gone".into())
            );
        }
        let failed = sent(|frames| frames.fail("the disk is gone").unwrap());
        assert_eq!(received(&failed), Err("the disk is gone".into()));
    }

    #[test]
    fn requests_are_understood_or_answered_in_words() {
        let mut line = Vec::new();
        ask(&mut line, Command::Backup).unwrap();
        assert_eq!(asked(&mut line.as_slice()).unwrap(), Ok(Command::Backup));
        for (line, words) in [
            (&b"GET / HTTP/1.1\r\n"[..], "not understood"),
            (br#"{"protocol":2,"command":"backup"}"#, "protocol 2"),
            (br#"{"protocol":1,"command":"erase"}"#, "\"erase\""),
            (b"", "not understood"),
        ] {
            let refused = asked(&mut &line[..]).unwrap().unwrap_err();
            assert!(refused.contains(words), "{refused}");
        }
    }
}
