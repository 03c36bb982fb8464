//! Statistics of responses in constant memory.

pub mod stats;
