//! `/fit/{series_id}`.

use api::Code;
use api::limits::LABELS_MAX;
use detectors::{EXCLUDED_MAX, MODELS, PERIODS_MAX};
use serde_json::json;
use utoipa::openapi::Ref;
use utoipa::openapi::path::{HttpMethod, PathItem};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Type};

use super::fields::{self, closed, number, or_null, words_or_null};
use super::headers;
use super::operation::{Op, json_reply, next};

pub(super) fn fit() -> PathItem {
    let values = [10.0, 10.2, 10.1, 9.9, 10.3, 10.15, 9.95, 10.25];
    let timestamps: Vec<i64> = (0..8).map(|i| 1_700_000_000 + 60 * i).collect();
    let plain = json!({ "timestamps": timestamps, "values": values });
    let named = json!({
        "timestamps": timestamps, "values": values, "model": "gaussian", "alarm_rate": 0.01, "direction": "above",
        "min_deviation": { "abs": 0.5 }, "exclude": [{ "from": "1700000060", "to": "1700000120" }],
        "labels": { "team": "payments" }, "set_alias": "champion",
    });
    let reply = json_reply(
        "The version, synced to disk.",
        Ref::from_schema_name("FitReply"),
    )
    .header(api::idempotency::REPLAYED, headers::replayed())
    .link(
        "predict",
        next("predict", &[("version", "$response.body#/version")]),
    )
    .link(
        "plot",
        next("plot", &[("version", "$response.body#/version")]),
    )
    .link(
        "calibration",
        next("calibration", &[("version", "$response.body#/version")]),
    )
    .link("update", next("update", &[]));
    Op::new("fit", "models", "Fit a model to a history and store it as the next version")
        .about(
            "The reply comes when the version is synced to disk; every later predict on this server sees it. Which fields \
             go together depends on the model; one that a model does not have is refused by name.",
        )
        .series()
        .writes()
        .idempotent()
        .work()
        .json(
            Ref::from_schema_name("FitRequest"),
            &[("plain", plain), ("named", named)],
        )
        .csv("All else has its default.")
        .reply(200, reply)
        .may(&[
            Code::InvalidQuery,
            Code::LengthsDiffer,
            Code::TooFewPoints,
            Code::TimestampInvalid,
            Code::TimestampNegative,
            Code::TimestampsNotIncreasing,
            Code::ValueNotANumber,
            Code::ValuesConstant,
            Code::InvalidAlias,
            Code::InvalidLabel,
            Code::UnknownModel,
            Code::ParameterOutOfRange,
            Code::ParameterConflict,
            Code::ParameterUnsupported,
            Code::ModelDoesNotFit,
        ])
        .only(HttpMethod::Post)
}

/// The body.
pub(super) fn request() -> ObjectBuilder {
    let at_least_0 = || number().minimum(Some(0));
    let least = closed()
        .schema_type(or_null(Type::Object))
        .property("abs", at_least_0())
        .property("rel", at_least_0())
        .description(Some(
            "A deviation from the expected value below the larger of `abs` and `rel` times its magnitude never alarms.",
        ));
    let stretch = closed()
        .property("from", Ref::from_schema_name("Time"))
        .property("to", Ref::from_schema_name("Time"))
        .required("from")
        .required("to");
    let exclude = ArrayBuilder::new()
        .schema_type(or_null(Type::Array))
        .items(stretch)
        .max_items(Some(EXCLUDED_MAX))
        .description(Some(
            "Stretches left out of the history, both ends included, such as outages.",
        ));
    let sigma = ObjectBuilder::new()
        .schema_type(or_null(Type::Number))
        .exclusive_minimum(Some(0))
        .description(Some(
            "For `gaussian`, instead of `alarm_rate`: so many population standard deviations from the mean are normal.",
        ));
    let seasons = "Look for seasons, or these periods in `time_unit`; for `auto`, `seasonal`, `holt_winters` (one) and \
                   `tail_views` (two). None is no season.";
    fields::history(closed())
        .property(
            "model",
            words_or_null(MODELS).description(Some("`auto` by default.")),
        )
        .property("alarm_rate", fields::alarm_rate(or_null(Type::Number)))
        .property("sigma", sigma)
        .property(
            "direction",
            words_or_null(&["both", "above", "below"])
                .description(Some("Where a point may be anomalous; `both` by default.")),
        )
        .property("min_deviation", least)
        .property("seasonality", fields::seasonality(PERIODS_MAX, seasons))
        .property("timezone", fields::timezone(or_null(Type::String)))
        .property("time_unit", fields::time_unit())
        .property("exclude", exclude)
        .property(
            "labels",
            api::schema::labels()
                .schema_type(or_null(Type::Object))
                .max_properties(Some(LABELS_MAX))
                .description(Some(
                    "Labels of the version and, from then on, of the series; left out, those of the series stay.",
                )),
        )
        .property(
            "set_alias",
            api::schema::alias()
                .schema_type(or_null(Type::String))
                .description(Some(
                    "An alias that points to the version from the moment it is stored.",
                )),
        )
}
