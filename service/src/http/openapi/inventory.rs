//! `/series` and what is below it: lists, single series and versions, and versions as files.

use api::Code;
use api::limits::{PAGE_DEFAULT, PAGE_MAX, SERIES_ID_MAX_BYTES};
use serde_json::json;
use utoipa::openapi::path::{HttpMethod, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Type};
use utoipa::openapi::{Ref, Required};

use super::fields::{self, text};
use super::headers;
use super::operation::{Op, file_reply, json_reply, next};
use crate::http::artifact::MEDIA_TYPE;

pub(super) fn list() -> PathItem {
    let filters = ArrayBuilder::new().items(
        text()
            .pattern(Some("^[A-Za-z0-9._/-]{1,63}=[ -~]{0,256}$"))
            .examples(["team=payments"]),
    );
    let label = ParameterBuilder::new()
        .name("label")
        .parameter_in(ParameterIn::Query)
        .description(Some(
            "`key=value`: only series that have this label. May be repeated: all of them.",
        ))
        .schema(Some(filters))
        .example(Some(json!(["team=payments"])));
    let op = Op::new("list_series", "series", "List the series")
        .about(
            "In the order of their ids, page by page. A cursor has the last id that was seen: a series that is there \
             throughout is told exactly once, whatever comes and goes. A page may be short of its limit before the last one.",
        )
        .query(
            "prefix",
            "What the ids begin with.",
            text()
                .pattern(Some("^[A-Za-z0-9._:@-]*$"))
                .max_length(Some(SERIES_ID_MAX_BYTES))
                .examples(["checkout-"]),
        )
        .parameter(label.build());
    paged(op)
        .may(&[
            Code::InvalidLabel,
            Code::StoreUnavailable,
            Code::Overloaded,
            Code::StoredRecordDamaged,
            Code::StoreIncomplete,
            Code::Internal,
        ])
        .reply(
            200,
            json_reply("A page.", Ref::from_schema_name("SeriesListReply")),
        )
        .only(HttpMethod::Get)
}

pub(super) fn series() -> PathItem {
    let reply = json_reply("The series.", Ref::from_schema_name("SeriesReply")).link(
        "version",
        next("version", &[("version", "$response.body#/latest_version")]),
    );
    Op::new(
        "series",
        "series",
        "A series: its versions, labels and aliases",
    )
    .about("Labels are those of the newest fit that named any.")
    .series()
    .reply(200, reply)
    .may(&[Code::UnknownSeries, Code::InvalidQuery])
    .only(HttpMethod::Get)
}

/// The list, to which the operation that makes versions is added.
pub(super) fn versions() -> PathItem {
    let op = Op::new("versions", "series", "List the versions of a series")
        .about("Numbers of versions that were deleted are missing and never given again.")
        .series()
        .query(
            "order",
            "`desc`, the newest first, by default.",
            text().enum_values(Some(["desc", "asc"])),
        );
    paged(op)
        .reply(
            200,
            json_reply("A page.", Ref::from_schema_name("VersionsReply")),
        )
        .may(&[Code::UnknownSeries])
        .only(HttpMethod::Get)
}

pub(super) fn version() -> PathItem {
    let reply = json_reply("The version.", Ref::from_schema_name("VersionReply")).header(
        "ETag",
        headers::tag(
            "The hash of the model, in its quotes.",
            "^\"[0-9a-f]{32}\"$",
        ),
    );
    of_version(
        "version",
        "A version: how it was made, and what it rests on",
    )
    .about("With `diff_from`, also what differs from another version: parameters, calibration, obeyed feedback, and what is normal.")
    .query(
        "diff_from",
        "The version to compare with; the latest for `0`.",
        fields::version_selector(),
    )
    .reply(200, reply)
    .only(HttpMethod::Get)
}

pub(super) fn artifact() -> PathItem {
    let tag = || {
        headers::tag(
            "The checksum of the file, in its quotes.",
            "^\"[0-9a-f]{32}\"$",
        )
    };
    let file = file_reply(
        "The file: the model with its training points, labels and parameters, under a checksum.",
        MEDIA_TYPE,
    )
    .header("ETag", tag())
    .header(
        "Repr-Digest",
        headers::present("`sha-256` of the file (RFC 9530)."),
    )
    .header(
        "Content-Disposition",
        headers::present("A name for the file."),
    )
    .header("X-Content-Type-Options", headers::present("`nosniff`."));
    let known = ResponseBuilder::new()
        .description("The caller has this file.")
        .header("ETag", tag());
    of_version("artifact", "A version as a file, to import elsewhere")
        .about("The same version gives the same bytes for ever. `POST /series/{series_id}/versions` imports it.")
        .parameter(headers::if_none_match_file())
        .work()
        .reply(200, file)
        .reply(304, known)
        .only(HttpMethod::Get)
}

fn of_version(id: &str, summary: &str) -> Op {
    Op::new(id, "series", summary)
        .series()
        .path(
            "version",
            fields::version_step().description(Some("The version; `0` is the latest.")),
            "1",
        )
        .may(&[
            Code::UnknownSeries,
            Code::UnknownVersion,
            Code::InvalidVersion,
            Code::InvalidQuery,
        ])
}

fn paged(op: Op) -> Op {
    let limit = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(1))
        .maximum(Some(PAGE_MAX))
        .default(Some(json!(PAGE_DEFAULT)));
    let cursor = ParameterBuilder::new()
        .name("cursor")
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(
            "`next_cursor` of the page before, with the other parameters as they were; only `limit` may change.",
        ))
        .schema(Some(text().pattern(Some("^[A-Za-z0-9_-]+$"))));
    op.query("limit", "Most entries of a page.", limit)
        .parameter(cursor.build())
        .may(&[Code::InvalidCursor])
}
