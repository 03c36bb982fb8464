//! `/update/{series_id}`.

use api::Code;
use serde_json::json;
use utoipa::openapi::Ref;
use utoipa::openapi::content::Content;
use utoipa::openapi::path::{HttpMethod, PathItem};
use utoipa::openapi::schema::{OneOfBuilder, Type};

use super::fields::{self, text};
use super::lines;
use super::operation::{Op, json_reply, next};
use crate::http::body::NDJSON;

pub(super) fn update() -> PathItem {
    let one = json!({ "timestamp": "1705001000", "value": 10.4 });
    let columns = json!({ "timestamps": [1_705_001_060, 1_705_001_120], "values": [10.1, 10.2] });
    let body = OneOfBuilder::new()
        .item(Ref::from_schema_name("Point"))
        .item(fields::columns(1));
    let lines = json!([
        { "timestamp": 1_705_001_180, "value": 10.2 },
        { "timestamp": "2024-01-11T19:27:20Z", "value": 12.7 },
    ]);
    let verdicts = OneOfBuilder::new()
        .item(Ref::from_schema_name("UpdateReply"))
        .item(Ref::from_schema_name("UpdateColumnsReply"));
    let reply = json_reply(
        "The verdicts from before each point was learnt, which is synced to disk.",
        verdicts,
    )
    .content(NDJSON, Content::new(Some(lines::of_reply("UpdateReply"))))
    .link("freeze", next("freeze", &[]));
    Op::new("update", "online", "Score points with the online state, then learn them")
        .about(
            "The first update of a series starts its state: from the latest version if there is one, else from nothing. \
             A point that is not later than the last one learnt is scored and not learnt.",
        )
        .series()
        .writes()
        .query(
            "from",
            "For the start: the version to start from; the latest for `0`.",
            fields::version_selector(),
        )
        .query(
            "alarm_rate",
            "For a start from nothing.",
            fields::alarm_rate(Type::Number),
        )
        .query(
            "timezone",
            "For a start from nothing.",
            fields::timezone(Type::String),
        )
        .query("time_unit", "For a start from nothing.", api::schema::time_unit())
        .query(
            "seasonality",
            "For a start from nothing: `auto`, or up to two periods with a comma between them.",
            text().pattern(Some("^(auto|[1-9][0-9]{0,17}(,[1-9][0-9]{0,17})?)$")),
        )
        .parameter(fields::chosen_columns())
        .work()
        .json(body, &[("one", one), ("columns", columns)])
        .lines("Point", "A point a line.", lines)
        .csv("Answered as columns.")
        .reply(200, reply)
        .may(&[
            Code::UnknownSeries,
            Code::UnknownVersion,
            Code::OnlineStateExists,
            Code::SeriesDeleted,
            Code::InvalidVersion,
            Code::ParameterOutOfRange,
            Code::ParameterConflict,
            Code::ParameterUnsupported,
            Code::ConflictingFields,
            Code::LengthsDiffer,
            Code::TooFewPoints,
            Code::TimestampInvalid,
            Code::ValueNotANumber,
        ])
        .only(HttpMethod::Post)
}
