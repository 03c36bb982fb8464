//! `Idempotency-Key`: the caller's name for one request, the same each time it is sent again
//! (draft-ietf-httpapi-idempotency-key-header-07).

use std::borrow::Cow;

use crate::Rejection;
use crate::limits::IDEMPOTENCY_KEY_MAX_BYTES;
use crate::problem::{Code, FieldError, Loc};

/// The header's name.
pub const HEADER: &str = "Idempotency-Key";
/// On replies: the answer is that of an earlier request with the same key.
pub const REPLAYED: &str = "Idempotency-Replayed";

/// A key of 1 to 255 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey<'a>(Cow<'a, str>);

impl<'a> IdempotencyKey<'a> {
    /// Reads the value of the header: the key as it is, or between double quotes as the draft has it
    /// (a string of RFC 9651, section 3.3.3). Both ways of writing name the same key.
    ///
    /// # Errors
    /// `idempotency_key_invalid`, located at `["header","Idempotency-Key"]`.
    pub fn parse(value: &'a [u8]) -> Result<Self, Rejection> {
        let text = std::str::from_utf8(value).map_err(|_| refused("it is not ASCII"))?;
        let key = match text.trim_matches([' ', '\t']).strip_prefix('"') {
            None => Cow::Borrowed(text.trim_matches([' ', '\t'])),
            Some(quoted) => unquoted(quoted).ok_or_else(|| refused("its quotes do not match"))?,
        };
        if key.is_empty() {
            return Err(refused("it is empty"));
        }
        if key.len() > IDEMPOTENCY_KEY_MAX_BYTES {
            return Err(refused(format!(
                "it has {} characters, at most {IDEMPOTENCY_KEY_MAX_BYTES} are allowed",
                key.len()
            )));
        }
        if !key.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(refused("a key has visible ASCII characters only"));
        }
        Ok(Self(key))
    }

    /// The refusal of a request that brings two keys.
    #[must_use]
    pub fn given_twice() -> Rejection {
        refused("it is given twice")
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What stands between the quotes, of which the first one is taken off already.
fn unquoted(quoted: &str) -> Option<Cow<'_, str>> {
    let inner = quoted.strip_suffix('"')?;
    if !inner.contains(['"', '\\']) {
        return Some(Cow::Borrowed(inner));
    }
    let mut plain = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        plain.push(match character {
            '"' => return None,
            '\\' => characters.next().filter(|c| matches!(c, '"' | '\\'))?,
            other => other,
        });
    }
    Some(Cow::Owned(plain))
}

fn refused(reason: impl Into<String>) -> Rejection {
    let loc = [Loc::from("header"), Loc::from(HEADER)];
    Rejection::one(Code::IdempotencyKeyInvalid, FieldError::new(loc, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_same_with_and_without_quotes() {
        for (value, key) in [
            ("abc", "abc"),
            ("\"abc\"", "abc"),
            (" \"a\\\"b\\\\\" ", "a\"b\\"),
            (
                "8e03978e-40d5-43dd-bc93-6894a57f9324",
                "8e03978e-40d5-43dd-bc93-6894a57f9324",
            ),
            ("a\"b", "a\"b"),
            (&"x".repeat(255), &"x".repeat(255)),
        ] {
            assert_eq!(
                IdempotencyKey::parse(value.as_bytes()).unwrap().as_str(),
                key
            );
        }
    }

    #[test]
    fn anything_else_is_refused_with_its_place() {
        for value in [
            "",
            " ",
            "\"\"",
            "\"",
            "\"abc",
            "\"a\"b\"",
            "\"a\\b\"",
            "\"a\\\"",
            "a b",
            "a\tb",
            "\"a b\"",
            "ä",
            "a\0",
            &"x".repeat(256),
        ] {
            let refused = IdempotencyKey::parse(value.as_bytes()).unwrap_err();
            assert_eq!(refused.code, Code::IdempotencyKeyInvalid, "{value:?}");
            assert_eq!(
                refused.errors[0].loc,
                [Loc::from("header"), Loc::from(HEADER)]
            );
        }
        assert!(IdempotencyKey::parse(&[0xff]).is_err());
    }
}
