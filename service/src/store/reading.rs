//! What fjall says or does when it cannot read, as an error that names the record.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::StoreError;

/// The error of a read of `key`: damage is told apart from a disk that cannot be read now.
pub(super) fn failed(key: &str, error: &fjall::Error) -> StoreError {
    use fjall::{Error, LsmError};
    match error {
        Error::Io(reason) | Error::Storage(LsmError::Io(reason))
            if reason.kind() != io::ErrorKind::UnexpectedEof =>
        {
            StoreError::Unavailable(error.to_string())
        }
        Error::Io(_)
        | Error::Storage(_)
        | Error::Decompress(_)
        | Error::InvalidTrailer
        | Error::InvalidTag(_) => damaged(key, error.to_string()),
        _ => StoreError::Unavailable(error.to_string()),
    }
}

pub(super) fn damaged(key: &str, reason: String) -> StoreError {
    StoreError::Damaged {
        key: key.to_owned(),
        reason,
    }
}

/// Runs a read of `key`. An assertion inside of fjall that fails over damaged bytes ends the read and
/// nothing else.
pub(super) fn guarded<T>(
    key: &str,
    read: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    caught(read).unwrap_or_else(|said| {
        let reason = format!("the database failed over it: {said}");
        Err(damaged(key, reason))
    })
}

/// What `run` returns, or what it said when it panicked. What it worked on is read only or given up.
pub(super) fn caught<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|said| words(&*said))
}

fn words(said: &(dyn Any + Send)) -> String {
    let text = said.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| said.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a word".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_sentence_that_names_the_record() {
        let read = guarded("s version 3", || -> Result<(), _> {
            panic!("at block {}", 7)
        });
        let error = read.unwrap_err().to_string();
        assert!(error.contains("s version 3") && error.contains("at block 7"));
    }
}
