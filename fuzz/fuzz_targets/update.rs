//! Any query and lines of an update, learnt point by point.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::run("update", data));
