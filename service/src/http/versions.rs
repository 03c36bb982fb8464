//! `POST /series/{series_id}/versions`: freezes the online state into an immutable version, or imports one.

use actix_web::HttpResponse;
use actix_web::web::Payload;
use api::update::{FrozenReply, VersionRequest};
use api::{Rejection, decode};
use detectors::envelope::digest_hex;

use super::fit::fit_reply;
use super::idempotency::Begun;
use super::scoped::Series;
use super::{Call, artifact, body, convert, idempotency, json};
use crate::registry::Fitting;

pub(super) async fn handle(
    call: &Call<'_>,
    payload: Payload,
    series: &Series<'_>,
) -> Result<HttpResponse, Rejection> {
    let Call {
        state, received, ..
    } = *call;
    if artifact::is_artifact(call) {
        return artifact::import(call, payload, series).await;
    }
    let set_alias = artifact::set_alias_of(call)?;
    let key = idempotency::key_of(call)?;
    let registry = state.registry()?;
    let body = body::read_json(
        call,
        payload,
        BODY_MAX_BYTES.min(state.max_body_bytes),
        None,
    )
    .await?;
    decode::<VersionRequest>(&body)?.check()?;
    let asked = artifact::asked_for(&body, key.is_some(), set_alias.as_deref());
    let named = match idempotency::begin(registry, series, key, &asked).await? {
        Begun::Before(reply) => return Ok(reply),
        Begun::Anew(named) => named,
    };
    let frozen = registry.online().freeze(series.name()).await;
    let mut frozen = frozen.map_err(|error| convert::rejection(&error))?;
    frozen.fitting.set_alias = set_alias;
    let write = |fitting: &Fitting, version| {
        let (summary, hash) = (fitting.fitted.summary(), digest_hex(&fitting.digest));
        let duration_ms = received.elapsed().as_secs_f64() * 1e3;
        json(&FrozenReply {
            version: fit_reply(series, version, fitting, (&summary, &hash), duration_ms),
            state_seq: frozen.state_seq,
        })
    };
    let stored = idempotency::store(registry, series, &mut frozen.fitting, named, write);
    Ok(stored.await?.0)
}

/// Such a body has one short field.
const BODY_MAX_BYTES: usize = 4 * 1024;
