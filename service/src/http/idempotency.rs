//! `Idempotency-Key`: reads it, and answers again what was answered before.

use actix_web::HttpResponse;
use actix_web::http::header::{HeaderName, HeaderValue};
use api::{IdempotencyKey, Rejection};
use bytes::Bytes;

use super::scoped::Series;
use super::{Call, admit, convert, ok_bytes};
use crate::registry::{Asked, Fitting, Registry};
use crate::store::{Answer, BodyDigest, Request, RequestKey, Stored};

/// The header in lower case, as the framework's map has it.
const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The key of the request among those of its tenant, if it has one.
///
/// # Errors
/// `idempotency_key_invalid`.
pub(super) fn key_of(call: &Call<'_>) -> Result<Option<RequestKey>, Rejection> {
    let mut values = call.request.headers().get_all(KEY);
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(IdempotencyKey::given_twice());
    }
    let key = IdempotencyKey::parse(value.as_bytes())?;
    // The name itself: tenants whose names meet in a short hash share a turn, but never an answer.
    let tenant = admit::tenant_name(call).unwrap_or_default();
    Ok(Some(RequestKey::new(tenant, key.as_str())))
}

/// A request that named itself and what it asks for.
pub(super) type Named = Option<(RequestKey, BodyDigest)>;

/// How a request that makes a version begins.
pub(super) enum Begun {
    /// It was answered before.
    Before(HttpResponse),
    /// It has to be done.
    Anew(Named),
}

/// Looks for the answer that was given under `key`, before any work is done for it.
///
/// # Errors
/// `idempotency_key_reused`, or as a read of the store.
pub(super) async fn begin(
    registry: &Registry,
    series: &Series<'_>,
    key: Option<RequestKey>,
    body: &Bytes,
) -> Result<Begun, Rejection> {
    let Some(key) = key else {
        return Ok(Begun::Anew(None));
    };
    match registry.asked(series.name(), key, body.clone()).await {
        Ok(Asked::Before(answer)) => Ok(Begun::Before(replayed(answer))),
        Ok(Asked::Anew(digest)) => Ok(Begun::Anew(Some((key, digest)))),
        Err(error) => Err(convert::rejection(&error)),
    }
}

/// Stores a version and replies as `write` has it, of the version's number; tells, too, whether it is new.
///
/// # Errors
/// As [`Registry::store_once`].
pub(super) async fn store(
    registry: &Registry,
    series: &Series<'_>,
    fitting: &mut Fitting,
    named: Named,
    write: impl Fn(&Fitting, u64) -> Bytes,
) -> Result<(HttpResponse, bool), Rejection> {
    let request = named.map(|(key, body)| Request {
        key,
        body,
        answer: around_the_number(&write(fitting, 0)),
    });
    let answer = request.as_ref().map(|request| request.answer.clone());
    let stored = registry.store_once(series.name(), fitting, request).await;
    Ok(match stored.map_err(|error| convert::rejection(&error))? {
        Stored::New { version, .. } => {
            let told = answer.map(|answer| Bytes::from(answer.of_version(version)));
            let told = told.unwrap_or_else(|| write(fitting, version));
            (ok_bytes(told), true)
        }
        // A twin of this request was faster.
        Stored::Before(kept) => (replayed(kept.answer.of_version(kept.version)), false),
    })
}

/// An answer of which the version has no number yet.
fn around_the_number(answer: &[u8]) -> Answer {
    // Only the id stands before the version, and it has no quotes.
    let number = br#""version":"0""#;
    let at = answer
        .windows(number.len())
        .position(|window| window == number);
    let at = at.expect("a reply tells its version") + number.len() - 2;
    Answer {
        before: answer[..at].to_vec(),
        after: answer[at + 1..].to_vec(),
    }
}

/// The reply to a request that was answered before.
fn replayed(answer: Vec<u8>) -> HttpResponse {
    let mut reply = ok_bytes(Bytes::from(answer));
    let headers = reply.headers_mut();
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    reply
}
