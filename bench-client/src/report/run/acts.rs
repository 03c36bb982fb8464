//! What was done to the server during the run, and when it was back.

use maud::{Markup, html};

use super::scroll;
use crate::chaos::ChaosFigures;
use crate::report::charts::Moment;
use crate::results::summary::RunData;

/// The moments that the charts over time mark.
pub(super) fn moments(run: &RunData) -> Vec<Moment> {
    let figures = ChaosFigures::of(&run.summary.contributed).unwrap_or_default();
    let done = figures.acts.into_iter().filter_map(|act| {
        Some(Moment {
            ns: (act.did_s? * 1e9) as u64,
            what: act.action,
        })
    });
    done.collect()
}

/// A table of all of it, numbered as in the charts.
pub(super) fn section(run: &RunData) -> Markup {
    let figures = ChaosFigures::of(&run.summary.contributed).unwrap_or_default();
    html! {
        @if !figures.acts.is_empty() {
            section {
                h2 { "Done to the server" }
                (scroll(&html! {
                    table {
                        thead { tr { th { "" } th { "At" } th { "What" } th { "How it ended" } th { "Goodput" } } }
                        tbody {
                            @for (i, act) in figures.acts.iter().enumerate() {
                                tr {
                                    th { (i + 1) }
                                    td { (format!("{:.1} s", act.did_s.unwrap_or(act.planned_s))) }
                                    td { code { (act.action) } } td { (act.result) } td { (act.recovery) }
                                }
                            }
                        }
                    }
                }))
                p.aside { "Back is when a second has 95 % of the goodput before it again, less what chance takes of it." }
            }
        }
    }
}
