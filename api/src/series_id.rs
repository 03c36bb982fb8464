//! The name of a series, checked on the raw path bytes.
//!
//! The check comes before any percent-decoding: a framework's decoding turns `%2e%2e%2f` into
//! `../`, lets `%00` through and maps invalid UTF-8 to one replacement character, so that two
//! different ids could become one. No character of a valid id needs encoding in a path
//! (RFC 3986, section 3.3), so a `%` is refused like any other character outside the set.

use crate::Rejection;
use crate::limits::SERIES_ID_MAX_BYTES;
use crate::problem::{Code, FieldError, Loc};

/// A series id of `[A-Za-z0-9._:@-]{1,256}`, neither `.` nor `..`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SeriesId<'a>(&'a str);

impl<'a> SeriesId<'a> {
    /// Checks `raw`, the bytes as they stand in the request line or the query.
    ///
    /// # Errors
    /// `invalid_series_id`, located at `["path","series_id"]`.
    pub fn parse(raw: &'a str) -> Result<Self, Rejection> {
        Self::parse_at(raw, "path")
    }

    /// As [`SeriesId::parse`] for an id that arrives elsewhere than in the path.
    ///
    /// # Errors
    /// `invalid_series_id`, located at `[place,"series_id"]`.
    pub fn parse_at(raw: &'a str, place: &'static str) -> Result<Self, Rejection> {
        let refuse = |reason: String| {
            Err(Rejection::one(
                Code::InvalidSeriesId,
                FieldError::new([Loc::from(place), Loc::from("series_id")], reason),
            ))
        };
        if raw.is_empty() {
            return refuse("the series id is empty".into());
        }
        if raw.len() > SERIES_ID_MAX_BYTES {
            return refuse(format!(
                "the series id has {} bytes, at most {SERIES_ID_MAX_BYTES} are allowed",
                raw.len()
            ));
        }
        if let Some(at) = raw.bytes().position(|b| !is_allowed(b)) {
            return refuse(format!(
                "byte 0x{:02x} at position {at} is not allowed: an id consists of A-Z a-z 0-9 . _ : @ -, \
                 written without percent-encoding",
                raw.as_bytes()[at]
            ));
        }
        if raw == "." || raw == ".." {
            return refuse(format!("`{raw}` is a path step, not a name"));
        }
        Ok(Self(raw))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(self) -> &'a str {
        self.0
    }
}

const fn is_allowed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b':' | b'@' | b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_every_character_of_the_set() {
        for id in ["a", "A-Z.a_z:0@9", "...", ".a", &"x".repeat(256)] {
            assert_eq!(SeriesId::parse(id).unwrap().as_str(), id);
        }
    }

    #[test]
    fn refuses_everything_else() {
        for id in [
            "",
            ".",
            "..",
            "a b",
            "a%41",
            "%2e%2e%2f",
            "a/b",
            "ä",
            "a\0",
            "a+b",
            &"x".repeat(257),
        ] {
            let refused = SeriesId::parse(id).unwrap_err();
            assert_eq!(refused.code, Code::InvalidSeriesId, "{id:?}");
            assert_eq!(
                refused.errors[0].loc,
                [Loc::from("path"), Loc::from("series_id")]
            );
        }
    }
}
