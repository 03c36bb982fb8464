//! How an online state begins: from a version, or from nothing.

use std::sync::Arc;

use compact_str::CompactString;
use detectors::{Online, Params, Series};

use super::live::{Live, Origin};
use super::slot::Slot;
use super::{OnlineStates, Updating};
use crate::registry::model::model_digest;
use crate::registry::{RegistryError, ServedModel, lookup};
use crate::store::training::TrainingPoints;
use crate::store::{Store, StoreError, VersionSelector};

/// What a request says of the start of an online state.
#[derive(Clone, Debug, Default)]
pub struct StartRequest {
    /// The version to start from.
    pub from: Option<VersionSelector>,
    /// How to start from nothing.
    pub params: Params,
    /// The first parameter that is given, `from` before those of `params`.
    pub first_given: Option<&'static str>,
    /// The first of `params` that is given.
    pub first_of_params: Option<&'static str>,
}

/// An online state that is yet to be made. [`StartJob::run`] is CPU work.
pub struct StartJob {
    pub(super) states: Arc<OnlineStates>,
    pub(super) series: CompactString,
    pub(super) slot: Arc<Slot>,
    pub(super) first_given: Option<&'static str>,
    pub(super) from: From,
}

/// What there is to start from.
pub(super) enum From {
    Nothing(Params),
    Version(Box<Version>),
}

pub(super) struct Version {
    model: ServedModel,
    points: TrainingPoints,
    trained_from: i64,
}

/// Training points that are learnt in less time than a worker may be held up.
const LIGHT_UP_TO: usize = 16;

impl StartJob {
    /// Whether the start takes no longer than a worker may be held up.
    #[must_use]
    pub fn is_light(&self) -> bool {
        match &self.from {
            From::Nothing(_) => true,
            From::Version(version) => version.points.values.len() <= LIGHT_UP_TO,
        }
    }

    /// Makes the state; nothing is stored before its first points are.
    ///
    /// # Errors
    /// When a parameter does not hold.
    pub fn run(self) -> Result<Updating, RegistryError> {
        let made = match self.from {
            From::Nothing(params) => from_nothing(&params),
            From::Version(version) => from_version(*version),
        };
        let live = match made {
            Ok(live) => live,
            Err(error) => {
                self.states.leave(&self.series, self.slot);
                return Err(error);
            }
        };
        let time_unit = live.time_unit();
        Ok(Updating {
            states: self.states,
            series: self.series,
            slot: self.slot,
            first_given: self.first_given,
            time_unit,
            prepared: Some(Box::new(live)),
        })
    }
}

fn from_nothing(params: &Params) -> Result<Live, RegistryError> {
    let online = Online::new(&params.check()?);
    let bytes = online.freeze().encode();
    let digest = model_digest(&bytes).expect("the model was sealed just now");
    let origin = Origin { version: 0, digest };
    Ok(Live::start(online, origin, None))
}

fn from_version(version: Version) -> Result<Live, RegistryError> {
    let Version {
        model,
        points,
        trained_from,
    } = version;
    let history = Series::new(&points.timestamps, &points.values)?;
    let online = Online::resume(&model.fitted, &history);
    let origin = Origin {
        version: model.version,
        digest: model.digest,
    };
    Ok(Live::start(online, origin, Some(trained_from)))
}

/// Reads what `request` names: the version, the latest one, or nothing where there is none.
pub(super) fn read(
    store: &dyn Store,
    series: &str,
    request: StartRequest,
) -> Result<From, RegistryError> {
    let selector = request.from.unwrap_or(VersionSelector::Latest);
    let stored = match lookup::find(store, series, selector) {
        Err(RegistryError::UnknownSeries(_)) if request.from.is_none() => {
            return Ok(From::Nothing(request.params));
        }
        found => found?,
    };
    if let Some(parameter) = request.first_of_params {
        return Err(RegistryError::StartConflict {
            parameter,
            version: stored.version,
        });
    }
    let model = ServedModel::from_stored(series, &stored)?;
    let points = lookup::training_of(store, series, &stored)?;
    let trained_from = stored.record.trained_from;
    Ok(From::Version(Box::new(Version {
        model,
        points,
        trained_from,
    })))
}

/// Reads a stored state.
pub(super) fn restore(store: &dyn Store, series: &str) -> Result<Option<Live>, RegistryError> {
    let Some(stored) = store.state(series)? else {
        return Ok(None);
    };
    let live = Live::restore(stored).map_err(|reason| StoreError::Damaged {
        key: format!("{series} (online state)"),
        reason,
    })?;
    Ok(Some(live))
}
