//! Schemas of what the Rust type of a field does not say: numbers written as text, words out of a closed set, ids.
//!
//! Replies derive the rest from their own fields, so that a field that is added is documented.

use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, SchemaFormat, Type};

use crate::Code;
use crate::limits::{ALIAS_MAX_BYTES, LABEL_VALUE_MAX_BYTES, SERIES_ID_MAX_BYTES};

/// A series id, see [`SeriesId`](crate::SeriesId).
#[must_use]
pub fn series_id() -> ObjectBuilder {
    text("The name of a series; a path step of its own, so neither `.` nor `..`.")
        .pattern(Some(r"^(?!\.{1,2}$)[A-Za-z0-9._:@-]+$"))
        .min_length(Some(1))
        .max_length(Some(SERIES_ID_MAX_BYTES))
        .examples(["checkout-latency"])
}

/// An alias, see [`Alias`](crate::Alias).
#[must_use]
pub fn alias() -> ObjectBuilder {
    text(
        "A name of a version that can be pointed elsewhere; neither `latest` nor what reads as a version.",
    )
    .pattern(Some("^(?!latest$|v[0-9]+$)[a-z][a-z0-9_-]*$"))
    .min_length(Some(1))
    .max_length(Some(ALIAS_MAX_BYTES))
    .examples(["champion"])
}

/// The entity tag of an alias.
#[must_use]
pub fn etag() -> ObjectBuilder {
    text("The entity tag of this state of the alias, in its quotes.")
        .pattern(Some("^\"[0-9]+\"$"))
        .examples(["\"1\""])
}

/// A version that is stored.
#[must_use]
pub fn version() -> ObjectBuilder {
    text("A version of the series, counted from 1: a bare number in a string, given once for ever.")
        .pattern(Some("^[1-9][0-9]*$"))
        .examples(["1"])
}

/// A version, or that there was none.
#[must_use]
pub fn version_or_none() -> ObjectBuilder {
    text("The version of the model as a bare number in a string; `0` for an online state that was started from none.")
        .pattern(Some("^(0|[1-9][0-9]*)$"))
        .examples(["1"])
}

/// The hash of a model.
#[must_use]
pub fn model_hash() -> ObjectBuilder {
    text("Hash of the model's bytes: equal data and parameters give an equal hash.")
        .pattern(Some("^[0-9a-f]{32}$"))
}

/// Labels.
#[must_use]
pub fn labels() -> ObjectBuilder {
    let key = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some("^[A-Za-z0-9._/-]{1,63}$"));
    let value = ObjectBuilder::new()
        .schema_type(Type::String)
        .max_length(Some(LABEL_VALUE_MAX_BYTES));
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("Labels: keys and values of the caller's own."))
        .property_names(Some(key))
        .additional_properties(Some(value))
        .examples([serde_json::json!({ "team": "payments" })])
}

/// The problem of records that are listed and cannot be read.
#[must_use]
pub fn damaged() -> ObjectBuilder {
    words(
        "What is wrong with the records of this entry.",
        &[Code::StoredRecordDamaged.slug()],
    )
}

/// `auto`, or periods.
#[must_use]
pub fn seasonality() -> OneOfBuilder {
    let period = ObjectBuilder::new().schema_type(Type::Integer);
    OneOfBuilder::new()
        .description(Some("`auto`, or the periods that were named."))
        .item(words("Those found in the history.", &["auto"]))
        .item(ArrayBuilder::new().items(period))
}

/// On which side a point may be anomalous.
#[must_use]
pub fn direction() -> ObjectBuilder {
    words(
        "On which side of the expected value a point may be anomalous.",
        &["both", "above", "below"],
    )
}

/// On which side a point is.
#[must_use]
pub fn side() -> ObjectBuilder {
    words(
        "The side of the expected value on which the point lies; `none` on it.",
        &["above", "below", "none"],
    )
}

/// What a score rests on.
#[must_use]
pub fn status() -> ObjectBuilder {
    words(
        "Whether the score can be relied on: `extrapolated` is further from the training range than that is long.",
        &["ok", "warming_up", "extrapolated"],
    )
}

/// A column of sides.
#[must_use]
pub fn sides() -> ArrayBuilder {
    ArrayBuilder::new().items(side())
}

/// A column of statuses.
#[must_use]
pub fn statuses() -> ArrayBuilder {
    ArrayBuilder::new().items(status())
}

/// The unit of timestamps.
#[must_use]
pub fn time_unit() -> ObjectBuilder {
    words(
        "What one tick of every timestamp is.",
        &["s", "ms", "us", "ns"],
    )
}

/// A verdict on drift.
#[must_use]
pub fn verdict() -> ObjectBuilder {
    words(
        "Whether small p-values come too often.",
        &["ok", "drifting", "stale"],
    )
}

/// A p-value or another probability.
#[must_use]
pub fn probability() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Number)
        .minimum(Some(0))
        .maximum(Some(1))
}

/// A code of the table of problems.
#[must_use]
pub fn code() -> ObjectBuilder {
    let codes: Vec<_> = Code::ALL.iter().map(|code| code.slug()).collect();
    words("The stable code of the problem, for programs.", &codes)
}

/// The type of a problem: where its page is on the same server.
#[must_use]
pub fn problem_type() -> ObjectBuilder {
    text("A relative reference to the problem's page on the same server.")
        .format(Some(SchemaFormat::Custom("uri-reference".into())))
        .pattern(Some("^/problems/[a-z_]+$"))
}

fn text(description: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(description))
}

fn words(description: &str, words: &[&str]) -> ObjectBuilder {
    text(description).enum_values(Some(words.iter().copied()))
}
