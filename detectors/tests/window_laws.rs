//! Laws of the models that judge windows. Apart from `laws.rs`, because a fit costs a hundred times
//! as much.

use detectors::{Fitted, MODELS, Params, Series};
use proptest::collection::vec;
use proptest::num::f64::{ANY, NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
use proptest::prelude::*;

#[path = "common/laws.rs"]
mod laws;

use laws::{check_bytes, check_columns, check_scores};

const POINTS: usize = 320;

/// A wave with noise, as it is, with ties, or with what has no place in a series.
fn values() -> impl Strategy<Value = Vec<f64>> {
    let finite = POSITIVE | NEGATIVE | NORMAL | SUBNORMAL | ZERO;
    prop_oneof![
        4 => (vec(-1.0..1.0_f64, POINTS), 6..60_usize).prop_map(|(noise, period)| {
            let wave = |i: usize| 5.0 * ((i % period) as f64 / period as f64 - 0.5).abs();
            noise.iter().enumerate().map(|(i, noise)| wave(i) + noise).collect()
        }),
        1 => vec((-2..3_i8).prop_map(f64::from), POINTS),
        1 => vec(prop_oneof![19 => Just(0.0), 1 => Just(7.0)], POINTS),
        1 => vec(finite, POINTS),
    ]
}

fn params() -> impl Strategy<Value = Params> {
    let rate = prop_oneof![
        Just(None),
        Just(Some(1e-300)),
        (1e-4..0.5_f64).prop_map(Some)
    ];
    (prop::sample::select(&MODELS[6..]), rate).prop_map(|(model, alarm_rate)| Params {
        model: Some(model.to_owned()),
        alarm_rate,
        ..Params::default()
    })
}

fn fit(params: &Params, values: &[f64]) -> Option<Fitted> {
    let times: Vec<i64> = (0..values.len() as i64).map(|i| 60 * i).collect();
    let series = Series::new(&times, values).unwrap();
    params.check().unwrap().fit(&series).ok()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rule_columns_and_bytes(params in params(), values in values(), points in vec(ANY, 1..6)) {
        let Some(model) = fit(&params, &values) else { return Ok(()) };
        prop_assert!(model.is_windowed());
        let next = 60 * POINTS as i64;
        prop_assert_eq!(check_scores(&model, next, &points), Ok(()));
        let times: Vec<i64> = (0..points.len() as i64).map(|i| next + 60 * i).collect();
        prop_assert_eq!(check_columns(&model, &times, &points), Ok(()));
        prop_assert_eq!(check_bytes(&model, &[next], &points[..1]), Ok(()));
        prop_assert_eq!(model.encode(), fit(&params, &values).unwrap().encode());
    }

    #[test]
    fn a_change_of_unit_changes_nothing(params in params(), values in vec(-9.0..9.0_f64, POINTS),
                                        exponent in -8..8_i32, point in -30.0..30.0_f64) {
        // A power of two changes no digit, so that choices and neighbours stay the same.
        let factor = 2.0_f64.powi(exponent);
        let changed: Vec<f64> = values.iter().map(|value| factor * value).collect();
        let (Some(model), Some(other)) = (fit(&params, &values), fit(&params, &changed)) else {
            return Ok(());
        };
        let next = 60 * POINTS as i64;
        let (before, after) = (model.score(next, point), other.score(next, factor * point));
        let (ln_before, ln_after) = (before.p_value.ln(), after.p_value.ln());
        prop_assert!((ln_before - ln_after).abs() <= 1e-6 * (1.0 + ln_before.abs()), "{before:?} {after:?}");
    }
}

/// Most of these fits do not fail: the laws above are about something.
#[test]
fn every_window_model_fits_a_wave() {
    let values: Vec<f64> = (0..POINTS)
        .map(|i| f64::from(i as u32 % 24) + f64::from(i as u32 * 7_919 % 101) / 50.0)
        .collect();
    for model in &MODELS[6..] {
        let params = Params {
            model: Some((*model).to_owned()),
            ..Params::default()
        };
        assert!(fit(&params, &values).is_some(), "{model}");
    }
}
