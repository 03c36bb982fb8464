//! The cumulative distribution with its tail drawn out: every nine of the quantile is as far from
//! the next, and quantiles stand with their intervals.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::Chart;
use super::axis::{Axis, nines_of};
use super::frame::Frame;
use super::legend::{Entry, Mark, legend};
use super::{px, x_title, y_title};
use crate::report::figures;
use crate::tally::stats::{LatencyStats, Quantile, RunStats};

const NAME: (&str, &str) = ("latency_percentiles", "Latency by percentile");

/// Draws the latency from the intended start and, beneath it, from the actual sending: what lies
/// between is time that requests waited in the client.
pub(in crate::report) fn percentiles(stats: &RunStats) -> Chart {
    let (last, service) = (&stats.ok.last, &stats.ok.service);
    let (Some(min), Some(max)) = (last.min_ns, last.max_ns) else {
        return Chart::empty(NAME, "no successful reply");
    };
    let entries = [
        Entry(Mark::Line, "q-p50", "from intended start".to_owned()),
        Entry(Mark::Line, "service", "from sending".to_owned()),
    ];
    let (frame, key) = legend(Frame::LABELLED, &entries);
    let low = service.min_ns.map_or(min, |ns| ns.min(min));
    let nines = (last.count as f64).log10().clamp(0.5, 6.0);
    let x = Axis::nines(&frame, nines);
    let y = Axis::durations_up(&frame, low as f64, max as f64);
    let (said, unsaid): (Vec<&Quantile>, Vec<&Quantile>) =
        last.quantiles.iter().partition(|quantile| quantile.enough);
    let drawing = html! {
        (key)
        (y.draw_left(&frame))
        (x.draw_grid(&frame))
        path.line.service d=(curve(service, nines, &x, &y)) {}
        path.line.q-p50 d=(curve(last, nines, &x, &y)) {}
        @for quantile in said.iter().filter(|quantile| nines_of(quantile.q) <= nines) {
            (with_interval(quantile, &x, &y))
        }
        (x.draw_below(&frame))
        (x_title(&frame, "Percentile"))
        (y_title(&frame, "Latency"))
    };
    let values: Vec<_> = said.iter().map(|quantile| in_words(quantile)).collect();
    let chart = Chart::narrow(NAME, values.join(", "), (Frame::LABELLED, drawing));
    let names: Vec<_> = unsaid
        .iter()
        .map(|quantile| figures::quantile_name(quantile.q))
        .collect();
    match names.as_slice() {
        [] => chart.with_note("bars are 95 % intervals"),
        names => chart.with_note(format!(
            "bars are 95 % intervals; too few replies for {}",
            names.join(", ")
        )),
    }
}

fn in_words(quantile: &Quantile) -> String {
    let name = figures::quantile_name(quantile.q);
    let value = figures::duration(quantile.value_ns as f64);
    match (quantile.low_ns, quantile.high_ns) {
        (Some(low), Some(high)) => {
            let (low, high) = (
                figures::duration(low as f64),
                figures::duration(high as f64),
            );
            format!("{name} {value} ({low} to {high})")
        }
        _ => format!("{name} {value}"),
    }
}

fn curve(latency: &LatencyStats, nines: f64, x: &Axis, y: &Axis) -> String {
    let (Some(min), Some(max)) = (latency.min_ns, latency.max_ns) else {
        return String::new();
    };
    let mut d = format!("M{} {}", px(x.at(0.0)), px(y.at(min as f64)));
    let total: u64 = latency.bins.iter().map(|bin| bin.count).sum();
    let mut below = 0;
    for bin in &latency.bins {
        below += bin.count;
        let at = nines_of(below as f64 / total as f64).min(nines);
        let value = bin.to_ns.clamp(min, max);
        let _ = write!(d, "L{} {}", px(x.at(at)), px(y.at(value as f64)));
    }
    d
}

fn with_interval(quantile: &Quantile, x: &Axis, y: &Axis) -> Markup {
    let at = x.at(nines_of(quantile.q));
    html! {
        g {
            title { (in_words(quantile)) }
            @if let (Some(low), Some(high)) = (quantile.low_ns, quantile.high_ns) {
                @let (low, high) = (px(y.at(low as f64)), px(y.at(high as f64)));
                path.interval d={ "M" (px(at - 4.0)) " " (low) "h8M" (px(at)) " " (low) "V" (high)
                    "M" (px(at - 4.0)) " " (high) "h8" } {}
            }
            circle.dot.q-p50 cx=(px(at)) cy=(px(y.at(quantile.value_ns as f64))) r="3.2" {}
        }
    }
}
