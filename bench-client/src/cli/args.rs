//! Parsers that several commands share.

use std::time::Duration;

use clap::Args;
use clap::builder::{TypedValueParser, ValueParserFactory};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use jiff::SignedDuration;

use crate::api_key::ApiKey;
use crate::base_url::BaseUrl;

/// Reads an address. What is wrong with one that may have a password in it is said without it.
#[derive(Debug, Clone, Copy)]
pub struct BaseUrlParser;

impl ValueParserFactory for BaseUrl {
    type Parser = BaseUrlParser;

    fn value_parser() -> Self::Parser {
        BaseUrlParser
    }
}

impl TypedValueParser for BaseUrlParser {
    type Value = BaseUrl;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<BaseUrl, clap::Error> {
        let parsed = |text: &str| text.parse::<BaseUrl>();
        let result = TypedValueParser::parse_ref(&parsed, command, arg, value);
        result.map_err(|mut error| {
            let secret = value.as_encoded_bytes().contains(&b'@');
            if secret && error.kind() == ErrorKind::ValueValidation {
                let hidden = ContextValue::String("…@…".to_owned());
                error.insert(ContextKind::InvalidValue, hidden);
            }
            error
        })
    }
}

/// The key that the server asks for.
#[derive(Debug, Args)]
pub(super) struct KeyArgs {
    /// Environment variable with the API key to send; the key is in no result
    #[arg(long, value_name = "VAR", value_parser = ApiKey::from_env)]
    api_key_env: Option<ApiKey>,
}

impl KeyArgs {
    /// The address, with the key.
    pub(super) fn on(&self, base: BaseUrl) -> BaseUrl {
        base.with_key(self.api_key_env.clone())
    }
}

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
