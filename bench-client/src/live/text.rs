//! Numbers as the display writes them: short, of bounded width, and never in a unit one has to
//! think about.

/// Stands for a quantile that so few samples cannot tell.
pub(super) const TOO_FEW: &str = "too few";

/// A count within `room` columns: with separators if that fits, otherwise in thousands, millions…
pub(super) fn count(n: u64, room: usize) -> String {
    let grouped = grouped(n);
    if grouped.len() <= room {
        return grouped;
    }
    let digits = n.to_string();
    if digits.len() <= room {
        return digits;
    }
    let mut scaled = n as f64;
    let mut unit = "";
    for next in ["k", "M", "G", "T", "P", "E"] {
        if scaled < 999.5 {
            break;
        }
        scaled /= 1_000.0;
        unit = next;
    }
    let precise = format!("{}{unit}", three_digits(scaled));
    if precise.len() <= room {
        precise
    } else {
        format!("{scaled:.0}{unit}")
    }
}

/// A rate within `room` columns.
pub(super) fn rate(per_s: f64, room: usize) -> String {
    let room = room.saturating_sub(2);
    let number = if per_s < 99.95 {
        three_digits(per_s)
    } else {
        count(per_s.round() as u64, room)
    };
    format!("{number}/s")
}

/// A duration in at most seven columns: three digits and a unit.
pub(super) fn duration(ns: u64) -> String {
    let ns = ns as f64;
    match ns {
        ..999.5 => format!("{ns:.0} ns"),
        ..999.5e3 => format!("{} µs", three_digits(ns / 1e3)),
        ..999.5e6 => format!("{} ms", three_digits(ns / 1e6)),
        _ => format!("{} s", three_digits(ns / 1e9)),
    }
}

/// A share of one.
pub(super) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent == 0.0 || percent >= 9.95 {
        format!("{percent:.0} %")
    } else if percent < 0.01 {
        // Not "0.00 %": one failure in a million is not none.
        "<0.01 %".to_owned()
    } else {
        format!("{percent:.2} %")
    }
}

/// Bytes in at most eight columns.
pub(super) fn bytes(bytes: u64) -> String {
    let mut scaled = bytes as f64;
    let mut unit = "B";
    for next in ["KiB", "MiB", "GiB", "TiB"] {
        if scaled < 999.5 {
            break;
        }
        scaled /= 1_024.0;
        unit = next;
    }
    format!("{} {unit}", three_digits(scaled))
}

/// Any number, to four digits.
pub(super) fn number(x: f64) -> String {
    let size = x.abs();
    if !x.is_finite() {
        "—".to_owned()
    } else if x.fract() == 0.0 && size < 1e15 {
        let sign = if x < 0.0 { "-" } else { "" };
        format!("{sign}{}", grouped(size as u64))
    } else if (1e-3..1e5).contains(&size) {
        let decimals = (3 - size.log10().floor() as i32).max(0) as usize;
        format!("{x:.decimals$}")
    } else {
        format!("{x:.3e}")
    }
}

/// Columns that a text takes in a terminal. Where terminals differ this errs on the wide side, so
/// that a line may be too short but never wraps.
pub(super) fn columns(text: &str) -> usize {
    text.chars().map(char_columns).sum()
}

/// What fits into `room` columns, ending in an ellipsis if that is not all.
pub(super) fn fit(text: &str, room: usize) -> String {
    if columns(text) <= room {
        return text.to_owned();
    }
    let mut left = room.saturating_sub(1);
    let fits = |c: &char| match left.checked_sub(char_columns(*c)) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    };
    let mut short: String = text.chars().take_while(fits).collect();
    if room > 0 {
        short.push('…');
    }
    short
}

/// Text that somebody else wrote, without what would move the cursor.
pub(super) fn harmless(text: &str) -> String {
    let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(shown).collect()
}

fn char_columns(c: char) -> usize {
    match c {
        '\0'..'\u{1100}' | '\u{2000}'..'\u{2600}' | '\u{fffd}' => 1,
        _ => 2,
    }
}

fn three_digits(x: f64) -> String {
    match x {
        ..9.995 => format!("{x:.2}"),
        ..99.95 => format!("{x:.1}"),
        _ => format!("{x:.0}"),
    }
}

fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn counts_are_shortened_only_where_they_must_be() {
        assert_eq!(count(0, 4), "0");
        assert_eq!(count(9_999, 5), "9,999");
        assert_eq!(count(9_999, 4), "9999");
        assert_eq!(count(12_345, 5), "12345");
        assert_eq!(count(12_345, 4), "12k");
        assert_eq!(count(999_999, 5), "1.00M");
        assert_eq!(count(999_999, 4), "1M");
        assert_eq!(count(1_234_567, 9), "1,234,567");
        assert_eq!(count(1_234_567, 5), "1.23M");
    }

    #[test]
    fn durations_have_three_digits_and_the_unit_that_suits() {
        let shown = [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_000, "1.00 µs"),
            (999_499, "999 µs"),
            (999_500, "1.00 ms"),
            (12_345_678, "12.3 ms"),
            (1_994_000_000, "1.99 s"),
            (600_000_000_000, "600 s"),
        ];
        for (ns, text) in shown {
            assert_eq!(duration(ns), text, "{ns}");
        }
    }

    #[test]
    fn rates_shares_bytes_and_numbers() {
        assert_eq!(rate(0.0, 8), "0.00/s");
        assert_eq!(rate(99.94, 8), "99.9/s");
        assert_eq!(rate(12_345.4, 8), "12,345/s");
        assert_eq!(rate(123_456.0, 8), "123456/s");
        assert_eq!(rate(123_456.0, 6), "123k/s");
        assert_eq!(percent(0.0), "0 %");
        assert_eq!(percent(1e-6), "<0.01 %");
        assert_eq!(percent(0.012_34), "1.23 %");
        assert_eq!(percent(1.0), "100 %");
        assert_eq!(bytes(0), "0.00 B");
        assert_eq!(bytes(35_651_584), "34.0 MiB");
        assert_eq!(number(12.345_67), "12.35");
        assert_eq!(number(12_345.0), "12,345");
        assert_eq!(number(-3.0), "-3");
        assert_eq!(number(0.000_012_3), "1.230e-5");
        assert_eq!(number(f64::NAN), "—");
    }

    #[test]
    fn text_is_cut_by_columns_and_cannot_move_the_cursor() {
        assert_eq!(fit("abc", 3), "abc");
        assert_eq!(fit("abcd", 3), "ab…");
        assert_eq!(fit("系列系列", 4), "系…");
        assert_eq!(fit("abc", 0), "");
        assert_eq!(harmless("a\x1b[2Jb\n"), "a\u{fffd}[2Jb\u{fffd}");
    }

    proptest! {
        #[test]
        fn every_text_keeps_to_its_room(text: String, room in 0_usize..40) {
            prop_assert!(columns(&fit(&text, room)) <= room);
        }

        #[test]
        fn every_number_keeps_to_its_room(n: u64, room in 4_usize..12) {
            prop_assert!(count(n, room).len() <= room);
            prop_assert!(columns(&duration(n)) <= 7 || n > 999_000_000_000_000);
            prop_assert!(bytes(n >> 14).len() <= 8);
        }
    }
}
