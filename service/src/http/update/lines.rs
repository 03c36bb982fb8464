//! Lines of JSON, answered line by line: a verdict, or what is wrong with that line.
//!
//! A few lines are answered at once. More are answered as they become durable, a piece of them at a
//! time, so that neither the reply nor the client's wait grows with the request.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::HttpResponse;
use actix_web::web::Data;
use api::update::{Start, lines, read_line};
use api::{Code, FieldError, Loc, Problem, Rejection, SeriesId, Timestamp};
use bytes::Bytes;
use detectors::envelope::digest_hex;
use futures_core::Stream;
use tokio::sync::mpsc;

use super::super::body::NDJSON;
use super::super::{Call, convert};
use super::{INLINE_POINTS, PIECE_POINTS, apply, durable, open, reply};
use crate::registry::{Origin, Registry, Scored, Updating};
use crate::startup::State;

/// Bytes of a line of the reply, as it usually is.
const LINE_BYTES: usize = 448;
/// Pieces that wait for a client that reads slowly.
const PIECES_AHEAD: usize = 1;

pub(super) async fn handle(
    call: &Call<'_>,
    registry: &Registry,
    series: SeriesId<'_>,
    start: Start,
    body: Bytes,
) -> Result<HttpResponse, Rejection> {
    let state = call.state;
    let updating = open(state, registry, series, start).await?;
    let mut reply = HttpResponse::Ok();
    reply.content_type(NDJSON);
    let mut job = Job {
        state: Data::clone(state),
        request_id: call.received.id().to_owned(),
        updating: Some(updating),
        body,
        read: 0,
        n_lines: 0,
    };
    // A short body has few lines; a line has at least `{"timestamp":1,"value":1}`.
    if job.body.len() < INLINE_POINTS * 25 {
        let piece = job.next_piece().await.unwrap_or_default();
        return Ok(reply.body(piece));
    }
    let (sender, receiver) = mpsc::channel(PIECES_AHEAD);
    actix_web::rt::spawn(async move {
        let state = Data::clone(&job.state);
        let _in_flight = state.enter();
        while let Some(piece) = job.next_piece().await {
            if sender.send(piece).await.is_err() {
                // The client is gone. What it had learnt stays learnt.
                break;
            }
        }
    });
    Ok(reply.streaming(Pieces(receiver)))
}

/// A line as it was read: a point, or what is wrong with it.
type Line = Result<(i64, f64), Rejection>;

/// A body that is answered piece by piece.
struct Job {
    state: Data<State>,
    request_id: String,
    /// Gone once a piece was refused: no later line is learnt, or points would be left out.
    updating: Result<Updating, Rejection>,
    ticks_per_second: i64,
    body: Bytes,
    /// Bytes of `body` that were read.
    read: usize,
    n_lines: usize,
}

impl Job {
    /// The answers to the next lines, durable; `None` after the last one.
    async fn next_piece(&mut self) -> Option<Bytes> {
        let lines = self.read_lines().await;
        if lines.is_empty() {
            return None;
        }
        let points: Vec<(i64, f64)> = lines.iter().flatten().copied().collect();
        let scored = self.learn(points).await;
        let request_id = self.request_id.clone();
        let is_small = lines.len() <= INLINE_POINTS;
        let write = move || write(&lines, &scored, &request_id);
        Some(if is_small {
            write()
        } else {
            match self.state.compute.run(write).await {
                Ok(written) => written,
                Err(error) => {
                    // Learnt and not told: whoever sends the lines again is told that they are late.
                    self.updating = Err(convert::compute_rejection(error));
                    return None;
                }
            }
        })
    }
}
