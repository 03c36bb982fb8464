//! `POST /detect`: judges a whole series and keeps nothing of it.

use actix_web::HttpResponse;
use actix_web::web::Payload;
use api::{Calibration, Columns, DetectReply, Rejection, Warning};
use bytes::Bytes;
use detectors::whole::Scores;

use super::{Call, admit, bodies, body, columns, convert, ok_held};
use crate::admission::Class;
use crate::compute::PoolWorkers;
use crate::detection::Detection;

pub(super) async fn handle(
    call: &Call<'_>,
    mut payload: Payload,
) -> Result<HttpResponse, Rejection> {
    let Call { request, state, .. } = *call;
    let [fields] = api::query::read(request.query_string(), ["fields"])?;
    let fields = fields.map_or(Ok(Columns::ALL), |list| Columns::parse(&list))?;
    let mut ticket = admit::admit(call, &mut payload, Class::Fit, || true).await?;
    let limit = state.max_body_bytes;
    let body = body::read_json(call, payload, limit, Some(&mut ticket)).await?;
    // Every stretch is compared with every other one: never on a thread that serves connections.
    let reply = state
        .compute
        .run(&mut ticket, move || answer(&body, fields))
        .await;
    let reply = reply.map_err(convert::compute_rejection)??;
    Ok(ok_held(reply, &ticket))
}

fn answer(body: &Bytes, fields: Columns) -> Result<Bytes, Rejection> {
    let detection = bodies::detection(body)?;
    let scores = detection
        .run(&PoolWorkers)
        .map_err(|error| convert::detection_rejection(&error))?;
    Ok(reply(&detection, &scores, fields))
}

fn reply(detection: &Detection, scores: &Scores, fields: Columns) -> Bytes {
    let n = detection.values.len();
    let mut verdicts = columns::of_points(&detection.timestamps, &detection.values, fields);
    columns::make_room(&mut verdicts, n, fields);
    for score in &scores.points {
        columns::push_score(&mut verdicts, score);
    }
    let reply = DetectReply {
        alarm_rate: scores.alarm_rate,
        time_unit: scores.time_unit.as_str(),
        periods: &scores.periods,
        windows: &scores.windows,
        calibration: Calibration {
            n: scores.calibration.n,
            method: scores.calibration.method,
            min_attainable_alarm_rate: scores.calibration.min_attainable_alarm_rate,
        },
        warnings: scores
            .warnings
            .iter()
            .map(|w| Warning {
                code: w.code,
                detail: &w.detail,
            })
            .collect(),
        verdicts,
    };
    columns::written(&reply, n, fields)
}
