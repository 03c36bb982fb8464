//! Where other code joins a run: before it, before and after each request, and after it. None of
//! it falls into a timed span: what precedes a request runs before its clock starts, and what
//! follows one runs on the thread that collects responses.

use std::time::Instant;

use super::response::ResponseRecord;
use crate::results::config::RunConfig;
use crate::results::summary::Contributed;
use crate::tally::stats::RunStats;
use crate::workload::Prepared;

/// Code that joins a run. Every method has a default that does nothing.
pub trait Hook: Send + Sync {
    /// What its figures are filed under.
    fn name(&self) -> &str;

    /// Before the first request.
    fn before_run(&self, _config: &RunConfig) {}

    /// When the first request may be sent: the zero of all times of the run.
    fn started(&self, _start: Instant) {}

    /// Before request `index` is sent, on the thread that sends it; it may change the request.
    fn before_request(&self, _index: u64, _request: &mut Prepared) {}

    /// After each response, in the order in which they were collected.
    fn after_response(&self, _response: &ResponseRecord) {}

    /// When nothing more is sent or awaited; an interruption dropped so many requests in flight.
    fn over(&self, _dropped: u64) {}

    /// After the last response. What it returns is saved with the run and survives loading.
    fn after_run(&self, _config: &RunConfig, _stats: &RunStats) -> Option<serde_json::Value> {
        None
    }
}

/// Calls `after_run` of all hooks and gathers what they return.
#[must_use]
pub fn after_run(hooks: &[Box<dyn Hook>], config: &RunConfig, stats: &RunStats) -> Contributed {
    let mut contributed = Contributed::new();
    for hook in hooks {
        if let Some(figures) = hook.after_run(config, stats) {
            contributed.insert(hook.name().to_owned(), figures);
        }
    }
    contributed
}
