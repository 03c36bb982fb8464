//! Black-box tests: a whole server in this process, on a port of its own, asked over a real socket.
//!
//! Nothing in here looks inside the server; what a test knows, a caller can know. Tests that need
//! a process of their own (signals, `kill -9`, flags) live in `service/tests/process`.

mod calibration;
mod columns;
mod concurrency;
mod contract;
mod decision_rule;
mod eviction;
mod golden_vectors;
mod headers;
mod hostile_ids;
mod plot;
mod problem;
mod raw;
mod refused_fits;
mod refused_predicts;
mod refused_requests;
mod reply;
mod restart;
mod server;
mod versions;
