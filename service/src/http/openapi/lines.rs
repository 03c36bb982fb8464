//! Lines of JSON, as an array of what they hold: so OpenAPI 3.2 reads sequential media types.

use serde_json::Value;
use utoipa::openapi::Ref;
use utoipa::openapi::schema::{AnyOfBuilder, ArrayBuilder, ObjectBuilder, Type};

use super::operation::Op;
use crate::http::body::{ALSO_NDJSON, NDJSON};

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

/// The reply to them.
pub(super) fn of_reply(schema: &str) -> ArrayBuilder {
    let line = AnyOfBuilder::new()
        .item(Ref::from_schema_name(schema))
        .item(Ref::from_schema_name("LineProblem"));
    ArrayBuilder::new().items(line).description(Some(
        "A line for each line that is not blank, in order; the array stands for the lines.",
    ))
}
