//! Box plots in rows, one a distribution, on one logarithmic axis. Box from the lower to the upper
//! quartile, line at the median, whiskers from the minimum to the 95th percentile, dot at the
//! maximum: with a million responses, Tukey's whiskers leave thousands outside.

use maud::{Markup, html};

use super::Chart;
use super::axis::Axis;
use super::distribution::quantile;
use super::frame::Frame;
use super::{px, x_title};
use crate::report::figures;
use crate::tally::stats::LatencyStats;

/// A distribution with its name.
#[derive(Debug, Clone)]
pub(in crate::report) struct Row<'a> {
    pub(in crate::report) label: String,
    pub(in crate::report) latency: &'a LatencyStats,
}

/// What a box shows, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Five {
    pub(super) min: f64,
    pub(super) p25: f64,
    pub(super) p50: f64,
    pub(super) p75: f64,
    pub(super) p95: f64,
    pub(super) max: f64,
}

impl Five {
    pub(super) fn of(latency: &LatencyStats) -> Option<Self> {
        Some(Self {
            min: latency.min_ns? as f64,
            p25: quantile(latency, 0.25)?,
            p50: quantile(latency, 0.5)?,
            p75: quantile(latency, 0.75)?,
            p95: quantile(latency, 0.95)?,
            max: latency.max_ns? as f64,
        })
    }

    pub(super) fn in_words(&self) -> String {
        let [min, p25, p50, p75, p95, max] =
            [self.min, self.p25, self.p50, self.p75, self.p95, self.max].map(figures::duration);
        format!(
            "minimum {min}, quartiles {p25}, {p50}, {p75}, 95th percentile {p95}, maximum {max}"
        )
    }
}

/// Draws the rows that have any value, the first at the top.
pub(in crate::report) fn box_rows(name: (&'static str, &str), rows: &[Row<'_>]) -> Chart {
    let boxes: Vec<(&str, Five)> = rows
        .iter()
        .filter_map(|row| Some((row.label.as_str(), Five::of(row.latency)?)))
        .collect();
    if boxes.is_empty() {
        return Chart::empty(name, "nothing measured");
    }
    let frame = Frame {
        top: 8.0,
        ..Frame::of(380.0, 268.0, 104.0)
    };
    let low = boxes
        .iter()
        .map(|(_, five)| five.min)
        .fold(f64::INFINITY, f64::min);
    let high = boxes.iter().map(|(_, five)| five.max).fold(0.0, f64::max);
    let x = Axis::durations_across(&frame, low, high);
    let slot = ((frame.bottom - frame.top) / boxes.len() as f64).min(44.0);
    let drawing = html! {
        (x.draw_grid(&frame))
        @for (i, (label, five)) in boxes.iter().enumerate() {
            @let y = frame.top + slot * (i as f64 + 0.5);
            text.row-label x=(px(frame.left - 8.0)) y=(px(y + 4.0)) text-anchor="end" { (label) }
            (lying(five, &x, y, (slot * 0.55).min(22.0)))
        }
        (x.draw_below(&frame))
        (x_title(&frame, "Latency, logarithmic"))
    };
    let words = boxes
        .iter()
        .map(|(label, five)| format!("{label}: {}", five.in_words()));
    let summary = words.collect::<Vec<_>>().join("; ");
    Chart::narrow(name, summary, (frame, drawing))
        .with_note("box: quartiles; whiskers: minimum to p95; dot: maximum")
}

fn lying(five: &Five, x: &Axis, y: f64, height: f64) -> Markup {
    let (top, bottom) = (y - height / 2.0, y + height / 2.0);
    let [min, p25, p50, p75, p95, max] =
        [five.min, five.p25, five.p50, five.p75, five.p95, five.max].map(|ns| x.at(ns));
    let whiskers = format!(
        "M{} {}H{}M{} {}H{}M{} {}V{}",
        px(min),
        px(y),
        px(p25),
        px(p75),
        px(y),
        px(p95),
        px(p95),
        px(y - height / 4.0),
        px(y + height / 4.0)
    );
    html! {
        g {
            title { (five.in_words()) }
            path.whisker d=(whiskers) {}
            rect.box x=(px(p25)) y=(px(top)) width=(px((p75 - p25).max(1.0))) height=(px(height)) rx="1.5" {}
            line.median x1=(px(p50)) x2=(px(p50)) y1=(px(top)) y2=(px(bottom)) {}
            circle.dot.q-max cx=(px(max)) cy=(px(y)) r="2.8" {}
        }
    }
}

/// The same upright at `x`.
pub(super) fn upright(five: &Five, y: &Axis, x: f64, width: f64) -> Markup {
    let (left, right) = (x - width / 2.0, x + width / 2.0);
    let [min, p25, p50, p75, p95, max] =
        [five.min, five.p25, five.p50, five.p75, five.p95, five.max].map(|ns| y.at(ns));
    let whiskers = format!(
        "M{} {}V{}M{} {}V{}",
        px(x),
        px(min),
        px(p25),
        px(x),
        px(p75),
        px(p95)
    );
    html! {
        path.whisker d=(whiskers) {}
        rect.box x=(px(left)) y=(px(p75)) width=(px(width)) height=(px((p25 - p75).max(1.0))) {}
        line.median x1=(px(left)) x2=(px(right)) y1=(px(p50)) y2=(px(p50)) {}
        circle.dot.q-max cx=(px(x)) cy=(px(max)) r="1.8" {}
    }
}
