//! `/backtest` and `/backtests` over a socket: results, promotion, cancelling, limits, refusals, tenants.

mod refused;

use std::time::Duration;

use serde_json::{Value, json};

use crate::keys::{create, folder};
use crate::reply::Reply;
use crate::server::{Server, long_history};

/// Points of a history with a noise of its own and, at these, a spike.
fn spiked(n: usize, spikes: &[usize]) -> Value {
    let values: Vec<f64> = (0..n)
        .map(|i| {
            let noise = ((i * 7919 + 13) % 1_000) as f64 / 1_000.0;
            if spikes.contains(&i) {
                60.0
            } else {
                20.0 + noise
            }
        })
        .collect();
    let timestamps: Vec<usize> = (0..n).map(|i| 1_700_000_000 + 60 * i).collect();
    json!({ "timestamps": timestamps, "values": values })
}

/// A history whose backtest goes on until it is stopped.
pub(crate) fn endless() -> Value {
    let mut body = long_history(60_000);
    body["candidates"] = json!([{ "model": "forest" }, { "model": "kmeans" }]);
    body["refit_every"] = json!(30);
    body
}

pub(crate) async fn start(server: &Server, series: &str, body: &Value) -> String {
    let reply = server
        .post(&format!("/backtest/{series}"), body.to_string())
        .await;
    assert_eq!(reply.status, 202, "{}", reply.text());
    let job = reply.json();
    assert_eq!(
        (&job["status"], &job["progress"]),
        (&json!("queued"), &json!(0.0))
    );
    let location = reply.header("location").expect("where it is").to_owned();
    assert_eq!(
        location,
        format!("/backtests/{}", job["job_id"].as_str().unwrap())
    );
    location
}

async fn ended(server: &Server, location: &str) -> Value {
    loop {
        let job = server.get(location).await.ok();
        match job["status"].as_str() {
            Some("queued" | "running") => tokio::time::sleep(Duration::from_millis(5)).await,
            _ => return job,
        }
    }
}

async fn run(server: &Server, series: &str, body: &Value) -> Value {
    let location = start(server, series, body).await;
    ended(server, &location).await
}

#[tokio::test]
async fn contenders_are_compared_and_reported() {
    let server = Server::start().await;
    let mut body = spiked(1_000, &[700, 701, 850]);
    body["labels"] = json!([
        { "from": 1_700_000_000 + 60 * 700, "to": 1_700_000_000 + 60 * 701 },
        { "timestamp": 1_700_000_000 + 60 * 850 },
        { "timestamp": 1_700_000_000 + 60 * 950 },
    ]);
    body["candidates"] = json!([
        { "model": "robust" },
        { "name": "never <alarms>", "model": "gaussian", "sigma": 1e6 },
        { "online": true },
    ]);
    body["refit_every"] = json!(200);
    let location = start(&server, "s", &body).await;
    let job = ended(&server, &location).await;
    assert_eq!(job["status"], "succeeded", "{job}");
    assert_eq!(
        (&job["progress"], &job["asked"]["train_points"]),
        (&json!(1.0), &json!(500))
    );
    assert_eq!(job["asked"]["labelled_points"], 4);
    let contenders = job["result"]["contenders"].as_array().unwrap();
    let [robust, never, online] = contenders.as_slice() else {
        panic!("{job}");
    };
    assert_eq!(
        (&robust["fits"], &robust["model"]),
        (&json!(3), &json!("robust"))
    );
    assert_eq!(
        (&online["kind"], &online["fits"]),
        (&json!("online"), &json!(0))
    );
    let events = &robust["measured"]["labelled"]["by_event"];
    assert_eq!(
        (&events["events"], &events["found"]),
        (&json!(3), &json!(2)),
        "{events}"
    );
    assert_eq!(
        (&events["false_alerts"], &events["f1"]),
        (&json!(0), &json!(0.8))
    );
    assert_eq!(events["median_delay_points"], 0.0);
    assert_eq!(
        events["missed"],
        json!([{ "from": 1_700_057_000, "to": 1_700_057_000 }])
    );
    let points = &robust["measured"]["labelled"]["by_point"];
    assert_eq!(
        (&points["precision"], &points["recall"]),
        (&json!(1.0), &json!(0.75))
    );
    assert_eq!(robust["measured"]["alarms"], 3);
    let rate = &robust["measured"]["alarm_rate"];
    assert_eq!((&rate["points"], &rate["alarms"]), (&json!(496), &json!(0)));
    assert_eq!(
        (&rate["target"], &rate["agrees"]),
        (&json!(0.001), &json!(true))
    );
    assert_eq!(robust["top_alarms"].as_array().unwrap().len(), 3);
    assert_eq!(robust["top_alarms"][0]["labelled"], true);
    let counts = robust["p_values"]["counts"].as_array().unwrap();
    let scored: u64 = counts.iter().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(scored, 500);
    assert_eq!(never["measured"]["alarms"], 0);
    assert_eq!(never["measured"]["labelled"]["by_event"]["f1"], 0.0);

    let report = server.get(&format!("{location}/report")).await;
    assert_eq!(report.status, 200);
    let page = report.text();
    for part in [
        "robust",
        "never &lt;alarms&gt;",
        "<svg",
        "Event-F1",
        "prefers-color-scheme",
    ] {
        assert!(page.contains(part), "{part}");
    }
    for part in ["<script", "http://", "https://", "src=", "url("] {
        assert!(
            !page.contains(part),
            "{part}: the page loads and runs nothing"
        );
    }
    let list = server.get("/backtests?series_id=s").await.ok();
    assert_eq!(list["backtests"][0]["job_id"], job["job_id"]);
    assert_eq!(list["backtests"][0].get("result"), None);
    assert_eq!(
        server.get("/backtests?series_id=t").await.ok()["backtests"],
        json!([])
    );
}

#[tokio::test]
async fn a_version_scores_what_is_later_than_its_training() {
    let server = Server::start().await;
    let history = spiked(600, &[]);
    let columns = |n: usize| {
        let part = |name: &str| history[name].as_array().unwrap()[..n].to_vec();
        json!({ "timestamps": part("timestamps"), "values": part("values"), "model": "robust" })
    };
    server.fit("s", &columns(400)).await.ok();
    server.fit("s", &columns(600)).await.ok();
    // Without points the history is that of the latest version.
    let body = json!({ "versions": ["1", "v2"], "candidates": [{ "model": "robust" }] });
    let job = run(&server, "s", &body).await;
    assert_eq!(
        (&job["status"], &job["asked"]["history_of"]),
        (&json!("succeeded"), &json!("2"))
    );
    let [candidate, first, second] = job["result"]["contenders"].as_array().unwrap().as_slice()
    else {
        panic!("{job}");
    };
    assert_eq!(candidate["measured"]["points"], 300);
    assert_eq!(first["measured"]["points"], 200);
    assert_eq!(first["scored_from"], 1_700_000_000 + 60 * 400);
    assert_eq!(second.get("measured"), None);
    assert!(
        second["error"].as_str().unwrap().contains("none is left"),
        "{second}"
    );
    assert_eq!(job["result"]["compared_points"], 200);
    assert_eq!(candidate["compared"]["points"], 200);
}

#[tokio::test]
async fn who_wins_gets_the_alias_and_who_does_not_leaves_it() {
    let server = Server::start().await;
    let mut body = spiked(1_000, &[700, 850]);
    body["labels"] = json!([
        { "timestamp": 1_700_000_000 + 60 * 700 }, { "timestamp": 1_700_000_000 + 60 * 850 },
    ]);
    body["candidates"] = json!([
        { "name": "deaf", "model": "gaussian", "sigma": 1e6 }, { "name": "good", "model": "robust" },
    ]);
    body["set_alias"] = json!({ "alias": "champion" });
    let job = run(&server, "s", &body).await;
    let promotion = &job["result"]["promotion"];
    assert_eq!(
        (&promotion["promoted"], &promotion["winner"]),
        (&json!(true), &json!("good")),
        "{job}"
    );
    assert_eq!(
        (&promotion["rule"], &promotion["version"]),
        (&json!("event_f1"), &json!("1"))
    );
    let alias = server.get("/series/s/aliases/champion").await.ok();
    assert_eq!(alias["version"], "1");
    let point = json!({ "timestamp": "1700070000", "value": 60.0 });
    let scored = server.predict("s?alias=champion", &point).await.ok();
    assert_eq!(
        (&scored["anomaly"], &scored["model_version"]),
        (&json!(true), &json!("1"))
    );

    // The holder was fitted on the whole history: of the same one nothing is left to compare on.
    let again = run(&server, "s", &body).await;
    let promotion = &again["result"]["promotion"];
    assert_eq!(
        (&promotion["promoted"], &promotion["held_by"]),
        (&json!(false), &json!("1"))
    );
    assert!(
        promotion["reason"]
            .as_str()
            .unwrap()
            .contains("cannot be compared"),
        "{promotion}"
    );

    // A holder that can be compared and is as good stays; one that is worse goes.
    let mut part = spiked(500, &[]);
    part["model"] = json!("robust");
    part["set_alias"] = json!("champion");
    server.fit("s", &part).await.ok();
    let tie = run(&server, "s", &body).await;
    let promotion = &tie["result"]["promotion"];
    assert_eq!(
        (&promotion["promoted"], &promotion["held_by"]),
        (&json!(false), &json!("2")),
        "{promotion}"
    );
    part["model"] = json!("gaussian");
    part["sigma"] = json!(1e6);
    server.fit("s", &part).await.ok();
    let better = run(&server, "s", &body).await;
    let promotion = &better["result"]["promotion"];
    assert_eq!(
        (&promotion["promoted"], &promotion["version"]),
        (&json!(true), &json!("4")),
        "{promotion}"
    );
    assert_eq!(
        server.get("/series/s/aliases/champion").await.ok()["version"],
        "4"
    );
}

#[tokio::test]
async fn an_alias_that_was_changed_meanwhile_is_not_overwritten() {
    let server = Server::start().await;
    server.fit("s", &spiked(500, &[])).await.ok();
    let blocks = start(&server, "s", &endless()).await;
    let mut body = spiked(1_000, &[700]);
    body["labels"] = json!([{ "timestamp": 1_700_000_000 + 60 * 700 }]);
    body["candidates"] = json!([{ "model": "robust" }]);
    body["set_alias"] = json!({ "alias": "champion" });
    let waits = start(&server, "s", &body).await;
    let json = [("content-type", "application/json")];
    let put = server
        .send(
            "PUT",
            "/series/s/aliases/champion",
            &json,
            r#"{"version":"1"}"#,
        )
        .await;
    assert_eq!(put.status, 201);
    assert_eq!(server.send("DELETE", &blocks, &[], "").await.status, 202);
    let job = ended(&server, &waits).await;
    let promotion = &job["result"]["promotion"];
    assert_eq!(
        (&promotion["promoted"], &promotion["winner"]),
        (&json!(false), &json!("robust")),
        "{job}"
    );
    assert!(
        promotion["reason"]
            .as_str()
            .unwrap()
            .contains("not as assumed"),
        "{promotion}"
    );
    assert_eq!(
        server.get("/series/s/aliases/champion").await.ok()["version"],
        "1"
    );
    let latest = json!({ "timestamp": "1700070000", "value": 20.0 });
    assert_eq!(
        server.predict("s", &latest).await.ok()["model_version"],
        "1",
        "no version came of it"
    );
}

#[tokio::test]
async fn what_goes_on_is_cancelled_and_what_has_ended_removed() {
    let server = Server::start().await;
    let running = start(&server, "s", &endless()).await;
    let waiting = start(&server, "s", &endless()).await;
    loop {
        let job = server.get(&running).await.ok();
        let progress = job["progress"].as_f64().unwrap();
        if job["status"] == "running" && progress > 0.0 {
            assert!(progress < 1.0);
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let report = server.get(&format!("{running}/report")).await;
    assert_eq!(
        (report.status, &report.json()["code"]),
        (409, &json!("backtest_has_no_report"))
    );
    let cancelled = server.send("DELETE", &waiting, &[], "").await;
    assert_eq!(
        (cancelled.status, &cancelled.json()["status"]),
        (202, &json!("cancelled"))
    );
    assert_eq!(server.send("DELETE", &running, &[], "").await.status, 202);
    assert_eq!(ended(&server, &running).await["status"], "cancelled");
    for location in [&running, &waiting] {
        assert_eq!(server.send("DELETE", location, &[], "").await.status, 204);
        let gone = server.get(location).await;
        assert_eq!(
            (gone.status, &gone.json()["code"]),
            (404, &json!("unknown_backtest"))
        );
        assert_eq!(server.send("DELETE", location, &[], "").await.status, 404);
    }
    assert_eq!(server.get("/backtests").await.ok()["backtests"], json!([]));
}

#[tokio::test]
async fn a_caller_has_so_many_and_pages_have_an_order() {
    let server = Server::start().await;
    let mut locations = Vec::new();
    for i in 0..8 {
        locations.push(start(&server, &format!("s{}", i % 2), &endless()).await);
    }
    let refused = server.post("/backtest/s0", endless().to_string()).await;
    assert_eq!(
        (refused.status, &refused.json()["code"]),
        (429, &json!("tenant_over_share"))
    );
    assert!(refused.header("retry-after").is_some());
    let (mut cursor, mut seen) = (String::new(), Vec::new());
    loop {
        let page = server
            .get(&format!("/backtests?limit=3{cursor}"))
            .await
            .ok();
        let ids = page["backtests"].as_array().unwrap().iter();
        seen.extend(ids.map(|job| format!("/backtests/{}", job["job_id"].as_str().unwrap())));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    seen.reverse();
    assert_eq!(seen, locations);
    let of_one = server.get("/backtests?series_id=s1&limit=100").await.ok();
    assert_eq!(of_one["backtests"].as_array().unwrap().len(), 4);
    for location in locations {
        let cancelled = server.send("DELETE", &location, &[], "").await;
        assert_eq!(cancelled.status, 202);
    }
}

/// S4 of what names no series in its path.
#[tokio::test]
async fn a_job_of_another_tenant_is_as_one_that_never_was() {
    let (_folder, data_dir) = folder();
    let owner = create(&data_dir, "owner", "fit,predict,admin");
    let other = create(&data_dir, "other", "fit,predict,admin");
    let reads = create(&data_dir, "owner", "predict");
    let fits = create(&data_dir, "owner", "fit,predict");
    let server = Server::at(&data_dir, &[]).await;
    let send = async |key: &str, method: &str, target: &str, body: String| -> Reply {
        let headers = [("content-type", "application/json"), ("x-api-key", key)];
        server.send(method, target, &headers, body).await
    };
    let mut body = spiked(100, &[]);
    let started = send(&owner, "POST", "/backtest/s", body.to_string()).await;
    assert_eq!(started.status, 202, "{}", started.text());
    assert_eq!(started.json()["series_id"], "s", "in the caller's words");
    let location = started.header("location").unwrap().to_owned();
    while send(&owner, "GET", &location, String::new()).await.json()["status"] != "succeeded" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let never = "/backtests/01970000-0000-7000-8000-000000000000";
    for suffix in ["", "/report"] {
        let mine = send(&owner, "GET", &format!("{location}{suffix}"), String::new()).await;
        assert_eq!(mine.status, 200);
        assert!(!mine.text().contains("owner"), "no tenant is told");
        for method in ["GET", "HEAD", "DELETE"] {
            if method == "DELETE" && !suffix.is_empty() {
                continue;
            }
            let theirs = send(
                &other,
                method,
                &format!("{location}{suffix}"),
                String::new(),
            )
            .await;
            let none = send(&other, method, &format!("{never}{suffix}"), String::new()).await;
            assert_eq!((theirs.status, none.status), (404, 404), "{method}");
            let words = |reply: &Reply| {
                let id = location.rsplit('/').next().unwrap();
                let text = reply.text().replace(id, "ID").replace(&never[11..], "ID");
                let request = reply.header("x-request-id").unwrap_or("?").to_owned();
                text.replace(&request, "REQUEST")
            };
            assert_eq!(words(&theirs), words(&none), "{method}");
        }
    }
    let list = send(&other, "GET", "/backtests", String::new())
        .await
        .json();
    assert_eq!(list["backtests"], json!([]));
    // Scopes: to read, to fit, and to promote.
    assert_eq!(
        send(&reads, "GET", &location, String::new()).await.status,
        200
    );
    assert_eq!(
        send(&reads, "DELETE", &location, String::new())
            .await
            .status,
        403
    );
    assert_eq!(
        send(&reads, "POST", "/backtest/s", body.to_string())
            .await
            .status,
        403
    );
    body["set_alias"] = json!({ "alias": "champion" });
    assert_eq!(
        send(&fits, "POST", "/backtest/s", body.to_string())
            .await
            .status,
        403
    );
    assert_eq!(
        send(&fits, "DELETE", &location, String::new()).await.status,
        204
    );
}
