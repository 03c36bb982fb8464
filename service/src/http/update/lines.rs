//! Lines of JSON, answered line by line: a verdict, or what is wrong with that line.
//!
//! A few lines are answered at once. More are answered as they become durable, a piece of them at a
//! time, so that neither the reply nor the client's wait grows with the request.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::HttpResponse;
use actix_web::web::Data;
use api::update::{Start, read_line};
use api::{Code, Rejection};
use bytes::Bytes;
use detectors::envelope::digest_hex;
use futures_core::Stream;
use tokio::sync::mpsc;

use super::super::body::NDJSON;
use super::super::scoped::Series;
use super::super::stream::lines::{Batch, Place, Splitter};
use super::super::stream::{self, problem_line, put};
use super::super::{Call, convert};
use super::{INLINE_POINTS, PIECE_POINTS, apply, durable, open, reply};
use crate::admission::Ticket;
use crate::connection::Working;
use crate::registry::{Origin, Registry, Scored, Updating};
use crate::startup::State;

/// Pieces that wait for a client that reads slowly.
const PIECES_AHEAD: usize = 1;
/// A body up to here is answered at once: a line has at least `{"timestamp":1,"value":1}`.
const SMALL_BYTES: usize = INLINE_POINTS * 24;
/// A longer line is no point.
const LINE_MAX_BYTES: usize = 2 * 1024;

pub(super) async fn handle(
    call: &Call<'_>,
    mut ticket: Ticket,
    registry: &Registry,
    series: &Series<'_>,
    start: Start,
    body: Bytes,
) -> Result<HttpResponse, Rejection> {
    let updating = open(call.state, &ticket, registry, series.name(), start).await?;
    let is_small = body.len() <= SMALL_BYTES;
    if !is_small {
        // The place in the queue before the head of the reply, which says 200: refused is the whole or nothing.
        let turn = call.state.compute.run(&mut ticket, || ()).await;
        turn.map_err(convert::compute_rejection)?;
    }
    let mut job = Job {
        state: Data::clone(call.state),
        ticket,
        series: series.clone().into_owned(),
        request_id: call.received.id().to_owned(),
        ticks_per_second: updating.time_unit().ticks_per_second(),
        updating: Ok(updating),
        body,
        splitter: Splitter::new(LINE_MAX_BYTES),
        place: Place::default(),
    };
    let mut reply = HttpResponse::Ok();
    reply.content_type(NDJSON);
    if is_small {
        let piece = job.next_piece().await.unwrap_or_default();
        return Ok(reply.body(piece));
    }
    let (sender, receiver) = mpsc::channel(PIECES_AHEAD);
    // Counted before this request is counted out: a shutdown that waits for it misses no line.
    let in_flight = State::enter_shared(call.state);
    actix_web::rt::spawn(async move {
        let _in_flight = in_flight;
        while let Some(piece) = job.next_piece().await {
            if sender.send(piece).await.is_err() {
                // The client is gone. What was learnt stays learnt.
                break;
            }
        }
    });
    let working = Working::on(call.request);
    Ok(reply.streaming(Pieces(receiver, working)))
}

/// A line as it was read: its number, and a point or what is wrong with it.
type Line = (u64, Result<(i64, f64), Rejection>);

/// The verdicts on the points of a piece, in order, and what their state was started from.
type Verdicts = (Vec<Scored>, Origin);

/// A body that is answered piece by piece.
struct Job {
    state: Data<State>,
    ticket: Ticket,
    series: Series<'static>,
    request_id: String,
    /// An error once a piece was refused: no later line is learnt, or points would be left out.
    updating: Result<Updating, Rejection>,
    ticks_per_second: i64,
    /// What is not read yet.
    body: Bytes,
    splitter: Splitter,
    place: Place,
}

impl Job {
    /// The answers to the next lines, once they are durable; `None` after the last line.
    async fn next_piece(&mut self) -> Option<Bytes> {
        let lines = self.next_lines().await;
        if lines.is_empty() {
            return None;
        }
        let points: Vec<(i64, f64)> = lines
            .iter()
            .filter_map(|(_, point)| point.as_ref().ok())
            .copied()
            .collect();
        let verdicts = if points.is_empty() {
            None
        } else {
            Some(self.learn(points).await)
        };
        Some(self.write(&lines, verdicts.as_ref()).await)
    }

    /// Reads as many lines as make a piece. A few at a time: other connections of this thread have
    /// their turn between them.
    async fn next_lines(&mut self) -> Vec<Line> {
        let mut lines = Vec::new();
        while lines.len() < PIECE_POINTS {
            let mut batch = Batch::default();
            let window = self.body.len().min(LINE_MAX_BYTES);
            if window > 0 {
                let window = self.body.split_to(window);
                self.splitter.push(window, usize::MAX, &mut batch);
            } else {
                self.splitter.finish(&mut batch);
            }
            let per_second = self.ticks_per_second;
            lines.extend(batch.lines(&mut self.place).map(|line| {
                let point = point(line.place.index, line.text, per_second);
                (line.place.number, point)
            }));
            if window == 0 {
                break;
            }
            tokio::task::yield_now().await;
        }
        lines
    }

    /// Learns the points of a piece, and waits until they are durable.
    async fn learn(&mut self, points: Vec<(i64, f64)>) -> Result<Verdicts, Rejection> {
        // What an error leaves behind: whoever was not told of a point may send it again.
        let lost = Rejection::new(Code::Internal, "the request was given up");
        let updating = std::mem::replace(&mut self.updating, Err(lost))?;
        let learnt = match apply(&self.state, &mut self.ticket, updating, points).await {
            Ok((updating, applied)) => {
                let (scored, origin) = (applied.scored, applied.origin);
                let durable = durable(&self.ticket, applied.pending).await;
                durable.map(|()| (updating, (scored, origin)))
            }
            Err(rejection) => Err(rejection),
        };
        match learnt {
            Ok((updating, verdicts)) => {
                self.updating = Ok(updating);
                Ok(verdicts)
            }
            Err(rejection) => {
                let rejection = self.series.in_callers_words(rejection);
                self.updating = Err(rejection.clone());
                Err(rejection)
            }
        }
    }

    /// Writes the answers, a few at a time as they were read.
    async fn write(&self, lines: &[Line], verdicts: Option<&Result<Verdicts, Rejection>>) -> Bytes {
        let mut written = Vec::with_capacity(lines.len() * stream::LINE_BYTES);
        let hash = match verdicts {
            Some(Ok((_, origin))) => digest_hex(&origin.digest),
            _ => String::new(),
        };
        let mut scored = match verdicts {
            Some(Ok((scored, _))) => scored.iter(),
            _ => [].iter(),
        };
        for some in lines.chunks(INLINE_POINTS) {
            for (number, point) in some {
                match (point, verdicts) {
                    (Ok(point), Some(Ok((_, origin)))) => {
                        let scored = scored.next().expect("a verdict a point");
                        put(&mut written, &reply(*origin, &hash, *point, scored));
                    }
                    (Err(rejection), _) | (Ok(_), Some(Err(rejection))) => {
                        written.extend(problem_line(rejection, &self.request_id, None, *number));
                    }
                    (Ok(_), None) => unreachable!("points are learnt"),
                }
            }
            tokio::task::yield_now().await;
        }
        Bytes::from(written)
    }
}

/// Reads one line.
fn point(
    index: usize,
    text: Option<&[u8]>,
    ticks_per_second: i64,
) -> Result<(i64, f64), Rejection> {
    let text = text.ok_or_else(|| stream::too_long(index, LINE_MAX_BYTES))?;
    let (time, value) = read_line(index, text)?;
    Ok((stream::ticks(index, time, ticks_per_second)?, value))
}

/// The pieces of a reply as they become ready.
struct Pieces(
    mpsc::Receiver<Bytes>,
    #[expect(
        dead_code,
        reason = "it is held: the client waits for us between two pieces"
    )]
    Option<Working>,
);

impl Stream for Pieces {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx).map(|piece| piece.map(Ok))
    }
}
