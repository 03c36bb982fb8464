//! Any body of a predict, scored by a model of every kind.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::run("predict", data));
