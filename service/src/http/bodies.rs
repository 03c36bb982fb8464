//! What a body or a query asks for, without a request around it.
//!
//! The handlers call these, and so does whoever feeds them any bytes: `fuzz-targets`.

use std::sync::Arc;

use api::feedback::Feedback;
use api::update::Start;
use api::{DetectRequest, FitRequest, Rejection, decode};
use bytes::Bytes;

use super::{convert, stream};
use crate::detection::Detection;
use crate::registry::{FitJob, Fitting, Monitors, RegistryOptions, ServedModel, StartRequest};

/// The fit that `body` asks for.
///
/// # Errors
/// What is wrong with the body.
pub fn fit(body: &[u8], fitted_at_ms: i64) -> Result<FitJob, Rejection> {
    convert::fit_job(decode::<FitRequest>(body)?, fitted_at_ms)
}

/// The fit of a history that is CSV.
///
/// # Errors
/// What is wrong with it.
pub fn fit_csv(body: &[u8], fitted_at_ms: i64) -> Result<FitJob, Rejection> {
    let request = FitRequest::of_history(api::csv::history(body)?);
    convert::fit_job(request, fitted_at_ms)
}

/// Runs a fit that obeys the feedback on its series; what is wrong with it as callers are told.
///
/// # Errors
/// When the history or a parameter does not hold, or the model cannot be fitted.
pub fn run_fit(
    job: FitJob,
    given: &[Feedback],
    options: &RegistryOptions,
) -> Result<Fitting, Rejection> {
    let fitting = job.run_obeying(given, options);
    fitting.map_err(|error| convert::rejection(&error))
}

/// The detection that `body` asks for.
///
/// # Errors
/// What is wrong with the body.
pub fn detection(body: &[u8]) -> Result<Detection, Rejection> {
    convert::detection(decode::<DetectRequest>(body)?)
}

/// The detection of a series that is CSV.
///
/// # Errors
/// What is wrong with it.
pub fn detection_csv(body: &[u8]) -> Result<Detection, Rejection> {
    convert::detection(DetectRequest::of_series(api::csv::history(body)?))
}

/// How the query of an update says to start an online state.
///
/// # Errors
/// What is wrong with it.
pub fn start(start: Start) -> Result<StartRequest, Rejection> {
    convert::start_request(start)
}

/// Answers lines of points of `series` as a stream of them does: takes bytes as they come, gives what is answered by then.
pub fn predict_lines(
    series: &str,
    model: &Arc<ServedModel>,
    monitors: &Arc<Monitors>,
) -> impl FnMut(Bytes) -> Vec<Bytes> + use<> {
    stream::answers(series, Arc::clone(model), Arc::clone(monitors))
}
