//! Numbers as people read them: about three significant digits, the unit beside them, "–" for what
//! is not known.

/// What stands for an absent figure.
pub(super) const UNKNOWN: &str = "–";

/// A duration in nanoseconds, in the unit that leaves one to three digits before the point.
pub(super) fn duration(ns: f64) -> String {
    const UNITS: [(f64, &str); 3] = [(1e9, "s"), (1e6, "ms"), (1e3, "µs")];
    // 999.6 µs reads 1.00 ms, not 1000 µs.
    let fits = |(scale, _): &(f64, &str)| ns.abs() >= scale * 0.9995;
    match UNITS.into_iter().find(fits) {
        Some((scale, unit)) => format!("{} {unit}", significant(ns / scale)),
        None => format!("{ns:.0} ns"),
    }
}

/// A round duration without needless digits: 500 ms, 30 s, 90 s.
pub(super) fn exact(ns: f64) -> String {
    let (scale, unit) = match ns {
        s if s >= 0.999e9 => (1e9, "s"),
        ms if ms >= 0.999e6 => (1e6, "ms"),
        us if us >= 0.999e3 => (1e3, "µs"),
        _ => (1.0, "ns"),
    };
    let value = (ns / scale * 1e3).round() / 1e3;
    format!("{value} {unit}")
}

/// [`duration`] of whole nanoseconds.
pub(super) fn nanos(ns: Option<u64>) -> String {
    ns.map_or_else(|| UNKNOWN.to_owned(), |ns| duration(ns as f64))
}

/// A number with about three significant digits.
pub(super) fn significant(value: f64) -> String {
    match value.abs() {
        zero if zero < 1e-12 => "0".to_owned(),
        large if large >= 999.5 => grouped(&format!("{value:.0}")),
        hundreds if hundreds >= 99.95 => format!("{value:.0}"),
        tens if tens >= 9.995 => format!("{value:.1}"),
        ones if ones >= 0.1 => format!("{value:.2}"),
        small if small >= 0.001 => format!("{value:.4}"),
        _ => format!("{value:.2e}"),
    }
}

/// A count with its thousands apart.
pub(super) fn count(n: u64) -> String {
    grouped(&n.to_string())
}

/// A rate a second.
pub(super) fn rate(per_s: Option<f64>) -> String {
    per_s.map_or_else(
        || UNKNOWN.to_owned(),
        |rate| format!("{}/s", significant(rate)),
    )
}

/// A share of one as a percentage; what is not nothing never reads 0 %.
pub(super) fn percent(share: Option<f64>) -> String {
    let Some(share) = share else {
        return UNKNOWN.to_owned();
    };
    let percent = share * 100.0;
    match percent {
        0.0 => "0 %".to_owned(),
        tiny if tiny < 0.01 => "< 0.01 %".to_owned(),
        small if small < 1.0 => format!("{percent:.2} %"),
        medium if medium < 99.0 => format!("{percent:.1} %"),
        all if all >= 100.0 => "100 %".to_owned(),
        almost if almost > 99.99 => "> 99.99 %".to_owned(),
        _ => format!("{percent:.2} %"),
    }
}

/// Bytes in binary units.
pub(super) fn bytes(n: u64) -> String {
    const UNITS: [(f64, &str); 3] = [
        ((1_u64 << 30) as f64, "GiB"),
        ((1_u64 << 20) as f64, "MiB"),
        ((1_u64 << 10) as f64, "KiB"),
    ];
    match UNITS.into_iter().find(|(scale, _)| n as f64 >= *scale) {
        Some((scale, unit)) => format!("{} {unit}", significant(n as f64 / scale)),
        None => format!("{n} B"),
    }
}

/// The name of a quantile: p50, p99.9.
pub(super) fn quantile_name(q: f64) -> String {
    // Rounded, because 0.999 × 100 is 99.9 only to the last bit but one.
    let percent = (q * 1e6).round() / 1e4;
    format!("p{percent}")
}

fn grouped(digits: &str) -> String {
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(rest) => ("−", rest),
        None => ("", digits),
    };
    let mut out = String::from(sign);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_take_the_unit_that_suits_them() {
        let shown = [0.0, 999.0, 847_123.0, 999_600.0, 12_345_678.0, 2.5e9, 754e9].map(duration);
        let expected = [
            "0 ns", "999 ns", "847 µs", "1.00 ms", "12.3 ms", "2.50 s", "754 s",
        ];
        assert_eq!(shown, expected);
        assert_eq!(nanos(None), "–");
        assert_eq!(
            [5e8, 30e9, 1.5e6, 0.0].map(exact),
            ["500 ms", "30 s", "1.5 ms", "0 ns"]
        );
    }

    #[test]
    fn counts_and_rates_have_their_thousands_apart() {
        assert_eq!(
            [0, 999, 1_000, 12_345_678].map(count),
            ["0", "999", "1,000", "12,345,678"]
        );
        assert_eq!(rate(Some(12_345.6)), "12,346/s");
        assert_eq!(rate(Some(0.5)), "0.50/s");
        assert_eq!(rate(None), "–");
    }

    #[test]
    fn something_never_reads_as_nothing_nor_as_all() {
        let shown = [0.0, 1e-6, 0.0012, 0.123, 0.9998, 0.999_999, 1.0].map(|s| percent(Some(s)));
        let expected = [
            "0 %",
            "< 0.01 %",
            "0.12 %",
            "12.3 %",
            "99.98 %",
            "> 99.99 %",
            "100 %",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn names_and_sizes() {
        assert_eq!(
            [0.5, 0.99, 0.999, 0.9999].map(quantile_name),
            ["p50", "p99", "p99.9", "p99.99"]
        );
        assert_eq!(
            [12, 2_048, 5 << 20].map(bytes),
            ["12 B", "2.00 KiB", "5.00 MiB"]
        );
    }
}
