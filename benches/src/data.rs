//! Seeded histories, points and model records: the same in every run.

use detectors::{Fitted, Params, Series};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use service::store::training::TrainingPoints;
use service::store::{Indexed, Metadata, Put, VersionRecord};

/// Start of every history, Unix seconds.
pub const START: i64 = 1_700_000_000;
const STEP_S: i64 = 60;

/// Points of the history that single fits send: as many as the contract's example.
pub const SHORT: usize = 6;

/// A generator for `seed`.
#[must_use]
pub fn generator(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// A history of `n` points: one a minute, about normal around 20 with deviation 2, three decimals.
#[must_use]
pub fn history(n: usize, seed: u64) -> TrainingPoints {
    let mut random = generator(seed);
    let mut normal = || (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0;
    let values = (0..n)
        .map(|_| ((20.0 + 2.0 * normal()) * 1e3).round() / 1e3)
        .collect();
    let timestamps = (0..n).map(|i| START + STEP_S * i as i64).collect();
    TrainingPoints { timestamps, values }
}

/// Step of [`seasonal_history`]: 8,640 of them are a month.
pub const SEASONAL_STEP_S: i64 = 300;

/// A history of `n` points from `from` on: one every five minutes, a day and a week about 20 with
/// heights 10 and 4, and noise of deviation 2; three decimals.
#[must_use]
pub fn seasonal_history(from: i64, n: usize, seed: u64) -> TrainingPoints {
    let noise = history(n, seed).values;
    let timestamps: Vec<i64> = (0..n as i64).map(|i| from + SEASONAL_STEP_S * i).collect();
    let wave = |time: i64, period: i64| {
        let share = (time % period) as f64 / period as f64;
        (share * std::f64::consts::TAU).sin()
    };
    let value = |(&time, noise): (&i64, f64)| {
        let season = 10.0 * wave(time, 86_400) + 4.0 * wave(time, 604_800);
        ((noise + season) * 1e3).round() / 1e3
    };
    let values = timestamps.iter().zip(noise).map(value).collect();
    TrainingPoints { timestamps, values }
}

/// Parameters by a short name: that of a model, `gaussian_sigma` or `gaussian_t`.
///
/// # Panics
/// On any other name.
#[must_use]
pub fn params(name: &str) -> Params {
    let (model, sigma) = match name {
        "gaussian_sigma" => ("gaussian", Some(3.0)),
        "gaussian_t" => ("gaussian", None),
        model if detectors::MODELS.contains(&model) => (model, None),
        _ => panic!("no parameters are called {name}"),
    };
    Params {
        model: Some(model.to_owned()),
        sigma,
        ..Params::default()
    }
}

/// A model fitted to `points`.
///
/// # Panics
/// When it cannot be.
#[must_use]
pub fn fit(params: &Params, points: &TrainingPoints) -> Fitted {
    let series =
        Series::new(&points.timestamps, &points.values).expect("the history is increasing");
    params
        .check()
        .expect("the parameters hold")
        .fit(&series)
        .expect("the history varies")
}

/// The name of series number `index`: 14 bytes, as short ids are.
#[must_use]
pub fn series_id(index: usize) -> String {
    format!("series-{index:07}")
}

/// A version of series number `index` as the server stores it.
#[must_use]
pub fn put(index: usize) -> Put {
    let points = history(SHORT, index as u64);
    let record = VersionRecord {
        fitted_at_ms: START * 1_000,
        points_used: SHORT as u64,
        trained_from: START,
        trained_to: START + STEP_S * (SHORT as i64 - 1),
        model: fit(&Params::default(), &points).encode(),
        training: Some(points.seal()),
        metadata: Metadata::default(),
    };
    Put {
        series: series_id(index).into(),
        record: record.seal(),
        training: None,
        request: None,
        alias: None,
        life: None,
        index: Indexed::default(),
    }
}

/// The numbers below `n` in random order.
#[must_use]
pub fn shuffled(n: usize, seed: u64) -> Vec<usize> {
    use rand::seq::SliceRandom;
    let mut order: Vec<usize> = (0..n).collect();
    order.shuffle(&mut generator(seed));
    order
}
