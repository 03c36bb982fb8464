//! The only bridge between the wire types and the models: names, values and errors across.

use api::{Code, FieldError, FitRequest, Loc, PointReply, Rejection};
use detectors::{Direction, FitError, ParamError, ParamErrorKind, Params, Score, SeriesError};

use crate::compute::ComputeError;
use crate::registry::{FitJob, RegistryError, ServedModel};
use crate::store::training::TrainingPoints;
use crate::store::{PutError, StoreError};

/// A fit request as a job.
pub(super) fn fit_job(mut request: FitRequest, fitted_at_ms: i64) -> Result<FitJob, Rejection> {
    let (timestamps, values) = request.take_columns()?;
    let direction = request
        .direction
        .as_deref()
        .map(parse_direction)
        .transpose()?;
    let FitRequest {
        model,
        alarm_rate,
        sigma,
        ..
    } = request;
    Ok(FitJob {
        points: TrainingPoints { timestamps, values },
        params: Params {
            model,
            alarm_rate,
            sigma,
            direction,
        },
        fitted_at_ms,
    })
}

fn parse_direction(name: &str) -> Result<Direction, Rejection> {
    name.parse().map_err(|_| {
        let reason = format!("{name:?} is not a direction: expected both, above or below");
        Rejection::one(Code::ParameterOutOfRange, at(&["direction"], None, reason))
    })
}

/// A score as the reply has it.
pub(super) fn point_reply<'a>(
    model: &ServedModel,
    hash: &'a str,
    timestamp: i64,
    value: f64,
    score: &Score,
) -> PointReply<'a> {
    PointReply {
        anomaly: score.anomaly,
        model_version: model.version,
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
        model_hash: hash,
    }
}

/// What went wrong in the registry, as a problem.
pub(super) fn rejection(error: &RegistryError) -> Rejection {
    let plain = |code| Rejection::new(code, error.to_string());
    match error {
        RegistryError::UnknownSeries(_) => plain(Code::UnknownSeries),
        RegistryError::UnknownVersion { .. } => plain(Code::UnknownVersion),
        RegistryError::Series(series) => series_rejection(series),
        RegistryError::TooFewPoints { .. } => Rejection::one(
            Code::TooFewPoints,
            at(&["timestamps"], None, error.to_string()),
        ),
        RegistryError::Params(params) => params_rejection(params),
        RegistryError::Fit(fit) => match fit {
            FitError::Constant => {
                Rejection::one(Code::ValuesConstant, at(&["values"], None, fit.to_string()))
            }
            FitError::TooFewPoints { .. } => Rejection::one(
                Code::TooFewPoints,
                at(&["timestamps"], None, fit.to_string()),
            ),
        },
        RegistryError::Put(put) => match put {
            PutError::Busy => plain(Code::Overloaded),
            PutError::Closed(_) | PutError::Unknown(_) => plain(Code::StoreUnavailable),
            PutError::Damaged(_) => plain(Code::StoredRecordDamaged),
        },
        RegistryError::Store(store) => match store {
            StoreError::Damaged { .. } => plain(Code::StoredRecordDamaged),
            StoreError::NewerFormat { .. } | StoreError::Locked(_) | StoreError::Unavailable(_) => {
                plain(Code::StoreUnavailable)
            }
        },
        RegistryError::WorkerLost => plain(Code::Internal),
    }
}

/// What went wrong on the compute pool, as a problem.
pub(super) fn compute_rejection(error: ComputeError) -> Rejection {
    let code = match error {
        ComputeError::Busy => Code::Overloaded,
        ComputeError::Failed => Code::Internal,
    };
    Rejection::new(code, error.to_string())
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
    Rejection::one(code, at(&[error.field], None, error.reason.clone()))
}

fn at(fields: &[&str], index: Option<usize>, reason: String) -> FieldError {
    let path = std::iter::once("body")
        .chain(fields.iter().copied())
        .map(Loc::from);
    FieldError::new(path.chain(index.map(Loc::from)), reason)
}
