//! `--show LABEL=STATISTIC`: lines of the user's own.

use std::str::FromStr;

use super::text;
use crate::tally::statistic::{Reading, Statistic, Unit, UnknownStatistic};
use crate::tally::stats::RunStats;

/// A line of the display.
#[derive(Debug, Clone, PartialEq)]
pub struct Show {
    /// What it is called.
    pub label: String,
    /// What it shows.
    pub statistic: Statistic,
}

/// A text that says nothing to show.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ShowError {
    /// There is an equals sign with nothing before it.
    #[error("there is no label before the =; expected LABEL=STATISTIC, such as tail=p99.9")]
    NoLabel,
    /// No statistic is called that.
    #[error(transparent)]
    Unknown(#[from] UnknownStatistic),
}

impl FromStr for Show {
    type Err = ShowError;

    /// `LABEL=STATISTIC`, or a statistic that is its own label.
    fn from_str(text: &str) -> Result<Self, ShowError> {
        let (label, statistic) = text.rsplit_once('=').unwrap_or((text, text));
        let label = label.trim();
        if label.is_empty() && text.contains('=') {
            return Err(ShowError::NoLabel);
        }
        Ok(Self {
            label: label.to_owned(),
            statistic: statistic.trim().parse()?,
        })
    }
}

impl Show {
    /// As the display shows it; none where there is nothing to say yet.
    pub(super) fn value(&self, stats: &RunStats) -> Option<String> {
        let value = match self.statistic.reading(stats) {
            Reading::Value(value) => value,
            Reading::TooFew => return Some(text::TOO_FEW.to_owned()),
            Reading::None => return None,
        };
        Some(match self.statistic.unit() {
            Unit::Count => text::number(value),
            Unit::Share => text::percent(value),
            Unit::PerSecond => text::rate(value, 10),
            Unit::PerMinute => format!("{}/min", text::number(value.round())),
            Unit::Milliseconds => text::duration((value * 1e6).round() as u64),
            Unit::Bytes => text::bytes(value as u64),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::tests::sample_stats;

    fn shown(text: &str, n: u64) -> Option<String> {
        text.parse::<Show>().unwrap().value(&sample_stats(n))
    }

    #[test]
    fn a_label_and_a_statistic() {
        let show: Show = "tail of all=p99.9".parse().unwrap();
        assert_eq!(show.label, "tail of all");
        assert_eq!(show.statistic.to_string(), "p99.9");
        let bare: Show = "predict.p95".parse().unwrap();
        assert_eq!(bare.label, "predict.p95");
        assert_eq!("=p50".parse::<Show>(), Err(ShowError::NoLabel));
        let unknown = "x=p98".parse::<Show>().unwrap_err().to_string();
        assert!(unknown.contains("p99"), "near names: {unknown}");
    }

    #[test]
    fn values_have_their_unit() {
        assert_eq!(shown("requests", 5_000).unwrap(), "5,000");
        assert!(shown("p50", 5_000).unwrap().ends_with("ms"));
        assert!(shown("error_rate", 5_000).unwrap().ends_with(" %"));
        assert!(shown("goodput_rps", 5_000).unwrap().ends_with("/s"));
        assert!(shown("bytes_in", 5_000).unwrap().ends_with("iB"));
        assert_eq!(shown("p99.99", 100).unwrap(), "too few");
        assert_eq!(shown("p50", 0), None);
    }
}
