//! What the benchmarks share: servers to measure, a load generator, and the machine's own clocks.
//!
//! A server under load is measured in a process of its own on one core, the load comes from a
//! second core, and programs that are compared take turns in short rounds. On a shared machine
//! only two figures of one such run can be held against each other: everything is reported as a
//! ratio, and by the server's CPU time a request before its requests a second.

pub mod ask;
pub mod data;
pub mod load;
pub mod machine;
pub mod memory_store;
pub mod process;
pub mod report;
pub mod requests;
pub mod servers;

/// Whether this run is a smoke test (`cargo bench -- --test`, `cargo test --benches`): everything
/// runs once, on small data, and nothing is worth quoting.
#[must_use]
pub fn is_smoke() -> bool {
    let given = |flag: &str| std::env::args().any(|argument| argument == flag);
    given("--test") || !given("--bench")
}

/// Whether the measurements that take minutes and gigabytes were asked for.
#[must_use]
pub fn is_heavy() -> bool {
    std::env::var_os("TIDEMARK_BENCH_HEAVY").is_some_and(|value| value == "1")
}
