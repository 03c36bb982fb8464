//! Bytes into lines, whatever way they come: in pieces of whole lines, so that a line is looked at once.

use bytes::{Bytes, BytesMut};
use memchr::{memchr, memchr_iter};

/// Where a line stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::http) struct Place {
    /// Lines before it that are not blank: as many as there are answers before its own.
    pub(in crate::http) index: usize,
    /// All lines before it.
    pub(in crate::http) number: u64,
}

/// A line that is not blank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) struct Line<'a> {
    /// Without the space around it; `None` if it is longer than any that is read.
    pub(in crate::http) text: Option<&'a [u8]>,
    pub(in crate::http) place: Place,
}

/// Whole lines, of some bytes that came together.
#[derive(Debug, Default)]
pub(in crate::http) struct Batch {
    pieces: Vec<Piece>,
    bytes: usize,
    n_lines: usize,
}

#[derive(Debug)]
enum Piece {
    /// Lines, each with its end unless it is the last of all.
    Lines(Bytes),
    /// The end of a line that was too long, which was passed over.
    TooLong,
}

impl Batch {
    /// Bytes of its lines.
    pub(in crate::http) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many lines it has, blank ones among them.
    pub(in crate::http) fn n_lines(&self) -> usize {
        self.n_lines
    }

    /// The lines that are not blank, counted on from `place`, which is afterwards that of the line after the last.
    pub(in crate::http) fn lines<'a>(&'a self, place: &'a mut Place) -> Lines<'a> {
        Lines {
            pieces: self.pieces.iter(),
            rest: &[],
            place,
        }
    }

    fn push(&mut self, lines: Bytes, n_lines: usize) {
        self.bytes += lines.len();
        self.n_lines += n_lines;
        self.pieces.push(Piece::Lines(lines));
    }

    fn push_long(&mut self) {
        self.n_lines += 1;
        self.pieces.push(Piece::TooLong);
    }
}

/// The lines of a batch.
pub(in crate::http) struct Lines<'a> {
    pieces: std::slice::Iter<'a, Piece>,
    rest: &'a [u8],
    place: &'a mut Place,
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        loop {
            let text = if self.rest.is_empty() {
                match self.pieces.next()? {
                    Piece::Lines(lines) => {
                        self.rest = lines;
                        continue;
                    }
                    Piece::TooLong => None,
                }
            } else {
                let end = memchr(b'\n', self.rest);
                let (line, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
                self.rest = rest.get(1..).unwrap_or_default();
                Some(trimmed(line))
            };
            let place = *self.place;
            self.place.number += 1;
            if text.is_none_or(|text| !text.is_empty()) {
                self.place.index += 1;
                return Some(Line { text, place });
            }
        }
    }
}

/// Without white space of JSON around it: a form feed is none.
fn trimmed(line: &[u8]) -> &[u8] {
    let is_text = |byte: &u8| !matches!(byte, b' ' | b'\t' | b'\r');
    let from = line.iter().position(is_text).unwrap_or(line.len());
    let to = line.iter().rposition(is_text).map_or(from, |at| at + 1);
    &line[from..to]
}

/// Cuts bytes into whole lines; keeps what is there of a line whose end is to come, up to the longest.
#[derive(Debug)]
pub(in crate::http) struct Splitter {
    longest: usize,
    begun: BytesMut,
    is_within_long: bool,
}

impl Splitter {
    /// Lines of up to `longest` bytes are read.
    pub(in crate::http) fn new(longest: usize) -> Self {
        Self {
            longest,
            begun: BytesMut::new(),
            is_within_long: false,
        }
    }

    /// Adds the lines that end in the begin of `chunk` to `batch`, until there are `most` in it; the rest of the chunk.
    pub(in crate::http) fn push(
        &mut self,
        mut chunk: Bytes,
        most: usize,
        batch: &mut Batch,
    ) -> Bytes {
        if self.is_within_long || !self.begun.is_empty() {
            let Some(end) = memchr(b'\n', &chunk) else {
                self.keep(&chunk);
                return Bytes::new();
            };
            self.keep(&chunk[..end]);
            let _ = chunk.split_to(end + 1);
            self.end(batch);
        }
        let room = most.saturating_sub(batch.n_lines);
        let (mut n, mut to) = (0, 0);
        for end in memchr_iter(b'\n', &chunk).take(room) {
            if end - to > self.longest {
                // Rare: what is before it goes as it is.
                self.cut(&mut chunk, to, n, batch);
                let _ = chunk.split_to(end - to + 1);
                batch.push_long();
                return self.push(chunk, most, batch);
            }
            (n, to) = (n + 1, end + 1);
        }
        let is_full = n == room;
        self.cut(&mut chunk, to, n, batch);
        if is_full {
            return chunk;
        }
        self.keep(&chunk);
        Bytes::new()
    }

    /// The last line, if nothing ends it.
    pub(in crate::http) fn finish(&mut self, batch: &mut Batch) {
        if self.is_within_long || !self.begun.is_empty() {
            self.end(batch);
        }
    }

    fn cut(&self, chunk: &mut Bytes, to: usize, n: usize, batch: &mut Batch) {
        if to > 0 {
            batch.push(chunk.split_to(to), n);
        }
    }

    /// Keeps more of a line whose end is to come.
    fn keep(&mut self, more: &[u8]) {
        self.is_within_long |= self.begun.len() + more.len() > self.longest;
        if self.is_within_long {
            self.begun = BytesMut::new();
        } else {
            self.begun.extend_from_slice(more);
        }
    }

    /// Ends the line that was begun.
    fn end(&mut self, batch: &mut Batch) {
        if std::mem::take(&mut self.is_within_long) {
            batch.push_long();
        } else {
            batch.push(self.begun.split().freeze(), 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Told = (Option<Vec<u8>>, usize, u64);

    /// What is read of `body`, cut into chunks of the given lengths in turn.
    fn told(body: &[u8], lengths: &[usize], most: usize, longest: usize) -> Vec<Told> {
        let mut splitter = Splitter::new(longest);
        let (mut place, mut told) = (Place::default(), Vec::new());
        let mut take = |batch: Batch| {
            let lines = batch.lines(&mut place);
            let lines = lines.map(|l| (l.text.map(<[u8]>::to_vec), l.place.index, l.place.number));
            told.extend(lines);
        };
        let mut body = Bytes::copy_from_slice(body);
        let mut lengths = lengths.iter().cycle();
        while !body.is_empty() {
            let n = lengths.next().map_or(1, |n| *n).clamp(1, body.len());
            let mut chunk = body.split_to(n);
            while !chunk.is_empty() {
                let mut batch = Batch::default();
                chunk = splitter.push(chunk, most, &mut batch);
                assert!(batch.n_lines() <= most, "{}", batch.n_lines());
                take(batch);
            }
        }
        let mut batch = Batch::default();
        splitter.finish(&mut batch);
        take(batch);
        told
    }

    /// The same by the definition.
    fn expected(body: &[u8], longest: usize) -> Vec<Told> {
        let lines = body.split(|byte| *byte == b'\n').enumerate();
        let lines = lines.map(|(number, line)| {
            let text = (line.len() <= longest).then(|| trimmed(line).to_vec());
            (text, number as u64)
        });
        let lines = lines.filter(|(text, _)| text.as_ref().is_none_or(|text| !text.is_empty()));
        let lines = lines.enumerate();
        lines
            .map(|(index, (text, number))| (text, index, number))
            .collect()
    }

    #[test]
    fn blank_lines_are_counted_and_not_told() {
        let body = b"a\r\n \n\n b \n\t\nc";
        let text = |text: &str| Some(text.as_bytes().to_vec());
        let lines = [(text("a"), 0, 0), (text("b"), 1, 3), (text("c"), 2, 5)];
        assert_eq!(told(body, &[3], 9, 9), lines);
    }

    proptest! {
        #[test]
        fn lines_do_not_depend_on_how_bytes_come(
            body in prop::collection::vec(prop::sample::select(b"ab \r\n\n".to_vec()), 0..200),
            lengths in prop::collection::vec(1_usize..40, 1..8),
            most in 1_usize..9,
            longest in 1_usize..12,
        ) {
            prop_assert_eq!(told(&body, &lengths, most, longest), expected(&body, longest));
        }
    }
}
