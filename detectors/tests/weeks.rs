//! A week beside a day: told where there is one, and not where days differ by chance.

use detectors::{Params, Series};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
const WEEK: i64 = 7 * DAY;
/// A Monday, 00:00 UTC.
const START: i64 = 1_700_438_400;

/// Periods that `auto` tells of hours with a daily wave, a level for each day, and noise.
fn periods(weeks: i64, rng: &mut ChaCha8Rng, level: impl Fn(i64, f64) -> f64) -> Vec<i64> {
    let levels: Vec<f64> = (0..7 * weeks)
        .map(|day| level(day, rng.random::<f64>() - 0.5))
        .collect();
    let times: Vec<i64> = (0..weeks * WEEK / HOUR).map(|i| START + HOUR * i).collect();
    let values: Vec<f64> = times
        .iter()
        .map(|time| {
            let hour = ((time - START) / HOUR % 24) as f64;
            let day = ((time - START) / DAY) as usize;
            (hour - 12.0).abs() + levels[day] + 2.0 * (rng.random::<f64>() - 0.5)
        })
        .collect();
    let params = Params::default().check().unwrap();
    let model = params.fit(&Series::new(&times, &values).unwrap()).unwrap();
    model.summary().periods
}

#[test]
fn two_unusual_days_in_seven_are_a_week() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let unusual = |day: i64, _: f64| {
        if day % 7 == 2 || day % 7 == 3 {
            3.0
        } else {
            0.0
        }
    };
    for weeks in [3, 4, 6] {
        for _ in 0..10 {
            assert_eq!(
                periods(weeks, &mut rng, unusual),
                [DAY, WEEK],
                "{weeks} weeks"
            );
        }
    }
}

#[test]
fn days_that_differ_by_chance_are_none() {
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    for spread in [0.0, 3.0] {
        let told = (0..100)
            .filter(|i| {
                let weeks = 3 + i % 4;
                periods(weeks, &mut rng, |_, random| spread * random).contains(&WEEK)
            })
            .count();
        assert!(told <= 5, "{told} of 100 with a spread of {spread}");
    }
}
