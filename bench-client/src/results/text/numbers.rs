//! Numbers as people read them.

/// Nanoseconds in milliseconds, to the three digits that a histogram has.
#[must_use]
pub fn ms(ns: f64) -> String {
    digits(ns / 1e6)
}

/// A rate without its unit.
#[must_use]
pub fn rate(value: f64) -> String {
    if value >= 10_000.0 {
        return count(value.round() as u64);
    }
    digits(value)
}

/// A whole number, in groups of three from five digits on.
#[must_use]
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    if digits.len() < 5 {
        return digits;
    }
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

/// A share of one in percent.
#[must_use]
pub fn share(part: f64) -> String {
    let percent = part * 100.0;
    // What is not all of it does not read as all of it, nor what is not nothing as nothing.
    if percent > 99.99 && part < 1.0 {
        return "> 99.99 %".to_owned();
    }
    if percent > 0.0 && percent < 0.01 {
        return "< 0.01 %".to_owned();
    }
    format!("{percent:.2} %")
}

/// Nanoseconds in the unit that suits them.
#[must_use]
pub fn duration(ns: u64) -> String {
    let value = ns as f64;
    match ns {
        0 => "0 s".to_owned(),
        1..1_000_000 => format!("{} µs", trimmed(value / 1e3)),
        1_000_000..1_000_000_000 => format!("{} ms", trimmed(value / 1e6)),
        1_000_000_000..600_000_000_000 => format!("{} s", trimmed(value / 1e9)),
        _ => format!("{} min", trimmed(value / 60e9)),
    }
}

/// Bytes in the unit that suits them, by thousands.
#[must_use]
pub fn bytes(n: u64) -> String {
    let value = n as f64;
    match n {
        0..1_000 => format!("{n} B"),
        1_000..1_000_000 => format!("{} kB", digits(value / 1e3)),
        1_000_000..1_000_000_000 => format!("{} MB", digits(value / 1e6)),
        _ => format!("{} GB", digits(value / 1e9)),
    }
}

/// At least three digits, and no decimals from 1000 on.
fn digits(value: f64) -> String {
    let decimals = match value.abs() {
        0.0 => 0,
        size if size < 0.0995 => 4,
        size if size < 9.995 => 3,
        size if size < 99.95 => 2,
        size if size < 999.5 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

/// Three decimals at most, without zeros at the end.
fn trimmed(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_digits_that_they_are_worth() {
        assert_eq!(
            [0.0, 12_345.0, 1_234_567.0, 98_765_432.0].map(ms),
            ["0", "0.0123", "1.235", "98.77"]
        );
        assert_eq!(
            [123_456_789.0, 12_345_678_901.0].map(ms),
            ["123.5", "12346"]
        );
        assert_eq!(
            [0.5, 99.97, 1_234.5, 123_456.7].map(rate),
            ["0.500", "100.0", "1234", "123 457"]
        );
        assert_eq!(
            [0, 9_999, 10_000, 1_234_567].map(count),
            ["0", "9999", "10 000", "1 234 567"]
        );
        assert_eq!(
            [0.0, 0.000_01, 0.123_45, 0.999_99, 1.0].map(share),
            ["0.00 %", "< 0.01 %", "12.35 %", "> 99.99 %", "100.00 %"]
        );
        assert_eq!(
            [0, 1_500, 250_000_000, 60_000_000_000, 3_600_000_000_000].map(duration),
            ["0 s", "1.5 µs", "250 ms", "60 s", "60 min"]
        );
        assert_eq!(
            [999, 1_500, 2_000_000_000].map(bytes),
            ["999 B", "1.500 kB", "2.000 GB"]
        );
    }
}
