//! False alarms on normal data against the alarm rate asked for.
//!
//! Each fit's false-alarm rate is the normal probability outside its band, known exactly; only the
//! average over fits is simulated, with a seed. Factors observed / asked are asserted.

use detectors::{Direction, Params, Series};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rstest::rstest;

/// Standard normal numbers, by Box and Muller.
fn normal_sample(rng: &mut StdRng, n: usize) -> Vec<f64> {
    let pair = |rng: &mut StdRng| {
        let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
        let (sine, cosine) = (std::f64::consts::TAU * rng.random::<f64>()).sin_cos();
        [radius * sine, radius * cosine]
    };
    let mut sample: Vec<f64> = (0..n.div_ceil(2)).flat_map(|_| pair(rng)).collect();
    sample.truncate(n);
    sample
}

fn normal_above(z: f64) -> f64 {
    0.5 * libm::erfc(z * std::f64::consts::FRAC_1_SQRT_2)
}

/// Mean false-alarm rate over fits to normal samples of `n` points, over the rate asked for.
fn observed_over_asked(model: &str, n: usize, alarm_rate: f64, direction: Direction) -> f64 {
    let params = Params {
        model: Some(model.to_owned()),
        alarm_rate: Some(alarm_rate),
        direction: Some(direction),
        ..Params::default()
    };
    let params = params.check().unwrap();
    let timestamps: Vec<i64> = (0..n as i64).collect();
    let mut rng = StdRng::seed_from_u64(20_261_122);
    let fits = (400_000 / n).clamp(600, 20_000);
    let total: f64 = (0..fits)
        .map(|_| {
            let values = normal_sample(&mut rng, n);
            let series = Series::new(&timestamps, &values).unwrap();
            let band = params.fit(&series).unwrap().interval(0);
            normal_above(band.upper) + normal_above(-band.lower)
        })
        .sum();
    total / fits as f64 / alarm_rate
}

#[rstest]
fn gaussian_alarms_as_often_as_asked(
    #[values(3, 6, 10, 30, 100)] n: usize,
    #[values(Direction::Both, Direction::Above)] direction: Direction,
) {
    for (alarm_rate, allowed) in [(0.05, 0.05), (0.01, 0.10), (0.001, 0.25)] {
        let factor = observed_over_asked("gaussian", n, alarm_rate, direction);
        assert!(
            (factor - 1.0).abs() < allowed,
            "n {n}, rate {alarm_rate}: {factor}"
        );
    }
}

/// Below 64 points by Student's t; from there on by ranks and Pareto tails, which are cautious on
/// normal data beyond the ranks (see `stats/pareto.rs`).
#[rstest]
#[case(10, [(0.9, 1.1), (0.8, 1.2), (0.6, 1.4)])]
#[case(30, [(0.9, 1.1), (0.85, 1.15), (0.75, 1.25)])]
#[case(100, [(0.9, 1.2), (0.7, 1.2), (0.25, 1.2)])]
#[case(1000, [(0.9, 1.15), (0.7, 1.15), (0.35, 1.15)])]
fn robust_alarms_as_often_as_asked(#[case] n: usize, #[case] allowed: [(f64, f64); 3]) {
    for (alarm_rate, (least, most)) in [0.05, 0.01, 0.001].into_iter().zip(allowed) {
        for direction in [Direction::Both, Direction::Above] {
            let factor = observed_over_asked("robust", n, alarm_rate, direction);
            assert!(
                (least..=most).contains(&factor),
                "n {n}, rate {alarm_rate}: {factor}"
            );
        }
    }
}

#[test]
fn robust_on_very_few_points_stays_within_a_factor_of_two() {
    for n in 3..10 {
        for alarm_rate in [0.05, 0.01, 0.001] {
            let factor = observed_over_asked("robust", n, alarm_rate, Direction::Both);
            assert!(factor < 2.1, "n {n}, rate {alarm_rate}: {factor}");
        }
    }
}

#[test]
fn a_known_scale_would_alarm_too_often() {
    // The control: three sigmas of six points, which `gaussian` with sigma takes at its word, alarm
    // over ten times as often as the normal tail beyond three says.
    let params = Params {
        model: Some("gaussian".to_owned()),
        sigma: Some(3.0),
        ..Params::default()
    };
    let params = params.check().unwrap();
    let mut rng = StdRng::seed_from_u64(1);
    let total: f64 = (0..2_000)
        .map(|_| {
            let values = normal_sample(&mut rng, 6);
            let series = Series::new(&[0, 1, 2, 3, 4, 5], &values).unwrap();
            let band = params.fit(&series).unwrap().interval(0);
            normal_above(band.upper) + normal_above(-band.lower)
        })
        .sum();
    assert!(
        total / 2_000.0 > 10.0 * 2.0 * normal_above(3.0),
        "{}",
        total / 2_000.0
    );
}
