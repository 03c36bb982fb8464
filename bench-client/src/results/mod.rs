//! The folder of a run: what is written while it runs, and reading it back.

pub mod config;
pub mod error;
pub mod files;
pub mod filter;
#[cfg(test)]
pub(crate) mod fixture;
pub mod folder;
pub mod histogram_log;
pub mod load;
pub mod merge;
pub mod schema;
pub mod summary;
pub mod text;
