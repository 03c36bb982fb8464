//! `tidemark-bench run` as a process.

#[path = "../common/mod.rs"]
mod common;

pub(crate) use self::common::*;

/// `tidemark-bench run` against `url`, to its end.
pub(crate) fn run(url: &str, flags: &[&str]) -> Finished {
    start(url, flags).wait()
}

/// `tidemark-bench run` against `url`.
pub(crate) fn start(url: &str, flags: &[&str]) -> Running {
    let run = ["run", "--base-url", url, "--seed", "7"];
    common::start(&[&run, flags].concat())
}
