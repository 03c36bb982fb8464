//! What every refusal has to look like, and the page each code links to.

use api::Code;
use serde_json::{Value, json};

use crate::reply::Reply;
use crate::server::Server;

/// Checks a refusal whole: status, media type, every member of RFC 9457 and of the contract, the
/// request's id in body and header alike. Returns the document.
#[track_caller]
pub(crate) fn assert_problem(reply: &Reply, status: u16, code: &str) -> Value {
    let body = String::from_utf8_lossy(&reply.body);
    assert_eq!(reply.status, status, "{body}");
    assert_eq!(
        reply.header("content-type"),
        Some("application/problem+json"),
        "{body}"
    );
    let document = reply.json();
    let row = Code::from_slug(code).expect("the table has the code").row();
    assert_eq!(row.status, status, "the table agrees");
    let mut members: Vec<&str> = document
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect();
    members.sort_unstable();
    assert_eq!(
        members,
        [
            "code",
            "detail",
            "errors",
            "request_id",
            "status",
            "title",
            "type"
        ]
    );
    assert_eq!(document["code"], code, "{body}");
    assert_eq!(document["status"], status);
    assert_eq!(document["title"], row.title);
    assert_eq!(document["type"], format!("/problems/{code}"));
    assert!(
        !document["detail"].as_str().expect("a sentence").is_empty(),
        "{body}"
    );
    assert_eq!(
        document["request_id"].as_str(),
        reply.header("x-request-id"),
        "{body}"
    );
    for error in document["errors"].as_array().expect("a list") {
        assert!(error["loc"].as_array().is_some_and(|loc| !loc.is_empty()));
        assert!(error["msg"].as_str().is_some_and(|msg| !msg.is_empty()));
        assert_eq!(error["type"], code, "{body}");
    }
    document
}

/// As [`assert_problem`] for a refusal that names a place.
#[track_caller]
pub(crate) fn assert_problem_at(reply: &Reply, status: u16, code: &str, loc: &Value) {
    let document = assert_problem(reply, status, code);
    assert_eq!(&document["errors"][0]["loc"], loc, "{document}");
}

#[tokio::test]
async fn every_code_has_a_page_that_explains_it() {
    let server = Server::start().await;
    for code in Code::ALL {
        let row = code.row();
        let page = server.get(&format!("/problems/{}", row.slug)).await;
        assert_eq!(page.status, 200, "{}", row.slug);
        assert_eq!(
            page.header("content-type"),
            Some("text/plain; charset=utf-8")
        );
        for part in [row.slug, row.title, row.advice, &row.status.to_string()] {
            assert!(page.text().contains(part), "{}: {part}", row.slug);
        }
    }
    assert_problem(&server.get("/problems/no_such").await, 404, "not_found");
    assert_problem(&server.get("/problems/").await, 404, "not_found");
}

#[tokio::test]
async fn a_refusal_links_to_a_page_that_is_there() {
    let server = Server::start().await;
    let refused = server.fit("a", &json!({})).await;
    let link = assert_problem(&refused, 422, "missing_field")["type"].clone();
    let page = server.get(link.as_str().expect("a reference")).await;
    assert_eq!(page.status, 200);
    assert!(page.text().starts_with("missing_field (422)"));
}
