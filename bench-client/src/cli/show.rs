//! `tidemark-bench show`.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::CommandError;
use super::args::{duration, usage};
use super::figure::Figure;
use crate::console;
use crate::load::response::{Op, OutcomeClass};
use crate::results::filter::Filter;
use crate::results::load::{self, Figures, Loaded};
use crate::results::text::{self, Table};

pub(super) const HELP: &str = "\
Examples:
  tidemark-bench show results/run_20261125_120000
  tidemark-bench show results/sweep/* --stat p50 --stat p99 --stat completed_rps
  tidemark-bench show results/run --from 10s --to 30s --op predict
  tidemark-bench show results/run --outcome shed --above 10ms
  tidemark-bench show results/run --format json | jq '.[0].stats.ok.last.quantiles'

Figures are computed again from responses.jsonl, about two million responses a second; --quick takes
those of stats.json instead.

Statistics
  of the latency of 2xx replies in ms  p50 p75 p90 p95 p99 p99.9 p99.99 min max mean stddev count
  the same of another distribution     first.p95 service.p50 per_point.mean send_lag.p99 server.p50
  of failures                          shed.p99 refused.p50 failed.p50 timed_out.max transport.max
  of a kind of request                 predict.p99 predict.first.p50; fit columns ndjson update
                                       health custom
  of the run                           requests ok shed refused failed timed_out transport
                                       error_rate good completed_rps goodput_rps offered_rps
                                       requests_per_minute late_sends wall points_in points_out
                                       points_in_per_s points_out_per_s bytes_in bytes_out
  of the run's prices                  cost.total cost.points cost.fits cost.instances
                                       cost.per_1000_ok cost.per_million_points cost.per_hour";

/// Flags of `tidemark-bench show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Folders of runs
    #[arg(required = true, value_name = "DIR")]
    pub dirs: Vec<PathBuf>,

    /// Which responses
    #[command(flatten)]
    pub filter: FilterArgs,

    /// What to print
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,

    /// Only this figure, such as --stat p99; may be given several times
    #[arg(long, value_name = "NAME")]
    pub stat: Vec<Figure>,

    /// Take the figures of stats.json as they are, without reading the responses
    #[arg(long, conflicts_with = "filter")]
    pub quick: bool,
}

/// Which responses of a run are looked at.
#[derive(Debug, Args)]
#[group(id = "filter", multiple = true)]
pub struct FilterArgs {
    /// Only these kinds of request, such as --op predict,fit
    #[arg(long, value_name = "OP", value_delimiter = ',')]
    pub op: Vec<Op>,

    /// Only these outcomes, such as --outcome shed,timed_out
    #[arg(long, value_name = "CLASS", value_delimiter = ',', value_parser = outcomes())]
    pub outcome: Vec<OutcomeClass>,

    /// Only these statuses, such as --status 200,429; -1 is no reply
    #[arg(
        long,
        value_name = "N",
        value_delimiter = ',',
        allow_negative_numbers = true
    )]
    pub status: Vec<i32>,

    /// Only these requests, such as --index 100-199 or --index 5000-
    #[arg(long, value_name = "A-B", value_parser = range)]
    pub index: Option<RangeInclusive<u64>>,

    /// Only requests intended at this time of the run or later, such as --from 10s; times count
    /// from then on
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub from: Option<Duration>,

    /// Only requests intended before this time of the run, such as --to 30s
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub to: Option<Duration>,

    /// Only latencies above this, such as --above 100ms
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub above: Option<Duration>,

    /// Only latencies below this
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub below: Option<Duration>,
}

/// How a run is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Text,
    /// An array with an object a folder
    Json,
}

pub(super) fn run(args: ShowArgs) -> Result<ExitCode, CommandError> {
    let filter = args.filter.filter()?;
    if !filter.is_everything()
        && let Some(figure) = args.stat.iter().find(|figure| figure.is_of_the_whole())
    {
        return Err(usage(format!(
            "--stat {figure} is of the run as a whole, and not of the responses that pass a filter"
        ))
        .into());
    }
    let mut runs = Vec::with_capacity(args.dirs.len());
    for dir in &args.dirs {
        let loaded = if args.quick {
            load::load_stats_only(dir)?
        } else {
            load::open(dir, &filter)?
        };
        runs.push((dir.as_path(), loaded));
    }
    if args.format == Format::Text && !args.stat.is_empty() {
        // A table has no place for them.
        for (dir, loaded) in &runs {
            for note in &loaded.notes {
                console::note(format_args!("note: {}: {note}", dir.display()));
            }
        }
    }
    console::out(match (args.format, args.stat.is_empty()) {
        (Format::Json, _) => {
            let runs = runs
                .iter()
                .map(|(dir, loaded)| as_json(dir, loaded, &args.stat));
            format!("{:#}", runs.collect::<Value>())
        }
        (Format::Text, true) => {
            let runs = runs.iter().map(|(dir, loaded)| as_text(dir, loaded));
            runs.collect::<Vec<_>>().join("\n\n")
        }
        (Format::Text, false) => as_table(&runs, &args.stat),
    });
    Ok(ExitCode::SUCCESS)
}

fn as_text(dir: &Path, loaded: &Loaded) -> String {
    let figures = match loaded.figures {
        Figures::Recomputed(n) => format!("computed again from {} responses", text::count(n)),
        Figures::Saved => "those of stats.json".to_owned(),
    };
    let notes = loaded.notes.iter().map(|note| format!("note: {note}\n"));
    let notes: String = notes.collect();
    let run = text::render(&loaded.run);
    format!("{}: figures {figures}\n{notes}{run}", dir.display())
}

/// A row a folder, a column a figure.
fn as_table(runs: &[(&Path, Loaded)], wanted: &[Figure]) -> String {
    let mut table = Table::right(0);
    let mut head = vec![String::new()];
    head.extend(wanted.iter().map(Figure::head));
    table.row(head);
    for (dir, loaded) in runs {
        let mut row = vec![dir.display().to_string()];
        row.extend(wanted.iter().map(|figure| figure.cell(&loaded.run)));
        table.row(row);
    }
    table.to_string()
}

fn as_json(dir: &Path, loaded: &Loaded, wanted: &[Figure]) -> Value {
    let run = &loaded.run;
    let head = json!({
        "dir": dir.display().to_string(),
        "figures": match loaded.figures {
            Figures::Recomputed(_) => "recomputed",
            Figures::Saved => "saved",
        },
        "notes": loaded.notes,
    });
    let rest = if wanted.is_empty() {
        json!({"config": run.config, "summary": run.summary, "stats": run.stats})
    } else {
        let too_few = wanted.iter().filter(|figure| figure.has_too_few(run));
        let value = |figure: &Figure| (figure.to_string(), json!(figure.read(run)));
        json!({
            "values": wanted.iter().map(value).collect::<Value>(),
            "too_few": too_few.map(Figure::to_string).collect::<Value>(),
        })
    };
    let parts = [head, rest].into_iter().filter_map(|part| match part {
        Value::Object(part) => Some(part),
        _ => None,
    });
    parts.flatten().collect()
}

impl FilterArgs {
    fn filter(self) -> Result<Filter, clap::Error> {
        if let (Some(from), Some(to)) = (self.from, self.to)
            && from >= to
        {
            return Err(usage(
                "--from is not before --to: no request is between them",
            ));
        }
        if let (Some(above), Some(below)) = (self.above, self.below)
            && above >= below
        {
            return Err(usage(
                "--above is not less than --below: no latency is between them",
            ));
        }
        let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        Ok(Filter {
            ops: self.op,
            outcomes: self.outcome,
            statuses: self.status,
            indices: self.index,
            from_ns: self.from.map(ns),
            to_ns: self.to.map(ns),
            above_ns: self.above.map(ns),
            below_ns: self.below.map(ns),
        })
    }
}

fn outcomes() -> impl TypedValueParser<Value = OutcomeClass> {
    let names = PossibleValuesParser::new(OutcomeClass::ALL.map(OutcomeClass::name));
    names.try_map(|name| {
        let class = OutcomeClass::ALL
            .into_iter()
            .find(|class| class.name() == name);
        class.ok_or("not an outcome")
    })
}

/// `5`, `5-9`, `5-` or `-9`.
fn range(text: &str) -> Result<RangeInclusive<u64>, String> {
    let number = |text: &str, empty: u64| match text {
        "" => Ok(empty),
        text => text
            .parse()
            .map_err(|_| format!("{text:?} is not a request's number")),
    };
    let (first, last) = match text.split_once('-') {
        Some((first, last)) if !(first.is_empty() && last.is_empty()) => {
            (number(first, 0)?, number(last, u64::MAX)?)
        }
        Some(_) => return Err("expected a range, such as 100-199".to_owned()),
        None => {
            let only = text
                .parse()
                .map_err(|_| "expected a range, such as 100-199".to_owned())?;
            (only, only)
        }
    };
    if first > last {
        return Err(format!("{first} is after {last}"));
    }
    Ok(first..=last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use crate::tally::statistic::Statistic;
    use clap::Parser;

    fn parse(flags: &[&str]) -> Result<ShowArgs, clap::Error> {
        let line = ["tidemark-bench", "show"].iter().chain(flags);
        match Cli::try_parse_from(line)?.command {
            Command::Show(args) => Ok(args),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn flags_reach_the_filter() {
        let args = parse(&[
            "a",
            "b",
            "--op=predict,fit",
            "--outcome=shed,timed_out",
            "--status=-1,429",
            "--index=5-9",
            "--from=1m",
            "--to=90s",
            "--above=1ms",
            "--below=2s",
        ])
        .unwrap();
        assert_eq!(args.dirs.len(), 2);
        let expected = Filter {
            ops: vec![Op::Predict, Op::Fit],
            outcomes: vec![OutcomeClass::Shed, OutcomeClass::TimedOut],
            statuses: vec![-1, 429],
            indices: Some(5..=9),
            from_ns: Some(60_000_000_000),
            to_ns: Some(90_000_000_000),
            above_ns: Some(1_000_000),
            below_ns: Some(2_000_000_000),
        };
        assert_eq!(args.filter.filter().unwrap(), expected);
        let all = parse(&["a"]).unwrap().filter.filter();
        assert!(all.unwrap().is_everything());
    }

    #[test]
    fn ranges_may_be_open() {
        assert_eq!(range("7"), Ok(7..=7));
        assert_eq!(range("7-"), Ok(7..=u64::MAX));
        assert_eq!(range("-7"), Ok(0..=7));
        for wrong in ["", "-", "a", "1-b", "9-1", "1..5"] {
            range(wrong).expect_err(wrong);
        }
    }

    #[test]
    fn unusable_flags_are_usage_errors() {
        for flags in [
            &[][..],
            &["a", "--op=nothing"],
            &["a", "--outcome=good"],
            &["a", "--stat=p42"],
            &["a", "--from=10"],
            &["a", "--quick", "--op=fit"],
            &["a", "--quick", "--from=1s"],
        ] {
            assert_eq!(parse(flags).expect_err("usage").exit_code(), 2, "{flags:?}");
        }
    }

    #[test]
    fn filters_that_nothing_could_pass_are_usage_errors() {
        for (flags, wanted) in [
            (&["a", "--from=2s", "--to=1s"][..], "--from is not before"),
            (&["a", "--from=1s", "--to=1s"], "--from is not before"),
            (&["a", "--above=2ms", "--below=1ms"], "--above is not less"),
        ] {
            let error = parse(flags).unwrap().filter.filter().expect_err(wanted);
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains(wanted), "{error}");
        }
    }

    #[test]
    fn every_statistic_is_in_the_help() {
        for name in Statistic::names() {
            let named = name.split('.').all(|part| HELP.contains(part));
            assert!(named, "{name}");
        }
    }
}
