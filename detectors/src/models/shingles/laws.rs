//! What every model of this folder promises, and the series it is tried on.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::windows::{CAP, Windows};
use super::{Novelty, ShingleError};

/// A window length that every model takes.
pub(super) const M: usize = 32;
/// Points of a season of the test series.
pub(super) const SEASON: usize = 25;

/// Uniform numbers in `[-1, 1)`: splitmix64.
pub(super) fn noise(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut x = state;
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^= x >> 31;
        (x >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }
}

/// A sine with noise, standard deviation about 1.
pub(super) fn sine(n: usize, seed: u64) -> Vec<f64> {
    let mut noise = noise(seed);
    (0..n)
        .map(|i| {
            let phase = std::f64::consts::TAU * (i as f64 + 0.3 * noise()) / SEASON as f64;
            1.35 * libm::sin(phase) + 0.2 * noise()
        })
        .collect()
}

/// Beats: a sharp peak with a dip and a slow wave behind it, slightly uneven in time and height.
pub(super) fn beats(n: usize, seed: u64) -> Vec<f64> {
    let mut noise = noise(seed);
    let mut series = Vec::with_capacity(n + SEASON);
    while series.len() < n {
        let height = 4.0 + 0.3 * noise();
        let jitter = 0.3 * noise();
        for i in 0..SEASON {
            let bell = |center: f64, width: f64| {
                let x = (i as f64 - center - jitter) / width;
                libm::exp(-0.5 * x * x)
            };
            let value = height * bell(6.0, 0.9) - 1.2 * bell(8.5, 0.8) + bell(15.0, 2.2);
            series.push(value - 0.5 + 0.05 * noise());
        }
    }
    series.truncate(n);
    series
}

/// Series that leave little to learn from.
pub(super) fn degenerate() -> Vec<Vec<f64>> {
    let mut noise = noise(3);
    let mut rounded: Vec<f64> = (0..600).map(|_| (noise() * 2.0).round()).collect();
    rounded[300..].fill(0.0);
    let mut spike = vec![0.0; 500];
    spike[250] = 1e300;
    let mut tiny = vec![0.5; 300];
    tiny[100] = 0.5_f64.next_up();
    vec![
        vec![],
        vec![0.0; 10],
        vec![0.0; M + 2],
        (0..M + 2).map(|i| i as f64).collect(),
        vec![1.0; 2_000],
        vec![f64::MAX; 400],
        (0..800).map(|i| f64::from(i % 2 == 0)).collect(),
        (0..800).map(|i| f64::from(i % 400 == 0)).collect(),
        (0..800).map(|i| (i % SEASON) as f64 / 10.0).collect(),
        (0..800).map(|i| if i < 400 { -1.0 } else { 1.0 }).collect(),
        (0..900).map(|i| i as f64).collect(),
        (0..900)
            .map(|i| if i % 2 == 0 { 1e300 } else { -1e300 })
            .collect(),
        (0..900).map(|i| 1e-300 * (i % 7) as f64).collect(),
        rounded,
        spike,
        tiny,
        sine(3 * M, 1),
    ]
}

/// Windows that nobody expects.
pub(super) fn odd_windows(m: usize) -> Vec<Vec<f64>> {
    let mut windows = vec![
        vec![0.0; m],
        vec![1e300; m],
        vec![-1e300; m],
        vec![f64::MAX; m],
        vec![f64::from_bits(1); m],
        (0..m)
            .map(|i| if i % 2 == 0 { f64::MAX } else { f64::MIN })
            .collect(),
        (0..m).map(|i| i as f64 * 1e18).collect(),
    ];
    for value in [1e300, -1e300, 1e9, f64::MIN_POSITIVE] {
        let mut window = sine(m, 5);
        window[m - 1] = value;
        windows.push(window);
    }
    windows
}

type Fit<T> = fn(&Windows<'_>) -> Result<T, ShingleError>;

pub(super) fn fitted<T>(fit: Fit<T>, series: &[f64], m: usize) -> Result<T, ShingleError> {
    fit(&Windows::new(series, m, CAP)?)
}

/// Finite and not negative for any finite window, and the same bits after writing and reading.
pub(super) fn holds_for_any_window<T>(model: &T, m: usize, windows: &[Vec<f64>])
where
    T: Novelty + Serialize + DeserializeOwned,
{
    let bytes = postcard::to_allocvec(model).unwrap();
    let read: T = postcard::from_bytes(&bytes).unwrap();
    for window in windows {
        assert_eq!(window.len(), m);
        let novelty = model.novelty(window);
        assert!(novelty.is_finite() && novelty >= 0.0, "{novelty}");
        assert_eq!(novelty.to_bits(), read.novelty(window).to_bits());
        let expected = model.expected(&window[..m - 1]);
        assert!(expected.is_none_or(f64::is_finite), "{expected:?}");
        assert_eq!(
            expected.map(f64::to_bits),
            read.expected(&window[..m - 1]).map(f64::to_bits)
        );
    }
}

/// Same data, same bytes; nothing panics; what is fitted passes its own check.
pub(super) fn fits_or_refuses<T>(fit: Fit<T>, check: fn(&T, usize) -> bool)
where
    T: Novelty + Serialize + DeserializeOwned,
{
    let mut fits = 0;
    for (i, series) in degenerate().iter().enumerate() {
        let model = fitted(fit, series, M);
        let again = fitted(fit, series, M);
        match (model, again) {
            (Ok(model), Ok(again)) => {
                fits += 1;
                assert!(check(&model, M), "series {i}");
                assert!(!check(&model, M + 1), "series {i}");
                let bytes = postcard::to_allocvec(&model).unwrap();
                assert_eq!(bytes, postcard::to_allocvec(&again).unwrap());
                // What is written is in memory too, and memory is not many times of it.
                let memory = size_of::<T>() + model.heap_bytes();
                assert!(bytes.len() <= memory && memory <= 16 * bytes.len() + 4_096);
                holds_for_any_window(&model, M, &odd_windows(M));
            }
            (a, b) => assert_eq!(a.err(), b.err(), "series {i}"),
        }
    }
    assert!(
        fits >= 4,
        "only {fits} of the degenerate series were fitted"
    );
    let too_few = fitted(fit, &[], M).err();
    assert_eq!(
        too_few,
        Some(ShingleError::TooFewWindows { needed: 1, got: 0 })
    );
}

/// Bytes with single bytes changed either do not decode, or do not pass, or score.
pub(super) fn survives_forged_bytes<T>(fit: Fit<T>, check: fn(&T, usize) -> bool)
where
    T: Novelty + Serialize + DeserializeOwned,
{
    let model = fitted(fit, &sine(400, 1), M).unwrap();
    let bytes = postcard::to_allocvec(&model).unwrap();
    let step = (bytes.len() / 300).max(1);
    let places = (0..bytes.len().min(40)).chain((40..bytes.len()).step_by(step));
    let windows = odd_windows(M);
    let (mut refused, mut passed) = (0, 0);
    for place in places {
        for change in [0x01, 0x80, 0xFF] {
            let mut forged = bytes.clone();
            forged[place] ^= change;
            match postcard::from_bytes::<T>(&forged) {
                Ok(read) if check(&read, M) => {
                    passed += 1;
                    holds_for_any_window(&read, M, &windows[..4]);
                }
                _ => refused += 1,
            }
        }
    }
    assert!(refused > 0, "nothing was refused");
    assert!(passed > 0, "nothing passed");
}

/// A value out of place stands out from 99 % of the windows that follow the training series, and
/// nothing stands out where nothing was planted.
pub(super) fn finds_what_was_planted<T: Novelty>(
    fit: Fit<T>,
    series: fn(usize, u64) -> Vec<f64>,
    planted: f64,
) {
    let whole = series(6_000, 11);
    let (past, future) = whole.split_at(4_000);
    let model = fitted(fit, past, M).unwrap();
    let mut normal: Vec<f64> = future
        .windows(M)
        .step_by(3)
        .map(|w| model.novelty(w))
        .collect();
    normal.sort_by(f64::total_cmp);
    let limit = normal[normal.len() * 99 / 100];

    let mut changed = future.to_vec();
    changed[1_000] = planted;
    let after = model.novelty(&changed[1_000 + 1 - M..=1_000]);
    assert!(after > limit, "{after} is not above {limit}");

    // The same place without the change, and windows that look like the training ones.
    let before = model.novelty(&future[1_000 + 1 - M..=1_000]);
    assert!(before <= limit, "{before} is above {limit}");
    let seen: Vec<f64> = past
        .windows(M)
        .step_by(7)
        .map(|w| model.novelty(w))
        .collect();
    let outside = seen.iter().filter(|&&novelty| novelty > limit).count();
    assert!(outside * 20 < seen.len(), "{outside} of {}", seen.len());
}

/// A value far outside of everything seen is stranger than one at the edge.
pub(super) fn grows_beyond_the_range<T: Novelty>(fit: Fit<T>) {
    let past = sine(3_000, 2);
    let model = fitted(fit, &past, M).unwrap();
    let largest = past.iter().copied().fold(f64::MIN, f64::max);
    let mut window = past[past.len() - M..].to_vec();
    let mut last = -1.0;
    for times in [1.0, 2.0, 10.0, 1e3, 1e6, 1e12] {
        window[M - 1] = times * largest;
        let novelty = model.novelty(&window);
        assert!(novelty > last, "{times} times the largest: {novelty}");
        last = novelty;
    }
}

/// The laws as tests of one model; `$planted` is the value that has to be found in each `$series`.
macro_rules! laws {
    ($model:ty, $planted:expr, [$($series:ident),+]) => {
        #[test]
        fn degenerate_series_are_fitted_or_refused() {
            crate::models::shingles::laws::fits_or_refuses::<$model>(<$model>::fit, <$model>::check);
        }

        #[test]
        fn forged_bytes_do_no_harm() {
            crate::models::shingles::laws::survives_forged_bytes::<$model>(
                <$model>::fit,
                <$model>::check,
            );
        }

        #[test]
        fn a_planted_anomaly_stands_out() {
            use crate::models::shingles::laws;
            $(laws::finds_what_was_planted::<$model>(<$model>::fit, laws::$series, $planted);)+
        }

        proptest::proptest! {
            #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]
            #[test]
            fn any_finite_window_has_a_finite_novelty(
                mantissas in proptest::collection::vec(-1.0_f64..1.0, 24),
                exponents in proptest::collection::vec(-300_i32..=300, 24),
            ) {
                use crate::models::shingles::laws;
                static MODEL: std::sync::LazyLock<$model> = std::sync::LazyLock::new(|| {
                    laws::fitted(<$model>::fit, &laws::sine(800, 1), 24).unwrap()
                });
                let window: Vec<f64> = mantissas
                    .iter()
                    .zip(&exponents)
                    .map(|(mantissa, &exponent)| mantissa * libm::pow(10.0, f64::from(exponent)))
                    .collect();
                laws::holds_for_any_window(&*MODEL, 24, &[window]);
            }
        }
    };
}
pub(super) use laws;
