//! Header fields of requests and replies.

use api::limits::IDEMPOTENCY_KEY_MAX_BYTES;
use utoipa::openapi::Required;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Type};

use crate::admission::RETRY_AFTER_MAX_S;
use crate::http::admit::{DEADLINE_MAX_MS, DEADLINE_NAME};

fn parameter(name: &str, about: &str, schema: ObjectBuilder) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(about))
        .schema(Some(schema))
        .build()
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

pub(super) fn request_id() -> Parameter {
    let about = "The id of the reply and of the lines about it in the log, if it is 1 to 128 visible ASCII characters; \
                 else, the server makes one.";
    parameter("X-Request-ID", about, text())
}

pub(super) fn deadline() -> Parameter {
    let about = "For how many milliseconds the caller waits; 30,000 if it does not say. What cannot be done by then is not \
                 begun.";
    let schema = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(1))
        .maximum(Some(DEADLINE_MAX_MS));
    parameter(DEADLINE_NAME, about, schema)
}

pub(super) fn idempotency_key() -> Parameter {
    let about = "Names the request, so that it may be sent again: the same key, series and body get the answer that was \
                 given. Between double quotes it is the same key.";
    let (most, more) = (IDEMPOTENCY_KEY_MAX_BYTES, IDEMPOTENCY_KEY_MAX_BYTES - 1);
    let quoted = format!(r#""([!#-\[\]-~]|\\["\\]){{1,{most}}}""#);
    let schema = text().pattern(Some(format!(r"^([!#-~][!-~]{{0,{more}}}|{quoted})$")));
    parameter(api::idempotency::HEADER, about, schema)
}

pub(super) fn if_match() -> Parameter {
    let about = "The change is made only if the alias has one of these entity tags, or with `*` if it is there.";
    parameter("If-Match", about, text())
}

pub(super) fn if_match_hash() -> Parameter {
    let about =
        "The version is deleted only if its model has one of these hashes, each in double quotes.";
    parameter("If-Match", about, text())
}

pub(super) fn if_none_match() -> Parameter {
    let about =
        "With `*`: the change is made only if the alias is not there. Does not go with `If-Match`.";
    parameter("If-None-Match", about, text().enum_values(Some(["*"])))
}

fn header(about: &str, schema: ObjectBuilder) -> HeaderBuilder {
    HeaderBuilder::new()
        .description(Some(about))
        .schema(Some(schema))
}

/// A header that every such reply has.
fn always(header: HeaderBuilder) -> Header {
    // The builders have no `required`, and write extensions as they are named.
    let required = Extensions::from_iter([("required", true)]);
    header.extensions(Some(required)).build()
}

/// A reply with what every reply carries.
pub(super) fn stamped(reply: ResponseBuilder) -> ResponseBuilder {
    let id = header("The id of the request.", text().min_length(Some(1)));
    let took = header(
        "How long the server took.",
        text().pattern(Some(r"^[0-9]+\.[0-9]{2}ms$")),
    );
    reply
        .header("X-Request-ID", always(id))
        .header("X-Response-Time", always(took))
}

/// The reply to a refusal, with what it carries besides.
pub(super) fn of_refusal(reply: ResponseBuilder, status: u16) -> ResponseBuilder {
    let of_admission = |reply: ResponseBuilder| {
        let policy = header("The limit that was met.", text());
        let left = header("What is left of it, and when to come back.", text());
        reply
            .header("RateLimit-Policy", policy.build())
            .header("RateLimit", left.build())
            .header("Retry-After", always(retry_after()))
    };
    match status {
        429 | 503 => of_admission(reply),
        _ => reply,
    }
}

/// When to come back.
pub(super) fn retry_after() -> HeaderBuilder {
    let seconds = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(1))
        .maximum(Some(RETRY_AFTER_MAX_S));
    header("Seconds after which to send the request again.", seconds)
}

/// The header of a reply that needs no more than to be there.
pub(super) fn present(about: &str) -> Header {
    always(header(about, text().min_length(Some(1))))
}

pub(super) fn if_none_match_file() -> Parameter {
    let about =
        "With an entity tag that was told before: the file is sent only if it is another one.";
    parameter("If-None-Match", about, text())
}

/// An entity tag.
pub(super) fn tag(about: &str, pattern: &str) -> Header {
    always(header(about, text().pattern(Some(pattern))))
}

/// The entity tag of an alias.
pub(super) fn etag() -> Header {
    always(HeaderBuilder::new().schema(Some(api::schema::etag())))
}

/// Whether the answer was given before.
pub(super) fn replayed() -> Header {
    let about = "`true` if the answer is that of an earlier request with the same key.";
    header(about, text().enum_values(Some(["true"]))).build()
}
