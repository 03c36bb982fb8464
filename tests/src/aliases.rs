//! Aliases: names of versions that are pointed elsewhere, and what a caller may assume of them.

use rstest::rstest;
use serde_json::{Value, json};

use crate::problem::{assert_problem, assert_problem_at};
use crate::reply::Reply;
use crate::server::{Server, history, point};

/// A series with as many versions, each of a level of its own: version k expects 10·k.
async fn fitted(server: &Server, series: &str, versions: u32) {
    for k in 1..=versions {
        let level = 10.0 * f64::from(k);
        let body = history(&[level - 1.0, level, level + 1.0]);
        server.fit(series, &body).await.ok();
    }
}

async fn put_if(server: &Server, at: &str, version: &str, headers: &[(&str, &str)]) -> Reply {
    let mut all = vec![("content-type", "application/json")];
    all.extend_from_slice(headers);
    let target = format!("/series/{at}");
    let body = json!({ "version": version }).to_string();
    server.send("PUT", &target, &all, body).await
}

async fn put(server: &Server, at: &str, version: &str) -> Reply {
    put_if(server, at, version, &[]).await
}

/// Version and expected value of the answer by alias, which have to agree.
async fn asked(server: &Server, series: &str, alias: &str) -> String {
    let reply = server
        .predict(&format!("{series}?alias={alias}"), &point(9, 10.0))
        .await
        .ok();
    let version = reply["model_version"].as_str().expect("text").to_owned();
    let expected: f64 = 10.0 * version.parse::<f64>().expect("digits");
    assert_eq!(reply["expected_value"], expected);
    version
}

async fn listed(server: &Server, series: &str) -> Vec<(String, String)> {
    let list = server.get(&format!("/series/{series}/aliases")).await.ok();
    assert_eq!(list["series_id"], series);
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let aliases = list["aliases"].as_array().expect("a list");
    aliases
        .iter()
        .map(|alias| (text(&alias["alias"]), text(&alias["version"])))
        .collect()
}

#[tokio::test]
async fn an_alias_is_made_moved_listed_and_removed_and_outlives_a_restart() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Server::at(folder.path(), &[]).await;
    fitted(&server, "a", 3).await;
    let made = put(&server, "a/aliases/champion", "2").await;
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!(asked(&server, "a", "champion").await, "2");
    let moved = put(&server, "a/aliases/champion", "v3").await;
    assert_eq!(moved.ok()["version"], "3");
    assert_eq!(asked(&server, "a", "champion").await, "3");
    let back = put(&server, "a/aliases/champion", "1").await.ok();
    assert_eq!(asked(&server, "a", "champion").await, "1");
    put(&server, "a/aliases/challenger", "3").await;
    let all = [("challenger", "3"), ("champion", "1")].map(|(a, v)| (a.to_owned(), v.to_owned()));
    assert_eq!(listed(&server, "a").await, all);
    server.stop().await;

    let server = Server::at(folder.path(), &[]).await;
    assert_eq!(listed(&server, "a").await, all);
    assert_eq!(asked(&server, "a", "champion").await, "1");
    let read = server.get("/series/a/aliases/champion").await;
    assert_eq!(read.ok(), back);
    assert_eq!(read.header("etag"), back["etag"].as_str());
    let removed = server
        .send("DELETE", "/series/a/aliases/champion", &[], "")
        .await;
    assert_eq!((removed.status, removed.body.len()), (204, 0));
    let gone = server.predict("a?alias=champion", &point(9, 10.0)).await;
    assert_problem(&gone, 404, "unknown_alias");
    assert_problem(
        &server.get("/series/a/aliases/champion").await,
        404,
        "unknown_alias",
    );
    let again = server
        .send("DELETE", "/series/a/aliases/champion", &[], "")
        .await;
    assert_problem(&again, 404, "unknown_alias");
    assert_eq!(listed(&server, "a").await.len(), 1);
    // The latest version has moved on, the alias has not.
    fitted(&server, "a", 1).await;
    assert_eq!(asked(&server, "a", "challenger").await, "3");
}

#[tokio::test]
async fn a_fit_sets_its_alias_with_the_version() {
    let server = Server::start().await;
    for version in 1..=3 {
        let level = 10.0 * f64::from(version);
        let mut body = history(&[level - 1.0, level, level + 1.0]);
        body["set_alias"] = json!("live");
        let fit = server.fit("a", &body).await.ok();
        assert_eq!(fit["version"], version.to_string());
        assert_eq!(fit["alias"], "live");
        assert_eq!(asked(&server, "a", "live").await, version.to_string());
    }
    let mut body = history(&[1.0, 2.0, 4.0]);
    body["set_alias"] = json!("latest");
    let loc = json!(["body", "set_alias"]);
    assert_problem_at(&server.fit("a", &body).await, 422, "invalid_alias", &loc);
    body["set_alias"] = Value::Null;
    let fit = server.fit("a", &body).await.ok();
    assert_eq!(
        (fit["version"].as_str(), fit.get("alias")),
        (Some("4"), None)
    );
    assert_eq!(
        listed(&server, "a").await,
        [("live".to_owned(), "3".to_owned())]
    );
}

#[tokio::test]
async fn a_change_is_made_only_if_the_alias_is_as_assumed() {
    let server = Server::start().await;
    fitted(&server, "a", 3).await;
    let at = "a/aliases/champion";
    let unmet = |reply: &Reply| {
        assert_problem(reply, 412, "alias_precondition_failed");
    };
    unmet(&put_if(&server, at, "1", &[("if-match", "*")]).await);
    unmet(&put_if(&server, at, "1", &[("if-match", "\"1\"")]).await);
    let made = put_if(&server, at, "1", &[("if-none-match", "*")]).await;
    assert_eq!(made.status, 201);
    let first = made.header("etag").expect("a tag").to_owned();
    unmet(&put_if(&server, at, "2", &[("if-none-match", "*")]).await);
    let moved = put_if(
        &server,
        at,
        "2",
        &[("if-match", &format!("\"x\", {first}"))],
    )
    .await;
    assert_eq!(moved.ok()["version"], "2");
    let second = moved.header("etag").expect("a tag").to_owned();
    assert_ne!(first, second);
    for stale in [first.as_str(), &format!("W/{second}"), "x", "\"\""] {
        unmet(&put_if(&server, at, "3", &[("if-match", stale)]).await);
        let headers = [("if-match", stale)];
        unmet(
            &server
                .send("DELETE", "/series/a/aliases/champion", &headers, "")
                .await,
        );
    }
    assert_eq!(asked(&server, "a", "champion").await, "2");
    // Back where it was is not as it was.
    let back = put_if(&server, at, "1", &[("if-match", "*")]).await;
    assert_ne!(back.header("etag"), Some(first.as_str()));
    let headers = [("if-match", back.header("etag").expect("a tag"))];
    let removed = server
        .send("DELETE", "/series/a/aliases/champion", &headers, "")
        .await;
    assert_eq!(removed.status, 204);
    let made = put_if(&server, at, "1", &[("if-none-match", "*")]).await;
    assert_eq!(made.status, 201);
    assert_ne!(
        made.header("etag"),
        Some(first.as_str()),
        "tags are not used twice"
    );
    for headers in [
        [("if-none-match", "\"1\""), ("x-x", "")],
        [("if-none-match", "*"), ("if-match", "*")],
    ] {
        let refused = put_if(&server, at, "2", &headers).await;
        assert_problem(&refused, 422, "parameter_conflict");
    }
}

/// Of many who assume the same only one is right.
#[tokio::test]
async fn of_changes_at_once_that_assume_the_same_one_is_made() {
    let server = Server::start().await;
    fitted(&server, "a", 2).await;
    let made = put(&server, "a/aliases/x", "1").await;
    let mut tag = made.header("etag").expect("a tag").to_owned();
    for _ in 0..20 {
        let headers = [("if-match", tag.as_str())];
        let changes = (0..8).map(|_| put_if(&server, "a/aliases/x", "2", &headers));
        let replies = futures_util::future::join_all(changes).await;
        let made: Vec<_> = replies.iter().filter(|reply| reply.status == 200).collect();
        assert_eq!(made.len(), 1);
        let unmet = replies.iter().filter(|reply| reply.status == 412).count();
        assert_eq!(unmet, 7);
        tag = made[0].header("etag").expect("a tag").to_owned();
    }
}

#[rstest]
#[case("/series/a/aliases/latest", "1", 422, "invalid_alias", json!(["path", "alias"]))]
#[case("/series/a/aliases/12", "1", 422, "invalid_alias", json!(["path", "alias"]))]
#[case("/series/a/aliases/v3", "1", 422, "invalid_alias", json!(["path", "alias"]))]
#[case("/series/a/aliases/", "1", 422, "invalid_alias", json!(["path", "alias"]))]
#[case("/series/a/aliases/A%20", "1", 422, "invalid_alias", json!(["path", "alias"]))]
#[case("/series/a/aliases/x", "0", 422, "invalid_version", json!(["body", "version"]))]
#[case("/series/a/aliases/x", "one", 422, "invalid_version", json!(["body", "version"]))]
#[case("/series/a%41/aliases/x", "1", 422, "invalid_series_id", json!(["path", "series_id"]))]
#[tokio::test]
async fn what_is_no_alias_and_no_version_is_refused_with_its_place(
    #[case] target: &str,
    #[case] version: &str,
    #[case] status: u16,
    #[case] code: &str,
    #[case] loc: Value,
) {
    let server = Server::start().await;
    fitted(&server, "a", 1).await;
    let body = json!({ "version": version }).to_string();
    let refused = server.send("PUT", target, &[], body).await;
    assert_problem_at(&refused, status, code, &loc);
}

#[tokio::test]
async fn what_is_not_there_is_told_apart() {
    let server = Server::start().await;
    fitted(&server, "a", 2).await;
    assert_problem(
        &put(&server, "a/aliases/x", "3").await,
        404,
        "unknown_version",
    );
    assert_problem(
        &put(&server, "b/aliases/x", "1").await,
        404,
        "unknown_series",
    );
    for (series, code) in [("a", "unknown_alias"), ("b", "unknown_series")] {
        let predict = server
            .predict(&format!("{series}?alias=x"), &point(1, 1.0))
            .await;
        assert_problem(&predict, 404, code);
        let read = server.get(&format!("/series/{series}/aliases/x")).await;
        assert_problem(&read, 404, code);
    }
    assert_problem(
        &server.get("/series/b/aliases").await,
        404,
        "unknown_series",
    );
    assert_eq!(listed(&server, "a").await, []);
    let both = server.predict("a?alias=x&version=1", &point(1, 1.0)).await;
    assert_problem_at(&both, 422, "parameter_conflict", &json!(["query", "alias"]));
    for alias in ["", "latest", "3", "X"] {
        let refused = server
            .predict(&format!("a?alias={alias}"), &point(1, 1.0))
            .await;
        assert_problem_at(&refused, 422, "invalid_alias", &json!(["query", "alias"]));
    }
    let body = json!({ "version": "1", "x": 1 }).to_string();
    let unknown = server.send("PUT", "/series/a/aliases/x", &[], body).await;
    assert_problem(&unknown, 422, "unknown_field");
    let missing = server.send("PUT", "/series/a/aliases/x", &[], "{}").await;
    assert_problem(&missing, 422, "missing_field");
    let posted = server.send("POST", "/series/a/aliases/x", &[], "{}").await;
    assert_problem(&posted, 405, "method_not_allowed");
}

#[tokio::test]
async fn a_series_has_up_to_a_hundred_aliases() {
    let server = Server::start().await;
    fitted(&server, "a", 2).await;
    for i in 0..100 {
        assert_eq!(
            put(&server, &format!("a/aliases/x-{i}"), "1").await.status,
            201
        );
    }
    assert_problem(
        &put(&server, "a/aliases/y", "1").await,
        422,
        "invalid_alias",
    );
    let mut body = history(&[1.0, 2.0, 4.0]);
    body["set_alias"] = json!("y");
    assert_problem(&server.fit("a", &body).await, 422, "invalid_alias");
    assert_eq!(
        put(&server, "a/aliases/x-7", "2").await.status,
        200,
        "one that is there"
    );
    body["set_alias"] = json!("x-8");
    assert_eq!(
        server.fit("a", &body).await.ok()["version"],
        "3",
        "no version was made in vain"
    );
    let gone = server
        .send("DELETE", "/series/a/aliases/x-7", &[], "")
        .await;
    assert_eq!(gone.status, 204);
    assert_eq!(put(&server, "a/aliases/y", "1").await.status, 201);
}

/// With no memory for anything, every look-up goes to the store, and says the same.
#[tokio::test]
async fn aliases_without_memory_are_read_from_the_store() {
    let server = Server::with(&["--model-cache", "0"]).await;
    fitted(&server, "a", 3).await;
    for version in ["1", "3", "2", "1"] {
        put(&server, "a/aliases/x", version).await;
        for _ in 0..5 {
            assert_eq!(asked(&server, "a", "x").await, version);
        }
    }
}
