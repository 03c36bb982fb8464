//! What holds for every series, the strangest included.

use proptest::collection::vec;
use proptest::num::f64::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
use proptest::prelude::*;

use super::{InTurn, Scores, Whole, Workers};
use crate::models::FitError;
use crate::params::{Params, Seasons, TimeUnit};
use crate::score::Score;
use crate::series::Series;

/// Every part on a thread of its own, so many at a time, the last ones first.
struct Threads(usize);

impl Workers for Threads {
    fn map<T: Send>(&self, parts: usize, work: impl Fn(usize) -> T + Sync + Send) -> Vec<T> {
        let mut results: Vec<Option<T>> = (0..parts).map(|_| None).collect();
        let work = &work;
        for slots in results.chunks_mut(self.0).enumerate().rev() {
            let (chunk, slots) = slots;
            std::thread::scope(|scope| {
                for (offset, slot) in slots.iter_mut().enumerate() {
                    scope.spawn(move || *slot = Some(work(chunk * self.0 + offset)));
                }
            });
        }
        results.into_iter().flatten().collect()
    }
}

fn noise(i: usize) -> f64 {
    // A fixed scramble of the index, uniform enough.
    let x = (i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((x ^ (x >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
}

/// A day of 96 points.
fn daily_wave(i: usize) -> f64 {
    ((i % 96) as f64 / 96.0 - 0.5).abs() * 10.0
}

/// The same with noise.
fn daily(n: usize) -> Vec<f64> {
    (0..n).map(|i| daily_wave(i) + noise(i)).collect()
}

fn times(n: usize) -> Vec<i64> {
    (0..n as i64).map(|i| 1_700_006_400 + 900 * i).collect()
}

fn detect(params: &Params, values: &[f64]) -> Scores {
    let times = times(values.len());
    let series = Series::new(&times, values).unwrap();
    Whole::new(params).unwrap().detect(&series).unwrap()
}

fn holds(value: f64, alarm_rate: f64, score: &Score) {
    let numbers = [
        score.anomaly_score,
        score.p_value,
        score.severity,
        score.expected,
        score.lower,
        score.upper,
    ];
    assert!(numbers.iter().all(|x| x.is_finite()), "{value}: {score:?}");
    let outside = value < score.lower || value > score.upper;
    assert_eq!(score.anomaly, outside, "{value}: {score:?}");
    assert_eq!(score.anomaly, score.p_value < alarm_rate, "{score:?}");
    assert_eq!(score.anomaly, score.anomaly_score > 1.0, "{score:?}");
    assert!(score.lower <= score.expected && score.expected <= score.upper);
}

#[test]
fn the_strangest_series_are_answered() {
    let mut spike = vec![0.0; 500];
    spike[250] = 1e300;
    let mut tiny = vec![0.5; 400];
    tiny[100] = 0.5_f64.next_up();
    let alternating = |high: f64| {
        (0..900)
            .map(|i| if i % 2 == 0 { high } else { -high })
            .collect()
    };
    let rounded = daily(1_500).iter().map(|value| value.round()).collect();
    let strange: [Vec<f64>; 14] = [
        vec![1.0, 2.0, 4.0],
        vec![7.0; 3],
        vec![f64::MAX; 300],
        vec![0.0, f64::MAX, f64::MIN],
        daily(63),
        daily(64),
        daily(191),
        daily(192),
        alternating(f64::MAX),
        alternating(f64::MIN_POSITIVE),
        (0..700).map(f64::from).collect(),
        rounded,
        spike,
        tiny,
    ];
    for (index, values) in strange.iter().enumerate() {
        for alarm_rate in [1e-300, 1e-3, 0.5] {
            let params = Params {
                alarm_rate: Some(alarm_rate),
                ..Params::default()
            };
            let scores = detect(&params, values);
            assert_eq!(scores.points.len(), values.len(), "{index}");
            for (value, score) in values.iter().zip(&scores.points) {
                holds(*value, alarm_rate, score);
            }
        }
    }
}

#[test]
fn too_short_is_an_error_and_short_a_warning() {
    let whole = Whole::new(&Params::default()).unwrap();
    for n in 0..3 {
        let (times, values) = (times(n), daily(n));
        let error = whole.detect(&Series::new(&times, &values).unwrap());
        assert_eq!(error, Err(FitError::TooFewPoints { needed: 3, got: n }));
    }
    let warnings = |n: usize| {
        let scores = detect(&Params::default(), &daily(n));
        let codes: Vec<&str> = scores.warnings.iter().map(|warning| warning.code).collect();
        (codes, scores.windows)
    };
    assert_eq!(warnings(63), (vec!["short_series"], vec![]));
    let both = vec!["short_series", "alarm_rate_beyond_data"];
    assert_eq!(warnings(191), (both, vec![]));
    assert_eq!(warnings(192), (vec!["alarm_rate_beyond_data"], vec![48]));
    assert_eq!(warnings(1_600), (vec![], vec![48, 96, 192, 384]));
    let constant = detect(&Params::default(), &[2.5; 400]);
    assert_eq!(constant.warnings[0].code, "values_constant");
    assert_eq!(constant.n_anomalies(), 0);
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let mut values = daily(3_000);
    values[1_700..1_750].reverse();
    let times = times(values.len());
    let series = Series::new(&times, &values).unwrap();
    let whole = Whole::new(&Params::default()).unwrap();
    let in_turn = whole.detect_with(&series, &InTurn).unwrap();
    for threads in [1, 2, 7] {
        let threaded = whole.detect_with(&series, &Threads(threads)).unwrap();
        assert_eq!(in_turn, threaded, "{threads}");
    }
}

#[test]
fn a_change_of_unit_changes_no_verdict() {
    let mut values = daily(2_000);
    values[900] += 7.0;
    values[1_300..1_330].fill(2.0);
    let before = detect(&Params::default(), &values);
    for (factor, offset) in [
        (4.0, 0.0),
        (-1.0, 0.0),
        (0.3, 1e3),
        (1e200, 0.0),
        (-1e-250, 0.0),
    ] {
        let changed: Vec<f64> = values.iter().map(|v| factor * v + offset).collect();
        let after = detect(&Params::default(), &changed);
        for (a, b) in before.points.iter().zip(&after.points) {
            let (a, b) = (a.anomaly_score, b.anomaly_score);
            assert!(
                (a - b).abs() <= 1e-5 * (1.0 + a),
                "{factor} {offset}: {a} {b}"
            );
        }
    }
}

#[test]
fn anomalies_of_each_kind_stand_out() {
    let n = 4_000;
    let mut spike = daily(n);
    spike[2_000] += 6.0;
    let mut flat = daily(n);
    flat[2_000..2_060].fill(2.5);
    let mut upside_down = daily(n);
    for value in &mut upside_down[1_920..2_016] {
        *value = 5.0 - *value;
    }
    let mut noisy = daily(n);
    for (i, value) in noisy[1_980..2_040].iter_mut().enumerate() {
        *value += 4.0 * noise(9_999 + i);
    }
    for (name, values) in [
        ("spike", spike),
        ("flat", flat),
        ("upside down", upside_down),
        ("noisy", noisy),
    ] {
        let scores = detect(&Params::default(), &values);
        let by_score = |a: &usize, b: &usize| {
            let score = |i: usize| scores.points[i].anomaly_score;
            score(*a).total_cmp(&score(*b))
        };
        let most = (0..n).max_by(by_score).unwrap();
        assert!((1_900..2_100).contains(&most), "{name}: {most}");
        assert!(scores.points[most].anomaly, "{name}");
    }
}

/// Alarms of series without an anomaly over those asked for.
fn ratio(rate: f64, n: usize, series: usize, value: impl Fn(usize, f64) -> f64) -> f64 {
    let mut alarms = 0;
    for seed in 0..series {
        let values: Vec<f64> = (0..n)
            .map(|i| value(i, noise(i + 100_003 * seed)))
            .collect();
        let scores = detect(&Params::default(), &values);
        alarms += scores
            .points
            .iter()
            .filter(|score| score.p_value < rate)
            .count();
    }
    alarms as f64 / (n * series) as f64 / rate
}

#[test]
fn on_normal_series_about_as_many_alarm_as_was_asked_for() {
    let day = |i: usize, noise: f64| daily_wave(i) + noise;
    // Neighbouring points alarm together, so that the last ratio is one of few events.
    for (rate, n, series) in [
        (1e-2, 80, 200),
        (1e-2, 150, 200),
        (1e-2, 400, 100),
        (1e-2, 8_000, 10),
        (1e-3, 8_000, 10),
    ] {
        for (name, ratio) in [
            ("noise", ratio(rate, n, series, |_, noise| noise)),
            ("day", ratio(rate, n, series, day)),
        ] {
            assert!(
                (0.1..=3.0).contains(&ratio),
                "{name}, {n} points, {rate}: {ratio}"
            );
        }
    }
}

#[test]
fn seasons_and_gaps_are_told() {
    let values = daily(2_000);
    assert_eq!(
        detect(&Params::default(), &values).periods,
        [86_400, 604_800]
    );
    let asked = Params {
        seasons: Some(Seasons::Periods(vec![7_200])),
        ..Params::default()
    };
    assert_eq!(detect(&asked, &values).periods, [7_200]);
    let none = Params {
        seasons: Some(Seasons::Periods(vec![])),
        ..Params::default()
    };
    assert_eq!(detect(&none, &values).periods, []);
    let milliseconds = Params {
        time_unit: Some(TimeUnit::Milliseconds),
        ..Params::default()
    };
    assert_eq!(detect(&milliseconds, &values).periods, []);
    let mut times = times(2_000);
    times[1_500..].iter_mut().for_each(|time| *time += 3_600);
    let series = Series::new(&times, &values).unwrap();
    let scores = Whole::new(&Params::default())
        .unwrap()
        .detect(&series)
        .unwrap();
    assert_eq!(scores.warnings[0].code, "gaps");
    let too_long = Params {
        seasons: Some(Seasons::Periods(vec![86_400 * 10])),
        ..Params::default()
    };
    let error = Whole::new(&too_long).unwrap().detect(&series);
    assert!(
        matches!(error, Err(FitError::PeriodTooLong { .. })),
        "{error:?}"
    );
}

/// Values of every kind, and as many steps between them.
fn any_series() -> impl Strategy<Value = (Vec<f64>, Vec<i64>)> {
    let finite = POSITIVE | NEGATIVE | NORMAL | SUBNORMAL | ZERO;
    let step = prop_oneof![8 => Just(900_i64), 1 => 1..100_000_i64];
    let values = prop_oneof![
        2 => vec(-1.0..1.0_f64, 3..600),
        1 => vec((-2..3_i8).prop_map(f64::from), 3..600),
        1 => vec(prop_oneof![19 => Just(0.0), 1 => Just(7.0)], 3..600),
        1 => vec(finite, 3..600),
    ];
    values.prop_flat_map(move |values| {
        let steps = vec(step.clone(), values.len());
        (Just(values), steps)
    })
}

fn any_params() -> impl Strategy<Value = Params> {
    let alarm_rate = prop_oneof![Just(1e-300), 1e-6..0.5_f64];
    let zone = prop_oneof![Just(None), Just(Some("America/New_York".to_owned()))];
    (alarm_rate, zone).prop_map(|(alarm_rate, timezone)| Params {
        alarm_rate: Some(alarm_rate),
        timezone,
        ..Params::default()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_rule_holds_for_any_series((values, steps) in any_series(), params in any_params(), threads in 1..5_usize) {
        let times: Vec<i64> = steps
            .iter()
            .scan(1_700_000_000, |time, step| {
                *time += step;
                Some(*time)
            })
            .collect();
        let series = Series::new(&times, &values).unwrap();
        let whole = Whole::new(&params).unwrap();
        let scores = whole.detect(&series).unwrap();
        prop_assert_eq!(scores.points.len(), values.len());
        for (value, score) in values.iter().zip(&scores.points) {
            holds(*value, scores.alarm_rate, score);
        }
        prop_assert_eq!(&scores, &whole.detect_with(&series, &Threads(threads)).unwrap());
    }

    #[test]
    fn a_power_of_two_changes_no_bit_of_a_p_value(values in vec(-9.0..9.0_f64, 64..500), exponent in -300..300_i32) {
        // It changes no digit, so that every distance and rank stays the same.
        let factor = 2.0_f64.powi(exponent);
        let changed: Vec<f64> = values.iter().map(|value| factor * value).collect();
        let p_values = |values: &[f64]| -> Vec<u64> {
            let scores = detect(&Params::default(), values);
            scores.points.iter().map(|score| score.p_value.to_bits()).collect()
        };
        prop_assert_eq!(p_values(&values), p_values(&changed));
    }
}
