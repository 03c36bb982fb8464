//! Reading one HTTP/1.1 reply out of the bytes of a connection (RFC 9112): its head by `httparse`,
//! its body by length, by chunks or to the connection's end. Bodies are counted and not kept, but
//! for the beginning of those that a failure should quote, and for 2xx where answers are checked.

use bytes::{Buf, BytesMut};

/// Longest head that is read; no server of the contract comes near.
const MOST_HEAD_BYTES: usize = 64 * 1024;

/// Headers in a head at most.
const MOST_HEADERS: usize = 64;

/// How much of a failure's body is kept, in bytes; a problem document is shorter.
const PREVIEW_BYTES: usize = 2_048;

/// Why bytes are no reply.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReplyError {
    #[error("the reply is not HTTP/1.1: {0}")]
    Head(#[from] httparse::Error),
    #[error("the reply's head is longer than {MOST_HEAD_BYTES} bytes")]
    LongHead,
    #[error("the reply's Content-Length is not a number")]
    Length,
    #[error("the reply's body is not chunked as it should be")]
    Chunk,
    #[error("the connection was closed before a reply")]
    ClosedBefore,
    #[error("the connection was closed in the middle of a reply")]
    ClosedWithin,
}

/// What is known of the reply being read.
#[derive(Debug)]
pub(super) struct Reply {
    stage: Stage,
    /// The status, once the head is whole; 0 before.
    pub(super) status: u16,
    /// What the server says it took.
    pub(super) server_ns: Option<u64>,
    /// Whether the connection can carry another request.
    pub(super) keep_alive: bool,
    /// Bytes read, head and body.
    pub(super) bytes: u64,
    /// Bytes of the body.
    pub(super) body_bytes: u64,
    /// Line ends in the body.
    pub(super) lines: u32,
    /// The beginning of the body of a reply that is no 2xx.
    pub(super) preview: Vec<u8>,
    /// The body of a 2xx reply, as far as it is kept.
    pub(super) body: Vec<u8>,
    /// How much of it is kept.
    keep: usize,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    Head,
    Length(u64),
    /// Before the line that gives a chunk's size.
    ChunkSize,
    /// Within a chunk, with the two bytes after it.
    Chunk(u64),
    /// After the last chunk, to the empty line.
    Trailer,
    ToEnd,
    Whole,
}

impl Reply {
    /// Keeps `keep` bytes of a 2xx reply's body.
    pub(super) fn new(keep: usize) -> Self {
        Self {
            stage: Stage::Head,
            status: 0,
            server_ns: None,
            keep_alive: true,
            bytes: 0,
            body_bytes: 0,
            lines: 0,
            preview: Vec::new(),
            body: Vec::new(),
            keep,
        }
    }

    /// Whether the reply ended.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self.stage, Stage::Whole)
    }

    /// Consumes what `input` has of this reply.
    pub(super) fn read(&mut self, input: &mut BytesMut) -> Result<(), ReplyError> {
        loop {
            let before = input.len();
            let progress = match self.stage {
                Stage::Head => self.read_head(input)?,
                Stage::Length(left) => {
                    let taken = self.take(input, left);
                    self.stage = match left - taken {
                        0 => Stage::Whole,
                        left => Stage::Length(left),
                    };
                    taken > 0
                }
                Stage::ChunkSize => self.read_chunk_size(input)?,
                Stage::Chunk(left) => self.read_chunk(input, left)?,
                Stage::Trailer => self.read_trailer(input)?,
                Stage::ToEnd => {
                    self.take(input, u64::MAX);
                    false
                }
                Stage::Whole => false,
            };
            self.bytes += (before - input.len()) as u64;
            if !progress {
                return Ok(());
            }
        }
    }

    /// The server closed the connection: the end of a reply without a length, else too early.
    pub(super) fn close(&mut self) -> Result<(), ReplyError> {
        self.keep_alive = false;
        match self.stage {
            Stage::Whole => Ok(()),
            Stage::ToEnd => {
                self.stage = Stage::Whole;
                Ok(())
            }
            Stage::Head if self.bytes == 0 => Err(ReplyError::ClosedBefore),
            _ => Err(ReplyError::ClosedWithin),
        }
    }

    fn read_head(&mut self, input: &mut BytesMut) -> Result<bool, ReplyError> {
        if input.is_empty() {
            return Ok(false);
        }
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut head = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(length) = head.parse(input)? else {
            return match input.len() {
                long if long > MOST_HEAD_BYTES => Err(ReplyError::LongHead),
                _ => Ok(false),
            };
        };
        let status = head.code.unwrap_or_default();
        let mut stage = Stage::ToEnd;
        // HTTP/1.0 closes unless it says otherwise.
        self.keep_alive = head.version == Some(1);
        for header in head.headers.iter() {
            let is = |name: &str| header.name.eq_ignore_ascii_case(name);
            if is("content-length") {
                // A chunked body's length is in its chunks (RFC 9112, 6.3).
                if !matches!(stage, Stage::ChunkSize) {
                    stage = Stage::Length(number(header.value).ok_or(ReplyError::Length)?);
                }
            } else if is("transfer-encoding") {
                if contains(header.value, b"chunked") {
                    stage = Stage::ChunkSize;
                }
            } else if is("connection") {
                if contains(header.value, b"close") {
                    self.keep_alive = false;
                } else if contains(header.value, b"keep-alive") {
                    self.keep_alive = true;
                }
            } else if is("x-response-time") {
                self.server_ns = milliseconds(header.value);
            }
        }
        input.advance(length);
        match status {
            // An interim reply: the real one follows.
            100..=199 => {
                self.server_ns = None;
                return Ok(true);
            }
            204 | 304 => stage = Stage::Whole,
            _ => {}
        }
        if matches!(stage, Stage::Length(0)) {
            stage = Stage::Whole;
        }
        self.status = status;
        self.stage = stage;
        Ok(true)
    }

    fn read_chunk_size(&mut self, input: &mut BytesMut) -> Result<bool, ReplyError> {
        match httparse::parse_chunk_size(input) {
            Ok(httparse::Status::Complete((length, size))) => {
                input.advance(length);
                self.stage = match size {
                    0 => Stage::Trailer,
                    // The line end after the data belongs to the chunk.
                    size => Stage::Chunk(size.checked_add(2).ok_or(ReplyError::Chunk)?),
                };
                Ok(true)
            }
            Ok(httparse::Status::Partial) => Ok(false),
            Err(_) => Err(ReplyError::Chunk),
        }
    }

    fn read_chunk(&mut self, input: &mut BytesMut, left: u64) -> Result<bool, ReplyError> {
        let mut left = left;
        if left > 2 {
            left -= self.take(input, left - 2);
        }
        if left <= 2 {
            // The two bytes are CR and LF, in one read or in two.
            let end = &b"\r\n"[2 - left as usize..];
            let there = end.len().min(input.len());
            if input[..there] != end[..there] {
                return Err(ReplyError::Chunk);
            }
            input.advance(there);
            left -= there as u64;
        }
        self.stage = match left {
            0 => Stage::ChunkSize,
            left => Stage::Chunk(left),
        };
        Ok(left == 0)
    }

    fn read_trailer(&mut self, input: &mut BytesMut) -> Result<bool, ReplyError> {
        let Some(end) = input.iter().position(|byte| *byte == b'\n') else {
            return match input.len() {
                long if long > MOST_HEAD_BYTES => Err(ReplyError::LongHead),
                _ => Ok(false),
            };
        };
        let empty = matches!(&input[..end], b"" | b"\r");
        input.advance(end + 1);
        if empty {
            self.stage = Stage::Whole;
        }
        Ok(true)
    }

    /// Takes at most `most` bytes of body, and says how many it took.
    fn take(&mut self, input: &mut BytesMut, most: u64) -> u64 {
        let length = usize::try_from(most).unwrap_or(usize::MAX).min(input.len());
        let body = &input[..length];
        self.body_bytes += length as u64;
        self.lines += body.iter().filter(|byte| **byte == b'\n').count() as u32;
        if !(200..300).contains(&self.status) {
            let room = PREVIEW_BYTES.saturating_sub(self.preview.len());
            self.preview.extend_from_slice(&body[..room.min(length)]);
        } else if self.keep > 0 {
            let room = self.keep.saturating_sub(self.body.len());
            self.body.extend_from_slice(&body[..room.min(length)]);
        }
        input.advance(length);
        length as u64
    }
}

fn number(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}

fn contains(value: &[u8], word: &[u8]) -> bool {
    value
        .split(|byte| *byte == b',')
        .any(|part| part.trim_ascii().eq_ignore_ascii_case(word))
}

/// `12.34ms`, as the service writes it; a bare number is milliseconds too.
fn milliseconds(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?.trim();
    let ms: f64 = text.strip_suffix("ms").unwrap_or(text).parse().ok()?;
    // Beyond an hour it is no response time; NaN and negatives fall out too.
    (0.0..=3.6e6)
        .contains(&ms)
        .then(|| (ms * 1e6).round() as u64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Feeds `pieces` one after the other.
    fn read(pieces: &[&[u8]]) -> Result<(Reply, BytesMut), ReplyError> {
        let (mut reply, mut input) = (Reply::new(0), BytesMut::new());
        for piece in pieces {
            input.extend_from_slice(piece);
            reply.read(&mut input)?;
        }
        Ok((reply, input))
    }

    const CHUNKED: &[u8] =
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nX-Response-Time: 0.25ms\r\n\r\n\
        5\r\na\nb\nc\r\n10;ext=1\r\n0123456789abcde\n\r\n0\r\ntrailer: x\r\n\r\n";

    #[test]
    fn a_reply_with_a_length() {
        let (reply, rest) =
            read(&[b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nnoHTTP"]).unwrap();
        assert!(reply.is_whole() && reply.keep_alive);
        assert_eq!((reply.status, reply.body_bytes), (404, 2));
        assert_eq!(reply.preview, b"no");
        assert_eq!(&rest[..], b"HTTP", "what follows is left");
    }

    #[test]
    fn a_chunked_reply_with_extension_and_trailer() {
        let (reply, rest) = read(&[CHUNKED]).unwrap();
        assert!(reply.is_whole() && rest.is_empty());
        assert_eq!((reply.body_bytes, reply.lines), (21, 3));
        assert_eq!(reply.bytes, CHUNKED.len() as u64);
        assert_eq!(reply.server_ns, Some(250_000));
    }

    #[test]
    fn replies_without_a_body_or_a_length() {
        for head in ["204 No Content", "304 Not Modified"] {
            let (reply, _) = read(&[format!("HTTP/1.1 {head}\r\n\r\n").as_bytes()]).unwrap();
            assert!(reply.is_whole(), "{head}");
        }
        let (mut reply, _) = read(&[b"HTTP/1.1 200 OK\r\n\r\nto the", b" end"]).unwrap();
        assert!(!reply.is_whole());
        reply.close().unwrap();
        assert!(reply.is_whole() && !reply.keep_alive);
        assert_eq!(reply.body_bytes, 10);
    }

    #[test]
    fn interim_replies_are_passed_over() {
        let pieces = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        let (reply, _) = read(&[pieces]).unwrap();
        assert!(reply.is_whole());
        assert_eq!(reply.status, 200);
    }

    #[test]
    fn who_closes() {
        let closes = |head: &str| {
            let text = format!("{head}\r\ncontent-length: 0\r\n\r\n");
            !read(&[text.as_bytes()]).unwrap().0.keep_alive
        };
        assert!(closes("HTTP/1.1 200 OK\r\nConnection: Close"));
        assert!(!closes("HTTP/1.1 200 OK"));
        assert!(closes("HTTP/1.0 200 OK"));
        assert!(!closes("HTTP/1.0 200 OK\r\nconnection: keep-alive"));
    }

    #[test]
    fn a_close_in_the_middle_is_an_error() {
        let mut nothing = Reply::new(0);
        assert!(matches!(nothing.close(), Err(ReplyError::ClosedBefore)));
        let (mut half, _) = read(&[b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"]).unwrap();
        assert!(matches!(half.close(), Err(ReplyError::ClosedWithin)));
    }

    #[test]
    fn what_is_not_http_says_so() {
        for bytes in [
            &b"220 smtp.example\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n",
        ] {
            assert!(read(&[bytes]).is_err(), "{bytes:?}");
        }
        let endless = vec![b'a'; MOST_HEAD_BYTES + 1];
        let head = [&b"HTTP/1.1 200 OK\r\nx: "[..], &endless].concat();
        assert!(matches!(read(&[&head]), Err(ReplyError::LongHead)));
    }

    #[test]
    fn response_times_are_milliseconds() {
        assert_eq!(milliseconds(b"12.34ms"), Some(12_340_000));
        assert_eq!(milliseconds(b" 0.5 "), Some(500_000));
        assert_eq!(milliseconds(b"NaN"), None);
        assert_eq!(milliseconds(b"-1ms"), None);
    }

    proptest! {
        #[test]
        fn how_bytes_are_cut_into_reads_does_not_matter(cuts in prop::collection::vec(0..CHUNKED.len(), 0..8)) {
            let mut cuts = cuts;
            cuts.sort_unstable();
            let (mut pieces, mut from) = (Vec::new(), 0);
            for cut in cuts.into_iter().chain([CHUNKED.len()]) {
                pieces.push(&CHUNKED[from..cut]);
                from = cut;
            }
            let (reply, rest) = read(&pieces).unwrap();
            prop_assert!(reply.is_whole() && rest.is_empty());
            prop_assert_eq!((reply.body_bytes, reply.lines, reply.bytes), (21, 3, CHUNKED.len() as u64));
        }
    }
}
