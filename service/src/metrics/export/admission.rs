//! What is taken on, what waits, what is refused, and the memory it all takes.

use std::fmt;

use super::families::Families;
use crate::admission::{Class, GateStats, Refusal};
use crate::registry::Registry;
use crate::startup::State;

pub(super) fn tell(state: &State, out: &mut Families<'_>) -> fmt::Result {
    let gates = Class::ALL.map(|class| (class, state.compute.gate(class).stats()));
    let by_class = |value: fn(&GateStats) -> u64| {
        gates.map(move |(class, stats)| ([("class", class.as_str())], value(stats)))
    };
    out.histograms(
        "tidemark_admission_queue_wait_seconds",
        "From asking for a thread of the pool to having one",
        gates.map(|(class, stats)| ([("class", class.as_str())], &stats.waits)),
    )?;
    out.gauges(
        "tidemark_admission_running",
        "Jobs that have a thread of the pool",
        by_class(|stats| stats.running() as u64),
    )?;
    out.gauges(
        "tidemark_admission_waiting",
        "Jobs that wait for a thread of the pool",
        by_class(|stats| stats.waiting() as u64),
    )?;
    out.gauges(
        "tidemark_admission_limit",
        "Most jobs that may wait in a queue that stands",
        by_class(|stats| stats.limit() as u64),
    )?;
    let of_gates = gates.iter().flat_map(|(class, stats)| {
        Refusal::ALL.map(|reason| (*class, reason.as_str(), stats.refused(reason)))
    });
    let refusals = of_gates.chain(of_store(state));
    out.counters(
        "tidemark_refusals",
        "Requests that were not taken on",
        refusals
            .map(|(class, reason, count)| ([("class", class.as_str()), ("reason", reason)], count)),
    )?;
    out.counters(
        "tidemark_requests_abandoned",
        "Requests whose client left before their work began",
        by_class(GateStats::abandoned),
    )?;
    out.gauge(
        "tidemark_pool_utilization",
        "Jobs on and before the CPU pools, as a share of the most there can be, from 0 to 1",
        state.compute.utilization(),
    )
}

/// Changes and reads that the store had no room for; none until it is open.
fn of_store(state: &State) -> [(Class, &'static str, u64); 2] {
    let registry = state.registry().ok();
    let changes = registry.and_then(Registry::commits);
    let changes = changes.map_or(0, |commits| commits.refused());
    let reads = registry.map_or(0, Registry::reads_refused);
    [
        (Class::Fit, "store_queue", changes),
        (Class::Predict, "store_reads", reads),
    ]
}
