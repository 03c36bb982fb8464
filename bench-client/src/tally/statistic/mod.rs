//! One figure of a run by its name: `p99`, `first.p95`, `predict.p50`, `completed_rps`.
//!
//! A name is either a figure of the whole run, or a figure of a distribution after the
//! distribution's name and a dot. Without one the distribution is `last`, what callers of 2xx
//! replies waited.

mod near;

use std::fmt;
use std::str::FromStr;

pub use self::near::UnknownStatistic;

use super::durations::QUANTILES;
use super::stats::{LatencyStats, RunStats};
use crate::load::response::{Op, OutcomeClass};

/// A figure that can be read from any run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Statistic(Figure);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Figure {
    Whole(Whole),
    Outcome(OutcomeClass),
    Of(Distribution, Point),
}

/// A figure of the whole run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whole {
    Requests,
    Good,
    ErrorRate,
    CompletedRps,
    GoodputRps,
    OfferedRps,
    RequestsPerMinute,
    PointsIn,
    PointsOut,
    PointsInPerS,
    PointsOutPerS,
    BytesOut,
    BytesIn,
    LateSends,
    Wall,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Distribution {
    Last,
    First,
    Service,
    PerPoint,
    SendLag,
    Server,
    Failed(OutcomeClass),
    OpLast(Op),
    OpFirst(Op),
}

/// What is asked of a distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Point {
    Min,
    Mean,
    Max,
    Stddev,
    Count,
    Quantile(f64),
}

/// What a figure is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A number of things.
    Count,
    /// Within 0..1.
    Share,
    /// Things a second.
    PerSecond,
    /// Things a minute.
    PerMinute,
    /// Milliseconds.
    Milliseconds,
    /// Bytes.
    Bytes,
}

/// What a run says about a figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reading {
    /// Its value.
    Value(f64),
    /// A quantile of a distribution that is too small to have it.
    TooFew,
    /// There is nothing that it could be read from.
    None,
}

const WHOLE: [(&str, Whole); 15] = [
    ("requests", Whole::Requests),
    ("good", Whole::Good),
    ("error_rate", Whole::ErrorRate),
    ("completed_rps", Whole::CompletedRps),
    ("goodput_rps", Whole::GoodputRps),
    ("offered_rps", Whole::OfferedRps),
    ("requests_per_minute", Whole::RequestsPerMinute),
    ("points_in", Whole::PointsIn),
    ("points_out", Whole::PointsOut),
    ("points_in_per_s", Whole::PointsInPerS),
    ("points_out_per_s", Whole::PointsOutPerS),
    ("bytes_out", Whole::BytesOut),
    ("bytes_in", Whole::BytesIn),
    ("late_sends", Whole::LateSends),
    ("wall", Whole::Wall),
];

const DISTRIBUTIONS: [(&str, Distribution); 6] = [
    ("last", Distribution::Last),
    ("first", Distribution::First),
    ("service", Distribution::Service),
    ("per_point", Distribution::PerPoint),
    ("send_lag", Distribution::SendLag),
    ("server", Distribution::Server),
];

const POINTS: [(&str, Point); 5] = [
    ("min", Point::Min),
    ("mean", Point::Mean),
    ("max", Point::Max),
    ("stddev", Point::Stddev),
    ("count", Point::Count),
];

impl Statistic {
    /// Its value in its [unit](Self::unit), if the run has it and enough samples for it.
    #[must_use]
    pub fn read(&self, stats: &RunStats) -> Option<f64> {
        match self.reading(stats) {
            Reading::Value(value) => Some(value),
            Reading::TooFew | Reading::None => None,
        }
    }

    /// Its value, or why there is none.
    #[must_use]
    pub fn reading(&self, stats: &RunStats) -> Reading {
        let value = match self.0 {
            Figure::Whole(whole) => whole.read(stats),
            Figure::Outcome(class) => Some(stats.count(class) as f64),
            Figure::Of(distribution, point) => {
                return distribution
                    .find(stats)
                    .map_or(Reading::None, |latencies| point.reading(latencies));
            }
        };
        value.map_or(Reading::None, Reading::Value)
    }

    /// What its value is measured in.
    #[must_use]
    pub fn unit(&self) -> Unit {
        match self.0 {
            Figure::Whole(whole) => whole.unit(),
            Figure::Outcome(_) | Figure::Of(_, Point::Count) => Unit::Count,
            Figure::Of(..) => Unit::Milliseconds,
        }
    }

    /// Every name there is.
    pub fn names() -> impl Iterator<Item = String> {
        let points = || {
            let quantiles = QUANTILES.map(|q| Point::Quantile(q).to_string());
            POINTS
                .map(|(name, _)| name.to_owned())
                .into_iter()
                .chain(quantiles)
        };
        let whole = WHOLE.iter().map(|(name, _)| (*name).to_owned());
        let outcomes = OutcomeClass::ALL.map(|class| class.name().to_owned());
        let of = distributions()
            .flat_map(move |(name, _)| points().map(move |point| format!("{name}.{point}")));
        whole.chain(outcomes).chain(points()).chain(of)
    }
}

/// Every distribution by its name.
fn distributions() -> impl Iterator<Item = (String, Distribution)> {
    let named = DISTRIBUTIONS.map(|(name, distribution)| (name.to_owned(), distribution));
    let failed = OutcomeClass::ALL
        .into_iter()
        .filter(|&class| class != OutcomeClass::Ok);
    let failed = failed.map(|class| (class.name().to_owned(), Distribution::Failed(class)));
    let ops = Op::ALL.into_iter().flat_map(|op| {
        [
            (op.name().to_owned(), Distribution::OpLast(op)),
            (format!("{}.first", op.name()), Distribution::OpFirst(op)),
        ]
    });
    named.into_iter().chain(failed).chain(ops)
}

impl FromStr for Statistic {
    type Err = UnknownStatistic;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = |figure| Ok(Self(figure));
        if let Some((_, whole)) = WHOLE.iter().find(|(known, _)| *known == name) {
            return found(Figure::Whole(*whole));
        }
        if let Some(class) = OutcomeClass::ALL
            .into_iter()
            .find(|class| class.name() == name)
        {
            return found(Figure::Outcome(class));
        }
        if let Some(point) = Point::named(name) {
            return found(Figure::Of(Distribution::Last, point));
        }
        // A quantile may have a dot of its own.
        let of = |(distribution, point): (&str, &str)| {
            let known = distributions().find(|(known, _)| known == distribution);
            Some(Figure::Of(known?.1, Point::named(point)?))
        };
        let mut parts = name
            .match_indices('.')
            .map(|(dot, _)| (&name[..dot], &name[dot + 1..]));
        match parts.find_map(of) {
            Some(figure) => found(figure),
            None => Err(UnknownStatistic::near(name)),
        }
    }
}

impl fmt::Display for Statistic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Figure::Whole(whole) => {
                let named = WHOLE.iter().find(|(_, known)| *known == whole);
                f.write_str(named.map_or("", |(name, _)| name))
            }
            Figure::Outcome(class) => f.write_str(class.name()),
            Figure::Of(Distribution::Last, point) => point.fmt(f),
            Figure::Of(distribution, point) => {
                let named = distributions().find(|(_, known)| *known == distribution);
                write!(
                    f,
                    "{}.{point}",
                    named.map_or(String::new(), |(name, _)| name)
                )
            }
        }
    }
}

impl Whole {
    fn read(self, stats: &RunStats) -> Option<f64> {
        Some(match self {
            Self::Requests => stats.requests as f64,
            Self::Good => stats.good as f64,
            Self::ErrorRate => return stats.error_rate(),
            Self::CompletedRps => return stats.completed_rps,
            Self::GoodputRps => return stats.goodput_rps,
            Self::OfferedRps => return stats.send_window.offered_rps,
            Self::RequestsPerMinute => return stats.send_window.requests_per_minute,
            Self::PointsIn => stats.points_in as f64,
            Self::PointsOut => stats.points_out as f64,
            Self::PointsInPerS => return stats.points_in_per_s,
            Self::PointsOutPerS => return stats.points_out_per_s,
            Self::BytesOut => stats.bytes_out as f64,
            Self::BytesIn => stats.bytes_in as f64,
            Self::LateSends => stats.late_sends as f64,
            Self::Wall => stats.wall_ns as f64 / 1e6,
        })
    }

    fn unit(self) -> Unit {
        match self {
            Self::Requests | Self::Good | Self::PointsIn | Self::PointsOut | Self::LateSends => {
                Unit::Count
            }
            Self::ErrorRate => Unit::Share,
            Self::CompletedRps
            | Self::GoodputRps
            | Self::OfferedRps
            | Self::PointsInPerS
            | Self::PointsOutPerS => Unit::PerSecond,
            Self::RequestsPerMinute => Unit::PerMinute,
            Self::BytesOut | Self::BytesIn => Unit::Bytes,
            Self::Wall => Unit::Milliseconds,
        }
    }
}

impl Distribution {
    fn find(self, stats: &RunStats) -> Option<&LatencyStats> {
        Some(match self {
            Self::Last => &stats.ok.last,
            Self::First => &stats.ok.first,
            Self::Service => &stats.ok.service,
            Self::PerPoint => &stats.ok.per_point,
            Self::SendLag => &stats.ok.send_lag,
            Self::Server => &stats.ok.server,
            Self::Failed(class) => return stats.by_outcome.get(&class),
            Self::OpLast(op) => &stats.by_op.get(&op)?.last,
            Self::OpFirst(op) => &stats.by_op.get(&op)?.first,
        })
    }
}

impl Point {
    /// `p99.9` is 99.9 %; only those that `stats.json` has.
    fn named(name: &str) -> Option<Self> {
        if let Some((_, point)) = POINTS.iter().find(|(known, _)| *known == name) {
            return Some(*point);
        }
        let quantiles = QUANTILES.map(Self::Quantile);
        quantiles
            .into_iter()
            .find(|quantile| quantile.to_string() == name)
    }

    fn reading(self, latencies: &LatencyStats) -> Reading {
        let ms = |ns: f64| Reading::Value(ns / 1e6);
        let exact = |ns: Option<u64>| ns.map_or(Reading::None, |ns| ms(ns as f64));
        match self {
            Self::Min => exact(latencies.min_ns),
            Self::Max => exact(latencies.max_ns),
            Self::Mean => latencies.mean_ns.map_or(Reading::None, ms),
            Self::Stddev => latencies.stddev_ns.map_or(Reading::None, ms),
            Self::Count => Reading::Value(latencies.count as f64),
            Self::Quantile(q) => match latencies.at(q) {
                Some(quantile) if quantile.enough => ms(quantile.value_ns as f64),
                Some(_) => Reading::TooFew,
                None => Reading::None,
            },
        }
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quantile(q) => f.write_str(&quantile_name(*q)),
            point => {
                let named = POINTS.iter().find(|(_, known)| known == point);
                f.write_str(named.map_or("", |(name, _)| name))
            }
        }
    }
}

/// `p99.9` for 0.999.
#[must_use]
pub fn quantile_name(q: f64) -> String {
    // Two digits beyond the percent, without the noise of the product.
    format!("p{}", (q * 1e4).round() / 1e2)
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Count | Self::Share => "",
            Self::PerSecond => "/s",
            Self::PerMinute => "/min",
            Self::Milliseconds => "ms",
            Self::Bytes => "B",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::tests::sample_stats;

    fn read(name: &str, stats: &RunStats) -> Option<f64> {
        name.parse::<Statistic>().unwrap().read(stats)
    }

    #[test]
    fn every_name_is_read_back_to_itself() {
        for name in Statistic::names() {
            let statistic: Statistic = name.parse().unwrap();
            let shown = statistic.to_string();
            assert_eq!(shown, name.strip_prefix("last.").unwrap_or(&name));
            assert_eq!(shown.parse::<Statistic>().unwrap(), statistic);
        }
    }

    #[test]
    fn names_read_the_figure_that_they_say() {
        let stats = sample_stats(20_000);
        let ms = |ns: u64| Some(ns as f64 / 1e6);
        assert_eq!(read("requests", &stats), Some(20_000.0));
        assert_eq!(
            read("shed", &stats),
            Some(stats.count(OutcomeClass::Shed) as f64)
        );
        assert_eq!(
            read("p50", &stats),
            ms(stats.ok.last.at(0.5).unwrap().value_ns)
        );
        assert_eq!(
            read("p99", &stats),
            ms(stats.ok.last.at(0.99).unwrap().value_ns)
        );
        assert_eq!(read("max", &stats), ms(stats.ok.last.max_ns.unwrap()));
        assert_eq!(
            read("first.p95", &stats),
            ms(stats.ok.first.at(0.95).unwrap().value_ns)
        );
        assert_eq!(
            read("service.p50", &stats),
            ms(stats.ok.service.at(0.5).unwrap().value_ns)
        );
        let predict = &stats.by_op[&Op::Predict];
        assert_eq!(
            read("predict.p90", &stats),
            ms(predict.last.at(0.9).unwrap().value_ns)
        );
        assert_eq!(
            read("predict.first.min", &stats),
            ms(predict.first.min_ns.unwrap())
        );
        let shed = &stats.by_outcome[&OutcomeClass::Shed];
        assert_eq!(
            read("shed.p99", &stats),
            ms(shed.at(0.99).unwrap().value_ns)
        );
        assert_eq!(read("error_rate", &stats), stats.error_rate());
        assert_eq!(read("offered_rps", &stats), stats.send_window.offered_rps);
        assert_eq!(read("points_out_per_s", &stats), stats.points_out_per_s);
    }

    #[test]
    fn a_quantile_of_too_few_is_no_number() {
        let stats = sample_stats(1_000);
        let p999: Statistic = "p99.9".parse().unwrap();
        assert_eq!(p999.reading(&stats), Reading::TooFew);
        assert_eq!(p999.read(&stats), None);
        let empty = sample_stats(0);
        assert_eq!(p999.reading(&empty), Reading::None);
        assert_eq!(read("predict.count", &empty), None);
        assert_eq!(read("error_rate", &empty), None);
    }

    #[test]
    fn units_are_told() {
        let unit = |name: &str| name.parse::<Statistic>().unwrap().unit();
        assert_eq!(unit("p99"), Unit::Milliseconds);
        assert_eq!(unit("predict.count"), Unit::Count);
        assert_eq!(unit("goodput_rps").to_string(), "/s");
        assert_eq!(unit("requests_per_minute").to_string(), "/min");
    }
}
