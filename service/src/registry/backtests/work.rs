//! What a backtest is to do: a history, contenders, and what becomes of the winner.

use std::any::Any;

use api::backtest::BacktestAsked;
use compact_str::CompactString;
use detectors::backtest::{Plan, Refit, Window};
use detectors::{CheckedParams, Excluded, Fitted, Params, TimeUnit};

use super::promotion::Rule;
use crate::registry::lookup::{find, training_of};
use crate::registry::{RegistryError, ServedModel};
use crate::store::training::TrainingPoints;
use crate::store::{AliasRecord, Condition, Store, VersionSelector};

/// A backtest as it is asked for, its parameters checked and nothing read yet.
pub struct BacktestRequest {
    /// The points, or the version whose training points are the history.
    pub history: History,
    /// What one tick is.
    pub time_unit: TimeUnit,
    /// Stretches that are anomalies.
    pub labels: Option<Vec<Excluded>>,
    /// What is fitted.
    pub candidates: Vec<Candidate>,
    /// What is there already.
    pub versions: Vec<VersionName>,
    /// What the first fit is made on.
    pub train: Train,
    /// Points after which each candidate is fitted anew.
    pub refit_every: Option<usize>,
    /// Points that a new fit is made on.
    pub refit_window: Option<usize>,
    /// What becomes of the winner.
    pub set_alias: Option<SetAlias>,
    /// Wall clock, milliseconds since 1970.
    pub now_ms: i64,
    /// Kept until the backtest has ended: the memory it was admitted with.
    pub held: Option<Box<dyn Any + Send>>,
}

/// Where the history comes from.
pub enum History {
    /// The points themselves.
    Points(TrainingPoints),
    /// The training points of a version.
    OfVersion(VersionSelector),
}

/// What is fitted as the replay goes on.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Its name.
    pub name: String,
    /// Whether it is the online state.
    pub is_online: bool,
    /// Its parameters, as they were asked for.
    pub params: Params,
    /// The same, checked.
    pub checked: CheckedParams,
}

/// A version as a caller names it.
#[derive(Clone, Debug)]
pub enum VersionName {
    /// By its number, or the latest.
    Number(VersionSelector),
    /// By an alias.
    Alias(CompactString),
}

/// What the first fit is made on.
#[derive(Clone, Copy, Debug)]
pub enum Train {
    /// A share of the points.
    Share(f64),
    /// So many points.
    Points(usize),
}

/// What becomes of the winner.
#[derive(Clone, Debug)]
pub struct SetAlias {
    /// The alias.
    pub alias: CompactString,
    /// How the winner is found; by labels if there are any, unless it is said.
    pub rule: Option<Rule>,
}

/// A backtest that only needs a thread.
pub(super) struct Work {
    pub(super) points: TrainingPoints,
    pub(super) time_unit: TimeUnit,
    pub(super) labels: Option<Vec<bool>>,
    pub(super) plan: Plan,
    pub(super) contenders: Vec<Contender>,
    pub(super) set_alias: Option<Promoting>,
    pub(super) now_ms: i64,
    /// The life of the series that it was asked in.
    pub(super) life: u64,
    /// Dropped when the work is.
    #[expect(dead_code, reason = "it is held, not read")]
    pub(super) held: Option<Box<dyn Any + Send>>,
}

/// One that is compared.
#[derive(Clone)]
pub(super) enum Contender {
    Candidate(Box<Candidate>),
    Version {
        version: u64,
        model: Box<Fitted>,
        trained_to: i64,
    },
}

/// What becomes of the winner, and who holds the alias now.
pub(super) struct Promoting {
    pub(super) alias: CompactString,
    pub(super) rule: Rule,
    pub(super) holder: Option<AliasRecord>,
}

impl Promoting {
    /// The alias is as it was when the backtest was asked for.
    pub(super) fn condition(&self) -> Condition {
        self.holder.map_or(Condition::Absent, |record| {
            Condition::OneOf(vec![record.revision])
        })
    }
}

impl Contender {
    pub(super) fn name(&self) -> String {
        match self {
            Self::Candidate(candidate) => candidate.name.clone(),
            Self::Version { version, .. } => format!("version {version}"),
        }
    }
}

impl Work {
    /// Reads what the request names. Blocks.
    ///
    /// # Errors
    /// When a version or alias is not there, the history is no series or too short, or its time unit is not that of a
    /// version.
    pub(super) fn read(
        store: &dyn Store,
        series: &str,
        request: BacktestRequest,
        min_training_points: usize,
    ) -> Result<(Self, BacktestAsked), RegistryError> {
        // Before anything that the series has is read.
        let life = store.head(series)?.life;
        let (points, history_of, unit_of_history) = match request.history {
            History::Points(points) => (points, None, None),
            History::OfVersion(selector) => {
                let stored = find(store, series, selector)?;
                let points = training_of(store, series, &stored)?;
                let unit = ServedModel::from_stored(series, &stored)?
                    .fitted
                    .time_unit();
                (points, Some(stored.version), Some(unit))
            }
        };
        let time_unit = request.time_unit;
        if let Some(unit) = unit_of_history
            && unit != time_unit
        {
            let reason = format!("the history is that of a version with {unit}, not {time_unit}");
            return Err(RegistryError::backtest("time_unit", reason));
        }
        detectors::Series::new(&points.timestamps, &points.values)?;
        let n = points.values.len();
        if n > api::limits::BACKTEST_POINTS_MAX {
            let most = api::limits::BACKTEST_POINTS_MAX;
            let reason = format!("there are {n} points, a backtest takes up to {most}");
            return Err(RegistryError::backtest("timestamps", reason));
        }
        let needed = min_training_points.max(1);
        if n <= needed {
            return Err(RegistryError::TooFewPoints {
                got: n,
                left_out: 0,
                needed: needed + 1,
            });
        }
        let first = match request.train {
            Train::Share(share) => ((share * n as f64) as usize).clamp(needed, n - 1),
            Train::Points(points) if (needed..n).contains(&points) => points,
            Train::Points(points) => {
                let reason = format!(
                    "{points} is out of range; must be between {needed} and {} for {n} points",
                    n - 1
                );
                return Err(RegistryError::backtest("train_points", reason));
            }
        };
        let refit = request
            .refit_every
            .map_or(Refit::Never, |points| Refit::Every {
                points,
                window: request
                    .refit_window
                    .map_or(Window::Expanding, Window::Sliding),
            });
        let plan = Plan { first, refit };
        if plan.fits(n) > api::limits::BACKTEST_FITS_MAX {
            let reason = format!(
                "{} fits of each candidate would be needed, there may be {}",
                plan.fits(n),
                api::limits::BACKTEST_FITS_MAX
            );
            return Err(RegistryError::backtest("refit_every", reason));
        }
        let candidates = request.candidates.into_iter();
        let mut contenders: Vec<Contender> = candidates
            .map(|candidate| Contender::Candidate(Box::new(candidate)))
            .collect();
        for name in &request.versions {
            add_version(store, series, name, &mut contenders)?;
        }
        let set_alias = match request.set_alias {
            None => None,
            Some(SetAlias { alias, rule }) => {
                let holder = store.alias(series, &alias)?;
                if let Some(record) = holder {
                    // Whoever is to win has to win against it.
                    let selector = VersionSelector::Exactly(record.version);
                    let name = VersionName::Number(selector);
                    add_version(store, series, &name, &mut contenders)?;
                }
                let by_labels = request
                    .labels
                    .as_ref()
                    .is_some_and(|labels| !labels.is_empty());
                let by_itself = if by_labels {
                    Rule::EventF1
                } else {
                    Rule::AlarmRate
                };
                Some(Promoting {
                    alias,
                    rule: rule.unwrap_or(by_itself),
                    holder,
                })
            }
        };
        for contender in &contenders {
            let Contender::Version { version, model, .. } = contender else {
                continue;
            };
            if model.time_unit() != time_unit {
                let reason = format!(
                    "version {version} has {}, the history has {time_unit}",
                    model.time_unit()
                );
                return Err(RegistryError::backtest("time_unit", reason));
            }
        }
        let labels = request
            .labels
            .map(|labels| detectors::backtest::flags_of(&points.timestamps, &labels));
        let asked = BacktestAsked {
            points: n,
            from: points.timestamps[0],
            to: points.timestamps[n - 1],
            history_of: history_of.map(|version| version.to_string()),
            time_unit: time_unit.as_str().to_owned(),
            train_points: first,
            refit_every: request.refit_every,
            refit_window: request.refit_window,
            labelled_points: labels
                .as_ref()
                .map(|labels| labels.iter().filter(|label| **label).count()),
            contenders: contenders.iter().map(Contender::name).collect(),
            set_alias: set_alias
                .as_ref()
                .map(|promoting| promoting.alias.to_string()),
        };
        let work = Self {
            points,
            time_unit,
            labels,
            plan,
            contenders,
            set_alias,
            now_ms: request.now_ms,
            life,
            held: request.held,
        };
        Ok((work, asked))
    }
}

/// Adds a version, unless it is there already.
fn add_version(
    store: &dyn Store,
    series: &str,
    name: &VersionName,
    contenders: &mut Vec<Contender>,
) -> Result<(), RegistryError> {
    let selector = match name {
        VersionName::Number(selector) => *selector,
        VersionName::Alias(alias) => match store.alias(series, alias)? {
            Some(record) => VersionSelector::Exactly(record.version),
            None => {
                find(store, series, VersionSelector::Latest)?;
                return Err(RegistryError::UnknownAlias {
                    series: series.to_owned(),
                    alias: alias.to_string(),
                });
            }
        },
    };
    let stored = find(store, series, selector)?;
    let is_this = |contender: &Contender| matches!(contender, Contender::Version { version, .. } if *version == stored.version);
    if contenders.iter().any(is_this) {
        return Ok(());
    }
    let served = ServedModel::from_stored(series, &stored)?;
    contenders.push(Contender::Version {
        version: stored.version,
        model: Box::new(served.fitted),
        trained_to: stored.record.trained_to,
    });
    Ok(())
}
