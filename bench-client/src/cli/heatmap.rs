//! `tidemark-bench heatmap`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgGroup, Args};

use super::CommandError;
use super::args::{bounded, duration, usage};
use super::pace_args::PaceArgs;
use super::run::{BoundArgs, CommonArgs, listening};
use super::runs::{self, Own, Runs};
use super::workload_args::{Mix, WorkloadArgs};
use crate::clock;
use crate::console;
use crate::heatmap::{self, CellRow, CellSpec, Settings, plan};
use crate::load::response::Op;
use crate::results::config::{Share, WorkloadSpec};
use crate::tally::statistic::Statistic;

pub(super) const HELP: &str = "\
Examples:
  tidemark-bench heatmap --points-per-fit 50,200,1000 --batch 1,10,100
  tidemark-bench heatmap --batch 1,10,100,1000 --stat points_out_per_s --clients 20 --duration 30s
  tidemark-bench heatmap --points-per-fit 100,1000,10000 --workload fit --stat fit.p50 --out results/fits

Each cell is a run with a folder of its own (0000050-points-0000010-batch) under the heatmap's, beside heatmap.json and
heatmap.csv with a row a cell. A quantile of too few replies leaves its cell empty.

Exit codes: 0 all replies were 2xx, 1 some were not or a cell could not be run, 2 usage, 130 interrupted; finished cells are kept.";

/// Flags of `tidemark-bench heatmap`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("axes").args(["points_per_fit", "batch"]).required(true).multiple(true))]
pub struct HeatmapArgs {
    /// Points in the body of a fit, a row each [default: 200]
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    #[arg(value_parser = clap::value_parser!(u32).range(3..=1_000_000))]
    points_per_fit: Vec<u32>,

    /// Points in a request of columns or ndjson, a column each [default: 100]
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = bounded(1_000_000))]
    batch: Vec<u32>,

    /// What a cell shows, such as --stat p99, --stat first.p50 or --stat points_out_per_s
    #[arg(long, value_name = "STATISTIC", default_value = "p95")]
    stat: Statistic,

    /// Time between two cells; 0s for none
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    pause: Duration,

    /// Folder for the cells, heatmap.json and heatmap.csv, which must not hold a heatmap yet
    /// [default: results/heatmap_{run_id}]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    #[command(flatten)]
    workload: HeatmapWorkload,

    #[command(flatten)]
    pace: PaceArgs,

    #[command(flatten)]
    bound: BoundArgs,

    #[command(flatten)]
    common: CommonArgs,
}

/// What is sent, but for the sizes.
#[derive(Debug, Args)]
#[command(next_help_heading = "What is sent")]
struct HeatmapWorkload {
    /// Kinds of request with their weights: fit, predict, columns, ndjson, update, health, such as
    /// fit or columns=9,fit=1 [default: columns]
    #[arg(long, value_name = "MIX")]
    workload: Option<Mix>,

    /// Series that requests go to in turn [default: 100]
    #[arg(long, value_name = "N", value_parser = bounded(10_000_000))]
    series: Option<u32>,

    /// Different requests of a kind, made before the run and sent in turn
    /// [default: 1000, or as many of the largest as fit into 16 MiB]
    #[arg(long, value_name = "N", value_parser = bounded(10_000_000))]
    distinct: Option<u32>,

    /// Do not fit the series of predictions before each run
    #[arg(long)]
    no_set_up: bool,
}

pub(super) fn run(args: HeatmapArgs) -> Result<ExitCode, CommandError> {
    let run_id = clock::unique_run_id();
    let workload = args.workload.spec(&args.points_per_fit, &args.batch)?;
    let or = |given: &[u32], default| match given {
        [] => vec![default],
        given => given.to_vec(),
    };
    let points_per_fit = or(&args.points_per_fit, workload.points_per_fit);
    let batch = or(&args.batch, workload.batch);
    let cells = plan(&workload, &points_per_fit, &batch).map_err(usage)?;
    let out = args
        .out
        .unwrap_or_else(|| PathBuf::from(format!("results/heatmap_{run_id}")));
    let cost = args.common.cost.model();
    let pace = args.pace.into_pace()?;
    let base = args
        .common
        .settings(workload, pace, args.bound.bound(), run_id, out);
    let settings = Settings {
        out: base.out.clone(),
        run_id: base.run_id.clone(),
        name: base.name.clone(),
        command: base.command.clone(),
        base_url: base.base_url.to_string(),
        statistic: args.stat,
        pause: args.pause,
    };
    let (runtime, stop) = listening()?;
    let runs = Runs {
        base,
        cost,
        runtime,
        stop,
    };
    let run_cell = |spec: &CellSpec, out: &Path| {
        let heatmap = settings.name.as_deref().unwrap_or("heatmap");
        let (points, batch) = (spec.points_per_fit, spec.batch);
        let own = Own {
            name: format!("{heatmap}: {points} points a fit, batch {batch}"),
            folder: &spec.folder,
            workload: &spec.workload,
            load: &runs.base.load,
        };
        runs.run(own, out)
    };
    let base = &runs.base;
    let begun = runs::begun("heatmap", &base.run_id, &settings.base_url, base.seed);
    // With the first cell, so that a heatmap that cannot begin prints nothing but why.
    let mut head = Some(format!("{begun}\n{}", head(&settings.statistic)));
    let show = |row: &CellRow| {
        head.take().into_iter().for_each(console::out);
        console::out(line(row));
    };
    let heatmap = heatmap::run(&settings, &cells, &runs.stop, run_cell, show)?;
    let rows = heatmap.cells.iter();
    let against = rows.map(|row| (row.folder.as_str(), row.not_valid.as_slice()));
    runs::explain(against).iter().for_each(console::out);
    let file = settings.out.join(heatmap::FILE);
    console::out(format_args!("heatmap: {}", file.display()));
    runs::report(&settings.out)?;
    let figures = heatmap.cells.iter().map(|row| &row.headline);
    Ok(runs::exit_code(heatmap.interrupted, figures))
}

fn head(statistic: &Statistic) -> String {
    let value = format!("{statistic} {}", statistic.unit());
    let (points, batch, value) = ("points/fit", "batch", value.trim_end());
    format!("{points:>10}{batch:>10}{value:>20}{}", runs::COLUMNS)
}

fn line(row: &CellRow) -> String {
    let missing = if row.too_few { "too few" } else { "—" };
    let value = row
        .value
        .map_or(missing.to_owned(), |value| format!("{value:.3}"));
    let (points, batch) = (row.points_per_fit, row.batch);
    let mark = runs::mark(row.interrupted, &row.not_valid);
    let figures = runs::columns(&row.headline);
    format!("{points:>10}{batch:>10}{value:>20}{figures}{mark}")
}

impl HeatmapWorkload {
    /// The workload with the largest of the sizes, so that all cells have as many distinct requests.
    fn spec(&self, points_per_fit: &[u32], batch: &[u32]) -> Result<WorkloadSpec, clap::Error> {
        let columns = Share {
            op: Op::Columns,
            weight: 1,
        };
        let largest = WorkloadArgs {
            workload: Some(self.workload.clone().unwrap_or(Mix(vec![columns]))),
            series: self.series,
            points_per_fit: points_per_fit.iter().copied().max(),
            batch: batch.iter().copied().max(),
            distinct: self.distinct,
            payloads: None,
            no_set_up: self.no_set_up,
        };
        largest.into_spec()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        heatmap: HeatmapArgs,
    }

    fn parse(flags: &[&str]) -> Result<HeatmapArgs, clap::Error> {
        let line = std::iter::once(&"x").chain(flags);
        Ok(Line::try_parse_from(line)?.heatmap)
    }

    fn spec(flags: &[&str]) -> Result<WorkloadSpec, clap::Error> {
        let args = parse(flags)?;
        args.workload.spec(&args.points_per_fit, &args.batch)
    }

    #[test]
    fn axes_are_lists_and_one_is_enough() {
        let args = parse(&["--points-per-fit=50,200", "--batch=1,10,100"]).unwrap();
        assert_eq!((args.points_per_fit.len(), args.batch.len()), (2, 3));
        assert_eq!(args.stat.to_string(), "p95");
        let one = spec(&["--batch=1,10"]).unwrap();
        assert_eq!((one.points_per_fit, one.batch), (200, 10));
        assert_eq!(one.mix[0].op, Op::Columns);
    }

    #[test]
    fn what_cannot_make_a_grid_is_a_usage_error_that_says_so() {
        for (flags, wanted) in [
            (&[][..], "--points-per-fit"),
            (&["--points-per-fit=2"], "--points-per-fit"),
            (&["--batch=10", "--stat=p98"], "p99"),
            (&["--batch=10,20", "--workload=fit"], "--batch"),
            (
                &["--points-per-fit=10", "--workload=health"],
                "--points-per-fit",
            ),
        ] {
            let error = spec(flags).expect_err(wanted);
            assert_eq!(error.exit_code(), 2, "{flags:?}");
            assert!(error.to_string().contains(wanted), "{flags:?}: {error}");
        }
    }
}
