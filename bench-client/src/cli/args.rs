//! Parsers that several commands share.

use std::time::Duration;

use clap::error::ErrorKind;
use jiff::SignedDuration;

/// A count from 1 to `most`.
pub(super) fn bounded(most: i64) -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=most)
}

/// A time with its unit; zero is one.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let parsed: SignedDuration = text
        .parse()
        .map_err(|_| "expected a time with its unit, such as 60s, 1m30s or 500ms".to_owned())?;
    Duration::try_from(parsed).map_err(|_| "a time cannot be negative".to_owned())
}

/// A time with its unit, longer than zero.
pub(super) fn positive_duration(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("must be longer than zero".to_owned()),
        positive => Ok(positive),
    }
}

/// Flags that the parser took and that do not go together.
pub(super) fn usage(message: impl std::fmt::Display) -> clap::Error {
    clap::Error::raw(ErrorKind::ArgumentConflict, format!("{message}\n"))
}
