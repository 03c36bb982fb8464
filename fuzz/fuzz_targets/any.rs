//! libFuzzer's side of every target: the environment says which one it is.
#![no_main]

use std::sync::LazyLock;

use fuzz_targets::Target;

static TARGET: LazyLock<&'static Target> = LazyLock::new(|| {
    let name = std::env::var("TIDEMARK_FUZZ_TARGET").expect("TIDEMARK_FUZZ_TARGET names a target");
    fuzz_targets::target(&name).expect("there is a target of that name")
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| TARGET.run(data));
