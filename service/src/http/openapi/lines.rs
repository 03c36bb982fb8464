//! Points as lines: of JSON, which are described as an array of what they hold, as OpenAPI 3.2 reads sequential media
//! types; and of CSV.

use api::Code;
use serde_json::Value;
use utoipa::openapi::Ref;
use utoipa::openapi::content::Content;
use utoipa::openapi::schema::{AnyOfBuilder, ArrayBuilder, ObjectBuilder, Type};

use super::operation::Op;
use crate::http::body::{ALSO_NDJSON, NDJSON};
use crate::http::negotiate::CSV;

impl Op {
    /// A body of lines of this schema, under each name of their media type.
    pub(super) fn lines(self, schema: &str, about: &str, example: Value) -> Self {
        let lines = || {
            let line = AnyOfBuilder::new()
                .item(Ref::from_schema_name(schema))
                .item(ObjectBuilder::new().schema_type(Type::Object));
            ArrayBuilder::new().items(line).description(Some(format!(
                "{about} The array stands for the lines. What is none of them is answered by a problem on its line, and the \
                 others are answered as ever."
            )))
        };
        let first = self.body(NDJSON, lines(), &[("lines", example)]);
        ALSO_NDJSON
            .into_iter()
            .fold(first, |op, name| op.body(name, lines(), &[]))
    }
}

impl Op {
    /// A body of points as CSV.
    pub(super) fn csv(self, about: &str) -> Self {
        let schema = ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some(format!(
                "A header line with `timestamp` and `value`, and a point a line (RFC 4180). {about}"
            )));
        let rows = (0..8).map(|i| format!("{},{}\n", 1_705_002_000 + 60 * i, 10 + i * 3 % 5));
        let example = format!("timestamp,value\n{}", rows.collect::<String>());
        self.body(CSV, schema, &[("points", example.into())])
            .may(&[Code::MalformedCsv])
    }
}

/// Columns of verdicts as CSV.
pub(super) fn of_csv() -> Content {
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(
            "The same columns as CSV, with their names before them.",
        ));
    Content::new(Some(schema))
}

/// The reply to them.
pub(super) fn of_reply(schema: &str) -> ArrayBuilder {
    let line = AnyOfBuilder::new()
        .item(Ref::from_schema_name(schema))
        .item(Ref::from_schema_name("LineProblem"));
    ArrayBuilder::new().items(line).description(Some(
        "A line for each line that is not blank, in order; the array stands for the lines.",
    ))
}
