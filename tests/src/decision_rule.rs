//! The one decision rule, over the wire: `anomaly` ⇔ `p_value < alarm_rate` ⇔ `anomaly_score > 1`
//! ⇔ the value is outside [`lower_bound`, `upper_bound`], for every model, direction and point.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rstest::rstest;
use serde_json::{Value, json};

use crate::histories::{
    DAY, HOUR, MODELS, MONDAY, daily, daily_and_weekly, end, noise, series, times, with,
};
use crate::server::{Server, history, point};

/// The four statements about one reply, which have to say the same.
#[track_caller]
pub(crate) fn assert_rule(reply: &Value, alarm_rate: f64) {
    let number = |name: &str| {
        reply[name]
            .as_f64()
            .unwrap_or_else(|| panic!("{name}: {reply}"))
    };
    let value = number("value");
    let verdict = reply["anomaly"].as_bool().expect("a verdict");
    let (lower, upper) = (number("lower_bound"), number("upper_bound"));
    let (p_value, score) = (number("p_value"), number("anomaly_score"));
    assert_eq!(verdict, p_value < alarm_rate, "{alarm_rate} {reply}");
    assert_eq!(verdict, score > 1.0, "{reply}");
    assert_eq!(verdict, value < lower || value > upper, "{reply}");
    assert!((0.0..=1.0).contains(&p_value) && p_value > 0.0, "{reply}");
    assert!(lower <= upper && score >= 0.0, "{reply}");
    let severity = number("severity");
    assert!((0.0..=1.0).contains(&severity), "{reply}");
    assert_eq!(verdict, severity > 0.0, "{reply}");
    let side = match value.partial_cmp(&number("expected_value")) {
        Some(std::cmp::Ordering::Greater) => "above",
        Some(std::cmp::Ordering::Less) => "below",
        _ => "none",
    };
    assert_eq!(reply["direction"], side, "{reply}");
    // The formula, but for the rounding at the threshold itself.
    let formula = p_value.ln() / alarm_rate.ln();
    assert!(
        (score - formula).abs() <= 1e-9 * formula.abs().max(1.0),
        "{reply}"
    );
}

/// What a fit of `parameters` over `values` says the alarm rate is.
async fn fit(server: &Server, values: &[f64], parameters: &Value) -> f64 {
    let mut body = history(values);
    for (name, value) in parameters.as_object().expect("an object") {
        body[name] = value.clone();
    }
    let reply = server.fit("a", &body).await.ok();
    reply["alarm_rate"].as_f64().expect("a rate")
}

/// Values where a comparison can go wrong: the bounds themselves, one step beside them, the ends
/// of the number line, and the middle.
fn critical_values(at_expected: &Value) -> Vec<f64> {
    let number = |name: &str| at_expected[name].as_f64().expect(name);
    let expected = number("expected_value");
    let mut values = vec![
        0.0,
        -0.0,
        1e9,
        -1e9,
        f64::MAX,
        f64::MIN,
        f64::MIN_POSITIVE,
        5e-324,
    ];
    for edge in [number("lower_bound"), number("upper_bound"), expected] {
        values.extend([edge, edge.next_up(), edge.next_down()]);
        values.extend([edge.next_up().next_up(), edge.next_down().next_down()]);
        let reach = (edge - expected).abs().min(1e300);
        values.extend(
            [0.5, 0.999, 1.001, 2.0].map(|k| expected + k * (edge - expected).clamp(-reach, reach)),
        );
    }
    values.retain(|value| value.is_finite());
    values
}

const NOISY: [f64; 40] = {
    let mut values = [0.0; 40];
    let mut i = 0;
    while i < 40 {
        values[i] = 20.0 + ((i * 7_919 + 13) % 101) as f64 / 10.0;
        i += 1;
    }
    values
};

#[rstest]
#[tokio::test]
async fn the_four_statements_agree_at_and_around_the_bounds(
    #[values(
        json!({}),
        json!({"model":"auto","alarm_rate":0.05}),
        json!({"model":"gaussian"}),
        json!({"model":"gaussian","alarm_rate":1e-6}),
        json!({"model":"gaussian","alarm_rate":0.5}),
        json!({"model":"gaussian","sigma":3}),
        json!({"model":"gaussian","sigma":0.5}),
        json!({"model":"gaussian","sigma":8}),
        json!({"model":"robust"}),
        json!({"model":"robust","alarm_rate":0.01}),
        json!({"model":"ewma"}),
        json!({"model":"holt_winters","alarm_rate":0.01}),
        json!({"model":"seasonal"}),
        json!({"model":"auto","min_deviation":{"abs":3,"rel":0.5}}),
        json!({"model":"gaussian","sigma":3,"min_deviation":{"abs":20}}),
        json!({"model":"ewma","time_unit":"ms","min_deviation":{"rel":1e3}})
    )]
    mut parameters: Value,
    #[values("both", "above", "below")] direction: &str,
) {
    parameters["direction"] = json!(direction);
    let server = Server::start().await;
    for values in [
        &NOISY[..],
        &NOISY[..6],
        &[1.0, 2.0, 1.0],
        &[1e-12, 2e-12, 4e-12],
        &[1e15, 1e15 + 2.0, 1e15 + 6.0],
    ] {
        let alarm_rate = fit(&server, values, &parameters).await;
        let middle = server.predict("a", &point(100, values[0])).await.ok();
        let mut verdicts = [false; 2];
        for value in critical_values(&middle) {
            let reply = server.predict("a", &point(100, value)).await.ok();
            assert_rule(&reply, alarm_rate);
            verdicts[usize::from(reply["anomaly"] == true)] = true;
        }
        assert_eq!(verdicts, [true; 2], "both verdicts occurred");
        let (lower, upper) = (&middle["lower_bound"], &middle["upper_bound"]);
        assert_eq!(direction == "above", lower == f64::MIN, "{middle}");
        assert_eq!(direction == "below", upper == f64::MAX, "{middle}");
    }
}

/// Every model at every time: a season, a trend and a band that widens are part of the rule.
#[rstest]
#[tokio::test]
async fn the_four_statements_agree_in_training_and_after_it(
    #[values(
        json!({"model":"gaussian"}),
        json!({"model":"robust"}),
        json!({"model":"ewma"}),
        json!({"model":"holt_winters"}),
        json!({"model":"seasonal"}),
        json!({"model":"auto","timezone":"Europe/Berlin"}),
        json!({"model":"seasonal","min_deviation":{"abs":2,"rel":0.05}}),
        json!({"model":"holt_winters","alarm_rate":0.05})
    )]
    parameters: Value,
    #[values("both", "above", "below")] direction: &str,
) {
    let server = Server::start().await;
    let parameters = with(parameters, &json!({ "direction": direction }));
    let counter = series(&times(300, HOUR), |i, _| 2.0 * i as f64 + noise(i));
    for history in [daily(14), daily_and_weekly(3), counter] {
        let fitted = server
            .fit("a", &with(history.clone(), &parameters))
            .await
            .ok();
        let alarm_rate = fitted["alarm_rate"].as_f64().expect("a rate");
        let last = end(&history);
        for time in [
            0,
            MONDAY,
            MONDAY + 4_321,
            last,
            last + 1,
            last + 9 * HOUR,
            last + 400 * DAY,
        ] {
            let middle = server.predict("a", &point(time, 0.0)).await.ok();
            assert_rule(&middle, alarm_rate);
            let values = critical_values(&middle);
            let body = json!({"timestamps": vec![time; values.len()], "values": values});
            let columns = server.predict("a", &body).await.ok();
            let n_anomalies = columns["n_anomalies"].as_u64().expect("a count");
            assert!(
                (1..values.len() as u64).contains(&n_anomalies),
                "both verdicts occurred"
            );
            for i in 0..values.len() {
                let names = [
                    "anomaly",
                    "p_value",
                    "anomaly_score",
                    "severity",
                    "expected_value",
                    "lower_bound",
                    "upper_bound",
                    "direction",
                ];
                let mut reply = json!({ "value": columns["values"][i] });
                for name in names {
                    reply[name] = columns[name][i].clone();
                }
                assert_rule(&reply, alarm_rate);
            }
        }
    }
}

#[tokio::test]
async fn the_rate_of_a_sigma_is_the_normal_tail_beyond_it() {
    let server = Server::start().await;
    // Φ(−3) to 15 digits, e.g. Abramowitz and Stegun, table 26.2.
    let tail = 0.001_349_898_031_630_094_6;
    for (direction, sides) in [("both", 2.0), ("above", 1.0), ("below", 1.0)] {
        let parameters = json!({"model":"gaussian","sigma":3,"direction":direction});
        let rate = fit(&server, &NOISY, &parameters).await;
        assert!(
            (rate / (sides * tail) - 1.0).abs() < 1e-12,
            "{direction}: {rate}"
        );
    }
}

#[test]
fn the_rule_holds_for_any_history_and_any_point() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    let server = runtime.block_on(Server::start());
    let mut runner = TestRunner::new(Config {
        cases: 48,
        failure_persistence: None,
        ..Config::default()
    });
    let histories = (
        prop::collection::vec(-1e6..1e6_f64, 3..80),
        prop::sample::select(MODELS.to_vec()),
        prop::sample::select(vec!["both", "above", "below"]),
        prop::sample::select(vec![0.5, 0.1, 0.01, 0.001, 1e-9, 1e-100]),
        prop::collection::vec(prop_oneof![-1e6..1e6_f64, prop::num::f64::NORMAL], 1..20),
        prop::sample::select(vec![0, 2, 81, 100, 10_000, i64::MAX]),
    );
    runner
        .run(
            &histories,
            |(values, model, direction, alarm_rate, points, time)| {
                let parameters =
                    json!({"model":model,"direction":direction,"alarm_rate":alarm_rate});
                runtime.block_on(async {
                    let rate = fit(&server, &values, &parameters).await;
                    assert_eq!(rate, alarm_rate);
                    let middle = server.predict("a", &point(time, 0.0)).await.ok();
                    for value in points.into_iter().chain(critical_values(&middle)) {
                        let reply = server.predict("a", &point(time, value)).await.ok();
                        assert_rule(&reply, rate);
                    }
                });
                Ok(())
            },
        )
        .unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
#[should_panic(expected = "assertion")]
fn a_reply_whose_statements_disagree_is_noticed() {
    let reply = json!({
        "anomaly": false, "value": 2.0, "lower_bound": 0.0, "upper_bound": 2.0_f64.next_down(),
        "p_value": 0.5, "anomaly_score": 0.1, "severity": 0.0, "expected_value": 1.0, "direction": "above",
    });
    assert_rule(&reply, 0.001);
}
