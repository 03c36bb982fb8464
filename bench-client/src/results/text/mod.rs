//! A run's figures for a terminal: throughput, latency with intervals, outcomes, errors, client.

use std::fmt::Write;

use super::config::{Arrivals, Bound, LoadSpec, Pace, WorkloadSpec};
use super::summary::{Answers, ClientUse, RunData, RunSummary, WrongAnswer};
use crate::chaos::{self, ChaosFigures};
use crate::load::response::OutcomeClass;
use crate::server_side::{self, ServerFigures};
use crate::tally::littles_law::LittlesLaw;
use crate::tally::statistic::{Reading, Statistic, Unit};
use crate::tally::stats::RunStats;

mod latency;
mod numbers;
mod server;
mod table;

pub use self::numbers::{bytes, count, duration, ms, rate, share};
pub use self::table::Table;

/// Errors that are listed.
const ERRORS: usize = 10;

/// One figure without its unit; `too few` and `—` where it has no value.
#[must_use]
pub fn figure(statistic: &Statistic, stats: &RunStats) -> String {
    let value = match statistic.reading(stats) {
        Reading::Value(value) => value,
        Reading::TooFew => return "too few".to_owned(),
        Reading::None => return "—".to_owned(),
    };
    match statistic.unit() {
        Unit::Milliseconds => ms(value * 1e6),
        Unit::Share => share(value),
        Unit::Count | Unit::Bytes => count(value as u64),
        Unit::PerSecond | Unit::PerMinute => rate(value),
    }
}

/// The whole of a run, several lines without a last line end.
#[must_use]
pub fn render(run: &RunData) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut text, run);
    text.truncate(text.trim_end().len());
    text
}

fn write(text: &mut String, run: &RunData) -> std::fmt::Result {
    let (config, summary, stats) = (&run.config, &run.summary, &run.stats);
    let name = config.name.as_deref().map(|name| format!(" {name:?}"));
    writeln!(
        text,
        "Run {}{}, {}",
        config.run_id,
        name.unwrap_or_default(),
        config.base_url
    )?;
    writeln!(text, "  {}", load(&config.load))?;
    if !config.merged_from.is_empty() {
        let runs = config.merged_from.iter();
        let dirs: Vec<&str> = runs.map(|run| run.dir.as_str()).collect();
        writeln!(text, "  merged from {}", dirs.join(", "))?;
    }
    state(text, summary, stats)?;
    writeln!(text, "  {}", workload(&config.workload))?;
    writeln!(text, "  {}", client_settings(&config.load))?;
    if let Some(of) = &summary.answers {
        answers(text, of)?;
    }
    throughput(text, config.load.good_within_ns, stats)?;
    latency::write(text, stats)?;
    outcomes(text, stats)?;
    errors(text, stats)?;
    client(text, summary, stats)?;
    if let Some(figures) = ServerFigures::of_run(&summary.contributed) {
        server::write(text, &figures)?;
    }
    for (hook, figures) in &summary.contributed {
        match ChaosFigures::of(&summary.contributed) {
            Some(figures) if hook == chaos::NAME => acts(text, &figures)?,
            _ if hook == server_side::NAME => {}
            _ => writeln!(text, "\n{hook}\n  {figures}")?,
        }
    }
    Ok(())
}

/// What was done to the server, a line each.
fn acts(text: &mut String, figures: &ChaosFigures) -> std::fmt::Result {
    writeln!(text, "\nDone to the server")?;
    for act in &figures.acts {
        let at_s = act.did_s.unwrap_or(act.planned_s);
        let (action, result, recovery) = (&act.action, &act.result, act.recovery);
        writeln!(text, "  {at_s:>6.1} s  {action}: {result}; {recovery}")?;
    }
    Ok(())
}

/// The load in a line.
fn load(load: &LoadSpec) -> String {
    let pace = match &load.pace {
        Pace::Closed { clients } => format!("closed loop, {clients} clients"),
        Pace::Open { arrivals, .. } => match arrivals {
            Arrivals::Constant { per_s } => format!("open loop, {per_s}/s at equal distances"),
            Arrivals::Poisson { per_s } => format!("open loop, Poisson {per_s}/s"),
            Arrivals::Burst { per_s, size } => format!("open loop, {per_s}/s in bursts of {size}"),
            Arrivals::Stages { stages } => format!("open loop, rate in {} stages", stages.len()),
            Arrivals::Trace { path, .. } => format!("open loop, arrivals of {path}"),
        },
    };
    let bound = match load.bound {
        Bound::RequestsPerClient { n } => format!("{} requests each", count(n)),
        Bound::Requests { n } => format!("{} requests", count(n)),
        Bound::Duration { ns } => duration(ns),
    };
    format!("{pace}, {bound}")
}

/// What is sent in a line, such as `predict 8, fit 1, over 100 series, seed 7`.
fn workload(spec: &WorkloadSpec) -> String {
    let kinds = spec.mix.iter().map(|share| match spec.mix.len() {
        1 => share.op.name().to_owned(),
        _ => format!("{} {}", share.op.name(), share.weight),
    });
    let kinds = kinds.collect::<Vec<_>>().join(", ");
    match &spec.payloads {
        Some(file) => format!("{kinds}, from {}", file.path),
        None => format!("{kinds}, over {} series", count(spec.series.into())),
    }
}

/// How this client sends: what a figure depends on and a server does not see.
fn client_settings(load: &LoadSpec) -> String {
    let connections = match load.pace {
        Pace::Closed { .. } => String::new(),
        Pace::Open {
            connections,
            max_connections,
            ..
        } => format!("{connections} to {max_connections} connections, "),
    };
    format!(
        "{connections}{}, timeout {}, HTTP/1.1 keep-alive, TCP_NODELAY",
        match load.threads {
            1 => "1 sending thread".to_owned(),
            threads => format!("{threads} sending threads"),
        },
        duration(load.timeout_ns)
    )
}

fn state(text: &mut String, summary: &RunSummary, stats: &RunStats) -> std::fmt::Result {
    if let Some(validity) = summary.validity.as_ref().filter(|it| !it.valid) {
        writeln!(text, "  NOT A VALID MEASUREMENT")?;
        for reason in &validity.reasons {
            writeln!(text, "    {reason}")?;
        }
    }
    if summary.interrupted {
        let planned = summary
            .planned
            .map(|planned| format!(" of {}", count(planned)));
        let planned = planned.unwrap_or_default();
        writeln!(
            text,
            "  INTERRUPTED after {}{planned} requests",
            count(stats.requests)
        )?;
    }
    for (n, what) in [
        (summary.unsent, "arrivals were due and never sent"),
        (summary.dropped, "requests in flight were dropped"),
    ] {
        if let Some(n) = n.filter(|&n| n > 0) {
            writeln!(text, "  {} {what}", count(n))?;
        }
    }
    if summary.before.failed > 0 {
        let failed = count(summary.before.failed);
        writeln!(text, "  {failed} untimed requests before the run failed:")?;
        for failure in &summary.before.failures {
            writeln!(text, "    {failure}")?;
        }
    }
    Ok(())
}

fn answers(text: &mut String, answers: &Answers) -> std::fmt::Result {
    let Answers {
        checked,
        points,
        wrong,
        wrong_points,
        wrong_in_time: _,
        undecidable,
        unchecked,
        examples,
    } = answers;
    writeln!(
        text,
        "\nAnswers\n  {} replies with {} points checked, {} not; {} points undecidable",
        count(*checked),
        count(*points),
        count(*unchecked),
        count(*undecidable)
    )?;
    if *wrong > 0 {
        writeln!(
            text,
            "  WRONG ANSWERS: {} replies, {} points",
            count(*wrong),
            count(*wrong_points)
        )?;
    }
    for WrongAnswer {
        index,
        series,
        what,
    } in examples
    {
        writeln!(text, "    request {index}, series {series}: {what}")?;
    }
    Ok(())
}

fn throughput(text: &mut String, good_within_ns: u64, stats: &RunStats) -> std::fmt::Result {
    let window = &stats.send_window;
    let per_s =
        |value: Option<f64>| value.map_or("—".to_owned(), |value| format!("{}/s", rate(value)));
    let mut table = Table::left(2);
    let good = format!("2xx within {}", duration(good_within_ns));
    let row =
        |name: &str, value: String, means: &str| vec![name.to_owned(), value, means.to_owned()];
    table.row(row(
        "completed",
        per_s(stats.completed_rps),
        "requests with any outcome",
    ));
    table.row(row("good", per_s(stats.goodput_rps), &good));
    table.row(row("points in", per_s(stats.points_in_per_s), "sent"));
    table.row(row("points out", per_s(stats.points_out_per_s), "scored"));
    writeln!(
        text,
        "\nThroughput by the wall clock ({})",
        duration(stats.wall_ns)
    )?;
    writeln!(text, "{table}")?;
    let mut table = Table::left(2);
    let minute = window.requests_per_minute;
    let minute = minute.map_or("—".to_owned(), |value| format!("{}/min", rate(value)));
    table.row(row(
        "offered",
        per_s(window.offered_rps),
        "(N − 1) / window",
    ));
    table.row(row(
        "per minute",
        minute,
        "60 · N / window, as LLMeter has it",
    ));
    writeln!(
        text,
        "\nThroughput by the send window ({} from first send to last)",
        duration(window.window_ns)
    )?;
    writeln!(text, "{table}")?;
    if window.says_nothing && stats.requests > 0 {
        writeln!(
            text,
            "  The send window is shorter than the median latency: its rates say nothing."
        )?;
    }
    Ok(())
}

fn outcomes(text: &mut String, stats: &RunStats) -> std::fmt::Result {
    let mut table = Table::right(2);
    let of = |n: u64| share(n as f64 / stats.requests.max(1) as f64);
    for (class, &n) in &stats.outcomes {
        if n > 0 || *class == OutcomeClass::Ok {
            table.row(vec![class.name().to_owned(), count(n), of(n)]);
        }
    }
    writeln!(text, "\nOutcomes of {} requests", count(stats.requests))?;
    writeln!(text, "{table}")?;
    let status = |(status, n): (&i32, &u64)| match status {
        -1 => format!("no reply × {}", count(*n)),
        status => format!("{status} × {}", count(*n)),
    };
    let statuses: Vec<String> = stats.statuses.iter().map(status).collect();
    writeln!(
        text,
        "  by status: {}",
        if statuses.is_empty() {
            "—".to_owned()
        } else {
            statuses.join(", ")
        }
    )
}

fn errors(text: &mut String, stats: &RunStats) -> std::fmt::Result {
    if stats.errors.is_empty() {
        return Ok(());
    }
    writeln!(text, "\nErrors")?;
    let (listed, rest) = stats.errors.split_at(stats.errors.len().min(ERRORS));
    for kind in listed {
        // One line an error, whatever a server put into it.
        let message: String = kind
            .message
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        writeln!(
            text,
            "  {} × {message} (first: request {})",
            count(kind.count),
            kind.first_index
        )?;
    }
    let others = stats.other_errors + rest.iter().map(|kind| kind.count).sum::<u64>();
    if others > 0 {
        writeln!(text, "  {} others", count(others))?;
    }
    Ok(())
}

fn client(text: &mut String, summary: &RunSummary, stats: &RunStats) -> std::fmt::Result {
    writeln!(text, "\nClient")?;
    let late = stats.late_sends;
    let of = share(late as f64 / stats.requests.max(1) as f64);
    writeln!(
        text,
        "  late sends {} ({of}), more than 1 ms after they were meant to be; {} by the client itself",
        count(late),
        count(stats.late_by_client)
    )?;
    writeln!(
        text,
        "  sent {}, received {}",
        bytes(stats.bytes_out),
        bytes(stats.bytes_in)
    )?;
    let Some(used) = &summary.client_use else {
        return Ok(());
    };
    let ClientUse {
        cpu_s,
        cpu_share,
        max_rss_bytes,
        connections,
        reconnects,
        senders_share,
        waited_for_disk_ns,
        in_flight_ns: _,
    } = used;
    let of_machine = cpu_share.map(|part| format!(" ({} of the processors)", share(part)));
    writeln!(
        text,
        "  processor time {cpu_s:.2} s{}, memory {}",
        of_machine.unwrap_or_default(),
        bytes(*max_rss_bytes)
    )?;
    if let Some(part) = senders_share {
        let part = share(*part);
        writeln!(text, "  threads that send: {part} of their processors")?;
    }
    writeln!(
        text,
        "  {} connections, {} of them after a loss",
        count(*connections),
        count(*reconnects)
    )?;
    if let Some(law) = LittlesLaw::of(stats, used) {
        writeln!(
            text,
            "  Little's law: {:.3} requests in flight, rate × latency {:.3}, {} apart",
            law.in_flight,
            law.per_s * law.each_s,
            share(law.residual())
        )?;
    }
    if *waited_for_disk_ns > 0 {
        writeln!(
            text,
            "  waited {} for the disk",
            duration(*waited_for_disk_ns)
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::latency::QUANTILES;
    use super::*;
    use crate::results::fixture;
    use crate::results::summary::Validity;
    use crate::tally::tests::{records, sample_stats, tally};

    fn run(stats: RunStats) -> RunData {
        let config = fixture::config(Bound::Requests { n: stats.requests });
        RunData {
            summary: fixture::summary(&config, &stats),
            config,
            stats,
            timeline: Vec::new(),
        }
    }

    #[test]
    fn a_run_has_all_its_parts() {
        let run = run(sample_stats(20_000));
        let text = render(&run);
        let p99 = run.stats.ok.last.at(0.99).unwrap();
        let interval = format!(
            "{}–{}",
            ms(p99.low_ns.unwrap() as f64),
            ms(p99.high_ns.unwrap() as f64)
        );
        for part in [
            "Run 20261125_120000, http://127.0.0.1:8000",
            "closed loop, 4 clients, 20 000 requests",
            "Throughput by the wall clock",
            "Throughput by the send window",
            "60 · N / window",
            "Outcomes of 20 000 requests",
            "429 × ",
            "no reply × ",
            "Errors",
            "late sends ",
            "cost\n  {\"per_million_points\":0.30000000000000004}",
            &ms(p99.value_ns as f64),
            &interval,
        ] {
            assert!(text.contains(part), "{part:?} in\n{text}");
        }
        assert!(
            text.lines().all(|line| line.chars().count() <= 160),
            "{text}"
        );
    }

    #[test]
    fn a_figure_without_a_value_says_why() {
        let stats = sample_stats(100);
        let shown = |name: &str| figure(&name.parse().unwrap(), &stats);
        assert_eq!(shown("requests"), "100");
        assert_eq!(shown("p99.9"), "too few");
        assert_eq!(figure(&"p50".parse().unwrap(), &sample_stats(0)), "—");
        assert!(
            shown("error_rate").ends_with(" %"),
            "{}",
            shown("error_rate")
        );
    }

    #[test]
    fn quantiles_of_too_few_are_not_printed() {
        let mut few = records(1, 7, 1_000_000_000);
        few.iter_mut()
            .for_each(|record| record.class = OutcomeClass::Ok);
        let text = render(&run(tally(&few).stats()));
        let last = text
            .lines()
            .find(|line| line.trim_start().starts_with("last"))
            .unwrap();
        assert_eq!(last.matches("too few").count(), QUANTILES.len(), "{text}");
        few.extend(few.clone());
        let text = render(&run(tally(&few).stats()));
        let last = text
            .lines()
            .find(|line| line.trim_start().starts_with("last"))
            .unwrap();
        assert_eq!(
            last.matches("too few").count(),
            QUANTILES.len() - 1,
            "{text}"
        );
    }

    #[test]
    fn a_run_without_responses_is_printable() {
        let text = render(&run(sample_stats(0)));
        assert!(text.contains("Outcomes of 0 requests"), "{text}");
        assert!(!text.contains("NaN"), "{text}");
    }

    #[test]
    fn a_run_that_measured_its_client_says_so_at_its_head() {
        let mut run = run(sample_stats(10));
        assert!(!render(&run).contains("VALID"));
        run.summary.validity = Some(Validity::of(vec!["out of breath".to_owned()]));
        let text = render(&run);
        let head: Vec<&str> = text.lines().skip(2).take(2).collect();
        assert_eq!(head, ["  NOT A VALID MEASUREMENT", "    out of breath"]);
    }

    #[test]
    fn a_run_that_was_cut_short_says_so() {
        let mut run = run(sample_stats(10));
        run.summary.interrupted = true;
        run.summary.planned = Some(1_000);
        assert!(render(&run).contains("INTERRUPTED after 10 of 1000 requests"));
    }
}
