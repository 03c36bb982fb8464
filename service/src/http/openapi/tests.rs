use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use super::*;
use crate::http::route::Route;
use crate::http::router::Resource;

const COMMITTED: &str = include_str!("../../../../docs/openapi.json");

fn value() -> Value {
    serde_json::to_value(document()).unwrap()
}

/// Path and method of each operation.
fn operations(document: &Value) -> BTreeSet<(String, String)> {
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().keys();
        methods.map(|method| (path.clone(), method.to_uppercase()))
    });
    operations.collect()
}

/// Path and method of each resource, as the router has them.
fn routed() -> BTreeSet<(String, String)> {
    let routes = Route::ALL
        .iter()
        .filter(|route| **route != Route::Unmatched);
    let paths = routes.map(|route| route.template()).chain(["/health"]);
    let methods = paths.flat_map(|path| {
        let allowed = Resource::at(path).allow().split(", ");
        allowed.map(move |method| (path.to_owned(), method.to_owned()))
    });
    methods.collect()
}

#[test]
fn the_document_has_the_operations_of_the_router_and_no_others() {
    assert_eq!(operations(&value()), routed());
}

#[test]
fn an_operation_that_is_not_described_is_noticed() {
    let mut document = value();
    let alias = &mut document["paths"]["/series/{series_id}/aliases/{alias}"];
    alias.as_object_mut().unwrap().remove("delete").unwrap();
    assert_ne!(operations(&document), routed());
}

#[test]
fn what_needs_a_key_says_so_and_nothing_else_does() {
    let document = value();
    for (path, method) in routed() {
        let replies = &document["paths"][&path][method.to_lowercase()]["responses"];
        let scope = Resource::at(&path).scope(&method.parse().unwrap());
        let may_be_refused = [401, 403].map(|status| replies.get(status.to_string()).is_some());
        // A plot is for callers on the server's own machine where there are no keys, which is 403 as well.
        assert_eq!(may_be_refused, [scope.is_some(); 2], "{method} {path}");
    }
}

#[test]
fn replies_of_json_have_examples() {
    let document = value();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let replies = operation["responses"].as_object().unwrap().values();
            for content in replies.filter_map(|reply| reply["content"].as_object()) {
                let json = content.iter().filter(|(name, _)| name.ends_with("json"));
                for (name, content) in json {
                    let has = content.get("examples").is_some()
                        || content["schema"].get("examples").is_some();
                    assert!(has || path.starts_with("/health"), "{method} {path} {name}");
                }
            }
        }
    }
}

#[test]
fn operations_have_names_of_their_own() {
    let document = value();
    let paths = document["paths"].as_object().unwrap().values();
    let operations = paths.flat_map(|item| item.as_object().unwrap().values());
    let ids: Vec<_> = operations
        .map(|operation| operation["operationId"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
}

#[test]
fn the_committed_document_is_the_one_that_is_served() {
    if std::env::var_os("TIDEMARK_WRITE_DOCS").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
        // It is large, and much of it would be indentation.
        let formatter = serde_json::ser::PrettyFormatter::with_indent(b" ");
        let mut text = Vec::new();
        let mut serializer = serde_json::Serializer::with_formatter(&mut text, formatter);
        document().serialize(&mut serializer).unwrap();
        text.push(b'\n');
        std::fs::write(path, text).unwrap();
        return;
    }
    let committed: Value = serde_json::from_str(COMMITTED).unwrap();
    let served: Value = serde_json::from_slice(&BYTES).unwrap();
    assert!(
        committed == served,
        "docs/openapi.json is not the document: run TIDEMARK_WRITE_DOCS=1 cargo test -p service --lib openapi"
    );
}
