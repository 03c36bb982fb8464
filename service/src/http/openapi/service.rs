//! What is asked of the server itself.

use api::Code;
use serde_json::json;
use utoipa::openapi::Ref;
use utoipa::openapi::content::Content;
use utoipa::openapi::path::{HttpMethod, PathItem};
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::fields::text;
use super::headers;
use super::operation::{Op, json_reply, text_reply};

pub(super) fn healthcheck() -> PathItem {
    let reply = json_reply(
        "How many series, and how long requests took.",
        Ref::from_schema_name("Health"),
    );
    Op::new("healthcheck", "service", "Count of series and latencies")
        .reply(200, reply)
        .may(&[Code::StoreUnavailable])
        .only(HttpMethod::Get)
}

pub(super) fn metrics() -> PathItem {
    let text = || Content::new(Some(ObjectBuilder::new().schema_type(Type::String)));
    let reply = text_reply("In the format that `Accept` asks for.", "text/plain")
        .content("application/openmetrics-text", text())
        .header("Vary", headers::present("`Accept`."));
    Op::new("metrics", "service", "Metrics for Prometheus")
        .reply(200, reply)
        .may(&[Code::Internal])
        .only(HttpMethod::Get)
}

pub(super) fn live() -> PathItem {
    Op::new("live", "service", "Whether the process answers")
        .open()
        .reply(200, probe("It does."))
        .only(HttpMethod::Get)
}

pub(super) fn ready(id: &str) -> PathItem {
    Op::new(id, "service", "Whether to send requests here")
        .open()
        .reply(200, probe("Yes."))
        .reply(503, not_now("No, and why."))
        .only(HttpMethod::Get)
}

pub(super) fn startup() -> PathItem {
    Op::new("startup", "service", "Whether the store is open")
        .open()
        .reply(200, probe("It is."))
        .reply(503, not_now("It is being opened."))
        .only(HttpMethod::Get)
}

fn probe(about: &str) -> ResponseBuilder {
    json_reply(about, Ref::from_schema_name("Probe"))
}

fn not_now(about: &str) -> ResponseBuilder {
    probe(about).header("Retry-After", headers::retry_after().build())
}

pub(super) fn problem_page() -> PathItem {
    let codes = Code::ALL.iter().map(|code| code.slug());
    let code = text().enum_values(Some(codes));
    Op::new(
        "problem",
        "service",
        "What a problem code means and what to do about it",
    )
    .open()
    .path("code", code, Code::TimestampsNotIncreasing.slug())
    .reply(200, text_reply("The page.", "text/plain"))
    .may(&[Code::NotFound])
    .only(HttpMethod::Get)
}

pub(super) fn openapi() -> PathItem {
    let document = ObjectBuilder::new()
        .property("openapi", text().pattern(Some(r"^3\.1\.")))
        .required("openapi")
        .required("info")
        .required("paths")
        .examples([json!({ "openapi": "3.1.0", "info": {}, "paths": {} })]);
    Op::new("openapi", "service", "This document")
        .open()
        .reply(200, json_reply("OpenAPI 3.1.", document))
        .may(&[Code::InvalidQuery])
        .only(HttpMethod::Get)
}
