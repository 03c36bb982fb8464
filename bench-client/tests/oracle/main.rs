//! What the client says of itself, of answers and of what was acknowledged, as a process against the
//! built-in stub.
//!
//! What has to be noticed every time is tried a few times here; the long form is
//!
//! ```sh
//! TRIALS=20 cargo test -p bench-client --test oracle
//! ```

mod answers;
mod calibrate;
mod ledger;
#[path = "../run/process.rs"]
mod process;
mod validity;

/// How often something is tried that must never fail to be noticed.
fn trials() -> u64 {
    let asked = std::env::var("TRIALS").ok();
    asked.map_or(2, |n| n.parse().expect("TRIALS is a number"))
}
