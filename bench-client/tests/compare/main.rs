//! `gate`, `compare` and `batch-compare` as processes, against the built-in stub and over folders
//! that `run` left.

mod batch;
mod gate;
mod process;
mod saved;
#[path = "../common/schema.rs"]
mod schema;
mod trials;
