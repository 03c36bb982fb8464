//! Lines that are answered as they come: `POST /predict/{series_id}` of NDJSON, and `POST /predict` of many series.
//!
//! The body of the reply reads the body of the request. Nothing runs unless the framework asks it for more of the
//! reply, which it does when the client has taken what there was: who does not read is not read either, and who hangs
//! up ends it. What is answered at once is a batch, in memory and in time, however long the lines go on.

mod incoming;
pub(in crate::http) mod lines;
mod many;
mod one;

use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::HttpResponse;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use actix_web::web::{Data, Payload};
use api::lines::LineProblem;
use api::{Code, Problem, Rejection};
use bytes::Bytes;
use futures_util::stream;
use serde::Serialize;

use self::incoming::{Came, Incoming};
use self::lines::{Batch, Place};
use super::authenticate;
use super::body::{ALSO_NDJSON, NDJSON};
use super::coding::Coding;
use super::compressed::{self, Encoder};
use super::held::PIECE_BYTES;
use super::router::Resource;
use super::{Call, admit, convert, negotiate};
use crate::admission::Ticket;
use crate::connection::Working;
use crate::startup::{InFlight, State};

pub(super) use many::handle as many;
pub(super) use one::{answers, handle as one, ticks};

/// The names of the media type of the reply; it has the one that the client likes best.
const NAMES: [&str; 3] = [NDJSON, ALSO_NDJSON[0], ALSO_NDJSON[1]];
/// Lines that are answered on the thread of their connection.
const INLINE_LINES: usize = 16;
/// Bytes of a line of the reply, as it usually is.
pub(super) const LINE_BYTES: usize = 448;

/// Why a reply ends before its last line. The framework closes the connection then.
#[derive(Debug, thiserror::Error)]
#[error("the reply was cut off")]
struct Cut;

/// A stream of lines that was taken on.
struct Exchange {
    state: Data<State>,
    /// For who asks: a key that is revoked is of no use for the rest, either.
    request: HttpRequest,
    request_id: Arc<str>,
    incoming: Option<Incoming>,
    /// What came before the head of the reply.
    first: Option<Came>,
    ticket: Ticket,
    place: Place,
    answering: Answering,
    /// What compresses the reply, if the client would like it so.
    encoder: Option<Box<Encoder>>,
    /// What is written and not sent yet.
    written: Bytes,
    /// Whether `written` is the last there is, because something went wrong.
    is_cut: bool,
    working: Option<Working>,
    _in_flight: InFlight<Arc<State>>,
}

/// What answers the lines.
enum Answering {
    One(Arc<one::Series>),
    Many(many::Caller),
}

impl Answering {
    /// Lines that are answered at once; each of many series has its model in memory until it is.
    const fn batch_lines(&self) -> usize {
        match self {
            Self::One(_) => one::BATCH_LINES,
            Self::Many(_) => 128,
        }
    }
}

/// Takes on lines, which have no length: refused is the whole or nothing.
async fn admitted(call: &Call<'_>, payload: &mut Payload) -> Result<Ticket, Rejection> {
    // One batch is worked on while the next one comes.
    let coding = Coding::of(call.request)?;
    let mut held = 2 * incoming::BATCH_BYTES + coding.map_or(0, Coding::held_bytes);
    if Encoder::asked(call.request).is_some() {
        held += Encoder::held_bytes();
    }
    let mut ticket = admit::admit_lines(call, payload, incoming::BATCH_BYTES, held).await?;
    // The place in the queue before the head of the reply, which says 200.
    let turn = call.state.compute.run(&mut ticket, || ()).await;
    turn.map_err(convert::compute_rejection)?;
    // From here on somebody is served. A span for each batch would be a trace without end.
    ticket.deadline = None;
    ticket.span = None;
    Ok(ticket)
}

/// The reply, which is made as it is sent.
///
/// Who says how long the body is has it, so that its first lines come before the head: the connection can be kept if
/// they are all. Who does not may wait for the head before the first line is sent.
async fn reply(
    call: &Call<'_>,
    payload: Payload,
    ticket: Ticket,
    answering: Answering,
) -> Result<HttpResponse, Rejection> {
    let coding = Coding::of(call.request)?;
    let media_type = negotiate::choose(call.request, &NAMES)?;
    let mut incoming = Incoming::new(payload, coding, answering.batch_lines());
    let has_length = call.request.headers().contains_key(CONTENT_LENGTH);
    let first = match has_length {
        false => None,
        true => match incoming.next().await {
            Came::Broken(rejection) => return Err(rejection),
            first => Some(first),
        },
    };
    let exchange = Exchange {
        state: Data::clone(call.state),
        request: call.request.clone(),
        request_id: call.received.id().into(),
        incoming: Some(incoming),
        first,
        ticket,
        place: Place::default(),
        answering,
        encoder: Encoder::asked(call.request).map(Box::new),
        written: Bytes::new(),
        is_cut: false,
        working: Working::on(call.request),
        // Counted before this request is counted out: a shutdown that waits for it misses no line.
        _in_flight: State::enter_shared(call.state),
    };
    let coding = exchange.encoder.as_deref().map(Encoder::name);
    let pieces = stream::unfold(exchange, async |mut exchange| {
        let piece = exchange.next_piece().await?;
        Some((piece, exchange))
    });
    let mut reply = HttpResponse::Ok();
    reply.content_type(media_type);
    let mut reply = reply.streaming(pieces);
    if let Some(coding) = coding {
        let headers = reply.headers_mut();
        headers.insert(CONTENT_ENCODING, coding);
    }
    compressed::vary(&mut reply);
    Ok(reply)
}

impl Exchange {
    /// The next bytes of the reply, which are never none.
    async fn next_piece(&mut self) -> Option<Result<Bytes, Cut>> {
        while self.written.is_empty() {
            if self.is_cut {
                return Some(Err(self.hang_up().await));
            }
            let incoming = self.incoming.as_mut()?;
            let came = match self.first.take() {
                Some(first) => first,
                None => incoming.next().await,
            };
            let answered = match came {
                Came::Lines(batch) => self.answer(batch).await,
                Came::End => {
                    self.incoming = None;
                    Ok(Bytes::new())
                }
                Came::Broken(rejection) => Err(rejection),
            };
            let written = match answered {
                Ok(written) => written,
                Err(rejection) => {
                    self.is_cut = true;
                    let line = self.place.number;
                    problem_line(&rejection, &self.request_id, None, line).into()
                }
            };
            self.written = self.compressed(written).await;
        }
        let piece = self.written.len().min(PIECE_BYTES);
        Some(Ok(self.written.split_to(piece)))
    }

    /// What was written, as the client would like it; after the last, the end.
    async fn compressed(&mut self, written: Bytes) -> Bytes {
        let Some(mut encoder) = self.encoder.take() else {
            return written;
        };
        if self.incoming.is_none() {
            return encoder.end();
        }
        if written.is_empty() {
            self.encoder = Some(encoder);
            return written;
        }
        let is_light = written.len() <= INLINE_LINES * LINE_BYTES;
        let job = move || (encoder.piece(&written), encoder);
        match self.run(is_light, job).await {
            Ok((piece, encoder)) => {
                self.encoder = Some(encoder);
                piece
            }
            Err(_) => {
                self.is_cut = true;
                Bytes::new()
            }
        }
    }

    async fn answer(&mut self, batch: Batch) -> Result<Bytes, Rejection> {
        self.check_caller()?;
        self.ticket.body_bytes = batch.bytes();
        match &self.answering {
            Answering::One(series) => {
                let series = Arc::clone(series);
                let (place, id) = (self.place, Arc::clone(&self.request_id));
                let is_light = series.is_light(&batch);
                let job = move || series.answer(&batch, place, &id);
                let (written, place) = self.run(is_light, job).await?;
                self.place = place;
                Ok(written)
            }
            Answering::Many(caller) => {
                let (state, id) = (&self.state, &*self.request_id);
                let work = caller.look_up(state, &batch, &mut self.place).await;
                let (is_light, id) = (work.is_light(), Arc::<str>::from(id));
                let state = Data::clone(state);
                self.run(is_light, move || work.answer(&state, &id)).await
            }
        }
    }

    /// Runs `job` here or on the pool, where other tenants have their turns between two batches.
    async fn run<T: Send + 'static>(
        &mut self,
        is_light: bool,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Rejection> {
        if is_light {
            return Ok(job());
        }
        let run = self.state.compute.run(&mut self.ticket, job).await;
        run.map_err(convert::compute_rejection)
    }

    /// Whether who asked may still.
    fn check_caller(&self) -> Result<(), Rejection> {
        if !self.state.keys.is_on() {
            return Ok(());
        }
        let resource = Resource::at(self.request.uri().path());
        authenticate::caller_of(&self.state, &self.request, resource).map(|_| ())
    }

    /// Ends the connection after what was sent, without the end of the reply: nobody takes it for whole.
    async fn hang_up(&mut self) -> Cut {
        self.incoming = None;
        if let Some(working) = self.working.take() {
            working.hang_up();
            drop(working);
            std::future::pending::<()>().await;
        }
        Cut
    }
}

/// What is wrong with the line of this number, counted from 0, as a line.
pub(super) fn problem_line(
    rejection: &Rejection,
    request_id: &str,
    series_id: Option<&str>,
    number: u64,
) -> Vec<u8> {
    let Rejection {
        code,
        detail,
        errors,
    } = rejection;
    let mut line = Vec::with_capacity(LINE_BYTES);
    put(
        &mut line,
        &LineProblem {
            series_id,
            problem: Problem::new(*code, detail, errors, request_id),
            line: number + 1,
        },
    );
    line
}

/// Writes a line.
pub(super) fn put(written: &mut Vec<u8>, reply: &impl Serialize) {
    serde_json::to_writer(&mut *written, reply)
        .expect("a reply of text and finite numbers serialises");
    written.push(b'\n');
}

/// The refusal of a line that is longer than any that is read.
pub(super) fn too_long(index: usize, longest: usize) -> Rejection {
    let reason = format!("the line is longer than {longest} bytes");
    let error = api::FieldError::new([api::Loc::from("body"), api::Loc::from(index)], reason);
    Rejection::one(Code::MalformedJson, error)
}
