//! A run of load: requests sent by one of two loops, each leaving a record.

pub mod hooks;
pub mod response;
