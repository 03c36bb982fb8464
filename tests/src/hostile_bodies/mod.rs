//! Hostile bodies on every route that reads one: refused as the caller's fault, with a short problem document, and
//! nothing stored is changed.

mod bodies;
mod large;
mod media;
mod routes;

use std::time::{Duration, Instant};

use api::Code;
use serde_json::{Value, json};

use crate::reply::Reply;
use crate::server::{Server, history};
use routes::{ROUTES, Route, STREAMS};

/// What is refused is not sent back.
const REPLY_MAX_BYTES: usize = 16 * 1024;
/// A guard against hanging.
const HANG: Duration = Duration::from_secs(30);

/// A refusal that is the caller's fault: of the whole, or of each line of a reply to lines.
fn judge(route: &Route, reply: &Reply) -> Result<(), String> {
    let told = || String::from_utf8_lossy(&reply.body[..reply.body.len().min(300)]).into_owned();
    let media_type = reply.header("content-type");
    let documents: Vec<&[u8]> = match (reply.status, media_type) {
        (400..=499, Some("application/problem+json")) => vec![&reply.body],
        // The head of a reply to lines was sent before any of them was read.
        (200, Some(of_lines)) if of_lines == route.media_type && of_lines != "application/json" => {
            reply
                .body
                .split(|byte| *byte == b'\n')
                .filter(|line| !line.is_empty())
                .collect()
        }
        (status, _) => return Err(format!("{status} as {media_type:?}: {}", told())),
    };
    for document in documents {
        let document: Value =
            serde_json::from_slice(document).map_err(|error| format!("{error}: {}", told()))?;
        let code = document["code"].as_str().and_then(Code::from_slug);
        let status = code.map(|code| code.row().status);
        if !status.is_some_and(|status| (400..500).contains(&status))
            || document["status"] != json!(status)
        {
            return Err(format!("no refusal: {document}"));
        }
        if document.to_string().len() > REPLY_MAX_BYTES {
            return Err(format!("a refusal of {} bytes", document.to_string().len()));
        }
    }
    Ok(())
}

/// What callers see of all that is stored: any change of a version, an alias or a state shows in it.
#[derive(Debug, PartialEq)]
struct Seen(Vec<(String, Vec<u8>)>);

impl Seen {
    async fn of(server: &Server) -> Self {
        let mut seen = Vec::new();
        let trained = server.series_trained().await.to_string();
        seen.push(("series".to_owned(), trained.into_bytes()));
        let list = server.get("/series/a/aliases").await;
        seen.push(("aliases".to_owned(), list.body));
        let point = json!({ "timestamp": "4", "value": 2.5 });
        for query in [
            "version=1",
            "version=2",
            "version=3",
            "alias=champion",
            "version=0",
        ] {
            let reply = server.predict(&format!("a?{query}"), &point).await;
            let of_reply = if reply.status == 200 {
                reply.body
            } else {
                reply.status.to_string().into_bytes()
            };
            seen.push((query.to_owned(), of_reply));
        }
        // Not later than what the state knows, so it is scored and not learnt.
        let state = server
            .post("/update/a", r#"{"timestamp":"1","value":2.5}"#)
            .await;
        assert_eq!(state.ok()["learnt"], false);
        seen.push(("state".to_owned(), state.body));
        Self(seen)
    }
}

/// A server with a series of two versions, an alias and an online state.
async fn with_series(flags: &[&str]) -> Server {
    let server = Server::with(flags).await;
    server.fit("a", &history(&[1.0, 2.0, 4.0])).await.ok();
    server.fit("a", &history(&[1.0, 2.0, 4.0, 3.0])).await.ok();
    let json = [("content-type", "application/json")];
    let alias = server
        .send(
            "PUT",
            "/series/a/aliases/champion",
            &json,
            r#"{"version":"1"}"#,
        )
        .await;
    assert_eq!(alias.status, 201);
    server
        .post("/update/a", r#"{"timestamp":"6","value":2}"#)
        .await
        .ok();
    server
}

/// What requests have taken comes back.
async fn memory_is_given_back(server: &Server) {
    let begun = Instant::now();
    loop {
        let metrics = server.get("/metrics").await;
        let line = metrics.text().lines().find(|line| {
            line.starts_with("tidemark_memory_used_bytes") && line.contains("\"requests\"")
        });
        let line = line.expect("it is told what requests take");
        if line.ends_with(" 0") {
            return;
        }
        assert!(begun.elapsed() < HANG, "{line}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn every_hostile_body_is_refused_and_changes_nothing() {
    let server = with_series(&[]).await;
    let before = Seen::of(&server).await;
    let (mut wrong, mut n) = (Vec::new(), 0);
    for route in ROUTES.iter().chain(&STREAMS) {
        for (name, body) in bodies::of(route) {
            n += 1;
            let media_type = [("content-type", route.media_type)];
            let reply = server
                .send(route.method, route.path, &media_type, body)
                .await;
            if let Err(reason) = judge(route, &reply) {
                wrong.push(format!("{} {} {name}: {reason}", route.method, route.path));
            }
        }
    }
    println!("{n} bodies");
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(Seen::of(&server).await, before);
    memory_is_given_back(&server).await;
    // A good request is answered as ever.
    let fit = server.fit("a", &history(&[1.0, 2.0, 4.0])).await.ok();
    assert_eq!(fit["version"], "3");
}

/// The negative control: a reply that is no refusal, and each kind of change of what is stored.
#[tokio::test]
async fn a_failure_and_a_changed_store_are_noticed() {
    let server = with_series(&[]).await;
    let route = &ROUTES[0];
    let problem = server.fit("a", &json!({})).await;
    assert!(judge(route, &problem).is_ok());
    let with = |status, media_type: &str, body: Value| Reply {
        status,
        headers: vec![("content-type".to_owned(), media_type.to_owned())],
        body: body.to_string().into_bytes(),
    };
    let document = problem.json();
    let mut internal = document.clone();
    internal["code"] = json!("internal");
    let mut long = document.clone();
    long["detail"] = json!("x".repeat(REPLY_MAX_BYTES));
    for wrong in [
        with(500, "application/problem+json", document.clone()),
        with(200, "application/json", json!({ "version": "1" })),
        with(422, "text/html", document.clone()),
        with(422, "application/problem+json", internal),
        with(422, "application/problem+json", long),
        with(422, "application/problem+json", json!("no")),
    ] {
        assert!(judge(route, &wrong).is_err(), "{wrong:?}");
    }
    let lines = &ROUTES[4];
    let verdict = server
        .send(
            "POST",
            lines.path,
            &[("content-type", lines.media_type)],
            lines.right,
        )
        .await;
    assert!(
        judge(lines, &verdict).is_err(),
        "a line that was learnt is no refusal"
    );

    let mut before = Seen::of(&server).await;
    for route in [&ROUTES[0], &ROUTES[3], &ROUTES[7]] {
        let body = route.right.replace('9', "12").replace("\"1\"", "\"2\"");
        let reply = server
            .send(
                route.method,
                route.path,
                &[("content-type", route.media_type)],
                body,
            )
            .await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let after = Seen::of(&server).await;
        assert_ne!(before, after, "{}", route.path);
        before = after;
    }
}
