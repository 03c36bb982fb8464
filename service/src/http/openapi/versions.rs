//! What is made of versions, and what is told of them: freezing, calibration, plot.

use api::Code;
use serde_json::json;
use utoipa::openapi::path::{HttpMethod, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::{AnyOfBuilder, ObjectBuilder};
use utoipa::openapi::{Ref, Required};

use super::fields::{self, closed, text};
use super::operation::{Op, json_reply, next, text_reply};
use super::{headers, inventory};
use crate::http::artifact;

pub(super) fn versions() -> PathItem {
    let reply = AnyOfBuilder::new()
        .item(Ref::from_schema_name("FrozenReply"))
        .item(Ref::from_schema_name("FitReply"));
    let reply = json_reply(
        "The version, synced to disk: of the online state, or imported.",
        reply,
    )
    .header(api::idempotency::REPLAYED, headers::replayed())
    .link(
        "predict",
        next("predict", &[("version", "$response.body#/version")]),
    );
    let list = inventory::versions();
    Op::new(
        "freeze",
        "online",
        "Freeze the online state into a version, or import one",
    )
    .about(
        "JSON freezes the online state: the version judges the next point as the update would, and never changes. An \
         artifact of `GET /series/{series_id}/versions/{version}/artifact`, of this server or another one, becomes the \
         next version of the series and answers as the one it was made from.",
    )
        .series()
        .query(
            "set_alias",
            "An alias that points to the version from the moment it is stored; with API keys it needs the scope `admin`, too.",
            api::schema::alias(),
        )
        .work()
        .writes()
        .idempotent()
        .json(
            Ref::from_schema_name("VersionRequest"),
            &[("online", json!({ "from": "online" }))],
        )
        .file(artifact::MEDIA_TYPE, "What an export answered with, as it is.")
        .reply(200, reply)
        .may(&[
            Code::NoOnlineState,
            Code::SeriesDeleted,
            Code::InvalidQuery,
            Code::TooFewPoints,
            Code::ParameterOutOfRange,
            Code::InvalidArtifact,
            Code::InvalidAlias,
        ])
        .and(list, HttpMethod::Post)
}

/// The body that freezes.
pub(super) fn request() -> ObjectBuilder {
    let from = text()
        .enum_values(Some(["online"]))
        .description(Some("Where the version comes from."));
    closed().property("from", from).required("from")
}

pub(super) fn calibration() -> PathItem {
    Op::new(
        "calibration",
        "series",
        "How often a version alarmed, against how often it was asked to",
    )
    .about(
        "Counted since the version was last read from the store. The interval is exact (Clopper and Pearson); the verdict \
         compares it with the rate that was asked for.",
    )
    .series()
    .query(
        "version",
        "The version; the latest by default and for `0`.",
        fields::version_selector(),
    )
    .query(
        "state",
        "The online state instead; does not go with `version`.",
        text().enum_values(Some(["online"])),
    )
    .reply(
        200,
        json_reply(
            "Since the process started at the earliest.",
            Ref::from_schema_name("CalibrationReply"),
        ),
    )
    .may(&[
        Code::UnknownSeries,
        Code::UnknownVersion,
        Code::NoOnlineState,
        Code::InvalidVersion,
    ])
    .only(HttpMethod::Get)
}

pub(super) fn plot() -> PathItem {
    let series = ParameterBuilder::new()
        .name("series_id")
        .parameter_in(ParameterIn::Query)
        .required(Required::True)
        .schema(Some(api::schema::series_id()))
        .example(Some(json!("checkout-latency")));
    let page = text_reply("A page without outside addresses.", "text/html")
        .header(
            "Content-Security-Policy",
            headers::present("Nothing but the page's own script."),
        )
        .header("X-Content-Type-Options", headers::present("`nosniff`."));
    Op::new(
        "plot",
        "series",
        "The training points of a version and the expected band, to look at",
    )
    .about("A page of one file, which loads nothing from any address.")
    .parameter(series.build())
    .query(
        "version",
        "The version; the latest by default and for `0`.",
        fields::version_selector(),
    )
    .work()
    .reply(200, page)
    .may(&[
        Code::UnknownSeries,
        Code::UnknownVersion,
        Code::MissingField,
        Code::InvalidSeriesId,
        Code::InvalidVersion,
        Code::StoreUnavailable,
        Code::StoredRecordDamaged,
    ])
    .only(HttpMethod::Get)
}
