//! Lines of JSON: an answer a line, in their order.

use serde_json::json;

use super::{answers, columns, entries, ndjson, points};
use crate::problem::{assert_problem, assert_problem_at};
use crate::server::{Server, point};

#[tokio::test]
async fn a_bad_line_is_answered_in_its_place_and_the_others_are_learnt() {
    let server = Server::start().await;
    let lines = [
        r#"{"timestamp":1,"value":1.5}"#,
        r#"{"timestamp":2,"value":NaN}"#,
        "",
        r#"{"timestamp":3,"value":2.5}"#,
        r#"{"timestamp":"soon","value":1}"#,
        r#"{"timestamp":4}"#,
        r#"{"timestamps":[4],"values":[1]}"#,
        r#"[4,1]"#,
        r#"{"timestamp":4,"value":1e999}"#,
        r#"{"timestamp":4,"value":1"#,
        r#"{"timestamp":4,"value":3.5}"#,
    ];
    let reply = server.update_lines("a", lines.join("\r\n")).await;
    let told = answers(&reply);
    assert_eq!(told.len(), 10, "blank lines get no answer");
    for (index, code, loc) in [
        (1, "value_not_finite", json!(["body", 1, "value"])),
        (3, "timestamp_invalid", json!(["body", 3, "timestamp"])),
        (4, "missing_field", json!(["body", 4, "value"])),
        (5, "unknown_field", json!(["body", 5, "timestamps"])),
        (6, "invalid_type", json!(["body", 6])),
        (7, "value_not_finite", json!(["body", 7, "value"])),
        (8, "malformed_json", json!(["body", 8])),
    ] {
        let problem = &told[index];
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["errors"][0]["loc"], loc, "{problem}");
        assert_eq!(problem["type"], format!("/problems/{code}"));
        assert_eq!(problem["status"], 422);
        assert_eq!(problem["request_id"].as_str(), reply.header("x-request-id"));
    }
    for (index, seq) in [(0, 1), (2, 2), (9, 3)] {
        assert_eq!(told[index]["state_seq"], seq, "{}", told[index]);
    }
}

#[tokio::test]
async fn many_lines_are_answered_one_by_one() {
    let server = Server::start().await;
    let points = points(5_000);
    let mut body = String::new();
    for (i, line) in ndjson(&points).lines().enumerate() {
        body.push_str(line);
        body.push('\n');
        if i % 1_000 == 500 {
            body.push_str("{}\n");
        }
    }
    let told = answers(&server.update_lines("a", body).await);
    let (problems, verdicts): (Vec<_>, Vec<_>) = told
        .into_iter()
        .partition(|line| line.get("code").is_some());
    let places: Vec<_> = problems
        .iter()
        .map(|p| p["errors"][0]["loc"][1].as_u64().expect("an index"))
        .collect();
    assert_eq!(places, [501, 1_502, 2_503, 3_504, 4_505]);
    let expected = entries(&server.update("b", &columns(&points)).await.ok());
    assert!(verdicts == expected);
}

#[tokio::test]
async fn a_line_that_does_not_end_is_no_point() {
    let server = Server::start().await;
    let body = format!("{}\n{}\n", point(1, 1.0), "x".repeat(100_000));
    let told = answers(&server.update_lines("a", body).await);
    assert_eq!(told.len(), 2);
    assert_eq!(told[0]["state_seq"], 1);
    assert_eq!(told[1]["code"], "malformed_json");
}

/// Wherever a long line could be cut, no part of it is a line.
#[tokio::test]
async fn no_part_of_a_long_line_is_a_point() {
    const MAX: usize = 2_048;
    let server = Server::start().await;
    let hidden = point(2, 1.0).to_string();
    let long = [
        "x".repeat(MAX) + &hidden,
        "x".repeat(MAX + 1) + &hidden,
        "x".repeat(2 * MAX + 1) + &hidden,
        "x".repeat(2 * MAX + 2) + &hidden,
        hidden.clone() + &" ".repeat(MAX) + &hidden,
        hidden.clone() + &" ".repeat(MAX + 1 - hidden.len()),
        hidden.clone() + &" ".repeat(100_000),
        " ".repeat(MAX + 1),
    ];
    for (index, long) in long.iter().enumerate() {
        let series = format!("s{index}");
        let body = format!("{}\n{long}\n\n{{}}\n{}", point(1, 1.0), point(3, 1.0));
        let told = answers(&server.update_lines(&series, body).await);
        assert_eq!(told.len(), 4, "one answer a line, of {index}");
        for (place, code) in [(1, "malformed_json"), (2, "missing_field")] {
            assert_eq!(told[place]["code"], code, "of {index}");
            let loc = &told[place]["errors"][0]["loc"];
            assert_eq!(loc[1], place, "of {index}");
        }
        assert_eq!(
            (&told[3]["state_seq"], &told[3]["learnt"]),
            (&json!(2), &json!(true))
        );
        // At the end of the body, without a newline after it.
        let told = answers(&server.update_lines(&series, long.clone()).await);
        assert_eq!(told.len(), 1, "of {index}");
        assert_eq!(told[0]["code"], "malformed_json");
    }
    let longest = hidden.clone() + &" ".repeat(MAX - hidden.len());
    for body in [format!("{longest}\n{}", point(3, 1.0)), longest.clone()] {
        let told = answers(&server.update_lines("longest", body).await);
        assert!(
            told.iter().all(|line| line.get("code").is_none()),
            "{told:?}"
        );
    }
}

#[tokio::test]
async fn no_line_starts_no_state() {
    let server = Server::start().await;
    for body in ["", "\n\n", "{}\n", "nothing\n{}\n"] {
        let told = answers(&server.update_lines("a", body).await);
        assert!(
            told.iter().all(|line| line.get("code").is_some()),
            "{body:?}"
        );
    }
    let calibration = server.get("/series/a/calibration?state=online").await;
    assert_problem(&calibration, 404, "no_online_state");
}

#[tokio::test]
async fn what_holds_for_all_lines_is_refused_before_the_first() {
    let server = Server::start().await;
    let line = ndjson(&points(1));
    let fields = server.update_lines("a?fields=p_value", line.clone()).await;
    assert_problem_at(&fields, 422, "invalid_query", &json!(["query", "fields"]));
    let from = server.update_lines("a?from=1", line.clone()).await;
    assert_problem(&from, 404, "unknown_series");
    answers(&server.update_lines("a?alarm_rate=0.1", line.clone()).await);
    let again = server.update_lines("a?alarm_rate=0.2", line).await;
    assert_problem_at(
        &again,
        409,
        "online_state_exists",
        &json!(["query", "alarm_rate"]),
    );
}

#[tokio::test]
async fn lines_are_read_by_no_other_resource() {
    let server = Server::start().await;
    for target in ["/fit/a", "/series/a/versions"] {
        let headers = [("content-type", "application/x-ndjson")];
        let reply = server.send("POST", target, &headers, "{}").await;
        assert_problem(&reply, 415, "unsupported_media_type");
    }
}
