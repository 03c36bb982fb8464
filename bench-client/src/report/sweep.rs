//! The report of a sweep: throughput, latency and errors over the levels of load, the knee marked,
//! and a row a level with the way to its own report.

use std::path::{Path, PathBuf};

use maud::{Markup, html};

use super::charts::{self, Chart};
use super::export::{self, Picture};
use super::figures::{count, duration, nanos, percent, rate};
use super::run::{command_line, said};
use super::{ReportError, atomic, page as frame};
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

/// The whole page. `what` names the load, such as `clients` or `requests a second`; `knee` is the
/// index of the level beyond which more load buys waiting, where there is one.
#[must_use]
pub fn page(title: &str, what: &str, levels: &[Level], knee: Option<usize>) -> String {
    let charts = charts(what, levels, knee);
    let body = html! {
        main.run {
            header {
                p.eyebrow { "Sweep over " (what) }
                h1 { (title) }
                p.lead {
                    (verdict(levels, knee))
                    @if let Some(first) = levels.first() {
                        code { (first.data.config.base_url) }
                        span { (first.data.config.started_at.strftime("%Y-%m-%d %H:%M:%S UTC")) }
                    }
                }
                @let cut = levels.iter().filter(|level| level.data.summary.interrupted);
                @for level in cut {
                    p.callout { "The level " (level.label) " was cut short: its figures cover what happened until then." }
                }
            }
            section {
                h2 { "By " (what) }
                div.charts { @for chart in &charts { (chart.figure()) } }
            }
            (table(what, levels, knee))
            (method(levels))
        }
        footer { "A folder a level stands beside this page, each with its own report." }
    };
    frame::document(&format!("Sweep {title}"), &body)
}

/// Writes `report.html` into the sweep's folder and gives its path.
///
/// # Errors
/// When it cannot be written.
pub fn write(
    dir: &Path,
    title: &str,
    what: &str,
    levels: &[Level],
    knee: Option<usize>,
) -> Result<PathBuf, ReportError> {
    let path = dir.join("report.html");
    let page = page(title, what, levels, knee);
    atomic::write(&path, page.as_bytes()).map_err(ReportError::at(&path))?;
    Ok(path)
}

/// Writes every chart into a folder and gives the files' paths.
///
/// # Errors
/// When one cannot be written.
pub fn write_charts(
    dir: &Path,
    what: &str,
    levels: &[Level],
    knee: Option<usize>,
    picture: Picture,
) -> Result<Vec<PathBuf>, ReportError> {
    export::write(dir, &charts(what, levels, knee), picture)
}

fn charts(what: &str, levels: &[Level], knee: Option<usize>) -> Vec<Chart> {
    let labelled: Vec<_> = levels
        .iter()
        .map(|level| (level.label.as_str(), &level.data.stats))
        .collect();
    vec![
        charts::throughput_by_level(what, &labelled, knee),
        charts::latency_by_level(what, &labelled, knee),
        charts::errors_by_level(what, &labelled, knee),
    ]
}

fn verdict(levels: &[Level], knee: Option<usize>) -> Markup {
    match knee.and_then(|at| levels.get(at)) {
        Some(level) => html! {
            span.verdict.good { "Knee at " (level.label) ": " (rate(level.data.stats.goodput_rps))
                ", p95 " (said(&level.data.stats.ok.last, 0.95)) }
        },
        None => html! { span.verdict.caution { "No knee within " (levels.len()) " levels" } },
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
            th { a href={ (path(&level.folder)) "/report.html" } { (level.label) } }
            td { (rate(stats.completed_rps)) } td { (rate(stats.goodput_rps)) }
            td { (count(stats.requests)) } td { (percent(stats.error_rate())) }
            td { (last.mean_ns.map_or_else(|| "–".to_owned(), duration)) }
            @for q in [0.5, 0.95, 0.99] { td { (said(last, q)) } }
            td { (nanos(last.max_ns)) } td { (count(stats.late_sends)) }
            td { @if knee { "knee" } @else if level.data.summary.interrupted { "cut short" } }
        }
    }
}

/// A relative path within a link: whatever the folder is called, it cannot become an address.
fn path(folder: &str) -> String {
    let mut out = String::from("./");
    for byte in folder.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_./".contains(&byte) {
            out.push(byte.into());
        } else {
            out += &format!("%{byte:02X}");
        }
    }
    out
}

fn method(levels: &[Level]) -> Markup {
    html! {
        section.method {
            h2 { "How it was measured" }
            ul {
                li { "Each level is a run of its own with nothing but its load changed, one after the other." }
                li { "The " strong { "knee" } " is the level beyond which more load buys more waiting than \
                    work. Levels are few: the true knee lies somewhere between its neighbours." }
                li { "Throughput is over the wall clock. Latencies are of 2xx replies, from the intended \
                    start; a quantile with too few samples is not shown." }
                @if let Some(first) = levels.first() {
                    li { "To run it again: " code { (command_line(&first.data.config.command)) } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::run::sample;

    fn levels() -> Vec<Level> {
        let level = |(clients, n): (u32, u64)| Level {
            label: clients.to_string(),
            folder: format!("{clients:05}-clients"),
            data: sample::of(n),
        };
        [(1, 12), (5, 200), (10, 1_000), (20, 3_300)]
            .map(level)
            .into()
    }

    #[test]
    fn a_row_a_level_with_its_report_and_the_knee() {
        let page = page("T", "clients", &levels(), Some(2));
        for folder in ["00001", "00005", "00010", "00020"] {
            let link = format!("href=\"./{folder}-clients/report.html\"");
            assert_eq!(page.matches(&link).count(), 1, "{folder}");
        }
        assert_eq!(page.matches("<tr class=\"knee\">").count(), 1);
        assert!(page.contains("Knee at 10: "));
        assert!(page.contains("too few"), "twelve requests have no p95");
        assert_eq!(page.matches("<figcaption>").count(), 3);
        assert_eq!(page.matches("href=").count(), 4, "no other links");
    }

    #[test]
    fn no_level_and_no_knee_are_pages_too() {
        for (levels, knee) in [(vec![], None), (levels(), None), (levels(), Some(9))] {
            let page = page("<b>", "clients", &levels, knee);
            assert!(page.contains("No knee within") && page.contains("&lt;b&gt;"));
            assert!(!page.contains("NaN") && !page.contains("inf\""));
        }
    }

    #[test]
    fn a_folder_is_never_an_address() {
        assert_eq!(path("00001-clients"), "./00001-clients");
        assert_eq!(
            path("javascript:alert(1)\"<"),
            "./javascript%3Aalert%281%29%22%3C"
        );
    }

    #[test]
    fn charts_stand_alone() {
        let dir = tempfile::tempdir().unwrap();
        let written =
            write_charts(dir.path(), "clients", &levels(), Some(1), Picture::Svg).unwrap();
        assert_eq!(written.len(), 3);
    }

    #[test]
    fn zz_preview() {
        if let Ok(dir) = std::env::var("REPORT_OUT") {
            std::fs::write(
                format!("{dir}/sweep.html"),
                page("clients against the stub", "clients", &levels(), Some(2)),
            )
            .unwrap();
        }
    }
}
