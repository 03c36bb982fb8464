//! `/detect`.

use api::Code;
use detectors::PERIODS_MAX;
use serde_json::json;
use utoipa::openapi::Ref;
use utoipa::openapi::path::{HttpMethod, PathItem};
use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::fields::{self, closed, or_null, words_or_null};
use super::lines;
use super::operation::{Op, json_reply};
use crate::http::negotiate::CSV;

pub(super) fn detect() -> PathItem {
    let timestamps: Vec<i64> = (0..40).map(|i| 1_700_438_400 + 300 * i).collect();
    let values: Vec<i64> = (0..40)
        .map(|i| if i == 31 { 90 } else { 20 + i * 7 % 5 })
        .collect();
    let series = json!({ "timestamps": timestamps, "values": values });
    Op::new(
        "detect",
        "models",
        "Judge every point of a series by all others, and store nothing",
    )
    .about(
        "For a whole history at once: a point is compared with what came before and after it, which a fitted model \
         cannot do.",
    )
    .parameter(fields::chosen_columns())
    .work()
    .json(
        Ref::from_schema_name("DetectRequest"),
        &[("series", series)],
    )
    .csv("All else has its default.")
    .reply(
        200,
        json_reply(
            "The verdicts as columns.",
            Ref::from_schema_name("DetectReply"),
        )
        .content(CSV, lines::of_csv()),
    )
    .may(&[
        Code::InvalidQuery,
        Code::LengthsDiffer,
        Code::TooFewPoints,
        Code::TimestampInvalid,
        Code::TimestampNegative,
        Code::TimestampsNotIncreasing,
        Code::ValueNotANumber,
        Code::ParameterOutOfRange,
        Code::ParameterConflict,
        Code::ParameterUnsupported,
    ])
    .only(HttpMethod::Post)
}

/// The body. Fields of a fit that a detection refuses by their names are no part of it.
pub(super) fn request() -> ObjectBuilder {
    let min_points = ObjectBuilder::new()
        .schema_type(or_null(Type::Integer))
        .minimum(Some(0))
        .description(Some(
            "Points that the series must have; never fewer than 3.",
        ));
    fields::history(closed())
        .property("alarm_rate", fields::alarm_rate(or_null(Type::Number)))
        .property(
            "direction",
            words_or_null(&["both"]).description(Some("The only choice.")),
        )
        .property(
            "seasonality",
            fields::seasonality(
                PERIODS_MAX,
                "The day and the week where the series holds them, or these periods in `time_unit`.",
            ),
        )
        .property("timezone", fields::timezone(or_null(Type::String)))
        .property("time_unit", fields::time_unit())
        .property("min_points", min_points)
}
