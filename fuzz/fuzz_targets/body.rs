//! Any bytes as the body of each request, and as a query or a name.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::run("body", data));
