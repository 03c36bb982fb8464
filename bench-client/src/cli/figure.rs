//! A figure that `show` can be asked for by its name: a statistic, or what a hook contributed.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use crate::cost;
use crate::results::summary::RunData;
use crate::results::text;
use crate::tally::statistic::{Reading, Statistic, UnknownStatistic};

/// Hooks whose figures can be asked for.
const HOOKS: [&str; 1] = [cost::NAME];

/// A figure of a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Figure {
    /// Computed from the responses.
    Statistic(Statistic),
    /// A number that a hook contributed to the run as a whole.
    Contributed {
        /// The hook.
        hook: &'static str,
        /// The names of fields down to the number.
        path: Vec<String>,
    },
}

impl FromStr for Figure {
    type Err = UnknownStatistic;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let mut parts = name.split('.').map(str::to_owned);
        let first = parts.next();
        let hook = HOOKS
            .into_iter()
            .find(|hook| Some(*hook) == first.as_deref());
        let path: Vec<String> = parts.collect();
        match hook {
            Some(hook) if !path.is_empty() && path.iter().all(|part| !part.is_empty()) => {
                Ok(Self::Contributed { hook, path })
            }
            _ => name.parse().map(Self::Statistic),
        }
    }
}

impl Figure {
    /// Whether it is of the run as a whole, and of no part of it.
    pub(super) fn is_of_the_whole(&self) -> bool {
        matches!(self, Self::Contributed { .. })
    }

    /// Its value, if the run has it and enough samples for it.
    pub(super) fn read(&self, run: &RunData) -> Option<f64> {
        match self {
            Self::Statistic(statistic) => statistic.read(&run.stats),
            Self::Contributed { hook, path } => {
                let hook = run.summary.contributed.get(*hook);
                let found = path.iter().try_fold(hook?, |value, part| value.get(part));
                found.and_then(Value::as_f64)
            }
        }
    }

    /// Whether there are responses, and not enough of them.
    pub(super) fn has_too_few(&self, run: &RunData) -> bool {
        match self {
            Self::Statistic(statistic) => statistic.reading(&run.stats) == Reading::TooFew,
            Self::Contributed { .. } => false,
        }
    }

    /// Its value as people read it, without its unit.
    pub(super) fn cell(&self, run: &RunData) -> String {
        match self {
            Self::Statistic(statistic) => text::figure(statistic, &run.stats),
            Self::Contributed { .. } => self
                .read(run)
                .map_or("—".to_owned(), |value| value.to_string()),
        }
    }

    /// What stands over its column.
    pub(super) fn head(&self) -> String {
        match self {
            Self::Statistic(statistic) => match statistic.unit().to_string() {
                unit if unit.is_empty() => statistic.to_string(),
                unit => format!("{statistic} {unit}"),
            },
            Self::Contributed { .. } => self.to_string(),
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Statistic(statistic) => statistic.fmt(f),
            Self::Contributed { hook, path } => write!(f, "{hook}.{}", path.join(".")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_prices_are_read_by_their_names() {
        for name in ["cost.total", "cost.model.per_fit", "p99", "predict.p50"] {
            let figure: Figure = name.parse().unwrap();
            assert_eq!(figure.to_string(), name);
            assert_eq!(figure.is_of_the_whole(), name.starts_with("cost"));
        }
        for name in ["cost", "cost.", "cost..total", "price.total"] {
            let error = name.parse::<Figure>().expect_err(name);
            assert!(error.to_string().contains("near it"), "{error}");
        }
    }
}
