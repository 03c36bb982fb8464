//! Read a request body: within the limit, of a media type that is read, inflated if it is coded.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use actix_web::HttpRequest;
use actix_web::dev;
use actix_web::http::header;
use actix_web::web::Payload;
use api::{Code, Rejection};
use bytes::{Bytes, BytesMut};
use futures_core::Stream;

use super::coding::{Coding, Inflated};
use super::{Call, admit, convert, negotiate};
use crate::admission::{Refusal, Reserved, Ticket};
use crate::connection::{BODY_PATIENCE, Pace};

/// A declared length is taken at its word up to here, and beyond it once so much has arrived.
const TRUSTED_BYTES: usize = 1024 * 1024;

/// The media type of JSON lines.
pub(super) const NDJSON: &str = "application/x-ndjson";
/// Other names of the same.
pub(super) const ALSO_NDJSON: [&str; 2] = ["application/ndjson", "application/jsonl"];

/// What a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Media {
    /// One JSON text.
    Json,
    /// JSON texts, one a line: `application/x-ndjson`, or one of its other names.
    Lines,
    /// Points as `text/csv`.
    Csv,
}

/// Reads the whole body of a JSON request.
///
/// # Errors
/// `unsupported_media_type`, `body_too_large`, `malformed_request`, `body_timeout` when it is not there by
/// the deadline or stalls before, `deadline_exceeded` when it is there too late, or `overloaded` when a body of unknown
/// length outgrows the memory for requests.
pub(super) async fn read_json(
    call: &Call<'_>,
    payload: Payload,
    limit: usize,
    ticket: Option<&mut Ticket>,
) -> Result<Bytes, Rejection> {
    match media_type(call.request)? {
        Media::Json => read(call, payload, limit, ticket).await,
        other => Err(other.unsupported()),
    }
}

/// Reads the whole body of a request whose media type the caller has looked at, as it is.
///
/// # Errors
/// As [`read_json`].
pub(super) async fn read_file(
    call: &Call<'_>,
    payload: Payload,
    limit: usize,
    ticket: &mut Ticket,
) -> Result<Bytes, Rejection> {
    let mut media_types = call.request.headers().get_all(header::CONTENT_TYPE).skip(1);
    if let Some(other) = media_types.next() {
        return Err(unsupported("A second Content-Type", text_of(other)));
    }
    read(call, payload, limit, Some(ticket)).await
}

/// Reads the whole body of a request that is one of `media`.
///
/// # Errors
/// As [`read_json`].
pub(super) async fn read_of(
    call: &Call<'_>,
    payload: Payload,
    limit: usize,
    ticket: &mut Ticket,
    media: &[Media],
) -> Result<(Media, Bytes), Rejection> {
    let told = media_type(call.request)?;
    if !media.contains(&told) {
        return Err(told.unsupported());
    }
    let body = read(call, payload, limit, Some(ticket)).await?;
    Ok((told, body))
}

impl Media {
    fn unsupported(self) -> Rejection {
        let name = match self {
            Self::Json => negotiate::JSON,
            Self::Lines => NDJSON,
            Self::Csv => negotiate::CSV,
        };
        unsupported("Content-Type", name)
    }

    /// A refusal of points that came like this, in words for it.
    pub(super) fn placed(self, body: &[u8], rejection: Rejection) -> Rejection {
        match self {
            Self::Csv => api::csv::placed(body, rejection),
            Self::Json | Self::Lines => rejection,
        }
    }
}

async fn read(
    call: &Call<'_>,
    payload: Payload,
    limit: usize,
    ticket: Option<&mut Ticket>,
) -> Result<Bytes, Rejection> {
    let memory = ticket.as_ref().and_then(|ticket| ticket.memory.clone());
    let deadline = ticket.as_ref().and_then(|ticket| ticket.deadline);
    let deadline = deadline.unwrap_or(call.received.at() + admit::DEADLINE_DEFAULT);
    let awaited = Rc::new(Awaited::since(call.received.at()));
    let body = arrived(call.request, payload, limit, memory.as_deref(), &awaited);
    // What was reserved for a body that does not come would be reserved for ever.
    let body = paced(body, &awaited, Some(deadline)).await?;
    let Some(ticket) = ticket else {
        return body.map_err(Unread::rejection);
    };
    let body = body.and_then(
        |body| match awaited.now().is_some_and(|now| ticket.is_late(now)) {
            false => Ok(body),
            true => Err(Unread::Refused(Refusal::Deadline)),
        },
    );
    let body = body.inspect_err(|unread| {
        if let Unread::Refused(refusal) = unread {
            let gate = call.state.compute.gate(ticket.class);
            gate.stats().refuse(*refusal);
        }
    });
    let body = body.map_err(Unread::rejection)?;
    ticket.body_bytes = body.len();
    Ok(body)
}

/// A body on its way. What came with the head, as nearly every body does, costs neither a timer nor a clock.
pub(super) struct Awaited {
    begun: Instant,
    pace: Cell<Pace>,
    /// Whether some of it was not there with the head.
    is_behind: Cell<bool>,
}

impl Awaited {
    pub(super) fn since(begun: Instant) -> Self {
        Self {
            begun,
            pace: Cell::new(Pace::begin(begun)),
            is_behind: Cell::new(false),
        }
    }

    /// Begins anew: what is awaited from here on has its time from here on.
    pub(super) fn again(&self) {
        self.is_behind.set(true);
        self.pace.set(Pace::begin(Instant::now()));
    }

    /// The time, once any has passed.
    fn now(&self) -> Option<Instant> {
        self.is_behind.get().then(Instant::now)
    }

    fn moved(&self, bytes: usize) {
        let mut pace = self.pace.get();
        pace.moved(bytes, self.now().unwrap_or(self.begun));
        self.pace.set(pace);
    }

    fn due(&self) -> Instant {
        self.pace.get().deadline(BODY_PATIENCE)
    }
}

/// What `body` is once it is there, unless it is not by `deadline`, or stalls before.
pub(super) async fn paced<T>(
    body: impl Future<Output = T>,
    awaited: &Awaited,
    deadline: Option<Instant>,
) -> Result<T, Rejection> {
    let mut body = pin!(body);
    // The framework asks for a reply before it hands on what it has of the body, and once more after that.
    if let Some(body) = within_two_polls(body.as_mut()).await {
        return Ok(body);
    }
    awaited.is_behind.set(true);
    loop {
        let due = awaited.due();
        let until = deadline.map_or(due, |deadline| due.min(deadline));
        let arrived = tokio::time::timeout_at(until.into(), &mut body).await;
        match arrived {
            Ok(body) => return Ok(body),
            Err(_) if deadline.is_some_and(|deadline| deadline <= due) => return Err(late()),
            // Nothing has come since then, or too little.
            Err(_) if awaited.due() <= due => return Err(stalled()),
            Err(_) => {}
        }
    }
}

/// What `future` is, if it is ready at once or when it is asked again.
async fn within_two_polls<F: Future>(mut future: Pin<&mut F>) -> Option<F::Output> {
    let mut is_asked_again = false;
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if is_asked_again => Poll::Ready(None),
        Poll::Pending => {
            is_asked_again = true;
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await
}

/// Why there is no body.
enum Unread {
    Rejected(Rejection),
    Refused(Refusal),
}

impl From<Rejection> for Unread {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl Unread {
    fn rejection(self) -> Rejection {
        match self {
            Self::Rejected(rejection) => rejection,
            Self::Refused(refusal) => convert::refusal(refusal),
        }
    }
}

async fn arrived(
    request: &HttpRequest,
    payload: Payload,
    limit: usize,
    memory: Option<&Reserved>,
    awaited: &Rc<Awaited>,
) -> Result<Bytes, Unread> {
    let coding = Coding::of(request)?;
    let declared = header_text(request, header::CONTENT_LENGTH)
        .and_then(|length| length.parse::<usize>().ok());
    if declared.is_some_and(|length| length > limit) {
        return Err(too_large(limit, "").into());
    }
    if let Some(coding) = coding {
        let inflated = Inflated::new(Raw::new(payload, awaited), Some(coding));
        return whole(inflated, limit, memory).await;
    }
    let mut stream = Raw::new(payload, awaited);
    let mut next = async || poll_fn(|cx| Pin::new(&mut stream).poll_next(cx)).await;
    // Nearly every body is one chunk, which is then used as it is.
    let Some(first) = next().await.transpose()? else {
        return Ok(Bytes::new());
    };
    take(memory, declared, first.len())?;
    let Some(second) = next().await.transpose()? else {
        return if first.len() > limit {
            Err(too_large(limit, "").into())
        } else {
            Ok(first)
        };
    };
    let mut body = BytesMut::with_capacity(
        declared
            .unwrap_or(0)
            .min(TRUSTED_BYTES)
            .max(first.len() + second.len()),
    );
    body.extend_from_slice(&first);
    body.extend_from_slice(&second);
    take(memory, declared, second.len())?;
    while let Some(chunk) = next().await.transpose()? {
        if body.len() + chunk.len() > limit {
            return Err(too_large(limit, "").into());
        }
        take(memory, declared, chunk.len())?;
        if let Some(length) = declared.filter(|length| *length > body.capacity()) {
            body.reserve(length - body.len());
        }
        body.extend_from_slice(&chunk);
    }
    if body.len() > limit {
        Err(too_large(limit, "").into())
    } else {
        Ok(body.freeze())
    }
}

/// All of a body that is inflated. Other connections of this thread have their turn between two pieces.
async fn whole(
    mut inflated: Inflated<Raw>,
    limit: usize,
    memory: Option<&Reserved>,
) -> Result<Bytes, Unread> {
    let mut body = BytesMut::new();
    while let Some(chunk) = inflated.next().await.transpose()? {
        if body.len() + chunk.len() > limit {
            return Err(too_large(limit, " when inflated").into());
        }
        take(memory, None, chunk.len())?;
        body.extend_from_slice(&chunk);
        tokio::task::yield_now().await;
    }
    Ok(body.freeze())
}

/// Bytes as they arrive.
pub(super) struct Raw {
    payload: dev::Payload,
    awaited: Rc<Awaited>,
}

impl Raw {
    /// Of `payload`; what moves is noted in `awaited`.
    pub(super) fn new(payload: Payload, awaited: &Rc<Awaited>) -> Self {
        Self {
            payload: payload.into_inner(),
            awaited: Rc::clone(awaited),
        }
    }
}

impl Stream for Raw {
    type Item = Result<Bytes, Rejection>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let chunk = Pin::new(&mut self.payload).poll_next(cx);
        if let Poll::Ready(Some(Ok(chunk))) = &chunk {
            self.awaited.moved(chunk.len());
        }
        chunk.map_err(broken)
    }
}

/// Takes memory for a chunk of a body whose length was not declared: twice, because the buffer doubles.
fn take(memory: Option<&Reserved>, declared: Option<usize>, bytes: usize) -> Result<(), Unread> {
    match memory {
        Some(memory) if declared.is_none() => memory.grow(2 * bytes).map_err(Unread::Refused),
        Some(_) | None => Ok(()),
    }
}

/// Whether the body of `request` is lines.
pub(super) fn is_lines(request: &HttpRequest) -> bool {
    media_type(request).is_ok_and(|media| media == Media::Lines)
}

/// As [`is_lines`], where nothing else is read.
///
/// # Errors
/// `unsupported_media_type`.
pub(super) fn only_lines(request: &HttpRequest) -> Result<(), Rejection> {
    match media_type(request)? {
        Media::Lines => Ok(()),
        Media::Json | Media::Csv => {
            let detail = format!("points of many series are read as lines: send {NDJSON}");
            Err(Rejection::new(Code::UnsupportedMediaType, detail))
        }
    }
}

fn media_type(request: &HttpRequest) -> Result<Media, Rejection> {
    let mut media_types = request.headers().get_all(header::CONTENT_TYPE);
    // A body without a media type is read as what it can only be.
    let Some(media_type) = media_types.next().map(text_of) else {
        return Ok(Media::Json);
    };
    if let Some(other) = media_types.next() {
        return Err(unsupported("A second Content-Type", text_of(other)));
    }
    if media_type == "application/json" {
        return Ok(Media::Json);
    }
    let (essence, parameters) = media_type.split_once(';').unwrap_or((media_type, ""));
    let essence = essence.trim().to_ascii_lowercase();
    let is_json = essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"));
    let mut parameters = parameters.split(';').filter_map(|p| p.split_once('='));
    let utf8 = parameters.all(|(name, value)| {
        let is_charset = name.trim().eq_ignore_ascii_case("charset");
        !is_charset || value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
    });
    match essence.as_str() {
        NDJSON if utf8 => Ok(Media::Lines),
        negotiate::CSV if utf8 => Ok(Media::Csv),
        other if utf8 && ALSO_NDJSON.contains(&other) => Ok(Media::Lines),
        _ if is_json && utf8 => Ok(Media::Json),
        _ => Err(unsupported("Content-Type", media_type)),
    }
}

/// What to do about it.
const SEND: &str = "send application/json; application/x-ndjson to a predict or an update; text/csv to a fit, a \
     predict, an update or a detection";

fn unsupported(what: &str, value: &str) -> Rejection {
    let detail = format!("{what} {value:?} is not read: {SEND}");
    Rejection::new(Code::UnsupportedMediaType, detail)
}

fn header_text(request: &HttpRequest, name: header::HeaderName) -> Option<&str> {
    request.headers().get(name).map(text_of)
}

fn text_of(value: &header::HeaderValue) -> &str {
    value.to_str().unwrap_or("not text")
}

fn too_large(limit: usize, when: &str) -> Rejection {
    Rejection::new(
        Code::BodyTooLarge,
        format!("the body is larger than {limit} bytes{when}"),
    )
}

fn stalled() -> Rejection {
    let detail = format!(
        "the body stalled: nothing came for {} s, or less than 1 KiB a second",
        BODY_PATIENCE.as_secs_f64()
    );
    Rejection::new(Code::BodyTimeout, detail)
}

fn late() -> Rejection {
    let detail = "the body was not there by the deadline of the request";
    Rejection::new(Code::BodyTimeout, detail)
}

fn broken(error: actix_web::error::PayloadError) -> Rejection {
    Rejection::new(
        Code::MalformedRequest,
        format!("the body could not be read: {error}"),
    )
}
