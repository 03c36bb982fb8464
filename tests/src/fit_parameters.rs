//! The parameters of a fit: each works with every model that has it, and is refused by name
//! otherwise.

use serde_json::{Value, json};

use crate::histories::{
    DAY, HOUR, MODELS, MONDAY, WITH_SEASONS, daily, end, noise, series, times, with,
};
use crate::problem::{assert_problem, assert_problem_at};
use crate::reply::Reply;
use crate::server::{Server, point};

/// Whether the reply is a fit where the field is for the model, and else a refusal at the field.
fn check_support(reply: &Reply, field: &str, supported: bool) -> Result<(), String> {
    let body = reply.json();
    let refused = reply.status == 422
        && body["code"] == "parameter_unsupported"
        && body["errors"][0]["loc"] == json!(["body", field]);
    if (supported && reply.status == 200) || (!supported && refused) {
        Ok(())
    } else {
        Err(format!("{field}, {supported}: {} {body}", reply.status))
    }
}

#[tokio::test]
async fn a_parameter_is_for_the_models_that_have_it() {
    let server = Server::start().await;
    let outage = json!([{"from": MONDAY + DAY, "to": MONDAY + 2 * DAY}]);
    for model in MODELS {
        let seasonal = WITH_SEASONS.contains(&model);
        for (field, value, supported) in [
            ("min_deviation", json!({"abs": 1.5}), true),
            ("min_deviation", json!({"rel": 0.1}), true),
            ("min_deviation", json!({"abs": 0, "rel": 0}), true),
            ("exclude", outage.clone(), true),
            ("time_unit", json!("ms"), true),
            ("direction", json!("below"), true),
            ("alarm_rate", json!(0.01), true),
            ("seasonality", json!("auto"), seasonal),
            ("seasonality", json!([DAY]), seasonal),
            ("seasonality", json!([]), seasonal),
            ("timezone", json!("Europe/Berlin"), seasonal),
            ("sigma", json!(3), model == "gaussian"),
        ] {
            let body = with(daily(7), &json!({"model": model, field: value}));
            let reply = server.fit("a", &body).await;
            check_support(&reply, field, supported)
                .unwrap_or_else(|error| panic!("{model}: {error}"));
        }
    }
}

/// The control: the check above notices both mistakes.
#[tokio::test]
async fn a_parameter_that_is_ignored_is_noticed() {
    let server = Server::start().await;
    let fitted = server
        .fit("a", &with(daily(7), &json!({"model": "ewma"})))
        .await;
    assert!(check_support(&fitted, "timezone", false).is_err());
    let body = with(daily(7), &json!({"model": "ewma", "timezone": "UTC"}));
    let refused = server.fit("a", &body).await;
    assert_eq!(check_support(&refused, "timezone", false), Ok(()));
    assert!(check_support(&refused, "timezone", true).is_err());
    assert!(check_support(&refused, "seasonality", false).is_err());
}

/// Every value that is refused, with its code and place.
#[tokio::test]
async fn a_bad_value_is_refused_where_it_stands() {
    let server = Server::start().await;
    let columns = r#""timestamps":[0,60,120,180,240,300],"values":[1,2,1,3,1,2]"#;
    let two_to_the_64 = "18446744073709551616";
    for (fields, code, loc) in [
        // min_deviation
        (
            r#""min_deviation":-1"#,
            "invalid_type",
            json!(["min_deviation"]),
        ),
        (
            r#""min_deviation":"1""#,
            "invalid_type",
            json!(["min_deviation"]),
        ),
        (
            r#""min_deviation":[1,2]"#,
            "invalid_type",
            json!(["min_deviation"]),
        ),
        (
            r#""min_deviation":{"abs":"1"}"#,
            "invalid_type",
            json!(["min_deviation", "abs"]),
        ),
        (
            r#""min_deviation":{"rel":null}"#,
            "invalid_type",
            json!(["min_deviation", "rel"]),
        ),
        (
            r#""min_deviation":{"absolute":1}"#,
            "unknown_field",
            json!(["min_deviation", "absolute"]),
        ),
        (
            r#""min_deviation":{"abs":1,"abs":2}"#,
            "duplicate_field",
            json!(["min_deviation", "abs"]),
        ),
        (
            r#""min_deviation":{"abs":1e999}"#,
            "value_not_finite",
            json!(["min_deviation", "abs"]),
        ),
        (
            r#""min_deviation":{"rel":-1e999}"#,
            "value_not_finite",
            json!(["min_deviation", "rel"]),
        ),
        (
            r#""min_deviation":{"rel":NaN}"#,
            "value_not_finite",
            json!(["min_deviation", "rel"]),
        ),
        (
            r#""min_deviation":{"abs":-1}"#,
            "parameter_out_of_range",
            json!(["min_deviation"]),
        ),
        (
            r#""min_deviation":{"abs":1,"rel":-1e-300}"#,
            "parameter_out_of_range",
            json!(["min_deviation"]),
        ),
        // seasonality
        (
            r#""seasonality":"daily""#,
            "invalid_type",
            json!(["seasonality"]),
        ),
        (
            r#""seasonality":120"#,
            "invalid_type",
            json!(["seasonality"]),
        ),
        (
            r#""seasonality":{}"#,
            "invalid_type",
            json!(["seasonality"]),
        ),
        (
            r#""seasonality":false"#,
            "invalid_type",
            json!(["seasonality"]),
        ),
        (
            r#""seasonality":[120,"180"]"#,
            "invalid_type",
            json!(["seasonality", 1]),
        ),
        (
            r#""seasonality":[120.5]"#,
            "invalid_type",
            json!(["seasonality", 0]),
        ),
        (
            r#""seasonality":[null]"#,
            "invalid_type",
            json!(["seasonality", 0]),
        ),
        (
            &format!(r#""seasonality":[{two_to_the_64}]"#),
            "invalid_type",
            json!(["seasonality", 0]),
        ),
        (
            r#""seasonality":[1e999]"#,
            "value_not_finite",
            json!(["seasonality", 0]),
        ),
        (
            r#""seasonality":[0]"#,
            "parameter_out_of_range",
            json!(["seasonality", 0]),
        ),
        (
            r#""seasonality":[120,-1]"#,
            "parameter_out_of_range",
            json!(["seasonality", 1]),
        ),
        (
            r#""seasonality":[120,120]"#,
            "parameter_out_of_range",
            json!(["seasonality"]),
        ),
        (
            r#""seasonality":[120,130,140,150]"#,
            "parameter_out_of_range",
            json!(["seasonality"]),
        ),
        (
            r#""seasonality":[119]"#,
            "parameter_out_of_range",
            json!(["seasonality"]),
        ),
        (
            r#""seasonality":[181]"#,
            "parameter_out_of_range",
            json!(["seasonality"]),
        ),
        (
            r#""seasonality":[9223372036854775807]"#,
            "parameter_out_of_range",
            json!(["seasonality"]),
        ),
        (
            r#""seasonality":[120,180],"model":"holt_winters""#,
            "parameter_out_of_range",
            json!(["seasonality"]),
        ),
        // timezone
        (
            r#""timezone":"Mars/Olympus_Mons""#,
            "parameter_out_of_range",
            json!(["timezone"]),
        ),
        (
            r#""timezone":"""#,
            "parameter_out_of_range",
            json!(["timezone"]),
        ),
        (
            r#""timezone":"+01:00""#,
            "parameter_out_of_range",
            json!(["timezone"]),
        ),
        (
            r#""timezone":"../UTC""#,
            "parameter_out_of_range",
            json!(["timezone"]),
        ),
        (r#""timezone":1"#, "invalid_type", json!(["timezone"])),
        // time_unit
        (
            r#""time_unit":"sec""#,
            "parameter_out_of_range",
            json!(["time_unit"]),
        ),
        (
            r#""time_unit":"MS""#,
            "parameter_out_of_range",
            json!(["time_unit"]),
        ),
        (
            r#""time_unit":"""#,
            "parameter_out_of_range",
            json!(["time_unit"]),
        ),
        (r#""time_unit":1000"#, "invalid_type", json!(["time_unit"])),
        // exclude
        (
            r#""exclude":{"from":1,"to":2}"#,
            "invalid_type",
            json!(["exclude"]),
        ),
        (r#""exclude":"1-2""#, "invalid_type", json!(["exclude"])),
        (
            r#""exclude":[[1,2]]"#,
            "invalid_type",
            json!(["exclude", 0]),
        ),
        (
            r#""exclude":[{"from":1,"to":2},7]"#,
            "invalid_type",
            json!(["exclude", 1]),
        ),
        (
            r#""exclude":[{}]"#,
            "missing_field",
            json!(["exclude", 0, "from"]),
        ),
        (
            r#""exclude":[{"from":1,"to":2},{"from":3}]"#,
            "missing_field",
            json!(["exclude", 1, "to"]),
        ),
        (
            r#""exclude":[{"from":1,"to":2,"why":"x"}]"#,
            "unknown_field",
            json!(["exclude", 0, "why"]),
        ),
        (
            r#""exclude":[{"from":-1,"to":2}]"#,
            "timestamp_invalid",
            json!(["exclude", 0, "from"]),
        ),
        (
            r#""exclude":[{"from":1,"to":"x"}]"#,
            "timestamp_invalid",
            json!(["exclude", 0, "to"]),
        ),
        (
            r#""exclude":[{"from":1.5,"to":2}]"#,
            "timestamp_invalid",
            json!(["exclude", 0, "from"]),
        ),
        (
            r#""exclude":[{"from":1,"to":null}]"#,
            "timestamp_invalid",
            json!(["exclude", 0, "to"]),
        ),
        (
            r#""exclude":[{"from":1,"to":2},{"from":5,"to":4}]"#,
            "parameter_out_of_range",
            json!(["exclude", 1]),
        ),
        (
            r#""exclude":[{"from":1,"to":"9999-01-01T00:00:00Z"}],"time_unit":"ns""#,
            "timestamp_invalid",
            json!(["exclude", 0, "to"]),
        ),
        (
            r#""exclude":[{"from":60,"to":"180"},{"from":200,"to":240}]"#,
            "too_few_points",
            json!(["timestamps"]),
        ),
        (
            r#""exclude":[{"from":0,"to":9000}]"#,
            "too_few_points",
            json!(["timestamps"]),
        ),
        (
            r#""exclude":[{"from":60,"to":60},{"from":180,"to":180},{"from":300,"to":300}]"#,
            "values_constant",
            json!(["values"]),
        ),
        // others
        (r#""model":"Seasonal""#, "unknown_model", json!(["model"])),
        (r#""season":"auto""#, "unknown_field", json!(["season"])),
    ] {
        let reply = server
            .post("/fit/a", format!("{{{columns},{fields}}}"))
            .await;
        println!("{fields}");
        let mut place = vec![json!("body")];
        place.extend(loc.as_array().expect("a path").iter().cloned());
        assert_problem_at(&reply, 422, code, &Value::Array(place));
    }
    let stretches: Vec<Value> = (0..1_001).map(|_| json!({"from": 1, "to": 2})).collect();
    let body = with(daily(2), &json!({"exclude": stretches}));
    let reply = server.fit("a", &body).await;
    assert_problem_at(
        &reply,
        422,
        "parameter_out_of_range",
        &json!(["body", "exclude"]),
    );
    assert_eq!(server.series_trained().await, 0, "nothing was stored");
}

#[tokio::test]
async fn null_is_as_good_as_left_out() {
    let server = Server::start().await;
    let hash = async |body: Value| server.fit("a", &body).await.ok()["model_hash"].clone();
    let plain = hash(daily(7)).await;
    for field in [
        "model",
        "min_deviation",
        "seasonality",
        "timezone",
        "time_unit",
        "exclude",
    ] {
        assert_eq!(
            hash(with(daily(7), &json!({field: null}))).await,
            plain,
            "{field}"
        );
    }
}

#[tokio::test]
async fn the_server_asks_as_many_points_of_what_is_left_as_of_any_history() {
    let server = Server::with(&["--min-training-points", "10"]).await;
    let history = series(&times(12, 60), |i, _| noise(i));
    for (n_left_out, fits) in [(2, true), (3, false)] {
        let exclude = json!([{"from": MONDAY, "to": MONDAY + 60 * (n_left_out - 1)}]);
        let reply = server
            .fit("a", &with(history.clone(), &json!({"exclude": exclude})))
            .await;
        if fits {
            assert_eq!(reply.ok()["points_used"], 10);
        } else {
            let document = assert_problem(&reply, 422, "too_few_points");
            let detail = document["detail"].as_str().expect("a sentence");
            assert!(
                detail.contains("9 points without the 3 that are excluded"),
                "{detail}"
            );
        }
    }
}

/// What is left out has no part in the model: it is the one that the other points give.
#[tokio::test]
async fn an_excluded_stretch_might_as_well_not_have_been_sent() {
    let server = Server::start().await;
    let outage = (MONDAY + 3 * DAY, MONDAY + 3 * DAY + 5 * HOUR);
    let whole = times(24 * 14, HOUR);
    let value = |i: usize, t: i64| {
        let out = (outage.0..=outage.1).contains(&t);
        if out {
            -500.0
        } else {
            10.0 + (t.rem_euclid(DAY) / HOUR) as f64 + noise(i)
        }
    };
    let sent = series(&whole, value);
    let rest: Vec<i64> = whole
        .iter()
        .copied()
        .filter(|t| *t < outage.0 || *t > outage.1)
        .collect();
    // The index runs on over the gap, so that each point keeps its noise.
    let kept = series(&rest, |_, t| value(((t - MONDAY) / HOUR) as usize, t));
    for model in MODELS {
        let fit = async |body: &Value, fields: Value| {
            let body = with(with(body.clone(), &json!({"model": model})), &fields);
            server.fit("a", &body).await.ok()
        };
        let without = fit(&kept, json!({})).await;
        let everything = fit(&sent, json!({})).await;
        assert_ne!(
            everything["model_hash"], without["model_hash"],
            "{model}: the control"
        );
        for exclude in [
            json!([{"from": outage.0, "to": outage.1}]),
            json!([{"from": outage.0.to_string(), "to": "2023-11-23T05:00:00Z"}]),
            json!([{"from": "2023-11-23T01:00:00+01:00", "to": outage.1 + HOUR - 1}]),
            json!([{"from": outage.0 + HOUR, "to": outage.1}, {"from": outage.0, "to": outage.0 + 2 * HOUR}]),
        ] {
            let reply = fit(&sent, json!({"exclude": exclude})).await;
            assert_eq!(
                reply["model_hash"], without["model_hash"],
                "{model} {exclude}"
            );
            for name in [
                "points_used",
                "trained_from",
                "trained_to",
                "periods",
                "calibration",
            ] {
                assert_eq!(reply[name], without[name], "{model} {exclude}: {name}");
            }
        }
    }
    let tail = with(
        sent.clone(),
        &json!({"exclude": [{"from": end(&sent) - HOUR, "to": end(&sent)}]}),
    );
    let reply = server.fit("a", &tail).await.ok();
    assert_eq!(reply["points_used"], 24 * 14 - 2);
    assert_eq!(reply["trained_to"], end(&sent) - 2 * HOUR);
}

/// Whether the band is at least so wide on the sides it has.
fn check_least(reply: &Value, direction: &str, abs: f64, rel: f64) -> Result<(), String> {
    let number = |name: &str| reply[name].as_f64().ok_or(format!("{name}: {reply}"));
    let expected = number("expected_value")?;
    let least = abs.max(rel * expected.abs()) * (1.0 - 1e-12);
    let above = number("upper_bound")? - expected;
    let below = expected - number("lower_bound")?;
    if (direction == "below" || above >= least) && (direction == "above" || below >= least) {
        Ok(())
    } else {
        Err(format!("less than {least}: {reply}"))
    }
}

#[tokio::test]
async fn a_deviation_below_the_smallest_never_alarms() {
    let server = Server::start().await;
    for model in MODELS {
        for direction in ["both", "above", "below"] {
            for (abs, rel) in [(30.0, 0.0), (0.0, 0.9), (30.0, 0.9), (1e9, 0.0)] {
                let least = json!({"abs": abs, "rel": rel});
                let fields =
                    json!({"model": model, "direction": direction, "min_deviation": least});
                server.fit("a", &with(daily(7), &fields)).await.ok();
                for time in [MONDAY, MONDAY + 7 * DAY + 6 * HOUR] {
                    let reply = server.predict("a", &point(time, 0.0)).await.ok();
                    check_least(&reply, direction, abs, rel)
                        .unwrap_or_else(|error| panic!("{model} {direction}: {error}"));
                }
            }
            let fields = json!({"model": model, "direction": direction, "alarm_rate": 0.5});
            server.fit("a", &with(daily(7), &fields)).await.ok();
            let reply = server.predict("a", &point(MONDAY, 0.0)).await.ok();
            // The control: a model that was not asked for it has a narrower band.
            assert!(
                check_least(&reply, direction, 30.0, 0.0).is_err(),
                "{model}"
            );
        }
    }
}
