//! `GET /metrics`.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::Data;
use api::{Code, Rejection};

use super::Call;
use crate::metrics::export::{self, Format};

/// Tells all metrics, one reader at a time, on a thread on which it holds nobody up.
pub(super) async fn handle(call: &Call<'_>) -> Result<HttpResponse, Rejection> {
    let accept = call.request.headers().get(header::ACCEPT);
    let accept = accept.and_then(|value| value.to_str().ok());
    let format = Format::accepted(accept.unwrap_or_default());
    let turn = call.state.metrics.telling.lock().await;
    let state = Arc::clone(&Data::clone(call.state).into_inner());
    let told = tokio::task::spawn_blocking(move || export::text(state, format)).await;
    drop(turn);
    let text = told.map_err(|_| Rejection::new(Code::Internal, "the metrics cannot be told"))?;
    let mut reply = HttpResponse::Ok();
    reply.content_type(format.content_type());
    // Which of the two it is depends on the field.
    reply.insert_header((header::VARY, "Accept"));
    Ok(reply.body(text))
}
