//! The laws of a workload, on the bytes that would be sent.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn spec(mix: &[(Op, u32)]) -> WorkloadSpec {
    WorkloadSpec {
        mix: mix
            .iter()
            .map(|&(op, weight)| Share { op, weight })
            .collect(),
        series: 3,
        points_per_fit: 8,
        batch: 4,
        distinct: 6,
        payloads: None,
        set_up: true,
        sigma: None,
    }
}

fn set_up(workload: &Workload) -> Vec<Prepared> {
    (0..workload.fits_before())
        .map(|n| workload.fit_before(n))
        .collect()
}

fn build(spec: &WorkloadSpec) -> Workload {
    Workload::build(spec, &"http://h:1/p".parse().unwrap(), "id", 7).unwrap()
}

/// Path and lines of the body, checked on the way to be whole.
fn parts(prepared: &Prepared) -> (String, Vec<Value>) {
    let mut headers = [httparse::EMPTY_HEADER; 16];
    let mut head = httparse::Request::new(&mut headers);
    let parsed = head.parse(&prepared.bytes).unwrap();
    let body = &prepared.bytes[parsed.unwrap()..];
    let length = head.headers.iter().find(|h| h.name == "Content-Length");
    let length = length.map_or(0, |h| {
        std::str::from_utf8(h.value).unwrap().parse().unwrap()
    });
    assert_eq!(body.len(), length);
    let lines = serde_json::Deserializer::from_slice(body).into_iter();
    (
        head.path.unwrap().to_owned(),
        lines.map(Result::unwrap).collect(),
    )
}

fn timestamp(point: &Value) -> i64 {
    point["timestamp"].as_str().unwrap().parse().unwrap()
}

#[test]
fn every_kind_has_its_path_and_shape() {
    let of = |op| {
        let prepared = build(&spec(&[(op, 1)])).request(1);
        assert_eq!(prepared.op, op);
        (parts(&prepared), prepared.points)
    };
    let ((path, body), points) = of(Op::Fit);
    assert_eq!((path.as_str(), points), ("/p/fit/bench_id_1", 8));
    let times = body[0]["timestamps"].as_array().unwrap();
    assert_eq!(times[0], 1_700_006_400_i64);
    assert_eq!(times[7], 1_700_006_400_i64 + 7 * 60);
    assert_eq!(body[0]["values"].as_array().unwrap().len(), 8);

    let ((path, body), points) = of(Op::Predict);
    assert_eq!((path.as_str(), points), ("/p/predict/bench_id_1", 1));
    assert!(timestamp(&body[0]) > 1_700_006_400 + 7 * 60);

    let ((path, body), points) = of(Op::Columns);
    assert_eq!((path.as_str(), points), ("/p/predict/bench_id_1", 4));
    assert_eq!(body[0]["timestamps"][0], 1_700_006_400_i64 + 8 * 60);
    assert_eq!(body[0]["values"].as_array().unwrap().len(), 4);

    let ((path, body), points) = of(Op::Ndjson);
    assert_eq!((path.as_str(), points), ("/p/update/bench_id_1", 4));
    assert_eq!(body.len(), 4);

    let ((path, body), points) = of(Op::Update);
    assert_eq!((path.as_str(), points), ("/p/update/bench_id_1", 1));
    assert!(body[0]["value"].is_f64());

    let ((path, body), points) = of(Op::Health);
    assert_eq!((path.as_str(), body, points), ("/p/healthcheck", vec![], 0));
}

#[test]
fn only_predictions_need_fits_before() {
    let fits = |mix: &[(Op, u32)]| set_up(&build(&spec(mix))).len();
    assert_eq!(fits(&[(Op::Health, 1)]), 0);
    assert_eq!(fits(&[(Op::Fit, 1), (Op::Update, 1)]), 0);
    assert_eq!(fits(&[(Op::Fit, 1), (Op::Predict, 1)]), 3);
    assert_eq!(fits(&[(Op::Columns, 1)]), 3);
    let unwanted = WorkloadSpec {
        set_up: false,
        ..spec(&[(Op::Predict, 1)])
    };
    assert_eq!(set_up(&build(&unwanted)).len(), 0);
    let workload = build(&spec(&[(Op::Predict, 1)]));
    let fits = set_up(&workload);
    assert!(fits.iter().all(|fit| fit.op == Op::Fit));
    let paths: Vec<_> = fits.iter().map(|fit| parts(fit).0).collect();
    assert_eq!(paths, [0, 1, 2].map(|n| format!("/p/fit/bench_id_{n}")));
}

#[test]
fn distinct_requests_come_again_in_the_same_order() {
    let workload = build(&spec(&[(Op::Predict, 1)]));
    let period: Vec<_> = (0..6).map(|index| workload.request(index)).collect();
    let different: BTreeSet<_> = period.iter().map(|p| p.bytes.clone()).collect();
    assert_eq!(different.len(), 6);
    assert!((6..30).all(|index| workload.request(index) == period[index as usize % 6]));
}

#[test]
fn more_series_than_distinct_requests_are_all_asked() {
    let wide = WorkloadSpec {
        series: 50,
        ..spec(&[(Op::Predict, 1)])
    };
    let workload = build(&wide);
    let paths: BTreeSet<_> = (0..50).map(|i| parts(&workload.request(i)).0).collect();
    assert_eq!(paths.len(), 50);
    assert_eq!(workload.request(3), workload.request(53));
}

/// What is made ahead is what would be made on demand.
#[test]
fn holding_requests_changes_none() {
    for op in [Op::Fit, Op::Predict, Op::Columns] {
        let held = build(&spec(&[(op, 1)]));
        assert!(matches!(held.sources[0], Source::Held(_)));
        let kind = match op {
            Op::Fit => Kind::Fit,
            Op::Predict => Kind::Predict,
            _ => Kind::Columns,
        };
        for index in 0..20 {
            assert_eq!(held.request(index), held.generated.request(kind, index));
        }
    }
}

#[test]
fn a_mix_without_a_kind_is_an_error() {
    let base = "http://h".parse().unwrap();
    for (mix, wanted) in [
        (vec![], "no kind of request"),
        (vec![(Op::Predict, 0)], "no kind of request"),
        (vec![(Op::Custom, 1)], "file of payloads"),
    ] {
        let error = Workload::build(&spec(&mix), &base, "id", 1).unwrap_err();
        assert!(error.to_string().contains(wanted), "{error}");
    }
}

#[test]
fn most_judged_points_are_near_the_training_and_a_few_are_far() {
    let many = WorkloadSpec {
        series: 1,
        points_per_fit: 1_000,
        batch: 5_000,
        ..spec(&[(Op::Columns, 1)])
    };
    let workload = build(&many);
    let values = |prepared: &Prepared| -> Vec<f64> {
        let body = &parts(prepared).1[0];
        serde_json::from_value(body["values"].clone()).unwrap()
    };
    let training = values(&workload.fit_before(0));
    let mean = training.iter().sum::<f64>() / training.len() as f64;
    assert!((10.0..130.0).contains(&mean), "{mean}");
    let judged = values(&workload.request(0));
    // A season of ±20 % and its noise, of a mean over less than a day: anomalies are half a level off.
    let far = |value: &&f64| (*value - mean).abs() > 0.45 * mean;
    let share = judged.iter().filter(far).count() as f64 / judged.len() as f64;
    assert!((0.003..0.05).contains(&share), "{share}");
}

/// Computed by an independent implementation of what `generated` says. A change here changes what
/// every seed in every saved run means.
#[test]
fn same_seed_gives_the_same_bytes_for_ever() {
    let golden = WorkloadSpec {
        points_per_fit: 4,
        batch: 3,
        distinct: 18,
        ..spec(&[(Op::Ndjson, 1)])
    };
    let wire = Wire::new(&"http://h".parse().unwrap());
    let generated = Generated::new(&golden, &wire, "id", 42);
    let body = |kind, i: u64| {
        let request = generated.request(kind, 3 * i + 2);
        let text = String::from_utf8(request.bytes.to_vec()).unwrap();
        let body = text.split_once("\r\n\r\n").unwrap().1.to_owned();
        assert!(text.contains("/bench_id_2 "), "{text}");
        body
    };
    assert_eq!(
        body(Kind::Fit, 1),
        r#"{"timestamps":[1700006400,1700006460,1700006520,1700006580],"values":[46.3138022724048,44.97766389459714,46.00289696328977,43.83185924722582]}"#
    );
    assert_eq!(
        body(Kind::Predict, 5),
        r#"{"timestamp":"1700006700","value":45.94376018339059}"#
    );
    assert_eq!(
        body(Kind::Columns, 0),
        r#"{"timestamps":[1700006640,1700006700,1700006760],"values":[45.37011218422991,45.66035600986573,46.71265596458237]}"#
    );
    assert_eq!(
        body(Kind::Ndjson, 7),
        concat!(
            r#"{"timestamp":"1700007900","value":48.70127101644878}"#,
            "\n",
            r#"{"timestamp":"1700007960","value":45.645276093455216}"#,
            "\n",
            r#"{"timestamp":"1700008020","value":47.43828904431949}"#,
            "\n",
        )
    );
    assert_eq!(
        body(Kind::Update, 7),
        r#"{"timestamp":"1700007900","value":48.70127101644878}"#
    );
}

#[test]
fn threads_share_a_workload() {
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&build(&spec(&[(Op::Predict, 1)])));
}

proptest! {
    /// Whatever the mix of updates and streams: the points of a series come in strictly rising
    /// time, after the training.
    #[test]
    fn updates_of_a_series_never_come_late(
        update in 0_u32..4,
        ndjson in 0_u32..4,
        predict in 0_u32..3,
        series in 1_u32..5,
        batch in 1_u32..5,
    ) {
        prop_assume!(update + ndjson > 0);
        let mixed = WorkloadSpec {
            series,
            batch,
            ..spec(&[(Op::Update, update), (Op::Predict, predict), (Op::Ndjson, ndjson)])
        };
        let workload = build(&mixed);
        let mut last = BTreeMap::new();
        for index in 0..120 {
            let request = workload.request(index);
            if request.op == Op::Predict {
                continue;
            }
            let (path, points) = parts(&request);
            let last = last.entry(path).or_insert(1_700_006_400 + 7 * 60);
            for point in points {
                prop_assert!(timestamp(&point) > *last);
                *last = timestamp(&point);
            }
        }
    }

    #[test]
    fn series_are_asked_in_turn(series in 1_u32..9, distinct in 1_u32..20, seed: u64) {
        let turns = WorkloadSpec { series, distinct, ..spec(&[(Op::Predict, 1)]) };
        let base = "http://h".parse().unwrap();
        let workload = Workload::build(&turns, &base, "id", seed).unwrap();
        for index in 0..40 {
            let wanted = format!("/predict/bench_id_{}", index % u64::from(series));
            prop_assert_eq!(parts(&workload.request(index)).0, wanted);
        }
    }

    #[test]
    fn requests_are_a_function_of_seed_and_number(seed: u64, index in 0_u64..10_000) {
        let all = spec(&[
            (Op::Fit, 1), (Op::Predict, 3), (Op::Columns, 1), (Op::Ndjson, 1), (Op::Update, 2),
        ]);
        let base = "http://h".parse().unwrap();
        let of = |seed| Workload::build(&all, &base, "id", seed).unwrap().request(index);
        prop_assert_eq!(of(seed), of(seed));
        prop_assert_ne!(of(seed).bytes, of(seed ^ 1).bytes);
    }
}
