//! Versions as files: what one server exports answers on another one as it did, and nothing else is imported.

use serde_json::{Value, json};

use crate::every_model::{columns, drawn, fits, points};
use crate::histories::{MONDAY, daily, with};
use crate::problem::{assert_problem, assert_problem_at};
use crate::reply::Reply;
use crate::server::{Server, history, long_history, point};

const MEDIA: &str = "application/vnd.tidemark.model";

/// Models that judge windows, and the one that learns.
const WINDOWED: [&str; 8] = [
    "pca",
    "gmm",
    "kmeans",
    "one_class_svm",
    "forest",
    "spectral_residual",
    "nearest",
    "tail_views",
];

async fn export(server: &Server, series: &str, version: &str) -> Reply {
    let target = format!("/series/{series}/versions/{version}/artifact");
    let reply = server.get(&target).await;
    assert_eq!(reply.status, 200, "{target}");
    reply
}

async fn import(server: &Server, target: &str, file: &[u8], headers: &[(&str, &str)]) -> Reply {
    let headers = [&[("content-type", MEDIA)], headers].concat();
    let target = format!("/series/{target}");
    server.send("POST", &target, &headers, file.to_vec()).await
}

/// Everything but the number of the version.
fn without_version(reply: &Reply, version: &str) -> String {
    let version = format!("\"model_version\":\"{version}\"");
    assert!(reply.text().contains(&version), "{}", reply.text());
    reply.text().replace(&version, "")
}

#[tokio::test]
async fn an_imported_version_answers_byte_for_byte_as_the_one_it_was_made_from() {
    let (here, there) = (Server::start().await, Server::start().await);
    let windowed = WINDOWED.map(|model| {
        let body = with(daily(21), &json!({ "model": model }));
        (format!("windowed-{model}"), body)
    });
    let other = history(&[1.0, 2.0, 4.0, 3.0]);
    for (name, body) in fits().into_iter().chain(windowed) {
        here.fit(&name, &body).await.ok();
        let file = export(&here, &name, "1").await;
        let elsewhere = format!("copy-of-{name}");
        there.fit(&elsewhere, &other).await.ok();
        let told = import(&there, &format!("{elsewhere}/versions"), &file.body, &[]).await;
        let told = told.ok();
        assert_eq!(
            (&told["series_id"], &told["version"]),
            (&json!(elsewhere), &json!("2"))
        );
        let batch = columns(&points(&body));
        for (query, body) in [
            ("", &batch),
            ("?explain=true", &batch),
            ("?explain=true", &point(MONDAY + 90_061, 50.5)),
        ] {
            let ours = here.predict(&format!("{name}{query}"), body).await;
            let theirs = there.predict(&format!("{elsewhere}{query}"), body).await;
            assert_eq!((ours.status, theirs.status), (200, 200), "{name}");
            assert_eq!(
                without_version(&ours, "1"),
                without_version(&theirs, "2"),
                "{name}"
            );
        }
        // The control: the version before is another model.
        let before = there
            .predict(&format!("{elsewhere}?version=1"), &batch)
            .await;
        let ours = here.predict(&name, &batch).await;
        assert_ne!(
            without_version(&ours, "1"),
            without_version(&before, "1"),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_version_keeps_what_is_known_of_it_on_its_way() {
    let (here, there) = (Server::start().await, Server::start().await);
    let mut body = long_history(3_000);
    body["labels"] = json!({ "team": "payments" });
    body["seasonality"] = json!([86_400]);
    body["model"] = json!("seasonal");
    here.fit("s", &body).await.ok();
    let reply = export(&here, "s", "v0").await;
    assert_eq!(reply.header("content-type"), Some(MEDIA));
    assert_eq!(
        reply.header("content-disposition"),
        Some("attachment; filename=\"s-v1.tidemark\"")
    );
    assert!(
        reply
            .header("repr-digest")
            .is_some_and(|it| it.starts_with("sha-256=:"))
    );
    let tag = reply.header("etag").expect("it has one").to_owned();
    let known = [("if-none-match", tag.as_str())];
    let again = here
        .send("GET", "/series/s/versions/1/artifact", &known, "")
        .await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(again.header("etag"), Some(tag.as_str()));
    assert_eq!(
        export(&here, "s", "1").await.body,
        reply.body,
        "the same bytes for ever"
    );

    import(&there, "t/versions", &reply.body, &[]).await.ok();
    let version = async |server: &Server, series: &str| {
        let mut told = server
            .get(&format!("/series/{series}/versions/1"))
            .await
            .ok();
        for field in ["series_id", "size_bytes", "imported_at"] {
            told.as_object_mut().expect("an object").remove(field);
        }
        told
    };
    assert_eq!(version(&here, "s").await, version(&there, "t").await);
    let told = there.get("/series/t/versions/1").await.ok();
    assert!(told["imported_at"].as_i64() >= told["fitted_at"].as_i64());
    let list = there.get("/series?label=team=payments").await.ok();
    assert_eq!(list["series"][0]["series_id"], "t");
    // The points come along: both charts are the same but for what names them.
    let chart = async |server: &Server, series: &str| {
        let page = server.get(&format!("/plot?series_id={series}")).await;
        assert_eq!(page.status, 200);
        drawn(page.text())
    };
    assert_eq!(chart(&there, "t").await, chart(&here, "s").await);
    // What was imported is exported as what it is.
    let further = export(&there, "t", "1").await;
    import(&here, "u/versions", &further.body, &[]).await.ok();
    assert_eq!(version(&here, "u").await, version(&there, "t").await);
}

#[tokio::test]
async fn a_frozen_state_is_exported_too() {
    let (here, there) = (Server::start().await, Server::start().await);
    for i in 0..50 {
        let point = point(100 + 60 * i, 10.0 + (i % 7) as f64);
        here.post("/update/s", point.to_string()).await.ok();
    }
    here.post("/series/s/versions", r#"{"from":"online"}"#)
        .await
        .ok();
    let file = export(&here, "s", "1").await;
    import(&there, "s/versions", &file.body, &[]).await.ok();
    let asked = point(100 + 60 * 50, 99.0);
    let [ours, theirs] = [
        here.predict("s", &asked).await,
        there.predict("s", &asked).await,
    ];
    assert_eq!((ours.status, ours.text()), (200, theirs.text()));
}

#[tokio::test]
async fn an_import_sets_an_alias_and_is_made_once() {
    let server = Server::start().await;
    server.fit("s", &daily(14)).await.ok();
    let file = export(&server, "s", "1").await.body;
    let named = async |query: &str, key: &str| {
        let target = format!("t/versions{query}");
        import(&server, &target, &file, &[("idempotency-key", key)]).await
    };
    let first = named("?set_alias=champion", "k").await;
    assert_eq!(first.ok()["alias"], "champion");
    let again = named("?set_alias=champion", "k").await;
    assert_eq!(again.body, first.body);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    for other in ["", "?set_alias=challenger"] {
        assert_problem(&named(other, "k").await, 422, "idempotency_key_reused");
    }
    assert_eq!(named("", "l").await.ok()["version"], "2");
    let alias = server.get("/series/t/aliases/champion").await.ok();
    assert_eq!(alias["version"], "1");
    let loc = json!(["query", "set_alias"]);
    assert_problem_at(
        &named("?set_alias=latest", "m").await,
        422,
        "invalid_alias",
        &loc,
    );
    assert_problem(&named("?alias=x", "m").await, 422, "invalid_query");
}

#[tokio::test]
async fn what_is_no_artifact_is_refused_and_nothing_is_stored() {
    let server = Server::with(&["--max-body", "100KB"]).await;
    server.fit("s", &daily(14)).await.ok();
    let file = export(&server, "s", "1").await.body;
    let loc = json!(["body"]);
    let refused = async |file: &[u8], words: &str| {
        let reply = import(&server, "t/versions", file, &[]).await;
        assert_problem_at(&reply, 422, "invalid_artifact", &loc);
        let detail = reply.json()["detail"].as_str().expect("words").to_owned();
        assert!(detail.contains(words), "{words}: {detail}");
    };
    refused(b"", "damaged").await;
    refused(b"{\"from\":\"online\"}", "no artifact").await;
    refused(&file[..file.len() - 1], "truncated").await;
    refused(&file[..40], "truncated").await;
    refused(&[file.as_slice(), b"\0"].concat(), "bytes after the end").await;
    for at in (0..file.len()).step_by(file.len() / 40) {
        let mut changed = file.clone();
        changed[at] ^= 0x10;
        refused(&changed, "").await;
    }
    // Whole, of a format that is not known yet.
    let payload = &file[12..file.len() - 16];
    refused(&sealed(2, payload), "has format 2").await;
    refused(&sealed(1, &payload[..payload.len() / 2]), "damaged").await;
    let large = vec![0; 200_000];
    let reply = import(&server, "t/versions", &large, &[]).await;
    assert_problem(&reply, 413, "body_too_large");
    for (coding, status, code) in [
        ("gzip", 400, "malformed_request"),
        ("br", 415, "unsupported_media_type"),
    ] {
        let coded = [("content-encoding", coding)];
        let reply = import(&server, "t/versions", &file, &coded).await;
        assert_problem(&reply, status, code);
    }
    let as_bytes = [("content-type", "application/octet-stream")];
    let reply = server
        .send("POST", "/series/t/versions", &as_bytes, file.clone())
        .await;
    assert_problem(&reply, 415, "unsupported_media_type");
    assert_problem(&server.get("/series/t").await, 404, "unknown_series");
    assert_eq!(server.series_trained().await, 1);
    let told: Value = import(&server, "t/versions", &file, &[]).await.ok();
    assert_eq!(told["version"], "1", "no number was given in vain");
}

/// An artifact of `format` around `payload`, with a checksum that is right.
fn sealed(format: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = b"TART".to_vec();
    bytes.extend_from_slice(&format.to_le_bytes());
    bytes.extend_from_slice(&0_u16.to_le_bytes());
    let length = u32::try_from(payload.len()).expect("it is short");
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(payload);
    let digest = blake3::hash(&bytes);
    bytes.extend_from_slice(&digest.as_bytes()[..16]);
    bytes
}
