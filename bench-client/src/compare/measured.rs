//! Runs read back from their folders, for a comparison.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Random, Sides, Unit};
use crate::gate;
use crate::load::response::{OutcomeClass, ResponseRecord};
use crate::results::config::RunConfig;
use crate::results::error::ResultsError;
use crate::results::files;
use crate::results::filter::Filter;
use crate::results::load;
use crate::tally::needed;
use crate::tally::statistic::{Basis, Reading, Statistic, Thing, Unit as Measure};
use crate::tally::stats::RunStats;

/// A run with what is compared of it.
#[derive(Debug, Clone)]
pub struct Measured {
    /// Its folder.
    pub dir: PathBuf,
    /// What was asked for.
    pub config: RunConfig,
    /// Its figures.
    pub stats: RunStats,
    /// Whether it was cut short.
    pub interrupted: bool,
    /// Replies that were wrong, as far as it knew what is right.
    pub wrong: u64,
    /// What is not as a finished run leaves it.
    pub notes: Vec<String>,
    /// A unit a statistic, or why there is none.
    units: Vec<Result<Unit, String>>,
}

impl Measured {
    /// Reads the run in `dir`; its responses are read twice. Draws of blocks depend on `seed` and on
    /// the responses alone.
    ///
    /// # Errors
    /// When there is no run, or it cannot be read.
    pub fn read(dir: &Path, statistics: &[Statistic], seed: u64) -> Result<Self, ResultsError> {
        let loaded = load::open(dir, &Filter::default())?;
        let run = loaded.run;
        let good_within = Duration::from_nanos(run.config.load.good_within_ns);
        let mut series = Series::new(
            statistics,
            run.stats.wall_ns,
            run.stats.requests,
            good_within,
        );
        files::responses(dir, |response| {
            series.add(&response);
            Ok(())
        })?;
        series.sort();
        let mut random = Random::new(seed);
        let units = (0..statistics.len())
            .map(|n| series.unit(n, &run.stats, &mut random))
            .collect();
        let wrong = gate::wrong(&run.summary);
        let doubts = run.summary.validity.into_iter().flat_map(|it| it.reasons);
        Ok(Self {
            dir: dir.to_owned(),
            config: run.config,
            stats: run.stats,
            interrupted: run.summary.interrupted,
            wrong,
            notes: loaded.notes.into_iter().chain(doubts).collect(),
            units,
        })
    }
}

/// What is compared of two sides that were read with the same statistics.
#[must_use]
pub fn sides(statistics: &[Statistic], a: &[Measured], b: &[Measured]) -> Vec<Sides> {
    let side = |runs: &[Measured], n: usize| {
        let units = runs.iter().map(|run| {
            let unit = run.units[n].clone();
            unit.map_err(|reason| format!("{reason} in {}", run.dir.display()))
        });
        units.collect()
    };
    let one = |(n, statistic): (usize, &Statistic)| Sides {
        name: statistic.to_string(),
        unit: match statistic.unit() {
            Measure::Count | Measure::Share => "",
            Measure::PerSecond => "/s",
            Measure::PerMinute => "/min",
            Measure::Milliseconds => "ms",
            Measure::Bytes => "B",
        },
        direction: statistic.direction(),
        a: side(a, n),
        b: side(b, n),
        needed: match statistic.basis() {
            Some(Basis::Quantile(q)) => needed(q) as f64,
            _ => 0.0,
        },
    };
    statistics.iter().enumerate().map(one).collect()
}

/// The responses of a run as the statistics need them, in the order in which they were meant to be
/// sent.
struct Series<'a> {
    statistics: &'a [Statistic],
    good_within_ns: u64,
    /// (intended, duration) of the statistics that are about durations, by the statistic's number.
    durations: BTreeMap<usize, Vec<(u64, u64)>>,
    /// Things in equal parts of the run, each spread evenly over the time that it was under way: what
    /// clients of a closed loop get in waves would else be noise that a rate does not have.
    parts: BTreeMap<usize, Vec<f64>>,
    part_ns: u64,
}

impl<'a> Series<'a> {
    fn new(
        statistics: &'a [Statistic],
        wall_ns: u64,
        requests: u64,
        good_within: Duration,
    ) -> Self {
        let mut series = Self {
            statistics,
            good_within_ns: u64::try_from(good_within.as_nanos()).unwrap_or(u64::MAX),
            durations: BTreeMap::new(),
            parts: BTreeMap::new(),
            part_ns: 0,
        };
        // As many parts as there would be blocks of responses, so that none is without any.
        let parts = requests.isqrt().clamp(1, 1_000);
        series.part_ns = (wall_ns / parts + 1).max(1);
        for (n, statistic) in statistics.iter().enumerate() {
            match statistic.basis() {
                Some(Basis::Quantile(_) | Basis::Mean) => {
                    series.durations.insert(n, Vec::new());
                }
                Some(Basis::PerSecond(_)) => {
                    series.parts.insert(n, vec![0.0; parts as usize]);
                }
                None => {}
            }
        }
        series
    }

    fn add(&mut self, response: &ResponseRecord) {
        for (n, durations) in &mut self.durations {
            if let Some(duration) = self.statistics[*n].duration(response) {
                durations.push((response.intended_ns, duration));
            }
        }
        let latency = response.last_ns.saturating_sub(response.intended_ns);
        let good = response.class == OutcomeClass::Ok && latency <= self.good_within_ns;
        for (n, parts) in &mut self.parts {
            let Some(Basis::PerSecond(thing)) = self.statistics[*n].basis() else {
                continue;
            };
            let things = match thing {
                Thing::Request => 1.0,
                Thing::Good => f64::from(u8::from(good)),
                Thing::PointIn => f64::from(response.points_in),
                Thing::PointOut => f64::from(response.points_out),
            };
            let (from, to) = (response.sent_ns, response.last_ns.max(response.sent_ns + 1));
            spread(things, from..to, self.part_ns, parts);
        }
    }

    fn sort(&mut self) {
        for durations in self.durations.values_mut() {
            durations.sort_unstable();
        }
    }

    /// That of statistic number `n`.
    fn unit(&self, n: usize, stats: &RunStats, random: &mut Random) -> Result<Unit, String> {
        let statistic = &self.statistics[n];
        let value = match statistic.reading(stats) {
            Reading::Value(value) => value,
            Reading::TooFew => return Err("too few samples".to_owned()),
            Reading::None => return Err("nothing to read it from".to_owned()),
        };
        let durations = || -> Vec<u64> {
            let durations = self.durations.get(&n).into_iter().flatten();
            durations.map(|(_, duration)| *duration).collect()
        };
        let unit = match statistic.basis() {
            Some(Basis::Quantile(q)) => Unit::quantile(&durations(), q, Some(value), random),
            Some(Basis::Mean) => Unit::mean(&durations(), Some(value), random),
            Some(Basis::PerSecond(_)) => {
                let parts = self.parts.get(&n).map_or(&[][..], Vec::as_slice);
                Some(Unit::rate(value, parts, stats.requests, random))
            }
            None => None,
        };
        Ok(unit.unwrap_or_else(|| Unit::bare(value, stats.requests)))
    }
}

/// Adds `things` to the parts that `during` meets, by how much of it is in each.
fn spread(things: f64, during: Range<u64>, part_ns: u64, parts: &mut [f64]) {
    let whole = (during.end - during.start) as f64;
    let last = parts.len() - 1;
    let mut from = during.start;
    while from < during.end {
        let part = from / part_ns;
        let to = during.end.min((part + 1) * part_ns);
        parts[(part as usize).min(last)] += things * (to - from) as f64 / whole;
        from = to;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spread_over_parts_stays_whole() {
        let mut parts = [0.0; 4];
        spread(2.0, 5..25, 10, &mut parts);
        assert_eq!(parts, [0.5, 1.0, 0.5, 0.0]);
        spread(3.0, 30..31, 10, &mut parts);
        assert_eq!(parts[3], 3.0);
        let mut ends = [0.0; 2];
        spread(1.0, 15..45, 10, &mut ends);
        assert!(
            (ends[1] - 1.0).abs() < 1e-12,
            "beyond the end is the last: {ends:?}"
        );
    }
}
