//! The contract's vectors for the reference model: population standard deviation, strict
//! `value > mean + 3·std`, to the last bit.

use rstest::rstest;
use serde_json::json;

use crate::server::{Server, history, point};

#[rstest]
#[case(&[10.0, 10.2, 10.1, 9.9, 10.3, 10.15], 10.108333333333333, 0.13043729868748774)]
#[case(&[10.0, 11.0, 12.0], 11.0, 0.816496580927726)]
#[case(&[1.0, 2.0, 1.0], 1.3333333333333333, 0.4714045207910317)]
#[case(&[10.0, 11.2, 10.4, 10.8], 10.600000000000001, 0.44721359549995776)]
#[case(&[10.0, 10.2, 10.1, 9.9, 10.3, 10.15, 9.95, 10.25], 10.106250000000001, 0.13564084008881702)]
#[tokio::test]
async fn the_reference_model_agrees_to_the_last_bit(
    #[case] values: &[f64],
    #[case] mean: f64,
    #[case] std: f64,
) {
    let server = Server::start().await;
    let mut body = history(values);
    for (name, value) in [
        ("model", json!("gaussian")),
        ("sigma", json!(3)),
        ("direction", json!("above")),
    ] {
        body[name] = value;
    }
    server.fit("a", &body).await.ok();
    let threshold = mean + 3.0 * std;
    let verdict = async |value: f64| {
        let reply = server.predict("a", &point(100, value)).await.ok();
        assert_eq!(reply["expected_value"], mean);
        assert_eq!(reply["upper_bound"], threshold);
        assert_eq!(reply["value"], value, "no bit is lost on the way");
        reply["anomaly"].as_bool().expect("a verdict")
    };
    for normal in [
        threshold,
        threshold.next_down(),
        mean,
        mean - 3.0 * std,
        -1e9,
        f64::MIN,
    ] {
        assert!(!verdict(normal).await, "{normal} is not above {threshold}");
    }
    for anomalous in [threshold.next_up(), threshold + std, 1e9, f64::MAX] {
        assert!(verdict(anomalous).await, "{anomalous} is above {threshold}");
    }
}

#[test]
fn the_table_gives_the_threshold_it_names() {
    assert_eq!(
        10.106250000000001 + 3.0 * 0.13564084008881702,
        10.513172520266451
    );
}
