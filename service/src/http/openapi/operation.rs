//! An operation as it is put together: what it takes, what it answers, and which problems it may answer with.

use api::Code;
use serde_json::{Value, json};
use utoipa::openapi::content::{Content, ContentBuilder};
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::link::Link;
use utoipa::openapi::path::{
    HttpMethod, OperationBuilder, Parameter, ParameterBuilder, ParameterIn, PathItem,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{
    AllOfBuilder, KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type,
};
use utoipa::openapi::{Ref, RefOr, Required};

use super::{examples, headers};

/// Where there are API keys, whoever asks may meet these.
const OF_KEYS: &[Code] = &[Code::AuthenticationRequired, Code::InsufficientScope];

/// Whoever reads a body may meet these.
const OF_BODIES: &[Code] = &[
    Code::MalformedRequest,
    Code::BodyTimeout,
    Code::BodyTooLarge,
    Code::UnsupportedMediaType,
    Code::MalformedJson,
    Code::MissingField,
    Code::UnknownField,
    Code::DuplicateField,
    Code::InvalidType,
    Code::ValueNotFinite,
];

/// Whoever has work done may meet these.
const OF_WORK: &[Code] = &[
    Code::NotAcceptable,
    Code::InvalidHeader,
    Code::TenantOverShare,
    Code::Overloaded,
    Code::DeadlineExceeded,
    Code::Internal,
];

/// Whoever asks the store may meet these.
const OF_THE_STORE: &[Code] = &[
    Code::StoreUnavailable,
    Code::Overloaded,
    Code::StoredRecordDamaged,
    Code::StoreIncomplete,
    Code::Internal,
];

/// An operation.
pub(super) struct Op {
    operation: OperationBuilder,
    body: RequestBodyBuilder,
    has_body: bool,
    codes: Vec<Code>,
}

impl Op {
    pub(super) fn new(id: &str, tag: &str, summary: &str) -> Self {
        let operation = OperationBuilder::new()
            .operation_id(Some(id))
            .tag(tag)
            .summary(Some(summary))
            .parameter(headers::request_id());
        Self {
            operation,
            body: RequestBodyBuilder::new(),
            has_body: false,
            codes: OF_KEYS.to_vec(),
        }
    }

    pub(super) fn about(mut self, description: &str) -> Self {
        self.operation = self.operation.description(Some(description));
        self
    }

    /// A step of the path.
    pub(super) fn path(self, name: &str, schema: ObjectBuilder, example: &str) -> Self {
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .schema(Some(schema))
            .example(Some(json!(example)));
        self.parameter(parameter.build())
    }

    /// The series, a step of the path, which is looked for in the store.
    pub(super) fn series(self) -> Self {
        self.path("series_id", api::schema::series_id(), "checkout-latency")
            .may(&[Code::InvalidSeriesId])
            .may(OF_THE_STORE)
    }

    /// A parameter of the query that may be left out.
    pub(super) fn query(self, name: &str, about: &str, schema: impl Into<RefOr<Schema>>) -> Self {
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Query)
            .description(Some(about))
            .schema(Some(schema));
        self.parameter(parameter.build()).may(&[Code::InvalidQuery])
    }

    pub(super) fn parameter(mut self, parameter: Parameter) -> Self {
        self.operation = self.operation.parameter(parameter);
        self
    }

    /// Anybody may ask, with an API key or without.
    pub(super) fn open(mut self) -> Self {
        self.codes.retain(|code| !OF_KEYS.contains(code));
        self
    }

    /// The store writes.
    pub(super) fn writes(self) -> Self {
        self.may(&[Code::StorageFull])
    }

    /// The work waits for a thread, for a limited time.
    pub(super) fn work(self) -> Self {
        self.parameter(headers::deadline()).may(OF_WORK)
    }

    /// The request makes a version once, however often it is sent.
    pub(super) fn idempotent(self) -> Self {
        self.parameter(headers::idempotency_key())
            .may(&[Code::IdempotencyKeyInvalid, Code::IdempotencyKeyReused])
    }

    /// A body of JSON.
    pub(super) fn json(self, schema: impl Into<RefOr<Schema>>, examples: &[(&str, Value)]) -> Self {
        self.body("application/json", schema, examples)
    }

    /// A body.
    pub(super) fn body(
        mut self,
        media_type: &str,
        schema: impl Into<RefOr<Schema>>,
        examples: &[(&str, Value)],
    ) -> Self {
        let named = examples.iter().map(|(name, value)| {
            let example = ExampleBuilder::new().value(Some(value.clone()));
            (*name, example.build())
        });
        let content = ContentBuilder::new().schema(Some(schema));
        let content = content.examples_from_iter(named).build();
        self.body = self.body.content(media_type, content);
        self.has_body = true;
        self.may(OF_BODIES)
    }

    /// A body that is a file.
    pub(super) fn file(mut self, media_type: &str, about: &str) -> Self {
        let content = ContentBuilder::new().schema(Some(binary(about)));
        self.body = self.body.content(media_type, content.build());
        self
    }

    /// A reply, which carries what every reply does.
    pub(super) fn reply(mut self, status: u16, reply: ResponseBuilder) -> Self {
        self.operation = self
            .operation
            .response(status.to_string(), headers::stamped(reply).build());
        self
    }

    /// Problems that the operation may be answered with.
    pub(super) fn may(mut self, codes: &[Code]) -> Self {
        self.codes.extend(codes);
        self
    }

    /// The operation as the one of its path.
    pub(super) fn only(self, method: HttpMethod) -> PathItem {
        self.and(PathItem::default(), method)
    }

    /// The operation as another of its path.
    pub(super) fn and(mut self, mut item: PathItem, method: HttpMethod) -> PathItem {
        if self.has_body {
            let body = std::mem::take(&mut self.body).required(Some(Required::True));
            self.operation = self.operation.request_body(Some(body.build()));
        }
        // In the order of the table, whatever the order in which they were named.
        let codes: Vec<Code> = Code::ALL
            .iter()
            .copied()
            .filter(|code| self.codes.contains(code))
            .collect();
        for of_status in codes.chunk_by(|a, b| a.row().status == b.row().status) {
            let status = of_status[0].row().status;
            self = self.reply(status, problem(status, of_status));
        }
        item.merge_operations(PathItem::new(method, self.operation));
        item
    }
}

/// A reply of JSON.
pub(super) fn json_reply(about: &str, schema: impl Into<RefOr<Schema>>) -> ResponseBuilder {
    let content = Content::new(Some(schema));
    ResponseBuilder::new()
        .description(about)
        .content("application/json", content)
}

/// A reply of text.
pub(super) fn text_reply(about: &str, media_type: &str) -> ResponseBuilder {
    let text = ObjectBuilder::new().schema_type(Type::String);
    ResponseBuilder::new()
        .description(about)
        .content(media_type, Content::new(Some(text)))
}

/// A reply that is a file.
pub(super) fn file_reply(about: &str, media_type: &str) -> ResponseBuilder {
    ResponseBuilder::new()
        .description(about)
        .content(media_type, Content::new(Some(binary(about))))
}

/// Bytes of no text.
fn binary(about: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)))
        .description(Some(about))
}

/// What can be asked next of the series in the path.
pub(super) fn next(operation: &str, parameters: &[(&str, &str)]) -> Link {
    let series = ("series_id", "$request.path.series_id");
    let link = Link::builder().operation_id(operation);
    let parameters = parameters.iter().copied().chain([series]);
    let link = parameters.fold(link, |link, (name, from)| link.parameter(name, from));
    link.build()
}

/// A refusal: the problem document with one of `codes`.
fn problem(status: u16, codes: &[Code]) -> ResponseBuilder {
    let slugs = codes.iter().map(|code| code.slug());
    let code = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(slugs));
    let status_is = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .enum_values(Some([status]));
    let here = ObjectBuilder::new()
        .property("status", status_is)
        .property("code", code);
    let schema = AllOfBuilder::new()
        .item(Ref::from_schema_name("Problem"))
        .item(here);
    let content = ContentBuilder::new().schema(Some(schema));
    let content = content.examples_from_iter(codes.iter().copied().map(examples::of_problem));
    let titles: Vec<_> = codes
        .iter()
        .map(|code| format!("- `{}`: {}", code.slug(), code.row().title))
        .collect();
    let reply = ResponseBuilder::new()
        .description(titles.join("\n"))
        .content("application/problem+json", content.build());
    headers::of_refusal(reply, status)
}
