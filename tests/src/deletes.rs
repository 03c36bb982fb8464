//! Deleting versions and series: what goes, what stays, and what a caller is told.

use serde_json::{Value, json};

use crate::problem::{assert_problem, assert_problem_at};
use crate::reply::Reply;
use crate::server::{Server, history, point};

/// Fits a series on a level of its own.
async fn fit(server: &Server, series: &str, level: f64) -> Value {
    let body = history(&[level - 1.0, level, level + 1.0]);
    server.fit(series, &body).await.ok()
}

async fn delete(server: &Server, target: &str) -> Reply {
    server.send("DELETE", target, &[], "").await
}

/// Deletes what is there.
async fn gone(server: &Server, target: &str) {
    let reply = delete(server, target).await;
    assert_eq!(
        (reply.status, reply.body.len()),
        (204, 0),
        "{}",
        reply.text()
    );
}

async fn predicted(server: &Server, target: &str) -> Reply {
    server.predict(target, &point(9, 10.0)).await
}

async fn version_of(server: &Server, target: &str) -> String {
    let reply = predicted(server, target).await.ok();
    reply["model_version"].as_str().expect("text").to_owned()
}

#[tokio::test]
async fn a_version_goes_its_number_does_not_come_back_and_latest_is_what_remains() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Server::at(folder.path(), &[]).await;
    for k in 1..=4 {
        fit(&server, "a", 10.0 * f64::from(k)).await;
    }
    // All are in memory.
    for k in 1..=4 {
        assert_eq!(
            version_of(&server, &format!("a?version={k}")).await,
            k.to_string()
        );
    }
    gone(&server, "/series/a/versions/v4").await;
    gone(&server, "/series/a/versions/2").await;
    let assert_all = async |server: &Server| {
        for latest in ["a", "a?version=0", "a?version=v0"] {
            assert_eq!(version_of(server, latest).await, "3");
        }
        assert_eq!(version_of(server, "a?version=1").await, "1");
        for version in ["2", "4"] {
            let reply = predicted(server, &format!("a?version={version}")).await;
            assert_problem(&reply, 404, "unknown_version");
            let plot = server
                .get(&format!("/plot?series_id=a&version={version}"))
                .await;
            assert_problem(&plot, 404, "unknown_version");
            let calibration = server
                .get(&format!("/series/a/calibration?version={version}"))
                .await;
            assert_problem(&calibration, 404, "unknown_version");
            let again = delete(server, &format!("/series/a/versions/{version}")).await;
            assert_problem(&again, 404, "unknown_version");
        }
        assert_eq!(server.series_trained().await, 1);
    };
    assert_all(&server).await;
    server.stop().await;
    let server = Server::at(folder.path(), &[]).await;
    assert_all(&server).await;
    assert_eq!(fit(&server, "a", 50.0).await["version"], "5");
    for version in [5, 3, 1] {
        gone(&server, &format!("/series/a/versions/{version}")).await;
    }
    let none = predicted(&server, "a").await;
    assert_problem(&none, 404, "unknown_series");
    assert_eq!(server.series_trained().await, 0);
    assert_eq!(fit(&server, "a", 60.0).await["version"], "6");
    assert_eq!(server.series_trained().await, 1);
}

#[tokio::test]
async fn a_version_that_aliases_point_to_stays() {
    let server = Server::start().await;
    for k in 1..=2 {
        fit(&server, "a", 10.0 * f64::from(k)).await;
    }
    let put = async |alias: &str, version: &str| {
        let json = [("content-type", "application/json")];
        let body = json!({"version": version}).to_string();
        let target = format!("/series/a/aliases/{alias}");
        server.send("PUT", &target, &json, body).await
    };
    put("champion", "1").await.json();
    put("rival", "1").await.json();
    let refused = delete(&server, "/series/a/versions/1").await;
    assert_problem(&refused, 409, "version_in_use");
    let problem = refused.json();
    let detail = problem["detail"].as_str().expect("text");
    assert!(detail.contains("champion, rival"), "{detail}");
    let errors = problem["errors"].as_array().expect("a list");
    assert_eq!(errors.len(), 2, "{problem}");
    for (error, alias) in errors.iter().zip(["champion", "rival"]) {
        assert_eq!(error["loc"], json!(["path", "version"]));
        assert!(
            error["msg"].as_str().expect("text").contains(alias),
            "{error}"
        );
    }
    assert_eq!(version_of(&server, "a?alias=champion").await, "1");
    put("champion", "2").await.ok();
    gone(&server, "/series/a/aliases/rival").await;
    gone(&server, "/series/a/versions/1").await;
    // What is deleted is as what never was.
    let deleted = put("rival", "1").await;
    assert_problem(&deleted, 404, "unknown_version");
    let never = put("rival", "9").await;
    assert_problem(&never, 404, "unknown_version");
}

#[tokio::test]
async fn a_series_goes_with_all_that_belongs_to_it() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Server::at(folder.path(), &[]).await;
    let body = json!({"timestamps": [1, 2, 3], "values": [9.0, 10.0, 11.0], "set_alias": "live"});
    let fit_with_key = async |server: &Server| {
        let headers = [
            ("content-type", "application/json"),
            ("idempotency-key", "k"),
        ];
        server
            .send("POST", "/fit/a", &headers, body.to_string())
            .await
            .ok()
    };
    let learn = async |server: &Server| {
        let at = json!({"timestamp": "100", "value": 10.0});
        server.post("/update/a", at.to_string()).await.ok()
    };
    fit(&server, "b", 10.0).await;
    assert_eq!(fit_with_key(&server).await["version"], "1");
    assert_eq!(fit(&server, "a", 20.0).await["version"], "2");
    assert_eq!(learn(&server).await["state_seq"], 1);
    assert_eq!(server.series_trained().await, 2);
    // In memory: models, the alias, the state.
    for target in ["a", "a?version=1", "a?alias=live"] {
        predicted(&server, target).await.ok();
    }
    gone(&server, "/series/a").await;
    let assert_gone = async |server: &Server| {
        for target in ["a", "a?version=1", "a?version=2", "a?alias=live"] {
            assert_problem(&predicted(server, target).await, 404, "unknown_series");
        }
        for (target, code) in [
            ("/series/a/aliases", "unknown_series"),
            ("/series/a/aliases/live", "unknown_series"),
            ("/series/a/calibration", "unknown_series"),
            ("/series/a/calibration?state=online", "no_online_state"),
            ("/plot?series_id=a", "unknown_series"),
        ] {
            assert_problem(&server.get(target).await, 404, code);
        }
        assert_problem(&delete(server, "/series/a").await, 404, "unknown_series");
        assert_problem(
            &delete(server, "/series/a/versions/1").await,
            404,
            "unknown_series",
        );
        assert_eq!(server.series_trained().await, 1);
        assert_eq!(version_of(server, "b").await, "1");
    };
    assert_gone(&server).await;
    server.stop().await;
    let server = Server::at(folder.path(), &[]).await;
    assert_gone(&server).await;
    // The answer of before is gone, the numbers go on, and the state begins anew.
    assert_eq!(fit_with_key(&server).await["version"], "3");
    assert_eq!(version_of(&server, "a?alias=live").await, "3");
    for version in ["1", "2"] {
        let reply = predicted(&server, &format!("a?version={version}")).await;
        assert_problem(&reply, 404, "unknown_version");
    }
    assert_eq!(learn(&server).await["state_seq"], 1);
    assert_eq!(server.series_trained().await, 2);
}

/// A series may have learnt from updates alone.
#[tokio::test]
async fn a_series_without_a_version_goes_with_its_state() {
    let server = Server::start().await;
    for round in 1..=2 {
        for seq in 1..=3 {
            let at = json!({"timestamp": (100 + seq).to_string(), "value": 10.0});
            let update = server.post("/update/a", at.to_string()).await.ok();
            assert_eq!(update["state_seq"], seq, "round {round}");
        }
        gone(&server, "/series/a").await;
        let state = server.get("/series/a/calibration?state=online").await;
        assert_problem(&state, 404, "no_online_state");
        assert_problem(&delete(&server, "/series/a").await, 404, "unknown_series");
    }
    assert_eq!(fit(&server, "a", 10.0).await["version"], "1");
}

#[tokio::test]
async fn the_answer_of_a_fit_whose_version_went_is_given_again() {
    let server = Server::start().await;
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", "k"),
    ];
    let body = history(&[9.0, 10.0, 11.0]).to_string();
    let first = server.send("POST", "/fit/a", &headers, body.clone()).await;
    fit(&server, "a", 20.0).await;
    gone(&server, "/series/a/versions/1").await;
    let again = server.send("POST", "/fit/a", &headers, body).await;
    assert_eq!(again.ok(), first.ok());
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_problem(
        &predicted(&server, "a?version=1").await,
        404,
        "unknown_version",
    );
}

#[tokio::test]
async fn a_version_may_be_deleted_only_as_it_is_assumed() {
    let server = Server::start().await;
    fit(&server, "a", 10.0).await;
    let hash = |fit: &Value| fit["model_hash"].as_str().expect("text").to_owned();
    let second = hash(&fit(&server, "a", 20.0).await);
    let delete_if = async |target: &str, tag: &str| {
        server
            .send("DELETE", target, &[("if-match", tag)], "")
            .await
    };
    for tag in [
        format!("W/\"{second}\""),
        second.clone(),
        "\"1\"".to_owned(),
        format!("\"{second}\""),
    ] {
        let refused = delete_if("/series/a/versions/1", &tag).await;
        assert_problem(&refused, 412, "version_precondition_failed");
    }
    let series = delete_if("/series/a", "\"1\"").await;
    assert_problem_at(
        &series,
        422,
        "invalid_header",
        &json!(["header", "If-Match"]),
    );
    let tag = format!("\"other\", \"{second}\"");
    assert_eq!(delete_if("/series/a/versions/2", &tag).await.status, 204);
    let again = delete_if("/series/a/versions/2", &tag).await;
    assert_problem(&again, 404, "unknown_version");
    assert_eq!(delete_if("/series/a/versions/1", "*").await.status, 204);
}

#[tokio::test]
async fn what_cannot_be_deleted_is_told_by_its_place() {
    let server = Server::start().await;
    fit(&server, "a", 10.0).await;
    for version in ["0", "v0", "latest", "-1", ""] {
        let refused = delete(&server, &format!("/series/a/versions/{version}")).await;
        assert_problem_at(
            &refused,
            422,
            "invalid_version",
            &json!(["path", "version"]),
        );
    }
    for target in ["/series/a?force=1", "/series/a/versions/1?force=1"] {
        let refused = delete(&server, target).await;
        assert_problem_at(&refused, 422, "invalid_query", &json!(["query", "force"]));
    }
    let id = delete(&server, "/series/a%2Fb").await;
    assert_problem(&id, 422, "invalid_series_id");
    assert_problem(
        &delete(&server, "/series/never").await,
        404,
        "unknown_series",
    );
    assert_eq!(version_of(&server, "a").await, "1");
}

#[tokio::test]
async fn the_last_versions_are_kept_and_those_with_an_alias() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Server::at(folder.path(), &["--keep-versions", "3"]).await;
    let there = async |server: &Server, n: u32| {
        let mut there = Vec::new();
        for version in 1..=n {
            let reply = predicted(server, &format!("a?version={version}")).await;
            match reply.status {
                200 => there.push(version),
                _ => {
                    assert_problem(&reply, 404, "unknown_version");
                }
            }
        }
        there
    };
    let mut body = history(&[9.0, 10.0, 11.0]);
    body["set_alias"] = json!("champion");
    server.fit("a", &body).await.ok();
    for k in 2..=6 {
        fit(&server, "a", 10.0 * f64::from(k)).await;
    }
    assert_eq!(there(&server, 6).await, [1, 4, 5, 6]);
    // The alias leaves it: the next fit finds it beyond.
    gone(&server, "/series/a/aliases/champion").await;
    assert_eq!(there(&server, 6).await, [1, 4, 5, 6]);
    assert_eq!(fit(&server, "a", 70.0).await["version"], "7");
    assert_eq!(there(&server, 7).await, [5, 6, 7]);
    server.stop().await;
    // What is there beyond a lower limit goes after the start.
    let server = Server::at(folder.path(), &["--keep-versions", "1"]).await;
    let begun = std::time::Instant::now();
    while there(&server, 7).await != [7] {
        assert!(begun.elapsed().as_secs() < 30, "older versions stay");
    }
}
