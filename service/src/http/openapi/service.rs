//! What is asked of the server itself.

use api::Code;
use serde_json::json;
use utoipa::openapi::Ref;
use utoipa::openapi::content::Content;
use utoipa::openapi::path::{HttpMethod, PathItem};
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::super::docs;
use super::fields::text;
use super::headers;
use super::operation::{Op, json_reply, text_reply};

pub(super) fn healthcheck() -> PathItem {
    let reply = json_reply(
        "How many series, and how long requests took.",
        Ref::from_schema_name("Health"),
    );
    Op::new("healthcheck", "service", "Count of series and latencies")
        .about("Latencies are of the last 1,000 requests that were answered with 200.")
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
        .about("Every family is described in docs/metrics.md.")
        .reply(200, reply)
        .may(&[Code::Internal])
        .only(HttpMethod::Get)
}

pub(super) fn live() -> PathItem {
    Op::new("live", "service", "Whether the process answers")
        .about("It does not depend on the store: a process that only waits for its disk is not to be restarted.")
        .open()
        .reply(200, probe("It does."))
        .only(HttpMethod::Get)
}

pub(super) fn ready(id: &str) -> PathItem {
    Op::new(id, "service", "Whether to send requests here")
        .about("No while it starts, drains, or cannot write.")
        .open()
        .reply(200, probe("Yes."))
        .reply(503, not_now("No, and why."))
        .only(HttpMethod::Get)
}

pub(super) fn startup() -> PathItem {
    Op::new("startup", "service", "Whether the store is open")
        .about("Once it is, it stays 200.")
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
    .about("The `type` of every problem document leads here.")
    .open()
    .path("code", code, Code::TimestampsNotIncreasing.slug())
    .reply(200, text_reply("The page.", "text/plain"))
    .may(&[Code::NotFound])
    .only(HttpMethod::Get)
}

pub(super) fn openapi() -> PathItem {
    let document = ObjectBuilder::new()
        .property("openapi", text().pattern(Some(r"^3\.1\.")))
        .property("info", ObjectBuilder::new().schema_type(Type::Object))
        .property("paths", ObjectBuilder::new().schema_type(Type::Object))
        .required("openapi")
        .required("info")
        .required("paths")
        .examples([json!({ "openapi": "3.1.0", "info": {}, "paths": {} })]);
    Op::new("openapi", "service", "This document")
        .about("Written from the code of the server that answers.")
        .open()
        .reply(200, json_reply("OpenAPI 3.1.", document))
        .may(&[Code::InvalidQuery])
        .only(HttpMethod::Get)
}

pub(super) fn docs() -> PathItem {
    Op::new("docs", "service", "This document, to look at and to try")
        .about("Swagger UI, from files of the server: the page loads nothing from another address.")
        .open()
        .reply(200, text_reply("The page.", "text/html"))
        .may(&[Code::InvalidQuery])
        .only(HttpMethod::Get)
}

pub(super) fn docs_file() -> PathItem {
    let name = text().enum_values(Some(docs::names()));
    let content = || Content::new(Some(ObjectBuilder::new().schema_type(Type::String)));
    let reply = text_reply(
        "The file, by gzip where the caller takes it.",
        "text/javascript",
    )
    .content("text/css", content());
    Op::new("docs_file", "service", "A file of the page of `/docs`")
        .about("What the page loads.")
        .open()
        .path("file", name, "tidemark.js")
        .reply(200, reply)
        .may(&[Code::NotFound])
        .only(HttpMethod::Get)
}
