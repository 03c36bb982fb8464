//! `POST /fit/{series_id}`.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use actix_web::HttpResponse;
use actix_web::web::Payload;
use api::feedback::Feedback;
use api::{Calibration, FitReply, Rejection, Warning};
use bytes::Bytes;
use detectors::Summary;
use detectors::envelope::digest_hex;

use super::authenticate::insufficient;
use super::body::Media;
use super::idempotency::Begun;
use super::scoped::Series;
use super::{Call, admit, bodies, body, convert, idempotency, json, negotiate};
use crate::admission::{Class, Ticket};
use crate::compute::POOL_FROM_BYTES;
use crate::keys::Scope;
use crate::metrics::WorkTimes;
use crate::registry::{FitJob, Fitting, RegistryOptions};
use crate::store::RequestKey;

pub(super) async fn handle(
    call: &Call<'_>,
    mut payload: Payload,
    series: &Series<'_>,
) -> Result<HttpResponse, Rejection> {
    let Call { request, state, .. } = *call;
    api::query::read(request.query_string(), [])?;
    negotiate::choose(request, &[negotiate::JSON])?;
    let key = idempotency::key_of(call)?;
    // Before the body is read: without a store there is no use for it.
    state.registry()?;
    // Whether a small fit is a light one, only its body tells.
    let mut ticket = admit::admit(call, &mut payload, Class::Fit, || false).await?;
    let limit = state.max_body_bytes;
    let reads = [Media::Json, Media::Csv];
    let (media, body) = body::read_of(call, payload, limit, &mut ticket, &reads).await?;
    let fitted = fit(call, ticket, series, key, media, body.clone()).await;
    fitted.map_err(|rejection| media.placed(&body, rejection))
}

async fn fit(
    call: &Call<'_>,
    mut ticket: Ticket,
    series: &Series<'_>,
    key: Option<RequestKey>,
    media: Media,
    body: Bytes,
) -> Result<HttpResponse, Rejection> {
    let Call {
        state,
        received,
        caller,
        ..
    } = *call;
    let registry = state.registry()?;
    let named = match idempotency::begin(registry, series, key, &body).await? {
        Begun::Before(reply) => return Ok(reply),
        Begun::Anew(named) => named,
    };
    let given = registry.feedback_for_fit(series.name()).await;
    let given = given.map_err(|error| convert::rejection(&error))?;
    let options = registry.options();
    let may_set_alias = caller.has(Scope::Admin);
    let work = Arc::clone(&state.metrics.work);
    let mut fitting = if body.len() < POOL_FROM_BYTES {
        let job = read(media, &body, may_set_alias)?;
        if job.is_light() {
            let _work = ticket.work();
            run(job, &given, &options, &work)?
        } else {
            let fitted = state
                .compute
                .run(&mut ticket, move || run(job, &given, &options, &work))
                .await;
            fitted.map_err(convert::compute_rejection)??
        }
    } else {
        let fitted = state.compute.run(&mut ticket, move || {
            run(read(media, &body, may_set_alias)?, &given, &options, &work)
        });
        fitted.await.map_err(convert::compute_rejection)??
    };
    let write = |fitting: &Fitting, version| {
        let (summary, hash) = (fitting.fitted.summary(), digest_hex(&fitting.digest));
        let duration_ms = received.elapsed().as_secs_f64() * 1e3;
        json(&fit_reply(
            series,
            version,
            fitting,
            (&summary, &hash),
            duration_ms,
        ))
    };
    let commit = ticket.part("commit");
    let stored = idempotency::store(registry, series, &mut fitting, named, write).await;
    drop(commit);
    let (reply, is_new) = stored?;
    if is_new {
        state.metrics.training.record(received.elapsed());
    }
    Ok(reply)
}

/// An alias decides what others are answered: to set it needs the same scope wherever it is set.
fn read(media: Media, body: &Bytes, may_set_alias: bool) -> Result<FitJob, Rejection> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let now_ms = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
    let job = match media {
        Media::Csv => bodies::fit_csv(body, now_ms)?,
        Media::Json | Media::Lines => bodies::fit(body, now_ms)?,
    };
    if job.set_alias.is_some() && !may_set_alias {
        return Err(insufficient(Scope::Admin, "`set_alias`"));
    }
    Ok(job)
}

fn run(
    job: FitJob,
    given: &[Feedback],
    options: &RegistryOptions,
    work: &WorkTimes,
) -> Result<Fitting, Rejection> {
    work.fits.time(|| bodies::run_fit(job, given, options))
}

/// What is told of a version that is stored.
pub(super) fn fit_reply<'a>(
    series: &'a Series<'_>,
    version: u64,
    fitting: &'a Fitting,
    (summary, model_hash): (&'a Summary, &'a str),
    duration_ms: f64,
) -> FitReply<'a> {
    FitReply {
        series_id: series.id(),
        version,
        alias: fitting.set_alias.as_deref(),
        points_used: fitting.points_used,
        model: summary.model,
        chosen_because: summary.chosen_because.as_deref(),
        alarm_rate: summary.alarm_rate,
        direction: summary.direction.as_str(),
        time_unit: summary.time_unit.as_str(),
        periods: &summary.periods,
        calibration: Calibration {
            n: summary.calibration.n,
            method: summary.calibration.method,
            min_attainable_alarm_rate: summary.calibration.min_attainable_alarm_rate,
        },
        model_hash,
        trained_from: fitting.trained_from,
        trained_to: fitting.trained_to,
        duration_ms,
        feedback: fitting.feedback,
        warnings: summary
            .warnings
            .iter()
            .map(|w| Warning {
                code: w.code,
                detail: &w.detail,
            })
            .collect(),
    }
}
