//! Lists of series and versions, labels, `as_of`: over a socket, against what was sent.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rstest::rstest;
use serde_json::{Value, json};

use crate::problem::assert_problem;
use crate::server::{Server, history, point};

const VALUES: [f64; 6] = [10.0, 10.2, 10.1, 9.9, 10.3, 10.15];

fn labelled(labels: Value) -> Value {
    let mut body = history(&VALUES);
    body["labels"] = labels;
    body
}

/// The ids of all pages of `target`, which has a query.
async fn walk(server: &Server, target: &str) -> Vec<String> {
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("{target}{cursor}")).await.ok();
        for entry in page["series"].as_array().expect("a list") {
            ids.push(entry["series_id"].as_str().expect("text").to_owned());
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return ids,
        }
    }
}

#[tokio::test]
async fn series_are_listed_in_order_by_prefix_and_by_label() {
    let server = Server::start().await;
    let ids = ["a-1", "a-2", "b.1", "b:2", "Z", "a"];
    for (i, id) in ids.iter().enumerate() {
        let even = (i % 2 == 0).to_string();
        let fit = labelled(json!({ "even": even, "team": "a=b" }));
        server.fit(id, &fit).await.ok();
    }
    assert_eq!(
        walk(&server, "/series?limit=2").await,
        ["Z", "a", "a-1", "a-2", "b.1", "b:2"]
    );
    assert_eq!(
        walk(&server, "/series?limit=1&prefix=a-").await,
        ["a-1", "a-2"]
    );
    assert_eq!(walk(&server, "/series?prefix=nothing").await, [""; 0]);
    assert_eq!(
        walk(&server, "/series?limit=1&label=even=true").await,
        ["Z", "a-1", "b.1"]
    );
    let both = "/series?label=team=a%3Db&label=even%3Dfalse&prefix=a";
    assert_eq!(walk(&server, both).await, ["a", "a-2"]);
    assert_eq!(walk(&server, "/series?label=team=a").await, [""; 0]);
    let page = server.get("/series?prefix=b.").await.ok();
    let entry = &page["series"][0];
    assert_eq!(entry["latest_version"], "1");
    assert_eq!(entry["versions"], 1);
    assert_eq!(entry["labels"], json!({ "even": "true", "team": "a=b" }));
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    let age = now.as_secs() as i64 - entry["fitted_at"].as_i64().expect("seconds");
    assert!((0..60).contains(&age), "{age}");
    let head = server.send("HEAD", "/series", &[], "").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
}

/// A fit without `labels` leaves those of the series; a version keeps its own.
#[tokio::test]
async fn labels_are_those_of_the_newest_fit_that_named_any() {
    let server = Server::start().await;
    let has = async |label: &str| walk(&server, &format!("/series?label={label}")).await.len() == 1;
    server
        .fit("s", &labelled(json!({ "a": "1", "b": "1" })))
        .await
        .ok();
    server.fit("s", &history(&VALUES)).await.ok();
    assert!(has("a=1").await && has("b=1").await);
    server.fit("s", &labelled(json!({ "b": "2" }))).await.ok();
    assert!(!has("a=1").await && !has("b=1").await && has("b=2").await);
    let told = async |version: &str| {
        let version = server
            .get(&format!("/series/s/versions/{version}"))
            .await
            .ok();
        version["labels"].clone()
    };
    assert_eq!(told("1").await, json!({ "a": "1", "b": "1" }));
    assert_eq!(told("2").await, json!({}));
    assert_eq!(
        server.get("/series/s").await.ok()["labels"],
        json!({ "b": "2" })
    );
    server.fit("s", &labelled(json!({}))).await.ok();
    assert_eq!(server.get("/series/s").await.ok()["labels"], json!({}));
    assert!(!has("b=2").await);
}

#[rstest]
#[case("/series?limit=0", "invalid_query", "limit")]
#[case("/series?limit=1001", "invalid_query", "limit")]
#[case("/series?limit=%2B5", "invalid_query", "limit")]
#[case("/series?limit=", "invalid_query", "limit")]
#[case("/series?limit=99999999999999999999", "invalid_query", "limit")]
#[case("/series?prefix=acme/", "invalid_query", "prefix")]
#[case("/series?prefix=%C3%A4", "invalid_query", "prefix")]
#[case("/series?label=team", "invalid_label", "label")]
#[case("/series?label==x", "invalid_label", "label")]
#[case("/series?cursor=", "invalid_cursor", "cursor")]
#[case("/series?cursor=100", "invalid_cursor", "cursor")]
#[case("/series?curser=x", "invalid_query", "curser")]
#[case("/series/s?x=1", "invalid_query", "x")]
#[case("/series/s/versions?order=up", "invalid_query", "order")]
#[case("/series/s/versions?cursor=AQAA", "invalid_cursor", "cursor")]
#[case("/series/s/versions/x", "invalid_version", "version")]
#[case("/series/s/versions/", "invalid_version", "version")]
#[case("/series/s/versions/x/artifact", "invalid_version", "version")]
#[tokio::test]
async fn what_is_wrong_is_named(#[case] target: &str, #[case] code: &str, #[case] field: &str) {
    let server = Server::start().await;
    server.fit("s", &history(&VALUES)).await.ok();
    let refused = assert_problem(&server.get(target).await, 422, code);
    let loc = refused["errors"][0]["loc"].as_array().expect("a place");
    assert_eq!(loc.last().expect("a field"), field, "{refused}");
}

/// A cursor of another list is refused, and so is one that was changed.
#[tokio::test]
async fn a_cursor_is_of_its_own_list() {
    let server = Server::start().await;
    for id in ["a", "b"] {
        for _ in 0..2 {
            server.fit(id, &history(&VALUES)).await.ok();
        }
    }
    let cursor = async |target: &str| {
        let page = server.get(target).await.ok();
        page["next_cursor"]
            .as_str()
            .expect("there is more")
            .to_owned()
    };
    let of_series = cursor("/series?limit=1").await;
    let of_versions = cursor("/series/a/versions?limit=1").await;
    for (target, cursor) in [
        ("/series?prefix=a&cursor=", &of_series),
        ("/series?label=a=b&cursor=", &of_series),
        ("/series?cursor=", &of_versions),
        ("/series/a/versions?cursor=", &of_series),
        ("/series/b/versions?cursor=", &of_versions),
        ("/series/a/versions?order=asc&cursor=", &of_versions),
        ("/series?cursor=A", &of_series),
    ] {
        let reply = server.get(&format!("{target}{cursor}")).await;
        assert_problem(&reply, 422, "invalid_cursor");
    }
    let other_limit = server
        .get(&format!("/series?limit=7&cursor={of_series}"))
        .await;
    assert_eq!(other_limit.ok()["series"][0]["series_id"], "b");
}

/// While others come and go, each series that is there throughout is listed exactly once.
#[tokio::test]
async fn a_walk_beside_fits_tells_each_series_once() {
    let server = Server::start().await;
    let throughout: BTreeSet<String> = (0..40).map(|i| format!("s-{:03}", 10 * i)).collect();
    for id in &throughout {
        server.fit(id, &history(&VALUES)).await.ok();
    }
    let walks = async {
        let mut all = Vec::new();
        for _ in 0..4 {
            all.push(walk(&server, "/series?limit=3").await);
        }
        all
    };
    let fits = async {
        for i in 0..60 {
            let id = format!("s-{:03}", (i * 37) % 400 + 1);
            server.fit(&id, &history(&VALUES)).await.ok();
        }
    };
    let (walks, ()) = tokio::join!(walks, fits);
    for told in walks {
        let once: BTreeSet<String> = told.iter().cloned().collect();
        assert_eq!(once.len(), told.len(), "none twice");
        assert!(throughout.is_subset(&once), "all of them");
    }
}

#[tokio::test]
async fn a_series_and_its_versions_are_told_of() {
    let server = Server::start().await;
    let mut first = labelled(json!({ "team": "payments" }));
    first["model"] = json!("gaussian");
    first["alarm_rate"] = json!(0.01);
    first["min_deviation"] = json!({ "abs": 0.5 });
    first["exclude"] = json!([{ "from": 1, "to": 1 }]);
    first["set_alias"] = json!("champion");
    let fitted = server.fit("s", &first).await.ok();
    server.fit("s", &history(&VALUES)).await.ok();
    let third = server.fit("s", &history(&VALUES)).await.ok();
    let series = server.get("/series/s").await.ok();
    assert_eq!(
        (&series["latest_version"], &series["first_version"]),
        (&json!("3"), &json!("1"))
    );
    assert_eq!(
        (&series["versions"], &series["online"]),
        (&json!(3), &json!(false))
    );
    assert_eq!(series["aliases"][0]["alias"], "champion");
    assert_eq!(series["last_fit"]["model_hash"], third["model_hash"]);
    server
        .post("/update/s", point(100, 10.0).to_string())
        .await
        .ok();
    assert_eq!(server.get("/series/s").await.ok()["online"], true);

    let list = server.get("/series/s/versions?limit=2").await.ok();
    let numbers = |list: &Value| {
        let versions = list["versions"].as_array().expect("a list").iter();
        versions.map(|it| it["version"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(numbers(&list), ["3", "2"]);
    let cursor = list["next_cursor"].as_str().expect("there is more");
    let rest = server
        .get(&format!("/series/s/versions?limit=2&cursor={cursor}"))
        .await
        .ok();
    assert_eq!(
        (numbers(&rest), &rest["next_cursor"]),
        (vec![json!("1")], &Value::Null)
    );
    let rising = server.get("/series/s/versions?order=asc").await.ok();
    assert_eq!(numbers(&rising), ["1", "2", "3"]);
    let entry = &rising["versions"][0];
    assert_eq!(entry["aliases"], json!(["champion"]));
    assert_eq!(
        (&entry["model"], &entry["points_used"]),
        (&json!("gaussian"), &json!(5))
    );
    assert_eq!(
        (&entry["trained_from"], &entry["trained_to"]),
        (&json!(2), &json!(6))
    );
    assert!(entry["size_bytes"].as_u64() > Some(100));

    let reply = server.get("/series/s/versions/v1").await;
    let tag = reply.header("etag").expect("it has one").to_owned();
    let version = reply.ok();
    assert_eq!(
        tag,
        format!("\"{}\"", fitted["model_hash"].as_str().expect("text"))
    );
    for field in [
        "version",
        "model",
        "points_used",
        "periods",
        "calibration",
        "model_hash",
        "warnings",
    ] {
        assert_eq!(version[field], fitted[field], "{field}");
    }
    assert_eq!(
        version["parameters"],
        json!({
            "model": "gaussian", "alarm_rate": 0.01, "direction": "both", "min_deviation": { "abs": 0.5, "rel": 0.0 },
            "seasonality": "auto", "timezone": "UTC", "time_unit": "s", "exclude": [{ "from": 1, "to": 1 }],
        })
    );
    for latest in ["0", "v0", "3"] {
        let told = server
            .get(&format!("/series/s/versions/{latest}"))
            .await
            .ok();
        assert_eq!(told["version"], "3");
    }
    for (target, code) in [
        ("/series/t", "unknown_series"),
        ("/series/t/versions", "unknown_series"),
        ("/series/t/versions/1", "unknown_series"),
        ("/series/t/versions/1/artifact", "unknown_series"),
        ("/series/s/versions/4", "unknown_version"),
        ("/series/s/versions/4/artifact", "unknown_version"),
    ] {
        assert_problem(&server.get(target).await, 404, code);
    }
}

#[tokio::test]
async fn as_of_asks_the_version_that_was_the_latest_then() {
    let server = Server::start().await;
    let mut fitted_at = Vec::new();
    for shift in [0.0, 100.0] {
        server
            .fit("s", &history(&VALUES.map(|value| value + shift)))
            .await
            .ok();
        let version = server.get("/series/s/versions/0").await.ok();
        fitted_at.push(version["fitted_at"].as_i64().expect("seconds"));
        tokio::time::sleep(Duration::from_millis(2_100)).await;
    }
    let asked = async |as_of: String| {
        let target = format!("s?as_of={as_of}");
        server.predict(&target, &point(100, 10.0)).await
    };
    let [first, second] = [fitted_at[0], fitted_at[1]];
    for (as_of, version) in [
        (first, "1"),
        (second - 1, "1"),
        (second, "2"),
        (second + 99_999, "2"),
    ] {
        let by_time = asked(as_of.to_string()).await;
        let by_number = server
            .predict(&format!("s?version={version}"), &point(100, 10.0))
            .await;
        assert_eq!(
            (by_time.status, by_time.text()),
            (200, by_number.text()),
            "{as_of}"
        );
    }
    let none = assert_problem(
        &asked((first - 1).to_string()).await,
        404,
        "unknown_version",
    );
    let detail = none["detail"].as_str().expect("words");
    assert!(detail.contains("had no version yet"), "{detail}");
    assert_eq!(asked("1970-01-01T00:00:00Z".into()).await.status, 404);
    assert_eq!(
        asked("9000-01-01T00:00:00.5Z".into()).await.ok()["model_version"],
        "2"
    );
    for wrong in ["", "x", "-1", "1.5", "2026-01-31", "99999999999999999999"] {
        assert_problem(&asked(wrong.into()).await, 422, "timestamp_invalid");
    }
    for both in ["1&version=1", "1&alias=champion"] {
        assert_problem(&asked(both.into()).await, 422, "parameter_conflict");
    }
    let unknown = server.predict("t?as_of=1", &point(100, 10.0)).await;
    assert_problem(&unknown, 404, "unknown_series");
}
