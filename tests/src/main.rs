//! Black-box tests: a whole server in this process, on a port of its own, asked over a real socket.
//!
//! Nothing in here looks inside the server; what a test knows, a caller can know. Tests that need
//! a process of their own (signals, `kill -9`, flags) live in `service/tests/process`.

mod admission;
mod aliases;
mod artifacts;
mod auto_choice;
mod calibration;
mod columns;
mod compressed;
mod concurrency;
mod contract;
mod csv;
mod decision_rule;
mod deletes;
mod detect;
mod every_model;
mod eviction;
mod explain;
mod fit_parameters;
mod golden_vectors;
mod headers;
mod histories;
mod hostile_bodies;
mod hostile_ids;
mod hot_swap;
mod idempotency;
mod inventory;
mod isolation;
mod keys;
mod load;
mod load_client;
mod metrics;
mod openapi;
mod plot;
mod problem;
mod quality;
mod raw;
mod refused_fits;
mod refused_predicts;
mod refused_requests;
mod reply;
mod restart;
mod scenario;
mod seasons;
mod server;
mod smuggling;
mod stream;
mod time_units;
mod update;
mod versions;
mod window_models;
