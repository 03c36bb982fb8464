//! `POST /backtest/{series_id}`, `/backtests`, `/backtests/{job_id}` and its report.

mod asked;
mod report;

use std::time::{SystemTime, UNIX_EPOCH};

use actix_web::HttpResponse;
use actix_web::http::{Method, StatusCode, header};
use actix_web::web::Payload;
use api::backtest::{Backtest, BacktestRequest, BacktestStatus, BacktestsReply};
use api::limits::SHORT_PAGE;
use api::{Code, FieldError, Loc, Rejection, SeriesId, decode};
use bytes::Bytes;

use super::authenticate::insufficient;
use super::scoped::Series;
use super::{Call, admit, body, convert, ok};
use crate::admission::Class;
use crate::compute::POOL_FROM_BYTES;
use crate::keys::Scope;
use crate::registry::{self, Deleted, History};

/// Bytes that a point of a history takes while it waits and while it is replayed: itself, a label, a score.
const BYTES_A_POINT: usize = 16 + 1 + 2 + size_of::<detectors::Score>();

/// `POST /backtest/{series_id}`.
pub(super) async fn start(
    call: &Call<'_>,
    mut payload: Payload,
    series: &Series<'_>,
) -> Result<HttpResponse, Rejection> {
    let Call {
        request,
        state,
        caller,
        ..
    } = *call;
    api::query::read(request.query_string(), [])?;
    let registry = state.registry()?;
    let mut ticket = admit::admit(call, &mut payload, Class::Fit, || false).await?;
    let limit = state.max_body_bytes;
    let body = body::read_json(call, payload, limit, Some(&mut ticket)).await?;
    let may_set_alias = caller.has(Scope::Admin);
    let mut asked = if body.len() < POOL_FROM_BYTES {
        read(&body, may_set_alias)?
    } else {
        let read = state
            .compute
            .run(&mut ticket, move || read(&body, may_set_alias));
        read.await.map_err(convert::compute_rejection)??
    };
    // What the history takes belongs to the job from here on, until it has ended.
    if let (Some(memory), History::Points(points)) = (ticket.memory.take(), &asked.history) {
        memory.settle(points.values.len() * BYTES_A_POINT);
        asked.held = Some(Box::new(memory));
    }
    let job = registry
        .start_backtest(series.name(), series.id(), asked)
        .await;
    let job = job.map_err(|error| convert::rejection(&error))?;
    let mut reply = ok(&job);
    *reply.status_mut() = StatusCode::ACCEPTED;
    let location = format!("/backtests/{}", job.job_id);
    let location = header::HeaderValue::from_str(&location).expect("an id is visible ASCII");
    reply.headers_mut().insert(header::LOCATION, location);
    Ok(reply)
}

/// To set an alias needs the same scope wherever it is set.
fn read(body: &Bytes, may_set_alias: bool) -> Result<registry::BacktestRequest, Rejection> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let now_ms = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
    let asked = asked::backtest(decode::<BacktestRequest>(body)?, now_ms)?;
    if asked.set_alias.is_some() && !may_set_alias {
        return Err(insufficient(Scope::Admin, "`set_alias`"));
    }
    Ok(asked)
}

/// `GET /backtests`.
pub(super) async fn list(call: &Call<'_>) -> Result<HttpResponse, Rejection> {
    let names = ["series_id", "cursor", "limit"];
    let [series, cursor, limit] = api::query::read(call.request.query_string(), names)?;
    let series = match &series {
        Some(series) => Some(call.series(SeriesId::parse_at(series, "query")?)?),
        None => None,
    };
    if let Some(cursor) = &cursor {
        check_id(cursor, ["query", "cursor"], Code::InvalidQuery)?;
    }
    let limit = page_limit(limit.as_deref())?;
    let registry = call.state.registry()?;
    let name = series.as_ref().map(Series::name);
    let page = registry
        .list_backtests(call.tenant()?, name, cursor.as_deref(), limit)
        .await;
    let (backtests, has_more) = page.map_err(|error| in_callers_words(call, &error))?;
    let next_cursor = backtests.last().filter(|_| has_more);
    let next_cursor = next_cursor.map(|job| job.job_id.clone());
    Ok(ok(&BacktestsReply {
        backtests,
        next_cursor,
    }))
}

/// The entries of a page.
pub(super) fn page_limit(limit: Option<&str>) -> Result<usize, Rejection> {
    let (most, by_default) = SHORT_PAGE;
    let Some(limit) = limit else {
        return Ok(by_default);
    };
    let limit = limit
        .parse()
        .ok()
        .filter(|limit| (1..=most).contains(limit));
    limit.ok_or_else(|| {
        let loc = [Loc::from("query"), Loc::from("limit")];
        let reason = format!("expected a number from 1 to {most}");
        Rejection::one(Code::InvalidQuery, FieldError::new(loc, reason))
    })
}

/// `GET` and `DELETE` of one backtest.
pub(super) async fn job(call: &Call<'_>, id: &str) -> Result<HttpResponse, Rejection> {
    api::query::read(call.request.query_string(), [])?;
    check_id(id, ["path", "job_id"], Code::UnknownBacktest)?;
    let (registry, tenant) = (call.state.registry()?, call.tenant()?);
    if call.request.method() != Method::DELETE {
        let job = registry.backtest(tenant, id).await;
        return Ok(ok(&job.map_err(|error| in_callers_words(call, &error))?));
    }
    let deleted = registry.delete_backtest(tenant, id).await;
    match deleted.map_err(|error| in_callers_words(call, &error))? {
        Deleted::Removed => Ok(HttpResponse::new(StatusCode::NO_CONTENT)),
        Deleted::Cancelled(job) => {
            let mut reply = ok(&*job);
            *reply.status_mut() = StatusCode::ACCEPTED;
            Ok(reply)
        }
    }
}

/// `GET` of the report.
pub(super) async fn report(call: &Call<'_>, id: &str) -> Result<HttpResponse, Rejection> {
    api::query::read(call.request.query_string(), [])?;
    check_id(id, ["path", "job_id"], Code::UnknownBacktest)?;
    let registry = call.state.registry()?;
    let found = registry.backtest_report(call.tenant()?, id).await;
    let (job, charts) = found.map_err(|error| in_callers_words(call, &error))?;
    let (Some(charts), BacktestStatus::Succeeded) = (charts, job.status) else {
        return Err(no_report(&job));
    };
    let page = report::render(&job, &charts).into_string();
    // Nothing is loaded and nothing runs.
    let policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; \
                  frame-ancestors 'self'";
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((header::CONTENT_SECURITY_POLICY, policy))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(page))
}

fn no_report(job: &Backtest) -> Rejection {
    let status = job.status.as_str();
    let words = format!("the backtest {} is {status}, not succeeded", job.job_id);
    Rejection::new(Code::BacktestHasNoReport, words)
}

/// Refuses what no id can be, before anything is looked for.
fn check_id(id: &str, place: [&str; 2], code: Code) -> Result<(), Rejection> {
    // In the one form in which it is told: another would be another key.
    let is_id = uuid::Uuid::try_parse(id).is_ok_and(|uuid| uuid.to_string() == id);
    if is_id {
        return Ok(());
    }
    let error = FieldError::new(
        place.map(Loc::from),
        format!("{id:?} is no id of a backtest"),
    );
    Err(Rejection::one(code, error))
}

/// A job's path names no series: what the store says of one has the tenant in front.
fn in_callers_words(call: &Call<'_>, error: &registry::RegistryError) -> Rejection {
    let mut rejection = convert::rejection(error);
    if rejection.code == Code::StoredRecordDamaged {
        tracing::error!(reason = %rejection.detail, "a stored record is damaged");
    }
    if let Some(prefix) = call.tenant().ok().filter(|tenant| !tenant.is_empty()) {
        rejection.detail = rejection.detail.replace(&format!("{prefix}/"), "");
    }
    rejection
}
