//! `tidemark-bench scenario` as a process: against the built-in stub, and against servers that are wrong in one
//! thing, so that every rule is seen to fail.
//!
//! No verdict here rests on how fast this machine is: rules about time are held against the figures
//! that the scenario itself tells, or against a delay that dwarfs any noise.

mod command;
mod fake;
mod rules;
#[path = "../common/schema.rs"]
mod schema;
mod started;
mod under_load;
