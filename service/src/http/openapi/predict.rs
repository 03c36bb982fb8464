//! `/predict/{series_id}`.

use api::Code;
use serde_json::json;
use utoipa::openapi::Ref;
use utoipa::openapi::path::{HttpMethod, PathItem};
use utoipa::openapi::schema::OneOfBuilder;

use super::fields::{self, text};
use super::operation::{Op, json_reply};

pub(super) fn predict() -> PathItem {
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
            text().enum_values(Some(["true", "false", ""])),
        )
        .work()
        .json(body, &[("one", one), ("columns", columns)])
        .reply(200, json_reply("The verdicts: of a point, or as columns.", reply))
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
