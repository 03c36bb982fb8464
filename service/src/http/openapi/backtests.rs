//! `/backtest/{series_id}` and `/backtests`.

use api::Code;
use api::limits::{
    BACKTEST_CONTENDERS_MAX, BACKTEST_FITS_MAX, BACKTEST_LABELS_MAX, BACKTEST_NAME_MAX_BYTES,
    BACKTEST_POINTS_MAX, SHORT_PAGE,
};
use serde_json::json;
use utoipa::openapi::Ref;
use utoipa::openapi::path::{HttpMethod, PathItem};
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Type};

use super::fields::{self, closed, number, or_null, text, ticks};
use super::operation::{Op, json_reply, text_reply};
use super::{fit, headers};

/// A job that is in no store.
const EXAMPLE: &str = "01970000-0000-7000-8000-000000000000";

pub(super) fn start() -> PathItem {
    let timestamps: Vec<i64> = (0..40).map(|i| 1_700_000_000 + 60 * i).collect();
    let values: Vec<i64> = (0..40)
        .map(|i| if i == 31 { 90 } else { 20 + i * 7 % 5 })
        .collect();
    let points = json!({
        "timestamps": timestamps, "values": values, "labels": [{ "timestamp": 1_700_001_860 }],
        "candidates": [{ "model": "robust" }, { "name": "three sigma", "model": "gaussian", "sigma": 3.0 }],
        "train_points": 20, "refit_every": 10, "set_alias": { "alias": "champion", "if": "event_f1" },
    });
    let versions = json!({ "history_of": "1", "versions": ["1"], "candidates": [{}] });
    let job = told("It is stored, and waits for its turn.").header(
        "Location",
        headers::present("Where the job is: `/backtests/{job_id}`."),
    );
    Op::new(
        "backtest",
        "backtests",
        "Replay a history in causal order, and compare candidates and versions",
    )
    .about(
        "A job: the reply comes when it is stored. Each point is scored by a model that was fitted on earlier points alone; a \
         version scores the points that are later than all it was fitted on. Without points, the training points of a version \
         are replayed. With `set_alias`, which needs the scope `admin`, the one that wins against the present holder of the \
         alias gets it, unless the alias was changed meanwhile: a candidate is fitted on the whole history for that.",
    )
    .series()
    .writes()
    .work()
    .json(
        Ref::from_schema_name("BacktestRequest"),
        &[("points", points), ("history of a version", versions)],
    )
    .reply(202, job)
    .may(&[
        Code::UnknownSeries,
        Code::UnknownVersion,
        Code::UnknownAlias,
        Code::InvalidQuery,
        Code::ConflictingFields,
        Code::LengthsDiffer,
        Code::TooFewPoints,
        Code::TimestampInvalid,
        Code::TimestampNegative,
        Code::TimestampsNotIncreasing,
        Code::ValueNotANumber,
        Code::InvalidVersion,
        Code::InvalidAlias,
        Code::UnknownModel,
        Code::ParameterOutOfRange,
        Code::ParameterConflict,
        Code::ParameterUnsupported,
    ])
    .only(HttpMethod::Post)
}

pub(super) fn list() -> PathItem {
    let (most, by_default) = SHORT_PAGE;
    let limit = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(1))
        .maximum(Some(most));
    Op::new("backtests", "backtests", "List backtests, the newest first")
        .about("Without their results, which each has by its id.")
        .query(
            "series_id",
            "Those of one series.",
            api::schema::series_id(),
        )
        .query(
            "cursor",
            "Those older than this one: `next_cursor` of the page before.",
            api::schema::job_id(),
        )
        .query(
            "limit",
            &format!("Backtests of a page; {by_default} by default."),
            limit,
        )
        .reply(
            200,
            json_reply(
                "A page, without results.",
                Ref::from_schema_name("BacktestsReply"),
            ),
        )
        .may(OF_JOBS)
        .may(&[Code::InvalidSeriesId])
        .only(HttpMethod::Get)
}

/// Whoever asks for jobs may meet these.
const OF_JOBS: &[Code] = &[
    Code::InvalidQuery,
    Code::StoreUnavailable,
    Code::Overloaded,
    Code::StoredRecordDamaged,
    Code::StoreIncomplete,
    Code::Internal,
];

fn of_job(id: &str, summary: &str) -> Op {
    Op::new(id, "backtests", summary)
        .path("job_id", text().min_length(Some(1)), EXAMPLE)
        .may(OF_JOBS)
        .may(&[Code::UnknownBacktest])
}

fn told(about: &str) -> ResponseBuilder {
    json_reply(about, Ref::from_schema_name("Backtest"))
}

pub(super) fn job() -> PathItem {
    let get = of_job("get_backtest", "How a backtest stands, and its result")
        .about("One that had not ended when the server stopped is `interrupted` from then on.")
        .reply(200, told("As it stands."))
        .only(HttpMethod::Get);
    of_job(
        "delete_backtest",
        "Cancel a backtest that has not ended, or remove one that has",
    )
    .about("A running one ends after its next step: a fit, or a piece of the replay.")
    .writes()
    .reply(202, told("It will end after its next step, or has ended."))
    .reply(204, ResponseBuilder::new().description("It is gone."))
    .and(get, HttpMethod::Delete)
}

pub(super) fn report() -> PathItem {
    let page = text_reply(
        "A page without a script and without outside addresses.",
        "text/html",
    )
    .header(
        "Content-Security-Policy",
        headers::present("Nothing is loaded and nothing runs."),
    )
    .header("X-Content-Type-Options", headers::present("`nosniff`."));
    of_job("backtest_report", "The result of a backtest, to look at")
        .about("One file, with a chart of each contender.")
        .reply(200, page)
        .may(&[Code::BacktestHasNoReport])
        .only(HttpMethod::Get)
}

/// The body.
pub(super) fn request() -> ObjectBuilder {
    let column = |items: ObjectBuilder, about: &str| {
        ArrayBuilder::new()
            .items(items)
            .max_items(Some(BACKTEST_POINTS_MAX))
            .description(Some(about))
    };
    let time = || Ref::from_schema_name("Time");
    let stretch = closed()
        .property("from", time())
        .property("to", time())
        .required("from")
        .required("to");
    let point = closed().property("timestamp", time()).required("timestamp");
    let labels = ArrayBuilder::new()
        .schema_type(or_null(Type::Array))
        .items(OneOfBuilder::new().item(point).item(stretch))
        .max_items(Some(BACKTEST_LABELS_MAX))
        .description(Some("Points and stretches that are anomalies."));
    let name = text()
        .schema_type(or_null(Type::String))
        .min_length(Some(1))
        .max_length(Some(BACKTEST_NAME_MAX_BYTES))
        .description(Some("What it is called; by default its model."));
    let online = ObjectBuilder::new()
        .schema_type(or_null(Type::Boolean))
        .description(Some(
            "Whether it is the online state, which learns from every point, instead of a model that is fitted.",
        ));
    let candidate = fit::parameters(closed().property("name", name).property("online", online));
    let candidates = ArrayBuilder::new()
        .schema_type(or_null(Type::Array))
        .items(candidate)
        .max_items(Some(BACKTEST_CONTENDERS_MAX))
        .description(Some(
            "What is fitted as the replay goes on; one with the defaults of a fit where there is neither candidate nor version.",
        ));
    let version = text()
        .min_length(Some(1))
        .description(Some("A number or an alias."));
    let versions = ArrayBuilder::new()
        .schema_type(or_null(Type::Array))
        .items(version)
        .max_items(Some(BACKTEST_CONTENDERS_MAX))
        .description(Some("Versions of the series, by number or alias."));
    let count = |about: &str| {
        ObjectBuilder::new()
            .schema_type(or_null(Type::Integer))
            .minimum(Some(1))
            .description(Some(about))
    };
    let share = number()
        .schema_type(or_null(Type::Number))
        .exclusive_minimum(Some(0))
        .exclusive_maximum(Some(1))
        .description(Some(
            "Share of the points before the first one that is scored; 0.5 by default.",
        ));
    let rule = fields::words_or_null(&["event_f1", "alarm_rate"]).description(Some(
        "How the winner is found; `event_f1` where there are labels, `alarm_rate` where there are none.",
    ));
    let set_alias = closed()
        .schema_type(or_null(Type::Object))
        .property("alias", api::schema::alias())
        .property("if", rule)
        .required("alias")
        .description(Some("The alias that is to point to the winner."));
    let every = format!(
        "Points after which candidates are fitted anew, up to {BACKTEST_FITS_MAX} times; never by default."
    );
    closed()
        .property(
            "timestamps",
            column(ticks(), "Ticks of `time_unit` since 1970, strictly increasing, any spacing."),
        )
        .property("values", column(number(), "As many as timestamps."))
        .property(
            "history_of",
            fields::version_selector()
                .schema_type(or_null(Type::String))
                .description(Some(
                    "Without points: the version whose training points are replayed; the latest by default.",
                )),
        )
        .property("time_unit", fields::time_unit())
        .property("labels", labels)
        .property("candidates", candidates)
        .property("versions", versions)
        .property("train_share", share)
        .property("train_points", count("The same as a number of points."))
        .property("refit_every", count(&every))
        .property(
            "refit_window",
            count("Points that a new fit is made on, the latest ones; all by default."),
        )
        .property("set_alias", set_alias)
}
