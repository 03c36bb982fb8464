//! Cursors: where a list goes on, as text that callers hand back as it is.
//!
//! A cursor has the last key that was seen and not a count of entries, so that it stays right while entries come
//! and go. It ends in a checksum over itself and the list it belongs to, so that one of another list, or one that
//! was changed, is refused and not read as something else. It is no secret and gives no access.

use api::{Code, FieldError, Loc, Rejection};
use data_encoding::BASE64URL_NOPAD;

const CHECK: usize = 8;
/// Raised when a cursor would be read otherwise.
const FORMAT: u8 = 1;

/// The list that a cursor belongs to.
pub(super) struct List(blake3::Hasher);

impl List {
    /// The list of this kind.
    pub(super) fn new(kind: &str) -> Self {
        Self(blake3::Hasher::new()).of(kind)
    }

    /// That has this, too, in what decides what is in it.
    #[must_use]
    pub(super) fn of(mut self, part: &str) -> Self {
        // With its length, so that no two lists meet.
        self.0.update(&(part.len() as u64).to_le_bytes());
        self.0.update(part.as_bytes());
        self
    }

    fn check(&self, key: &[u8]) -> [u8; CHECK] {
        let mut hasher = self.0.clone();
        hasher.update(&[FORMAT]);
        hasher.update(key);
        let mut check = [0; CHECK];
        check.copy_from_slice(&hasher.finalize().as_bytes()[..CHECK]);
        check
    }

    /// The cursor after `key`.
    pub(super) fn after(&self, key: &[u8]) -> String {
        let bytes = [&[FORMAT], key, &self.check(key)].concat();
        BASE64URL_NOPAD.encode(&bytes)
    }

    /// The key after which to go on.
    ///
    /// # Errors
    /// `invalid_cursor`, located at `["query","cursor"]`.
    pub(super) fn read(&self, cursor: &str) -> Result<Vec<u8>, Rejection> {
        let bytes = BASE64URL_NOPAD.decode(cursor.as_bytes()).ok();
        let parts = bytes.as_deref().and_then(|bytes| {
            let (key, check) = bytes.split_last_chunk::<CHECK>()?;
            let key = key.strip_prefix(&[FORMAT])?;
            Some((key, check))
        });
        match parts {
            Some((key, check)) if self.check(key) == *check => Ok(key.to_vec()),
            Some(_) => Err(refused("it was changed, or belongs to another list")),
            None => Err(refused("it is no cursor of this server")),
        }
    }
}

fn refused(reason: &str) -> Rejection {
    let loc = [Loc::from("query"), Loc::from("cursor")];
    Rejection::one(Code::InvalidCursor, FieldError::new(loc, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_of_one_list_and_as_it_was_given() {
        let list = || List::new("series").of("acme/").of("web");
        let cursor = list().after(b"web-1");
        assert_eq!(list().read(&cursor).unwrap(), b"web-1");
        assert!(
            cursor
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
        );
        for other in [
            List::new("series").of("acme/").of("we"),
            List::new("series").of("acme/web").of(""),
            List::new("series").of("").of("acme/web"),
            List::new("versions").of("acme/").of("web"),
        ] {
            let refused = other.read(&cursor).unwrap_err();
            assert_eq!(refused.code, Code::InvalidCursor);
            assert_eq!(refused.errors[0].loc, ["query", "cursor"].map(Loc::from));
        }
        for at in 0..cursor.len() {
            let mut changed = cursor.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(list().read(&changed).is_err(), "{changed}");
            assert!(list().read(&cursor[..at]).is_err(), "{at}");
        }
        for typed in ["", "0", "100", "web-1", "ä", "a b", &"A".repeat(10_000)] {
            assert!(list().read(typed).is_err(), "{typed}");
        }
    }
}
