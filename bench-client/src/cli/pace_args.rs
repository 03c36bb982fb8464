//! When a run sends, as flags that several commands share.

use std::str::FromStr;
use std::time::Duration;

use clap::{ArgGroup, Args, ValueEnum};

use super::args::{bounded, duration, usage};
use crate::arrivals::{Trace, check_stages};
use crate::results::config::{Arrivals, Pace, Stage};

const CLIENTS: u32 = 10;
const CONNECTIONS: u32 = 10;
const MAX_CONNECTIONS: u32 = 1000;
const BURST: u32 = 10;

/// When a run sends.
#[derive(Debug, Args)]
#[command(next_help_heading = "When it is sent")]
#[command(group = ArgGroup::new("open").args(["rate", "stages", "trace"]))]
pub struct PaceArgs {
    /// Closed loop: clients that each send the next request when the last one is answered
    /// [default: 10, unless there is a rate]
    #[arg(long, value_name = "N", value_parser = bounded(65_535))]
    #[arg(conflicts_with_all = ["open", "arrivals", "burst_size", "connections", "max_connections"])]
    pub clients: Option<u32>,

    /// Open loop: requests that are sent whether or not earlier ones are answered, such as 500/s,
    /// 30/min or 500
    #[arg(long, value_name = "RATE", allow_hyphen_values = true)]
    pub rate: Option<Rate>,

    /// How the requests of --rate arrive [default: constant]
    #[arg(long, value_enum, value_name = "PROCESS", requires = "rate")]
    #[arg(conflicts_with_all = ["stages", "trace"])]
    pub arrivals: Option<Process>,

    /// Requests at once with --arrivals burst [default: 10]
    #[arg(long, value_name = "N", requires = "rate", value_parser = bounded(1_000_000))]
    #[arg(conflicts_with_all = ["stages", "trace"])]
    pub burst_size: Option<u32>,

    /// Open loop with a rate that changes in straight lines, such as 0:100/s,30s:1000/s
    #[arg(long, value_name = "TIME:RATE,…")]
    pub stages: Option<Course>,

    /// Open loop that replays a file: seconds since the start, an arrival a line, or CSV with a
    /// column timestamp
    #[arg(long, value_name = "FILE")]
    pub trace: Option<String>,

    /// Open loop: connections opened before the run [default: 10]
    #[arg(long, value_name = "N", requires = "open", value_parser = bounded(65_535))]
    pub connections: Option<u32>,

    /// Open loop: connections at most; requests that find none free wait [default: 1000]
    #[arg(long, value_name = "N", requires = "open", value_parser = bounded(65_535))]
    pub max_connections: Option<u32>,
}

/// Requests a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate(pub f64);

/// Corners of a rate that changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Course(pub Vec<Stage>);

/// How requests of a constant rate arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Process {
    /// In equal distances
    Constant,
    /// Independently of each other
    Poisson,
    /// Several at once, then a pause
    Burst,
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match per_second(text)? {
            0.0 => Err("a rate of 0 sends nothing".to_owned()),
            per_s => Ok(Self(per_s)),
        }
    }
}

/// From 0 up.
fn per_second(text: &str) -> Result<f64, String> {
    let (number, unit) = text.split_once('/').unwrap_or((text, "s"));
    let seconds = match unit.trim() {
        "s" => 1.0,
        "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("`{unit}` is no unit: expected /s, /min or /h")),
    };
    let number: Option<f64> = number.trim().parse().ok();
    let number = number.filter(|n| (0.0..=1e9).contains(n));
    let number = number.ok_or("expected requests a second, such as 500/s or 30/min")?;
    Ok(number / seconds)
}

impl FromStr for Course {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let stages = text.split(',').map(|corner| {
            let parts = corner.split_once(':');
            let (at, rate) = parts.ok_or_else(|| {
                format!("`{corner}`: expected a time and a rate, such as 30s:1000/s")
            })?;
            let at = match at.trim() {
                "0" => Duration::ZERO,
                at => duration(at).map_err(|error| format!("`{corner}`: {error}"))?,
            };
            let at_ns =
                u64::try_from(at.as_nanos()).map_err(|_| format!("`{corner}`: too long"))?;
            let per_s = per_second(rate).map_err(|error| format!("`{corner}`: {error}"))?;
            Ok(Stage { at_ns, per_s })
        });
        let stages = stages.collect::<Result<Vec<_>, String>>()?;
        check_stages(&stages).map_err(|error| error.to_string())?;
        Ok(Self(stages))
    }
}

impl PaceArgs {
    /// The pace that the flags ask for. A trace is read and checked.
    ///
    /// # Errors
    /// A usage error when flags contradict each other, or the trace cannot be used.
    pub fn into_pace(self) -> Result<Pace, clap::Error> {
        let Some(arrivals) = self.arrivals()? else {
            return Ok(Pace::Closed {
                clients: self.clients.unwrap_or(CLIENTS),
            });
        };
        let (connections, max_connections) = match (self.connections, self.max_connections) {
            (Some(open), Some(most)) if open > most => {
                return Err(usage("--connections are more than --max-connections"));
            }
            (Some(open), most) => (open, most.unwrap_or(MAX_CONNECTIONS.max(open))),
            (None, Some(most)) => (CONNECTIONS.min(most), most),
            (None, None) => (CONNECTIONS, MAX_CONNECTIONS),
        };
        Ok(Pace::Open {
            arrivals,
            connections,
            max_connections,
        })
    }

    /// None for a closed loop.
    fn arrivals(&self) -> Result<Option<Arrivals>, clap::Error> {
        if self.burst_size.is_some() && self.arrivals != Some(Process::Burst) {
            return Err(usage("--burst-size needs --arrivals burst"));
        }
        if let Some(Rate(per_s)) = self.rate {
            return Ok(Some(match self.arrivals {
                None | Some(Process::Constant) => Arrivals::Constant { per_s },
                Some(Process::Poisson) => Arrivals::Poisson { per_s },
                Some(Process::Burst) => Arrivals::Burst {
                    per_s,
                    size: self.burst_size.unwrap_or(BURST),
                },
            }));
        }
        if let Some(Course(stages)) = &self.stages {
            return Ok(Some(Arrivals::Stages {
                stages: stages.clone(),
            }));
        }
        let trace = self.trace.as_deref().map(Trace::read).transpose();
        let trace = trace.map_err(|error| usage(format!("--trace: {error}")))?;
        Ok(trace.map(|trace| trace.arrivals()))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        pace: PaceArgs,
    }

    fn pace(flags: &[&str]) -> Result<Pace, clap::Error> {
        let line = std::iter::once(&"x").chain(flags);
        Line::try_parse_from(line)?.pace.into_pace()
    }

    fn open(arrivals: Arrivals) -> Pace {
        Pace::Open {
            arrivals,
            connections: 10,
            max_connections: 1000,
        }
    }

    #[test]
    fn ten_clients_unless_there_is_a_rate() {
        assert_eq!(pace(&[]).unwrap(), Pace::Closed { clients: 10 });
        let five = pace(&["--clients=5"]).unwrap();
        assert_eq!(five, Pace::Closed { clients: 5 });
        let constant = open(Arrivals::Constant { per_s: 500.0 });
        assert_eq!(pace(&["--rate=500/s"]).unwrap(), constant);
        assert_eq!(pace(&["--rate=500"]).unwrap(), constant);
    }

    #[test]
    fn processes_and_units() {
        let half = open(Arrivals::Poisson { per_s: 0.5 });
        assert_eq!(
            pace(&["--rate=30/min", "--arrivals=poisson"]).unwrap(),
            half
        );
        let burst = |size| open(Arrivals::Burst { per_s: 2.0, size });
        let flags = ["--rate=7200/h", "--arrivals=burst"];
        assert_eq!(pace(&flags).unwrap(), burst(10));
        let three = [flags[0], flags[1], "--burst-size=3"];
        assert_eq!(pace(&three).unwrap(), burst(3));
    }

    #[test]
    fn stages_are_corners() {
        let stage = |at_ns, per_s| Stage { at_ns, per_s };
        let stages = vec![
            stage(0, 100.0),
            stage(30_000_000_000, 1000.0),
            stage(90_000_000_000, 0.0),
        ];
        let course = pace(&["--stages=0:100/s,30s:1000/s,1m30s:0"]).unwrap();
        assert_eq!(course, open(Arrivals::Stages { stages }));
    }

    #[test]
    fn connections_fit_together() {
        let of = |flags: &[&str]| match pace(&[&["--rate=1"], flags].concat()).unwrap() {
            Pace::Open {
                connections,
                max_connections,
                ..
            } => (connections, max_connections),
            closed => panic!("{closed:?}"),
        };
        assert_eq!(of(&["--connections=5"]), (5, 1000));
        assert_eq!(of(&["--connections=5000"]), (5000, 5000));
        assert_eq!(of(&["--max-connections=4"]), (4, 4));
    }

    #[test]
    fn a_trace_is_read_before_the_run() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t");
        std::fs::write(&path, "0\n1\n").unwrap();
        let flag = format!("--trace={}", path.display());
        match pace(&[&flag]).unwrap() {
            Pace::Open {
                arrivals: Arrivals::Trace { arrivals, .. },
                ..
            } => assert_eq!(arrivals, 2),
            other => panic!("{other:?}"),
        }
        std::fs::write(&path, "1\n0\n").unwrap();
        let error = pace(&[&flag]).unwrap_err().to_string();
        assert!(
            error.contains("--trace: ") && error.contains(":2: "),
            "{error}"
        );
    }

    #[test]
    fn contradictions_are_usage_errors_that_name_the_flag() {
        for (flags, wanted) in [
            (&["--clients=2", "--rate=5"][..], "--rate"),
            (&["--clients=2", "--stages=0:1"], "--stages"),
            (&["--clients=2", "--connections=5"], "--connections"),
            (&["--rate=5", "--stages=0:1"], "--stages"),
            (&["--rate=5", "--trace=f"], "--trace"),
            (&["--arrivals=poisson"], "--rate"),
            (&["--stages=0:1", "--arrivals=poisson"], "--arrivals"),
            (&["--rate=5", "--burst-size=3"], "--burst-size"),
            (&["--connections=5"], "--rate"),
            (
                &["--rate=1", "--connections=5", "--max-connections=4"],
                "--max-connections",
            ),
            (&["--rate=0"], "sends nothing"),
            (&["--rate=-1/s"], "--rate"),
            (&["--rate=nan"], "--rate"),
            (&["--rate=5/day"], "`day` is no unit"),
            (&["--stages=1s:5/s"], "begin at 0"),
            (&["--stages=0:5,2s:1,1s:2"], "stage 3 is before"),
            (&["--stages=0:0"], "no stage has a rate above 0"),
            (&["--stages=0"], "expected a time and a rate"),
            (&["--stages=0:1,x:2"], "`x:2`"),
            (&["--clients=0"], "--clients"),
            (&["--trace=/nowhere"], "cannot read the trace /nowhere"),
        ] {
            let error = pace(flags).expect_err(wanted);
            assert_eq!(error.exit_code(), 2, "{flags:?}");
            assert!(error.to_string().contains(wanted), "{flags:?}: {error}");
        }
    }
}
