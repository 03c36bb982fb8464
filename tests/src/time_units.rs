//! Time units: the same history in s, ms, us and ns gives the same answers, and times in every form
//! mean the same instant.

use serde_json::{Value, json};

use crate::histories::{HOUR, MODELS, MONDAY, daily, noise, series, times, with};
use crate::problem::assert_problem_at;
use crate::server::{Server, history, point};

const UNITS: [(&str, i64); 4] = [
    ("s", 1),
    ("ms", 1_000),
    ("us", 1_000_000),
    ("ns", 1_000_000_000),
];

/// A history with its times in another unit.
fn in_unit(body: &Value, unit: &str, per_second: i64) -> Value {
    let seconds = body["timestamps"].as_array().expect("a column").iter();
    let ticks: Vec<i64> = seconds
        .map(|t| t.as_i64().expect("a time") * per_second)
        .collect();
    with(
        body.clone(),
        &json!({"timestamps": ticks, "time_unit": unit}),
    )
}

/// Whether a reply says the same as one whose model counts seconds.
fn check_same(seconds: &Value, other: &Value, per_second: i64) -> Result<(), String> {
    let error = |name: &str| Err(format!("{name}: {seconds} {other}"));
    let time = seconds["timestamp"].as_i64().map(|t| t * per_second);
    if other["timestamp"].as_i64() != time {
        return error("timestamp");
    }
    for name in [
        "anomaly",
        "value",
        "direction",
        "status",
        "tail_extrapolated",
    ] {
        if seconds[name] != other[name] {
            return error(name);
        }
    }
    let numbers = [
        "expected_value",
        "lower_bound",
        "upper_bound",
        "anomaly_score",
    ];
    for name in numbers {
        let (a, b) = (seconds[name].as_f64(), other[name].as_f64());
        // A slope per tick and a scale are rounded once more.
        let (Some(a), Some(b)) = (a, b) else {
            return error(name);
        };
        if (a - b).abs() > 1e-6 * a.abs().max(1.0) {
            return error(name);
        }
    }
    Ok(())
}

#[tokio::test]
async fn every_unit_gives_the_same_answers_in_every_model() {
    let server = Server::start().await;
    for model in MODELS {
        let body = with(daily(14), &json!({"model": model}));
        for (unit, per_second) in UNITS {
            let fit = server
                .fit(unit, &in_unit(&body, unit, per_second))
                .await
                .ok();
            assert_eq!(fit["time_unit"], unit);
            assert_eq!(fit["trained_from"], MONDAY * per_second);
            let periods = fit["periods"].as_array().expect("a list");
            for period in periods {
                assert_eq!(period, &json!(24 * HOUR * per_second), "{model}");
            }
        }
        for (offset, value) in [
            (0, 50.0),
            (5 * HOUR, 70.0),
            (14 * 24 * HOUR, 51.0),
            (14 * 24 * HOUR + 1_234, 99.0),
            (15 * 24 * HOUR + 7 * HOUR, -3.0),
        ] {
            let time = MONDAY + offset;
            let seconds = server.predict("s", &point(time, value)).await.ok();
            for (unit, per_second) in UNITS {
                let other = server
                    .predict(unit, &point(time * per_second, value))
                    .await
                    .ok();
                check_same(&seconds, &other, per_second)
                    .unwrap_or_else(|error| panic!("{model} {unit}: {error}"));
            }
        }
    }
}

#[tokio::test]
async fn digits_integers_and_rfc_3339_are_one_instant() {
    let server = Server::start().await;
    let body = series(&times(40, 60), |i, _| noise(i));
    for (unit, per_second) in UNITS {
        server
            .fit(unit, &in_unit(&body, unit, per_second))
            .await
            .ok();
        let ticks = 1_769_846_400 * per_second;
        let forms = [
            json!(ticks.to_string()),
            json!(ticks),
            json!("2026-01-31T08:00:00Z"),
            json!("2026-01-31T03:00:00-05:00"),
            json!("2026-01-31t08:00:00.000z"),
        ];
        let mut replies = Vec::new();
        for form in &forms {
            let reply = server
                .predict(unit, &json!({"timestamp": form, "value": 3.0}))
                .await;
            assert_eq!(reply.ok()["timestamp"], ticks, "{unit} {form}");
            replies.push(reply.body);
        }
        assert!(replies.iter().all(|reply| *reply == replies[0]), "{unit}");
        let columns = json!({"timestamps": forms, "values": [1, 2, 3, 4, 5]});
        let reply = server.predict(unit, &columns).await.ok();
        assert_eq!(reply["timestamps"], json!(vec![ticks; 5]), "{unit}");
    }
}

#[tokio::test]
async fn a_fraction_of_a_second_is_kept_as_far_as_the_unit_goes() {
    let server = Server::start().await;
    let body = series(&times(40, 60), |i, _| noise(i));
    let second = 1_769_846_400_i64;
    for ((unit, per_second), fraction) in UNITS.into_iter().zip([0, 123, 123_456, 123_456_000]) {
        server
            .fit(unit, &in_unit(&body, unit, per_second))
            .await
            .ok();
        let body = json!({"timestamp": "2026-01-31T08:00:00.123456Z", "value": 1});
        let reply = server.predict(unit, &body).await.ok();
        assert_eq!(reply["timestamp"], second * per_second + fraction, "{unit}");
    }
}

#[tokio::test]
async fn an_instant_past_the_last_tick_is_refused() {
    let server = Server::start().await;
    let body = with(history(&[1.0, 2.0, 4.0]), &json!({"time_unit": "ns"}));
    server.fit("a", &body).await.ok();
    let late = "2262-04-12T00:00:00Z";
    let one = server
        .predict("a", &json!({"timestamp": late, "value": 1}))
        .await;
    assert_problem_at(
        &one,
        422,
        "timestamp_invalid",
        &json!(["body", "timestamp"]),
    );
    let columns = json!({"timestamps": [1, "2", late], "values": [1, 2, 3]});
    let many = server.predict("a", &columns).await;
    let loc = json!(["body", "timestamps", 2]);
    assert_problem_at(&many, 422, "timestamp_invalid", &loc);
    let last = "2262-04-11T00:00:00Z";
    server
        .predict("a", &json!({"timestamp": last, "value": 1}))
        .await
        .ok();
}

/// The control: a reply that differs in anything is noticed.
#[tokio::test]
async fn every_doctored_reply_is_noticed() {
    let server = Server::start().await;
    server.fit("a", &daily(7)).await.ok();
    let reply = server.predict("a", &point(MONDAY, 99.0)).await.ok();
    assert_eq!(check_same(&reply, &reply, 1), Ok(()));
    assert!(check_same(&reply, &reply, 1_000).is_err());
    for doctored in [
        json!({"anomaly": false}),
        json!({"direction": "below"}),
        json!({"status": "extrapolated"}),
        json!({"tail_extrapolated": "yes"}),
        json!({"expected_value": 51.0}),
        json!({"upper_bound": null}),
        json!({"anomaly_score": 1.0}),
        json!({"timestamp": MONDAY + 1}),
    ] {
        let other = with(reply.clone(), &doctored);
        assert!(check_same(&reply, &other, 1).is_err(), "{doctored}");
    }
}
