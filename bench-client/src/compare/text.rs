//! A comparison for a terminal.

use super::{Finding, Verdict};
use crate::results::text::Table;

/// The table of all figures, without a last line end.
#[must_use]
pub fn render(findings: &[Finding]) -> String {
    let mut table = Table::right(2);
    let head = [
        "",
        "A",
        "B",
        "B against A",
        "interval",
        "samples A",
        "samples B",
        "",
    ];
    table.row(head.map(str::to_owned).to_vec());
    for finding in findings {
        let name = match finding.unit {
            "" => finding.name.clone(),
            unit => format!("{} {unit}", finding.name),
        };
        let relative = |share: Option<f64>| share.map_or("—".to_owned(), percent);
        let interval = match (finding.low, finding.high) {
            (Some(low), Some(high)) => format!("{} to {}", percent(low), percent(high)),
            _ => "—".to_owned(),
        };
        table.row(vec![
            name,
            number(finding.a),
            number(finding.b),
            relative(finding.relative),
            interval,
            samples(finding.samples_a),
            samples(finding.samples_b),
            finding.verdict.to_string(),
        ]);
    }
    let mut text = table.to_string();
    for finding in findings {
        if let Some(reason) = &finding.reason {
            text.push_str(&format!("\n  {}: {reason}", finding.name));
        }
    }
    text
}

fn samples(samples: super::Samples) -> String {
    match samples.effective {
        Some(effective) => format!("{} (≈ {effective:.0})", samples.samples),
        None => samples.samples.to_string(),
    }
}

/// Four digits, however large or small it is.
fn number(value: Option<f64>) -> String {
    match value {
        None => "—".to_owned(),
        Some(0.0) => "0".to_owned(),
        Some(value) => {
            let before = value.abs().log10().floor() as i32 + 1;
            let digits = usize::try_from((4 - before).clamp(0, 9)).unwrap_or(0);
            format!("{value:.digits$}")
        }
    }
}

/// A signed relative difference.
#[must_use]
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let digits = if percent.abs() < 100.0 { 1 } else { 0 };
    let text = format!("{percent:+.digits$} %");
    // A difference that is too small to see has no sign either.
    if text == "-0.0 %" {
        "+0.0 %".to_owned()
    } else {
        text
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Better => "better",
            Self::Worse => "WORSE",
            Self::Equivalent => "equivalent",
            Self::Inconclusive => "inconclusive",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::Samples;

    #[test]
    fn a_row_a_figure_and_a_line_a_reason() {
        let samples = Samples {
            runs: 3,
            samples: 1500,
            effective: Some(812.4),
        };
        let finding = Finding {
            name: "p95".to_owned(),
            unit: "ms",
            a: Some(10.0),
            b: Some(11.234_56),
            relative: Some(0.123_456),
            low: Some(0.101),
            high: Some(0.151),
            samples_a: samples,
            samples_b: samples,
            verdict: Verdict::Worse,
            reason: None,
        };
        let nothing = Finding {
            name: "p99".to_owned(),
            a: None,
            b: None,
            relative: None,
            low: None,
            high: None,
            samples_a: Samples::default(),
            samples_b: Samples::default(),
            verdict: Verdict::Inconclusive,
            reason: Some("A: too few samples".to_owned()),
            ..finding.clone()
        };
        let text = render(&[finding, nothing]);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 4);
        for part in [
            "p95 ms",
            "10.00",
            "11.23",
            "+12.3 %",
            "+10.1 % to +15.1 %",
            "1500 (≈ 812)",
        ] {
            assert!(lines[1].contains(part), "{text}");
        }
        assert!(lines[1].ends_with("WORSE"), "{text}");
        assert_eq!(lines[3], "  p99: A: too few samples");
    }

    #[test]
    fn numbers_have_four_digits() {
        let texts = [0.0, 0.012_345, 1.0, 12.345_6, 123_456.7].map(|n| number(Some(n)));
        assert_eq!(texts, ["0", "0.01235", "1.000", "12.35", "123457"]);
        assert_eq!(
            [-1e-9, 2.5, -0.123].map(percent),
            ["+0.0 %", "+250 %", "-12.3 %"]
        );
    }
}
