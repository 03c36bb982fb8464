//! Laws that every model obeys, for any series and any point.

#[path = "common/laws.rs"]
mod common;
#[path = "laws/online.rs"]
mod online;

use common::{check_bytes, check_columns, check_rule, check_scores, with_hard_points};
use detectors::{
    Direction, Excluded, Fitted, MODELS, MinDeviation, Params, Score, Seasons, Series, Side,
};
use proptest::collection::vec;
use proptest::num::f64::{ANY, NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
use proptest::prelude::*;

fn finite() -> impl Strategy<Value = f64> {
    POSITIVE | NEGATIVE | NORMAL | SUBNORMAL | ZERO
}

/// Values of every sort that a series may hold: ordinary, tied, huge, tiny, one ulp apart, seasonal,
/// trending, intermittent.
fn values() -> impl Strategy<Value = Vec<f64>> {
    prop_oneof![
        4 => vec(-100.0..100.0_f64, 3..60),
        3 => vec(-100.0..100.0_f64, 64..200),
        2 => vec((-3..4_i8).prop_map(f64::from), 3..160),
        1 => vec(prop_oneof![Just(f64::MAX), Just(-f64::MAX), Just(1.7e308), Just(0.0)], 3..90),
        1 => vec(prop_oneof![Just(5e-324), Just(1e-320), Just(-5e-324), Just(0.0)], 3..90),
        1 => vec((0..4_u64).prop_map(|ulps| f64::from_bits(1e16_f64.to_bits() + ulps)), 3..300),
        2 => vec(finite(), 3..90),
        3 => shaped(),
    ]
}

/// A season, a trend, and noise that is often zero.
fn shaped() -> impl Strategy<Value = Vec<f64>> {
    let noise = vec(prop_oneof![Just(0.0), -1.0..1.0_f64], 24..240);
    (noise, 2..30_usize, -5.0..5.0_f64, -0.5..0.5_f64).prop_map(|(noise, period, height, slope)| {
        let value = |(i, noise): (usize, &f64)| {
            let season = if i % period < period / 2 { height } else { 0.0 };
            noise + season + slope * i as f64
        };
        noise.iter().enumerate().map(value).collect()
    })
}

fn params() -> impl Strategy<Value = Params> {
    let direction = prop_oneof![
        Just(None),
        Just(Some(Direction::Both)),
        Just(Some(Direction::Above)),
        Just(Some(Direction::Below))
    ];
    let rate = prop_oneof![
        Just(None),
        Just(Some(0.5)),
        Just(Some(1e-300)),
        (1e-6..0.5_f64).prop_map(Some),
        (0.4..300.0_f64).prop_map(|digits| Some(10.0_f64.powf(-digits))),
    ];
    let sigma = prop_oneof![
        Just(None),
        (0.01..8.0_f64).prop_map(Some),
        Just(Some(5e-324)),
        Just(Some(37.0)),
        Just(Some(1e300)),
    ];
    let least = prop_oneof![
        3 => Just(None),
        1 => (0.0..50.0_f64, 0.0..2.0_f64)
            .prop_map(|(abs, rel)| Some(MinDeviation { abs, rel })),
        1 => Just(Some(MinDeviation { abs: f64::MAX, rel: f64::MAX })),
    ];
    let seasons = prop_oneof![
        2 => Just(None),
        1 => Just(Some(Seasons::Periods(Vec::new()))),
        1 => (120..3_000_i64).prop_map(|period| Some(Seasons::Periods(vec![period]))),
    ];
    let zone = prop_oneof![3 => Just(None), 1 => Just(Some("America/New_York".to_owned()))];
    let model = prop::sample::select(&MODELS[..6]);
    (model, rate, sigma, direction, least, seasons, zone).prop_map(
        |(model, rate, sigma, direction, min_deviation, seasons, zone)| {
            let sigma = sigma.filter(|_| model == "gaussian");
            let has_season = ["auto", "seasonal", "holt_winters"].contains(&model);
            Params {
                model: Some(model.to_owned()),
                alarm_rate: rate.filter(|_| sigma.is_none()),
                sigma,
                direction,
                min_deviation,
                seasons: seasons.filter(|_| has_season),
                timezone: zone.filter(|_| has_season),
                ..Params::default()
            }
        },
    )
}

/// 2026-03-08T00:00:00Z, the day on which clocks in New York go forward.
const START: i64 = 1_772_928_000;

/// Minutes, but a step is left out now and then.
fn timestamps(n: usize) -> Vec<i64> {
    (0..n as i64).map(|i| START + 60 * (i + i / 37)).collect()
}

/// The model, or `None` where all values are equal or the history is too short for a season.
fn fit(params: &Params, values: &[f64]) -> Option<Fitted> {
    let timestamps = timestamps(values.len());
    let series = Series::new(&timestamps, values).unwrap();
    params.check().unwrap().fit(&series).ok()
}

/// Times in training, after it, in the next summer, before it, and the ends of time.
const TIMES: [i64; 8] = [
    START,
    START + 7_777,
    START + 7_801,
    START + 100_000,
    START + 31_536_000,
    0,
    i64::MAX,
    i64::MIN,
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn one_decision_rule(params in params(), values in values(), points in vec(ANY, 0..8)) {
        let Some(model) = fit(&params, &values) else { return Ok(()) };
        for time in TIMES {
            prop_assert_eq!(check_scores(&model, time, &points), Ok(()));
        }
    }

    #[test]
    fn columns_are_single_points(params in params(), values in values(), points in vec(ANY, 0..40)) {
        let Some(model) = fit(&params, &values) else { return Ok(()) };
        let points = with_hard_points(&model, START, &points);
        prop_assert_eq!(check_columns(&model, &timestamps(points.len()), &points), Ok(()));
    }

    #[test]
    fn bytes_round_trip(params in params(), values in values(), points in vec(ANY, 0..8)) {
        let Some(model) = fit(&params, &values) else { return Ok(()) };
        prop_assert_eq!(&model.encode(), &fit(&params, &values).unwrap().encode());
        prop_assert_eq!(check_bytes(&model, &TIMES, &points), Ok(()));
    }

    #[test]
    fn p_falls_with_the_deviation(params in params(), values in vec(-100.0..100.0_f64, 3..160),
                                  a in 0.0..1e4_f64, b in 0.0..1e4_f64,
                                  time in prop::sample::select(&TIMES[..])) {
        let Some(model) = fit(&params, &values) else { return Ok(()) };
        let center = model.interval(time).expected;
        let (near, far) = (a.min(b), a.max(b));
        for sign in [1.0, -1.0] {
            // On the side that does not alarm, p rises instead.
            let [near, far] = match (model.summary().direction, sign > 0.0) {
                (Direction::Both, _) | (Direction::Above, true) | (Direction::Below, false) => [near, far],
                (Direction::Above, false) | (Direction::Below, true) => [far, near],
            };
            let [near, far] = [near, far].map(|distance| model.score(time, center + sign * distance));
            prop_assert!(far.p_value <= near.p_value * (1.0 + 1e-11), "{near:?} {far:?}");
            prop_assert!(far.anomaly_score >= near.anomaly_score * (1.0 - 1e-11) - 1e-11);
        }
    }

    #[test]
    fn a_change_of_unit_changes_nothing(params in params(), values in vec(-100.0..100.0_f64, 3..160),
                                        exponent in -8..8_i32, point in -300.0..300.0_f64,
                                        time in prop::sample::select(&TIMES[..6])) {
        // A deviation given in the unit of the series changes with it.
        let params = Params { min_deviation: None, ..params };
        // A power of two changes no digit, so that ties stay ties and choices stay the same.
        let factor = 2.0_f64.powi(exponent);
        let changed: Vec<f64> = values.iter().map(|value| factor * value).collect();
        let (Some(model), Some(other)) = (fit(&params, &values), fit(&params, &changed)) else {
            return Ok(());
        };
        let (before, after) = (model.score(time, point), other.score(time, factor * point));
        let (ln_before, ln_after) = (before.p_value.ln(), after.p_value.ln());
        prop_assert!((ln_before - ln_after).abs() <= 1e-9 * (1.0 + ln_before.abs()), "{before:?} {after:?}");
    }

    #[test]
    fn a_shift_of_values_changes_little(params in params(), values in vec(-100.0..100.0_f64, 3..160),
                                        shift in -1e3..1e3_f64, point in -300.0..300.0_f64,
                                        time in prop::sample::select(&TIMES[..5])) {
        // A share of the expected value changes with it, and so may the choice of `auto`.
        prop_assume!(params.model.as_deref() != Some("auto"));
        let params = Params { min_deviation: None, seasons: Some(Seasons::Periods(Vec::new())), timezone: None, ..params };
        let params = if params.check().is_ok() { params } else { Params { seasons: None, ..params } };
        let changed: Vec<f64> = values.iter().map(|value| value + shift).collect();
        let (Some(model), Some(other)) = (fit(&params, &values), fit(&params, &changed)) else {
            return Ok(());
        };
        let spread = values.iter().fold(0.0_f64, |most, value| most.max((value - values[0]).abs()));
        prop_assume!(spread > 1.0);
        let (before, after) = (model.score(time, point), other.score(time, point + shift));
        let (ln_before, ln_after) = (before.p_value.ln(), after.p_value.ln());
        // Rounding of shifted values moves z by a part in 1e9 at most here, and ln p by z² of that;
        // the quantiles are kept in f32.
        prop_assert!((ln_before - ln_after).abs() <= 1e-4 * (1.0 + ln_before.abs()), "{before:?} {after:?}");
    }

    #[test]
    fn a_shift_of_whole_periods_changes_nothing(values in shaped(), turns in 1..2_000_i64, steps in 4..20_i64,
                                                point in -10.0..10.0_f64, ahead in 0..1_000_i64) {
        let period = 60 * steps;
        for model in ["seasonal", "holt_winters"] {
            let params = Params {
                model: Some(model.to_owned()),
                seasons: Some(Seasons::Periods(vec![period])),
                ..Params::default()
            };
            let times: Vec<i64> = (0..values.len() as i64).map(|i| 60 * i).collect();
            let later: Vec<i64> = times.iter().map(|time| time + turns * period).collect();
            let fit = |times: &[i64]| {
                let series = Series::new(times, &values).unwrap();
                params.check().unwrap().fit(&series).ok()
            };
            let (Some(model), Some(other)) = (fit(&times), fit(&later)) else { return Ok(()) };
            let at = times[times.len() - 1] + ahead;
            prop_assert_eq!(model.score(at, point), other.score(at + turns * period, point));
        }
    }

    #[test]
    fn what_is_left_out_does_not_matter(params in params(), values in vec(-100.0..100.0_f64, 90..160),
                                        from in 0..60_usize, length in 1..20_usize,
                                        outage in vec(ANY, 20)) {
        let times = timestamps(values.len());
        let exclude = vec![Excluded { from: times[from], to: times[from + length - 1] }];
        let params = Params { exclude, ..params };
        let finite = outage.iter().map(|value| if value.is_finite() { *value } else { 0.0 });
        let mut other = values.clone();
        for (slot, value) in other[from..from + length].iter_mut().zip(finite) {
            *slot = value;
        }
        let (Some(model), Some(other)) = (fit(&params, &values), fit(&params, &other)) else {
            return Ok(());
        };
        prop_assert_eq!(model.encode(), other.encode());
    }

    #[test]
    fn damaged_bytes_are_refused(params in params(), values in vec(-100.0..100.0_f64, 3..9)) {
        let Some(model) = fit(&params, &values) else { return Ok(()) };
        let bytes = model.encode();
        // All of them once in `golden.rs`; here a flip of one bit in every byte of many models.
        for index in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[index] ^= 1 << (index % 8);
            prop_assert!(Fitted::decode(&damaged).is_err());
            prop_assert!(Fitted::decode(&bytes[..index]).is_err());
        }
    }

    #[test]
    fn no_bytes_make_decode_panic(bytes in vec(any::<u8>(), 0..200)) {
        prop_assert!(Fitted::decode(&bytes).is_err());
    }
}

/// The negative control: the checker refuses scores of rules that are nearly right.
#[test]
fn the_checker_refuses_other_rules() {
    let params = Params {
        alarm_rate: Some(0.01),
        ..Params::default()
    };
    let model = fit(&params, &[10.0, 10.2, 10.1, 9.9, 10.3, 10.15]).unwrap();
    let upper = model.interval(0).upper;
    let (edge, beyond) = (model.score(0, upper), model.score(0, upper.next_up()));
    assert_eq!(check_rule(upper, 0.01, &edge), Ok(()));
    assert_eq!(check_rule(upper.next_up(), 0.01, &beyond), Ok(()));

    let refused = |value: f64, score: Score, law: &str| {
        let error = check_rule(value, 0.01, &score).unwrap_err();
        assert!(error.starts_with(law), "{error}");
    };
    // ≥ instead of >.
    refused(
        upper,
        Score {
            anomaly: true,
            ..edge
        },
        "anomaly ⇔ p_value",
    );
    // A tail probability that is not held to its side of the rate.
    refused(
        upper.next_up(),
        Score {
            p_value: 0.01,
            ..beyond
        },
        "anomaly ⇔ p_value",
    );
    refused(
        upper,
        Score {
            p_value: 0.01_f64.next_down(),
            ..edge
        },
        "anomaly ⇔ p_value",
    );
    refused(
        upper.next_up(),
        Score {
            anomaly_score: 1.0,
            ..beyond
        },
        "anomaly ⇔ anomaly_score",
    );
    // Bounds rounded for display.
    refused(
        upper.next_up(),
        Score {
            upper: upper.next_up(),
            ..beyond
        },
        "anomaly ⇔ outside",
    );
    // A logarithm of another base, a severity that is never zero, a number that is none.
    let far = model.score(0, 20.0);
    refused(
        20.0,
        Score {
            anomaly_score: far.anomaly_score * 1.01,
            ..far
        },
        "anomaly_score = ln p",
    );
    refused(
        upper,
        Score {
            severity: 1e-9,
            ..edge
        },
        "severity",
    );
    refused(
        20.0,
        Score {
            p_value: f64::NAN,
            ..far
        },
        "all numbers",
    );
    refused(
        20.0,
        Score {
            side: Side::Below,
            ..far
        },
        "side",
    );
}
