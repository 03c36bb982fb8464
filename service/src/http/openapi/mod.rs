//! `GET /openapi.json`: the OpenAPI 3.1 document of this server.
//!
//! A file here describes the operations of a resource. Schemas of replies are derived from the types that write them
//! (`api`); those of requests are built, since requests are decoded by hand; limits and codes come from where they are
//! enforced. A test keeps paths and methods equal to the router's, and `docs/openapi.json` equal to the document.

mod aliases;
mod deletes;
mod detect;
mod examples;
mod fields;
mod fit;
mod headers;
mod inventory;
mod lines;
mod online;
mod operation;
mod predict;
mod service;
mod versions;

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::header;
use api::inventory as inventory_types;
use api::lines::{LineProblem, SeriesPointReply};
use api::{AliasReply, AliasesReply, ColumnsReply, DetectReply, FitReply, Health, PointReply};
use api::{Problem, Rejection, calibration, update};
use bytes::Bytes;
use utoipa::ToSchema;
use utoipa::openapi::path::{Operation, PathItem, PathsBuilder};
use utoipa::openapi::response::Response;
use utoipa::openapi::schema::Schema;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::tag::{Tag, TagBuilder};
use utoipa::openapi::{
    Components, ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, RefOr,
    SecurityRequirement, Server,
};

use super::{Call, health, ok_bytes};

/// The document as it is sent: written once.
static BYTES: LazyLock<Bytes> = LazyLock::new(|| {
    let text = serde_json::to_vec(&document()).expect("text and numbers serialise");
    Bytes::from(text)
});

/// Answers with the document.
pub(super) fn handle(call: &Call<'_>) -> Result<HttpResponse, Rejection> {
    api::query::read(call.request.query_string(), [])?;
    let mut reply = ok_bytes(BYTES.clone());
    // For the viewers and generators that ask from a page of another address.
    let any = header::HeaderValue::from_static("*");
    reply
        .headers_mut()
        .insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, any);
    Ok(reply)
}

/// The document.
#[must_use]
pub fn document() -> OpenApi {
    let license = LicenseBuilder::new()
        .name("MIT OR Apache-2.0")
        .identifier(Some(env!("CARGO_PKG_LICENSE")))
        .build();
    let info = InfoBuilder::new()
        .title("Tidemark")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(license))
        .build();
    let paths = paths().into_iter();
    let paths = paths.fold(PathsBuilder::new(), |paths, (path, item)| {
        paths.path(path, with_head(item))
    });
    let mut document = OpenApiBuilder::new()
        .info(info)
        .servers(Some([Server::new("/")]))
        .tags(Some(tags()))
        .paths(paths)
        .components(Some(components()))
        .build();
    examples::add_replies(&mut document);
    examples::add_problems(&mut document);
    document.security = Some(vec![
        SecurityRequirement::default(),
        SecurityRequirement::new::<_, [&str; 0], _>("bearer", []),
        SecurityRequirement::new::<_, [&str; 0], _>("api_key", []),
    ]);
    document
}

const ABOUT: &str = "Learns what is normal for a series from its history and says of points whether they are anomalous, \
    how surely, and within which bounds they would have been normal. Times are Unix seconds unless a fit says otherwise, \
    latencies milliseconds. Unknown fields and parameters are refused by name. Every refusal is a problem document \
    (RFC 9457) with a stable `code`.";

/// Every path, in the order of the document.
fn paths() -> Vec<(&'static str, PathItem)> {
    vec![
        ("/fit/{series_id}", fit::fit()),
        ("/predict/{series_id}", predict::predict()),
        ("/predict", predict::predict_many()),
        ("/update/{series_id}", online::update()),
        ("/detect", detect::detect()),
        ("/series", inventory::list()),
        ("/series/{series_id}", deletes::series(inventory::series())),
        ("/series/{series_id}/versions", versions::versions()),
        (
            "/series/{series_id}/versions/{version}",
            deletes::version(inventory::version()),
        ),
        (
            "/series/{series_id}/versions/{version}/artifact",
            inventory::artifact(),
        ),
        ("/series/{series_id}/aliases", aliases::list()),
        ("/series/{series_id}/aliases/{alias}", aliases::alias()),
        ("/series/{series_id}/calibration", versions::calibration()),
        ("/plot", versions::plot()),
        ("/healthcheck", service::healthcheck()),
        ("/metrics", service::metrics()),
        ("/health/live", service::live()),
        ("/health/ready", service::ready("ready")),
        ("/health", service::ready("health")),
        ("/health/startup", service::startup()),
        ("/problems/{code}", service::problem_page()),
        ("/openapi.json", service::openapi()),
        ("/docs", service::docs()),
        ("/docs/{file}", service::docs_file()),
    ]
}

fn tags() -> Vec<Tag> {
    let tags = [
        (
            "models",
            "Fit a model to a history, and ask it about points.",
        ),
        ("online", "Models that learn from every point."),
        (
            "series",
            "Versions of series, their names, and what became of their alarms.",
        ),
        ("service", "The server itself."),
    ];
    let tags = tags.map(|(name, about)| {
        TagBuilder::new()
            .name(name)
            .description(Some(about))
            .build()
    });
    tags.into()
}

fn components() -> Components {
    let key = ApiKeyValue::with_description("x-api-key", "A key of `tidemark keys create`.");
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "A key of `tidemark keys create`; needed where the server has keys.",
        ));
    let components = ComponentsBuilder::new()
        .security_scheme("bearer", SecurityScheme::Http(bearer.build()))
        .security_scheme("api_key", SecurityScheme::ApiKey(ApiKey::Header(key)));
    let components = derived()
        .into_iter()
        .fold(components, |components, (name, schema)| {
            components.schema(name, schema)
        });
    let components = components
        .schema("Time", fields::time())
        .schema("Point", fields::point())
        .schema("Columns", fields::columns(0))
        .schema("SeriesPoint", predict::series_point())
        .schema("FitRequest", fit::request())
        .schema("DetectRequest", detect::request())
        .schema("VersionRequest", versions::request())
        .schema("AliasRequest", aliases::request());
    components.build()
}

/// The schemas of replies, and of what they are made of.
fn derived() -> Vec<(String, RefOr<Schema>)> {
    fn add<T: ToSchema>(all: &mut Vec<(String, RefOr<Schema>)>) {
        all.push((T::name().into_owned(), T::schema()));
        T::schemas(all);
    }
    let mut all = Vec::new();
    add::<Problem<'_>>(&mut all);
    add::<FitReply<'_>>(&mut all);
    add::<PointReply<'_>>(&mut all);
    add::<ColumnsReply<'_>>(&mut all);
    add::<LineProblem<'_>>(&mut all);
    add::<SeriesPointReply<'_>>(&mut all);
    add::<DetectReply<'_>>(&mut all);
    add::<update::UpdateReply<'_>>(&mut all);
    add::<update::UpdateColumnsReply<'_>>(&mut all);
    add::<update::FrozenReply<'_>>(&mut all);
    add::<AliasReply<'_>>(&mut all);
    add::<AliasesReply<'_>>(&mut all);
    add::<inventory_types::SeriesListReply<'_>>(&mut all);
    add::<inventory_types::SeriesReply<'_>>(&mut all);
    add::<inventory_types::VersionsReply<'_>>(&mut all);
    add::<inventory_types::VersionReply<'_>>(&mut all);
    add::<calibration::CalibrationReply<'_>>(&mut all);
    add::<Health>(&mut all);
    add::<health::Probe>(&mut all);
    all
}

/// What can be got can be asked for without its content (RFC 9110, 9.3.2).
fn with_head(mut item: PathItem) -> PathItem {
    item.head = item.get.as_ref().map(|get| without_content(get.clone()));
    item
}

fn without_content(mut operation: Operation) -> Operation {
    operation.operation_id = operation.operation_id.map(|id| format!("{id}_head"));
    operation.summary = operation
        .summary
        .map(|it| format!("{it}, without the content"));
    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(Response { content, links, .. }) = response {
            content.clear();
            links.clear();
        }
    }
    operation
}

#[cfg(test)]
mod tests;
