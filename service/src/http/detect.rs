//! `POST /detect`: judges a whole series and keeps nothing of it.

use actix_web::HttpResponse;
use actix_web::web::Payload;
use api::{Calibration, Columns, DetectReply, Rejection, Warning};
use bytes::Bytes;
use detectors::whole::Scores;

use super::body::Media;
use super::{Call, admit, bodies, body, columns, compressed, convert, csv_reply, negotiate};
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
    let media_type = negotiate::choose(request, &[negotiate::JSON, negotiate::CSV])?;
    let is_csv = media_type == negotiate::CSV;
    let mut ticket = admit::admit(call, &mut payload, Class::Fit, || true).await?;
    let limit = state.max_body_bytes;
    let reads = [Media::Json, Media::Csv];
    let (media, body) = body::read_of(call, payload, limit, &mut ticket, &reads).await?;
    // Every stretch is compared with every other one: never on a thread that serves connections.
    let reply = state
        .compute
        .run(&mut ticket, move || {
            let answer = answer(media, &body, fields, is_csv);
            answer.map_err(|rejection| media.placed(&body, rejection))
        })
        .await;
    let reply = reply.map_err(convert::compute_rejection)??;
    compressed::ok(call, &mut ticket, media_type, reply).await
}

fn answer(media: Media, body: &Bytes, fields: Columns, is_csv: bool) -> Result<Bytes, Rejection> {
    let detection = match media {
        Media::Csv => bodies::detection_csv(body)?,
        Media::Json | Media::Lines => bodies::detection(body)?,
    };
    let scores = detection
        .run(&PoolWorkers)
        .map_err(|error| convert::detection_rejection(&error))?;
    Ok(reply(&detection, &scores, fields, is_csv))
}

fn reply(detection: &Detection, scores: &Scores, fields: Columns, is_csv: bool) -> Bytes {
    let n = detection.values.len();
    let mut verdicts = columns::of_points(&detection.timestamps, &detection.values, fields);
    columns::make_room(&mut verdicts, n, fields);
    for score in &scores.points {
        columns::push_score(&mut verdicts, score);
    }
    if is_csv {
        return csv_reply::written(&verdicts);
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
