//! What a server answers to the document's own requests: the document has it as examples.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::reply::Reply;

/// The file that the service builds into the document.
const FILE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../service/src/http/openapi/replies.json"
);

/// A reply is no example from this size on: the document itself.
const EXAMPLE_MAX_BYTES: usize = 16 * 1024;

/// Of an operation: by status, by media type, by the name of the request's example.
type ByStatus = BTreeMap<String, BTreeMap<String, BTreeMap<String, Value>>>;

/// By operation: its method and path.
#[derive(Default)]
pub(super) struct Replies(BTreeMap<String, ByStatus>);

impl Replies {
    /// Makes an example of a reply of JSON, or of lines of it, which become a list.
    pub(super) fn note(&mut self, operation: &str, name: &str, reply: &Reply) {
        let Some(value) = content(reply) else { return };
        let essence = media_type(reply);
        if reply.body.len() < EXAMPLE_MAX_BYTES {
            let of_operation = self.0.entry(operation.to_owned()).or_default();
            let of_status = of_operation.entry(reply.status.to_string()).or_default();
            let of_type = of_status.entry(essence.to_owned()).or_default();
            of_type.insert(name.to_owned(), value);
        }
    }

    /// Writes the examples, or says where those that are committed differ.
    pub(super) fn write_or_compare(&self) {
        if std::env::var_os("TIDEMARK_WRITE_DOCS").is_some() {
            let text = serde_json::to_string_pretty(&self.0).expect("it serialises");
            std::fs::write(FILE, text + "\n").expect("the file can be written");
            return;
        }
        let committed = std::fs::read_to_string(FILE).expect("the file is committed");
        let committed: Value = serde_json::from_str(&committed).expect("it is JSON");
        let faults = differences(&committed, &json!(self.0));
        assert_eq!(
            faults, [""; 0],
            "replies.json is not what is answered: run TIDEMARK_WRITE_DOCS=1 cargo test -p tests openapi, and then \
             TIDEMARK_WRITE_DOCS=1 cargo test -p service --lib openapi"
        );
    }
}

/// Its media type, without parameters.
pub(super) fn media_type(reply: &Reply) -> &str {
    let media_type = reply.header("content-type").unwrap_or_default();
    media_type.split(';').next().unwrap_or_default()
}

/// What a schema describes: JSON, or lines of it as a list.
pub(super) fn content(reply: &Reply) -> Option<Value> {
    match media_type(reply) {
        "application/x-ndjson" => {
            let text = String::from_utf8_lossy(&reply.body);
            let line = |line| -> Value { serde_json::from_str(line).expect("a document") };
            Some(text.lines().map(line).collect())
        }
        json if json.ends_with("json") => Some(reply.json()),
        _ => None,
    }
}

/// Members that say when, how long or which one, and so differ from run to run.
fn is_of_the_run(member: &str) -> bool {
    ["_ms", "_at", "_id", "cursor", "_ratio", "_utilization"]
        .iter()
        .any(|end| member.ends_with(end))
        && member != "series_id"
}

/// Where two replies differ, but for members that are of the run.
fn differences(committed: &Value, now: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare(committed, now, "", &mut found);
    found
}

fn compare(committed: &Value, now: &Value, at: &str, found: &mut Vec<String>) {
    match (committed, now) {
        (Value::Object(a), Value::Object(b)) => {
            for (name, value) in b {
                let at = format!("{at}/{name}");
                match a.get(name) {
                    None => found.push(format!("{at} is new")),
                    Some(_) if is_of_the_run(name) => {}
                    Some(before) => compare(before, value, &at, found),
                }
            }
            let gone = a.keys().filter(|name| !b.contains_key(*name));
            found.extend(gone.map(|name| format!("{at}/{name} is gone")));
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (i, (before, value)) in a.iter().zip(b).enumerate() {
                compare(before, value, &format!("{at}/{i}"), found);
            }
        }
        _ if committed == now => {}
        _ => found.push(format!("{at} was {committed} and is {now}")),
    }
}

#[test]
fn a_reply_that_differs_is_noticed() {
    let committed = json!({"a": {"version": "1", "duration_ms": 0.5, "points": [1, 2]}});
    assert_eq!(differences(&committed, &committed), [""; 0]);
    let later = json!({"a": {"version": "1", "duration_ms": 0.7, "points": [1, 2]}});
    assert_eq!(differences(&committed, &later), [""; 0]);
    for (now, fault) in [
        (
            json!({"a": {"version": 1, "duration_ms": 0.5, "points": [1, 2]}}),
            r#"/a/version was "1" and is 1"#,
        ),
        (
            json!({"a": {"version": "1", "points": [1, 2]}}),
            "/a/duration_ms is gone",
        ),
        (
            json!({"a": {"version": "1", "duration_ms": 0.5, "points": [1, 2], "b": 1}}),
            "/a/b is new",
        ),
        (
            json!({"a": {"version": "1", "duration_ms": 0.5, "points": [1]}}),
            "/a/points was [1,2] and is [1]",
        ),
    ] {
        assert_eq!(differences(&committed, &now), [fault]);
    }
}
