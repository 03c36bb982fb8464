//! `/series/{series_id}/aliases` and `/series/{series_id}/aliases/{alias}`.

use api::Code;
use serde_json::json;
use utoipa::openapi::Ref;
use utoipa::openapi::path::{HttpMethod, PathItem};
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::ObjectBuilder;

use super::fields::{closed, text};
use super::headers;
use super::operation::{Op, json_reply};

pub(super) fn list() -> PathItem {
    Op::new("aliases", "series", "List the aliases of a series")
        .about("In the order of their names.")
        .series()
        .reply(
            200,
            json_reply("By name.", Ref::from_schema_name("AliasesReply")),
        )
        .may(&[Code::UnknownSeries, Code::InvalidQuery])
        .only(HttpMethod::Get)
}

pub(super) fn alias() -> PathItem {
    let get = of_alias("get_alias", "Where an alias points")
        .reply(200, told("Where it points."))
        .may(&[Code::UnknownAlias])
        .only(HttpMethod::Get);
    let put = change("put_alias", "Point an alias to a version")
        .json(
            Ref::from_schema_name("AliasRequest"),
            &[("first", json!({ "version": "1" }))],
        )
        .reply(200, told("It points there now."))
        .reply(201, told("It is new, and points there."))
        .may(&[Code::UnknownVersion, Code::InvalidVersion])
        .and(get, HttpMethod::Put);
    change("delete_alias", "Remove an alias; the version stays")
        .reply(204, ResponseBuilder::new().description("It is gone."))
        .may(&[Code::UnknownAlias])
        .and(put, HttpMethod::Delete)
}

fn of_alias(id: &str, summary: &str) -> Op {
    Op::new(id, "series", summary)
        .about("The entity tag changes with every change of the alias: a change that carries it is made only if nobody came first.")
        .series()
        .path("alias", api::schema::alias(), "champion")
        .may(&[Code::UnknownSeries, Code::InvalidAlias, Code::InvalidQuery])
}

fn change(id: &str, summary: &str) -> Op {
    of_alias(id, summary)
        .writes()
        .about("A conditional change is made only if the alias is as assumed (RFC 9110, 13.1).")
        .parameter(headers::if_match())
        .parameter(headers::if_none_match())
        .may(&[Code::AliasPreconditionFailed, Code::ParameterConflict])
}

fn told(about: &str) -> ResponseBuilder {
    json_reply(about, Ref::from_schema_name("AliasReply")).header("ETag", headers::etag())
}

/// The body of a `PUT`.
pub(super) fn request() -> ObjectBuilder {
    let version = text()
        .pattern(Some("^ *[vV]?0*[1-9][0-9]* *$"))
        .description(Some("The version to point to."));
    closed().property("version", version).required("version")
}
