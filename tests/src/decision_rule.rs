//! The one decision rule, over the wire: `anomaly` ⇔ `p_value < alarm_rate` ⇔ `anomaly_score > 1`
//! ⇔ the value is outside [`lower_bound`, `upper_bound`], for every model, direction and point.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rstest::rstest;
use serde_json::{Value, json};

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
        json!({"model":"robust","alarm_rate":0.01})
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
        prop::sample::select(vec!["auto", "gaussian", "robust"]),
        prop::sample::select(vec!["both", "above", "below"]),
        prop::sample::select(vec![0.5, 0.1, 0.01, 0.001, 1e-9, 1e-100]),
        prop::collection::vec(prop_oneof![-1e6..1e6_f64, prop::num::f64::NORMAL], 1..20),
    );
    runner
        .run(
            &histories,
            |(values, model, direction, alarm_rate, points)| {
                let parameters =
                    json!({"model":model,"direction":direction,"alarm_rate":alarm_rate});
                runtime.block_on(async {
                    let rate = fit(&server, &values, &parameters).await;
                    assert_eq!(rate, alarm_rate);
                    let middle = server.predict("a", &point(100, 0.0)).await.ok();
                    for value in points.into_iter().chain(critical_values(&middle)) {
                        let reply = server.predict("a", &point(100, value)).await.ok();
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
