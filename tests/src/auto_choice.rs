//! `auto`, over every kind of series a user may send: which model it takes, and what it says of it.

use serde_json::{Value, json};

use crate::decision_rule::assert_rule;
use crate::histories::{
    DAY, HOUR, MONDAY, WEEK, daily, daily_and_weekly, noise, series, times, with,
};
use crate::server::{Server, point};

/// What the reply to a fit has to say.
struct Choice {
    model: &'static str,
    periods: Vec<i64>,
    /// A part of the reason.
    because: &'static str,
    method: &'static str,
}

const FEW: &str = "fewer than 32";
const SEASON: &str = "there is a season";
const STAYS: &str = "a level that stays";
const WANDERS: &str = "a level that wanders";
const LINE: &str = "values that go along a line";
const TOO_MANY: &str = "too many to be outliers";

/// Checks what a fit says of its choice, its periods and what its p-values rest on.
fn check(sent: &Value, reply: &Value, wanted: &Choice) -> Result<(), String> {
    let ensure = |holds: bool, what: &str| {
        if holds {
            Ok(())
        } else {
            Err(format!("{what}: {reply}"))
        }
    };
    ensure(reply["model"] == wanted.model, "model")?;
    ensure(reply["periods"] == json!(wanted.periods), "periods")?;
    let because = reply["chosen_because"].as_str().unwrap_or_default();
    ensure(because.contains(wanted.because), "chosen_because")?;
    let n_sent = sent["timestamps"].as_array().map_or(0, Vec::len);
    ensure(reply["points_used"] == n_sent, "points_used")?;
    let calibration = &reply["calibration"];
    ensure(calibration["method"] == wanted.method, "method")?;
    let n = calibration["n"].as_u64().unwrap_or_default();
    // Smoothing needs some points to begin with; of all others, each was held out once.
    let least = if matches!(wanted.model, "ewma" | "holt_winters") {
        n_sent / 2
    } else {
        n_sent
    };
    ensure((least as u64..=n_sent as u64).contains(&n), "calibration n")?;
    let attainable = 1.0 / (n as f64 + 1.0);
    let told = &calibration["min_attainable_alarm_rate"];
    ensure(*told == attainable, "min_attainable_alarm_rate")?;
    let warnings = reply["warnings"].as_array().cloned().unwrap_or_default();
    let beyond = warnings
        .iter()
        .find(|warning| warning["code"] == "alarm_rate_beyond_data");
    let asked = reply["alarm_rate"].as_f64().unwrap_or_default();
    ensure((asked < attainable) == beyond.is_some(), "a warning")?;
    let detail = beyond.map_or("", |warning| warning["detail"].as_str().unwrap_or_default());
    let named = detail.contains(&format!("{attainable:.3e}"));
    ensure(beyond.is_none() || named, "the attainable rate in words")
}

async fn assert_choices(cases: Vec<(&str, Value, Choice)>) {
    let server = Server::start().await;
    for (name, body, wanted) in cases {
        let reply = server.fit(name, &body).await.ok();
        check(&body, &reply, &wanted).unwrap_or_else(|error| panic!("{name}: {error}"));
        let timestamps = body["timestamps"].as_array().expect("a column");
        let times = [
            timestamps[0].as_i64(),
            reply["trained_to"].as_i64().map(|t| t + HOUR),
        ];
        for time in times.into_iter().flatten() {
            for value in [-1e9, 0.0, 10.0, 1e9] {
                let verdict = server.predict(name, &point(time, value)).await.ok();
                assert_rule(&verdict, 0.001);
            }
        }
    }
}

fn choice(model: &'static str, because: &'static str, method: &'static str) -> Choice {
    Choice {
        model,
        periods: Vec::new(),
        because,
        method,
    }
}

fn season(periods: &[i64]) -> Choice {
    Choice {
        periods: periods.to_vec(),
        ..choice("seasonal", SEASON, "rank_pareto")
    }
}

#[tokio::test]
async fn short_histories() {
    let short = |n: usize| series(&times(n, 60), |i, _| 10.0 + noise(i));
    let often = series(&times(50, 60), |i, _| {
        noise(i) + if noise(i + 900) > 0.4 { 40.0 } else { 0.0 }
    });
    let few = || choice("gaussian", FEW, "student_t");
    assert_choices(vec![
        ("three", short(3), few()),
        ("thirty-one", short(31), few()),
        (
            "thirty-two",
            short(32),
            choice("robust", STAYS, "student_t"),
        ),
        (
            "sixty-three",
            short(63),
            choice("robust", STAYS, "student_t"),
        ),
        ("often", often, choice("gaussian", TOO_MANY, "student_t")),
        (
            "sixty-four",
            short(64),
            choice("robust", STAYS, "rank_pareto"),
        ),
    ])
    .await;
}

#[tokio::test]
async fn levels_that_stay() {
    let hours = times(672, HOUR);
    let steady = || choice("robust", STAYS, "rank_pareto");
    let stuck = series(&hours, |i, _| 5.0 + if i < 600 { 0.0 } else { noise(i) });
    let demand = series(&hours, |i, _| {
        if noise(i) < 0.4 {
            0.0
        } else {
            (5.0 + 6.0 * noise(i + 9_000)).round()
        }
    });
    let mut irregular = vec![MONDAY];
    for i in 1..600 {
        irregular.push(irregular[i - 1] + 60 + (100.0 + 200.0 * noise(i)) as i64);
    }
    let gap: Vec<i64> = (0..600)
        .map(|i| MONDAY + 60 * i + if i > 300 { 40 * DAY } else { 0 })
        .collect();
    let flat = |timestamps: &[i64]| series(timestamps, |i, _| 10.0 + noise(i));
    let mut cases = vec![
        ("a-constant-stretch", stuck, steady()),
        ("intermittent-demand", demand, steady()),
        ("irregular-steps", flat(&irregular), steady()),
        ("a-long-gap", flat(&gap), steady()),
        (
            "large",
            series(&hours, |i, _| 1e300 * noise(i + 5_000)),
            steady(),
        ),
        (
            "tiny",
            series(&hours, |i, _| 1e-310 * (1.0 + noise(i + 5_000))),
            steady(),
        ),
    ];
    let steps = [
        ("seconds", 1),
        ("minutes", 60),
        ("hours", HOUR),
        ("days", DAY),
        ("weeks", WEEK),
        ("months", 30 * DAY),
        ("years", 365 * DAY),
    ];
    for (name, step) in steps {
        cases.push((name, flat(&times(100, step)), steady()));
    }
    assert_choices(cases).await;
}

#[tokio::test]
async fn levels_that_move() {
    let hours = times(672, HOUR);
    let mut level = 0.0;
    let walk: Vec<f64> = (0..672)
        .map(|i| {
            level += noise(i + 5_000);
            level
        })
        .collect();
    let plateaus = series(&hours, |i, _| 20.0 * noise(i / 100 + 7) + 0.1 * noise(i));
    assert_choices(vec![
        (
            "a-counter",
            series(&hours, |i, _| 3.0 * i as f64 + noise(i)),
            choice("holt_winters", LINE, "rank_pareto"),
        ),
        (
            "an-exact-counter",
            series(&hours, |i, _| i as f64),
            choice("holt_winters", LINE, "rank_pareto"),
        ),
        (
            "a-random-walk",
            series(&hours, |i, _| walk[i]),
            choice("ewma", WANDERS, "rank_pareto"),
        ),
        ("plateaus", plateaus, choice("ewma", WANDERS, "rank_pareto")),
    ])
    .await;
}

#[tokio::test]
async fn seasons_that_are_found() {
    let hours = times(672, HOUR);
    let with_gap: Vec<i64> = hours
        .iter()
        .map(|t| t + if *t > MONDAY + 10 * DAY { DAY } else { 0 })
        .collect();
    let wave = |t: i64| (std::f64::consts::TAU * (t % DAY) as f64 / DAY as f64).sin();
    let shaken: Vec<i64> = (0..672)
        .map(|i| MONDAY + HOUR * i + (1_500.0 * noise(i as usize)) as i64)
        .collect();
    assert_choices(vec![
        ("a-day", daily(28), season(&[DAY])),
        (
            "a-day-and-a-week",
            daily_and_weekly(5),
            season(&[DAY, WEEK]),
        ),
        (
            "a-counter-reset-every-week",
            series(&hours, |i, _| 3.0 * (i % 168) as f64 + noise(i)),
            season(&[WEEK]),
        ),
        (
            "a-day-around-a-gap",
            series(&with_gap, |i, t| 20.0 * wave(t) + noise(i)),
            season(&[DAY]),
        ),
        (
            "a-day-at-irregular-times",
            series(&shaken, |i, t| 20.0 * wave(t) + noise(i)),
            season(&[DAY]),
        ),
        (
            "a-named-season",
            with(
                series(&times(12, HOUR), |i, _| (i % 4) as f64 + 0.1 * noise(i)),
                &json!({"seasonality": [4 * HOUR]}),
            ),
            Choice {
                method: "student_t",
                ..season(&[4 * HOUR])
            },
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_warning_ends_where_the_data_vouch_for_the_rate() {
    let server = Server::start().await;
    let body = series(&times(99, 60), |i, _| noise(i));
    for (rate, n_warnings) in [(0.01, 0), (0.009_999, 1)] {
        let body = with(body.clone(), &json!({"alarm_rate": rate}));
        let reply = server.fit("a", &body).await.ok();
        let wanted = choice("robust", STAYS, "rank_pareto");
        check(&body, &reply, &wanted).unwrap_or_else(|error| panic!("{error}"));
        let warnings = reply["warnings"].as_array().map(Vec::len);
        assert_eq!(warnings, Some(n_warnings), "{rate}");
    }
}

#[tokio::test]
async fn a_named_model_has_no_reason() {
    let server = Server::start().await;
    for model in ["gaussian", "robust", "ewma", "holt_winters", "seasonal"] {
        let body = with(daily(7), &json!({"model": model}));
        let reply = server.fit("a", &body).await.ok();
        assert_eq!(reply["model"], model);
        assert!(reply.get("chosen_because").is_none(), "{reply}");
    }
}

/// The control: a reply that says anything else than it should is noticed.
#[tokio::test]
async fn every_doctored_reply_is_noticed() {
    let server = Server::start().await;
    let body = daily(28);
    let reply = server.fit("a", &body).await.ok();
    let wanted = season(&[DAY]);
    assert_eq!(check(&body, &reply, &wanted), Ok(()));
    let other_calibration = |name: &str, value: Value| {
        let calibration = with(reply["calibration"].clone(), &json!({name: value}));
        json!({ "calibration": calibration })
    };
    for doctored in [
        json!({"model": "robust"}),
        json!({"periods": [DAY, WEEK]}),
        json!({"periods": []}),
        json!({"chosen_because": "it is the best"}),
        json!({"points_used": 671}),
        json!({"warnings": []}),
        json!({"warnings": [{"code": "alarm_rate_beyond_data", "detail": "beware"}]}),
        json!({"alarm_rate": 0.1}),
        other_calibration("n", json!(500)),
        other_calibration("method", json!("student_t")),
        other_calibration("min_attainable_alarm_rate", json!(0.001)),
    ] {
        let reply = with(reply.clone(), &doctored);
        assert!(check(&body, &reply, &wanted).is_err(), "{doctored}");
    }
}
