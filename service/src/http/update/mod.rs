//! `POST /update/{series_id}`: score each point, then learn it; answered when it is durable.

mod columns;
mod lines;
#[cfg(test)]
mod tests;

use actix_web::HttpResponse;
use actix_web::web::Payload;
use api::update::{Start, UpdateQuery, UpdateReply};
use api::{Code, FieldError, Loc, Points, Rejection, Timestamp};
use detectors::envelope::digest_hex;
use detectors::online::Observed;

use super::body::{self, Media};
use super::predict::{self, Asked};
use super::scoped::Series;
use super::{Call, admit, bodies, compressed, convert, negotiate, ok};
use crate::admission::{Class, Ticket};
use crate::compute::POOL_FROM_BYTES;
use crate::registry::{Applied, Opened, Origin, Pending, Registry, Scored, Updating};
use crate::startup::State;

/// So many points are learnt on a thread that serves connections; more go to the compute pool.
const INLINE_POINTS: usize = 16;

/// Points of a request that are learnt at once: some milliseconds under the lock of their state, one
/// record of the store. Those of other requests may come between two pieces.
const PIECE_POINTS: usize = 1_024;

pub(super) async fn handle(
    call: &Call<'_>,
    mut payload: Payload,
    series: &Series<'_>,
) -> Result<HttpResponse, Rejection> {
    let Call { request, state, .. } = *call;
    let query = UpdateQuery::read(request.query_string())?;
    let is_lines = body::is_lines(request);
    let made = if is_lines {
        body::NDJSON
    } else {
        negotiate::JSON
    };
    negotiate::choose(request, &[made])?;
    let registry = state.registry()?;
    // A small update is learnt on this thread, unless others work on its state.
    let mut ticket = admit::admit(call, &mut payload, Class::Predict, || false).await?;
    let limit = state.max_body_bytes;
    let reads = [Media::Json, Media::Lines, Media::Csv];
    let (media, body) = body::read_of(call, payload, limit, &mut ticket, &reads).await?;
    if media == Media::Lines {
        if query.fields.is_some() {
            let reason = "`fields` chooses columns; the reply to lines has none";
            let error = FieldError::new([Loc::from("query"), Loc::from("fields")], reason);
            return Err(Rejection::one(Code::InvalidQuery, error));
        }
        return lines::handle(call, ticket, registry, series, query.start, body).await;
    }
    let asked = Asked {
        fields: query.fields,
        explain: false,
        csv: false,
    };
    // As in a predict: what is wrong with a body does not depend on what is stored.
    let points = if body.len() < POOL_FROM_BYTES {
        predict::read(media, &body, asked)?
    } else {
        let read = state
            .compute
            .run(&mut ticket, move || predict::read(media, &body, asked))
            .await;
        read.map_err(convert::compute_rejection)??
    };
    if matches!(&points, Points::Columns(_, values) if values.is_empty()) {
        let loc = [Loc::from("body"), Loc::from("timestamps")];
        let error = FieldError::new(loc, "there is no point");
        return Err(Rejection::one(Code::TooFewPoints, error));
    }
    let updating = open(state, &ticket, registry, series.name(), query.start).await?;
    match points {
        Points::One(timestamp, value) => one(state, &mut ticket, updating, timestamp, value).await,
        Points::Columns(timestamps, values) => {
            let columns = (timestamps, values);
            let reply = columns::answer(state, &mut ticket, updating, columns, asked).await?;
            compressed::ok(call, &mut ticket, negotiate::JSON, reply).await
        }
    }
}

async fn one(
    state: &State,
    ticket: &mut Ticket,
    updating: Updating,
    timestamp: Timestamp,
    value: f64,
) -> Result<HttpResponse, Rejection> {
    let per_second = updating.time_unit().ticks_per_second();
    let Points::One(timestamp, value) = Points::One(timestamp, value).in_ticks(per_second)? else {
        unreachable!("one point stays one point")
    };
    let (_, applied) = apply(state, ticket, updating, vec![(timestamp, value)]).await?;
    durable(ticket, applied.pending).await?;
    let hash = digest_hex(&applied.origin.digest);
    let scored = applied.scored.first().expect("a verdict a point");
    Ok(ok(&reply(
        applied.origin,
        &hash,
        (timestamp, value),
        scored,
    )))
}

/// The online state of `series`, started if need be.
async fn open(
    state: &State,
    ticket: &Ticket,
    registry: &Registry,
    series: &str,
    start: Start,
) -> Result<Updating, Rejection> {
    let request = bodies::start(start)?;
    let opened = registry.online().open(series, request).await;
    let job = match opened.map_err(|error| convert::start_rejection(&error))? {
        Opened::Ready(updating) => return Ok(updating),
        Opened::Start(job) => job,
    };
    let started = if job.is_light() {
        job.run()
    } else {
        let mut ticket = ticket.of_class(Class::Fit);
        let run = state.compute.run(&mut ticket, move || job.run()).await;
        run.map_err(convert::compute_rejection)?
    };
    started.map_err(|error| convert::start_rejection(&error))
}

/// Scores and learns points, here if they are few and nobody else works on the state.
async fn apply(
    state: &State,
    ticket: &mut Ticket,
    mut updating: Updating,
    points: Vec<(i64, f64)>,
) -> Result<(Updating, Applied), Rejection> {
    let at_once = (points.len() <= INLINE_POINTS).then(|| {
        let _work = ticket.work();
        updating.try_apply(&points)
    });
    let (updating, applied) = match at_once.flatten() {
        Some(applied) => (updating, applied),
        None => {
            let turn = updating.turn();
            let job = move || {
                let applied = updating.apply(&points);
                (updating, applied)
            };
            let run = state.compute.run_after(ticket, turn, job).await;
            run.map_err(convert::compute_rejection)?
        }
    };
    let applied = applied.map_err(|error| convert::start_rejection(&error))?;
    ticket.carry_through();
    Ok((updating, applied))
}

async fn durable(ticket: &Ticket, pending: Pending) -> Result<(), Rejection> {
    let _commit = ticket.part("commit");
    let durable = pending.durable().await;
    durable.map_err(|error| convert::rejection(&error))
}

fn reply<'a>(
    origin: Origin,
    hash: &'a str,
    (timestamp, value): (i64, f64),
    scored: &Scored,
) -> UpdateReply<'a> {
    let Observed {
        score,
        alert,
        learnt,
    } = scored.observed;
    UpdateReply {
        point: convert::point_reply(origin.version, hash, timestamp, value, &score),
        state_seq: scored.state_seq,
        learnt,
        alert,
    }
}
