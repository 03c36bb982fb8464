//! `tidemark-bench sweep`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgGroup, Args};

use super::CommandError;
use super::args::{bounded, duration, usage};
use super::pace_args::{PaceArgs, Process, Rate};
use super::run::{BoundArgs, CommonArgs, listening};
use super::runs::{self, Own, Runs};
use super::workload_args::WorkloadArgs;
use crate::clock;
use crate::console;
use crate::load::run::RunSettings;
use crate::results::config::Bound;
use crate::sweep::level::{LEAST_REQUESTS, Level, LevelSpec, plan};
use crate::sweep::{self, LevelRow, Settings, SweepFile};

pub(super) const HELP: &str = "\
Examples:
  tidemark-bench sweep --clients 1,5,10,20,50                     a closed loop, 10 s a level
  tidemark-bench sweep --clients 1,10,100 --requests-per-client 50 --workload columns --batch 100
  tidemark-bench sweep --rates 100/s,200/s,400/s,800/s --arrivals poisson --duration 30s --out results/rates

Each level is a run with a folder of its own (00005-clients, 00100-rps) under the sweep's, beside report.html
and sweep.json with a row a level.
Levels have at least 10 requests; fewer are raised, and said. The knee is the level with the greatest goodput × share of good
replies / mean latency (Kleinrock's power): beyond it more load buys more waiting rather than more work.

Exit codes: 0 all replies were 2xx, 1 some were not or a level could not be run, 2 usage, 130 interrupted; finished levels are kept.";

/// Flags of `tidemark-bench sweep`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("levels").args(["clients", "rates"]).required(true))]
#[command(group = ArgGroup::new("open").args(["rates"]))]
pub struct SweepArgs {
    /// Closed loop: clients of each level, such as --clients 1,5,10,20
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = bounded(65_535))]
    #[arg(conflicts_with_all = ["arrivals", "burst_size", "connections", "max_connections"])]
    clients: Vec<u32>,

    /// Open loop: requests a second of each level, such as --rates 100/s,200/s,400/s
    #[arg(
        long,
        value_name = "RATE,…",
        value_delimiter = ',',
        allow_hyphen_values = true
    )]
    rates: Vec<Rate>,

    /// Time between two levels; 0s for none
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    pause: Duration,

    /// Folder for the levels and sweep.json, which must not hold a sweep yet [default:
    /// results/sweep_{run_id}]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// How the requests of --rates arrive [default: constant]
    #[arg(long, value_enum, value_name = "PROCESS", requires = "rates")]
    arrivals: Option<Process>,

    /// Requests at once with --arrivals burst [default: 10]
    #[arg(long, value_name = "N", requires = "rates", value_parser = bounded(1_000_000))]
    burst_size: Option<u32>,

    /// Open loop: connections opened before each level [default: 10]
    #[arg(long, value_name = "N", requires = "rates", value_parser = bounded(65_535))]
    connections: Option<u32>,

    /// Open loop: connections at most; requests that find none free wait [default: 1000]
    #[arg(long, value_name = "N", requires = "rates", value_parser = bounded(65_535))]
    max_connections: Option<u32>,

    #[command(flatten)]
    workload: WorkloadArgs,

    #[command(flatten)]
    bound: BoundArgs,

    #[command(flatten)]
    common: CommonArgs,
}

pub(super) fn run(args: SweepArgs) -> Result<ExitCode, CommandError> {
    let run_id = clock::unique_run_id();
    let (levels, pause) = (args.levels(), args.pause);
    let cost = args.common.cost.model();
    let base = args.into_settings(run_id)?;
    let plan = plan(&base.load, &levels).map_err(usage)?;
    let settings = Settings {
        out: base.out.clone(),
        run_id: base.run_id.clone(),
        name: base.name.clone(),
        command: base.command.clone(),
        base_url: base.base_url.to_string(),
        pause,
    };
    for spec in &plan {
        if let Some(note) = raised(spec) {
            console::note(note);
        }
    }
    let (runtime, stop) = listening()?;
    let runs = Runs {
        base,
        cost,
        runtime,
        stop,
    };
    let run_level = |spec: &LevelSpec, out: &Path| {
        let sweep = settings.name.as_deref().unwrap_or("sweep");
        let own = Own {
            name: format!("{sweep}: {}", in_words(spec.level)),
            folder: &spec.folder,
            workload: &runs.base.workload,
            load: &spec.load,
        };
        runs.run(own, out)
    };
    let base = &runs.base;
    let begun = runs::begun("sweep", &base.run_id, &settings.base_url, base.seed);
    // With the first level, so that a sweep that cannot begin prints nothing but why.
    let mut head = Some(format!("{begun}\n{:>16}{}", "", runs::COLUMNS));
    let show = |row: &LevelRow| {
        head.take().into_iter().for_each(console::out);
        let mark = runs::mark(row.interrupted, &row.not_valid);
        let (level, figures) = (in_words(row.level), runs::columns(&row.headline));
        console::out(format_args!("{level:>16}{figures}{mark}"));
    };
    let sweep = sweep::run(&settings, &plan, &runs.stop, run_level, show)?;
    let rows = sweep.levels.iter();
    let against = rows.map(|row| (row.folder.as_str(), row.not_valid.as_slice()));
    runs::explain(against).iter().for_each(console::out);
    console::out(knee(&sweep));
    let file = settings.out.join(sweep::FILE);
    console::out(format_args!("sweep: {}", file.display()));
    runs::report(&settings.out)?;
    let figures = sweep.levels.iter().map(|row| &row.headline);
    Ok(runs::exit_code(sweep.interrupted, figures))
}

impl SweepArgs {
    fn levels(&self) -> Vec<Level> {
        let clients = self.clients.iter().copied().map(Level::Clients);
        let rates = self.rates.iter().map(|Rate(per_s)| Level::PerS(*per_s));
        clients.chain(rates).collect()
    }

    /// The settings of a level that has the greatest load.
    fn into_settings(self, run_id: String) -> Result<RunSettings, CommandError> {
        let greatest = |a: &Rate, b: &Rate| a.0.total_cmp(&b.0);
        let pace = PaceArgs {
            clients: self.clients.iter().copied().max(),
            rate: self.rates.iter().copied().max_by(greatest),
            arrivals: self.arrivals,
            burst_size: self.burst_size,
            stages: None,
            trace: None,
            connections: self.connections,
            max_connections: self.max_connections,
        };
        let out = self
            .out
            .unwrap_or_else(|| PathBuf::from(format!("results/sweep_{run_id}")));
        let (workload, pace) = (self.workload.into_spec()?, pace.into_pace()?);
        let bound = self.bound.bound();
        Ok(self.common.settings(workload, pace, bound, run_id, out))
    }
}

fn in_words(level: Level) -> String {
    match level {
        Level::Clients(1) => "1 client".to_owned(),
        Level::Clients(clients) => format!("{clients} clients"),
        Level::PerS(per_s) => format!("{per_s}/s"),
    }
}

/// That a level has more requests than were asked for.
fn raised(spec: &LevelSpec) -> Option<String> {
    spec.raised_from?;
    let now = match spec.load.bound {
        Bound::RequestsPerClient { n } => format!("{n} requests a client"),
        Bound::Requests { n } => format!("{n} requests"),
        Bound::Duration { ns } => format!("{:?}", Duration::from_nanos(ns)),
    };
    let level = in_words(spec.level);
    Some(format!(
        "{level}: raised to {now}; a level has at least {LEAST_REQUESTS} requests"
    ))
}

fn knee(sweep: &SweepFile) -> String {
    match (&sweep.knee, sweep.no_knee) {
        (Some(knee), _) => format!("knee: {}", in_words(knee.level)),
        (None, Some(none)) => format!("knee: none: {none}"),
        (None, None) => "knee: none".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::results::config::{Arrivals, Pace};

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        sweep: SweepArgs,
    }

    fn planned(flags: &[&str]) -> Result<Vec<LevelSpec>, String> {
        let line = std::iter::once(&"x").chain(flags);
        let args = Line::try_parse_from(line)
            .map_err(|error| error.to_string())?
            .sweep;
        let levels = args.levels();
        let base = args
            .into_settings("id".into())
            .map_err(|error| error.to_string())?;
        plan(&base.load, &levels).map_err(|error| error.to_string())
    }

    #[test]
    fn levels_of_clients_or_of_a_rate() {
        let clients = planned(&["--clients=1,5,20", "--requests-per-client=3"]).unwrap();
        let folders: Vec<_> = clients.iter().map(|spec| spec.folder.as_str()).collect();
        assert_eq!(folders, ["00001-clients", "00005-clients", "00020-clients"]);
        let five = "5 clients: raised to";
        assert_eq!(raised(&clients[1]), None, "15 are enough, not {five}");
        assert_eq!(
            raised(&clients[0]).unwrap(),
            "1 client: raised to 10 requests a client; a level has at least 10 requests"
        );
        let rates = planned(&["--rates=30/min,200/s", "--arrivals=poisson"]).unwrap();
        let per_s = |spec: &LevelSpec| match spec.load.pace {
            Pace::Open {
                arrivals: Arrivals::Poisson { per_s },
                ..
            } => per_s,
            _ => panic!("{spec:?}"),
        };
        assert_eq!(rates.iter().map(per_s).collect::<Vec<_>>(), [0.5, 200.0]);
        assert_eq!(
            raised(&rates[0]).unwrap(),
            "0.5/s: raised to 20s; a level has at least 10 requests"
        );
    }

    #[test]
    fn what_cannot_make_levels_is_an_error_that_says_so() {
        for (flags, wanted) in [
            (&[][..], "--clients"),
            (&["--clients=1,5", "--rates=5"], "cannot be used with"),
            (&["--clients=0"], "--clients"),
            (&["--clients=5,1,5"], "the level 5 is there twice"),
            (
                &["--clients=5", "--arrivals=poisson"],
                "cannot be used with",
            ),
            (&["--arrivals=poisson"], "--rates"),
            (
                &["--rates=5", "--requests-per-client=5"],
                "cannot be used with",
            ),
            (
                &["--clients=5", "--requests=5", "--duration=5s"],
                "cannot be used with",
            ),
        ] {
            let error = planned(flags).expect_err(wanted);
            assert!(error.contains(wanted), "{flags:?}: {error}");
        }
    }
}
