//! Sentences, one after the other in one buffer.
//!
//! Numbers go into it as they are written, without a string in between: an explanation has two dozen
//! of them, and would otherwise cost several times as much as the score that it explains.

use std::fmt::Write as _;
use std::num::NonZeroUsize;

use lexical_write_float::format::STANDARD;
use lexical_write_float::{Options, ToLexicalWithOptions};

use crate::params::TimeUnit;

/// Four digits are enough for a sentence.
const SHORT: Options = Options::builder()
    .max_significant_digits(NonZeroUsize::new(4))
    .positive_exponent_break(std::num::NonZeroI32::new(6))
    .negative_exponent_break(std::num::NonZeroI32::new(-4))
    .build_strict();

/// As many digits as tell the number from every other.
const EXACT: Options = Options::builder()
    .positive_exponent_break(std::num::NonZeroI32::new(15))
    .negative_exponent_break(std::num::NonZeroI32::new(-5))
    .build_strict();

const BUFFER: usize = {
    let (short, exact) = (
        SHORT.buffer_size_const::<f64, STANDARD>(),
        EXACT.buffer_size_const::<f64, STANDARD>(),
    );
    if short > exact { short } else { exact }
};

/// Periods are told in the largest of these that divides them.
const UNITS: [(i64, &str); 5] = [
    (604_800, "week"),
    (86_400, "day"),
    (3_600, "hour"),
    (60, "minute"),
    (1, "second"),
];

/// The buffer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sentences(String);

impl Sentences {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self(String::with_capacity(bytes))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn words(&mut self, words: &str) -> &mut Self {
        self.0.push_str(words);
        self
    }

    pub(super) fn count(&mut self, count: u64) -> &mut Self {
        // Writing to a string does not fail.
        let _ = write!(self.0, "{count}");
        self
    }

    /// A finite number by its first four digits.
    pub(super) fn short(&mut self, number: f64) -> &mut Self {
        self.number(number, &SHORT)
    }

    /// A finite number as it was sent.
    pub(super) fn exact(&mut self, number: f64) -> &mut Self {
        self.number(number, &EXACT)
    }

    fn number(&mut self, number: f64, options: &Options) -> &mut Self {
        let mut buffer = [0; BUFFER];
        // Adding 0 makes −0, which is nothing to tell anyone, a plain 0.
        let digits = (number + 0.0).to_lexical_with_options::<STANDARD>(&mut buffer, options);
        let text = std::str::from_utf8(digits).unwrap_or_default();
        let (whole, exponent) = text.split_at(text.find('e').unwrap_or(text.len()));
        self.words(whole.strip_suffix(".0").unwrap_or(whole))
            .words(exponent)
    }

    /// A period in the largest unit that divides it.
    pub(super) fn duration(&mut self, ticks: i64, unit: TimeUnit) -> &mut Self {
        let per_second = unit.ticks_per_second();
        let seconds = ticks / per_second;
        let whole = UNITS
            .iter()
            .find(|(length, _)| ticks % per_second == 0 && seconds > 0 && seconds % length == 0);
        let _ = match whole {
            Some((length, name)) if seconds == *length => write!(self.0, "one {name}"),
            Some((length, name)) => write!(self.0, "{} {name}s", seconds / length),
            None => write!(self.0, "{ticks} {unit}"),
        };
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(tell: impl FnOnce(&mut Sentences) -> &mut Sentences) -> String {
        let mut sentences = Sentences::with_capacity(0);
        tell(&mut sentences);
        sentences.0
    }

    #[test]
    fn four_digits_are_told() {
        for (number, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (-2.5, "-2.5"),
            (99.994, "99.99"),
            (99.996, "100"),
            (1_234.5, "1234"),
            (-9_999_000.0, "-9999000"),
            (12_345_678.0, "1.235e7"),
            (0.000_123_46, "0.0001235"),
            (0.000_012_3, "1.23e-5"),
            (6.209_289_731_095_238e-30, "6.209e-30"),
            (f64::MAX, "1.798e308"),
            (5e-324, "5e-324"),
        ] {
            assert_eq!(told(|s| s.short(number)), text, "{number:e}");
        }
    }

    #[test]
    fn a_value_is_told_as_it_was_sent() {
        for (number, text) in [
            (100.0, "100"),
            (127.4551, "127.4551"),
            (0.1 + 0.2, "0.30000000000000004"),
            (-1e6, "-1000000"),
            (1e300, "1e300"),
        ] {
            assert_eq!(told(|s| s.exact(number)), text);
            assert_eq!(text.parse(), Ok(number));
        }
    }

    #[test]
    fn durations_are_told_in_the_largest_whole_unit() {
        let duration = |ticks, unit| told(|s| s.duration(ticks, unit));
        assert_eq!(duration(604_800, TimeUnit::Seconds), "one week");
        assert_eq!(duration(7_200_000, TimeUnit::Milliseconds), "2 hours");
        assert_eq!(duration(250, TimeUnit::Milliseconds), "250 ms");
        assert_eq!(duration(90, TimeUnit::Seconds), "90 seconds");
    }

    proptest::proptest! {
        /// Against the digits that the standard library rounds to.
        #[test]
        fn short_numbers_are_within_half_of_the_fourth_digit(number in proptest::num::f64::NORMAL) {
            let text = told(|s| s.short(number));
            let read: f64 = text.parse().unwrap();
            proptest::prop_assert!((read / number - 1.0).abs() <= 5.01e-4, "{} {:e}", text, number);
            let digits = text.split('e').next().unwrap().trim_start_matches(['-', '0', '.']);
            let digits = digits.chars().filter(char::is_ascii_digit).count();
            proptest::prop_assert!(digits <= 4 || number.abs() >= 1e4, "{}", text);
        }
    }
}
