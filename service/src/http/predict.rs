//! `POST /predict/{series_id}?version=`.

use std::sync::Arc;

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use api::{Columns, Points, PredictRequest, Rejection, SeriesId, VersionSelector, decode};
use bytes::Bytes;
use detectors::envelope::digest_hex;

use super::stamp::Received;
use super::{body, columns, convert, json};
use crate::compute::POOL_FROM_BYTES;
use crate::registry::ServedModel;
use crate::startup::State;

pub(super) async fn handle(
    request: &HttpRequest,
    payload: Payload,
    state: &Data<State>,
    id: &str,
) -> Result<HttpResponse, Rejection> {
    let series = SeriesId::parse(id)?;
    let [version, fields] = api::query::read(request.query_string(), ["version", "fields"])?;
    let selector = version.map_or(Ok(VersionSelector::Latest), |text| {
        VersionSelector::parse(&text)
    })?;
    let fields = fields.map_or(Ok(Columns::ALL), |list| Columns::parse(&list))?;
    let registry = state.registry()?;
    let body = body::read_json(request, payload, state.max_body_bytes).await?;
    // The body is checked before the series is looked up: what is wrong with a request does not
    // depend on what is stored.
    let reply = if body.len() < POOL_FROM_BYTES {
        let points = read(&body)?;
        let model = match registry.resident(series.as_str(), selector) {
            Some(model) => model,
            None => find(state, series, selector).await?,
        };
        answer(&model, &points, fields)
    } else {
        let points = state
            .compute
            .run(move || read(&body))
            .await
            .map_err(convert::compute_rejection)??;
        let model = find(state, series, selector).await?;
        let bytes = state
            .compute
            .run(move || answer(&model, &points, fields))
            .await
            .map_err(convert::compute_rejection)?;
        bytes
    };
    state
        .metrics
        .inference
        .record(Received::of(request).at.elapsed());
    Ok(HttpResponse::Ok()
        .content_type("application/json")
        .body(reply))
}

async fn find(
    state: &Data<State>,
    series: SeriesId<'_>,
    selector: VersionSelector,
) -> Result<Arc<ServedModel>, Rejection> {
    state
        .registry()?
        .model(series.as_str(), selector)
        .await
        .map_err(|error| convert::rejection(&error))
}

fn read(body: &Bytes) -> Result<Points, Rejection> {
    decode::<PredictRequest>(body)?.into_points()
}

fn answer(model: &ServedModel, points: &Points, fields: Columns) -> Bytes {
    let hash = digest_hex(&model.digest);
    match points {
        Points::One(timestamp, value) => {
            let score = model.fitted.score(*timestamp, *value);
            json(&convert::point_reply(
                model, &hash, *timestamp, *value, &score,
            ))
        }
        Points::Columns(timestamps, values) => {
            columns::reply(model, &hash, timestamps, values, fields)
        }
    }
}
