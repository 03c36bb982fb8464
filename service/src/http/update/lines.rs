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
use api::{Code, FieldError, Loc, Problem, Rejection};
use bytes::Bytes;
use detectors::envelope::digest_hex;
use futures_core::Stream;
use serde::Serialize;
use tokio::sync::mpsc;

use super::super::body::NDJSON;
use super::super::scoped::Series;
use super::super::{Call, convert};
use super::{INLINE_POINTS, PIECE_POINTS, apply, durable, open, reply};
use crate::admission::Ticket;
use crate::connection::Working;
use crate::registry::{Origin, Registry, Scored, Updating};
use crate::startup::State;

/// Bytes of a line of the reply, as it usually is.
const LINE_BYTES: usize = 448;
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
        read: 0,
        is_within_long: false,
        n_lines: 0,
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

/// A line as it was read: a point, or what is wrong with it.
type Line = Result<(i64, f64), Rejection>;

/// What a step through the body has found.
enum Step {
    /// A line, without the space around it.
    Line(Bytes),
    /// The begin of a line that is too long.
    TooLong,
    /// More of that line.
    Rest,
}

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
    body: Bytes,
    /// Bytes of `body` that were read.
    read: usize,
    /// Whether the line that is read next is the rest of one that was too long.
    is_within_long: bool,
    n_lines: usize,
}

impl Job {
    /// The answers to the next lines, once they are durable; `None` after the last line.
    async fn next_piece(&mut self) -> Option<Bytes> {
        let lines = self.next_lines().await;
        if lines.is_empty() {
            return None;
        }
        let points: Vec<(i64, f64)> = lines.iter().flatten().copied().collect();
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
        let mut yielded_at = self.read;
        while lines.len() < PIECE_POINTS {
            let Some(step) = self.step() else { break };
            let line = match step {
                Step::Line(line) if line.is_empty() => None,
                Step::Line(line) => Some(point(self.n_lines, &line, self.ticks_per_second)),
                Step::TooLong => Some(Err(too_long(self.n_lines))),
                Step::Rest => None,
            };
            self.n_lines += usize::from(line.is_some());
            lines.extend(line);
            if self.read - yielded_at >= LINE_MAX_BYTES {
                yielded_at = self.read;
                tokio::task::yield_now().await;
            }
        }
        lines
    }

    /// Reads on, by the longest line at most: a long line is passed over in steps of that.
    fn step(&mut self) -> Option<Step> {
        let rest = self.body.slice(self.read..);
        if rest.is_empty() {
            return None;
        }
        let window = &rest[..rest.len().min(LINE_MAX_BYTES + 1)];
        let end = window.iter().position(|byte| *byte == b'\n');
        self.read += end.map_or(window.len(), |end| end + 1);
        let goes_on = end.is_none() && window.len() > LINE_MAX_BYTES;
        if std::mem::replace(&mut self.is_within_long, goes_on) {
            return Some(Step::Rest);
        }
        if goes_on {
            return Some(Step::TooLong);
        }
        let line = rest.slice(..end.unwrap_or(window.len()));
        // White space of JSON: a form feed is none.
        let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r');
        let from = line
            .iter()
            .position(|byte| !is_space(byte))
            .unwrap_or(line.len());
        let to = line
            .iter()
            .rposition(|byte| !is_space(byte))
            .map_or(from, |at| at + 1);
        Some(Step::Line(line.slice(from..to)))
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
        let mut written = Vec::with_capacity(lines.len() * LINE_BYTES);
        let hash = match verdicts {
            Some(Ok((_, origin))) => digest_hex(&origin.digest),
            _ => String::new(),
        };
        let mut scored = match verdicts {
            Some(Ok((scored, _))) => scored.iter(),
            _ => [].iter(),
        };
        for some in lines.chunks(INLINE_POINTS) {
            for line in some {
                match (line, verdicts) {
                    (Ok(point), Some(Ok((_, origin)))) => {
                        let scored = scored.next().expect("a verdict a point");
                        put(&mut written, &reply(*origin, &hash, *point, scored));
                    }
                    (Err(rejection), _) | (Ok(_), Some(Err(rejection))) => {
                        put(&mut written, &self.problem(rejection));
                    }
                    (Ok(_), None) => unreachable!("points are learnt"),
                }
            }
            tokio::task::yield_now().await;
        }
        Bytes::from(written)
    }

    fn problem<'a>(&'a self, rejection: &'a Rejection) -> Problem<'a> {
        let Rejection {
            code,
            detail,
            errors,
        } = rejection;
        Problem::new(*code, detail, errors, &self.request_id)
    }
}

/// Reads one line.
fn point(index: usize, line: &[u8], ticks_per_second: i64) -> Line {
    let (time, value) = read_line(index, line)?;
    let ticks = time.ticks(ticks_per_second).ok_or_else(|| {
        let loc = [Loc::from("body"), Loc::from(index), Loc::from("timestamp")];
        let reason = "past the last time that the model's time_unit can tell";
        Rejection::one(Code::TimestampInvalid, FieldError::new(loc, reason))
    })?;
    Ok((ticks, value))
}

fn too_long(index: usize) -> Rejection {
    let reason = format!("the line is longer than {LINE_MAX_BYTES} bytes");
    let error = FieldError::new([Loc::from("body"), Loc::from(index)], reason);
    Rejection::one(Code::MalformedJson, error)
}

fn put(written: &mut Vec<u8>, reply: &impl Serialize) {
    serde_json::to_writer(&mut *written, reply)
        .expect("a reply of text and finite numbers serialises");
    written.push(b'\n');
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
