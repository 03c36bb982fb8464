//! A point in time as callers write it: digits in a string (the contract), an integer, or RFC 3339.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Visitor};

/// Unix seconds, not negative. A fraction of a second in an RFC 3339 time is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Reads digits or an RFC 3339 date and time with an offset.
    ///
    /// # Errors
    /// A sentence that says what is wrong with `text`.
    pub fn parse(text: &str) -> Result<Self, String> {
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            return text
                .parse()
                .map(Self)
                .map_err(|_| format!("{text:?} is past the last representable second"));
        }
        let time: jiff::Timestamp = text.parse().map_err(|_| {
            format!("{text:?} is not a time: expected digits (Unix seconds) or RFC 3339, such as 2026-01-31T08:00:00Z")
        })?;
        Self::from_seconds(time.as_second())
    }

    fn from_seconds(seconds: i64) -> Result<Self, String> {
        if seconds < 0 {
            return Err(format!("{seconds} is before 1970: times are not negative"));
        }
        Ok(Self(seconds))
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TimeVisitor;
        impl Visitor<'_> for TimeVisitor {
            type Value = Timestamp;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time: digits in a string, an integer, or RFC 3339")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
                Timestamp::parse(text).map_err(E::custom)
            }
            fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Timestamp, E> {
                Timestamp::from_seconds(seconds).map_err(E::custom)
            }
            fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Timestamp, E> {
                i64::try_from(seconds).map(Timestamp).map_err(|_| {
                    E::custom(format!("{seconds} is past the last representable second"))
                })
            }
        }
        deserializer.deserialize_any(TimeVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    #[test]
    fn reads_digits_integers_and_rfc_3339() {
        for json in [
            r#""1769846400""#,
            "1769846400",
            r#""2026-01-31T08:00:00Z""#,
            r#""2026-01-31T09:00:00.9+01:00""#,
        ] {
            assert_eq!(
                serde_json::from_str::<Timestamp>(json).unwrap(),
                Timestamp(1_769_846_400),
                "{json}"
            );
        }
    }

    #[test]
    fn refuses_impossible_times() {
        for json in [
            r#""""#,
            r#""-5""#,
            "-5",
            "1.5",
            r#""1.5""#,
            r#""2026-02-30T00:00:00Z""#,
            r#""2026-01-31T08:00:00""#,
            r#""99999999999999999999""#,
            "99999999999999999999",
            "9223372036854775808",
            r#""1969-12-31T23:59:59Z""#,
            "null",
            "true",
            "[]",
        ] {
            assert!(serde_json::from_str::<Timestamp>(json).is_err(), "{json}");
        }
    }
}
