//! The levels of a sweep: what load each is, and which folder is its own.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::results::config::{Arrivals, Bound, LoadSpec, Pace};

/// With fewer requests than this a level says nothing, so that its bound is raised.
pub const LEAST_REQUESTS: u64 = 10;

/// How much load a level is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Clients of a closed loop.
    Clients(u32),
    /// Requests a second of an open loop.
    PerS(f64),
}

/// A level to be run.
#[derive(Debug, Clone, PartialEq)]
pub struct LevelSpec {
    /// How much load it is.
    pub level: Level,
    /// Its folder under the sweep's.
    pub folder: String,
    /// The load it asks for.
    pub load: LoadSpec,
    /// The bound that was asked for, where it would have been fewer than [`LEAST_REQUESTS`].
    pub raised_from: Option<Bound>,
}

/// Levels that cannot make a sweep.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LevelsError {
    /// No level.
    #[error("a sweep needs at least one level")]
    None,
    /// A level would share a folder with another one.
    #[error("the level {0} is there twice")]
    Twice(f64),
    /// A load that is none.
    #[error("{0} is no load")]
    NoLoad(f64),
    /// The base load is no loop of the levels' kind.
    #[error(
        "levels of clients need a closed loop, levels of a rate an open one with constant, \
         Poisson or burst arrivals"
    )]
    OtherLoop,
}

impl Level {
    /// How much load it is, as a number.
    #[must_use]
    pub fn load(self) -> f64 {
        match self {
            Self::Clients(clients) => clients.into(),
            Self::PerS(per_s) => per_s,
        }
    }

    /// `00005-clients`, `00100-rps`: folders sort as the levels do.
    #[must_use]
    pub fn folder(self) -> String {
        match self {
            Self::Clients(clients) => format!("{clients:05}-clients"),
            Self::PerS(per_s) => {
                let number = per_s.to_string();
                let whole = number.split('.').next().unwrap_or_default().len();
                let zeros = "0".repeat(5_usize.saturating_sub(whole));
                format!("{zeros}{number}-rps")
            }
        }
    }

    fn put_into(self, load: &mut LoadSpec) -> Result<(), LevelsError> {
        match (self, &mut load.pace) {
            (Self::Clients(n), Pace::Closed { clients }) => {
                *clients = n;
                // A thread without a client would have nothing to do.
                load.threads = load.threads.min(n);
            }
            (
                Self::PerS(rate),
                Pace::Open {
                    arrivals:
                        Arrivals::Constant { per_s }
                        | Arrivals::Poisson { per_s }
                        | Arrivals::Burst { per_s, .. },
                    ..
                },
            ) => *per_s = rate,
            _ => return Err(LevelsError::OtherLoop),
        }
        Ok(())
    }

    /// The bound, raised to [`LEAST_REQUESTS`] where it is known to be less. How many requests a
    /// closed loop makes in some time is not known beforehand.
    fn enough(self, bound: Bound) -> Bound {
        match (bound, self) {
            (Bound::RequestsPerClient { n }, Self::Clients(clients)) => Bound::RequestsPerClient {
                n: n.max(LEAST_REQUESTS.div_ceil(u64::from(clients.max(1)))),
            },
            (Bound::RequestsPerClient { n } | Bound::Requests { n }, _) => Bound::Requests {
                n: n.max(LEAST_REQUESTS),
            },
            (Bound::Duration { ns }, Self::PerS(per_s)) => Bound::Duration {
                ns: ns.max((LEAST_REQUESTS as f64 / per_s * 1e9).ceil() as u64),
            },
            (Bound::Duration { ns }, Self::Clients(_)) => Bound::Duration { ns },
        }
    }
}

/// One run a level, in the order given, each the base load but for what the level says.
///
/// # Errors
/// When levels coincide, or the base load is of another kind.
pub fn plan(base: &LoadSpec, levels: &[Level]) -> Result<Vec<LevelSpec>, LevelsError> {
    if levels.is_empty() {
        return Err(LevelsError::None);
    }
    let mut plan: Vec<LevelSpec> = Vec::with_capacity(levels.len());
    for &level in levels {
        if !(level.load() > 0.0 && level.load().is_finite()) {
            return Err(LevelsError::NoLoad(level.load()));
        }
        let folder = level.folder();
        if plan.iter().any(|planned| planned.folder == folder) {
            return Err(LevelsError::Twice(level.load()));
        }
        let mut load = base.clone();
        level.put_into(&mut load)?;
        load.bound = level.enough(base.bound);
        let raised_from = (load.bound != base.bound).then_some(base.bound);
        plan.push(LevelSpec {
            level,
            folder,
            load,
            raised_from,
        });
    }
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::fixture;

    fn closed(bound: Bound) -> LoadSpec {
        fixture::config(bound).load
    }

    fn open(arrivals: Arrivals, bound: Bound) -> LoadSpec {
        let pace = Pace::Open {
            arrivals,
            connections: 1,
            max_connections: 10,
        };
        LoadSpec {
            pace,
            ..closed(bound)
        }
    }

    const MINUTE: Bound = Bound::Duration { ns: 60_000_000_000 };

    #[test]
    fn folders_sort_as_levels_do() {
        let folder = |level: Level| level.folder();
        assert_eq!(folder(Level::Clients(5)), "00005-clients");
        assert_eq!(folder(Level::Clients(65_535)), "65535-clients");
        assert_eq!(folder(Level::PerS(100.0)), "00100-rps");
        assert_eq!(folder(Level::PerS(0.5)), "00000.5-rps");
        assert_eq!(folder(Level::PerS(123_456.0)), "123456-rps");
        let mut rates = [0.25, 0.5, 1.0, 9.5, 10.0, 99_999.0]
            .map(Level::PerS)
            .map(folder);
        let ascending = rates.clone();
        rates.sort();
        assert_eq!(rates, ascending);
    }

    #[test]
    fn each_level_is_the_base_load_but_for_its_own() {
        let mut base = closed(MINUTE);
        base.threads = 2;
        let levels = plan(&base, &[Level::Clients(20), Level::Clients(1)]).unwrap();
        let expected = |clients| LoadSpec {
            pace: Pace::Closed { clients },
            threads: clients.min(2),
            ..base.clone()
        };
        assert_eq!(levels[0].load, expected(20));
        assert_eq!(levels[1].load, expected(1));
        assert_eq!(levels[1].raised_from, None);
        for arrivals in [
            Arrivals::Constant { per_s: 1.0 },
            Arrivals::Poisson { per_s: 1.0 },
            Arrivals::Burst {
                per_s: 1.0,
                size: 4,
            },
        ] {
            let levels = plan(&open(arrivals, MINUTE), &[Level::PerS(200.0)]).unwrap();
            let text = format!("{:?}", levels[0].load.pace);
            assert!(text.contains("per_s: 200.0"), "{text}");
        }
    }

    #[test]
    fn a_level_has_at_least_ten_requests() {
        let bounds = |base: &LoadSpec, levels: &[Level]| {
            let plan = plan(base, levels).unwrap();
            let bound = |level: &LevelSpec| (level.load.bound, level.raised_from.is_some());
            plan.iter().map(bound).collect::<Vec<_>>()
        };
        let each = |n| Bound::RequestsPerClient { n };
        let levels = [1, 3, 10, 20].map(Level::Clients);
        assert_eq!(
            bounds(&closed(each(2)), &levels),
            [
                (each(10), true),
                (each(4), true),
                (each(2), false),
                (each(2), false)
            ]
        );
        let total = |n| Bound::Requests { n };
        assert_eq!(bounds(&closed(total(4)), &levels[..1]), [(total(10), true)]);
        assert_eq!(
            bounds(&closed(total(40)), &levels[..1]),
            [(total(40), false)]
        );
        let seconds = |s: u64| Bound::Duration {
            ns: s * 1_000_000_000,
        };
        let poisson = open(Arrivals::Poisson { per_s: 1.0 }, seconds(5));
        assert_eq!(
            bounds(&poisson, &[Level::PerS(0.5), Level::PerS(100.0)]),
            [(seconds(20), true), (seconds(5), false)]
        );
    }

    #[test]
    fn levels_that_would_share_a_folder_are_refused() {
        let twice = plan(&closed(MINUTE), &[5, 1, 5].map(Level::Clients));
        assert_eq!(twice, Err(LevelsError::Twice(5.0)));
        assert_eq!(plan(&closed(MINUTE), &[]), Err(LevelsError::None));
        let none = plan(&closed(MINUTE), &[Level::Clients(0)]);
        assert_eq!(none, Err(LevelsError::NoLoad(0.0)));
        let stages = open(Arrivals::Stages { stages: vec![] }, MINUTE);
        for (base, level) in [
            (closed(MINUTE), Level::PerS(5.0)),
            (stages.clone(), Level::PerS(5.0)),
            (stages, Level::Clients(5)),
        ] {
            assert_eq!(plan(&base, &[level]), Err(LevelsError::OtherLoop));
        }
    }
}
