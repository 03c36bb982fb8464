//! `Idempotency-Key`: reads it, and answers again what was answered before.

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use api::{FitReply, IdempotencyKey, Rejection};
use bytes::Bytes;

use super::{json, ok_bytes};
use crate::store::{Answer, RequestKey};

/// The header in lower case, as the framework's map has it.
const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The key of the request, if it has one.
///
/// # Errors
/// `idempotency_key_invalid`.
pub(super) fn key_of(request: &HttpRequest) -> Result<Option<RequestKey>, Rejection> {
    let mut values = request.headers().get_all(KEY);
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(IdempotencyKey::given_twice());
    }
    let key = IdempotencyKey::parse(value.as_bytes())?;
    // All callers are one tenant until they have to say who they are.
    Ok(Some(RequestKey::new("", key.as_str())))
}

/// What is told of a version that has no number yet.
pub(super) fn answer_of(mut reply: FitReply<'_>) -> Answer {
    reply.version = 0;
    let text = json(&reply);
    // Only the id stands before the version, and it has no quotes.
    let number = br#""version":"0""#;
    let at = text
        .windows(number.len())
        .position(|window| window == number);
    let at = at.expect("a reply tells its version") + number.len() - 2;
    Answer {
        before: text[..at].to_vec(),
        after: text[at + 1..].to_vec(),
    }
}

/// The reply to a request that was answered before.
pub(super) fn replayed(answer: Vec<u8>) -> HttpResponse {
    let mut reply = ok_bytes(Bytes::from(answer));
    let headers = reply.headers_mut();
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    reply
}
