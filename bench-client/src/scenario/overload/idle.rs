//! Connections on which nothing more is sent: each has had one request, as those have that a client keeps for its next.
//! One that never sent any would be closed for that.

use std::io;
use std::time::Duration;

use crate::base_url::BaseUrl;
use crate::scenario::Outcome;
use crate::scenario::context::{Context, ScenarioError};
use crate::scenario::wire::{Connection, target};
use rustix::process::{Resource, getrlimit, setrlimit};

/// What O5 asks for.
const WANTED: usize = 15_000;
const WANTED_SHORT: usize = 1_000;
/// For everything else that the client has open.
const KEPT: u64 = 1_500;

/// Opens as many as are wanted, or as this machine allows, which is told. Dropping them closes them.
pub(super) fn open(
    context: &Context<'_>,
    base: &BaseUrl,
    outcome: &mut Outcome,
) -> Result<Vec<Connection>, ScenarioError> {
    let wanted = context.pick(WANTED_SHORT, WANTED);
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // What cannot be raised is told by how many there are in the end.
    let _ = setrlimit(Resource::Nofile, limit);
    let most = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let most = usize::try_from(most.saturating_sub(KEPT)).unwrap_or(usize::MAX);
    let live = target(base, &["health", "live"]);
    let (open, failed) = context.wait(async {
        let mut open = Vec::new();
        while open.len() < wanted.min(most) {
            match used(base, &live).await {
                Ok(connection) => open.push(connection),
                Err(error) => return (open, Some(error)),
            }
        }
        (open, None)
    })?;
    outcome.figure("idle connections (O5)", open.len() as f64, "");
    if open.len() < WANTED {
        let why = failed.map_or_else(
            || format!("{wanted} are asked for here and {most} descriptors are left for them"),
            |error| error.to_string(),
        );
        outcome.note(format!(
            "O5 with {} idle connections of {WANTED}: {why}",
            open.len()
        ));
    }
    Ok(open)
}

/// Closes them; says how many the server had closed before.
pub(super) fn close(
    context: &Context<'_>,
    open: Vec<Connection>,
    outcome: &mut Outcome,
) -> Result<(), ScenarioError> {
    let kept = context.wait(async {
        // For the runtime to be told of what has ended.
        tokio::time::sleep(Duration::from_millis(50)).await;
        open.iter()
            .filter(|connection| connection.is_kept())
            .count()
    })?;
    if kept < open.len() {
        outcome.note(format!(
            "O5: the server kept {kept} of {} idle connections until the end of the level; let it keep them for \
             longer (tidemark serve --keep-alive 5m)",
            open.len()
        ));
    }
    Ok(())
}

async fn used(base: &BaseUrl, live: &str) -> io::Result<Connection> {
    let mut connection = Connection::open(base).await?;
    connection.send("GET", live, b"").await?;
    connection.receive().await?;
    Ok(connection)
}
