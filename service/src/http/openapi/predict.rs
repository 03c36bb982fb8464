//! `/predict/{series_id}` and `/predict`.

use api::Code;
use serde_json::json;
use utoipa::openapi::Ref;
use utoipa::openapi::content::Content;
use utoipa::openapi::path::{HttpMethod, PathItem};
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder};

use super::fields::{self, closed, text};
use super::lines;
use super::operation::{Op, json_reply};
use crate::http::body::NDJSON;
use crate::http::negotiate::CSV;

const A_POINT: &str =
    "A point a line, as many as you like, answered by one version while more of them come.";

pub(super) fn predict() -> PathItem {
    let lines_of_points = json!([
        { "timestamp": "1700000480", "value": 10.1 },
        { "timestamp": 1_700_000_540, "value": 12.9 },
    ]);
    let one = json!({ "timestamp": "1700000480", "value": 12.9 });
    let columns =
        json!({ "timestamps": [1_700_000_480, "2023-11-14T22:22:20Z"], "values": [10.1, 12.9] });
    let body = OneOfBuilder::new()
        .item(Ref::from_schema_name("Point"))
        .item(Ref::from_schema_name("Columns"));
    let reply = OneOfBuilder::new()
        .item(Ref::from_schema_name("PointReply"))
        .item(Ref::from_schema_name("ColumnsReply"));
    Op::new("predict", "models", "Judge a point, or many as columns")
        .about(
            "`anomaly`, `p_value < alarm_rate`, `anomaly_score > 1` and \"outside the bounds\" always agree exactly. A version \
             never changes: the same request with the same version gives the same bytes.",
        )
        .series()
        .query(
            "version",
            "The version to ask; the latest by default and for `0`.",
            fields::version_selector(),
        )
        .query(
            "alias",
            "The alias of the version to ask; does not go with `version`.",
            api::schema::alias(),
        )
        .query(
            "as_of",
            "A time: the version that was the latest then, to the end of that second. Goes with neither of both.",
            fields::moment(),
        )
        .parameter(fields::chosen_columns())
        .query(
            "explain",
            "Whether to add `reasons`.",
            explain(),
        )
        .work()
        .json(body, &[("one", one), ("columns", columns)])
        .lines("Point", A_POINT, lines_of_points)
        .csv("Answered as columns.")
        .reply(
            200,
            json_reply("The verdicts: of a point, as columns, or a line for each line.", reply)
                .content(NDJSON, Content::new(Some(lines::of_reply("PointReply"))))
                .content(CSV, lines::of_csv()),
        )
        .may(&[
            Code::UnknownSeries,
            Code::UnknownVersion,
            Code::UnknownAlias,
            Code::InvalidVersion,
            Code::InvalidAlias,
            Code::ParameterConflict,
            Code::ConflictingFields,
            Code::LengthsDiffer,
            Code::TimestampInvalid,
            Code::ValueNotANumber,
        ])
        .only(HttpMethod::Post)
}

pub(super) fn predict_many() -> PathItem {
    let example = json!([
        { "series_id": "checkout-latency", "timestamp": "1700000480", "value": 10.1 },
        { "series_id": "checkout-latency", "timestamp": 1_700_000_540, "value": 12.9, "version": "1" },
    ]);
    let reply = ResponseBuilder::new()
        .description("A verdict or a problem for each line.")
        .content(
            NDJSON,
            Content::new(Some(lines::of_reply("SeriesPointReply"))),
        );
    Op::new("predict_many", "models", "Judge points of many series, a line each")
        .about(
            "Answered in order, while more lines come. A line that cannot be answered, such as one of a series that nobody \
             fitted, has its problem in its place, and the others are answered.",
        )
        .query("explain", "Whether to add `reasons`.", explain())
        .work()
        .lines("SeriesPoint", "A point of a series a line, as many as you like.", example)
        .reply(200, reply)
        .may(&[Code::StoreUnavailable])
        .only(HttpMethod::Post)
}

fn explain() -> ObjectBuilder {
    text().enum_values(Some(["true", "false", ""]))
}

/// A point that names its series.
pub(super) fn series_point() -> ObjectBuilder {
    closed()
        .property("series_id", api::schema::series_id())
        .property("timestamp", Ref::from_schema_name("Time"))
        .property("value", fields::number())
        .property("version", fields::version_selector())
        .property("alias", api::schema::alias())
        .required("series_id")
        .required("timestamp")
        .required("value")
}
