//! Any parameters, any history, any point.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::run("fit_score", data));
