//! Whether a request is taken on, before its body is read.
//!
//! A refusal here costs neither the body's memory nor its decoding. What is answered on the thread that serves the
//! connection is never refused for the length of a queue: to refuse it would cost as much as to answer it.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{self, HeaderName};
use actix_web::web::Payload;
use api::{Code, FieldError, Loc, Rejection};

use super::{Call, convert};
use crate::admission::{Class, Refusal, Tenant, Ticket};
use crate::compute::POOL_FROM_BYTES;

const DEADLINE: HeaderName = HeaderName::from_static("x-request-deadline-ms");
pub(super) const DEADLINE_NAME: &str = "X-Request-Deadline-Ms";
/// The deadline of a request that names none.
pub(super) const DEADLINE_DEFAULT: Duration = Duration::from_secs(30);
/// A day: more is a mistake.
pub(super) const DEADLINE_MAX_MS: u64 = 86_400_000;
/// Bodies up to here are part of what a connection takes.
const SMALL_BYTES: usize = 4 * 1024;
/// A body up to here that has arrived is read although its request is refused: the connection stays.
const DRAINED_BYTES: usize = 64 * 1024;
/// How long such a body may take to arrive.
const DRAINED_WITHIN: Duration = Duration::from_millis(2);

/// Takes on a request of `class`, or refuses it. `is_pooled` tells of a small one whether it goes to the
/// pool; it is asked only when somebody waits there.
///
/// # Errors
/// `invalid_header`, `overloaded`, `tenant_over_share` or `deadline_exceeded`.
pub(super) async fn admit(
    call: &Call<'_>,
    payload: &mut Payload,
    class: Class,
    is_pooled: impl FnOnce() -> bool,
) -> Result<Ticket, Rejection> {
    let deadline = call.received.at() + deadline(call)?;
    let mut ticket = Ticket::new(class, tenant(call), Some(deadline));
    ticket.span = call.received.span().cloned();
    let declared = declared(call);
    ticket.body_bytes = declared.unwrap_or(POOL_FROM_BYTES);
    // Of what is coded, nobody has said how long it is.
    let is_coded = call
        .request
        .headers()
        .contains_key(header::CONTENT_ENCODING);
    if is_coded {
        ticket.body_bytes = ticket.body_bytes.max(POOL_FROM_BYTES);
    }
    if let Err(refusal) = claim(call, &mut ticket, declared, is_pooled) {
        drain(payload, declared).await;
        return Err(convert::refusal(refusal));
    }
    Ok(ticket)
}

/// As [`admit`], for lines that are answered as they come, so many bytes of them at a time: what is taken for them does
/// not depend on how many there are, nor does what is held of them.
pub(super) async fn admit_lines(
    call: &Call<'_>,
    payload: &mut Payload,
    batch_bytes: usize,
    held_bytes: usize,
) -> Result<Ticket, Rejection> {
    let deadline = call.received.at() + deadline(call)?;
    let mut ticket = Ticket::new(Class::Predict, tenant(call), Some(deadline));
    ticket.span = call.received.span().cloned();
    ticket.body_bytes = batch_bytes;
    let gate = call.state.compute.gate(ticket.class);
    let claimed = gate.check(&ticket).and_then(|()| {
        let reserved = call.state.admission.memory.reserve(held_bytes);
        reserved.inspect_err(|refusal| gate.stats().refuse(*refusal))
    });
    match claimed {
        Ok(reserved) => ticket.memory = Some(Arc::new(reserved)),
        Err(refusal) => {
            drain(payload, declared(call)).await;
            return Err(convert::refusal(refusal));
        }
    }
    Ok(ticket)
}

fn claim(
    call: &Call<'_>,
    ticket: &mut Ticket,
    declared: Option<usize>,
    is_pooled: impl FnOnce() -> bool,
) -> Result<(), Refusal> {
    let gate = call.state.compute.gate(ticket.class);
    if gate.stats().waiting() > 0 && (ticket.body_bytes >= POOL_FROM_BYTES || is_pooled()) {
        gate.check(ticket)?;
    }
    // A body above the limit is refused for that when it is read.
    let is_coded = call
        .request
        .headers()
        .contains_key(header::CONTENT_ENCODING);
    let too_large = declared.is_some_and(|n| n > call.state.max_body_bytes);
    let is_small = declared.is_some_and(|n| n <= SMALL_BYTES && !is_coded) || too_large;
    if !is_small {
        let memory = &call.state.admission.memory;
        let reserved = memory.reserve(declared.unwrap_or(0));
        let reserved = reserved.inspect_err(|refusal| gate.stats().refuse(*refusal))?;
        ticket.memory = Some(Arc::new(reserved));
    }
    Ok(())
}

/// The length of the body; none if only its end will tell.
fn declared(call: &Call<'_>) -> Option<usize> {
    let headers = call.request.headers();
    match headers.get(header::CONTENT_LENGTH) {
        Some(length) => length.to_str().ok()?.parse().ok(),
        None if headers.contains_key(header::TRANSFER_ENCODING) => None,
        None => Some(0),
    }
}

fn deadline(call: &Call<'_>) -> Result<Duration, Rejection> {
    let Some(value) = call.request.headers().get(DEADLINE) else {
        return Ok(DEADLINE_DEFAULT);
    };
    let ms = value.to_str().ok().and_then(|text| text.parse().ok());
    match ms {
        Some(ms @ 1..=DEADLINE_MAX_MS) => Ok(Duration::from_millis(ms)),
        Some(_) | None => {
            let reason = format!("expected whole milliseconds, 1 to {DEADLINE_MAX_MS}");
            let loc = [Loc::from("header"), Loc::from(DEADLINE_NAME)];
            let error = FieldError::new(loc, reason);
            Err(Rejection::one(Code::InvalidHeader, error))
        }
    }
}

/// On whose behalf a request is made.
fn tenant(call: &Call<'_>) -> Tenant {
    let name = tenant_name(call);
    name.map_or(Tenant::ALL, |name| call.state.admission.tenant(name))
}

/// The tenant as the caller's key names it; without keys as the request does, if tenants are told apart. The tenant
/// `default` has the empty name, which is that of a server without keys, so that a retry finds its answer on both.
pub(super) fn tenant_name<'a>(call: &Call<'a>) -> Option<&'a [u8]> {
    if let Some(tenant) = call.caller.tenant() {
        return Some(tenant.prefix().unwrap_or_default().as_bytes());
    }
    let name = call.state.admission.tenant_header.as_deref()?;
    let value = call.request.headers().get(name)?;
    Some(value.as_bytes())
}

/// As [`drain`], of a request that was refused for who asks.
pub(super) async fn drain_refused(call: &Call<'_>, payload: &mut Payload) {
    drain(payload, declared(call)).await;
}

/// Reads what there is of a small body that nobody wants: a connection with a body that was not read has
/// to be closed.
async fn drain(payload: &mut Payload, declared: Option<usize>) {
    if declared.is_none_or(|length| length > DRAINED_BYTES) {
        return;
    }
    let all = async {
        let mut next = async || {
            poll_fn(|cx| futures_core::Stream::poll_next(Pin::new(&mut *payload), cx)).await
        };
        while let Some(Ok(_)) = next().await {}
    };
    let _ = tokio::time::timeout(DRAINED_WITHIN, all).await;
}
