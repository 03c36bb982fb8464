//! The fuzz targets of `fuzz/` in a short form for any compiler: the same cases from seeded bytes.

#[path = "common/case.rs"]
mod case;
#[path = "common/hostile.rs"]
mod hostile;
#[path = "common/input.rs"]
mod input;
#[path = "common/laws.rs"]
mod laws;

use arbitrary::{Arbitrary, Unstructured};
use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};

use case::Case;
use hostile::Hostile;

/// Feeds cases of `length` bytes; returns how many of them had a model to check.
fn feed<T: for<'a> Arbitrary<'a> + std::fmt::Debug>(
    cases: u64,
    length: usize,
    check: impl Fn(&T) -> Result<bool, String>,
) -> u64 {
    let mut models = 0;
    for seed in 0..cases {
        let mut bytes = vec![0; length];
        StdRng::seed_from_u64(seed).fill_bytes(&mut bytes);
        let case = T::arbitrary(&mut Unstructured::new(&bytes)).expect("any bytes are a case");
        match check(&case) {
            Ok(checked) => models += u64::from(checked),
            Err(broken) => panic!("seed {seed}: {broken}\n{case:?}"),
        }
    }
    models
}

#[test]
fn any_fit_obeys_the_laws() {
    let cases = 3_000;
    let models = feed(cases, 1_024, Case::check);
    assert!(models > cases / 3, "{models} models");
}

#[test]
fn whatever_is_decoded_obeys_the_laws() {
    let cases = 20_000;
    let models = feed(cases, 256, Hostile::check);
    assert!(models > cases / 20, "{models} models");
}
