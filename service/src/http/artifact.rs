//! `GET /series/{series_id}/versions/{version}/artifact`, and what `POST /series/{series_id}/versions` does with one.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use actix_web::HttpResponse;
use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::web::Payload;
use api::{Alias, Rejection, VersionSelector};
use bytes::Bytes;
use compact_str::CompactString;
use data_encoding::BASE64;
use detectors::envelope::digest_hex;

use super::authenticate::insufficient;
use super::fit::fit_reply;
use super::held::Held;
use super::idempotency::Begun;
use super::scoped::Series;
use super::{Call, admit, body, convert, idempotency, json};
use crate::admission::Class;
use crate::keys::Scope;
use crate::registry::{self, Fitting};

/// The media type of a version as a file.
pub(super) const MEDIA_TYPE: &str = "application/vnd.tidemark.model";

/// RFC 9530.
const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");

/// A point of a fit takes at least so many bytes of its body: what one server has fitted another one with the same
/// limit imports.
const BYTES_A_POINT: usize = 4;

/// A version as a file.
pub(super) async fn get(
    call: &Call<'_>,
    mut payload: Payload,
    series: &Series<'_>,
    version: &str,
) -> Result<HttpResponse, Rejection> {
    let selector = VersionSelector::parse_at(["path", "version"], version)?;
    api::query::read(call.request.query_string(), [])?;
    let registry = call.state.registry()?;
    let mut ticket = admit::admit(call, &mut payload, Class::Fit, || true).await?;
    let exported = registry.export(series.name(), selector).await;
    let exported = exported.map_err(|error| convert::rejection(&error))?;
    let gate = call.state.compute.gate(Class::Fit);
    let reserved = call.state.admission.memory.reserve(exported.bytes.len());
    let reserved = reserved.inspect_err(|refusal| gate.stats().refuse(*refusal));
    ticket.memory = Some(Arc::new(reserved.map_err(convert::refusal)?));
    let tag = format!("\"{}\"", exported.digest);
    let mut reply = if is_known(call, &tag) {
        HttpResponse::new(StatusCode::NOT_MODIFIED)
    } else {
        let file = exported.bytes;
        let digest = ticket.work();
        let sha = ring::digest::digest(&ring::digest::SHA256, &file);
        drop(digest);
        let digest = format!("sha-256=:{}:", BASE64.encode(sha.as_ref()));
        let body = BoxBody::new(Held::new(file.into(), &ticket));
        let mut reply = HttpResponse::new(StatusCode::OK).set_body(body);
        // Neither a path nor a quote is in an id.
        let name = format!(
            "attachment; filename=\"{}-v{}.tidemark\"",
            series.id().replace(':', "_"),
            exported.version
        );
        for (field, value) in [
            (header::CONTENT_TYPE, MEDIA_TYPE),
            (header::CONTENT_DISPOSITION, &name),
            (REPR_DIGEST, &digest),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ] {
            reply.headers_mut().insert(field, text(value));
        }
        reply
    };
    reply.headers_mut().insert(header::ETAG, text(&tag));
    Ok(reply)
}

fn text(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).expect("it is visible ASCII")
}

/// Whether the caller has this file already (RFC 9110, section 13.1.2).
fn is_known(call: &Call<'_>, tag: &str) -> bool {
    let lists = call.request.headers().get_all(header::IF_NONE_MATCH);
    let mut tags = lists
        .filter_map(|list| list.to_str().ok())
        .flat_map(|list| list.split(','))
        .map(str::trim);
    tags.any(|known| known == "*" || known.trim_start_matches("W/") == tag)
}

/// The alias that is to point to the version, which the query names: an artifact has no room for it.
///
/// # Errors
/// When it is none, or the caller may not set it.
pub(super) fn set_alias_of(call: &Call<'_>) -> Result<Option<CompactString>, Rejection> {
    let [name] = api::query::read(call.request.query_string(), ["set_alias"])?;
    let Some(name) = name else { return Ok(None) };
    let alias = Alias::parse(&name, ["query", "set_alias"])?;
    if !call.caller.has(Scope::Admin) {
        return Err(insufficient(Scope::Admin, "`set_alias`"));
    }
    Ok(Some(alias.as_str().into()))
}

/// What a request asks for that may have a key: its body, and the alias that its query names.
pub(super) fn asked_for(body: &Bytes, has_key: bool, set_alias: Option<&str>) -> Bytes {
    match set_alias {
        Some(alias) if has_key => [alias.as_bytes(), b"\0", body].concat().into(),
        _ => body.clone(),
    }
}

/// Whether the request brings an artifact.
pub(super) fn is_artifact(call: &Call<'_>) -> bool {
    let value = call.request.headers().get(header::CONTENT_TYPE);
    let value = value.and_then(|value| value.to_str().ok()).unwrap_or("");
    let essence = value.split(';').next().unwrap_or("").trim();
    essence.eq_ignore_ascii_case(MEDIA_TYPE)
}

/// Stores the version in the body as the next one of `series`.
pub(super) async fn import(
    call: &Call<'_>,
    mut payload: Payload,
    series: &Series<'_>,
) -> Result<HttpResponse, Rejection> {
    let Call {
        state, received, ..
    } = *call;
    let set_alias = set_alias_of(call)?;
    let key = idempotency::key_of(call)?;
    let registry = state.registry()?;
    let mut ticket = admit::admit(call, &mut payload, Class::Fit, || true).await?;
    let limit = state.max_body_bytes;
    let body = body::read_file(call, payload, limit, &mut ticket).await?;
    let asked = asked_for(&body, key.is_some(), set_alias.as_deref());
    let named = match idempotency::begin(registry, series, key, &asked).await? {
        Begun::Before(reply) => return Ok(reply),
        Begun::Anew(named) => named,
    };
    drop(asked);
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now_ms = i64::try_from(now.unwrap_or_default().as_millis()).unwrap_or(i64::MAX);
    let checked = state.compute.run(&mut ticket, move || {
        registry::import(&body, limit / BYTES_A_POINT, now_ms, set_alias)
    });
    let checked = checked.await.map_err(convert::compute_rejection)?;
    let mut fitting = checked.map_err(|error| convert::rejection(&error))?;
    let write = |fitting: &Fitting, version| {
        let (summary, hash) = (fitting.fitted.summary(), digest_hex(&fitting.digest));
        let duration_ms = received.elapsed().as_secs_f64() * 1e3;
        let told = (&summary, hash.as_str());
        json(&fit_reply(series, version, fitting, told, duration_ms))
    };
    let commit = ticket.part("commit");
    let stored = idempotency::store(registry, series, &mut fitting, named, write).await;
    drop(commit);
    Ok(stored?.0)
}
