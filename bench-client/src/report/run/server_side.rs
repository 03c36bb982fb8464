//! What the server said of itself during the run, and whether it counted what the client did.

use maud::{Markup, html};

use super::scroll;
use crate::report::figures::{bytes, count, percent, significant};
use crate::results::summary::RunData;
use crate::server_side::{Agreement, Reconciliation, ServerFigures};

/// Figures, and counts by route and status.
pub(super) fn section(run: &RunData) -> Markup {
    let Some(figures) = ServerFigures::of_run(&run.summary.contributed) else {
        return html! {};
    };
    let number = |value: Option<f64>| value.map(significant);
    let size = |value: Option<f64>| value.map(|value| bytes(value as u64));
    let sampling = &figures.sampling;
    let rows = [
        ("Processors used, mean", number(figures.processors)),
        ("Resident memory, most", size(figures.max_rss_bytes)),
        ("File descriptors, most", number(figures.max_fds)),
        ("Requests in flight, mean", number(figures.in_flight)),
    ];
    html! {
        section {
            h2 { "The server" }
            dl.config {
                @for (name, value) in &rows {
                    @if let Some(value) = value { div { dt { (name) } dd { (value) } } }
                }
            }
            @if let Some(counts) = &figures.counts { (reconciled(counts)) }
            p.aside {
                (count(sampling.samples)) " looks, each at most " (significant(sampling.longest_ms)) " ms"
                @if sampling.unanswered > 0 { ", " (count(sampling.unanswered)) " of them without a reply" }
                "; they took the client " (percent(Some(sampling.client_cpu_share))) " of a processor. They are in "
                code { "timeline.jsonl" } "."
                @if let Some(why) = &sampling.broken { " It ends early: " (why) "." }
            }
        }
    }
}

fn reconciled(of: &Reconciliation) -> Markup {
    let differs = matches!(of.verdict, Agreement::DiffersBy { .. });
    html! {
        h3 { "Counts of client and server" }
        p.callout[differs] { (of) }
        @if !of.counts.is_empty() {
            (scroll(&html! {
                table.figures {
                    thead { tr { th { "Route" } th { "Status" } th { "Client" } th { "Server" } th { "Difference" } } }
                    tbody {
                        @for row in &of.counts {
                            tr.doubtful[row.client != row.server] {
                                th { "/" (row.route) } td { (row.status) } td { (count(row.client)) }
                                td { (count(row.server)) } td { (count(row.client.abs_diff(row.server))) }
                            }
                        }
                    }
                }
            }))
        }
    }
}
