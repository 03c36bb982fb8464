//! The memory budget and what of it is taken.

use std::fmt;

use super::families::Families;
use crate::config::BYTES_A_CONNECTION;
use crate::startup::State;

pub(super) fn tell(state: &State, out: &mut Families<'_>) -> fmt::Result {
    let metrics = &state.metrics;
    let models = state.registry().map_or(0, |registry| {
        let cache = registry.cache();
        cache.bytes() + cache.bytes_beside()
    });
    let open = metrics.connections.now();
    let budget = metrics.memory_budget.get().copied().unwrap_or(0);
    out.gauge(
        "tidemark_memory_budget_bytes",
        "Memory for models, requests and connections together",
        budget as u64,
    )?;
    out.gauges(
        "tidemark_memory_used_bytes",
        "Memory that is taken of the budget, by the server's own account",
        [
            ("models", models),
            ("requests", state.admission.memory.used()),
            ("connections", open * BYTES_A_CONNECTION),
        ]
        .map(|(part, bytes)| ([("part", part)], bytes as u64)),
    )?;
    out.gauge(
        "tidemark_http_connections",
        "Open connections of the main port",
        open as u64,
    )
}
