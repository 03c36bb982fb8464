//! `?explain=true`: reasons when they are asked for, whose sentences say what the reply says.

use serde_json::{Value, json};

use crate::histories::{DAY, HOUR, MODELS, MONDAY, daily, end, with};
use crate::problem::assert_problem_at;
use crate::server::{Server, point};

const CODES: [&str; 4] = ["deviation", "rank", "expected", "band"];

/// Every number in a text, as it is written there.
fn numbers_in(text: &str) -> Vec<f64> {
    let is_part = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e');
    text.split(|c: char| !is_part(c))
        .map(|word| word.trim_end_matches('.'))
        .filter_map(|word| word.parse().ok())
        .collect()
}

/// Every number of a reply, at any depth.
fn numbers_of(reply: &Value) -> Vec<f64> {
    match reply {
        Value::Number(number) => number.as_f64().into_iter().collect(),
        Value::Array(list) => list.iter().flat_map(numbers_of).collect(),
        Value::Object(map) => map.values().flat_map(numbers_of).collect(),
        Value::Null | Value::Bool(_) | Value::String(_) => Vec::new(),
    }
}

/// Checks the reasons of one point against the reply that they stand in.
fn check(reply: &Value) -> Result<(), String> {
    let reasons = reply["reasons"].as_array().ok_or("no reasons")?;
    if reasons[0]["code"] != "deviation" || reasons[1]["code"] != "rank" {
        return Err(format!("order: {reply}"));
    }
    let known = numbers_of(reply);
    for reason in reasons {
        let code = reason["code"].as_str().unwrap_or_default();
        if !CODES.contains(&code) {
            return Err(format!("code {code}"));
        }
        let detail = reason["detail"].as_str().unwrap_or_default();
        if detail.is_empty() {
            return Err(format!("no sentence: {reason}"));
        }
        for number in numbers_in(detail) {
            // Sentences have four digits and no signs where a word tells the side; a count is whole.
            let said = |known: &f64| {
                (known.abs() - number.abs()).abs() <= 5.1e-4 * known.abs()
                    || (code == "rank" && known.round() == number)
            };
            if !known.iter().any(said) {
                return Err(format!("{number} is not in the reply: {detail}"));
            }
        }
        let named = |name: &str| reason["numbers"][name].as_f64();
        let of_reply = |name: &str| reply[name].as_f64().unwrap_or(f64::NAN);
        let expected = of_reply("expected_value");
        let holds = match code {
            "deviation" => named("difference") == Some(of_reply("value") - expected),
            "rank" => named("p_value") == Some(of_reply("p_value")),
            "expected" => {
                let parts = ["level", "trend", "season"].map(|part| named(part).unwrap_or(0.0));
                let sum: f64 = parts.iter().sum();
                (sum - expected).abs() <= 1e-9 * expected.abs().max(1.0)
            }
            _ => true,
        };
        if !holds {
            return Err(format!("{reason} of {reply}"));
        }
        let side = reply["direction"].as_str().unwrap_or_default();
        if code == "deviation"
            && side != "none"
            && !detail.contains(&format!(" {side} the expected "))
        {
            return Err(format!("{side}: {detail}"));
        }
    }
    Ok(())
}

/// A server with every model fitted to a fortnight of days, under its name.
async fn fitted() -> Server {
    let server = Server::start().await;
    for model in MODELS {
        let fields = json!({"model": model, "min_deviation": {"abs": 0.25}});
        server.fit(model, &with(daily(14), &fields)).await.ok();
        let name = format!("{model}-above");
        let fields = json!({"model": model, "direction": "above", "alarm_rate": 0.05});
        server.fit(&name, &with(daily(14), &fields)).await.ok();
    }
    server
}

fn points() -> Vec<(i64, f64)> {
    let next = end(&daily(14)) + HOUR;
    let times = [MONDAY + 5 * HOUR, next, next + 3 * DAY + 1_800];
    let values = [50.0, 69.5, 75.25, -1e6, 1e300, 0.0];
    times
        .into_iter()
        .flat_map(|t| values.map(|v| (t, v)))
        .collect()
}

#[tokio::test]
async fn reasons_stand_beside_an_answer_that_is_otherwise_the_same() {
    let server = fitted().await;
    for model in MODELS {
        for name in [model.to_owned(), format!("{model}-above")] {
            for (time, value) in points() {
                let plain = server.predict(&name, &point(time, value)).await;
                assert!(!plain.text().contains("reasons"), "{}", plain.text());
                for switch in ["explain=false", "explain=false&version=1"] {
                    let off = server
                        .predict(&format!("{name}?{switch}"), &point(time, value))
                        .await;
                    assert_eq!(off.body, plain.body, "{switch}");
                }
                for switch in ["explain=true", "explain", "version=1&explain=true"] {
                    let on = server
                        .predict(&format!("{name}?{switch}"), &point(time, value))
                        .await
                        .ok();
                    check(&on).unwrap_or_else(|error| panic!("{name} {switch}: {error}"));
                    let mut rest = on;
                    rest.as_object_mut().expect("an object").remove("reasons");
                    assert_eq!(rest, plain.json());
                }
            }
        }
    }
}

#[tokio::test]
async fn columns_explain_their_anomalies_as_single_points_do() {
    let server = fitted().await;
    let (timestamps, values): (Vec<i64>, Vec<f64>) = points().into_iter().unzip();
    let body = json!({"timestamps": timestamps, "values": values});
    for model in MODELS {
        let plain = server.predict(model, &body).await.ok();
        assert!(plain.get("reasons").is_none());
        let explained = server
            .predict(&format!("{model}?explain=true"), &body)
            .await
            .ok();
        let reasons = explained["reasons"].as_array().expect("a column");
        assert_eq!(reasons.len(), values.len());
        let mut n_explained = 0;
        for (i, reasons) in reasons.iter().enumerate() {
            let one = server
                .predict(
                    &format!("{model}?explain=true"),
                    &point(timestamps[i], values[i]),
                )
                .await
                .ok();
            if one["anomaly"] == true {
                assert_eq!(reasons, &one["reasons"], "{model} {i}");
                n_explained += 1;
            } else {
                assert_eq!(reasons, &json!([]), "{model} {i}");
            }
        }
        assert!(
            (1..values.len()).contains(&n_explained),
            "both verdicts occur"
        );
        let mut rest = explained.clone();
        rest.as_object_mut().expect("an object").remove("reasons");
        assert_eq!(rest, plain, "{model}");
        let one_column = server
            .predict(&format!("{model}?explain=true&fields=anomaly"), &body)
            .await
            .ok();
        assert_eq!(one_column["reasons"], explained["reasons"]);
        assert!(one_column.get("p_value").is_none());
    }
}

#[tokio::test]
async fn a_season_and_a_band_have_reasons_of_their_own() {
    let server = fitted().await;
    let six = MONDAY + 14 * DAY + 6 * HOUR;
    let reply = server
        .predict("seasonal?explain=true", &point(six, 20.0))
        .await
        .ok();
    let codes: Vec<&str> = reply["reasons"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|reason| reason["code"].as_str())
        .collect();
    assert_eq!(codes, CODES);
    // The wave is at its crest: 20 above the level of 50.
    let parts = &reply["reasons"][2]["numbers"];
    let close = |name: &str, wanted: f64| {
        let part = parts[name].as_f64().expect("a number");
        assert!((part - wanted).abs() < 2.0, "{name}: {parts}");
    };
    close("level", 50.0);
    close("season", 20.0);
    let sentence = reply["reasons"][2]["detail"].as_str().expect("a sentence");
    assert!(
        sentence.contains("the season of one day that adds "),
        "{sentence}"
    );
    assert_eq!(reply["reasons"][3]["numbers"]["min_deviation"], 0.25);
}

#[tokio::test]
async fn the_switch_takes_true_and_false_alone() {
    let server = Server::start().await;
    server.fit("a", &daily(2)).await.ok();
    for value in ["maybe", "1", "0", "True", "yes", "true,", "%20true", "null"] {
        let reply = server
            .predict(&format!("a?explain={value}"), &point(MONDAY, 1.0))
            .await;
        let loc = json!(["query", "explain"]);
        assert_problem_at(&reply, 422, "invalid_query", &loc);
    }
    let twice = server
        .predict("a?explain=true&explain=true", &point(MONDAY, 1.0))
        .await;
    assert_problem_at(&twice, 422, "invalid_query", &json!(["query", "explain"]));
    let other = server
        .predict("a?explained=true", &point(MONDAY, 1.0))
        .await;
    assert_problem_at(&other, 422, "invalid_query", &json!(["query", "explained"]));
}

/// The control: reasons that belong to another reply are noticed.
#[tokio::test]
async fn every_doctored_reason_is_noticed() {
    let server = fitted().await;
    let time = MONDAY + 14 * DAY + 6 * HOUR;
    let reply = server
        .predict("seasonal?explain=true", &point(time, 20.0))
        .await
        .ok();
    assert_eq!(check(&reply), Ok(()));
    let other = server
        .predict("seasonal?explain=true", &point(time, 31.0))
        .await
        .ok();
    assert!(check(&with(reply.clone(), &json!({"reasons": other["reasons"]}))).is_err());
    for (index, field, value) in [
        (0, "code", json!("rank")),
        (0, "detail", json!("")),
        (0, "detail", json!("20 is 51.3 below the expected 70.42")),
        (0, "detail", json!("20 is far above the expected value")),
        (0, "numbers", json!({"difference": -51.0})),
        (1, "numbers", json!({"p_value": 0.5})),
        (2, "numbers", json!({"level": 50.0, "season": 10.0})),
        (2, "code", json!("because")),
    ] {
        let mut doctored = reply.clone();
        doctored["reasons"][index][field] = value;
        assert!(check(&doctored).is_err(), "{index} {field}: {doctored}");
    }
}
