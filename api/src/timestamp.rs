//! A point in time as callers write it: digits in a string (the contract), an integer, or RFC 3339.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Visitor};

/// A time that is not negative: a number of ticks, whose unit the model knows, or an instant.
///
/// Eight bytes, because requests hold columns of them: ticks as they are, an instant as the
/// complement of its microseconds, which is negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Timestamp(i64);

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
                .map_err(|_| format!("{text:?} is past the last representable time"));
        }
        let time: jiff::Timestamp = text.parse().map_err(|_| {
            format!("{text:?} is not a time: expected digits (Unix seconds, or the time_unit of the model) or RFC 3339, such as 2026-01-31T08:00:00Z")
        })?;
        let microseconds = time.as_microsecond();
        if microseconds < 0 {
            return Err(before_1970(text));
        }
        Ok(Self(!microseconds))
    }

    /// Ticks since 1970, so many to a second; a fraction of a tick is dropped. `None` where that is
    /// past the last representable time.
    #[must_use]
    pub fn ticks(self, per_second: i64) -> Option<i64> {
        if self.0 >= 0 {
            return Some(self.0);
        }
        let ticks = i128::from(!self.0) * i128::from(per_second) / 1_000_000;
        i64::try_from(ticks).ok()
    }

    /// Whether it is no later than `other`; `None` where one is in ticks and the other is an instant, of which only a
    /// unit tells.
    #[must_use]
    pub fn before(self, other: Self) -> Option<bool> {
        match (self.0 >= 0, other.0 >= 0) {
            (true, true) => Some(self.0 <= other.0),
            (false, false) => Some(!self.0 <= !other.0),
            _ => None,
        }
    }

    fn from_ticks(ticks: i64) -> Result<Self, String> {
        if ticks < 0 {
            return Err(before_1970(ticks));
        }
        Ok(Self(ticks))
    }
}

/// As [`Timestamp::parse`] reads it.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 >= 0 {
            return write!(f, "{}", self.0);
        }
        match jiff::Timestamp::from_microsecond(!self.0) {
            Ok(instant) => write!(f, "{instant}"),
            // None that was parsed is out of range.
            Err(_) => write!(f, "{}", !self.0),
        }
    }
}

fn before_1970(time: impl fmt::Display) -> String {
    format!("{time} is before 1970: times are not negative")
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
            fn visit_i64<E: de::Error>(self, ticks: i64) -> Result<Timestamp, E> {
                Timestamp::from_ticks(ticks).map_err(E::custom)
            }
            fn visit_u64<E: de::Error>(self, ticks: u64) -> Result<Timestamp, E> {
                i64::try_from(ticks)
                    .map(Timestamp)
                    .map_err(|_| E::custom(format!("{ticks} is past the last representable time")))
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
            let time: Timestamp = serde_json::from_str(json).unwrap();
            assert_eq!(time.ticks(1), Some(1_769_846_400), "{json}");
        }
    }

    #[test]
    fn an_instant_is_told_in_the_unit_asked_for() {
        let time = Timestamp::parse("2026-01-31T08:00:00.123456789Z").unwrap();
        assert_eq!(time.ticks(1_000), Some(1_769_846_400_123));
        assert_eq!(time.ticks(1_000_000_000), Some(1_769_846_400_123_456_000));
        let late = Timestamp::parse("9000-01-01T00:00:00Z").unwrap();
        assert_eq!(
            (late.ticks(1).is_some(), late.ticks(1_000_000_000)),
            (true, None)
        );
        let ticks = Timestamp::parse("1769846400123").unwrap();
        assert_eq!(ticks.ticks(1_000), Some(1_769_846_400_123));
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
