//! What is done to a server while it is loaded, on a schedule, and how long it takes to recover.
//!
//! A schedule is a list of acts: signals to the server's process, its restart, or commands of the shell. It joins a run as
//! a [hook](crate::load::hooks::Hook), so that what is measured is measured as in any other run.

mod hook;
mod player;
mod recovery;
mod subject;

use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use hook::{Chaos, NAME};
pub use recovery::{Recovery, STEP, WINDOW};
pub use subject::{Subject, SubjectError};

/// One thing that is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// When, since the first request.
    pub at: Duration,
    /// What.
    pub action: Action,
}

/// What is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// A signal to the server's process.
    Signal(Signal),
    /// The server is started again, after SIGTERM and its end if it still runs.
    Restart,
    /// A command of the shell, in which `{pid}`, `{base_url}` and `{out}` are replaced.
    Command(String),
}

/// A signal that has a name of its own in a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// To stop in order.
    Term,
    /// To stop in order, as Ctrl-C asks.
    Int,
    /// To end at once.
    Kill,
    /// To stand still.
    Stop,
    /// To go on.
    Cont,
}

/// What was done in a run, and what came of it: the content that the hook contributes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChaosFigures {
    /// Acts in the order of their times.
    pub acts: Vec<Done>,
}

/// An act that was done, or was to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Done {
    /// As in the schedule.
    pub action: String,
    /// When it was to be done, in seconds since the first request.
    pub planned_s: f64,
    /// When it was done; none if the run ended before.
    pub did_s: Option<f64>,
    /// How it ended: an exit status, `ok`, or why it failed.
    pub result: String,
    /// What it did to the goodput.
    pub recovery: Recovery,
}

impl Action {
    /// Whether it needs to know which process the server is.
    #[must_use]
    pub fn needs_process(&self) -> bool {
        match self {
            Self::Signal(_) => true,
            Self::Restart => false,
            Self::Command(command) => command.contains("{pid}"),
        }
    }
}

impl FromStr for Action {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text.trim().to_ascii_lowercase().as_str() {
            "" => return Err("there is no action in it".to_owned()),
            "sigterm" => Self::Signal(Signal::Term),
            "sigint" => Self::Signal(Signal::Int),
            "sigkill" => Self::Signal(Signal::Kill),
            "sigstop" => Self::Signal(Signal::Stop),
            "sigcont" => Self::Signal(Signal::Cont),
            "restart" => Self::Restart,
            _ => Self::Command(text.trim().to_owned()),
        })
    }
}

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Signal(Signal::Term) => "sigterm",
            Self::Signal(Signal::Int) => "sigint",
            Self::Signal(Signal::Kill) => "sigkill",
            Self::Signal(Signal::Stop) => "sigstop",
            Self::Signal(Signal::Cont) => "sigcont",
            Self::Restart => "restart",
            Self::Command(command) => command,
        })
    }
}

impl ChaosFigures {
    /// What the hook contributed to a run, if it had one.
    #[must_use]
    pub fn of(contributed: &crate::results::summary::Contributed) -> Option<Self> {
        serde_json::from_value(contributed.get(NAME)?.clone()).ok()
    }

    /// The acts after which the server did not recover within `time`, or failed to be done.
    pub fn unrecovered(&self, time: Duration) -> impl Iterator<Item = &Done> {
        self.acts
            .iter()
            .filter(move |act| !act.recovery.is_within(time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_a_name_or_a_command() {
        let read = |text: &str| text.parse::<Action>();
        assert_eq!(read("SIGTERM"), Ok(Action::Signal(Signal::Term)));
        assert_eq!(read(" restart "), Ok(Action::Restart));
        let command = Action::Command("kill -9 {pid}".to_owned());
        assert!(command.needs_process());
        assert_eq!(read("kill -9 {pid}"), Ok(command));
        assert!(read("  ").is_err());
        for name in [
            "sigterm", "sigint", "sigkill", "sigstop", "sigcont", "restart",
        ] {
            assert_eq!(read(name).unwrap().to_string(), name);
        }
    }
}
