//! `POST /detect`: a whole series in, verdicts on all of its points out, nothing kept.

use serde_json::{Value, json};

use crate::problem::{assert_problem, assert_problem_at};
use crate::server::{Server, history, long_history};

const COLUMNS: [&str; 12] = [
    "timestamps",
    "values",
    "anomaly",
    "anomaly_score",
    "p_value",
    "severity",
    "expected_value",
    "lower_bound",
    "upper_bound",
    "direction",
    "status",
    "tail_extrapolated",
];

/// What every reply has besides.
const ALWAYS: [&str; 8] = [
    "alarm_rate",
    "time_unit",
    "periods",
    "windows",
    "calibration",
    "warnings",
    "n_points",
    "n_anomalies",
];

/// A rhythm with a spike and a stretch that stands still.
fn series(n: usize) -> Value {
    let mut series = long_history(n);
    series["values"][n / 2] = json!(95.0);
    for i in n / 4..n / 4 + 40 {
        series["values"][i] = json!(47.0);
    }
    series
}

async fn detect(server: &Server, query: &str, body: &Value) -> Value {
    let target = format!("/detect{query}");
    server.post(&target, body.to_string()).await.ok()
}

#[tokio::test]
async fn anomalies_stand_out_and_the_four_verdicts_agree() {
    let server = Server::start().await;
    let mut asked = series(3_000);
    asked["alarm_rate"] = json!(0.01);
    let reply = detect(&server, "", &asked).await;
    assert_eq!(reply["n_points"], 3_000);
    assert_eq!(reply["alarm_rate"], 0.01);
    assert_eq!(reply["windows"], json!([48, 96, 192, 384]));
    assert_eq!(reply["calibration"]["method"], "rank_exponential");
    assert_eq!(reply["timestamps"], asked["timestamps"]);
    assert_eq!(reply["values"], asked["values"]);
    let number = |column: &str, i: usize| reply[column][i].as_f64().expect("a number");
    let mut n_anomalies = 0;
    for i in 0..3_000 {
        let anomaly = reply["anomaly"][i] == true;
        let value = number("values", i);
        let outside = value < number("lower_bound", i) || value > number("upper_bound", i);
        assert_eq!(anomaly, number("p_value", i) < 0.01, "{i}");
        assert_eq!(anomaly, number("anomaly_score", i) > 1.0, "{i}");
        assert_eq!(anomaly, outside, "{i}");
        n_anomalies += i32::from(anomaly);
    }
    assert_eq!(reply["n_anomalies"], n_anomalies);
    assert_eq!(reply["anomaly"][1_500], true, "the spike");
    assert_eq!(reply["direction"][1_500], "above");
    assert!(
        (750..790).any(|i| reply["anomaly"][i] == true),
        "the stretch"
    );
}

#[tokio::test]
async fn the_same_series_gets_the_same_bytes_from_any_number_of_threads() {
    let body = series(2_500).to_string();
    let mut replies = Vec::new();
    for threads in ["1", "3"] {
        let server = Server::with(&["--compute-threads", threads]).await;
        replies.push(server.post("/detect", body.clone()).await.body);
        replies.push(server.post("/detect", body.clone()).await.body);
    }
    assert!(replies.windows(2).all(|pair| pair[0] == pair[1]));
}

#[tokio::test]
async fn nothing_is_kept() {
    let server = Server::start().await;
    detect(&server, "", &series(500)).await;
    assert_eq!(server.series_trained().await, 0);
}

#[tokio::test]
async fn fields_select_columns() {
    let server = Server::start().await;
    let body = series(400);
    let whole = detect(&server, "", &body).await;
    let names = |reply: &Value| -> Vec<String> {
        let mut names: Vec<String> = reply
            .as_object()
            .expect("an object")
            .keys()
            .cloned()
            .collect();
        names.sort_unstable();
        names
    };
    let sorted = |chosen: &[&str]| -> Vec<String> {
        let mut names: Vec<String> = [chosen, &ALWAYS]
            .concat()
            .iter()
            .map(|s| (*s).to_owned())
            .collect();
        names.sort_unstable();
        names
    };
    assert_eq!(names(&whole), sorted(&COLUMNS));
    let chosen = detect(&server, "?fields=anomaly,p_value", &body).await;
    assert_eq!(names(&chosen), sorted(&["anomaly", "p_value"]));
    for column in ["anomaly", "p_value", "n_anomalies"] {
        assert_eq!(chosen[column], whole[column]);
    }
    for query in ["?fields=nonsense", "?version=1", "?fields="] {
        let reply = server
            .post(&format!("/detect{query}"), body.to_string())
            .await;
        assert_problem(&reply, 422, "invalid_query");
    }
}

#[tokio::test]
async fn seasons_units_and_zones_are_obeyed() {
    let server = Server::start().await;
    let mut asked = series(4 * 1_440);
    assert_eq!(
        detect(&server, "", &asked).await["periods"],
        json!([86_400])
    );
    asked["timezone"] = json!("America/New_York");
    asked["seasonality"] = json!([3_600, 86_400]);
    let reply = detect(&server, "", &asked).await;
    assert_eq!(reply["periods"], json!([3_600, 86_400]));
    asked["seasonality"] = json!([]);
    assert_eq!(detect(&server, "", &asked).await["periods"], json!([]));
    asked["seasonality"] = json!("auto");
    asked["time_unit"] = json!("ms");
    let reply = detect(&server, "", &asked).await;
    assert_eq!(
        (&reply["periods"], &reply["time_unit"]),
        (&json!([]), &json!("ms"))
    );
}

#[tokio::test]
async fn little_is_said_of_little() {
    let server = Server::start().await;
    let codes = |reply: &Value| -> Vec<String> {
        let warnings = reply["warnings"].as_array().expect("a list");
        let codes = warnings
            .iter()
            .map(|w| w["code"].as_str().expect("text").to_owned());
        codes.collect()
    };
    let short = detect(&server, "", &history(&[1.0, 2.0, 4.0])).await;
    assert_eq!(
        (codes(&short), &short["windows"]),
        (vec!["short_series".to_owned()], &json!([]))
    );
    let constant = detect(&server, "", &history(&[5.0; 300])).await;
    assert_eq!(codes(&constant), ["values_constant"]);
    assert_eq!(
        (&constant["n_anomalies"], &constant["p_value"][7]),
        (&json!(0), &json!(1.0))
    );
    let mut uneven = series(2_000);
    for i in 1_000..2_000 {
        let later = uneven["timestamps"][i].as_i64().expect("seconds") + 5_000;
        uneven["timestamps"][i] = json!(later);
    }
    assert_eq!(codes(&detect(&server, "", &uneven).await), ["gaps"]);
}

#[tokio::test]
async fn what_does_not_fit_is_refused_by_name() {
    let server = Server::start().await;
    for (field, value, code) in [
        ("model", json!("robust"), "parameter_unsupported"),
        ("sigma", json!(3), "parameter_unsupported"),
        ("direction", json!("above"), "parameter_unsupported"),
        ("direction", json!("up"), "parameter_out_of_range"),
        ("min_deviation", json!({"abs": 1}), "parameter_unsupported"),
        (
            "exclude",
            json!([{"from": 0, "to": 1}]),
            "parameter_unsupported",
        ),
        ("alarm_rate", json!(0.7), "parameter_out_of_range"),
        ("seasonality", json!([86_400]), "parameter_out_of_range"),
        ("seasonality", json!([1]), "parameter_out_of_range"),
        ("timezone", json!("Mars/Olympus"), "parameter_out_of_range"),
        ("time_unit", json!("h"), "parameter_out_of_range"),
    ] {
        println!("{field} {value}");
        let mut body = long_history(300);
        body[field] = value;
        let reply = server.post("/detect", body.to_string()).await;
        assert_problem_at(&reply, 422, code, &json!(["body", field]));
    }
    let mut both = long_history(300);
    both["direction"] = json!("both");
    detect(&server, "", &both).await;
}

#[tokio::test]
async fn columns_that_are_no_series_are_refused() {
    let server = Server::start().await;
    for (body, code, loc) in [
        (
            r#"{"values":[1,2,3]}"#,
            "missing_field",
            json!(["body", "timestamps"]),
        ),
        (
            r#"{"timestamps":[1,2,3]}"#,
            "missing_field",
            json!(["body", "values"]),
        ),
        (
            r#"{"timestamps":[],"values":[]}"#,
            "too_few_points",
            json!(["body", "timestamps"]),
        ),
        (
            r#"{"timestamps":[1,2],"values":[1,2]}"#,
            "too_few_points",
            json!(["body", "timestamps"]),
        ),
        (
            r#"{"timestamps":[1,2,3],"values":[1,2,3],"min_points":4}"#,
            "too_few_points",
            json!(["body", "timestamps"]),
        ),
        (
            r#"{"timestamps":[1,2,2],"values":[1,2,3]}"#,
            "timestamps_not_increasing",
            json!(["body", "timestamps", 2]),
        ),
        (
            r#"{"timestamps":[-1,2,3],"values":[1,2,3]}"#,
            "timestamp_negative",
            json!(["body", "timestamps", 0]),
        ),
    ] {
        println!("{body}");
        let reply = server.post("/detect", body).await;
        assert_problem_at(&reply, 422, code, &loc);
    }
    let unequal = r#"{"timestamps":[1,2,3],"values":[1,2]}"#;
    assert_problem(
        &server.post("/detect", unequal).await,
        422,
        "lengths_differ",
    );
    let get = server.get("/detect").await;
    assert_problem(&get, 405, "method_not_allowed");
    assert_eq!(get.header("allow"), Some("POST"));
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let server = Server::with(&["--max-body", "4KiB"]).await;
    let reply = server.post("/detect", series(2_000).to_string()).await;
    assert_problem(&reply, 413, "body_too_large");
}
