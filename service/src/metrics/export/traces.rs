//! What became of the spans of sampled requests.

use std::fmt;
use std::sync::atomic::Ordering::Relaxed;

use super::families::Families;
use crate::startup::State;

pub(super) fn tell(state: &State, out: &mut Families<'_>) -> fmt::Result {
    // Zero where no traces are sent, so that an alert on what is lost needs no case of its own.
    let counts = state.telemetry.traces.as_ref().map(|it| it.counts());
    let [sent, dropped] = counts.map_or([0, 0], |counts| {
        [counts.sent.load(Relaxed), counts.dropped.load(Relaxed)]
    });
    out.counters(
        "tidemark_trace_spans",
        "Spans of sampled requests, by whether the collector took them",
        [("sent", sent), ("dropped", dropped)].map(|(outcome, n)| ([("outcome", outcome)], n)),
    )
}
