//! `GET /series/{series_id}/calibration`: counts that add up, a verdict that is right, refusals.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::problem::{assert_problem, assert_problem_at};
use crate::raw;
use crate::server::{Server, history, long_history, point};

/// Numbers between 0 and 1, the same ones every time (splitmix64).
struct Uniform(u64);

impl Uniform {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A normal number, by Box and Muller.
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.next()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.next()).cos()
    }
}

/// A version with mean 100 and standard deviation 5 of a thousand normal points.
async fn fit_normal(server: &Server, series: &str, alarm_rate: f64) {
    let mut numbers = Uniform(1);
    let values: Vec<f64> = (0..1_000).map(|_| 100.0 + 5.0 * numbers.normal()).collect();
    let mut body = history(&values);
    body["model"] = json!("gaussian");
    body["alarm_rate"] = json!(alarm_rate);
    server.fit(series, &body).await.ok();
}

/// `n` points around 100 whose deviation is `scale` times the fitted one.
fn columns(numbers: &mut Uniform, n: usize, scale: f64) -> Value {
    let values: Vec<f64> = (0..n)
        .map(|_| 100.0 + scale * 5.0 * numbers.normal())
        .collect();
    let timestamps: Vec<usize> = (2_000..2_000 + n).collect();
    json!({ "timestamps": timestamps, "values": values })
}

/// The reply about `series`, which may carry a query.
async fn calibration(server: &Server, series: &str) -> Value {
    let (id, query) = series.split_once('?').unwrap_or((series, ""));
    let target = format!("/series/{id}/calibration?{query}");
    server.get(&target).await.ok()
}

fn total(counts: &Value) -> u64 {
    let counts = counts.as_array().expect("counts");
    counts.iter().map(|n| n.as_u64().expect("a count")).sum()
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("the clock is past 1970").as_secs()
}

#[tokio::test]
async fn a_version_that_scored_nothing_has_nothing_to_say() {
    let server = Server::start().await;
    let fit = server.fit("a", &history(&[1.0, 2.0, 4.0])).await.ok();
    let reply = calibration(&server, "a").await;
    assert_eq!(reply["series_id"], "a");
    assert_eq!(reply["model_version"], "1");
    assert_eq!(reply["model_hash"], fit["model_hash"]);
    assert_eq!(reply["alarm_rate"], 0.001);
    assert_eq!(
        (&reply["n_scored"], &reply["n_alarms"]),
        (&json!(0), &json!(0))
    );
    for field in ["since", "observed_alarm_rate", "ratio"] {
        assert_eq!(reply[field], Value::Null, "{field}");
    }
    let interval =
        json!({"lower": 0.0, "upper": 1.0, "confidence": 0.95, "method": "clopper_pearson"});
    assert_eq!(reply["observed_alarm_rate_interval"], interval);
    let drift = &reply["drift"];
    assert_eq!(
        (&drift["verdict"], &drift["since"]),
        (&json!("ok"), &Value::Null)
    );
    assert_eq!(drift["log10_evidence"], 0.0);
    assert_eq!(drift["false_alarm_probability_bound"], 1.0);
    assert_eq!(reply["under_alarming"]["detected"], false);
    let histogram = &reply["p_value_histogram"];
    let edges = histogram["edges"].as_array().expect("edges");
    assert_eq!(
        edges.len(),
        histogram["counts"].as_array().expect("counts").len() + 1
    );
    assert_eq!(
        (&edges[0], &edges[1], edges.last()),
        (&json!(0.0), &json!(1e-6), Some(&json!(1.0)))
    );
    let rates: Vec<_> = reply["rates"]
        .as_array()
        .expect("rates")
        .iter()
        .map(|r| &r["alarm_rate"])
        .collect();
    assert_eq!(rates, [&json!(0.01), &json!(0.001), &json!(0.0001)]);
}

#[tokio::test]
async fn every_scored_point_is_counted_once() {
    let server = Server::start().await;
    fit_normal(&server, "a", 0.01).await;
    let before = now();
    let mut numbers = Uniform(2);
    let body = columns(&mut numbers, 1_200, 1.5);
    let scored = server.predict("a", &body).await.ok();
    let (mut n_alarms, mut p_values) =
        (scored["n_anomalies"].as_u64().expect("a count"), Vec::new());
    p_values.extend(scored["p_value"].as_array().expect("p-values").clone());
    for _ in 0..30 {
        let one = server
            .predict("a", &point(9, 100.0 + 9.0 * numbers.normal()))
            .await
            .ok();
        n_alarms += u64::from(one["anomaly"] == true);
        p_values.push(one["p_value"].clone());
    }
    let reply = calibration(&server, "a").await;
    assert_eq!(
        (&reply["n_scored"], &reply["n_alarms"]),
        (&json!(1_230), &json!(n_alarms))
    );
    assert!(
        n_alarms > 50,
        "the points are spread wider than the model: {n_alarms}"
    );
    let observed = n_alarms as f64 / 1_230.0;
    assert_eq!(reply["observed_alarm_rate"], observed);
    assert_eq!(reply["ratio"], observed / 0.01);
    let (edges, counts) = (
        &reply["p_value_histogram"]["edges"],
        &reply["p_value_histogram"]["counts"],
    );
    let p_values: Vec<f64> = p_values
        .iter()
        .map(|p| p.as_f64().expect("a number"))
        .collect();
    for i in 0..counts.as_array().expect("counts").len() {
        let (from, to) = (
            edges[i].as_f64().expect("an edge"),
            edges[i + 1].as_f64().expect("an edge"),
        );
        let inside = |p: &&f64| from <= **p && (**p < to || to == 1.0);
        assert_eq!(
            counts[i],
            p_values.iter().filter(inside).count(),
            "[{from}, {to})"
        );
    }
    for rate in reply["rates"].as_array().expect("rates") {
        let at = rate["alarm_rate"].as_f64().expect("a rate");
        let below = p_values.iter().filter(|p| **p < at).count();
        assert_eq!(rate["n_alarms"], below, "{at}");
        assert_eq!(rate["observed_alarm_rate"], below as f64 / 1_230.0);
    }
    assert_eq!(
        reply["rates"][0]["n_alarms"], n_alarms,
        "the same rate, the same count"
    );
    let since = reply["since"].as_u64().expect("a time");
    assert!((before..=now()).contains(&since), "{before} {since}");
    // What reads the counts does not change them, and neither does a plot.
    server.get("/plot?series_id=a").await;
    assert_eq!(calibration(&server, "a").await["n_scored"], 1_230);
}

#[tokio::test]
async fn the_interval_is_that_of_clopper_and_pearson() {
    let server = Server::start().await;
    server.fit("a", &history(&[9.0, 10.0, 11.0])).await.ok();
    let values: Vec<f64> = (0..1_000)
        .map(|i| if i % 334 == 0 { 1e6 } else { 10.0 })
        .collect();
    let scored = server
        .predict("a?fields=p_value", &history(&values))
        .await
        .ok();
    assert_eq!(scored["n_anomalies"], 3);
    let interval = &calibration(&server, "a").await["observed_alarm_rate_interval"];
    // scipy.stats.beta.ppf(0.025, 3, 998) and (0.975, 4, 997).
    for (end, expected) in [
        ("lower", 0.000_619_099_931_649_571_3),
        ("upper", 0.008_742_023_238_478_303),
    ] {
        let got = interval[end].as_f64().expect("a rate");
        assert!((got - expected).abs() < 1e-9, "{end}: {got}");
    }
}

#[tokio::test]
async fn verdicts_asked_for_without_scores_count_as_points_and_alarms() {
    let server = Server::start().await;
    fit_normal(&server, "a", 0.01).await;
    let mut numbers = Uniform(3);
    let mut n_alarms = 0;
    for _ in 0..40 {
        let body = columns(&mut numbers, 100, 1.6);
        let scored = server
            .predict("a?fields=timestamps,anomaly", &body)
            .await
            .ok();
        n_alarms += scored["n_anomalies"].as_u64().expect("a count");
    }
    let reply = calibration(&server, "a").await;
    assert_eq!(
        (&reply["n_scored"], &reply["n_alarms"]),
        (&json!(4_000), &json!(n_alarms))
    );
    assert_eq!(total(&reply["p_value_histogram"]["counts"]), 0);
    assert_eq!(reply["rates"][1]["observed_alarm_rate"], Value::Null);
    assert_eq!(
        reply["drift"]["verdict"], "stale",
        "verdicts are evidence too"
    );
}

#[tokio::test]
async fn normal_points_are_ok_and_shifted_ones_are_not() {
    let server = Server::start().await;
    fit_normal(&server, "a", 0.01).await;
    let mut numbers = Uniform(4);
    let calm = columns(&mut numbers, 5_000, 1.0);
    server.predict("a", &calm).await.ok();
    let reply = calibration(&server, "a").await;
    assert_eq!(reply["drift"]["verdict"], "ok", "{reply}");
    let (lower, upper) = (
        &reply["observed_alarm_rate_interval"]["lower"],
        &reply["observed_alarm_rate_interval"]["upper"],
    );
    assert!(
        lower.as_f64() < Some(0.01) && upper.as_f64() > Some(0.01),
        "{reply}"
    );

    let mut shifted = columns(&mut numbers, 400, 1.0);
    for value in shifted["values"].as_array_mut().expect("values") {
        *value = json!(value.as_f64().expect("a number") + 10.0);
    }
    server.predict("a", &shifted).await.ok();
    let reply = calibration(&server, "a").await;
    let drift = &reply["drift"];
    assert_eq!(drift["verdict"], "stale", "{drift}");
    assert_eq!(drift["method"], "restarted_test_martingale");
    let bound = drift["false_alarm_probability_bound"]
        .as_f64()
        .expect("a bound");
    let highest = drift["log10_evidence_max"].as_f64().expect("a logarithm");
    assert!(bound <= 1e-4 && highest >= 4.0, "{drift}");
    let episode = &drift["episode"];
    assert!(
        episode["n_scored"].as_u64() <= Some(450),
        "it began with the shift: {episode}"
    );
    assert!(
        episode["observed_alarm_rate"].as_f64() > Some(0.1),
        "{episode}"
    );
    assert!(drift["since"].as_u64() >= reply["since"].as_u64());

    server
        .predict("a", &columns(&mut numbers, 12_000, 1.0))
        .await
        .ok();
    let reply = calibration(&server, "a").await;
    assert_eq!(
        reply["drift"]["verdict"], "ok",
        "the shift is over: {reply}"
    );
    assert_eq!(reply["n_scored"], 17_400, "and its points still count");
}

#[tokio::test]
async fn each_version_is_watched_apart() {
    let server = Server::start().await;
    for level in [10.0, 20.0] {
        server
            .fit("a", &history(&[level, level + 1.0, level + 3.0]))
            .await
            .ok();
    }
    for _ in 0..3 {
        server.predict("a?version=v1", &point(9, 11.0)).await.ok();
    }
    server.predict("a", &point(9, 21.0)).await.ok();
    for (series, version, n) in [
        ("a", "2", 1),
        ("a?version=0", "2", 1),
        ("a?version=V1", "1", 3),
    ] {
        let reply = calibration(&server, series).await;
        assert_eq!(
            (&reply["model_version"], &reply["n_scored"]),
            (&json!(version), &json!(n)),
            "{series}"
        );
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_refused_by_name() {
    let server = Server::start().await;
    server.fit("a", &history(&[1.0, 2.0, 4.0])).await.ok();
    let unknown = server.get("/series/b/calibration").await;
    assert_problem(&unknown, 404, "unknown_series");
    let unknown = server.get("/series/a/calibration?version=2").await;
    assert_problem(&unknown, 404, "unknown_version");
    for (query, code, name) in [
        ("verison=1", "invalid_query", "verison"),
        ("version=1&version=1", "invalid_query", "version"),
        ("fields=anomaly", "invalid_query", "fields"),
        ("version=latest", "invalid_version", "version"),
        ("version=", "invalid_version", "version"),
    ] {
        let reply = server.get(&format!("/series/a/calibration?{query}")).await;
        assert_problem_at(&reply, 422, code, &json!(["query", name]));
    }
    let long = "x".repeat(257);
    for id in ["", ".", "..", "%2e", "a%2fb", "a%41", "a+b", "%ff", &long] {
        let mut request = format!("GET /series/{id}/calibration HTTP/1.1\r\n").into_bytes();
        request.extend_from_slice(b"Host: localhost\r\n\r\n");
        let reply = raw::exchange(server.addr, request).await;
        assert_problem_at(
            &reply,
            422,
            "invalid_series_id",
            &json!(["path", "series_id"]),
        );
    }
    for path in [
        "/series/a/",
        "/series/a/calibration/",
        "/series/a/b/calibration",
    ] {
        assert_problem(&server.get(path).await, 404, "not_found");
    }
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let reply = server.send(method, "/series/a/calibration", &[], "").await;
        assert_problem(&reply, 405, "method_not_allowed");
        assert_eq!(reply.header("allow"), Some("GET, HEAD"));
    }
    let head = server.send("HEAD", "/series/a/calibration", &[], "").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[tokio::test]
async fn watching_changes_no_reply() {
    let server = Server::start().await;
    server.fit("a", &long_history(300)).await.ok();
    let bodies = [
        point(9, 55.0),
        point(9, 1e9),
        json!({"timestamps":[1, 2],"values":[40.0, 1e5]}),
    ];
    let mut first = Vec::new();
    for round in 0..50 {
        for (i, body) in bodies.iter().enumerate() {
            let reply = server.predict("a", body).await;
            reply.ok();
            if round == 0 {
                first.push(reply.body);
            } else {
                assert_eq!(reply.body, first[i], "round {round}");
            }
        }
        calibration(&server, "a").await;
    }
    assert_eq!(calibration(&server, "a").await["drift"]["verdict"], "stale");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_point_is_lost_under_concurrency() {
    const TASKS: usize = 24;
    const ROUNDS: usize = 12;
    let server = Arc::new(Server::start().await);
    for series in ["a", "b"] {
        fit_normal(&server, series, 0.1).await;
    }
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let server = Arc::clone(&server);
            tokio::spawn(async move {
                let (mut numbers, mut alarms) = (Uniform(100 + task as u64), 0);
                let series = ["a", "b"][task % 2];
                for round in 0..ROUNDS {
                    // Some of the columns are large enough for the compute pool.
                    let n = if round == 0 { 3_000 } else { 300 };
                    let body = columns(&mut numbers, n, 1.0);
                    let many = server.predict(series, &body).await.ok();
                    alarms += many["n_anomalies"].as_u64().expect("a count");
                    let one = server
                        .predict(series, &point(9, 100.0 + 8.0 * numbers.normal()))
                        .await
                        .ok();
                    alarms += u64::from(one["anomaly"] == true);
                }
                (series, alarms)
            })
        })
        .collect();
    let mut alarms = [0, 0];
    for task in tasks {
        let (series, n) = task.await.expect("the task does not panic");
        alarms[usize::from(series == "b")] += n;
    }
    let points = TASKS / 2 * (3_000 + (ROUNDS - 1) * 300 + ROUNDS);
    for (series, n_alarms) in ["a", "b"].into_iter().zip(alarms) {
        let reply = calibration(&server, series).await;
        assert_eq!(
            (&reply["n_scored"], &reply["n_alarms"]),
            (&json!(points), &json!(n_alarms))
        );
        assert_eq!(total(&reply["p_value_histogram"]["counts"]), points as u64);
    }
}

#[tokio::test]
async fn counts_outlive_their_model_in_memory() {
    let server = Server::with(&["--model-cache", "1KiB"]).await;
    let series: Vec<String> = (0..40).map(|k| format!("s-{k}")).collect();
    for name in &series {
        server.fit(name, &history(&[1.0, 2.0, 4.0])).await.ok();
    }
    server.predict("s-7", &point(9, 2.0)).await.ok();
    for _ in 0..2 {
        for name in series.iter().filter(|name| *name != "s-7") {
            server
                .get(&format!("/series/{name}/calibration"))
                .await
                .ok();
        }
    }
    let ready = server.get("/health/ready").await.ok();
    assert!(
        ready["cache_hit_ratio"].as_f64() < Some(0.5),
        "models leave memory: {ready}"
    );
    server.predict("s-7", &point(9, 2.0)).await.ok();
    assert_eq!(calibration(&server, "s-7").await["n_scored"], 2);
}

#[tokio::test]
async fn monitors_of_the_longest_idle_versions_begin_again() {
    let server = Server::with(&["--model-cache", "1KiB"]).await;
    // More than are kept: 64 shards of 4.
    let series: Vec<String> = (0..600).map(|k| format!("s-{k}")).collect();
    for name in &series {
        server.fit(name, &history(&[1.0, 2.0, 4.0])).await.ok();
        server.predict(name, &point(9, 2.0)).await.ok();
    }
    let mut watched = 0;
    for name in &series {
        let reply = calibration(&server, name).await;
        let n = reply["n_scored"].as_u64().expect("a count");
        assert_eq!(
            reply["since"].is_null(),
            n == 0,
            "the reply says from when it counts"
        );
        watched += n;
    }
    assert!((64..=256).contains(&watched), "{watched}");
    let last = calibration(&server, "s-599").await;
    assert_eq!(last["n_scored"], 1, "the last one fed is there");
    server.predict("s-0", &point(9, 2.0)).await.ok();
    assert_eq!(
        calibration(&server, "s-0").await["n_scored"],
        1,
        "it counts again"
    );
}

#[tokio::test]
async fn counts_begin_with_the_process() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let server = Server::at(folder.path(), &[]).await;
    server.fit("a", &history(&[1.0, 2.0, 4.0])).await.ok();
    server.predict("a", &point(9, 2.0)).await.ok();
    assert_eq!(calibration(&server, "a").await["n_scored"], 1);
    server.stop().await;
    let server = Server::at(folder.path(), &[]).await;
    let reply = calibration(&server, "a").await;
    assert_eq!(
        (&reply["n_scored"], &reply["since"]),
        (&json!(0), &Value::Null)
    );
    server.stop().await;
}
