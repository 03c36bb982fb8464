//! The Tidemark server: `http` calls `registry` calls `store`, never back.
//!
//! [`startup::Application`] is the whole server, for the binary and for tests alike.

pub mod admission;
pub mod backup;
pub mod compute;
pub mod config;
mod connection;
pub mod control;
pub mod demo;
pub mod descriptors;
pub mod detection;
mod health_listener;
pub mod http;
pub mod keys;
mod listener;
pub mod metrics;
mod private_folder;
pub mod probe;
pub mod registry;
pub mod shutdown;
pub mod startup;
pub mod store;
pub mod store_commands;
pub mod telemetry;
mod warm_start;
