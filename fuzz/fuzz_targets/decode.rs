//! Any bytes, and any payload under a right checksum: decoding does not panic, and whatever it gives
//! obeys the laws at any time and value.
#![no_main]

#[path = "../../detectors/tests/common/hostile.rs"]
mod hostile;
#[path = "../../detectors/tests/common/input.rs"]
mod input;
#[path = "../../detectors/tests/common/laws.rs"]
mod laws;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|hostile: hostile::Hostile| {
    if let Err(broken) = hostile.check() {
        panic!("{broken}");
    }
});
