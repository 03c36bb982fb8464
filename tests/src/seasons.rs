//! Seasons over the wire: found or named, and on the clock of the zone that was asked for.

use serde_json::{Value, json};

use crate::histories::{
    DAY, HOUR, MONDAY, WEEK, WITH_SEASONS, daily, daily_and_weekly, end, noise, series, times, with,
};
use crate::server::{Server, point};

/// Clocks in New York went back on 2 November 2025, forward on 8 March 2026 and will go back on
/// 1 November 2026, at these seconds.
const NEW_YORK: [(i64, i64); 3] = [
    (1_762_063_200, -5 * HOUR),
    (1_772_953_200, -4 * HOUR),
    (1_793_512_800, -5 * HOUR),
];

/// What a clock in New York shows, from 2 November 2025 to 13 March 2027.
fn new_york(second: i64) -> i64 {
    let change = NEW_YORK.iter().rev().find(|(from, _)| *from <= second);
    second + change.expect("a time of these years").1
}

/// Open from nine to five on the clock of New York, one point an hour.
fn office(from: i64, weeks: usize) -> Value {
    let timestamps: Vec<i64> = (0..168 * weeks as i64).map(|i| from + HOUR * i).collect();
    series(&timestamps, |i, t| {
        let hour = new_york(t).rem_euclid(DAY) / HOUR;
        let usual = if (9..17).contains(&hour) { 100.0 } else { 20.0 };
        usual + 4.0 * noise(i)
    })
}

/// The hours of a day, by the clock of New York, at which the model expects an open office.
async fn open_hours(server: &Server, series: &str, near: i64) -> Vec<i64> {
    let midnight = near - new_york(near).rem_euclid(DAY);
    let mut hours = Vec::new();
    for hour in 0..24 {
        let time = midnight + HOUR * hour;
        let reply = server.predict(series, &point(time, 60.0)).await.ok();
        if reply["expected_value"].as_f64().expect("a number") > 60.0 {
            hours.push(new_york(time).rem_euclid(DAY) / HOUR);
        }
    }
    hours
}

fn check_hours(hours: &[i64]) -> Result<(), String> {
    if hours.iter().copied().eq(9..17) {
        Ok(())
    } else {
        Err(format!("open at {hours:?}"))
    }
}

#[tokio::test]
async fn the_profile_follows_the_clock_of_its_zone_across_both_changes() {
    let server = Server::start().await;
    for (change, _) in NEW_YORK.into_iter().skip(1) {
        for model in WITH_SEASONS {
            // Eight weeks that end some days before the change: it is not in the history.
            let history = office(change - 59 * DAY, 8);
            for zone in [Some("America/New_York"), None] {
                let name = format!("{model}-{}", zone.is_some());
                let mut body = with(history.clone(), &json!({"model": model}));
                if let Some(zone) = zone {
                    body["timezone"] = json!(zone);
                }
                let reply = server.fit(&name, &body).await.ok();
                assert_eq!(reply["periods"], json!([DAY]), "{name}");
                let before = open_hours(&server, &name, change - 2 * DAY).await;
                let after = open_hours(&server, &name, change + 2 * DAY).await;
                check_hours(&before).unwrap_or_else(|error| panic!("{name}: {error}"));
                // Without a zone the season is one of UTC, and an hour off: the control.
                let followed = check_hours(&after);
                assert_eq!(followed.is_ok(), zone.is_some(), "{name}: {after:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_change_within_the_history_does_not_blur_the_profile() {
    let server = Server::start().await;
    let change = NEW_YORK[1].0;
    let body = office(change - 29 * DAY, 8);
    let in_zone = with(body.clone(), &json!({"timezone": "America/New_York"}));
    server.fit("zone", &in_zone).await.ok();
    server.fit("utc", &body).await.ok();
    for near in [change - 14 * DAY, change + 14 * DAY, end(&body) + 7 * DAY] {
        let hours = open_hours(&server, "zone", near).await;
        assert_eq!(check_hours(&hours), Ok(()), "{near}");
    }
    // An office that is closed at nine is an anomaly to the one and may be normal to the other.
    let nine = change + 16 * DAY - new_york(change).rem_euclid(DAY) + 9 * HOUR;
    let closed = server.predict("zone", &point(nine, 20.0)).await.ok();
    assert_eq!(
        (&closed["anomaly"], &closed["direction"]),
        (&json!(true), &json!("below"))
    );
    let width = |reply: &Value| {
        reply["upper_bound"].as_f64().expect("a bound")
            - reply["lower_bound"].as_f64().expect("a bound")
    };
    let in_utc = server.predict("utc", &point(nine, 20.0)).await.ok();
    assert!(width(&in_utc) > 2.0 * width(&closed), "{in_utc} {closed}");
}

#[tokio::test]
async fn what_is_normal_depends_on_the_time() {
    let server = Server::start().await;
    for model in WITH_SEASONS {
        let body = with(daily_and_weekly(6), &json!({"model": model}));
        let reply = server.fit(model, &body).await.ok();
        let longest = reply["periods"].as_array().and_then(|p| p.last()).cloned();
        assert_eq!(longest, Some(json!(WEEK)), "{reply}");
        let next = MONDAY + 6 * WEEK;
        // Noon of a Wednesday, noon of a Sunday, six in the morning of a Monday.
        let usual = [
            (2 * DAY + 12 * HOUR, 50.0),
            (6 * DAY + 12 * HOUR, 35.0),
            (6 * HOUR, 70.0),
        ];
        for (offset, value) in usual {
            let reply = server
                .predict(model, &point(next + offset, value))
                .await
                .ok();
            assert_eq!(reply["anomaly"], false, "{reply}");
            for (other, value) in usual.iter().filter(|(other, _)| *other != offset) {
                let reply = server
                    .predict(model, &point(next + offset, *value))
                    .await
                    .ok();
                assert_eq!(reply["anomaly"], true, "{model} {offset} {other}: {reply}");
            }
        }
    }
}

#[tokio::test]
async fn periods_are_as_long_and_as_short_as_the_history_allows() {
    let server = Server::start().await;
    let history = series(&times(100, 60), |i, _| noise(i));
    for model in ["auto", "seasonal", "holt_winters"] {
        for (period, fits) in [(119, false), (120, true), (3_000, true), (3_001, false)] {
            let body = with(
                history.clone(),
                &json!({"model": model, "seasonality": [period]}),
            );
            let reply = server.fit("a", &body).await;
            assert_eq!(
                reply.status == 200,
                fits,
                "{model} {period}: {}",
                reply.text()
            );
            if fits {
                assert_eq!(reply.json()["periods"], json!([period]));
            } else {
                let document =
                    crate::problem::assert_problem(&reply, 422, "parameter_out_of_range");
                assert_eq!(document["errors"][0]["loc"], json!(["body", "seasonality"]));
            }
        }
    }
}

#[tokio::test]
async fn a_named_season_is_taken_and_none_is_none() {
    let server = Server::start().await;
    let fit = async |fields: Value| server.fit("a", &with(daily(28), &fields)).await.ok();
    let turned = fit(json!({"seasonality": [WEEK, DAY]})).await;
    assert_eq!(turned["periods"], json!([DAY, WEEK]), "shortest first");
    let found = fit(json!({"seasonality": "auto"})).await;
    let default = fit(json!({})).await;
    assert_eq!(found["model_hash"], default["model_hash"]);
    let none = fit(json!({"seasonality": []})).await;
    assert_eq!(none["periods"], json!([]));
    assert_ne!(none["model"], "seasonal");
    let level = fit(json!({"seasonality": [], "model": "seasonal"})).await;
    assert_eq!(
        (&level["model"], &level["periods"]),
        (&json!("seasonal"), &json!([]))
    );
    assert!(
        level["warnings"]
            .as_array()
            .is_some_and(|all| all.iter().any(|w| w["code"] == "no_season")),
        "{level}"
    );
}

#[tokio::test]
async fn a_time_far_from_training_is_said_to_be() {
    let server = Server::start().await;
    for model in ["ewma", "holt_winters", "seasonal"] {
        let body = with(daily(14), &json!({"model": model}));
        server.fit("a", &body).await.ok();
        let span = end(&body) - MONDAY;
        for (time, status) in [
            (MONDAY - span, "ok"),
            (MONDAY - span - 1, "extrapolated"),
            (end(&body) + span, "ok"),
            (end(&body) + span + 1, "extrapolated"),
            (i64::MAX, "extrapolated"),
            (0, "extrapolated"),
        ] {
            let reply = server.predict("a", &point(time, 50.0)).await.ok();
            assert_eq!(reply["status"], status, "{model} {time}");
        }
    }
}
