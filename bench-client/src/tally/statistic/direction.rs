//! Which way is better, and what a figure is computed from, for those who compare runs.

use super::{Distribution, Figure, Point, Statistic, Whole};
use crate::load::response::{Op, OutcomeClass, ResponseRecord};

/// Which of two values of a figure a user would rather have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The lower one: latencies, failures.
    LowerIsBetter,
    /// The higher one: rates, replies.
    HigherIsBetter,
}

/// What of a run's responses a figure is computed from, for those that can be computed again from a
/// part of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Basis {
    /// A quantile of durations.
    Quantile(f64),
    /// The mean of durations.
    Mean,
    /// Things by the run's wall clock.
    PerSecond(Thing),
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Thing {
    Request,
    Good,
    PointIn,
    PointOut,
}

impl Statistic {
    /// Which way is better.
    #[must_use]
    pub fn direction(&self) -> Direction {
        let higher = match self.0 {
            Figure::Whole(whole) => !matches!(
                whole,
                Whole::ErrorRate
                    | Whole::LateSends
                    | Whole::Wall
                    | Whole::BytesOut
                    | Whole::BytesIn
            ),
            Figure::Outcome(class) => class == OutcomeClass::Ok,
            Figure::Of(distribution, Point::Count) => {
                !matches!(distribution, Distribution::Failed(_))
            }
            Figure::Of(..) => false,
        };
        if higher {
            Direction::HigherIsBetter
        } else {
            Direction::LowerIsBetter
        }
    }

    pub(crate) fn basis(&self) -> Option<Basis> {
        match self.0 {
            Figure::Of(_, Point::Quantile(q)) => Some(Basis::Quantile(q)),
            Figure::Of(_, Point::Mean) => Some(Basis::Mean),
            Figure::Whole(Whole::CompletedRps) => Some(Basis::PerSecond(Thing::Request)),
            Figure::Whole(Whole::GoodputRps) => Some(Basis::PerSecond(Thing::Good)),
            Figure::Whole(Whole::PointsInPerS) => Some(Basis::PerSecond(Thing::PointIn)),
            Figure::Whole(Whole::PointsOutPerS) => Some(Basis::PerSecond(Thing::PointOut)),
            Figure::Whole(_) | Figure::Outcome(_) | Figure::Of(..) => None,
        }
    }

    /// What a response adds to the figure's distribution, in nanoseconds.
    pub(crate) fn duration(&self, response: &ResponseRecord) -> Option<u64> {
        let Figure::Of(distribution, _) = self.0 else {
            return None;
        };
        let since_intended = |ns: u64| ns.saturating_sub(response.intended_ns);
        let last = since_intended(response.last_ns);
        let first = response.first_ns.map(since_intended);
        let (ok, op) = (response.class == OutcomeClass::Ok, response.op);
        match distribution {
            Distribution::Last => ok.then_some(last),
            Distribution::First => first.filter(|_| ok),
            Distribution::Service => ok.then(|| response.last_ns.saturating_sub(response.sent_ns)),
            Distribution::PerPoint => {
                let scores = u64::from(response.points_out);
                let streams = ok && op == Op::Ndjson && scores > 1;
                let between = response.last_ns.saturating_sub(response.first_ns?);
                streams.then(|| between / (scores - 1))
            }
            Distribution::SendLag => Some(since_intended(response.sent_ns)),
            Distribution::Server => response.server_ns.filter(|_| ok),
            Distribution::Failed(class) => (response.class == class).then_some(last),
            Distribution::OpLast(of) => (ok && op == of).then_some(last),
            Distribution::OpFirst(of) => first.filter(|_| ok && op == of),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::tests::{records, tally};

    /// Both ways to a distribution, by the tally and by single responses, have the same durations.
    #[test]
    fn durations_are_those_of_the_tally() {
        let records = records(3, 4_000, 10_000_000_000);
        let stats = tally(&records).stats();
        let mut seen = 0;
        for name in Statistic::names().filter(|name| name.ends_with(".count")) {
            let count: Statistic = name.parse().unwrap();
            let durations: Vec<u64> = records.iter().filter_map(|r| count.duration(r)).collect();
            let counted = count.read(&stats).unwrap_or_default();
            assert_eq!(durations.len() as f64, counted, "{name}");
            let of = name.trim_end_matches(".count");
            let read = |point: &str| {
                let name = format!("{of}.{point}");
                name.parse::<Statistic>().unwrap().read(&stats)
            };
            let ms = |ns: Option<&u64>| ns.map(|ns| *ns as f64 / 1e6);
            assert_eq!(ms(durations.iter().min()), read("min"), "{name}");
            assert_eq!(ms(durations.iter().max()), read("max"), "{name}");
            seen += usize::from(!durations.is_empty());
        }
        assert!(seen >= 10, "{seen}");
    }

    #[test]
    fn rates_are_better_higher_and_times_and_failures_lower() {
        let higher = |name: &str| {
            let statistic: Statistic = name.parse().unwrap();
            statistic.direction() == Direction::HigherIsBetter
        };
        for name in [
            "completed_rps",
            "goodput_rps",
            "ok",
            "good",
            "predict.count",
        ] {
            assert!(higher(name), "{name}");
        }
        for name in [
            "p50",
            "mean",
            "error_rate",
            "shed",
            "shed.count",
            "late_sends",
            "max",
        ] {
            assert!(!higher(name), "{name}");
        }
    }
}
