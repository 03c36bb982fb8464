//! Series without a season, and inputs at the edge.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rstest::rstest;

use super::example_tests::normal;
use super::{CELLS_MAX, detect};

const TRIES: u64 = 1_000;

#[derive(Debug, Clone, Copy)]
enum Noise {
    White,
    /// Student's t with 3 degrees of freedom.
    HeavyTailed,
    /// Autoregressive of order 1; 1 is a random walk.
    Red(f64),
    /// A few jumps to other levels.
    Levels,
    /// Nearly always zero.
    Intermittent,
    /// Not a null at all: a season of 12 steps that explains four fifths of the variance.
    Season,
}

fn series(noise: Noise, n: usize, seed: u64) -> Vec<f64> {
    let random = &mut StdRng::seed_from_u64(seed);
    let mut state = 0.0;
    (0..n)
        .map(|t| match noise {
            Noise::White => normal(random),
            Noise::HeavyTailed => {
                let z = normal(random);
                let squares: f64 = (0..3).map(|_| normal(random)).map(|x| x * x).sum();
                z / (squares / 3.0).sqrt()
            }
            Noise::Red(phi) => {
                state = phi * state + normal(random);
                state
            }
            Noise::Levels => {
                if random.random::<f64>() < 3.0 / n as f64 {
                    state = 5.0 * normal(random);
                }
                state + normal(random)
            }
            Noise::Intermittent => {
                let event = random.random::<f64>() < 0.03;
                f64::from(u8::from(event)) * (1.0 + 5.0 * random.random::<f64>())
            }
            Noise::Season => {
                let angle = std::f64::consts::TAU * t as f64 / 12.0;
                8.0_f64.sqrt() * libm::sin(angle) + normal(random)
            }
        })
        .collect()
}

/// From 50 to 10,000 points, more short than long ones.
fn length(attempt: u64) -> usize {
    let share = attempt as f64 / (TRIES - 1) as f64;
    (50.0 * libm::pow(200.0, share * share)) as usize
}

/// In how many of 1,000 series of mixed lengths a season is found.
fn found(noise: Noise) -> u64 {
    let timestamps: Vec<i64> = (0..10_000).map(|i| 1_700_000_000 + 60 * i).collect();
    (0..TRIES)
        .filter(|&attempt| {
            let values = series(noise, length(attempt), attempt);
            !detect(&timestamps[..values.len()], &values, 1).is_empty()
        })
        .count() as u64
}

#[rstest]
#[case::white(Noise::White)]
#[case::heavy_tailed(Noise::HeavyTailed)]
#[case::ar_half(Noise::Red(0.5))]
#[case::ar_slow(Noise::Red(0.8))]
#[case::ar_slower(Noise::Red(0.95))]
#[case::random_walk(Noise::Red(1.0))]
#[case::levels(Noise::Levels)]
#[case::intermittent(Noise::Intermittent)]
fn noise_has_no_season(#[case] noise: Noise) {
    let found = found(noise);
    assert!(found <= TRIES / 20, "{found} of {TRIES}");
}

/// The same check on what has one.
#[test]
fn a_season_is_no_noise() {
    let found = found(Noise::Season);
    assert!(found >= TRIES * 9 / 10, "{found} of {TRIES}");
}

#[rstest]
#[case::constant(|_| 5.0)]
#[case::rounding(|t| 5.0 + f64::from(u8::from(t % 7 == 0)) * 1e-15)]
#[case::trend(|t| 0.25 * t as f64)]
#[case::odd_trend(|t| 1e9 + 0.1 * t as f64)]
#[case::one_step(|t| f64::from(u8::from(t > 700)))]
#[case::one_spike(|t| f64::from(u8::from(t == 700)))]
#[case::two_spikes(|t| f64::from(u8::from(t == 700 || t == 900)))]
#[case::parabola(|t| (t as f64 - 800.0) * (t as f64 - 800.0))]
fn plain_shapes_have_no_season(#[case] value: fn(u32) -> f64) {
    let timestamps: Vec<i64> = (0..2_000).map(|t| 60 * t).collect();
    let values: Vec<f64> = (0..2_000).map(value).collect();
    assert_eq!(detect(&timestamps, &values, 1), []);
}

/// One step in noise, small or large.
#[rstest]
fn a_level_shift_is_no_season(#[values(1.0, 3.0, 10.0, 100.0)] height: f64) {
    let timestamps: Vec<i64> = (0..3_000).map(|t| 60 * t).collect();
    let random = &mut StdRng::seed_from_u64(9);
    let values: Vec<f64> = (0..3_000)
        .map(|t| normal(random) + height * f64::from(u8::from(t > 1_100)))
        .collect();
    assert_eq!(detect(&timestamps, &values, 1), []);
}

#[test]
fn few_points_have_no_season() {
    for n in 0..24 {
        let timestamps: Vec<i64> = (0..n).collect();
        let values: Vec<f64> = (0..n).map(|t| (t % 4) as f64).collect();
        assert_eq!(detect(&timestamps, &values, 1), [], "{n}");
    }
}

/// Neither the range of the timestamps nor their spacing sets the memory or brings a panic.
#[test]
fn any_timestamps_will_do() {
    let random = &mut StdRng::seed_from_u64(4);
    let n = 3_000_i64;
    let columns: [Vec<i64>; 7] = [
        vec![0, i64::MAX],
        (0..n).chain([i64::MAX]).collect(),
        std::iter::once(0).chain(i64::MAX - n..=i64::MAX).collect(),
        (0..62).map(|i| 1 << i).collect(),
        (0..n).map(|i| i * (i64::MAX / n)).collect(),
        (0..n).map(|i| (i / 10) * 1_000_000_007 + i % 10).collect(),
        (0..n).map(|i| i * i * i).collect(),
    ];
    for timestamps in &columns {
        for scale in [1.0, f64::MAX, f64::from_bits(1)] {
            let values: Vec<f64> = timestamps
                .iter()
                .map(|_| scale * (2.0 * random.random::<f64>() - 1.0))
                .collect();
            for ticks_per_second in [1, 1_000_000_000, i64::MAX, 0] {
                for period in detect(timestamps, &values, ticks_per_second) {
                    assert!(period.ticks > 0 && (0.0..=1.0).contains(&period.strength));
                }
            }
        }
    }
    let both_ends: Vec<f64> = (0..n)
        .map(|i| if i % 3 == 0 { f64::MAX } else { -f64::MAX })
        .collect();
    let timestamps: Vec<i64> = (0..n).collect();
    assert_eq!(detect(&timestamps, &both_ends, 1)[0].ticks, 3);
}

#[test]
fn grids_are_bounded() {
    for (timestamps, least) in [
        (vec![0, 1, 2, i64::MAX], 2),
        ((0..200_000).collect::<Vec<i64>>(), CELLS_MAX / 2),
    ] {
        let values: Vec<f64> = timestamps.iter().map(|&t| (t % 5) as f64).collect();
        let grid = super::grid::Grid::new(&timestamps, &values, CELLS_MAX).unwrap();
        assert!((least..=CELLS_MAX).contains(&grid.len()), "{}", grid.len());
    }
}
