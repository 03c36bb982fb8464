//! `/series/{series_id}/feedback` and `/series/{series_id}/feedback/{feedback_id}`.

use std::time::{SystemTime, UNIX_EPOCH};

use actix_web::HttpResponse;
use actix_web::http::{Method, StatusCode};
use actix_web::web::Payload;
use api::feedback::{FeedbackRequest, FeedbacksReply};
use api::{Code, FieldError, Loc, Rejection, decode};

use super::backtest::page_limit;
use super::scoped::Series;
use super::{Call, body, convert, ok};

/// Such a body has a few short fields and a note.
const BODY_MAX_BYTES: usize = 8 * 1024;

/// `GET` and `POST`.
pub(super) async fn handle(
    call: &Call<'_>,
    payload: Payload,
    series: &Series<'_>,
) -> Result<HttpResponse, Rejection> {
    if call.request.method() == Method::POST {
        give(call, payload, series).await
    } else {
        list(call, series).await
    }
}

async fn give(
    call: &Call<'_>,
    payload: Payload,
    series: &Series<'_>,
) -> Result<HttpResponse, Rejection> {
    let Call { request, state, .. } = *call;
    api::query::read(request.query_string(), [])?;
    let registry = state.registry()?;
    let limit = BODY_MAX_BYTES.min(state.max_body_bytes);
    let body = body::read_json(call, payload, limit, None).await?;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let created_at = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    // Ids are in the order of time: that of two which is later counts.
    let id = uuid::Uuid::now_v7().to_string();
    let feedback = decode::<FeedbackRequest>(&body)?.check(id, created_at)?;
    let given = registry.give_feedback(series.name(), &feedback).await;
    given.map_err(|error| convert::rejection(&error))?;
    let mut reply = ok(&feedback);
    *reply.status_mut() = StatusCode::CREATED;
    Ok(reply)
}

async fn list(call: &Call<'_>, series: &Series<'_>) -> Result<HttpResponse, Rejection> {
    let query = call.request.query_string();
    let [cursor, limit] = api::query::read(query, ["cursor", "limit"])?;
    if let Some(cursor) = &cursor {
        check_id(cursor, ["query", "cursor"], Code::InvalidQuery)?;
    }
    let limit = page_limit(limit.as_deref())?;
    let registry = call.state.registry()?;
    let page = registry
        .list_feedback(series.name(), cursor.as_deref(), limit)
        .await;
    let (feedback, has_more) = page.map_err(|error| convert::rejection(&error))?;
    let next_cursor = feedback.last().filter(|_| has_more);
    let next_cursor = next_cursor.map(|feedback| feedback.feedback_id.clone());
    Ok(ok(&FeedbacksReply {
        series_id: series.id(),
        feedback,
        next_cursor,
    }))
}

/// `DELETE`.
pub(super) async fn take_back(
    call: &Call<'_>,
    series: &Series<'_>,
    id: &str,
) -> Result<HttpResponse, Rejection> {
    api::query::read(call.request.query_string(), [])?;
    check_id(id, ["path", "feedback_id"], Code::UnknownFeedback)?;
    let registry = call.state.registry()?;
    let taken = registry.take_back_feedback(series.name(), id).await;
    taken.map_err(|error| convert::rejection(&error))?;
    Ok(HttpResponse::new(StatusCode::NO_CONTENT))
}

/// Refuses what no id can be, before anything is looked for.
fn check_id(id: &str, place: [&str; 2], code: Code) -> Result<(), Rejection> {
    let is_id = uuid::Uuid::try_parse(id).is_ok_and(|uuid| uuid.to_string() == id);
    if is_id {
        return Ok(());
    }
    let error = FieldError::new(place.map(Loc::from), format!("{id:?} is no id of feedback"));
    Err(Rejection::one(code, error))
}
