//! Any body of a fit, through all that the service does with it.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::run("fit", data));
