//! Tests of the binary as a process: flags, signals, `kill -9`, what reaches the disk and when.
//!
//! `docs/promises.md` says which test shows which promise, how to run its long form and which
//! seeded fault each test is known to catch.

mod aliases;
mod audit;
mod backtests;
mod backup;
mod binary;
mod chaos;
mod collector;
mod config;
mod crash;
mod damage;
mod dashboard;
mod delete_audit;
mod deletes;
mod drain;
mod flags;
mod golden;
mod growth;
mod http;
mod idempotency;
mod idle_connections;
mod incomplete;
mod keys;
mod logs;
#[cfg(any(feature = "syscall-tests", feature = "server-tests"))]
mod namespace;
mod payload;
mod probes;
mod read_back;
mod scenario;
#[cfg(feature = "server-tests")]
mod servers;
mod slow_peers;
mod streams;
#[cfg(feature = "syscall-tests")]
mod syscalls;
mod tls;
mod traces;
mod updates;
mod warm_start;

/// A whole number from the environment, for the long form of a test.
fn from_env(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|error| panic!("{name}={text:?}: {error}")),
        Err(_) => default,
    }
}
