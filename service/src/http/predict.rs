//! `POST /predict/{series_id}?version=`.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::web::Payload;
use api::{
    Code, Columns, FieldError, Loc, Points, PredictRequest, Rejection, SeriesId, VersionSelector,
    decode,
};
use bytes::Bytes;
use detectors::envelope::digest_hex;

use super::{Call, body, columns, convert, json, ok_bytes};
use crate::compute::POOL_FROM_BYTES;
use crate::registry::{Registry, ServedModel};

pub(super) async fn handle(
    call: &Call<'_>,
    payload: Payload,
    id: &str,
) -> Result<HttpResponse, Rejection> {
    let Call {
        request,
        state,
        received,
    } = *call;
    let series = SeriesId::parse(id)?;
    let [version, fields] = api::query::read(request.query_string(), ["version", "fields"])?;
    let selector = version.map_or(Ok(VersionSelector::Latest), |text| {
        VersionSelector::parse(&text)
    })?;
    let fields = fields.map(|list| Columns::parse(&list)).transpose()?;
    let registry = state.registry()?;
    let body = body::read_json(request, payload, state.max_body_bytes).await?;
    // The body is checked before the series is looked up: what is wrong with a request does not
    // depend on what is stored.
    let reply = if body.len() < POOL_FROM_BYTES {
        let points = read(&body, fields)?;
        let model = match registry.resident(series.as_str(), selector) {
            Some(model) => model,
            None => find(registry, series, selector).await?,
        };
        answer(&model, &points, fields)
    } else {
        let read = state.compute.run(move || read(&body, fields)).await;
        let points = read.map_err(convert::compute_rejection)??;
        let model = find(registry, series, selector).await?;
        let answer = state
            .compute
            .run(move || answer(&model, &points, fields))
            .await;
        answer.map_err(convert::compute_rejection)?
    };
    state.metrics.inference.record(received.elapsed());
    Ok(ok_bytes(reply))
}

async fn find(
    registry: &Registry,
    series: SeriesId<'_>,
    selector: VersionSelector,
) -> Result<Arc<ServedModel>, Rejection> {
    let model = registry.model(series.as_str(), selector).await;
    model.map_err(|error| convert::rejection(&error))
}

fn read(body: &Bytes, fields: Option<Columns>) -> Result<Points, Rejection> {
    let points = decode::<PredictRequest>(body)?.into_points()?;
    if fields.is_some() && matches!(points, Points::One(..)) {
        let reason = "`fields` chooses columns; the reply to a single point has none";
        let error = FieldError::new([Loc::from("query"), Loc::from("fields")], reason);
        return Err(Rejection::one(Code::InvalidQuery, error));
    }
    Ok(points)
}

fn answer(model: &ServedModel, points: &Points, fields: Option<Columns>) -> Bytes {
    let hash = digest_hex(&model.digest);
    match points {
        Points::One(timestamp, value) => {
            let score = model.fitted.score(*timestamp, *value);
            json(&convert::point_reply(
                model, &hash, *timestamp, *value, &score,
            ))
        }
        Points::Columns(timestamps, values) => columns::reply(
            model,
            &hash,
            timestamps,
            values,
            fields.unwrap_or(Columns::ALL),
        ),
    }
}
