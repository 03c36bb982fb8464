//! `/series/{series_id}/feedback`: what is said of points is obeyed by the next fit.

use serde_json::{Value, json};

use crate::server::Server;

const STEP: usize = 60;
const SPIKES: [usize; 2] = [611, 1_201];

fn time(i: usize) -> String {
    (1_700_000_000 + STEP * i).to_string()
}

/// Noise with spikes that are rarer than one in a thousand.
fn history() -> Value {
    let noise = |i: usize| {
        (0..6)
            .map(|k| (i * 7919 + k * 104_729) % 1_009)
            .sum::<usize>() as f64
            / 1_009.0
    };
    let spike = |i: usize| if SPIKES.contains(&i) { 40.0 } else { 0.0 };
    let values: Vec<f64> = (0..2_500).map(|i| noise(i) + spike(i)).collect();
    let timestamps: Vec<usize> = (0..2_500).map(|i| 1_700_000_000 + STEP * i).collect();
    json!({ "timestamps": timestamps, "values": values, "model": "robust" })
}

async fn say(server: &Server, body: Value) -> Value {
    let reply = server.post("/series/s/feedback", body.to_string()).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    reply.json()
}

async fn alarms(server: &Server, value: f64) -> bool {
    let point = json!({ "timestamp": time(2_510), "value": value });
    server.predict("s", &point).await.ok()["anomaly"] == true
}

#[tokio::test]
async fn a_spike_that_is_expected_alarms_before_and_not_after() {
    let server = Server::start().await;
    let first = server.fit("s", &history()).await.ok();
    assert_eq!(first.get("feedback"), None, "nothing was said");
    assert!(alarms(&server, 43.0).await && !alarms(&server, 3.0).await);
    let mut ids = Vec::new();
    for i in SPIKES {
        let said = say(
            &server,
            json!({ "timestamp": time(i), "label": "expected", "note": "batch" }),
        )
        .await;
        assert_eq!(
            (&said["from"], &said["to"]),
            (&json!(time(i)), &json!(time(i)))
        );
        ids.push(said["feedback_id"].as_str().unwrap().to_owned());
    }
    assert!(alarms(&server, 43.0).await, "a version does not change");
    let second = server.fit("s", &history()).await.ok();
    assert_eq!(
        second["feedback"],
        json!({ "expected": 2, "anomaly": 0, "ignore": 0 })
    );
    assert_eq!(second["points_used"], 2_500);
    assert!(!alarms(&server, 43.0).await, "its like does not alarm");
    assert!(
        alarms(&server, 400.0).await,
        "the control: what is far beyond it does"
    );

    // Pages, and taking it back.
    let page = server.get("/series/s/feedback?limit=1").await.ok();
    assert_eq!(page["feedback"][0]["feedback_id"], json!(ids[0]));
    assert_eq!(
        (&page["feedback"][0]["note"], &page["next_cursor"]),
        (&json!("batch"), &json!(ids[0]))
    );
    let next = server
        .get(&format!("/series/s/feedback?cursor={}", ids[0]))
        .await
        .ok();
    assert_eq!(next["feedback"][0]["feedback_id"], json!(ids[1]));
    assert_eq!(next.get("next_cursor"), None);
    for id in &ids {
        let entry = format!("/series/s/feedback/{id}");
        assert_eq!(server.send("DELETE", &entry, &[], "").await.status, 204);
        let gone = server.send("DELETE", &entry, &[], "").await;
        assert_eq!(
            (gone.status, &gone.json()["code"]),
            (404, &json!("unknown_feedback"))
        );
    }
    let third = server.fit("s", &history()).await.ok();
    assert_eq!(
        (third.get("feedback"), &third["model_hash"]),
        (None, &first["model_hash"])
    );
    assert!(alarms(&server, 43.0).await);
}

#[tokio::test]
async fn the_difference_that_feedback_made_is_shown() {
    let server = Server::start().await;
    server.fit("s", &history()).await.ok();
    for i in SPIKES {
        say(
            &server,
            json!({ "timestamp": time(i), "label": "expected" }),
        )
        .await;
    }
    server.fit("s", &history()).await.ok();
    let second = server.get("/series/s/versions/2?diff_from=1").await.ok();
    let obeyed = json!({ "expected": 2, "anomaly": 0, "ignore": 0 });
    assert_eq!(second["feedback"], obeyed);
    let diff = &second["diff"];
    assert_eq!((&diff["from"], &diff["to"]), (&json!("1"), &json!("2")));
    let changes = diff["changes"].as_array().unwrap();
    let expected = json!({ "field": "feedback.expected", "from": null, "to": 2 });
    assert!(changes.contains(&expected), "{diff}");
    let upper = |of: &str| diff["normal"][of]["upper_bound"].as_f64().unwrap();
    assert!(upper("from") < 43.0 && upper("to") > 43.0, "{diff}");

    // The control: a version differs from itself in nothing, and without the question nothing is told.
    let same = server.get("/series/s/versions/2?diff_from=2").await.ok();
    assert_eq!(same["diff"]["changes"], json!([]));
    assert_eq!(same["diff"]["normal"]["from"], same["diff"]["normal"]["to"]);
    let alone = server.get("/series/s/versions/2").await.ok();
    assert_eq!(alone.get("diff"), None);
    for (query, status, code) in [
        ("diff_from=3", 404, "unknown_version"),
        ("diff_from=x", 422, "invalid_version"),
        ("diff=1", 422, "invalid_query"),
    ] {
        let reply = server.get(&format!("/series/s/versions/2?{query}")).await;
        let told = (reply.status, reply.json()["code"].clone());
        assert_eq!(told, (status, json!(code)), "{query}");
    }
}

#[tokio::test]
async fn a_deleted_series_takes_feedback_and_backtests_with_it() {
    let server = Server::start().await;
    server.fit("s", &history()).await.ok();
    server.fit("other", &history()).await.ok();
    say(&server, json!({ "timestamp": time(5), "label": "ignore" })).await;
    let mut points = history();
    points.as_object_mut().unwrap().remove("model");
    let started = server.post("/backtest/s", points.to_string()).await;
    assert_eq!(started.status, 202, "{}", started.text());
    let job = started.header("location").unwrap().to_owned();
    assert_eq!(server.get(&job).await.status, 200);
    assert_eq!(
        server.send("DELETE", "/series/s", &[], "").await.status,
        204
    );
    assert_eq!(server.get(&job).await.status, 404);
    let listed = server.get("/backtests").await.ok();
    assert_eq!(listed["backtests"], json!([]));
    assert_eq!(server.get("/series/s/feedback").await.status, 404);
    // In its next life nothing was said of it.
    let again = server.fit("s", &history()).await.ok();
    assert_eq!(
        (&again["version"], again.get("feedback")),
        (&json!("2"), None)
    );
    let said = server.get("/series/s/feedback").await.ok();
    assert_eq!(said["feedback"], json!([]));
}

#[tokio::test]
async fn anomalies_are_left_out_and_the_later_word_counts() {
    let server = Server::start().await;
    server.fit("s", &history()).await.ok();
    let mut excluding = history();
    let stretch = |i: usize| json!({ "from": time(i), "to": time(i) });
    excluding["exclude"] = json!(SPIKES.map(stretch));
    let excluded = server.fit("s", &excluding).await.ok();
    say(
        &server,
        json!({ "from": time(600), "to": time(1_300), "label": "expected" }),
    )
    .await;
    say(
        &server,
        json!({ "from": time(600), "to": time(1_300), "label": "ignore" }),
    )
    .await;
    let fitted = server.fit("s", &history()).await.ok();
    assert_eq!(
        fitted["feedback"],
        json!({ "expected": 0, "anomaly": 0, "ignore": 701 })
    );
    assert_eq!(fitted["points_used"], 1_799);
    // One word for each spike, and what was said before of the others is what counts there.
    for id in server.get("/series/s/feedback").await.ok()["feedback"]
        .as_array()
        .unwrap()
    {
        let id = id["feedback_id"].as_str().unwrap();
        server
            .send("DELETE", &format!("/series/s/feedback/{id}"), &[], "")
            .await;
    }
    for i in SPIKES {
        say(&server, json!({ "timestamp": time(i), "label": "anomaly" })).await;
    }
    let fitted = server.fit("s", &history()).await.ok();
    assert_eq!(
        fitted["feedback"],
        json!({ "expected": 0, "anomaly": 2, "ignore": 0 })
    );
    assert_eq!(
        fitted["model_hash"], excluded["model_hash"],
        "as `exclude` is"
    );
    // What the fit itself excludes stays so, whatever is expected.
    say(
        &server,
        json!({ "timestamp": time(SPIKES[0]), "label": "expected" }),
    )
    .await;
    let both = server.fit("s", &excluding).await.ok();
    assert_eq!(
        both["feedback"],
        json!({ "expected": 0, "anomaly": 0, "ignore": 0 })
    );
    assert_eq!(both["model_hash"], excluded["model_hash"]);
}

#[tokio::test]
async fn feedback_survives_a_restart_and_bad_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let server = Server::at(&data_dir, &[]).await;
    let unknown = server
        .post("/series/s/feedback", r#"{"timestamp":1,"label":"ignore"}"#)
        .await;
    assert_eq!(
        (unknown.status, &unknown.json()["code"]),
        (404, &json!("unknown_series"))
    );
    assert_eq!(server.get("/series/s/feedback").await.status, 404);
    server.fit("s", &history()).await.ok();
    for (body, code) in [
        (json!({ "label": "ignore" }), "missing_field"),
        (
            json!({ "timestamp": 1, "label": "odd" }),
            "parameter_out_of_range",
        ),
        (
            json!({ "timestamp": 1, "to": 2, "label": "ignore" }),
            "conflicting_fields",
        ),
        (
            json!({ "timestamp": "yesterday", "label": "ignore" }),
            "timestamp_invalid",
        ),
        (
            json!({ "timestamp": 1, "label": "ignore", "note": "x".repeat(1_025) }),
            "parameter_out_of_range",
        ),
    ] {
        let refused = server.post("/series/s/feedback", body.to_string()).await;
        assert_eq!(
            (refused.status, refused.json()["code"].as_str()),
            (422, Some(code)),
            "{body}"
        );
    }
    assert_eq!(
        server.get("/series/s/feedback").await.ok()["feedback"],
        json!([])
    );
    say(
        &server,
        json!({ "timestamp": time(SPIKES[0]), "label": "ignore" }),
    )
    .await;
    server.stop().await;
    let server = Server::at(&data_dir, &[]).await;
    let fitted = server.fit("s", &history()).await.ok();
    assert_eq!(fitted["feedback"]["ignore"], 1);
}
