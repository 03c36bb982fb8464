//! The store's commits.

use std::fmt;

use super::families::Families;
use crate::registry::Registry;
use crate::startup::State;
use crate::store::Commits;

pub(super) fn tell(state: &State, out: &mut Families<'_>) -> fmt::Result {
    let registry = state.registry().ok();
    // Until the store is open it has made none.
    let none = Commits::default();
    let commits = registry.and_then(Registry::commits).unwrap_or(&none);
    let Commits {
        records, seconds, ..
    } = commits;
    out.counter(
        "tidemark_store_commits",
        "Commits, each with one sync",
        records.snapshot().count(),
    )?;
    out.histogram(
        "tidemark_store_commit_records",
        "Changes a commit: versions, points learnt, aliases",
        records,
    )?;
    out.histogram(
        "tidemark_store_commit_seconds",
        "Writing and syncing a commit",
        seconds,
    )?;
    out.counter(
        "tidemark_store_failures",
        "Changes that were not stored because a write failed, then or before",
        commits.failures(),
    )?;
    let space = registry.and_then(Registry::space);
    out.gauge(
        "tidemark_store_free_bytes",
        "Space where the store is, less what is yet to be written there from memory",
        space.map_or(0, |space| space.free),
    )?;
    out.gauge(
        "tidemark_store_reserve_bytes",
        "Space that is kept free there: what would take from it is refused",
        space.map_or(0, |space| space.reserve),
    )?;
    out.gauge(
        "tidemark_series",
        "Series with at least one version",
        registry.map_or(0, Registry::series_count),
    )
}
