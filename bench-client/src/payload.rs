//! Request bodies as a pure function of (seed, series, i).
//!
//! Every random value of body *i* comes from its own ChaCha8 stream (D. J. Bernstein, "ChaCha,
//! a variant of Salsa20", 2008), whose 256-bit key is, in little-endian order,
//! `seed: u64 ‖ series tag: 8 ASCII bytes ‖ i: u64 ‖ series: u64`, with nonce and counter 0; the
//! number of a series is 0 in the bodies of this module, whose tags tell their series apart. So a
//! body depends neither on how many were drawn before it nor on the order of sending, and
//! another program can recompute it. A 64-bit word x (the lower 32-bit output word first)
//! becomes u = ⌊x / 2¹¹⌋ · 2⁻⁵³ in [0, 1), and uniform(a, b) = a + (b − a)·u. The mapping is
//! written out here because distributions of `rand` may change between its releases, and a seed
//! printed in an old report has to keep its meaning.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde::{Deserialize, Serialize};

/// Indices of warm-up bodies start here, so that they never equal a measured one.
pub const WARM_UP_OFFSET: u64 = 100_000;

/// The body of `POST /fit/{series_id}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FitBody {
    /// Unix seconds, strictly increasing.
    pub timestamps: Vec<i64>,
    /// One value a timestamp.
    pub values: Vec<f64>,
}

/// The body of `POST /predict/{series_id}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PredictBody {
    /// Unix seconds as a string of digits, as the contract has it.
    pub timestamp: String,
    /// The value to judge.
    pub value: f64,
}

/// Training body `i` of the fit phase: six points a second apart from 1700000000 + 10·i, around
/// 10 + (i mod 5), uniform within ±0.8.
#[must_use]
pub fn fit(seed: u64, i: u64) -> FitBody {
    let start = 1_700_000_000 + 10 * i as i64;
    let base = 10.0 + (i % 5) as f64;
    let mut draw = Draw::new(seed, *b"fit\0\0\0\0\0", i);
    let mut values: Vec<f64> = (0..6).map(|_| base + draw.uniform(-0.8, 0.8)).collect();
    separate_if_all_equal(&mut values);
    FitBody {
        timestamps: (start..start + 6).collect(),
        values,
    }
}

/// Measured body `i` of the predict phase: a value between 8.5 and 13, so that some of them are
/// anomalies for [`predict_training`].
#[must_use]
pub fn predict(seed: u64, i: u64) -> PredictBody {
    let mut draw = Draw::new(seed, *b"predict\0", i);
    PredictBody {
        timestamp: (1_705_001_000 + i).to_string(),
        value: 10.0 + draw.uniform(-1.5, 3.0),
    }
}

/// Warm-up body `i` of the predict phase; its value is always 10.
#[must_use]
pub fn predict_warm_up(i: u64) -> PredictBody {
    PredictBody {
        timestamp: (1_705_009_000 + i).to_string(),
        value: 10.0,
    }
}

/// The training data of the one series that the predict phase asks about.
#[must_use]
pub fn predict_training() -> FitBody {
    let values = vec![10.0, 10.2, 10.1, 9.9, 10.3, 10.15, 9.95, 10.25];
    FitBody {
        timestamps: (1_705_000_000..).take(values.len()).collect(),
        values,
    }
}

/// The contract refuses constant training data, which six draws could give at the precision of
/// six decimals that the notebook looks at.
fn separate_if_all_equal(values: &mut [f64]) {
    let micros = |value: &f64| (value * 1e6).round() as i64;
    let all_equal = values
        .windows(2)
        .all(|pair| micros(&pair[0]) == micros(&pair[1]));
    if let (true, Some(last)) = (all_equal, values.last_mut()) {
        *last += 0.001;
    }
}

/// The stream of random values that belongs to one body.
pub(crate) struct Draw(ChaCha8Rng);

impl Draw {
    pub(crate) fn new(seed: u64, series_tag: [u8; 8], i: u64) -> Self {
        Self::of_series(seed, series_tag, 0, i)
    }

    pub(crate) fn of_series(seed: u64, series_tag: [u8; 8], series: u64, i: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&series_tag);
        key[16..24].copy_from_slice(&i.to_le_bytes());
        key[24..].copy_from_slice(&series.to_le_bytes());
        Self(ChaCha8Rng::from_seed(key))
    }

    pub(crate) fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Uniform in [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 * (-53_f64).exp2()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(body: &impl Serialize) -> String {
        serde_json::to_string(body).unwrap()
    }

    /// Computed by an independent implementation of the module's description. A change here
    /// changes what every seed in every saved report means.
    #[test]
    fn same_seed_gives_the_same_bytes_for_ever() {
        assert_eq!(
            json(&fit(42, 0)),
            r#"{"timestamps":[1700000000,1700000001,1700000002,1700000003,1700000004,1700000005],"values":[9.98875403523683,9.770075097952002,9.252095253646631,9.397502227426509,10.618905094600251,9.421291115445165]}"#
        );
        assert_eq!(
            json(&fit(42, 100_003)),
            r#"{"timestamps":[1701000030,1701000031,1701000032,1701000033,1701000034,1701000035],"values":[12.419524323556118,12.907196684768829,13.516928190428562,13.496509276811096,12.815733020135072,12.430127424677963]}"#
        );
        assert_eq!(
            json(&predict(7, 99)),
            r#"{"timestamp":"1705001099","value":11.139028971061059}"#
        );
    }

    #[test]
    fn seed_series_and_index_each_matter() {
        assert_ne!(fit(1, 0).values, fit(2, 0).values);
        assert_ne!(fit(1, 0).values, fit(1, 5).values, "same base, other draw");
        let from_fit = fit(1, 0).values[0] - 10.0;
        let from_predict = predict(1, 0).value - 10.0;
        let unit = |x: f64, low: f64, high: f64| (x - low) / (high - low);
        assert_ne!(unit(from_fit, -0.8, 0.8), unit(from_predict, -1.5, 3.0));
    }

    #[test]
    fn fit_bodies_have_the_notebooks_shape() {
        for i in (0..200).chain(WARM_UP_OFFSET..WARM_UP_OFFSET + 5) {
            let body = fit(9, i);
            let start = 1_700_000_000 + 10 * i as i64;
            assert_eq!(body.timestamps, (start..start + 6).collect::<Vec<_>>());
            let base = 10.0 + (i % 5) as f64;
            assert_eq!(body.values.len(), 6);
            assert!(
                body.values.iter().all(|v| (v - base).abs() <= 0.8),
                "{body:?}"
            );
        }
    }

    #[test]
    fn predict_bodies_have_the_notebooks_shape() {
        let bodies: Vec<_> = (0..2_000).map(|i| predict(3, i)).collect();
        assert_eq!(bodies[17].timestamp, "1705001017");
        assert!(bodies.iter().all(|b| (8.5..13.0).contains(&b.value)));
        let mean = bodies.iter().map(|b| b.value).sum::<f64>() / 2_000.0;
        // Standard error 4.5/√12/√2000 = 0.029; the seed is fixed, so this never flickers.
        assert!((mean - 10.75).abs() < 0.15, "{mean}");
        assert_eq!(
            json(&predict_warm_up(4)),
            r#"{"timestamp":"1705009004","value":10.0}"#
        );
    }

    #[test]
    fn predict_training_is_the_notebooks() {
        assert_eq!(
            json(&predict_training()),
            concat!(
                r#"{"timestamps":[1705000000,1705000001,1705000002,1705000003,1705000004,"#,
                r#"1705000005,1705000006,1705000007],"#,
                r#""values":[10.0,10.2,10.1,9.9,10.3,10.15,9.95,10.25]}"#
            )
        );
    }

    #[test]
    fn equal_at_six_decimals_moves_the_last_value_only() {
        let mut equal = [10.000_000_1, 10.0, 9.999_999_9];
        separate_if_all_equal(&mut equal);
        assert_eq!(equal, [10.000_000_1, 10.0, 9.999_999_9 + 0.001]);
        let mut distinct = [10.0, 10.000_001];
        separate_if_all_equal(&mut distinct);
        assert_eq!(distinct, [10.0, 10.000_001]);
        separate_if_all_equal(&mut []);
    }
}
