//! Laws of the online state: what it says of a point depends on the points before it and on nothing
//! else, and its bytes are all there is of it.

use detectors::envelope;
use detectors::online::{Observed, Online};
use detectors::{Params, Seasons, Series, Status};
use proptest::collection::vec;
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::common::check_rule;

fn start(params: &Params) -> Online {
    Online::new(&params.check().unwrap(), 0)
}

/// A rhythm of 20 steps, noise, and now and then something else.
fn values(n: usize) -> impl Strategy<Value = Vec<f64>> {
    let shock = prop_oneof![30 => Just(0.0), 1 => -80.0..80.0_f64];
    let noise = vec((-1.0..1.0_f64, shock), n);
    (noise, 0.0..20.0_f64).prop_map(|(noise, height)| {
        let value = |(i, (noise, shock)): (usize, &(f64, f64))| {
            let rhythm = if i % 20 < 7 { height } else { 0.0 };
            rhythm + noise + shock
        };
        noise.iter().enumerate().map(value).collect()
    })
}

/// Finite values of every size, and time steps of every length.
fn hard_points() -> impl Strategy<Value = Vec<(i64, f64)>> {
    let value = prop_oneof![
        4 => -10.0..10.0_f64,
        2 => prop::num::f64::NORMAL,
        1 => Just(0.0),
        1 => Just(f64::MAX),
        1 => Just(-f64::MAX),
        1 => Just(f64::from_bits(1)),
        1 => Just(f64::NAN),
    ];
    let step = prop_oneof![8 => 1..1_000_i64, 1 => -5..1_i64, 1 => 0..1_i64 << 40];
    vec((step, value), 150..400)
}

fn observe_all(online: &mut Online, values: &[f64], from: usize) -> Vec<Observed> {
    let points = values.iter().enumerate();
    points
        .map(|(i, value)| online.observe(60 * (from + i) as i64, *value))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_one_rule_holds_for_any_point(points in hard_points(), rate in 1e-6..0.5_f64) {
        let params = Params { alarm_rate: Some(rate), ..Params::default() };
        let mut online = start(&params);
        let mut time = 0_i64;
        for (step, value) in points {
            time = time.saturating_add(step).max(0);
            let observed = online.observe(time, value);
            if let Err(broken) = check_rule(value, rate, &observed.score) {
                prop_assert!(false, "{broken}");
            }
        }
        let bytes = online.encode();
        prop_assert_eq!(Online::decode(&bytes).unwrap().encode(), bytes);
    }

    /// Honesty: what comes later changes no score that was given, whatever it is.
    #[test]
    fn the_future_changes_no_past_score(mut values in values(600), other in -1e6..1e6_f64) {
        let whole = observe_all(&mut start(&Params::default()), &values, 0);
        values[400..].fill(other);
        let changed = observe_all(&mut start(&Params::default()), &values, 0);
        prop_assert_eq!(&whole[..400], &changed[..400]);
    }

    /// Written and read between any two points, in any pieces: same scores, same bytes.
    #[test]
    fn a_state_goes_on_as_if_it_had_never_been_written(values in values(500), cut in 1..120_usize) {
        let mut unbroken = start(&Params::default());
        let expected = observe_all(&mut unbroken, &values, 0);
        let mut broken = start(&Params::default());
        let mut observed = Vec::new();
        for (piece, chunk) in values.chunks(cut).enumerate() {
            broken = Online::decode(&broken.encode()).unwrap();
            observed.extend(observe_all(&mut broken, chunk, piece * cut));
        }
        prop_assert_eq!(observed, expected);
        prop_assert_eq!(broken.encode(), unbroken.encode());
    }

    /// Columns of the frozen model are what updates would have said; the model itself never changes.
    #[test]
    fn a_frozen_state_judges_as_the_state_would(values in values(500)) {
        let mut online = start(&Params::default());
        observe_all(&mut online, &values[..300], 0);
        let frozen = online.freeze();
        let before = frozen.encode();
        let times: Vec<i64> = (300..500).map(|i| 60 * i).collect();
        let mut judged = Vec::new();
        frozen.score_columns(&times, &values[300..], |score| judged.push(score));
        let single = frozen.score(times[0], values[300]);
        let observed = observe_all(&mut online, &values[300..], 300);
        let scores: Vec<_> = observed.iter().map(|one| one.score).collect();
        prop_assert_eq!(single, scores[0]);
        prop_assert_eq!(judged, scores);
        prop_assert_eq!(frozen.encode(), before);
    }

    /// Another unit of the values, exactly: the same verdicts and probabilities.
    #[test]
    fn a_power_of_two_as_unit_changes_nothing(values in values(400), power in -40..40_i32) {
        let factor = libm::ldexp(1.0, power);
        let scaled: Vec<f64> = values.iter().map(|value| factor * value).collect();
        let plain = observe_all(&mut start(&Params::default()), &values, 0);
        let other = observe_all(&mut start(&Params::default()), &scaled, 0);
        for (a, b) in plain.iter().zip(&other) {
            prop_assert_eq!((a.score.p_value, a.alert), (b.score.p_value, b.alert));
            prop_assert_eq!(factor * a.score.expected, b.score.expected);
        }
    }

    /// A shift by whole weeks is no shift.
    #[test]
    fn whole_weeks_later_everything_is_the_same(values in values(400), weeks in 1..500_i64) {
        let plain = observe_all(&mut start(&Params::default()), &values, 0);
        let mut later = start(&Params::default());
        for (i, (value, expected)) in values.iter().zip(&plain).enumerate() {
            let observed = later.observe(604_800 * weeks + 60 * i as i64, *value);
            prop_assert_eq!(&observed, expected);
        }
    }
}

/// The control of the law of the future: a comparison that could not tell would pass it too.
#[test]
fn the_past_changes_scores_to_come() {
    let mut values: Vec<f64> = (0..600).map(|i| f64::from(i * 7_919 % 101)).collect();
    let plain = observe_all(&mut start(&Params::default()), &values, 0);
    values[399] += 30.0;
    let changed = observe_all(&mut start(&Params::default()), &values, 0);
    assert_eq!(plain[..399], changed[..399]);
    assert_ne!(plain[399], changed[399]);
    assert_ne!(plain[400..], changed[400..]);
}

#[test]
fn a_late_point_is_scored_and_not_learnt() {
    let mut online = start(&Params::default());
    let values: Vec<f64> = (0..300).map(|i| f64::from(i * 7_919 % 101)).collect();
    observe_all(&mut online, &values, 0);
    let before = online.encode();
    for time in [0, 60 * 299, 60 * 298 + 1] {
        let late = online.observe(time, 1e6);
        assert!(!late.learnt && !late.alert && late.score.anomaly);
    }
    assert!(!online.observe(60 * 300, f64::NAN).learnt);
    assert_eq!(online.encode(), before);
    assert_eq!(online.last_timestamp(), Some(60 * 299));
}

#[test]
fn warming_up_is_told_and_nothing_alarms() {
    let mut online = start(&Params::default());
    let mut first_judged = None;
    for i in 0..300_i64 {
        let value = if i % 50 == 49 { 1e9 } else { (i % 7) as f64 };
        let observed = online.observe(60 * i, value);
        let is_warm = observed.score.status == Status::Ok;
        assert!(is_warm || !observed.score.anomaly);
        if is_warm && first_judged.is_none() {
            first_judged = Some(i);
        }
    }
    assert_eq!(first_judged, Some(128));
}

#[test]
fn a_version_hands_on_what_it_was_asked_for_and_its_history() {
    let times: Vec<i64> = (0..2_000).map(|i| 3_600 * i).collect();
    let values: Vec<f64> = (0..2_000)
        .map(|i| f64::from(i * 7_919 % 101) / 50.0 + if i % 24 < 8 { 10.0 } else { 0.0 })
        .collect();
    let series = Series::new(&times, &values).unwrap();
    let params = Params {
        alarm_rate: Some(0.01),
        timezone: Some("Europe/Berlin".to_owned()),
        seasons: Some(Seasons::Periods(vec![86_400])),
        ..Params::default()
    };
    let version = params.check().unwrap().fit(&series).unwrap();
    let online = Online::resume(&version, &series);
    assert_eq!((online.alarm_rate(), online.learnt()), (0.01, 2_000));
    assert_eq!(online.periods(), [86_400, 604_800]);
    // The same as one that was told so and has seen the points itself.
    let fitted = Params {
        model: Some("tail_views".to_owned()),
        ..params
    };
    let fitted = fitted.check().unwrap().fit(&series).unwrap();
    let judged = fitted.score(3_600 * 2_000, 40.0);
    assert_eq!(online.freeze().score(3_600 * 2_000, 40.0), judged);
    assert!(judged.anomaly);
    // A frozen state goes on where it was, whatever history comes with it.
    let again = Online::resume(&online.freeze(), &Series::new(&[], &[]).unwrap());
    assert_eq!(again.encode(), online.encode());
}

#[test]
fn a_state_is_at_most_four_kibibytes_written() {
    let mut online = start(&Params::default());
    let empty = online.encode().len();
    observe_all(&mut online, &vec![1.0; 500], 0);
    assert_eq!(online.encode().len(), empty, "it does not grow");
    // The most there can be: a zone that changes twice a year, and a history of thirty years.
    let times: Vec<i64> = (0..1_100).map(|i| 864_000 * i).collect();
    let values: Vec<f64> = (0..1_100).map(|i| f64::from(i % 7)).collect();
    let series = Series::new(&times, &values).unwrap();
    let params = Params {
        model: Some("seasonal".to_owned()),
        timezone: Some("America/New_York".to_owned()),
        seasons: Some(Seasons::Periods(vec![6_048_000])),
        ..Params::default()
    };
    let version = params.check().unwrap().fit(&series).unwrap();
    let largest = Online::resume(&version, &series).encode().len();
    assert!(empty < largest && largest <= 4_096, "{largest}");
}

#[test]
fn damaged_states_are_refused() {
    let mut online = start(&Params::default());
    let values: Vec<f64> = (0..300).map(|i| f64::from(i % 13)).collect();
    observe_all(&mut online, &values, 0);
    let bytes = online.encode();
    for place in (0..bytes.len()).step_by(61) {
        let mut damaged = bytes.clone();
        damaged[place] ^= 1 << (place % 8);
        assert!(Online::decode(&damaged).is_err(), "byte {place}");
    }
    assert!(
        Online::decode(&online.freeze().encode()).is_err(),
        "a model"
    );
    assert!(Online::decode(&bytes[..bytes.len() - 1]).is_err());
}

/// Whatever is decoded obeys the laws, whichever number in it was changed.
#[test]
fn hostile_states_are_refused_or_obey_the_laws() {
    let mut online = start(&Params::default());
    let values: Vec<f64> = (0..400).map(|i| f64::from(i * 31 % 47)).collect();
    observe_all(&mut online, &values, 0);
    let bytes = online.encode();
    let magic: [u8; 4] = bytes[..4].try_into().unwrap();
    let sealed = envelope::open(magic, &bytes).unwrap();
    let numbers = [
        0.0,
        -1.0,
        1e15,
        1e300,
        -1e300,
        f64::MAX,
        f64::NAN,
        f64::INFINITY,
        5e-324,
    ];
    let patterns = numbers.map(f64::to_le_bytes).into_iter().chain([[0xFF; 8]]);
    let patterns: Vec<[u8; 8]> = patterns.collect();
    let mut accepted = 0;
    for at in 0..sealed.payload.len() - 8 {
        // Every place, each with some of the patterns.
        for pattern in patterns.iter().skip(at % 3).step_by(3) {
            let mut payload = sealed.payload.to_vec();
            payload[at..at + 8].copy_from_slice(pattern);
            let hostile = envelope::seal(magic, sealed.format, sealed.tag, &payload);
            let Ok(mut state) = Online::decode(&hostile) else {
                continue;
            };
            accepted += 1;
            let rate = state.alarm_rate();
            for (time, value) in [(i64::MAX - 1, 3.0), (i64::MAX, -1e308), (24_060, 7.0)] {
                let observed = state.observe(time, value);
                if let Err(broken) = check_rule(value, rate, &observed.score) {
                    panic!("byte {at}, {pattern:?}: {broken}");
                }
            }
            assert_eq!(
                Online::decode(&state.encode()).map(|s| s.encode()),
                Ok(state.encode())
            );
        }
    }
    assert!(accepted > 1_000, "{accepted}: too few to say anything");
}

/// A spread that grows without end makes every model alarm too often; the control takes alarms back.
#[test]
fn the_control_takes_back_alarms_of_a_drifting_series() {
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let mut online = start(&Params {
        alarm_rate: Some(0.01),
        ..Params::default()
    });
    let (mut alarms, mut without) = (0, 0);
    for i in 0..30_000_i64 {
        let factor = online.control().log_factor;
        // Twice as wide every 1,500 points.
        let spread = libm::exp2((i % 15_000) as f64 / 1_500.0);
        let noise: f64 = (0..4).map(|_| random.random_range(-1.0..1.0)).sum();
        let score = online.observe(60 * i, spread * noise).score;
        alarms += u32::from(score.anomaly);
        without += u32::from(score.p_value * libm::exp(-factor) < 0.01);
    }
    let control = online.control();
    assert_eq!(u64::from(alarms), control.alarms);
    assert!(control.log_factor > 0.0, "{control:?}");
    assert!(
        f64::from(alarms) < 0.8 * f64::from(without),
        "{alarms} with, {without} without"
    );
}
