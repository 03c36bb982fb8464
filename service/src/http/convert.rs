//! The only bridge between the wire types and the models: names, values and errors across.

use std::fmt::Display;
use std::str::FromStr;

use api::update::Start;
use api::{
    Alias, Code, DetectRequest, FieldError, FitRequest, Loc, PointReply, Rejection, Seasonality,
    Timestamp,
};
use detectors::{
    Excluded, Explanation, FitError, MinDeviation, ParamError, ParamErrorKind, Params, Score,
    Seasons, SeriesError, TimeUnit,
};

use crate::admission::Refusal;
use crate::compute::ComputeError;
use crate::detection::{Detection, DetectionError};
use crate::registry::{FitJob, RegistryError, StartRequest};
use crate::store::training::TrainingPoints;
use crate::store::{PutError, StoreError};

/// A fit request as a job.
pub(super) fn fit_job(mut request: FitRequest, fitted_at_ms: i64) -> Result<FitJob, Rejection> {
    let (timestamps, values) = request.take_columns()?;
    let direction = optional_name("direction", request.direction.as_deref())?;
    let time_unit: Option<TimeUnit> = optional_name("time_unit", request.time_unit.as_deref())?;
    let per_second = time_unit.unwrap_or_default().ticks_per_second();
    let exclude = excluded(request.exclude.as_deref().unwrap_or_default(), per_second)?;
    let FitRequest {
        model,
        alarm_rate,
        sigma,
        min_deviation,
        seasonality,
        timezone,
        labels,
        set_alias,
        ..
    } = request;
    let labels = labels.map(api::Labels::check).transpose()?;
    let set_alias = set_alias.as_deref();
    let set_alias = set_alias.map(|name| Alias::parse(name, ["body", "set_alias"]));
    let set_alias = set_alias.transpose()?.map(|alias| alias.as_str().into());
    Ok(FitJob {
        points: TrainingPoints { timestamps, values },
        params: Params {
            model,
            alarm_rate,
            sigma,
            direction,
            min_deviation: min_deviation.map(least),
            seasons: seasonality.map(seasons),
            timezone,
            time_unit,
            exclude,
        },
        fitted_at_ms,
        set_alias,
        labels: labels.map(|labels| {
            let labels = labels.into_iter();
            labels
                .map(|(key, value)| (key.into(), value.into()))
                .collect()
        }),
    })
}

/// How an update says to start an online state.
pub(super) fn start_request(start: Start) -> Result<StartRequest, Rejection> {
    let (first_given, first_of_params) = (start.first_given(), start.first_of_params());
    let time_unit = start.time_unit.as_deref();
    let time_unit = time_unit.map(|name| named("time_unit", name)).transpose();
    Ok(StartRequest {
        from: start.from,
        params: Params {
            model: Some("tail_views".to_owned()),
            alarm_rate: start.alarm_rate,
            seasons: start.seasonality.map(seasons),
            timezone: start.timezone,
            time_unit: time_unit.map_err(in_query)?,
            ..Params::default()
        },
        first_given,
        first_of_params,
    })
}

/// A detection of a whole series. What belongs to a fit goes along, to be refused by its name.
pub(super) fn detection(mut request: DetectRequest) -> Result<Detection, Rejection> {
    let (timestamps, values) = request.take_columns()?;
    let direction = optional_name("direction", request.direction.as_deref())?;
    let time_unit: Option<TimeUnit> = optional_name("time_unit", request.time_unit.as_deref())?;
    let per_second = time_unit.unwrap_or_default().ticks_per_second();
    let exclude = excluded(request.exclude.as_deref().unwrap_or_default(), per_second)?;
    let min_points = request.min_points.unwrap_or(0);
    Ok(Detection {
        timestamps,
        values,
        params: Params {
            model: request.model,
            alarm_rate: request.alarm_rate,
            sigma: request.sigma,
            direction,
            min_deviation: request.min_deviation.map(least),
            seasons: request.seasonality.map(seasons),
            timezone: request.timezone,
            time_unit,
            exclude,
        },
        min_points: usize::try_from(min_points).unwrap_or(usize::MAX),
    })
}

fn least(deviation: api::MinDeviation) -> MinDeviation {
    MinDeviation {
        abs: deviation.abs,
        rel: deviation.rel,
    }
}

fn seasons(seasonality: Seasonality) -> Seasons {
    match seasonality {
        Seasonality::Auto => Seasons::Auto,
        Seasonality::Periods(periods) => Seasons::Periods(periods),
    }
}

fn optional_name<T: FromStr<Err: Display>>(
    field: &str,
    name: Option<&str>,
) -> Result<Option<T>, Rejection> {
    name.map(|name| named(field, name)).transpose()
}

/// A word that stands for one of a few choices.
fn named<T: FromStr<Err: Display>>(field: &str, name: &str) -> Result<T, Rejection> {
    name.parse().map_err(|error| {
        let reason = format!("{name:?} is not one of the choices: {error}");
        Rejection::one(Code::ParameterOutOfRange, at(&[field], None, reason))
    })
}

fn excluded(stretches: &[api::Excluded], per_second: i64) -> Result<Vec<Excluded>, Rejection> {
    let ticks = |index: usize, end: &str, time: Timestamp| {
        time.ticks(per_second).ok_or_else(|| {
            let loc = [
                Loc::from("body"),
                Loc::from("exclude"),
                Loc::from(index),
                Loc::from(end),
            ];
            let reason = "past the last time that time_unit can tell";
            Rejection::one(Code::TimestampInvalid, FieldError::new(loc, reason))
        })
    };
    let stretches = stretches.iter().enumerate().map(|(index, stretch)| {
        Ok(Excluded {
            from: ticks(index, "from", stretch.from)?,
            to: ticks(index, "to", stretch.to)?,
        })
    });
    stretches.collect()
}

/// Why a point has its score, as the reply has it.
pub(super) fn reasons(explanation: &Explanation) -> Vec<api::Reason<'_>> {
    let reasons = explanation.reasons().map(|reason| api::Reason {
        code: reason.code,
        detail: reason.detail,
        numbers: reason.numbers,
    });
    reasons.collect()
}

/// A score as the reply has it.
pub(super) fn point_reply<'a>(
    model_version: u64,
    hash: &'a str,
    timestamp: i64,
    value: f64,
    score: &Score,
) -> PointReply<'a> {
    PointReply {
        anomaly: score.anomaly,
        model_version,
        timestamp,
        value,
        anomaly_score: score.anomaly_score,
        p_value: score.p_value,
        severity: score.severity,
        expected_value: score.expected,
        lower_bound: score.lower,
        upper_bound: score.upper,
        direction: score.side.as_str(),
        status: score.status.as_str(),
        tail_extrapolated: score.tail_extrapolated,
        model_hash: hash,
        reasons: None,
    }
}

/// What went wrong in the registry, as a problem.
pub(super) fn rejection(error: &RegistryError) -> Rejection {
    let plain = |code| Rejection::new(code, error.to_string());
    match error {
        RegistryError::UnknownSeries(_) => plain(Code::UnknownSeries),
        RegistryError::UnknownVersion { .. } | RegistryError::NoVersionYet { .. } => {
            plain(Code::UnknownVersion)
        }
        RegistryError::InvalidArtifact(_) => {
            let error = FieldError::new([Loc::from("body")], error.to_string());
            Rejection::one(Code::InvalidArtifact, error)
        }
        RegistryError::UnknownAlias { .. } => plain(Code::UnknownAlias),
        RegistryError::AliasUnmet(_) => plain(Code::AliasPreconditionFailed),
        RegistryError::VersionInUse { aliases, .. } => Rejection {
            errors: aliases
                .iter()
                .map(|alias| {
                    let reason = format!("the alias {alias} points to it");
                    let place = [Loc::from("path"), Loc::from("version")];
                    Rejection::one(Code::VersionInUse, FieldError::new(place, reason))
                })
                .flat_map(|rejection| rejection.errors)
                .collect(),
            ..plain(Code::VersionInUse)
        },
        RegistryError::VersionUnmet { .. } => plain(Code::VersionPreconditionFailed),
        RegistryError::OnlineStateExists { parameter, .. } => {
            at_parameter(Code::OnlineStateExists, parameter, error.to_string())
        }
        RegistryError::StartConflict { parameter, .. } => {
            at_parameter(Code::ParameterConflict, parameter, error.to_string())
        }
        RegistryError::NoOnlineState(_) => plain(Code::NoOnlineState),
        RegistryError::NothingLearnt(_) => plain(Code::TooFewPoints),
        RegistryError::Series(series) => series_rejection(series),
        RegistryError::TooFewPoints { .. } => Rejection::one(
            Code::TooFewPoints,
            at(&["timestamps"], None, error.to_string()),
        ),
        RegistryError::Params(params) => params_rejection(params),
        RegistryError::Fit(fit) => fit_rejection(fit),
        RegistryError::Put(put) => match put {
            PutError::Busy => plain(Code::Overloaded),
            PutError::StorageFull { .. } => plain(Code::StorageFull),
            PutError::Hangs { .. } | PutError::Closed(_) | PutError::Unknown(_) => {
                plain(Code::StoreUnavailable)
            }
            PutError::Damaged(_) => plain(Code::StoredRecordDamaged),
            PutError::Incomplete(_) => plain(Code::StoreIncomplete),
            PutError::KeyReused => {
                let loc = [Loc::from("header"), Loc::from(api::idempotency::HEADER)];
                let error = FieldError::new(loc, put.to_string());
                Rejection::one(Code::IdempotencyKeyReused, error)
            }
            PutError::TooManyAliases => plain(Code::InvalidAlias),
            PutError::Deleted => plain(Code::SeriesDeleted),
        },
        RegistryError::Store(store) => match store {
            StoreError::Damaged { .. } | StoreError::DamagedFile { .. } => {
                plain(Code::StoredRecordDamaged)
            }
            StoreError::Incomplete(_) => plain(Code::StoreIncomplete),
            StoreError::NewerFormat { .. } | StoreError::Locked(_) | StoreError::Unavailable(_) => {
                plain(Code::StoreUnavailable)
            }
        },
        RegistryError::TooManyReads => plain(Code::Overloaded),
        RegistryError::WorkerLost => plain(Code::Internal),
    }
}

/// As [`rejection`], where parameters come in the query.
pub(super) fn start_rejection(error: &RegistryError) -> Rejection {
    let rejection = rejection(error);
    match error {
        RegistryError::Params(_) => in_query(rejection),
        _ => rejection,
    }
}

/// Says of a place in the body that it is in the query.
fn in_query(rejection: Rejection) -> Rejection {
    let Some(mut error) = rejection.errors.into_iter().next() else {
        return Rejection::new(rejection.code, rejection.detail);
    };
    if let Some(place) = error.loc.first_mut() {
        *place = Loc::from("query");
    }
    Rejection::one(rejection.code, error)
}

fn at_parameter(code: Code, parameter: &str, reason: String) -> Rejection {
    let loc = [Loc::from("query"), Loc::from(parameter)];
    Rejection::one(code, FieldError::new(loc, reason))
}

/// Why a series cannot be judged, as a problem.
pub(super) fn detection_rejection(error: &DetectionError) -> Rejection {
    match error {
        DetectionError::Series(series) => series_rejection(series),
        DetectionError::Params(params) => params_rejection(params),
        DetectionError::TooFewPoints { .. } => Rejection::one(
            Code::TooFewPoints,
            at(&["timestamps"], None, error.to_string()),
        ),
        DetectionError::Detect(FitError::TooFewPoints { needed, got }) => {
            let reason = format!("there are {got} points, a detection needs at least {needed}");
            Rejection::one(Code::TooFewPoints, at(&["timestamps"], None, reason))
        }
        DetectionError::Detect(fit) => fit_rejection(fit),
    }
}

fn fit_rejection(fit: &FitError) -> Rejection {
    match fit {
        FitError::Constant => {
            Rejection::one(Code::ValuesConstant, at(&["values"], None, fit.to_string()))
        }
        FitError::TooFewPoints { .. } => Rejection::one(
            Code::TooFewPoints,
            at(&["timestamps"], None, fit.to_string()),
        ),
        FitError::NotConverged => Rejection::one(
            Code::ModelDoesNotFit,
            at(&["values"], None, fit.to_string()),
        ),
        FitError::PeriodTooLong { .. } | FitError::PeriodTooShort { .. } => Rejection::one(
            Code::ParameterOutOfRange,
            at(&["seasonality"], None, fit.to_string()),
        ),
    }
}

/// What went wrong on the compute pool, as a problem.
pub(super) fn compute_rejection(error: ComputeError) -> Rejection {
    match error {
        ComputeError::Refused(refusal_of) => refusal(refusal_of),
        ComputeError::Failed => Rejection::new(Code::Internal, error.to_string()),
    }
}

/// Why a request was not taken on, as a problem.
pub(super) fn refusal(refusal: Refusal) -> Rejection {
    let code = match refusal {
        Refusal::QueueFull | Refusal::Memory => Code::Overloaded,
        Refusal::TenantShare => Code::TenantOverShare,
        Refusal::Deadline => Code::DeadlineExceeded,
    };
    Rejection::new(code, refusal.to_string())
}

fn series_rejection(error: &SeriesError) -> Rejection {
    let reason = error.to_string();
    match *error {
        SeriesError::LengthMismatch { timestamps, values } => {
            Rejection::lengths_differ(timestamps, values)
        }
        SeriesError::TimestampNegative { index } => Rejection::one(
            Code::TimestampNegative,
            at(&["timestamps"], Some(index), reason),
        ),
        SeriesError::TimestampNotIncreasing { index } => Rejection::one(
            Code::TimestampsNotIncreasing,
            at(&["timestamps"], Some(index), reason),
        ),
        SeriesError::ValueNotFinite { index } => {
            Rejection::one(Code::ValueNotFinite, at(&["values"], Some(index), reason))
        }
    }
}

fn params_rejection(error: &ParamError) -> Rejection {
    let code = match error.kind {
        ParamErrorKind::UnknownModel => Code::UnknownModel,
        ParamErrorKind::OutOfRange => Code::ParameterOutOfRange,
        ParamErrorKind::Conflict => Code::ParameterConflict,
        ParamErrorKind::Unsupported => Code::ParameterUnsupported,
    };
    Rejection::one(code, at(&[error.field], error.index, error.reason.clone()))
}

fn at(fields: &[&str], index: Option<usize>, reason: String) -> FieldError {
    let path = std::iter::once("body")
        .chain(fields.iter().copied())
        .map(Loc::from);
    FieldError::new(path.chain(index.map(Loc::from)), reason)
}
