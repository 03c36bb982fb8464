//! Any parameters, any history, any point: no panic, and every model obeys the laws.
#![no_main]

#[path = "../../detectors/tests/common/case.rs"]
mod case;
#[path = "../../detectors/tests/common/input.rs"]
mod input;
#[path = "../../detectors/tests/common/laws.rs"]
mod laws;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|case: case::Case| {
    if let Err(broken) = case.check() {
        panic!("{broken}");
    }
});
