//! Examples of replies: those that a server gave to the examples of requests, and a document of each problem.
//!
//! `replies.json` is written by the black-box test that sends the document's requests, which also notices when the server
//! answers otherwise. So no example is made up.

use std::collections::BTreeMap;

use api::{Code, Problem};
use serde_json::Value;
use utoipa::openapi::example::{Example, ExampleBuilder};
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::response::Response;
use utoipa::openapi::{OpenApi, Ref, RefOr};

/// By operation (its method and path), by status, by media type, by the name of the request's example.
type Replies = BTreeMap<String, BTreeMap<String, BTreeMap<String, BTreeMap<String, Value>>>>;

const REPLIES: &str = include_str!("replies.json");

/// Adds to each reply of JSON what a server answered.
pub(super) fn add_replies(document: &mut OpenApi) {
    let replies: Replies = serde_json::from_str(REPLIES).expect("the test wrote it");
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            let of_operation = replies.get(&format!("{method} {path}"));
            for (status, examples) in of_operation.into_iter().flatten() {
                add(operation, status, examples);
            }
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let methods = [
        ("get", &mut item.get),
        ("post", &mut item.post),
        ("put", &mut item.put),
        ("delete", &mut item.delete),
    ];
    let described = methods.into_iter();
    described.filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

fn add(
    operation: &mut Operation,
    status: &str,
    of_types: &BTreeMap<String, BTreeMap<String, Value>>,
) {
    let Some(RefOr::T(Response { content, .. })) = operation.responses.responses.get_mut(status)
    else {
        return;
    };
    for (media_type, examples) in of_types {
        let Some(RefOr::T(content)) = content.get_mut(media_type) else {
            continue;
        };
        for (name, value) in examples {
            let example = ExampleBuilder::new().value(Some(value.clone()));
            content.examples.insert(name.clone(), example.into());
        }
    }
}

/// Adds a document of each problem that an operation may be answered with, by its code.
pub(super) fn add_problems(document: &mut OpenApi) {
    let paths = serde_json::to_string(&document.paths).expect("text and numbers serialise");
    let components = document.components.get_or_insert_default();
    for code in Code::ALL {
        if paths.contains(&format!("\"{}\"", place(*code))) {
            let example = of_document(*code).into();
            components.examples.insert(code.slug().into(), example);
        }
    }
}

fn of_document(code: Code) -> Example {
    let title = code.row().title;
    let id = "019ac0de-0000-7000-8000-000000000000";
    let document = serde_json::to_value(Problem::new(code, title, &[], id));
    let document = document.expect("text and numbers serialise");
    let example = ExampleBuilder::new().summary(title);
    example.value(Some(document)).build()
}

/// The example of `code`, where it is used.
pub(super) fn of_problem(code: Code) -> (&'static str, RefOr<Example>) {
    (code.slug(), RefOr::Ref(Ref::new(place(code))))
}

fn place(code: Code) -> String {
    format!("#/components/examples/{}", code.slug())
}
