//! A line of the display: pieces of text, each with what it is, so that width is counted before
//! escape sequences are added.

use super::text;

/// What a piece of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Group,
    Label,
    Bar,
    Warning,
    Failure,
}

/// A line that is being put together.
#[derive(Debug, Clone, Default)]
pub(super) struct Line {
    pieces: Vec<(String, Style)>,
    columns: usize,
}

impl Style {
    fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Group => Some("1"),
            Self::Label => Some("2"),
            Self::Bar => Some("36"),
            Self::Warning => Some("33"),
            Self::Failure => Some("31"),
        }
    }
}

impl Line {
    pub(super) fn push(&mut self, piece: impl Into<String>, style: Style) {
        let piece = piece.into();
        self.columns += text::columns(&piece);
        self.pieces.push((piece, style));
    }

    /// Fills up with blanks to `column`.
    pub(super) fn pad_to(&mut self, column: usize) {
        if let Some(blanks) = column.checked_sub(self.columns) {
            self.push(" ".repeat(blanks), Style::Plain);
        }
    }

    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// As the terminal gets it, in at most `width` columns.
    pub(super) fn finish(&self, width: usize, colours: bool) -> String {
        let mut done = String::new();
        let mut left = width;
        for (piece, style) in &self.pieces {
            let whole = text::columns(piece) <= left;
            let piece = text::fit(piece, left);
            left -= text::columns(&piece);
            match style.code() {
                Some(code) if colours && !piece.is_empty() => {
                    done.push_str(&format!("\x1b[{code}m{piece}\x1b[0m"));
                }
                _ => done.push_str(&piece),
            }
            if !whole {
                break;
            }
        }
        done.truncate(done.trim_end().len());
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn width_is_that_of_the_text_alone() {
        let mut line = Line::default();
        line.push("Last", Style::Group);
        line.pad_to(6);
        line.push("p50", Style::Label);
        assert_eq!(line.columns(), 9);
        assert_eq!(line.finish(80, false), "Last  p50");
        assert_eq!(
            line.finish(80, true),
            "\x1b[1mLast\x1b[0m  \x1b[2mp50\x1b[0m"
        );
        assert_eq!(line.finish(8, false), "Last  p…");
        assert_eq!(line.finish(3, true), "\x1b[1mLa…\x1b[0m");
        assert_eq!(line.finish(0, true), "");
    }
}
