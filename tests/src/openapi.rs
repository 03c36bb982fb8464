//! `GET /openapi.json`: what the document says of requests and replies is what the server does.
//!
//! Schemathesis asks the same of generated requests (`tests/schemathesis`); these are the document's own examples, and the
//! refusals of each code that a plain request can meet.

mod replies;

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::backtest;
use crate::reply::Reply;
use crate::server::Server;
use replies::Replies;

/// Operations with an example, in an order in which each finds what it needs.
const IN_ORDER: &[(&str, &str)] = &[
    ("post", "/fit/{series_id}"),
    ("post", "/predict/{series_id}"),
    ("post", "/predict"),
    ("post", "/update/{series_id}"),
    ("post", "/detect"),
    ("post", "/series/{series_id}/versions"),
    ("get", "/series"),
    ("get", "/series/{series_id}"),
    ("get", "/series/{series_id}/versions"),
    ("get", "/series/{series_id}/versions/{version}"),
    ("get", "/series/{series_id}/versions/{version}/artifact"),
    ("put", "/series/{series_id}/aliases/{alias}"),
    ("post", "/series/{series_id}/feedback"),
    ("get", "/series/{series_id}/feedback"),
    ("delete", "/series/{series_id}/feedback/{feedback_id}"),
    ("post", "/backtest/{series_id}"),
    ("get", "/backtests"),
    ("get", "/backtests/{job_id}"),
    ("get", "/backtests/{job_id}/report"),
    ("delete", "/backtests/{job_id}"),
    ("get", "/series/{series_id}/aliases/{alias}"),
    ("get", "/series/{series_id}/aliases"),
    ("get", "/series/{series_id}/calibration"),
    ("get", "/plot"),
    ("get", "/healthcheck"),
    ("get", "/metrics"),
    ("get", "/health/live"),
    ("get", "/health/ready"),
    ("get", "/health"),
    ("get", "/health/startup"),
    ("get", "/problems/{code}"),
    ("get", "/openapi.json"),
    ("get", "/docs"),
    ("get", "/docs/{file}"),
    ("delete", "/series/{series_id}/aliases/{alias}"),
    ("delete", "/series/{series_id}/versions/{version}"),
    ("delete", "/series/{series_id}"),
];

/// The document, and its schemas closed: a member that is not described is a fault.
struct Document {
    open: Value,
    closed: Value,
}

impl Document {
    async fn of(server: &Server) -> Self {
        let open = server.get("/openapi.json").await.ok();
        let mut closed = open["components"]["schemas"].clone();
        let mut parts = BTreeSet::new();
        parts_of_others(&closed, &mut parts);
        for (name, schema) in closed.as_object_mut().expect("schemas by name") {
            let has_members = schema.get("properties").is_some() || schema.get("allOf").is_some();
            let is_part = parts.contains(&format!("#/components/schemas/{name}"));
            if has_members && !is_part && schema.get("additionalProperties").is_none() {
                schema["unevaluatedProperties"] = json!(false);
            }
        }
        Self { open, closed }
    }

    fn operation(&self, method: &str, path: &str) -> &Value {
        let operation = &self.open["paths"][path][method];
        assert!(operation.is_object(), "{method} {path} is not described");
        operation
    }

    /// What is wrong with `instance` by the schema `of` it.
    fn faults(&self, of: &Value, instance: &Value) -> Vec<String> {
        let mut schema = json!({ "allOf": [of], "components": { "schemas": self.closed } });
        // What is described in its place says itself what it has.
        if instance.is_object() && of.get("type").is_none() {
            schema["unevaluatedProperties"] = json!(false);
        }
        let validator = jsonschema::validator_for(&schema).expect("a schema");
        let faults = validator.iter_errors(instance);
        faults.map(|fault| fault.to_string()).collect()
    }

    /// What is wrong with a reply by the description of its operation.
    fn faults_of_reply(&self, operation: &Value, reply: &Reply) -> Vec<String> {
        let described = &operation["responses"][reply.status.to_string()];
        if described.is_null() {
            return vec![format!("{} is not described", reply.status)];
        }
        let headers = described["headers"].as_object().into_iter().flatten();
        let lost = headers.filter(|(name, header)| {
            header["required"] == json!(true) && reply.header(name).is_none()
        });
        let mut faults: Vec<_> = lost
            .map(|(name, _)| format!("{name} is not there"))
            .collect();
        let Some(content) = described["content"].as_object() else {
            if !reply.body.is_empty() {
                faults.push("there is content".into());
            }
            return faults;
        };
        let media_type = replies::media_type(reply);
        match content.get(media_type) {
            None => faults.push(format!("{media_type:?} is not described")),
            Some(content) => {
                let instance = replies::content(reply);
                let of = |it| self.faults(&content["schema"], &it);
                faults.extend(instance.map(of).into_iter().flatten());
            }
        }
        faults
    }
}

/// Schemas that are a part of others in an `allOf`, and so cannot be closed themselves.
fn parts_of_others(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(members) => {
            let parts = members.get("allOf").and_then(Value::as_array);
            let refs = parts
                .into_iter()
                .flatten()
                .filter_map(|part| part["$ref"].as_str());
            found.extend(refs.map(str::to_owned));
            members
                .values()
                .for_each(|member| parts_of_others(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| parts_of_others(item, found)),
        _ => {}
    }
}

/// The path with the examples of its parameters, and those of the query that are required.
fn target(path: &str, operation: &Value) -> String {
    let mut target = path.to_owned();
    let parameters = operation["parameters"].as_array().expect("parameters");
    let mut query = Vec::new();
    for parameter in parameters.iter().filter(|it| it["required"] == json!(true)) {
        let name = parameter["name"].as_str().expect("a name");
        let example = parameter["example"].as_str().expect("an example");
        match parameter["in"].as_str() {
            Some("path") => target = target.replace(&format!("{{{name}}}"), example),
            _ => query.push(format!("{name}={example}")),
        }
    }
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{target}{mark}{}", query.join("&"))
}

/// An example of a body.
#[derive(Clone)]
struct Example {
    name: String,
    media_type: String,
    /// JSON, or text of another media type.
    value: Value,
}

impl Example {
    /// As it is sent.
    fn body(&self) -> String {
        match &self.value {
            // The document has lines as a list.
            Value::Array(lines) if self.media_type == "application/x-ndjson" => {
                lines.iter().map(|line| format!("{line}\n")).collect()
            }
            Value::String(text) if !self.media_type.ends_with("json") => text.clone(),
            value => value.to_string(),
        }
    }
}

/// The examples of a body, of every media type.
fn examples(operation: &Value) -> Vec<Example> {
    let content = operation["requestBody"]["content"].as_object();
    let of_type = |(media_type, content): (&String, &Value)| {
        let examples = content["examples"].as_object().cloned();
        let media_type = media_type.clone();
        let examples = examples.unwrap_or_default().into_iter();
        examples.map(move |(name, example)| Example {
            name,
            media_type: media_type.clone(),
            value: example["value"].clone(),
        })
    };
    content.into_iter().flatten().flat_map(of_type).collect()
}

/// The example of a job's id, in the place of one that is there.
const JOB: &str = "01970000-0000-7000-8000-000000000000";

/// Waits until a job has ended.
async fn ended(server: &Server, location: &str) {
    loop {
        let job = server.get(location).await.ok();
        match job["status"].as_str() {
            Some("queued" | "running") => tokio::time::sleep(Duration::from_millis(2)).await,
            status => return assert_eq!(status, Some("succeeded"), "{job}"),
        }
    }
}

async fn send(server: &Server, method: &str, target: &str, body: Option<&Value>) -> Reply {
    let body = body.map(Value::to_string).unwrap_or_default();
    send_as(server, method, target, "application/json", body).await
}

async fn send_as(
    server: &Server,
    method: &str,
    target: &str,
    media_type: &str,
    body: String,
) -> Reply {
    let media_type = [("content-type", media_type)];
    let method = method.to_uppercase();
    server.send(&method, target, &media_type, body).await
}

#[tokio::test]
async fn every_example_is_valid_and_answered_as_described() {
    let server = Server::start().await;
    let document = Document::of(&server).await;
    let mut described: BTreeSet<(String, String)> = BTreeSet::new();
    let mut replies = Replies::default();
    for (path, item) in document.open["paths"].as_object().expect("paths") {
        let methods = item.as_object().expect("operations").keys();
        let methods = methods.filter(|method| *method != "head");
        described.extend(methods.map(|method| (method.clone(), path.clone())));
    }
    let mut job: Option<String> = None;
    for (method, path) in IN_ORDER {
        assert!(
            described.remove(&((*method).to_owned(), (*path).to_owned())),
            "{method} {path}"
        );
        let operation = document.operation(method, path);
        let target = target(path, operation).replace(JOB, job.as_deref().unwrap_or(JOB));
        let mut requests: Vec<_> = examples(operation).into_iter().map(Some).collect();
        if requests.is_empty() {
            requests.push(None);
        }
        if *method == "put" {
            // What is made is answered otherwise than what is there. (A fit has set it.)
            send(&server, "delete", &target, None).await;
            requests.extend_from_within(..);
        }
        if (*method, *path) == ("delete", "/backtests/{job_id}") {
            // Of two, the later one waits, and is cancelled at once.
            let running = backtest::start(&server, "checkout-latency", &backtest::endless()).await;
            let waiting = backtest::start(&server, "checkout-latency", &backtest::endless()).await;
            let reply = send(&server, method, &waiting, None).await;
            assert_eq!(document.faults_of_reply(operation, &reply), [""; 0]);
            replies.note(&format!("{method} {path}"), "cancelled", &reply);
            send(&server, method, &running, None).await;
        }
        for request in requests {
            let (reply, name) = match request {
                None => (
                    send(&server, method, &target, None).await,
                    "reply".to_owned(),
                ),
                Some(example) => {
                    let content = &operation["requestBody"]["content"][&example.media_type];
                    let faults = document.faults(&content["schema"], &example.value);
                    let body = example.body();
                    assert_eq!(faults, [""; 0], "{method} {path}: {body}");
                    let media_type = &example.media_type;
                    let reply = send_as(&server, method, &target, media_type, body).await;
                    (reply, example.name)
                }
            };
            if method == &"post" && path.ends_with("/feedback") {
                job = reply.json()["feedback_id"].as_str().map(str::to_owned);
            }
            if let Some(location) = reply
                .header("location")
                .filter(|it| it.contains("/backtests/"))
            {
                let id = location.rsplit('/').next().unwrap_or_default();
                ended(&server, location).await;
                job = Some(id.to_owned());
            }
            assert!(
                (200..300).contains(&reply.status),
                "{method} {path}: {reply:?}"
            );
            let faults = document.faults_of_reply(operation, &reply);
            assert_eq!(faults, [""; 0], "{method} {path}: {reply:?}");
            replies.note(&format!("{method} {path}"), &name, &reply);
        }
    }
    assert_eq!(described, BTreeSet::new(), "these have no example");
    replies.write_or_compare();
}

#[tokio::test]
async fn refusals_are_described_with_their_codes() {
    let server = Server::with(&["--max-body", "4KiB"]).await;
    let document = Document::of(&server).await;
    let long = " ".repeat(5_000);
    for (method, path) in IN_ORDER {
        let operation = document.operation(method, path);
        let at = target(path, operation);
        let mut asked = vec![(at.clone(), "application/json", String::new())];
        if operation["parameters"].to_string().contains("series_id") {
            let wrong = at.replace("checkout-latency", "a%2fb");
            asked.push((wrong, "application/json", String::new()));
        }
        if operation["responses"]["422"]
            .to_string()
            .contains("invalid_query")
        {
            let mark = if at.contains('?') { '&' } else { '?' };
            asked.push((format!("{at}{mark}no=1"), "application/json", String::new()));
        }
        if operation.get("requestBody").is_some() {
            for body in ["", "[", "{}", "[]", r#"{"x":1}"#, &long] {
                asked.push((at.clone(), "application/json", body.to_owned()));
            }
            let examples = examples(operation).into_iter();
            let json = examples.filter(|it| it.media_type == "application/json");
            asked.extend(json.map(|it| (at.clone(), "application/json", it.body())));
            asked.push((at, "text/plain", "1".to_owned()));
        }
        for (target, media_type, body) in asked {
            let media_type = [("content-type", media_type)];
            let method = method.to_uppercase();
            let reply = server
                .send(&method, &target, &media_type, body.clone())
                .await;
            let faults = document.faults_of_reply(operation, &reply);
            assert_eq!(faults, [""; 0], "{method} {target} {body}: {reply:?}");
        }
    }
}

#[tokio::test]
async fn a_body_has_the_fields_that_are_described_and_no_others() {
    let server = Server::start().await;
    let document = Document::of(&server).await;
    let schemas = &document.open["components"]["schemas"];
    let fields = |name: &str| -> BTreeSet<String> {
        let properties = schemas[name]["properties"].as_object().expect("properties");
        properties.keys().cloned().collect()
    };
    // A detection refuses these by their names, so that they are no part of its body.
    let of_fits = ["exclude", "min_deviation", "model", "sigma"].map(str::to_owned);
    for (target, method, described) in [
        ("/fit/a", "POST", fields("FitRequest")),
        (
            "/detect",
            "POST",
            &fields("DetectRequest") | &BTreeSet::from(of_fits),
        ),
        ("/predict/a", "POST", &fields("Point") | &fields("Columns")),
        ("/backtest/a", "POST", fields("BacktestRequest")),
        ("/series/a/feedback", "POST", fields("FeedbackRequest")),
        ("/series/a/versions", "POST", fields("VersionRequest")),
        ("/series/a/aliases/b", "PUT", fields("AliasRequest")),
    ] {
        let reply = send(
            &server,
            &method.to_lowercase(),
            target,
            Some(&json!({ "?": 1 })),
        )
        .await;
        let problem = reply.json();
        assert_eq!(problem["code"], "unknown_field", "{target}");
        // The decoder lists what it knows: "unknown field `?`, expected one of `a`, `b`".
        let detail = problem["detail"].as_str().expect("a sentence");
        let names = detail.split('`').skip(3).step_by(2).map(str::to_owned);
        assert_eq!(names.collect::<BTreeSet<_>>(), described, "{target}");
    }
}

#[tokio::test]
async fn a_reply_that_is_not_as_described_is_noticed() {
    let server = Server::start().await;
    let document = Document::of(&server).await;
    let operation = document.operation("get", "/healthcheck");
    let reply = server.get("/healthcheck").await;
    assert_eq!(document.faults_of_reply(operation, &reply), [""; 0]);
    let changed = |change: &dyn Fn(&mut Reply)| {
        let mut reply = reply.clone();
        change(&mut reply);
        !document.faults_of_reply(operation, &reply).is_empty()
    };
    let with_body = |change: &dyn Fn(&mut Value)| {
        changed(&|reply: &mut Reply| {
            let mut body = reply.json();
            change(&mut body);
            reply.body = body.to_string().into();
        })
    };
    assert!(changed(&|reply| reply.status = 206));
    assert!(changed(&|reply| reply
        .headers
        .retain(|it| it.0 != "x-request-id")));
    assert!(changed(&|reply| reply
        .headers
        .retain(|it| it.0 != "content-type")));
    assert!(with_body(&|body| body["more"] = json!(1)));
    assert!(with_body(&|body| body["series_trained"] = json!("many")));
    assert!(with_body(
        &|body| body["inference_latency_ms"]["more"] = json!(1)
    ));
}
