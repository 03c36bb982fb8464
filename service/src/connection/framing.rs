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
//! Bodies are passed over by their length. The cost is a look at each line of a head: in place, unless it came in pieces.

use memchr::memchr;

use super::authority::{is_authority, is_same};

/// Bytes of a line that are read; longer ones of the lines that matter are refused.
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

/// A line without its LF.
#[derive(Clone, Copy)]
struct Line<'a> {
    /// Its first [`KEPT_BYTES`].
    kept: &'a [u8],
    /// Its length.
    bytes: usize,
    last: u8,
}

impl<'a> Line<'a> {
    fn of(text: &'a [u8]) -> Self {
        Self {
            kept: &text[..text.len().min(KEPT_BYTES)],
            bytes: text.len(),
            last: text.last().copied().unwrap_or_default(),
        }
    }

    /// Nothing but its CR.
    fn is_blank(&self) -> bool {
        self.bytes == 1
    }

    fn is_whole(&self) -> bool {
        self.bytes <= KEPT_BYTES
    }
}

/// A connection's requests, as far as they have come.
#[derive(Debug)]
pub(super) struct Framing {
    part: Part,
    head: Head,
    /// The begin of a line whose end has not come.
    begun: Vec<u8>,
    /// Its length so far, and its last byte.
    begun_bytes: usize,
    last: u8,
    trailer_bytes: usize,
}

impl Default for Framing {
    fn default() -> Self {
        Self {
            part: Part::RequestLine,
            head: Head::default(),
            begun: Vec::new(),
            begun_bytes: 0,
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
        let end = memchr(b'\n', bytes);
        let text = &bytes[..end.unwrap_or(bytes.len())];
        let room = self.line_max().saturating_sub(self.begun_bytes);
        let refused = if text.len() > room {
            Some(room)
        } else if self.begun_bytes == 0 && end.is_some() {
            let is_meant = self.whole_line(Line::of(text)).is_some();
            end.filter(|_| !is_meant)
        } else {
            self.go_on(text);
            end.filter(|_| self.end_line().is_none())
        };
        match (refused, end) {
            (Some(at), _) => {
                self.refuse(bytes, at);
                at + 1
            }
            (None, Some(end)) => end + 1,
            (None, None) => bytes.len(),
        }
    }

    /// Keeps what came of a line that ends later.
    fn go_on(&mut self, text: &[u8]) {
        let room = KEPT_BYTES.saturating_sub(self.begun.len());
        self.begun.extend_from_slice(&text[..text.len().min(room)]);
        self.begun_bytes += text.len();
        self.last = text.last().copied().unwrap_or(self.last);
    }

    /// Reads the line that came in pieces.
    fn end_line(&mut self) -> Option<()> {
        let mut begun = std::mem::take(&mut self.begun);
        let read = self.whole_line(Line {
            kept: &begun,
            bytes: self.begun_bytes,
            last: self.last,
        });
        begun.clear();
        self.begun = begun;
        self.begun_bytes = 0;
        self.last = 0;
        read
    }

    /// Changes the byte at `at`, the last one that was read. In what follows the last chunk the parser takes every byte
    /// but one after a CR that is no LF, so that a CR is made there: all that follows is refused, too.
    fn refuse(&mut self, bytes: &mut [u8], at: usize) {
        bytes[at] = match self.part {
            Part::Trailer => b'\r',
            _ => REFUSED,
        };
        self.part = Part::Refused;
    }

    /// The longest line that is meant here; the framework limits heads.
    fn line_max(&self) -> usize {
        match self.part {
            Part::ChunkSize => CHUNK_LINE_MAX,
            Part::ChunkEnd => 1,
            Part::Trailer => TRAILERS_MAX - self.trailer_bytes,
            _ => usize::MAX,
        }
    }

    /// What follows a line; `None` if nothing may.
    fn whole_line(&mut self, line: Line<'_>) -> Option<()> {
        if line.last != b'\r' {
            return None;
        }
        self.part = match self.part {
            Part::Field if !line.is_blank() => {
                self.head.field(line)?;
                Part::Field
            }
            Part::Field => self.head.body()?,
            Part::RequestLine if line.is_blank() => Part::RequestLine,
            Part::RequestLine => {
                self.head = Head::of(line)?;
                Part::Field
            }
            Part::ChunkSize => match chunk_size(line.kept)? {
                0 => {
                    self.trailer_bytes = 0;
                    Part::Trailer
                }
                size => Part::Chunk(size),
            },
            Part::ChunkEnd => Part::ChunkSize,
            Part::Trailer if line.is_blank() => Part::RequestLine,
            Part::Trailer => {
                // With its LF, for which there is room only if another line may follow.
                self.trailer_bytes = (self.trailer_bytes + line.bytes + 1).min(TRAILERS_MAX);
                Part::Trailer
            }
            part => part,
        };
        Some(())
    }
}

impl Head {
    /// That of a request line; `None` if there may be none.
    fn of(line: Line<'_>) -> Option<Self> {
        // The framework would take all that follows for the body of a tunnel.
        if line.kept.starts_with(b"CONNECT ") {
            return None;
        }
        Some(Self {
            authority: target_authority(line)?,
            ..Self::default()
        })
    }

    /// Reads a header field; `None` if it makes the length of the body unclear.
    fn field(&mut self, line: Line<'_>) -> Option<()> {
        let ends = |byte: &u8| *byte == b':' || byte.is_ascii_whitespace();
        let Some(colon) = line.kept.iter().position(ends) else {
            // A name that is longer than what is kept is none of these.
            return (!line.is_whole()).then_some(());
        };
        // A line that goes on with the one before (obsolete folding), or a name that another parser reads as one of these.
        if line.kept[colon] != b':' || colon == 0 {
            return None;
        }
        let (name, value) = (&line.kept[..colon], &line.kept[colon + 1..]);
        let is_named = |wanted: &[u8]| name.eq_ignore_ascii_case(wanted);
        let is_whole = line.is_whole();
        // Most names have another length than any of these.
        match name.len() {
            4 if is_named(b"host") => {
                let value = value.trim_ascii();
                let is_clear = is_whole && is_authority(value);
                let target = self.authority.as_ref();
                let is_targets = target.is_none_or(|(target, port)| is_same(target, value, *port));
                (is_clear && is_targets).then_some(())
            }
            14 if is_named(b"content-length") => {
                let length = Some(value.trim_ascii())
                    .filter(|_| is_whole)
                    .and_then(number)?;
                self.length.replace(length).is_none().then_some(())
            }
            17 if is_named(b"transfer-encoding") => {
                let is_chunked = is_whole && value.trim_ascii().eq_ignore_ascii_case(b"chunked");
                let before = std::mem::replace(&mut self.is_chunked, true);
                (is_chunked && !before).then_some(())
            }
            7 if is_named(b"upgrade") => {
                // The framework would take all that follows for a web socket, whatever length is told.
                let value = value.to_ascii_lowercase();
                let is_socket = !is_whole || value.windows(9).any(|part| part == b"websocket");
                (!is_socket).then_some(())
            }
            _ => Some(()),
        }
    }

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

/// The authority of an absolute target, and the port of its scheme; `None` if it is not one.
fn target_authority(line: Line<'_>) -> Option<Option<(Vec<u8>, u16)>> {
    let begin = memchr(b' ', line.kept).map_or(line.kept.len(), |space| space + 1);
    let target = &line.kept[begin..];
    let schemes = [(&b"http://"[..], 80), (b"https://", 443)];
    let found = schemes.iter().find_map(|(scheme, port)| {
        let begins = target.get(..scheme.len())?.eq_ignore_ascii_case(scheme);
        begins.then(|| (&target[scheme.len()..], *port))
    });
    let Some((rest, port)) = found else {
        return Some(None);
    };
    let ends = |byte: &u8| matches!(byte, b' ' | b'/' | b'?' | b'#');
    // What goes on beyond what is kept cannot be compared.
    let authority = &rest[..rest.iter().position(ends)?];
    is_authority(authority).then(|| Some((authority.to_vec(), port)))
}

/// A number of decimal digits and nothing else.
fn number(text: &[u8]) -> Option<u64> {
    let digit = |byte: u8| byte.is_ascii_digit().then(|| u64::from(byte - b'0'));
    let (first, rest) = text.split_first()?;
    rest.iter().try_fold(digit(*first)?, |number, byte| {
        number.checked_mul(10)?.checked_add(digit(*byte)?)
    })
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
mod tests;
