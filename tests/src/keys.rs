//! Keys as an operator makes them, and what a server says to those who have none.

use std::path::{Path, PathBuf};

use clap::Parser;
use serde_json::json;
use service::config::{Cli, Command};

use crate::problem::assert_problem;
use crate::raw;
use crate::reply::Reply;
use crate::server::{Server, history, point};

/// `tidemark keys` with these arguments; what it prints.
pub(crate) fn keys(data_dir: &Path, arguments: &[&str]) -> Result<String, String> {
    let line = ["tidemark", "keys"].iter().chain(arguments);
    let line: Vec<&str> = line.copied().collect();
    let folder = data_dir.to_str().expect("a path of UTF-8");
    let line = [&line[..], &["--data-dir", folder]].concat();
    match Cli::try_parse_from(line).expect("valid flags").command {
        Command::Keys { command } => service::keys::command::run(&command).map(|told| told.output),
        _ => unreachable!("`keys` was parsed"),
    }
}

/// A new key.
pub(crate) fn create(data_dir: &Path, tenant: &str, scopes: &str) -> String {
    let printed = keys(
        data_dir,
        &["create", "--tenant", tenant, "--scopes", scopes],
    );
    printed.expect("a key is made").trim_end().to_owned()
}

/// The part of a key that names it.
pub(crate) fn id(key: &str) -> &str {
    key.split('_').nth(1).expect("a key has an id")
}

/// A folder for a store, which goes away.
pub(crate) fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let data_dir = folder.path().join("data");
    (folder, data_dir)
}

/// A request with a key.
pub(crate) async fn send(
    server: &Server,
    key: &str,
    (method, target): (&str, &str),
    body: &str,
) -> Reply {
    let headers = [("x-api-key", key), ("content-type", "application/json")];
    server.send(method, target, &headers, body.to_owned()).await
}

fn fit() -> String {
    history(&[1.0, 2.0, 4.0]).to_string()
}

#[tokio::test]
async fn either_header_is_taken_and_two_keys_are_none() {
    let (_folder, data_dir) = folder();
    let key = create(&data_dir, "a", "fit");
    let server = Server::at(&data_dir, &[]).await;
    let json = ("content-type", "application/json");
    let bearer = format!("Bearer {key}");
    let spelled = format!("bearer  {key}");
    let (authorization, plain) = ("authorization", "x-api-key");
    for headers in [
        &[(authorization, bearer.as_str())][..],
        &[(authorization, spelled.as_str())],
        &[(plain, key.as_str())],
        &[(plain, key.as_str()), (authorization, bearer.as_str())],
    ] {
        let headers = [headers, &[json]].concat();
        server.send("POST", "/fit/s", &headers, fit()).await.ok();
    }
    let other = create(&data_dir, "a", "fit");
    for headers in [
        &[][..],
        &[(authorization, key.as_str())],
        &[(authorization, "Basic dTpw")],
        &[(authorization, "Basic dTpw"), (plain, key.as_str())],
        &[(authorization, bearer.as_str()), (plain, other.as_str())],
        &[("cookie", key.as_str())],
    ] {
        let headers = [headers, &[json]].concat();
        let refused = server.send("POST", "/fit/s", &headers, fit()).await;
        assert_problem(&refused, 401, "authentication_required");
        assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
    }
    let query = format!("/fit/s?api_key={key}");
    assert_problem(
        &server.post(&query, fit()).await,
        401,
        "authentication_required",
    );
}

#[tokio::test]
async fn a_scope_that_is_missing_is_named() {
    let (_folder, data_dir) = folder();
    let key = create(&data_dir, "a", "predict");
    let server = Server::at(&data_dir, &[]).await;
    for (method, target, scope) in [
        ("POST", "/fit/s", "`fit`"),
        ("PUT", "/series/s/aliases/champion", "`admin`"),
        ("GET", "/metrics", "`admin`"),
    ] {
        let refused = send(&server, &key, (method, target), &fit()).await;
        let problem = assert_problem(&refused, 403, "insufficient_scope");
        let detail = problem["detail"].as_str().expect("a sentence");
        assert!(detail.contains(scope), "{detail}");
    }
}

/// An alias decides what others are answered, whichever request sets it.
#[tokio::test]
async fn a_fit_that_sets_an_alias_needs_both_scopes() {
    let (_folder, data_dir) = folder();
    let (fits, both) = (
        create(&data_dir, "a", "fit"),
        create(&data_dir, "a", "fit,admin"),
    );
    let server = Server::at(&data_dir, &[]).await;
    let mut body = history(&[1.0, 2.0, 4.0]);
    body["set_alias"] = json!("champion");
    for n in [3, 3_000] {
        // Small bodies and large ones are read in different places.
        body["timestamps"] = (1..=n).collect();
        body["values"] = (1..=n).map(|i| f64::from(i % 7)).collect();
        let refused = send(&server, &fits, ("POST", "/fit/s"), &body.to_string()).await;
        let problem = assert_problem(&refused, 403, "insufficient_scope");
        assert!(
            problem["detail"]
                .as_str()
                .expect("a sentence")
                .contains("`admin`")
        );
    }
    let told = send(&server, &both, ("POST", "/fit/s"), &body.to_string()).await;
    assert_eq!(told.ok()["version"], "1", "nothing was stored before");
}

/// Neither the body nor a place in the queue is waited for.
#[tokio::test]
async fn a_caller_without_a_key_is_refused_before_the_body() {
    let (_folder, data_dir) = folder();
    create(&data_dir, "a", "fit");
    let server = Server::at(&data_dir, &[]).await;
    let head = "POST /fit/s HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n";
    let reply = raw::exchange(server.addr, head.into()).await;
    assert_problem(&reply, 401, "authentication_required");
}

#[tokio::test]
async fn a_store_that_was_filled_without_keys_is_the_tenant_defaults() {
    let (_folder, data_dir) = folder();
    let server = Server::at(&data_dir, &[]).await;
    let told = server.fit("s", &history(&[1.0, 2.0, 4.0])).await.ok();
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", "k"),
    ];
    let first = server.send("POST", "/fit/t", &headers, fit()).await;
    server.stop().await;

    let default = create(&data_dir, "default", "fit,predict");
    let other = create(&data_dir, "a", "fit,predict");
    let server = Server::at(&data_dir, &[]).await;
    let body = point(5, 2.0).to_string();
    let ask = ("POST", "/predict/s");
    let reply = send(&server, &default, ask, &body).await.ok();
    assert_eq!(reply["model_hash"], told["model_hash"]);
    assert_problem(
        &send(&server, &other, ask, &body).await,
        404,
        "unknown_series",
    );
    // A retry that began before keys were made finds its answer, and nobody else does.
    for (key, replayed) in [(&default, Some("true")), (&other, None)] {
        let headers = [&headers[..], &[("x-api-key", key.as_str())]].concat();
        let again = server.send("POST", "/fit/t", &headers, fit()).await;
        assert_eq!(again.header("idempotency-replayed"), replayed);
        assert_eq!(again.body == first.body, replayed.is_some());
    }
}

#[tokio::test]
async fn refusals_are_counted_by_reason_without_a_name() {
    let (_folder, data_dir) = folder();
    let admin = create(&data_dir, "acme", "admin");
    let gone = create(&data_dir, "acme", "fit");
    keys(&data_dir, &["revoke", id(&gone)]).expect("it is there");
    let server = Server::at(&data_dir, &[]).await;
    let swap = if admin.ends_with('0') { "1" } else { "0" };
    let wrong = format!("{}{swap}", &admin[..admin.len() - 1]);
    let ask = ("POST", "/predict/s");
    for key in ["", "nonsense", &wrong, &wrong, &gone, &admin] {
        send(&server, key, ask, "{}").await;
    }
    server.post("/predict/s", "{}").await;
    let metrics = send(&server, &admin, ("GET", "/metrics"), "").await;
    let counted: Vec<&str> = metrics
        .text()
        .lines()
        .filter_map(|line| line.strip_prefix("tidemark_authentication_refusals_total"))
        .collect();
    assert_eq!(
        counted,
        [
            "{reason=\"missing\"} 1",
            "{reason=\"malformed\"} 0",
            "{reason=\"unknown\"} 4",
            "{reason=\"revoked\"} 1",
            "{reason=\"scope\"} 1",
        ]
    );
    for name in ["acme", id(&admin), id(&gone)] {
        assert!(!metrics.text().contains(name), "{name}");
    }
}

/// A damaged record is told of by the id that the caller knows.
#[tokio::test]
async fn replies_never_show_the_name_in_the_store() {
    let (_folder, data_dir) = folder();
    let key = create(&data_dir, "acme", "fit,predict,admin");
    let server = Server::at(&data_dir, &[]).await;
    send(&server, &key, ("POST", "/fit/s"), &fit()).await.ok();
    for (method, target) in [
        ("POST", "/predict/s?version=9"),
        ("POST", "/predict/s?alias=champion"),
        ("POST", "/predict/t"),
        ("GET", "/plot?series_id=t"),
        ("GET", "/series/s/calibration?state=online"),
        ("GET", "/series/s/aliases/champion"),
        ("DELETE", "/series/s/aliases/champion"),
        ("POST", "/series/s/versions"),
        ("POST", "/update/s?from=9"),
    ] {
        let body = match target {
            "/series/s/versions" => "{}".to_owned(),
            _ => point(5, 2.0).to_string(),
        };
        let body = if method == "POST" {
            body
        } else {
            String::new()
        };
        let reply = send(&server, &key, (method, target), &body).await;
        assert!(reply.status >= 400, "{method} {target}: {}", reply.text());
        assert!(
            !reply.text().contains("acme"),
            "{method} {target}: {}",
            reply.text()
        );
    }
}

/// The load client sends a key, and keeps it out of what it writes.
#[tokio::test]
async fn the_load_client_speaks_to_a_server_with_keys() {
    use bench_client::api_key::ApiKey;
    use bench_client::scenario::Verdict;

    let (out, data_dir) = folder();
    let key = create(&data_dir, "a", "fit,predict");
    let server = Server::at(&data_dir, &[]).await;
    let play = |key: Option<&str>, out| {
        let base: bench_client::base_url::BaseUrl = format!("http://{}", server.addr)
            .parse()
            .expect("an address");
        let key = key.map(|key| ApiKey::new(key.to_owned()).expect("a header's value"));
        crate::scenario::play_at(base.with_key(key), "sequential", out)
    };
    let with = out.path().join("with");
    let report = play(Some(&key), with.clone()).await;
    assert_eq!(report.verdict, Verdict::Pass, "{report}");
    let secret = key.rsplit('_').next().expect("a key has a secret");
    let written = files_below(&with);
    assert!(!written.is_empty(), "there are results");
    for file in written {
        let bytes = std::fs::read(&file).expect("it is there");
        assert!(
            !String::from_utf8_lossy(&bytes).contains(secret),
            "{}",
            file.display()
        );
    }
    // The control: without one nothing is answered.
    let report = play(None, out.path().join("without")).await;
    assert_ne!(report.verdict, Verdict::Pass, "{report}");
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    entries
        .flat_map(|entry| {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                files_below(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}
