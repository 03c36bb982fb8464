//! The folder of a run: what is written while it runs, and reading it back.

pub mod config;
pub mod summary;
