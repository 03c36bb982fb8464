//! Models that judge windows: a point in the context of those before it.

use serde_json::{Value, json};

use crate::decision_rule::assert_rule;
use crate::histories::{DAY, HOUR, daily, end, series, times, with};
use crate::server::{Server, point};

pub(crate) const MODELS: [&str; 7] = [
    "pca",
    "gmm",
    "kmeans",
    "one_class_svm",
    "forest",
    "spectral_residual",
    "nearest",
];

/// The hours after a history, as columns; `value` has the index and the time.
fn after(history: &Value, n: usize, value: impl Fn(usize, i64) -> f64) -> Value {
    let first = end(history) + HOUR;
    let times: Vec<i64> = (0..n as i64).map(|i| first + HOUR * i).collect();
    series(&times, value)
}

/// What [`daily`] goes on with.
fn as_before(i: usize, t: i64) -> f64 {
    let later = series(&[t], |_, t| {
        50.0 + 20.0 * (std::f64::consts::TAU * (t % DAY) as f64 / DAY as f64).sin()
    });
    later["values"][0].as_f64().unwrap() + (i % 7) as f64 / 10.0 - 0.3
}

fn flags(reply: &Value) -> Vec<bool> {
    let flags = reply["anomaly"].as_array().unwrap().iter();
    flags.map(|flag| flag.as_bool().unwrap()).collect()
}

#[tokio::test]
async fn each_finds_a_day_that_stands_still() {
    let server = Server::start().await;
    let history = daily(40);
    // Two usual days, then hours that stand still at a value which is usual at other times of day.
    let frozen = after(
        &history,
        72,
        |i, t| if i < 48 { as_before(i, t) } else { 69.0 },
    );
    let usual = after(&history, 72, as_before);
    for model in ["pca", "gmm", "kmeans", "one_class_svm", "forest", "nearest"] {
        let fit = server
            .fit(model, &with(history.clone(), &json!({ "model": model })))
            .await;
        let fitted = fit.json();
        assert_eq!(
            (fit.status, &fitted["model"]),
            (200, &json!(model)),
            "{fitted}"
        );
        assert_eq!(fitted["calibration"]["method"], "rank_pareto");
        let found = flags(&server.predict(model, &frozen).await.json());
        assert!(found[48..].iter().any(|flag| *flag), "{model} {found:?}");
        // The control: the same model is quiet where nothing happens.
        let quiet = flags(&server.predict(model, &usual).await.json());
        let alarms = quiet.iter().filter(|flag| **flag).count();
        assert!(alarms <= 3, "{model}: {alarms} false alarms");
    }
}

#[tokio::test]
async fn the_decision_rule_holds_for_every_entry() {
    let server = Server::start().await;
    let history = daily(40);
    let wild = after(&history, 60, |i, t| match i % 9 {
        3 => 1e9,
        7 => -1e300,
        _ => as_before(i, t),
    });
    for model in MODELS {
        let fields = json!({"model": model, "alarm_rate": 0.01});
        server.fit(model, &with(history.clone(), &fields)).await;
        let columns = server.predict(model, &wild).await.json();
        let timestamps = wild["timestamps"].as_array().unwrap();
        for (index, timestamp) in timestamps.iter().enumerate() {
            let mut entry = json!({ "timestamp": timestamp, "value": wild["values"][index] });
            for (name, column) in columns.as_object().unwrap() {
                if let Some(value) = column.get(index) {
                    entry[name] = value.clone();
                }
            }
            entry["expected_value"] = columns["expected_value"][index].clone();
            assert_rule(&entry, 0.01);
        }
    }
}

#[tokio::test]
async fn a_column_goes_on_from_the_training_and_no_entry_depends_on_later_ones() {
    let server = Server::start().await;
    let history = daily(40);
    let whole = after(
        &history,
        30,
        |i, t| if i == 10 { 400.0 } else { as_before(i, t) },
    );
    let cut = |n: usize| {
        let part = |name: &str| Value::from(whole[name].as_array().unwrap()[..n].to_vec());
        json!({ "timestamps": part("timestamps"), "values": part("values") })
    };
    for model in MODELS {
        server
            .fit(model, &with(history.clone(), &json!({ "model": model })))
            .await;
        let all = server.predict(model, &whole).await.json();
        let first = server
            .predict(
                model,
                &point(end(&history) + HOUR, whole["values"][0].as_f64().unwrap()),
            )
            .await
            .json();
        for name in [
            "anomaly_score",
            "p_value",
            "lower_bound",
            "upper_bound",
            "expected_value",
        ] {
            assert_eq!(all[name][0], first[name], "{model} {name}");
            for n in [5, 12, 29] {
                let part = server.predict(model, &cut(n)).await.json();
                let before = &all[name].as_array().unwrap()[..n];
                assert_eq!(part[name].as_array().unwrap(), before, "{model} {name} {n}");
            }
        }
        // The control: context matters. A spike changes how the points after it are seen.
        let calm = server
            .predict(model, &after(&history, 30, as_before))
            .await
            .json();
        assert_ne!(calm["p_value"][11], all["p_value"][11], "{model}");
    }
}

#[tokio::test]
async fn what_windows_have_no_notion_of_is_refused_by_name() {
    let server = Server::start().await;
    for model in MODELS {
        for (field, value) in [
            ("direction", json!("above")),
            ("min_deviation", json!({"abs": 1})),
            ("seasonality", json!("auto")),
            ("timezone", json!("Europe/Berlin")),
            ("sigma", json!(3)),
        ] {
            let fit = server
                .fit(
                    "x",
                    &with(daily(40), &json!({"model": model, field: value})),
                )
                .await;
            let problem = fit.json();
            assert_eq!(
                (fit.status, &problem["code"]),
                (422, &json!("parameter_unsupported"))
            );
            assert_eq!(
                problem["errors"][0]["loc"],
                json!(["body", field]),
                "{problem}"
            );
        }
        let short = series(&times(50, HOUR), |i, _| (i * i % 17) as f64);
        let fit = server
            .fit("x", &with(short, &json!({ "model": model })))
            .await;
        assert_eq!(
            (fit.status, &fit.json()["code"]),
            (422, &json!("too_few_points"))
        );
    }
}

#[tokio::test]
async fn a_restart_changes_no_byte() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::at(folder.path(), &[]).await;
    let history = daily(40);
    let later = after(
        &history,
        40,
        |i, t| if i == 20 { 0.0 } else { as_before(i, t) },
    );
    let mut before = Vec::new();
    for model in MODELS {
        server
            .fit(model, &with(history.clone(), &json!({ "model": model })))
            .await;
        before.push(server.predict(model, &later).await.body);
    }
    server.stop().await;
    let server = Server::at(folder.path(), &[]).await;
    for (model, before) in MODELS.into_iter().zip(before) {
        assert_eq!(server.predict(model, &later).await.body, before, "{model}");
    }
}
