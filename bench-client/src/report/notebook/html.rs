//! `report.html`: one file that needs nothing else. No script, no font, no image from anywhere;
//! the style sheet and the charts are part of the page.

use maud::{Markup, html};

use super::super::{charts, page};
use super::tables;
use crate::notebook::{NotebookRun, NotebookSummary, RECORDED_FIT, RECORDED_PREDICT, Recorded};
use crate::record::CallRecord;
use crate::stats::Sorted;
use crate::summary::{LatencySummary, PhaseSummary};

/// How one phase is shown.
struct PhaseView<'a> {
    class: &'static str,
    heading: &'static str,
    request: &'static str,
    /// What the charts call it.
    chart_name: &'static str,
    summary: Option<&'a PhaseSummary>,
    records: &'a [CallRecord],
    recorded: &'static Recorded,
    not_measured: Option<&'a str>,
}

/// The whole page.
pub(super) fn page(run: &NotebookRun) -> String {
    let summary = &run.summary;
    let fit = PhaseView {
        class: "fit",
        heading: "Training",
        request: "POST /fit/{series_id}",
        chart_name: "Training API",
        summary: summary.fit.as_ref(),
        records: &run.fit,
        recorded: &RECORDED_FIT,
        not_measured: None,
    };
    let predict = PhaseView {
        class: "predict",
        heading: "Prediction",
        request: "POST /predict/{series_id}?version=0",
        chart_name: "Predict API",
        summary: summary.predict.as_ref(),
        records: &run.predict,
        recorded: &RECORDED_PREDICT,
        not_measured: summary.predict_not_measured.as_deref(),
    };
    let body = html! {
        main {
            (header(summary))
            div.tiles {
                @for phase in [&fit, &predict] { (tiles(phase)) }
            }
            @for phase in [&fit, &predict] { (section(phase)) }
            (tables::configuration(summary))
            (method(summary))
        }
        footer {
            "Beside this page: " code { "fit.csv" } ", " code { "predict.csv" }
            " (a row a call) and " code { "summary.json" } ". Made by "
            (summary.client.name) " " (summary.client.version) "."
        }
    };
    page::document(&format!("Load test {}", summary.run_id), &body)
}

fn header(summary: &NotebookSummary) -> Markup {
    let started = summary.started_at.strftime("%Y-%m-%d %H:%M:%S UTC");
    html! {
        header {
            p.eyebrow { "Load-test notebook" }
            h1 { "Run " (summary.run_id) }
            p.lead { (verdict(summary)) span { code { (summary.config.base_url) } } span { (started) } }
            @if summary.client.profile == "debug" {
                p.callout { "The client is a debug build: its own time is part of every latency below. \
                    Measure with a release build." }
            }
        }
    }
}

fn verdict(summary: &NotebookSummary) -> Markup {
    let phases = || [&summary.fit, &summary.predict].into_iter().flatten();
    let planned = 2 * summary.config.calls;
    let ok: usize = phases().map(|phase| phase.success_count).sum();
    let made: usize = phases().map(|phase| phase.total_calls).sum();
    if summary.interrupted {
        html! { span.verdict.caution { "Interrupted: " (made) " of " (planned) " calls made" } }
    } else if summary.all_ok() {
        html! { span.verdict.good { "All " (planned) " calls answered 200" } }
    } else {
        html! { span.verdict.bad { (planned - ok) " of " (planned) " calls failed" } }
    }
}

fn tiles(phase: &PhaseView<'_>) -> Markup {
    let unknown = || "–".to_owned();
    let p95 = |latency: &LatencySummary| {
        let ms = latency.p95_ms;
        ms.map_or_else(unknown, |ms| format!("{} ms", charts::ms(ms)))
    };
    let now = phase.summary;
    let wall_now = now.map_or_else(unknown, |summary| tables::seconds(summary.wall_s));
    let p95_now = now.map_or_else(unknown, |summary| p95(&summary.latency));
    let tiles = [
        ("wall", wall_now, tables::recorded_wall(phase.recorded)),
        ("p95", p95_now, p95(&phase.recorded.latency)),
    ];
    html! {
        @for (label, now, recorded) in &tiles {
            div class={ "tile " (phase.class) } {
                p.label { (phase.heading) ", " (label) }
                p.figure { (now) }
                p.label { "notebook: " (recorded) }
            }
        }
    }
}

fn section(phase: &PhaseView<'_>) -> Markup {
    let latencies = Sorted::new(phase.records.iter().map(|record| record.delta_ms).collect());
    let no_codes = Default::default();
    let codes = phase
        .summary
        .map_or(&no_codes, |summary| &summary.status_codes);
    let name = phase.chart_name;
    html! {
        section class=(phase.class) {
            h2 { (phase.heading) " " code { (phase.request) } }
            @if let Some(reason) = phase.not_measured {
                p.callout { "Not measured: " (reason) "." }
            }
            @if let Some(summary) = phase.summary {
                p { (summary.finished_line()) "." }
                (tables::side_by_side(summary, phase.recorded))
                (tables::warm_up(summary))
            }
            div.charts {
                (charts::histogram(&format!("{name} Latency Distribution"), &latencies))
                (charts::box_plot(&format!("{name} Latency Box Plot"), phase.records))
                (charts::status_codes(&format!("{name} Status Codes"), codes))
            }
            (tables::failures(phase.records))
        }
    }
}

fn method(summary: &NotebookSummary) -> Markup {
    html! {
        section.method {
            h2 { "How it was measured" }
            ul {
                li {
                    "All calls of a phase are started at once and pass a semaphore of "
                    (summary.config.workers) " workers. " strong { "Latency" }
                    " runs from after the semaphore to the last byte of the reply, as in the \
                    notebook; " strong { "from burst start" } " also counts the wait in the \
                    client's own queue."
                }
                li {
                    "Requests are built before the clock starts. One HTTP/1.1 keep-alive client a \
                    phase, TCP_NODELAY on, environment proxies ignored. "
                    @if summary.config.warm_connections {
                        "A connection a worker was opened before each burst by untimed health \
                        checks, which the notebook does not do."
                    } @else {
                        "The sequential warm-up leaves about one connection open, so that most \
                        calls of a burst include opening theirs, as in the notebook."
                    }
                }
                li {
                    "Quantiles are linear interpolations of the order statistics (Hyndman–Fan \
                    type 7, as pandas has them) over all calls, failures included. Of "
                    (summary.config.calls) " calls about " (summary.config.calls / 20)
                    " lie above the 95th percentile: the fewer, the rougher it is."
                }
                li {
                    "Client and server on one machine share its processors. The notebook's \
                    figures come from another server on another machine: read the ratios as \
                    scale, not as a controlled comparison."
                }
                li {
                    "The payloads are a function of the seed: "
                    code { "tidemark-bench notebook --seed " (summary.config.seed)
                        " --calls " (summary.config.calls) " --workers " (summary.config.workers) }
                    " sends the same bodies again."
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;

    #[test]
    fn charts_have_the_notebooks_titles_and_the_page_needs_nothing_else() {
        let page = super::page(&sample::run());
        assert_eq!(page.matches("<svg").count(), 6);
        for title in [
            "Training API Latency Distribution",
            "Predict API Latency Distribution",
        ] {
            assert_eq!(page.matches(&format!("<figcaption>{title}<")).count(), 1);
        }
        for outside in [
            "<script", "<link", "<img", "src=", "href=", "url(", "@import",
        ] {
            assert!(!page.contains(outside), "{outside}");
        }
    }

    #[test]
    fn what_the_server_said_is_shown_as_text() {
        let mut run = sample::run();
        run.fit[0].body_preview = Some("<script>alert(1)</script>".into());
        run.summary.predict_not_measured = Some("<b>no</b>".into());
        let page = super::page(&run);
        assert!(page.contains("&lt;script&gt;") && !page.contains("<script"));
        assert!(page.contains("&lt;b&gt;no"));
    }

    #[test]
    fn the_verdict_counts_what_failed() {
        let mut run = sample::run();
        assert!(super::page(&run).contains("1 of 8 calls failed"));
        run.summary.interrupted = true;
        assert!(super::page(&run).contains("Interrupted: 8 of 8 calls made"));
    }
}
