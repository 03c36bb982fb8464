//! What every reply carries: `X-Request-ID` and `X-Response-Time`.
//!
//! The one handler stamps its replies itself. As a middleware with a note in the request's
//! extensions the same cost a fifth of a predict.

use std::cell::OnceCell;
use std::time::{Duration, Instant};

use actix_web::HttpResponse;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::telemetry::RequestSpan;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const RESPONSE_TIME: HeaderName = HeaderName::from_static("x-response-time");
/// A longer id from a caller is replaced: it goes into logs and replies.
const ID_MAX_BYTES: usize = 128;

/// When a request's head was read, its id and its span.
pub struct Received {
    at: Instant,
    /// The caller's, or ours once somebody asks for it.
    id: OnceCell<HeaderValue>,
    span: Option<RequestSpan>,
}

impl Received {
    /// Notes the time and the id that the caller sent, if it is one.
    #[must_use]
    pub fn now(headers: &HeaderMap) -> Self {
        let sent = headers.get(&REQUEST_ID).filter(|id| {
            let id = id.as_bytes();
            (1..=ID_MAX_BYTES).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
        });
        Self {
            at: Instant::now(),
            id: sent.cloned().map_or_else(OnceCell::new, OnceCell::from),
            span: None,
        }
    }

    /// The same with the span of the request, if it is sampled.
    #[must_use]
    pub fn traced(self, span: Option<RequestSpan>) -> Self {
        Self { span, ..self }
    }

    /// The span of the request, if it is sampled.
    #[must_use]
    pub fn span(&self) -> Option<&RequestSpan> {
        self.span.as_ref()
    }

    /// When the request's head was read.
    #[must_use]
    pub fn at(&self) -> Instant {
        self.at
    }

    /// Time since the request's head was read.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.at.elapsed()
    }

    /// The id as text.
    #[must_use]
    pub fn id(&self) -> &str {
        self.id.get_or_init(new_id).to_str().unwrap_or_default()
    }

    /// Puts both headers on `reply`; the time it tells.
    pub fn stamp(self, reply: &mut HttpResponse) -> Duration {
        let headers = reply.headers_mut();
        let id = self.id.into_inner().unwrap_or_else(new_id);
        headers.insert(REQUEST_ID, id);
        let took = self.at.elapsed();
        headers.insert(RESPONSE_TIME, milliseconds(took));
        took
    }
}

/// A UUID of version 7: sorted by time, unique across servers.
fn new_id() -> HeaderValue {
    let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
    let id = uuid::Uuid::now_v7().hyphenated().encode_lower(&mut text);
    HeaderValue::from_str(id).expect("hexadecimal digits and hyphens are visible ASCII")
}

/// `12.34ms`. In whole numbers, which format several times faster than a float.
fn milliseconds(duration: Duration) -> HeaderValue {
    let hundredths = duration.as_micros() / 10;
    let text = compact_str::format_compact!("{}.{:02}ms", hundredths / 100, hundredths % 100);
    HeaderValue::from_str(&text).expect("digits are visible ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_two_digits_after_the_point() {
        for (us, text) in [
            (0, "0.00ms"),
            (59, "0.05ms"),
            (12_345, "12.34ms"),
            (3_000_000, "3000.00ms"),
        ] {
            assert_eq!(milliseconds(Duration::from_micros(us)), text);
        }
    }

    #[test]
    fn an_id_stays_the_same_once_it_was_told() {
        let received = Received::now(&HeaderMap::new());
        let told = received.id().to_owned();
        let mut reply = HttpResponse::Ok().finish();
        received.stamp(&mut reply);
        assert_eq!(reply.headers().get(REQUEST_ID).unwrap(), told.as_str());
    }
}
