//! A run of load: requests sent by one of two loops, each leaving a record.

pub mod hooks;
pub mod response;
pub mod run;

mod before;
mod check;
mod closed;
mod collector;
mod counters;
mod engine;
mod open;
mod pacer;
mod prepare;
mod queue;
mod recorder;
pub(crate) mod resources;
mod sender;
#[cfg(test)]
mod tests;
mod watch;
mod wire;
