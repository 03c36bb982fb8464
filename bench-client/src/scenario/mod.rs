//! Scenarios: a load that says something about how a service is to be run, with the rule by which it
//! passes. Each prints its rule, its figures and its verdict, and leaves them as `scenario.json`.
//!
//! What a rule needs and the server, or this machine, does not have is "not measurable", in words;
//! it is never a pass.

mod agents;
mod bursts;
mod cold_start;
mod context;
mod drain;
mod health;
mod hot_swap;
mod machine;
mod outcome;
mod overload;
mod paced;
mod recovery;
mod regression;
mod resume;
mod sequential;
mod series;
pub(crate) mod server;
mod soak;
mod wire;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;

use crate::base_url::BaseUrl;
use crate::clock;
use crate::interrupt::Stop;
use crate::report::atomic;

pub use self::context::{Context, ScenarioError};
use self::machine::Machine;
pub use self::outcome::{Check, Figure, Outcome, Verdict};
pub use self::server::ServerCommand;

/// File of a scenario's results.
pub const FILE: &str = "scenario.json";

/// Goes up when a field changes its meaning or goes away.
pub const FORMAT_VERSION: u32 = 1;

/// A load and the rule by which it passes.
pub struct Scenario {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What is sent.
    pub load: &'static str,
    /// What has to hold.
    pub rule: &'static str,
    /// Whether it starts, stops or kills the server, so that it needs the program.
    pub needs_binary: bool,
    run: fn(&Context<'_>) -> Result<Outcome, ScenarioError>,
}

/// Every scenario, from the lightest to the heaviest.
pub const ALL: [Scenario; 13] = [
    cold_start::SCENARIO,
    sequential::SCENARIO,
    health::SCENARIO,
    bursts::BURST_150,
    bursts::RAMP,
    agents::SCENARIO,
    paced::SCENARIO,
    hot_swap::SCENARIO,
    drain::SCENARIO,
    resume::SCENARIO,
    recovery::SCENARIO,
    soak::SCENARIO,
    overload::SCENARIO,
];

/// The server under test.
#[derive(Debug, Clone)]
pub enum Target {
    /// One that runs already.
    Url {
        /// Its address.
        base: BaseUrl,
        /// Its process, if it is on this machine and its memory is to be read.
        pid: Option<u32>,
    },
    /// One that every scenario starts for itself, over an empty folder.
    Binary(ServerCommand),
}

/// What all scenarios of a command have in common.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The server.
    pub target: Target,
    /// Seconds rather than minutes.
    pub short: bool,
    /// How long to soak, instead of what the form says.
    pub duration: Option<Duration>,
    /// Series in the store of `resume`, instead of what the form says.
    pub series: Option<u32>,
    /// Decides every random value.
    pub seed: u64,
    /// Whether others use the machine, whatever is measured of that: a limit in time that is not kept says nothing.
    pub shared_machine: bool,
    /// Where results go, a folder a scenario.
    pub out: PathBuf,
}

/// `scenario.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// The scenario.
    pub scenario: String,
    /// What was sent.
    pub load: String,
    /// What has to hold.
    pub rule: String,
    /// Whether this was the short form.
    pub short: bool,
    /// Decided every random value.
    pub seed: u64,
    /// The server: an address, or the program and its arguments.
    pub server: String,
    /// The command line, to run it again.
    pub command: Vec<String>,
    /// When it began.
    #[schemars(with = "String")]
    pub started_at: Timestamp,
    /// How long it took.
    pub seconds: f64,
    /// The worst of its checks.
    pub verdict: Verdict,
    /// What was found.
    #[serde(flatten)]
    pub outcome: Outcome,
}

impl Scenario {
    /// The scenario of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        const { &ALL }.iter().find(|scenario| scenario.name == name)
    }
}

/// Plays a scenario and leaves its folder. One that could not be played to its end fails, with the
/// reason as its reading; one that needs a program and was given an address is not measurable.
///
/// Blocks; `runtime` is for single requests, the engine has runtimes of its own.
///
/// # Errors
/// [`ScenarioError::Interrupted`] on a signal, and when the folder cannot be written.
pub fn run(
    scenario: &Scenario,
    settings: &Settings,
    runtime: &Runtime,
    stop: &Stop,
) -> Result<Report, ScenarioError> {
    let dir = settings.out.join(scenario.name);
    if dir.join(FILE).exists() {
        let error = format!("{} holds a scenario already", dir.display());
        return Err(std::io::Error::other(error).into());
    }
    std::fs::create_dir_all(&dir)?;
    let started_at = Timestamp::now();
    let context = Context {
        settings,
        runtime,
        stop,
        // With the seed, so that two clients that begin in one second have series of their own.
        id: format!(
            "{}_{}_{:x}",
            scenario.name,
            clock::run_id(started_at),
            settings.seed
        ),
        dir: dir.clone(),
    };
    let begun = std::time::Instant::now();
    // Timers and tasks are made outside of what waits for them.
    let _inside = runtime.enter();
    let machine = Machine::begin(&settings.target);
    let outcome = match (scenario.run)(&context) {
        Ok(mut outcome) => {
            if let Some(machine) = machine {
                machine.judge(&mut outcome);
            }
            if settings.shared_machine {
                outcome.excuse_timed("this machine is said to be shared");
            }
            outcome
        }
        Err(ScenarioError::Interrupted) => return Err(ScenarioError::Interrupted),
        Err(why @ ScenarioError::NeedsBinary) => {
            let mut outcome = Outcome::default();
            outcome.not_measurable(scenario.rule, why);
            outcome
        }
        Err(why) => {
            let mut outcome = Outcome::default();
            outcome.check("the scenario can be played to its end", why, false);
            outcome
        }
    };
    if stop.is_set() {
        return Err(ScenarioError::Interrupted);
    }
    let report = Report {
        format_version: FORMAT_VERSION,
        scenario: scenario.name.to_owned(),
        load: scenario.load.to_owned(),
        rule: scenario.rule.to_owned(),
        short: settings.short,
        seed: settings.seed,
        server: settings.target.to_string(),
        command: std::env::args().collect(),
        started_at,
        seconds: begun.elapsed().as_secs_f64(),
        verdict: outcome.verdict(),
        outcome,
    };
    write(&dir, &report)?;
    Ok(report)
}

fn write(dir: &Path, report: &Report) -> Result<(), ScenarioError> {
    let json = serde_json::to_vec_pretty(report)?;
    atomic::write(&dir.join(FILE), &json)?;
    Ok(())
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url { base, .. } => base.fmt(f),
            Self::Binary(ServerCommand { program, args }) => {
                write!(f, "{}", program.display())?;
                args.iter().try_for_each(|arg| write!(f, " {arg}"))
            }
        }
    }
}

/// As the terminal shows it.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = if self.short { " (short form)" } else { "" };
        writeln!(f, "scenario {}{form} · {}", self.scenario, self.server)?;
        writeln!(f, "  sends: {}", self.load)?;
        writeln!(f, "  passes when: {}", self.rule)?;
        write!(f, "{}", self.outcome)?;
        write!(
            f,
            "verdict: {} ({:.1} s)",
            self.verdict.words(),
            self.seconds
        )
    }
}
