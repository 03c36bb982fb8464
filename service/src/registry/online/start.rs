//! How an online state begins: from a version, or from nothing.

use std::sync::Arc;

use compact_str::CompactString;
use detectors::online::Online;
use detectors::{CheckedParams, Params, Series};

use super::live::{Live, Origin};
use super::slot::Slot;
use super::{OnlineStates, Opened, Updating};
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

/// An online state that is yet to be made of a version. [`StartJob::run`] is CPU work.
pub struct StartJob {
    updating: Updating,
    version: Version,
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
        self.version.points.values.len() <= LIGHT_UP_TO
    }

    /// Makes the state; nothing is stored before its first points are.
    ///
    /// # Errors
    /// When the stored points are no series.
    pub fn run(self) -> Result<Updating, RegistryError> {
        let Self {
            mut updating,
            version,
        } = self;
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
        let live = Live::start(online, origin, Some(trained_from));
        updating.prepared = Some(Prepared::Made(Box::new(live)));
        Ok(updating)
    }
}

/// A state that its first points will start.
pub(super) enum Prepared {
    Made(Box<Live>),
    FromNothing(Box<CheckedParams>),
}

impl Prepared {
    /// The state, now that the time of its first point is known.
    pub(super) fn made(&self, at: i64) -> Live {
        match self {
            Self::Made(live) => (**live).clone(),
            Self::FromNothing(params) => Live::from_nothing(params, at),
        }
    }

    /// Whether `live` was started so. The hash of a state that knows nothing is over all its
    /// parameters, those of the time zone included.
    pub(super) fn is_start_of(&self, live: &Live) -> bool {
        match (self, live.learnt_from) {
            (Self::Made(made), _) => made.origin == live.origin,
            (Self::FromNothing(params), Some(at)) => {
                live.origin.version == 0 && live.origin == Live::from_nothing(params, at).origin
            }
            (Self::FromNothing(_), None) => false,
        }
    }
}

impl OnlineStates {
    /// Refuses a request that would have started another state than is in `slot`. What started it may
    /// be sent again. Blocks.
    pub(super) fn check_start(
        &self,
        series: &str,
        slot: &Slot,
        request: &StartRequest,
    ) -> Result<(), RegistryError> {
        let Some(parameter) = request.first_given else {
            return Ok(());
        };
        let is_same = match (request.from, request.first_of_params) {
            (Some(selector), None) => {
                let version = lookup::find(&*self.store, series, selector)?.version;
                let live = slot.lock();
                live.as_ref()
                    .is_some_and(|live| live.origin.version == version)
            }
            // A version has parameters of its own, so no state was started so.
            (Some(_), Some(_)) => false,
            (None, _) => {
                let prepared = Prepared::FromNothing(Box::new(request.params.check()?));
                let live = slot.lock();
                live.as_ref().is_some_and(|live| prepared.is_start_of(live))
            }
        };
        if is_same {
            return Ok(());
        }
        Err(RegistryError::OnlineStateExists {
            series: series.to_owned(),
            parameter,
        })
    }

    /// What starts the state in `slot`. Blocks.
    pub(super) fn start(
        self: &Arc<Self>,
        series: &CompactString,
        slot: Arc<Slot>,
        request: StartRequest,
    ) -> Result<Opened, RegistryError> {
        let updating = |time_unit, prepared| Updating {
            states: Arc::clone(self),
            series: series.clone(),
            slot,
            first_given: request.first_given,
            time_unit,
            prepared,
        };
        Ok(match version_of(&*self.store, series, &request)? {
            None => {
                let params = request.params.check()?;
                let prepared = Prepared::FromNothing(Box::new(params.clone()));
                Opened::Ready(updating(params.time_unit(), Some(prepared)))
            }
            Some(version) => Opened::Start(Box::new(StartJob {
                updating: updating(version.model.fitted.time_unit(), None),
                version,
            })),
        })
    }
}

/// Reads what `request` names: the version, the latest one, or nothing where there is none.
fn version_of(
    store: &dyn Store,
    series: &str,
    request: &StartRequest,
) -> Result<Option<Version>, RegistryError> {
    let selector = request.from.unwrap_or(VersionSelector::Latest);
    let stored = match lookup::find(store, series, selector) {
        Err(RegistryError::UnknownSeries(_)) if request.from.is_none() => {
            return Ok(None);
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
    Ok(Some(Version {
        model,
        points,
        trained_from,
    }))
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
