//! The top of the page: what it is, how it went, and what has to be known before reading on.

use maud::{Markup, html};

use super::super::figures::{UNKNOWN, count, duration, exact, percent, quantile_name, rate};
use super::words;
use crate::load::response::OutcomeClass;
use crate::results::summary::RunData;
use crate::tally::stats::LatencyStats;

/// More late sends than this, and the load was not the one that was asked for.
const LATE_SHARE: f64 = 0.001;
/// Up to this share of requests without a 2xx reply is a blemish, above it a failure.
const BLEMISH: f64 = 0.01;

/// How a run went in a few words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::report) struct Verdict {
    /// `good`, `caution` or `bad`, also a class of the style sheet.
    pub(in crate::report) kind: &'static str,
    /// The words.
    pub(in crate::report) text: String,
}

/// Says whether the run is whole and what share of it succeeded.
pub(in crate::report) fn verdict(run: &RunData) -> Verdict {
    let stats = &run.stats;
    let made = count(stats.requests);
    let failed = stats.requests - stats.count(OutcomeClass::Ok);
    let invalid = run.summary.validity.as_ref().is_some_and(|it| !it.valid);
    let (kind, text) = match (stats.error_rate(), run.summary.planned) {
        (_, Some(planned)) if run.summary.interrupted => (
            "caution",
            format!("Interrupted: {made} of {} requests made", count(planned)),
        ),
        _ if run.summary.interrupted => ("caution", format!("Interrupted after {made} requests")),
        (None, _) => ("bad", "No request was made".to_owned()),
        (Some(_), _) if failed == 0 && stats.requests == 1 => {
            ("good", "The one request was answered 2xx".to_owned())
        }
        (Some(_), _) if failed == 0 => ("good", format!("All {made} requests answered 2xx")),
        (Some(rate), _) => {
            let kind = if rate <= BLEMISH { "caution" } else { "bad" };
            let share = percent(Some(rate));
            (
                kind,
                format!(
                    "{} of {made} requests without a 2xx reply ({share})",
                    count(failed)
                ),
            )
        }
    };
    match invalid {
        true => Verdict {
            kind: "bad",
            text: format!("Invalid measurement. {text}"),
        },
        false => Verdict { kind, text },
    }
}

/// What a reader must know before believing a figure.
pub(in crate::report) fn remarks(run: &RunData) -> Vec<String> {
    let (summary, stats) = (&run.summary, &run.stats);
    let mut remarks = Vec::new();
    if summary.rebuilt {
        remarks.push(
            "The run ended without writing its summary, so that this was put together from the \
            responses that had been saved. What was in flight is missing, and so is what the client \
            used."
                .to_owned(),
        );
    }
    if summary.interrupted {
        let mut text = "The run was cut short: figures cover what happened until then".to_owned();
        if let Some(dropped) = summary.dropped.filter(|n| *n > 0) {
            text += &format!("; {} requests in flight were dropped", count(dropped));
        }
        remarks.push(text + ".");
    }
    if run.config.client.profile == "debug" {
        remarks.push(
            "The client is a debug build: its own time is part of every latency below. Measure \
            with a release build."
                .to_owned(),
        );
    }
    if let Some(validity) = summary.validity.as_ref().filter(|it| !it.valid) {
        let reasons = validity.reasons.join("; ");
        remarks.push(format!("Not a valid measurement of the server: {reasons}."));
    }
    let late = stats.late_sends as f64 / stats.requests.max(1) as f64;
    if late > LATE_SHARE {
        remarks.push(format!(
            "{} requests ({}) were sent more than 1 ms late, {} of them by the client’s own doing, \
            the others for want of a free connection. Latencies count from the intended start and \
            include that wait.",
            count(stats.late_sends),
            percent(Some(late)),
            count(stats.late_by_client)
        ));
    }
    if let Some(unsent) = summary.unsent.filter(|n| *n > 0) {
        remarks.push(format!(
            "{} requests were due and never sent.",
            count(unsent)
        ));
    }
    if summary.before.failed > 0 {
        let first = summary.before.failures.first().map_or("", String::as_str);
        remarks.push(format!(
            "{} of {} untimed requests before the run failed; the first: {first}",
            count(summary.before.failed),
            count(summary.before.set_up + summary.before.warm_up)
        ));
    }
    remarks
}

/// Title, verdict and remarks.
pub(super) fn header(run: &RunData) -> Markup {
    let config = &run.config;
    let started = config.started_at.strftime("%Y-%m-%d %H:%M:%S UTC");
    let verdict = verdict(run);
    html! {
        header {
            p.eyebrow { "Load test" @if config.name.is_some() { " " (config.run_id) } }
            h1 { (super::title(run)) }
            p.lead {
                span class={ "verdict " (verdict.kind) } { (verdict.text) }
                code { (config.base_url) }
                span { (words::pace(&config.load.pace)) }
                span { (words::bound(&config.load)) }
                span { (started) }
            }
            @for remark in remarks(run) { p.callout { (remark) } }
        }
    }
}

/// The headline figures.
pub(super) fn tiles(run: &RunData) -> Markup {
    let stats = &run.stats;
    let last = &stats.ok.last;
    let share = percent(stats.error_rate());
    let failed = stats.requests - stats.count(OutcomeClass::Ok);
    let rest = |q| match last.at(q) {
        Some(quantile) if quantile.enough => match (quantile.low_ns, quantile.high_ns) {
            (Some(low), Some(high)) => {
                format!("{} to {}", duration(low as f64), duration(high as f64))
            }
            _ => String::new(),
        },
        _ => format!("of {} replies", count(last.count)),
    };
    let mut tiles = vec![
        (
            "Completed".to_owned(),
            rate(stats.completed_rps),
            format!("{} requests", count(stats.requests)),
        ),
        (
            "Goodput".to_owned(),
            rate(stats.goodput_rps),
            format!(
                "2xx within {}",
                exact(run.config.load.good_within_ns as f64)
            ),
        ),
        (
            "Without 2xx".to_owned(),
            share,
            format!("{} requests", count(failed)),
        ),
    ];
    for q in [0.5, 0.95, 0.99] {
        tiles.push((quantile_name(q), said(last, q), rest(q)));
    }
    html! {
        div.tiles.six {
            @for (label, figure, beneath) in &tiles {
                div.tile {
                    p.label { (label) }
                    p.figure.few[figure == "too few"] { (figure) }
                    p.label { (beneath) }
                }
            }
        }
    }
}

/// A quantile, or that there are too few samples for it.
pub(in crate::report) fn said(latency: &LatencyStats, q: f64) -> String {
    match latency.at(q) {
        Some(quantile) if quantile.enough => duration(quantile.value_ns as f64),
        Some(_) => "too few".to_owned(),
        None => UNKNOWN.to_owned(),
    }
}
