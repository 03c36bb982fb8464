//! Series with known seasons, in the shapes and with the faults that real ones have.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rstest::rstest;

use super::{Period, detect};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
const WEEK: i64 = 7 * DAY;
const SEEDS: std::ops::Range<u64> = 0..3;

pub(super) fn normal(random: &mut StdRng) -> f64 {
    let radius = (-2.0 * libm::log(1.0 - random.random::<f64>())).sqrt();
    radius * libm::cos(std::f64::consts::TAU * random.random::<f64>())
}

/// The season as a function of the phase in `[0, 1)`.
type Shape = fn(f64) -> f64;

fn sine(phase: f64) -> f64 {
    libm::sin(std::f64::consts::TAU * phase)
}

/// A job that runs five minutes a day.
fn cron(phase: f64) -> f64 {
    f64::from(phase < 1.0 / 288.0)
}

fn square(phase: f64) -> f64 {
    f64::from(phase < 0.4)
}

fn saw(phase: f64) -> f64 {
    phase
}

/// The working days of a week.
fn working_days(phase: f64) -> f64 {
    f64::from(phase < 5.0 / 7.0)
}

/// Nine to five on working days.
fn business_hours(phase: f64) -> f64 {
    let hour = (phase * 168.0) % 24.0;
    f64::from(phase < 5.0 / 7.0 && (9.0..17.0).contains(&hour))
}

/// A day that is lower and flatter at weekends.
fn day_and_week(phase: f64) -> f64 {
    let day = sine((7.0 * phase) % 1.0);
    if phase < 5.0 / 7.0 {
        day + 0.7
    } else {
        0.5 * day
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// Noise with that share of the standard deviation of the season.
    Noise(f64),
    /// A fifth of the points is missing, and a tenth of the range or three days at once.
    Gaps,
    /// Every timestamp is off by up to 0.4 steps.
    Jitter,
    /// Steps from 0.1 times the mean without limit.
    Irregular,
    Outliers,
    LevelShift,
    Trend,
    /// From the middle on the season comes an hour earlier.
    ClockChange,
    /// Of autocorrelation 0.9.
    RedNoise,
}

/// A series of `cycles` periods of `steps` steps of `step` seconds.
fn series(
    shape: Shape,
    steps: f64,
    step: i64,
    cycles: f64,
    fault: Fault,
    seed: u64,
) -> (Vec<i64>, Vec<f64>) {
    let random = &mut StdRng::seed_from_u64(seed);
    let n = (cycles * steps) as usize;
    let at = |t: f64| shape((t / steps).rem_euclid(1.0));
    let mean = (0..n).map(|i| at(i as f64)).sum::<f64>() / n as f64;
    let variance = (0..n)
        .map(|i| (at(i as f64) - mean) * (at(i as f64) - mean))
        .sum::<f64>()
        / n as f64;
    let noise = match fault {
        Fault::None => 0.0,
        Fault::Noise(noise) => noise,
        _ => 0.3,
    };
    let outage = n / 2..n / 2 + (n / 10).min((3 * DAY / step) as usize);
    let (mut timestamps, mut values) = (Vec::new(), Vec::new());
    let (mut red, mut clock) = (0.0, 0.0);
    for i in 0..n {
        let t = match fault {
            Fault::Jitter => (i as f64 + 0.8 * (random.random::<f64>() - 0.5)).max(0.0),
            Fault::Irregular => {
                clock += 0.1 - 0.9 * libm::log(1.0 - random.random::<f64>());
                clock
            }
            _ => i as f64,
        };
        let is_late = i > n / 2;
        let local = match fault {
            Fault::ClockChange if is_late => t + HOUR as f64 / step as f64,
            _ => t,
        };
        let white = normal(random);
        red = 0.9 * red + white;
        let mut value = (at(local) - mean) / variance.sqrt();
        value += match fault {
            Fault::RedNoise => 0.2 * red,
            _ => noise * white,
        };
        let dice = random.random::<f64>();
        match fault {
            Fault::Gaps if dice < 0.2 || outage.contains(&i) => continue,
            Fault::Outliers if dice < 0.01 => value += 30.0 * normal(random),
            Fault::LevelShift if is_late => value += 5.0,
            Fault::Trend => value += 10.0 * i as f64 / n as f64,
            _ => {}
        }
        timestamps.push(1_700_000_000 + (t * step as f64) as i64);
        values.push(100.0 + 7.0 * value);
    }
    (timestamps, values)
}

fn ticks(periods: &[Period]) -> Vec<i64> {
    periods.iter().map(|period| period.ticks).collect()
}

/// Shape, steps a period, seconds a step, periods, what is there to find.
#[rstest]
#[case::hourly_day(sine, 24.0, HOUR, 30.0, &[DAY])]
#[case::hourly_square_day(square, 24.0, HOUR, 14.0, &[DAY])]
#[case::hourly_ramp_a_day(saw, 24.0, HOUR, 30.0, &[DAY])]
#[case::hourly_week(working_days, 168.0, HOUR, 8.0, &[WEEK])]
#[case::hourly_day_and_week(day_and_week, 168.0, HOUR, 8.0, &[DAY, WEEK])]
#[case::hourly_business(business_hours, 168.0, HOUR, 8.0, &[DAY, WEEK])]
#[case::five_minutes_day(sine, 288.0, 300, 14.0, &[DAY])]
#[case::five_minutes_square_day(square, 288.0, 300, 14.0, &[DAY])]
#[case::five_minutes_business(business_hours, 2_016.0, 300, 4.0, &[DAY, WEEK])]
#[case::ten_minutes_week(working_days, 1_008.0, 600, 8.0, &[WEEK])]
#[case::ten_minutes_sine_week(sine, 1_008.0, 600, 6.0, &[WEEK])]
#[case::ten_minutes_day_and_week(day_and_week, 1_008.0, 600, 8.0, &[DAY, WEEK])]
fn finds_the_seasons(
    #[case] shape: Shape,
    #[case] steps: f64,
    #[case] step: i64,
    #[case] cycles: f64,
    #[case] expected: &[i64],
    #[values(
        Fault::None,
        Fault::Noise(0.5),
        Fault::Noise(1.0),
        Fault::Gaps,
        Fault::Jitter,
        Fault::Irregular,
        Fault::Outliers,
        Fault::LevelShift,
        Fault::Trend,
        Fault::ClockChange
    )]
    fault: Fault,
) {
    for seed in SEEDS {
        let (timestamps, values) = series(shape, steps, step, cycles, fault, seed);
        let found = detect(&timestamps, &values, 1);
        assert_eq!(ticks(&found), expected, "seed {seed}: {found:?}");
        assert!(
            found
                .iter()
                .all(|period| (0.1..=1.0).contains(&period.strength))
        );
    }
}

/// A spike of one step a day is all but absent from jittered points, and an hour's change of the
/// clocks splits it in two.
#[rstest]
fn finds_a_daily_job(
    #[values(
        Fault::None,
        Fault::Noise(0.5),
        Fault::Noise(1.0),
        Fault::Gaps,
        Fault::Outliers,
        Fault::LevelShift,
        Fault::Trend,
        Fault::ClockChange
    )]
    fault: Fault,
) {
    for seed in SEEDS {
        let (timestamps, values) = series(cron, 288.0, 300, 30.0, fault, seed);
        assert_eq!(
            ticks(&detect(&timestamps, &values, 1)),
            [DAY],
            "seed {seed}"
        );
    }
}

/// Periods that are no whole number of steps.
#[rstest]
#[case(sine, 23.7, 40.0)]
#[case(square, 37.4, 100.0)]
#[case(square, 100.3, 30.0)]
fn finds_a_period_between_steps(
    #[case] shape: Shape,
    #[case] steps: f64,
    #[case] cycles: f64,
    #[values(Fault::Noise(0.5), Fault::Noise(1.0), Fault::Gaps, Fault::Jitter)] fault: Fault,
) {
    for seed in SEEDS {
        let (timestamps, values) = series(shape, steps, 47, cycles, fault, seed);
        let found = detect(&timestamps, &values, 1);
        let [period] = found[..] else {
            panic!("seed {seed}: {found:?}");
        };
        let ratio = period.ticks as f64 / (47.0 * steps);
        assert!((ratio - 1.0).abs() < 0.25 / cycles, "seed {seed}: {ratio}");
    }
}

#[rstest]
#[case::week_of_days(sine, 7.0, DAY, 52.0, WEEK, Fault::Noise(1.0))]
#[case::week_of_days_for_a_quarter(sine, 7.0, DAY, 12.0, WEEK, Fault::Noise(0.5))]
#[case::four_days(sine, 288.0, 300, 4.0, DAY, Fault::Noise(1.0))]
#[case::three_days(square, 288.0, 300, 3.0, DAY, Fault::Noise(1.0))]
#[case::in_red_noise(square, 288.0, 300, 14.0, DAY, Fault::RedNoise)]
fn finds_one_season_in_few_points(
    #[case] shape: Shape,
    #[case] steps: f64,
    #[case] step: i64,
    #[case] cycles: f64,
    #[case] expected: i64,
    #[case] fault: Fault,
) {
    for seed in 1..4 {
        let (timestamps, values) = series(shape, steps, step, cycles, fault, seed);
        assert_eq!(
            ticks(&detect(&timestamps, &values, 1)),
            [expected],
            "seed {seed}"
        );
    }
}

/// Two weeks and a half are enough for a clear week; two are not, however clear it is.
#[test]
fn a_season_must_come_round_more_than_twice() {
    let of = |cycles: f64| series(day_and_week, 168.0, HOUR, cycles, Fault::Noise(0.1), 1);
    let (timestamps, values) = of(2.5);
    assert_eq!(ticks(&detect(&timestamps, &values, 1)), [DAY, WEEK]);
    let (timestamps, values) = of(2.0);
    assert_eq!(ticks(&detect(&timestamps, &values, 1)), [DAY]);
    let (timestamps, values) = series(sine, 24.0, HOUR, 2.0, Fault::None, 1);
    assert_eq!(detect(&timestamps, &values, 1), []);
}

/// The whole is searched in wide cells, the last 32,768 points in narrow ones.
#[test]
fn long_series_have_short_and_long_seasons() {
    let random = &mut StdRng::seed_from_u64(5);
    let n = 120_000;
    let timestamps: Vec<i64> = (0..n).map(|i| 60 * i).collect();
    let values: Vec<f64> = timestamps
        .iter()
        .map(|&t| {
            let hour = f64::from(u8::from(t % HOUR < 300));
            let week = working_days((t % WEEK) as f64 / WEEK as f64);
            2.0 * hour + week + 0.5 * normal(random)
        })
        .collect();
    assert_eq!(ticks(&detect(&timestamps, &values, 1)), [HOUR, WEEK]);
}

#[test]
fn ticks_need_not_be_seconds() {
    let (timestamps, values) = series(sine, 24.0, HOUR, 30.0, Fault::Noise(0.5), 1);
    let milliseconds: Vec<i64> = timestamps.iter().map(|t| 1_000 * t).collect();
    assert_eq!(ticks(&detect(&milliseconds, &values, 1_000)), [1_000 * DAY]);
}

#[test]
fn strength_is_the_share_of_the_season() {
    for (noise, expected) in [(0.0, 1.0), (0.5, 0.8), (1.0, 0.5)] {
        let (timestamps, values) = series(sine, 24.0, HOUR, 100.0, Fault::Noise(noise), 3);
        let strength = detect(&timestamps, &values, 1)[0].strength;
        assert!((strength - expected).abs() < 0.05, "{noise}: {strength}");
    }
}

#[test]
fn scale_and_offset_change_nothing() {
    let (timestamps, values) = series(day_and_week, 168.0, HOUR, 6.0, Fault::Noise(0.5), 2);
    let expected = ticks(&detect(&timestamps, &values, 1));
    assert_eq!(expected, [DAY, WEEK]);
    for scale in [-1.0, 1e-200, 1e300] {
        let scaled: Vec<f64> = values.iter().map(|value| value * scale).collect();
        assert_eq!(ticks(&detect(&timestamps, &scaled, 1)), expected, "{scale}");
    }
}
