//! Models in memory, and what was done with them.

use std::fmt;

use super::families::Families;
use crate::metrics::WorkTimes;
use crate::registry::Registry;
use crate::startup::State;

pub(super) fn tell(state: &State, out: &mut Families<'_>) -> fmt::Result {
    // Until the store is open there is none, and nothing was counted.
    let registry = state.registry().ok();
    let cache = registry.map(Registry::cache);
    out.gauge(
        "tidemark_models_in_memory",
        "Versions whose model is in memory",
        cache.map_or(0, |it| it.len()) as u64,
    )?;
    out.gauge(
        "tidemark_model_cache_bytes",
        "Bytes of the models in memory",
        cache.map_or(0, |it| it.bytes()) as u64,
    )?;
    out.counter(
        "tidemark_model_cache_hits",
        "Look-ups of a model that memory answered",
        cache.map_or(0, |it| it.hits()),
    )?;
    out.counter(
        "tidemark_model_cache_misses",
        "Look-ups of a model that went to the store",
        cache.map_or(0, |it| it.misses()),
    )?;
    out.counter(
        "tidemark_model_cache_evictions",
        "Models that left memory for others",
        cache.map_or(0, |it| it.evicted()),
    )?;
    out.counter(
        "tidemark_model_cache_loads",
        "Reads of a model from the store",
        cache.map_or(0, |it| it.loads()),
    )?;
    let monitors = registry.map(Registry::monitors);
    out.counter(
        "tidemark_points_scored",
        "Points that versions and online states scored; not those of /detect, late ones and those of a state that warms up",
        monitors.map_or(0, |it| it.points()),
    )?;
    out.counter(
        "tidemark_alarms",
        "Anomalies among the points that were scored",
        monitors.map_or(0, |it| it.alarms()),
    )?;
    let WorkTimes { fits, scores } = &*state.metrics.work;
    out.histogram(
        "tidemark_fit_seconds",
        "Fitting a model, once it has a thread, without storing it",
        fits,
    )?;
    out.histogram(
        "tidemark_score_seconds",
        "Scoring the points of a predict and writing the reply, once it has a thread",
        scores,
    )
}
