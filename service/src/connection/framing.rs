//! Where requests begin and end in the bytes of a connection, strictly.
//!
//! The framework's parser takes a bare LF for the end of a line, and any length of what is written beside a chunk.
//! A proxy in front that reads otherwise sees other requests in the same bytes (RFC 9112, sections 2.2 and 11.2). Here
//! the bytes are followed on their way to the parser, and where they are not what a request is made of, one is changed
//! to a byte that no parser takes: so the parser refuses it, in the order of requests, and the connection ends.
//!
//! The same is done where it is not said clearly for whom a request is, or where it ends. A refusal by a handler would
//! be too late: what was pipelined behind is then already with the framework, which answers it.
//!
//! Bodies are passed over by their length. The cost is a look at each line of a head.

use super::authority::{is_authority, is_same};

/// Bytes of a line that are kept to read it; longer ones of the lines that matter are refused.
const KEPT_BYTES: usize = 512;
/// Most bytes of the line of a chunk's size, with its extensions.
const CHUNK_LINE_MAX: usize = 1_024;
/// Most bytes of what follows the last chunk.
const TRAILERS_MAX: usize = 8 * 1_024;
/// No chunk is larger, and no sum of it overflows.
const CHUNK_MAX: u64 = 1 << 40;
/// What stands for a byte that is refused: no part of any line.
const REFUSED: u8 = 0;

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// The line of a request, or blank ones before it.
    RequestLine,
    /// A line of a head.
    Field,
    /// So many bytes of a body.
    Body(u64),
    /// The line of a chunk's size.
    ChunkSize,
    /// So many bytes of a chunk.
    Chunk(u64),
    /// The line end after a chunk.
    ChunkEnd,
    /// A line after the last chunk.
    Trailer,
    /// What follows a fault.
    Refused,
}

/// What a head has said of the body so far.
#[derive(Debug, Default)]
struct Head {
    length: Option<u64>,
    is_chunked: bool,
    /// The authority of an absolute target, and the port of its scheme.
    authority: Option<(Vec<u8>, u16)>,
}

/// A connection's requests, as far as they have come.
#[derive(Debug)]
pub(super) struct Framing {
    part: Part,
    head: Head,
    /// The begin of the line that is being read.
    line: Vec<u8>,
    /// Its length so far, and its last byte.
    line_bytes: usize,
    last: u8,
    trailer_bytes: usize,
}

impl Default for Framing {
    fn default() -> Self {
        Self {
            part: Part::RequestLine,
            head: Head::default(),
            line: Vec::new(),
            line_bytes: 0,
            last: 0,
            trailer_bytes: 0,
        }
    }
}

impl Framing {
    /// Follows `bytes`, the next ones of the connection; changes the first that is refused, and all after it.
    pub(super) fn pass(&mut self, bytes: &mut [u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let read = match &mut self.part {
                Part::Body(left) | Part::Chunk(left) => {
                    let read = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    *left -= read as u64;
                    read
                }
                Part::Refused => {
                    rest.fill(REFUSED);
                    rest.len()
                }
                _ => self.line(rest),
            };
            match self.part {
                Part::Body(0) => self.part = Part::RequestLine,
                Part::Chunk(0) => self.part = Part::ChunkEnd,
                _ => {}
            }
            rest = &mut rest[read..];
        }
    }

    #[cfg(test)]
    fn is_refused(&self) -> bool {
        self.part == Part::Refused
    }

    /// Reads up to the end of the line, or what there is of it; the number of bytes.
    fn line(&mut self, bytes: &mut [u8]) -> usize {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let text = &bytes[..end.unwrap_or(bytes.len())];
        let room = KEPT_BYTES.saturating_sub(self.line.len());
        self.line.extend_from_slice(&text[..text.len().min(room)]);
        self.line_bytes += text.len();
        self.last = text.last().copied().unwrap_or(self.last);
        let Some(end) = end else {
            if self.is_too_long() {
                self.refuse(bytes, bytes.len() - 1);
            }
            return bytes.len();
        };
        if self.line_bytes == 0
            || self.last != b'\r'
            || self.is_too_long()
            || self.whole_line().is_none()
        {
            self.refuse(bytes, end);
        }
        self.line.clear();
        self.line_bytes = 0;
        self.last = 0;
        end + 1
    }

    /// Changes the byte at `at`, the last one that was read. In what follows the last chunk the parser takes every byte
    /// but a CR without LF, so that one is made there, too.
    fn refuse(&mut self, bytes: &mut [u8], at: usize) {
        if self.part == Part::Trailer {
            bytes[at.saturating_sub(1)] = b'\r';
        }
        bytes[at] = if self.part == Part::Trailer && at == 0 {
            b'\r'
        } else {
            REFUSED
        };
        self.part = Part::Refused;
    }

    /// Whether the line, or the lines after the last chunk, are longer than any that is meant.
    fn is_too_long(&self) -> bool {
        match self.part {
            Part::ChunkSize => self.line_bytes > CHUNK_LINE_MAX,
            Part::ChunkEnd => self.line_bytes > 1,
            Part::Trailer => self.trailer_bytes + self.line_bytes > TRAILERS_MAX,
            // The framework limits heads.
            _ => false,
        }
    }

    /// What follows a line that ends as it should; `None` if nothing may.
    fn whole_line(&mut self) -> Option<()> {
        let is_blank = self.line_bytes == 1;
        self.part = match self.part {
            Part::RequestLine if is_blank => Part::RequestLine,
            Part::RequestLine => {
                // The framework would take all that follows for the body of a tunnel.
                if self.line.starts_with(b"CONNECT ") {
                    return None;
                }
                self.head = Head {
                    authority: self.authority()?,
                    ..Head::default()
                };
                Part::Field
            }
            Part::Field if is_blank => self.head.body()?,
            Part::Field => {
                self.field()?;
                Part::Field
            }
            Part::ChunkSize => match chunk_size(&self.line)? {
                0 => {
                    self.trailer_bytes = 0;
                    Part::Trailer
                }
                size => Part::Chunk(size),
            },
            Part::ChunkEnd => Part::ChunkSize,
            Part::Trailer if is_blank => Part::RequestLine,
            Part::Trailer => {
                self.trailer_bytes += self.line_bytes + 1;
                Part::Trailer
            }
            part => part,
        };
        Some(())
    }

    /// The authority of an absolute target; `None` if it is not one.
    fn authority(&self) -> Option<Option<(Vec<u8>, u16)>> {
        let target = self
            .line
            .split(|byte| *byte == b' ')
            .nth(1)
            .unwrap_or_default();
        let schemes = [(&b"http://"[..], 80), (b"https://", 443)];
        let found = schemes.iter().find_map(|(scheme, port)| {
            let begins = target.get(..scheme.len())?.eq_ignore_ascii_case(scheme);
            begins.then(|| (&target[scheme.len()..], *port))
        });
        let Some((rest, port)) = found else {
            return Some(None);
        };
        let end = rest
            .iter()
            .position(|byte| matches!(byte, b'/' | b'?' | b'#'));
        let authority = &rest[..end.unwrap_or(rest.len())];
        is_authority(authority).then(|| Some((authority.to_vec(), port)))
    }

    /// Reads a header field; `None` if it makes the length of the body unclear.
    fn field(&mut self) -> Option<()> {
        let colon = self.line.iter().position(|byte| *byte == b':');
        // A name that is longer than what is kept is none of these.
        let Some(colon) = colon else {
            return (self.line_bytes > KEPT_BYTES).then_some(());
        };
        let (name, value) = (&self.line[..colon], &self.line[colon + 1..]);
        // A line that goes on with the one before (obsolete folding), or a name that another parser reads as one of these.
        if name.iter().any(u8::is_ascii_whitespace) || name.is_empty() {
            return None;
        }
        let is_named = |wanted: &[u8]| name.eq_ignore_ascii_case(wanted);
        let is_whole = self.line_bytes <= KEPT_BYTES;
        let value = value.trim_ascii();
        if is_named(b"content-length") {
            let is_number = is_whole && !value.is_empty() && value.iter().all(u8::is_ascii_digit);
            let length = std::str::from_utf8(value)
                .ok()
                .filter(|_| is_number)?
                .parse()
                .ok()?;
            let before = self.head.length.replace(length);
            return before.is_none().then_some(());
        }
        if is_named(b"transfer-encoding") {
            let is_chunked = is_whole && value.eq_ignore_ascii_case(b"chunked");
            let before = std::mem::replace(&mut self.head.is_chunked, true);
            return (is_chunked && !before).then_some(());
        }
        if is_named(b"host") {
            let is_clear = is_whole && is_authority(value);
            let target = self.head.authority.as_ref();
            let is_targets = target.is_none_or(|(target, port)| is_same(target, value, *port));
            return (is_clear && is_targets).then_some(());
        }
        if is_named(b"upgrade") {
            // The framework would take all that follows for a web socket, whatever length is told.
            let value = value.to_ascii_lowercase();
            let is_socket = !is_whole || value.windows(9).any(|part| part == b"websocket");
            return (!is_socket).then_some(());
        }
        Some(())
    }
}

impl Head {
    /// What follows the head.
    fn body(&self) -> Option<Part> {
        match (self.length, self.is_chunked) {
            (Some(_), true) => None,
            (None, true) => Some(Part::ChunkSize),
            (None | Some(0), false) => Some(Part::RequestLine),
            (Some(length), false) => Some(Part::Body(length)),
        }
    }
}

/// The size of a chunk; `None` if the line does not begin with one.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let end = line.iter().position(|byte| !byte.is_ascii_hexdigit())?;
    let digits = std::str::from_utf8(&line[..end]).ok()?;
    let size = u64::from_str_radix(digits, 16).ok()?;
    let is_end = matches!(line[end], b'\r' | b';' | b' ' | b'\t');
    (is_end && size <= CHUNK_MAX).then_some(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left of `text` when it comes in pieces of `piece` bytes.
    fn passed(text: &str, piece: usize) -> (String, bool) {
        let mut framing = Framing::default();
        let mut bytes = text.as_bytes().to_vec();
        bytes
            .chunks_mut(piece)
            .for_each(|piece| framing.pass(piece));
        (String::from_utf8(bytes).unwrap(), framing.is_refused())
    }

    #[test]
    fn requests_pass_as_they_are_however_they_are_cut() {
        let requests = [
            "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            "\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\na\nb\n\n\nc",
            "POST / HTTP/1.1\r\nCONTENT-length:\t 007 \r\nHost: x\r\n\r\na\nb\n\n\nc",
            "POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n3;a=b\r\n\n\n\n\r\nA \r\n0123456789\r\n0\r\nX: y\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
            "GET HTTP://X:80?a HTTP/1.1\r\nHost: x\r\n\r\n",
            "POST / HTTP/1.1\r\nUpgrade: h2c\r\nContent-Length: 1\r\n\r\n\n",
        ];
        let all = requests.concat();
        for piece in 1..all.len() {
            assert_eq!(passed(&all, piece), (all.clone(), false), "{piece}");
        }
        let long = format!("GET / HTTP/1.1\r\nCookie: {}\r\n\r\n", "x".repeat(5_000));
        assert_eq!(passed(&long, 700), (long.clone(), false));
    }

    #[test]
    fn what_is_not_a_request_is_refused_however_it_is_cut() {
        let head = |fields: &str| format!("POST / HTTP/1.1\r\n{fields}\r\n\r\n");
        let chunked = |body: &str| format!("{}{body}", head("Transfer-Encoding: chunked"));
        let refused = [
            "GET / HTTP/1.1\nHost: x\r\n\r\n".to_owned(),
            "GET / HTTP/1.1\r\nHost: x\n\r\n".to_owned(),
            "GET / HTTP/1.1\r\nHost: x\r\n\n".to_owned(),
            "\nGET / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
            head("Content-Length: 1\r\nContent-Length: 1"),
            head("Content-Length: 1\r\nTransfer-Encoding: chunked"),
            head("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
            head("Transfer-Encoding: xchunked"),
            head("Content-Length: +1"),
            head("Content-Length: 18446744073709551616"),
            head("Content-Length : 1"),
            head(" Content-Length: 1"),
            head("no colon"),
            head("Host: a b"),
            head("Host:"),
            head("Upgrade: h2c, WebSocket"),
            "CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n".to_owned(),
            "GET http://y/ HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
            "GET http://u@x/ HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
            chunked("5\nhello\r\n0\r\n\r\n"),
            chunked("5\r\nhello\n0\r\n\r\n"),
            chunked("5\r\nhelloX\r\n0\r\n\r\n"),
            chunked("\r\n"),
            chunked("-1\r\n"),
            chunked("fffffffffffffff\r\n"),
            chunked(&format!("5;{}\r\n", "x".repeat(CHUNK_LINE_MAX))),
            chunked("0\r\nX: y\n\r\n"),
            chunked("0\r\n\n"),
            chunked(&format!("0\r\n{}", "X: y\r\n".repeat(TRAILERS_MAX / 6 + 1))),
            chunked(&format!("0\r\nX: {}", "y".repeat(TRAILERS_MAX))),
        ];
        for text in refused {
            for piece in [1, 2, 3, 7, 50, text.len()] {
                let (left, is_refused) =
                    passed(&format!("{text}GET /next HTTP/1.1\r\n\r\n"), piece);
                assert!(is_refused, "{piece}: {text:?}");
                assert!(!left.contains("/next"), "{piece}: {left:?}");
            }
        }
    }
}
