//! `gate`, `compare` and `batch-compare` as processes, against the built-in stub and over folders
//! that `run` left.

mod batch;
#[path = "../common/mod.rs"]
mod common;
mod gate;
mod process;
mod saved;
mod trials;
