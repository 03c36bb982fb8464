//! Fields that several requests have.

use api::Column;
use api::limits::MIN_TRAINING_POINTS;
use detectors::{ALARM_RATE_DEFAULT, ALARM_RATE_MAX, ALARM_RATE_MIN};
use serde_json::{Value, json};
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn, ParameterStyle};
use utoipa::openapi::schema::{
    AdditionalProperties, Array, ArrayBuilder, KnownFormat, ObjectBuilder, OneOfBuilder, Schema,
    SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{Ref, RefOr};

/// An object that refuses fields it does not have.
pub(super) fn closed() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)))
}

pub(super) fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

/// A field that may be `null`, which is as good as leaving it out.
pub(super) fn or_null(types: Type) -> SchemaType {
    SchemaType::from_iter([types, Type::Null])
}

/// One of `words`, or `null`.
pub(super) fn words_or_null(words: &[&str]) -> ObjectBuilder {
    let words = words.iter().map(|word| json!(word));
    ObjectBuilder::new()
        .schema_type(or_null(Type::String))
        .enum_values(Some(words.chain([Value::Null])))
}

pub(super) fn alarm_rate(types: impl Into<SchemaType>) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(types)
        .minimum(Some(ALARM_RATE_MIN))
        .maximum(Some(ALARM_RATE_MAX))
        .description(Some(format!(
            "The share of normal points that may alarm; {ALARM_RATE_DEFAULT} by default."
        )))
}

pub(super) fn timezone(types: impl Into<SchemaType>) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(types)
        .min_length(Some(1))
        .description(Some(
            "The IANA time zone whose clock the seasons follow; UTC by default.",
        ))
        .examples(["America/New_York"])
}

/// `auto`, or so many periods at most.
pub(super) fn seasonality(most: usize, about: &str) -> OneOfBuilder {
    let period = ticks().minimum(Some(1));
    OneOfBuilder::new()
        .description(Some(about))
        .item(text().enum_values(Some(["auto"])))
        .item(
            ArrayBuilder::new()
                .items(period)
                .max_items(Some(most))
                .unique_items(true),
        )
        .item(ObjectBuilder::new().schema_type(Type::Null))
}

/// A number of ticks.
pub(super) fn ticks() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(0))
        .maximum(Some(i64::MAX))
}

pub(super) fn number() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Number)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Double)))
}

/// A time in its three forms.
pub(super) fn time() -> OneOfBuilder {
    let digits = text()
        .pattern(Some("^([0-9]{1,18}|[1-8][0-9]{18})$"))
        .description(Some("Ticks since 1970 as digits."))
        .examples(["1700000480"]);
    let instant = text()
        .pattern(Some(
            r"^(19[7-9][0-9]|[2-9][0-9]{3})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$",
        ))
        .description(Some("An instant of RFC 3339, not before 1970."))
        .examples(["2023-11-14T22:21:20Z"]);
    OneOfBuilder::new()
        .description(Some(
            "A time: ticks since 1970 in the model's `time_unit`, seconds by default, or an instant.",
        ))
        .item(digits)
        .item(ticks().description(Some("Ticks since 1970.")))
        .item(instant)
}

/// A time in a query.
pub(super) fn moment() -> ObjectBuilder {
    text()
        .pattern(Some(
            r"^([0-9]{1,18}|(19[7-9][0-9]|[2-9][0-9]{3})-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?Z)$",
        ))
        .examples(["1700000480", "2023-11-14T22:21:20Z"])
}

/// A single point.
pub(super) fn point() -> ObjectBuilder {
    closed()
        .property("timestamp", Ref::from_schema_name("Time"))
        .property("value", number())
        .required("timestamp")
        .required("value")
}

/// Points as columns, so many at least.
pub(super) fn columns(least: usize) -> ObjectBuilder {
    let column = |items: RefOr<Schema>| {
        let least = (least > 0).then_some(least);
        ArrayBuilder::new().items(items).min_items(least)
    };
    closed()
        .description(Some("Points as columns of equal length."))
        .property("timestamps", column(Ref::from_schema_name("Time").into()))
        .property("values", column(number().into()))
        .required("timestamps")
        .required("values")
}

/// The columns of a history.
pub(super) fn history(object: ObjectBuilder) -> ObjectBuilder {
    let column = |items: ObjectBuilder, about: &str| -> Array {
        ArrayBuilder::new()
            .items(items)
            .min_items(Some(MIN_TRAINING_POINTS))
            .description(Some(about))
            .build()
    };
    let times = "Ticks of `time_unit` since 1970, strictly increasing, any spacing.";
    object
        .property("timestamps", column(ticks(), times))
        .property("values", column(number(), "As many as timestamps."))
        .required("timestamps")
        .required("values")
}

/// Chooses the columns of a reply.
pub(super) fn chosen_columns() -> Parameter {
    let names = Column::ALL.into_iter().map(Column::name);
    let columns = ArrayBuilder::new()
        .items(text().enum_values(Some(names)))
        .min_items(Some(1));
    ParameterBuilder::new()
        .name("fields")
        .parameter_in(ParameterIn::Query)
        .description(Some(
            "The columns of the reply, with commas between them; all by default. Not for a single point.",
        ))
        .style(Some(ParameterStyle::Form))
        .explode(Some(false))
        .schema(Some(columns))
        .build()
}

/// A version as a caller names it.
pub(super) fn version_step() -> ObjectBuilder {
    text().pattern(Some("^[vV]?[0-9]+$"))
}

/// As [`version_step`], where spaces around it do not matter.
pub(super) fn version_selector() -> ObjectBuilder {
    text()
        .pattern(Some("^ *[vV]?[0-9]+ *$"))
        .examples(["1", "v2", "0"])
}

/// The unit of timestamps, as a field.
pub(super) fn time_unit() -> ObjectBuilder {
    words_or_null(&["s", "ms", "us", "ns"])
        .description(Some("What one tick of every timestamp is; `s` by default."))
}
