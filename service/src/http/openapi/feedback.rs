//! `/series/{series_id}/feedback`.

use api::Code;
use api::limits::{FEEDBACK_NOTE_MAX_BYTES, SHORT_PAGE};
use serde_json::json;
use utoipa::openapi::Ref;
use utoipa::openapi::path::{HttpMethod, PathItem};
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Type};

use super::fields::{closed, or_null, text};
use super::operation::{Op, json_reply};

pub(super) fn feedback() -> PathItem {
    let (most, by_default) = SHORT_PAGE;
    let limit = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(1))
        .maximum(Some(most));
    let get = Op::new("list_feedback", "series", "List the feedback of a series")
        .about("In the order in which it was given.")
        .series()
        .query(
            "cursor",
            "What was given after this: `next_cursor` of the page before.",
            api::schema::feedback_id(),
        )
        .query(
            "limit",
            &format!("Entries of a page; {by_default} by default."),
            limit,
        )
        .reply(
            200,
            json_reply(
                "In the order in which it was given.",
                Ref::from_schema_name("FeedbacksReply"),
            ),
        )
        .may(&[Code::UnknownSeries, Code::InvalidQuery])
        .only(HttpMethod::Get);
    let point =
        json!({ "timestamp": "1700000120", "label": "expected", "note": "the nightly batch" });
    let stretch =
        json!({ "from": "2023-11-14T22:13:20Z", "to": "2023-11-14T22:14:20Z", "label": "ignore" });
    Op::new("give_feedback", "series", "Say what a point or a stretch of a series is")
        .about(
            "The next fit obeys it: what is `anomaly` or `ignore` is left out of the history, and the like of what is `expected` \
             does not alarm again. Of two that speak of one point the later one counts. `exclude` of a fit goes before it.",
        )
        .series()
        .writes()
        .json(
            Ref::from_schema_name("FeedbackRequest"),
            &[("point", point), ("stretch", stretch)],
        )
        .reply(201, json_reply("It is stored.", Ref::from_schema_name("Feedback")))
        .may(&[
            Code::UnknownSeries,
            Code::InvalidQuery,
            Code::ConflictingFields,
            Code::TimestampInvalid,
            Code::TimestampNegative,
            Code::ParameterOutOfRange,
        ])
        .and(get, HttpMethod::Post)
}

pub(super) fn entry() -> PathItem {
    Op::new(
        "take_back_feedback",
        "series",
        "Take feedback back; the next fit does not know of it",
    )
    .about("Versions that obeyed it stay as they are.")
    .series()
    .writes()
    .path(
        "feedback_id",
        text().min_length(Some(1)),
        "01970000-0000-7000-8000-000000000000",
    )
    .reply(204, ResponseBuilder::new().description("It is gone."))
    .may(&[
        Code::UnknownSeries,
        Code::UnknownFeedback,
        Code::InvalidQuery,
    ])
    .only(HttpMethod::Delete)
}

/// The body of a `POST`.
pub(super) fn request() -> ObjectBuilder {
    let note = text()
        .schema_type(or_null(Type::String))
        .max_length(Some(FEEDBACK_NOTE_MAX_BYTES))
        .description(Some("For people."));
    let label = text()
        .enum_values(Some(["expected", "anomaly", "ignore"]))
        .description(Some("What it is."));
    closed()
        .description(Some(
            "A point by its `timestamp`, or a stretch by `from` and `to`, both included.",
        ))
        .property("timestamp", Ref::from_schema_name("Time"))
        .property("from", Ref::from_schema_name("Time"))
        .property("to", Ref::from_schema_name("Time"))
        .property("label", label)
        .property("note", note)
        .required("label")
}
