//! `/series/{series_id}/aliases` and `/series/{series_id}/aliases/{alias}`.

use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use api::{
    Alias, AliasReply, AliasRequest, AliasesReply, Code, FieldError, Loc, Rejection, decode,
};

use super::scoped::Series;
use super::{Call, body, convert, ok};
use crate::store::{AliasRecord, Condition};

/// Such a body has one short field.
const BODY_MAX_BYTES: usize = 4 * 1024;

/// `GET`: all aliases of a series.
pub(super) async fn list(call: &Call<'_>, series: &Series<'_>) -> Result<HttpResponse, Rejection> {
    api::query::read(call.request.query_string(), [])?;
    let aliases = call.state.registry()?.read_aliases(series.name()).await;
    let aliases = aliases.map_err(|error| convert::rejection(&error))?;
    let tags: Vec<String> = aliases.iter().map(|(_, record)| tag_of(record)).collect();
    let told = aliases.iter().zip(&tags);
    Ok(ok(&AliasesReply {
        series_id: series.id(),
        aliases: told
            .map(|((alias, record), tag)| told_of(series, alias, record, tag))
            .collect(),
    }))
}

/// `GET`, `PUT` and `DELETE` of one alias.
pub(super) async fn handle(
    call: &Call<'_>,
    payload: Payload,
    series: &Series<'_>,
    alias: &str,
) -> Result<HttpResponse, Rejection> {
    let Call { request, state, .. } = *call;
    let alias = Alias::parse(alias, ["path", "alias"])?;
    api::query::read(request.query_string(), [])?;
    let registry = state.registry()?;
    let is_change = [Method::PUT, Method::DELETE].contains(request.method());
    if !is_change {
        let found = registry.read_alias(series.name(), alias.as_str()).await;
        let record = found.map_err(|error| convert::rejection(&error))?;
        return Ok(reply(series, alias, &record, StatusCode::OK));
    }
    let condition = condition_of(request)?;
    let version = if request.method() == Method::PUT {
        let limit = BODY_MAX_BYTES.min(state.max_body_bytes);
        let body = body::read_json(call, payload, limit, None).await?;
        Some(decode::<AliasRequest>(&body)?.version()?)
    } else {
        None
    };
    let changed = registry.change_alias(series.name(), alias.as_str(), version, condition);
    let changed = changed.await.map_err(|error| convert::rejection(&error))?;
    Ok(match changed.now {
        Some(record) if changed.before.is_none() => {
            reply(series, alias, &record, StatusCode::CREATED)
        }
        Some(record) => reply(series, alias, &record, StatusCode::OK),
        None => HttpResponse::new(StatusCode::NO_CONTENT),
    })
}

fn reply(
    series: &Series<'_>,
    alias: Alias<'_>,
    record: &AliasRecord,
    status: StatusCode,
) -> HttpResponse {
    let tag = tag_of(record);
    let mut reply = ok(&told_of(series, alias.as_str(), record, &tag));
    *reply.status_mut() = status;
    let tag = HeaderValue::from_str(&tag).expect("digits in quotes are visible ASCII");
    reply.headers_mut().insert(header::ETAG, tag);
    reply
}

pub(super) fn told_of<'a>(
    series: &'a Series<'_>,
    alias: &'a str,
    record: &AliasRecord,
    etag: &'a str,
) -> AliasReply<'a> {
    AliasReply {
        series_id: series.id(),
        alias,
        version: record.version,
        updated_at: i64::try_from(record.updated_at_ms / 1_000).unwrap_or(i64::MAX),
        etag,
    }
}

/// A change has a number of its own: a strong validator (RFC 9110, section 8.8.1).
pub(super) fn tag_of(record: &AliasRecord) -> String {
    format!("\"{}\"", record.revision)
}

/// What `If-Match` and `If-None-Match` ask for (RFC 9110, section 13.1).
fn condition_of(request: &HttpRequest) -> Result<Condition, Rejection> {
    let values = |name: HeaderName| {
        let values = request.headers().get_all(name);
        values
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect::<Vec<_>>()
    };
    let (matches, none_matches) = (values(header::IF_MATCH), values(header::IF_NONE_MATCH));
    match (matches.as_slice(), none_matches.as_slice()) {
        ([], []) => Ok(Condition::Any),
        ([], [only]) if only.trim() == "*" => Ok(Condition::Absent),
        ([], _) => Err(refused(
            "If-None-Match",
            "a change takes `*` only: the alias is not there",
        )),
        ([only], []) if only.trim() == "*" => Ok(Condition::Present),
        (tags, []) => Ok(Condition::OneOf(
            tags.iter()
                .flat_map(|list| list.split(','))
                .filter_map(revision_of)
                .collect(),
        )),
        _ => Err(refused("If-Match", "it does not go with If-None-Match")),
    }
}

/// The change that a tag names. A weak tag, or one that is not ours, matches nothing.
fn revision_of(tag: &str) -> Option<u64> {
    tag.trim()
        .strip_prefix('"')?
        .strip_suffix('"')?
        .parse()
        .ok()
}

fn refused(name: &str, reason: &str) -> Rejection {
    let error = FieldError::new([Loc::from("header"), Loc::from(name)], reason);
    Rejection::one(Code::ParameterConflict, error)
}
