//! What is done to the server during a run, as flags.

use std::net::ToSocketAddrs as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::runtime::Runtime;

use super::CommandError;
use super::args::{duration, positive_duration, usage};
use crate::base_url::BaseUrl;
use crate::chaos::{Act, Action, Chaos, Subject};
use crate::interrupt::Stop;
use crate::load::run::LoadError;
use crate::results::folder::FolderWriter;
use crate::scenario::ServerCommand;

/// What is done to the server during a run.
#[derive(Debug, Args)]
#[command(next_help_heading = "What is done to the server")]
pub(super) struct ChaosArgs {
    /// At a time since the first request do something: sigterm, sigint, sigkill, sigstop, sigcont, restart (with
    /// --server-bin), or a command of the shell, in which {pid}, {base_url} and {out} are replaced; may be repeated
    #[arg(long, num_args = 2, value_names = ["TIME", "ACTION"], action = clap::ArgAction::Append)]
    at: Vec<String>,

    /// Exit with 1 unless goodput is back to 95 % so long after each of these
    #[arg(long, value_name = "TIME", requires = "at", value_parser = positive_duration)]
    recover_within: Option<Duration>,

    /// Process of the server, on this machine
    #[arg(long, value_name = "PID", conflicts_with = "server_bin")]
    server_pid: Option<u32>,

    /// Start this server for the run, at the base URL, over the folder `server` of the results, and end it after the run
    #[arg(long, value_name = "PROGRAM")]
    server_bin: Option<PathBuf>,

    /// Further arguments of that server, separated by spaces
    #[arg(
        long,
        value_name = "ARGS",
        requires = "server_bin",
        allow_hyphen_values = true
    )]
    server_args: Option<String>,
}

/// A schedule and the server that it is played on.
pub(super) struct Prepared {
    acts: Vec<Act>,
    /// What it is played on.
    pub(super) subject: Arc<Subject>,
    /// How soon goodput has to be back.
    pub(super) recover_within: Option<Duration>,
}

impl ChaosArgs {
    /// Checks the schedule and starts the server, if the run is to start one.
    pub(super) fn prepare(
        self,
        base: &BaseUrl,
        out: &Path,
        (runtime, stop): (&Runtime, &Stop),
    ) -> Result<Prepared, CommandError> {
        let acts = self.at.chunks_exact(2).map(|pair| act(&pair[0], &pair[1]));
        let acts: Vec<Act> = acts.collect::<Result<_, _>>()?;
        let restarts = acts.iter().any(|act| act.action == Action::Restart);
        if restarts && self.server_bin.is_none() {
            return Err(usage("--at TIME restart needs --server-bin").into());
        }
        let is_known = self.server_pid.is_some() || self.server_bin.is_some();
        if let Some(act) = acts.iter().find(|act| act.action.needs_process())
            && !is_known
        {
            let action = &act.action;
            let message = format!("--at TIME '{action}' needs --server-pid or --server-bin");
            return Err(usage(message).into());
        }
        let subject = match (self.server_pid, self.server_bin) {
            (Some(pid), _) => Subject::running(pid)
                .map_err(|error| usage(format!("--server-pid {pid}: {error}")))?,
            (None, Some(program)) => {
                // A server is not started for a folder that cannot be used.
                FolderWriter::check(out)?;
                let args = self.server_args.unwrap_or_default();
                let command = ServerCommand {
                    program,
                    args: args.split_whitespace().map(ToOwned::to_owned).collect(),
                };
                let addr = base.authority().to_socket_addrs()?.next();
                let addr = addr.ok_or_else(|| usage("--base-url names no address"))?;
                let starting = stop.guard(Subject::start(command, addr, out));
                let started = runtime.block_on(starting);
                started.ok_or(LoadError::InterruptedBefore)??
            }
            (None, None) => Subject::Unknown,
        };
        Ok(Prepared {
            acts,
            subject: Arc::new(subject),
            recover_within: self.recover_within,
        })
    }
}

impl Prepared {
    /// The schedule as it joins a run, if there is anything on it.
    pub(super) fn hook(&self, out: &Path) -> Option<Chaos> {
        let chaos = || Chaos::new(self.acts.clone(), Arc::clone(&self.subject), out);
        (!self.acts.is_empty()).then(chaos)
    }
}

fn act(at: &str, action: &str) -> Result<Act, CommandError> {
    let refused = |reason: String| usage(format!("--at {at} '{action}': {reason}"));
    Ok(Act {
        at: duration(at).map_err(refused)?,
        action: action.parse().map_err(refused)?,
    })
}
