//! Connections on which nothing is sent.

use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::net::TcpStream;

use crate::base_url::BaseUrl;
use crate::scenario::Outcome;
use crate::scenario::context::{Context, ScenarioError};

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
) -> Result<Vec<TcpStream>, ScenarioError> {
    let wanted = context.pick(WANTED_SHORT, WANTED);
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // What cannot be raised is told by how many there are in the end.
    let _ = setrlimit(Resource::Nofile, limit);
    let most = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let most = usize::try_from(most.saturating_sub(KEPT)).unwrap_or(usize::MAX);
    let host = base.authority();
    let (open, failed) = context.wait(async {
        let mut open = Vec::new();
        while open.len() < wanted.min(most) {
            match TcpStream::connect(&host).await {
                Ok(stream) => open.push(stream),
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
