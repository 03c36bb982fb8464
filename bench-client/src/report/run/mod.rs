//! The report of a run: charts first, then figures, then what they were measured with and how.
//! A pure function of what the run's folder has.

mod acts;
mod header;
mod latencies;
mod method;
#[cfg(test)]
pub(super) mod sample;
mod server_side;
mod setup;
mod tables;
#[cfg(test)]
mod tests;
mod words;

use maud::{Markup, html};

use std::path::{Path, PathBuf};

use super::charts::{self, Chart, Row};
use super::export::{self, Picture};
use super::{ReportError, atomic, markdown, page as frame};
use crate::load::response::OutcomeClass;
use crate::results::summary::RunData;

pub(super) use super::charts::class_name;

pub(super) use self::header::{remarks, said, verdict};
pub(super) use self::words::{bound, command_line, op_name, pace};

/// The whole page.
#[must_use]
pub fn page(run: &RunData) -> String {
    let charts = charts(run);
    let (wide, narrow): (Vec<&Chart>, Vec<&Chart>) =
        charts.iter().partition(|chart| chart.is_wide());
    let body = html! {
        main.run {
            (header::header(run))
            (header::tiles(run))
            section {
                h2 { "Over time" }
                @for chart in &wide { (chart.figure()) }
            }
            section {
                h2 { "Distributions and outcomes" }
                div.charts { @for chart in &narrow { (chart.figure()) } }
            }
            (latencies::section(&run.stats))
            (tables::rates(run))
            (tables::outcomes(&run.stats))
            (acts::section(run))
            (server_side::section(run))
            (tables::contributed(&run.summary.contributed))
            (setup::section(run))
            (method::section(run))
        }
        footer {
            "Beside this page: " code { "summary.json" } ", " code { "stats.json" } ", "
            code { "run_config.json" } ", " code { "responses.jsonl" } " (a line a request) and "
            code { "latency.hlog" } ". Made by "
            (run.config.client.name) " " (run.config.client.version) "."
        }
    };
    frame::document(&format!("Load test {}", title(run)), &body)
}

/// `summary.md`: the run for a pull request.
#[must_use]
pub fn summary(run: &RunData) -> String {
    markdown::summary(run)
}

/// Writes `report.html` and `summary.md` into the run's folder and gives the page's path.
///
/// # Errors
/// When one cannot be written.
pub fn write(dir: &Path, run: &RunData) -> Result<PathBuf, ReportError> {
    let put = |name: &str, content: String| {
        let path = dir.join(name);
        atomic::write(&path, content.as_bytes()).map_err(ReportError::at(&path))?;
        Ok(path)
    };
    put("summary.md", summary(run))?;
    put("report.html", page(run))
}

/// Writes every chart into a folder and gives the files' paths.
///
/// # Errors
/// When one cannot be written.
pub fn write_charts(
    dir: &Path,
    run: &RunData,
    picture: Picture,
) -> Result<Vec<PathBuf>, ReportError> {
    export::write(dir, &charts(run), picture)
}

/// What the run is called.
pub(super) fn title(run: &RunData) -> &str {
    run.config.name.as_deref().unwrap_or(&run.config.run_id)
}

/// All charts, in the order of the page.
pub(super) fn charts(run: &RunData) -> Vec<Chart> {
    let stats = &run.stats;
    let ok = &stats.ok;
    let moments = acts::moments(run);
    let row = |label: &str, latency| Row {
        label: label.to_owned(),
        latency,
    };
    let metrics = [
        row("last byte", &ok.last),
        row("first byte", &ok.first),
        row("from sending", &ok.service),
        row("server says", &ok.server),
        row("per point", &ok.per_point),
        row("send lag", &ok.send_lag),
    ];
    let ops = stats
        .by_op
        .iter()
        .map(|(op, of_op)| row(op_name(*op), &of_op.last));
    let classes = stats.by_outcome.iter();
    let classes = classes
        .filter(|(class, _)| **class != OutcomeClass::Ok)
        .map(|(class, latency)| row(charts::class_name(*class), latency));
    let kinds: Vec<_> = ops.chain(classes).collect();
    let mut charts = vec![
        charts::latency_over_time(stats, &moments),
        charts::throughput_over_time(stats, &moments),
    ];
    charts.extend(charts::server_over_time(stats, &run.timeline, &moments));
    charts.extend([
        charts::boxes_over_time(stats),
        charts::latency_histogram(&ok.last),
        charts::percentiles(stats),
        charts::box_rows(("latency_boxes", "Latency by metric"), &metrics),
        charts::box_rows(
            ("latency_by_kind", "Latency by request and outcome"),
            &kinds,
        ),
        charts::outcomes(stats),
        charts::statuses(stats),
    ]);
    charts
}

/// A table that scrolls within the page when it is too wide for it.
fn scroll(table: &Markup) -> Markup {
    html! { div.scroll tabindex="0" { (table) } }
}
