//! What deletes: a version, a series.

use api::Code;
use utoipa::openapi::path::{HttpMethod, PathItem};
use utoipa::openapi::response::ResponseBuilder;

use super::headers;
use super::operation::Op;

/// Adds to the operations of a series.
pub(super) fn series(item: PathItem) -> PathItem {
    Op::new(
        "delete_series",
        "series",
        "Delete a series with all that belongs to it",
    )
    .about(
        "Versions, training points, aliases, the online state and the answers kept by idempotency keys go in one step. \
         A later fit of the same id begins anew, with the version number after the last one that was given.",
    )
    .series()
    .reply(204, gone())
    .may(&[
        Code::UnknownSeries,
        Code::InvalidQuery,
        Code::InvalidHeader,
    ])
    .and(item, HttpMethod::Delete)
}

/// Adds to the operations of a version.
pub(super) fn version(item: PathItem) -> PathItem {
    Op::new("delete_version", "series", "Delete a version")
        .about(
            "It goes with its training points, and its number is not given again. A version that an alias points to \
             stays, and `errors` names the aliases.",
        )
        .series()
        .path("version", api::schema::version(), "1")
        .parameter(headers::if_match_hash())
        .reply(204, gone())
        .may(&[
            Code::UnknownSeries,
            Code::UnknownVersion,
            Code::InvalidVersion,
            Code::InvalidQuery,
            Code::VersionInUse,
            Code::VersionPreconditionFailed,
        ])
        .and(item, HttpMethod::Delete)
}

fn gone() -> ResponseBuilder {
    ResponseBuilder::new().description("It is gone.")
}
