//! The report of a sweep: throughput, latency and errors over the levels of load, the knee marked,
//! and a row a level with the way to its own report.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use maud::{Markup, html};

use super::charts::{self, Chart};
use super::export::{self, Picture};
use super::figures::{count, duration, nanos, percent, rate};
use super::run::{command_line, said};
use super::{ReportError, page as frame};
use crate::results::summary::RunData;

/// One level of load with its run.
#[derive(Debug, Clone, PartialEq)]
pub struct Level {
    /// What its place on the axis is called, such as `20` clients or `500/s`.
    pub label: String,
    /// Its folder, relative to the sweep's; its own report is in there.
    pub folder: String,
    /// Its run.
    pub data: RunData,
}

/// What a sweep's report shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Sweep {
    /// What it is called.
    pub title: String,
    /// What the load is: `clients` or `requests a second`.
    pub what: String,
    /// The server.
    pub base_url: String,
    /// When the first level began.
    pub started_at: Timestamp,
    /// The command line, to run it again.
    pub command: Vec<String>,
    /// The levels in the order in which they were run.
    pub levels: Vec<Level>,
    /// Which of them is the one beyond which more load buys waiting, where there is one.
    pub knee: Option<usize>,
    /// How it was found.
    pub knee_method: Option<String>,
    /// Why there is none.
    pub no_knee: Option<String>,
    /// What a reader must know first, a sentence each.
    pub remarks: Vec<String>,
}

/// The whole page.
#[must_use]
pub fn page(sweep: &Sweep) -> String {
    let body = html! {
        main.run {
            header {
                p.eyebrow { "Sweep over " (sweep.what) }
                h1 { (sweep.title) }
                p.lead {
                    (verdict(sweep))
                    code { (sweep.base_url) }
                    span { (sweep.started_at.strftime("%Y-%m-%d %H:%M:%S UTC")) }
                }
                @for remark in &sweep.remarks { p.callout { (remark) } }
                @for level in sweep.levels.iter().filter(|level| level.data.summary.interrupted) {
                    p.callout { "The level " (level.label) " was cut short: its figures cover what happened until then." }
                }
            }
            section {
                h2 { "By " (sweep.what) }
                div.charts { @for chart in &charts(sweep) { (chart.figure()) } }
            }
            (table(&sweep.what, &sweep.levels, sweep.knee))
            (method(sweep))
        }
        footer { "A folder a level stands beside this page, each with its own report." }
    };
    frame::document(&format!("Sweep {}", sweep.title), &body)
}

/// Writes every chart into a folder and gives the files' paths.
///
/// # Errors
/// When one cannot be written.
pub fn write_charts(
    dir: &Path,
    sweep: &Sweep,
    picture: Picture,
) -> Result<Vec<PathBuf>, ReportError> {
    export::write(dir, &charts(sweep), picture)
}

fn charts(sweep: &Sweep) -> Vec<Chart> {
    let labelled: Vec<_> = sweep
        .levels
        .iter()
        .map(|level| (level.label.as_str(), &level.data.stats))
        .collect();
    vec![
        charts::throughput_by_level(&sweep.what, &labelled, sweep.knee),
        charts::latency_by_level(&sweep.what, &labelled, sweep.knee),
        charts::errors_by_level(&sweep.what, &labelled, sweep.knee),
    ]
}

fn verdict(sweep: &Sweep) -> Markup {
    match sweep.knee.and_then(|at| sweep.levels.get(at)) {
        Some(level) => html! {
            span.verdict.good { "Knee at " (level.label) " " (sweep.what) ": "
                (rate(level.data.stats.goodput_rps)) ", p95 " (said(&level.data.stats.ok.last, 0.95)) }
        },
        None => html! {
            span.verdict.caution { "No knee within " (sweep.levels.len()) " levels"
                @if let Some(why) = &sweep.no_knee { ": " (why) } }
        },
    }
}

fn table(what: &str, levels: &[Level], knee: Option<usize>) -> Markup {
    html! {
        section {
            h2 { "Levels" }
            div.scroll tabindex="0" {
                table.figures {
                    thead { tr {
                        th { (what) } th { "Completed" } th { "Goodput" } th { "Requests" } th { "Without 2xx" }
                        th { "Mean" } th { "p50" } th { "p95" } th { "p99" } th { "Max" } th { "Late sends" } th {}
                    } }
                    tbody {
                        @for (i, level) in levels.iter().enumerate() {
                            (row(level, knee == Some(i)))
                        }
                    }
                }
            }
        }
    }
}

fn row(level: &Level, knee: bool) -> Markup {
    let stats = &level.data.stats;
    let last = &stats.ok.last;
    html! {
        tr.knee[knee] {
            th { a href={ (frame::path(&level.folder)) "/report.html" } { (level.label) } }
            td { (rate(stats.completed_rps)) } td { (rate(stats.goodput_rps)) }
            td { (count(stats.requests)) } td { (percent(stats.error_rate())) }
            td { (last.mean_ns.map_or_else(|| "–".to_owned(), duration)) }
            @for q in [0.5, 0.95, 0.99] { td { (said(last, q)) } }
            td { (nanos(last.max_ns)) } td { (count(stats.late_sends)) }
            td { @if knee { "knee" } @else if level.data.summary.interrupted { "cut short" } }
        }
    }
}

fn method(sweep: &Sweep) -> Markup {
    html! {
        section.method {
            h2 { "How it was measured" }
            ul {
                li { "Each level is a run of its own with nothing but its load changed, one after the other." }
                li { "The " strong { "knee" } " is the level beyond which more load buys more waiting than \
                    work" @if let Some(method) = &sweep.knee_method { ": " (method) } ". Levels are few: the \
                    true knee lies somewhere between its neighbours." }
                li { "Throughput is over the wall clock. Latencies are of 2xx replies, from the intended \
                    start; a quantile with too few samples is not shown." }
                li { "To run it again: " code { (command_line(&sweep.command)) } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::run::sample;

    fn sweep(knee: Option<usize>) -> Sweep {
        let level = |(clients, n): (u32, u64)| Level {
            label: clients.to_string(),
            folder: format!("{clients:05}-clients"),
            data: sample::of(n),
        };
        Sweep {
            title: "clients against <b>".to_owned(),
            what: "clients".to_owned(),
            base_url: "http://127.0.0.1:8000".to_owned(),
            started_at: Timestamp::UNIX_EPOCH,
            command: vec!["tidemark-bench".to_owned(), "sweep".to_owned()],
            levels: [(1, 12), (5, 200), (10, 1_000), (20, 3_300)]
                .map(level)
                .into(),
            knee,
            knee_method: Some("greatest power".to_owned()),
            no_knee: Some("add higher levels".to_owned()),
            remarks: Vec::new(),
        }
    }

    #[test]
    fn a_row_a_level_with_its_report_and_the_knee() {
        let page = page(&sweep(Some(2)));
        for folder in ["00001", "00005", "00010", "00020"] {
            let link = format!("href=\"./{folder}-clients/report.html\"");
            assert_eq!(page.matches(&link).count(), 1, "{folder}");
        }
        assert_eq!(page.matches("<tr class=\"knee\">").count(), 1);
        assert!(page.contains("Knee at 10 clients: ") && page.contains("greatest power"));
        assert!(page.contains("too few"), "twelve requests have no p95");
        assert_eq!(page.matches("<figcaption>").count(), 3);
        assert_eq!(page.matches("href=").count(), 4, "no other links");
        for outside in ["<script", "<link", "src=", "url(", "@import", "<b>"] {
            assert!(!page.contains(outside), "{outside}");
        }
    }

    #[test]
    fn no_level_and_no_knee_are_pages_too() {
        let mut none = sweep(None);
        none.levels.clear();
        for sweep in [none, sweep(None), sweep(Some(9))] {
            let page = page(&sweep);
            assert!(page.contains("No knee within") && page.contains(": add higher levels"));
            assert!(!page.contains("NaN") && !page.contains("inf\""));
        }
    }

    #[test]
    fn charts_stand_alone() {
        let dir = tempfile::tempdir().unwrap();
        let written = write_charts(dir.path(), &sweep(Some(1)), Picture::Svg).unwrap();
        assert_eq!(written.len(), 3);
    }
}
