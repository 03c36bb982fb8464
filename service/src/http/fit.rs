//! `POST /fit/{series_id}`.

use std::time::{SystemTime, UNIX_EPOCH};

use actix_web::HttpResponse;
use actix_web::web::Payload;
use api::{Calibration, FitReply, FitRequest, Rejection, SeriesId, Warning, decode};
use bytes::Bytes;
use detectors::Summary;
use detectors::envelope::digest_hex;

use super::{Call, admit, body, convert, idempotency, ok, ok_bytes};
use crate::admission::Class;
use crate::compute::POOL_FROM_BYTES;
use crate::registry::{Asked, FitJob, Fitting, RegistryOptions};
use crate::store::{Request, Stored};

pub(super) async fn handle(
    call: &Call<'_>,
    mut payload: Payload,
    id: &str,
) -> Result<HttpResponse, Rejection> {
    let Call {
        request,
        state,
        received,
    } = *call;
    let series = SeriesId::parse(id)?;
    api::query::read(request.query_string(), [])?;
    let key = idempotency::key_of(request)?;
    let registry = state.registry()?;
    // Whether a small fit is a light one, only its body tells.
    let mut ticket = admit::admit(call, &mut payload, Class::Fit, || false).await?;
    let limit = state.max_body_bytes;
    let body = body::read_json(request, payload, limit, Some(&mut ticket)).await?;
    let asked = match key {
        None => None,
        Some(key) => match registry.asked(series.as_str(), key, body.clone()).await {
            Ok(Asked::Before(answer)) => return Ok(idempotency::replayed(answer)),
            Ok(Asked::Anew(digest)) => Some((key, digest)),
            Err(error) => return Err(convert::rejection(&error)),
        },
    };
    let options = registry.options();
    let mut fitting = if body.len() < POOL_FROM_BYTES {
        let job = read(&body)?;
        if job.is_light() {
            let _work = ticket.work();
            run(job, &options)?
        } else {
            let fitted = state
                .compute
                .run(&mut ticket, move || run(job, &options))
                .await;
            fitted.map_err(convert::compute_rejection)??
        }
    } else {
        let fitted = state
            .compute
            .run(&mut ticket, move || run(read(&body)?, &options));
        fitted.await.map_err(convert::compute_rejection)??
    };
    let named = asked.map(|(key, body)| {
        let duration_ms = received.elapsed().as_secs_f64() * 1e3;
        let answer = with_reply(series, 0, &fitting, duration_ms, idempotency::answer_of);
        Request { key, body, answer }
    });
    let answer = named.as_ref().map(|named| named.answer.clone());
    let stored = registry.store_once(series.as_str(), &mut fitting, named);
    let commit = ticket.part("commit");
    let stored = stored.await;
    drop(commit);
    let version = match stored.map_err(|error| convert::rejection(&error))? {
        Stored::New { version, .. } => version,
        // A twin of this request was faster.
        Stored::Before(kept) => {
            return Ok(idempotency::replayed(kept.answer.of_version(kept.version)));
        }
    };
    let took = received.elapsed();
    state.metrics.training.record(took);
    Ok(match answer {
        Some(answer) => ok_bytes(Bytes::from(answer.of_version(version))),
        None => with_reply(
            series,
            version,
            &fitting,
            took.as_secs_f64() * 1e3,
            |reply| ok(&reply),
        ),
    })
}

fn read(body: &Bytes) -> Result<FitJob, Rejection> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    convert::fit_job(
        decode::<FitRequest>(body)?,
        i64::try_from(now.as_millis()).unwrap_or(i64::MAX),
    )
}

fn run(job: FitJob, options: &RegistryOptions) -> Result<Fitting, Rejection> {
    job.run(options).map_err(|error| convert::rejection(&error))
}

fn with_reply<T>(
    series: SeriesId<'_>,
    version: u64,
    fitting: &Fitting,
    duration_ms: f64,
    write: impl FnOnce(FitReply<'_>) -> T,
) -> T {
    let (summary, hash) = (fitting.fitted.summary(), digest_hex(&fitting.digest));
    write(fit_reply(
        series,
        version,
        fitting,
        (&summary, &hash),
        duration_ms,
    ))
}

/// What is told of a version that is stored.
pub(super) fn fit_reply<'a>(
    series: SeriesId<'a>,
    version: u64,
    fitting: &'a Fitting,
    (summary, model_hash): (&'a Summary, &'a str),
    duration_ms: f64,
) -> FitReply<'a> {
    FitReply {
        series_id: series.as_str(),
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
