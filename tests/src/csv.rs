//! Points and columns as CSV, by the media types of request and reply.

use serde_json::{Value, json};

use crate::columns::FIELDS;
use crate::problem::{assert_problem, assert_problem_at};
use crate::reply::Reply;
use crate::server::{Server, history, long_history};

impl Server {
    async fn post_csv(&self, target: &str, accept: &str, body: &str) -> Reply {
        let headers = [("content-type", "text/csv"), ("accept", accept)];
        self.send("POST", target, &headers, body.to_owned()).await
    }

    async fn post_for(&self, target: &str, accept: &str, body: &Value) -> Reply {
        let headers = [("content-type", "application/json"), ("accept", accept)];
        self.send("POST", target, &headers, body.to_string()).await
    }
}

/// A history as CSV.
fn csv_of(columns: &Value) -> String {
    let cells = |name: &str| columns[name].as_array().expect("a column").clone();
    let rows = cells("timestamps").into_iter().zip(cells("values"));
    let rows = rows.map(|(time, value)| format!("{time},{value}\n"));
    format!("timestamp,value\n{}", rows.collect::<String>())
}

/// The columns of a reply as rows.
fn rows_of(reply: &Value, names: &[(&str, &str)]) -> Vec<String> {
    let n = reply["n_points"].as_u64().expect("a count") as usize;
    let header: Vec<&str> = names.iter().map(|(_, header)| *header).collect();
    let rows = (0..n).map(|i| {
        let cells = names.iter().map(|(name, _)| match &reply[*name][i] {
            Value::String(word) => word.clone(),
            other => other.to_string(),
        });
        cells.collect::<Vec<_>>().join(",")
    });
    std::iter::once(header.join(",")).chain(rows).collect()
}

#[tokio::test]
async fn csv_says_the_same_as_json() {
    let server = Server::start().await;
    let points = long_history(400);
    let as_json = server.fit("a", &points).await.ok();
    let as_csv = server
        .post_csv("/fit/b", "*/*", &csv_of(&points))
        .await
        .ok();
    assert_eq!(as_csv["model_hash"], as_json["model_hash"]);
    for (target, names) in [
        ("/predict/a", &FIELDS[..]),
        ("/predict/a?fields=anomaly,values", &FIELDS[1..3]),
        ("/predict/a?fields=status,p_value", &[FIELDS[4], FIELDS[10]]),
        ("/detect", &FIELDS[..]),
    ] {
        let expected = server
            .post_for(target, "application/json", &points)
            .await
            .ok();
        let told = server
            .post_csv(target, "application/json", &csv_of(&points))
            .await
            .ok();
        assert_eq!(told, expected, "{target}");
        let rows = server.post_csv(target, "text/csv", &csv_of(&points)).await;
        assert_eq!(
            (rows.status, rows.header("content-type")),
            (200, Some("text/csv"))
        );
        let told: Vec<&str> = rows.text().split_terminator("\r\n").collect();
        assert_eq!(told, rows_of(&expected, names), "{target}");
        let from_json = server.post_for(target, "text/csv;q=0.9, application/json;q=0.1", &points);
        assert_eq!(from_json.await.body, rows.body, "{target}");
    }
    // What a reply says can be sent as it is: further columns are no points.
    let rows = server
        .post_csv(
            "/predict/a?fields=timestamps,values",
            "text/csv",
            &csv_of(&points),
        )
        .await;
    let again = server.post_csv("/update/a", "*/*", rows.text()).await.ok();
    let update = server.post("/update/b", points_of(&points)).await.ok();
    assert_eq!(again["anomaly_score"], update["anomaly_score"]);
    // One point is one row.
    let one = server
        .post_for(
            "/predict/a",
            "text/csv",
            &json!({"timestamp": "1700000000", "value": 50}),
        )
        .await;
    assert_eq!(one.text().lines().count(), 2);
}

fn points_of(history: &Value) -> String {
    json!({"timestamps": history["timestamps"], "values": history["values"]}).to_string()
}

#[tokio::test]
async fn errors_name_line_and_column() {
    let server = Server::start().await;
    server.fit("a", &history(&[1.0, 2.0, 4.0, 3.0])).await.ok();
    let cases = [
        (
            "1,2\n3,\n",
            "value_not_a_number",
            json!(["body", "values", 1]),
            "line 3, column 2 (`value`): ",
        ),
        (
            "1,2\n\nsoon,2\n",
            "timestamp_invalid",
            json!(["body", "timestamps", 1]),
            "line 4, column 1 (`timestamp`): ",
        ),
        (
            "1,2\n2,1e999\n",
            "value_not_finite",
            json!(["body", "values", 1]),
            "line 3, column 2 (`value`): ",
        ),
        ("1,2\n2\n", "malformed_csv", json!(["body"]), "line 3: "),
    ];
    for target in ["/fit/a", "/predict/a", "/update/a", "/detect"] {
        for (rows, code, loc, place) in &cases {
            let body = format!("timestamp,value\n{rows}");
            let reply = server.post_csv(target, "*/*", &body).await;
            assert_problem_at(&reply, 422, code, loc);
            let msg = reply.json()["errors"][0]["msg"].clone();
            assert!(
                msg.as_str().is_some_and(|msg| msg.starts_with(place)),
                "{target}: {msg}"
            );
        }
        let header = server.post_csv(target, "*/*", "time,value\n1,2\n").await;
        assert_problem_at(&header, 422, "unknown_field", &json!(["body", "time"]));
    }
    // What only the fit finds.
    for target in ["/fit/a", "/detect"] {
        let body = "timestamp,value\n5,1\n\n4,2\n6,3\n7,5\n";
        let reply = server.post_csv(target, "*/*", body).await;
        let loc = json!(["body", "timestamps", 1]);
        assert_problem_at(&reply, 422, "timestamps_not_increasing", &loc);
        let told = reply.json()["detail"]
            .as_str()
            .expect("a sentence")
            .to_owned();
        assert!(
            told.contains("line 4, column 1 (`timestamp`): "),
            "{target}: {told}"
        );
    }
    assert_eq!(
        server.fit("a", &history(&[1.0, 2.0, 5.0])).await.ok()["version"],
        "2"
    );
}

#[tokio::test]
async fn what_cannot_be_made_is_refused() {
    let server = Server::start().await;
    let points = history(&[1.0, 2.0, 4.0, 3.0]);
    server.fit("a", &points).await.ok();
    for (target, accept) in [
        ("/fit/a", "text/csv"),
        ("/predict/a", "text/html"),
        ("/predict/a", "application/json;q=0, text/csv;q=0"),
        ("/update/a", "text/csv"),
        ("/detect", "application/xml, image/*"),
    ] {
        let reply = server.post_for(target, accept, &points).await;
        let problem = assert_problem(&reply, 406, "not_acceptable");
        let detail = problem["detail"].as_str().expect("a sentence");
        assert!(detail.contains("application/json"), "{detail}");
    }
    let lines = [
        ("content-type", "application/x-ndjson"),
        ("accept", "application/json"),
    ];
    for target in ["/predict/a", "/update/a", "/predict"] {
        let reply = server.send("POST", target, &lines, "{}").await;
        assert_problem(&reply, 406, "not_acceptable");
    }
    let explain = server
        .post_for("/predict/a?explain=true", "text/csv", &points)
        .await;
    assert_problem_at(&explain, 422, "invalid_query", &json!(["query", "explain"]));
    assert_eq!(
        server.fit("a", &points).await.ok()["version"],
        "2",
        "nothing was stored"
    );
}
