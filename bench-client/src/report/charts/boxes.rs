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

/// Of fewer samples there is no median to speak of, and no box to draw.
const FEWEST_FOR_BOX: u64 = 8;
/// Of fewer samples the 95th percentile is another name for the maximum.
const FEWEST_FOR_WHISKER: u64 = 20;
/// Of fewer samples it is not said as a number.
const FEWEST_FOR_P95: u64 = 90;

/// What a box shows, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Five {
    pub(super) count: u64,
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
            count: latency.count,
            min: latency.min_ns? as f64,
            p25: quantile(latency, 0.25)?,
            p50: quantile(latency, 0.5)?,
            p75: quantile(latency, 0.75)?,
            p95: quantile(latency, 0.95)?,
            max: latency.max_ns? as f64,
        })
    }

    /// Where the upper whisker ends.
    pub(super) fn whisker(&self) -> f64 {
        if self.count < FEWEST_FOR_WHISKER {
            self.max
        } else {
            self.p95
        }
    }

    /// Whether there are enough samples for quartiles.
    pub(super) fn has_box(&self) -> bool {
        self.count >= FEWEST_FOR_BOX
    }

    pub(super) fn in_words(&self) -> String {
        let [min, p25, p50, p75, p95, max] =
            [self.min, self.p25, self.p50, self.p75, self.p95, self.max].map(figures::duration);
        let count = figures::count(self.count);
        if !self.has_box() {
            return format!("{count} between {min} and {max}");
        }
        let tail = if self.count < FEWEST_FOR_P95 {
            String::new()
        } else {
            format!(", 95th percentile {p95}")
        };
        format!("{count}: minimum {min}, quartiles {p25}, {p50}, {p75}{tail}, maximum {max}")
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
        .with_note("box: quartiles; whiskers: minimum to p95; dot: max")
}

fn lying(five: &Five, x: &Axis, y: f64, height: f64) -> Markup {
    let (top, bottom) = (y - height / 2.0, y + height / 2.0);
    let [min, p25, p50, p75, end, max] = [
        five.min,
        five.p25,
        five.p50,
        five.p75,
        five.whisker(),
        five.max,
    ]
    .map(|ns| x.at(ns));
    let cap = format!(
        "M{} {}V{}",
        px(end),
        px(y - height / 4.0),
        px(y + height / 4.0)
    );
    let (first, second) = if five.has_box() {
        (p25, p75)
    } else {
        (end, end)
    };
    let whiskers = format!(
        "M{} {y}H{}M{} {y}H{}{cap}",
        px(min),
        px(first),
        px(second),
        px(end),
        y = px(y)
    );
    html! {
        g {
            title { (five.in_words()) }
            path.whisker d=(whiskers) {}
            @if five.has_box() {
                rect.box x=(px(p25)) y=(px(top)) width=(px((p75 - p25).max(1.0))) height=(px(height)) rx="1.5" {}
                line.median x1=(px(p50)) x2=(px(p50)) y1=(px(top)) y2=(px(bottom)) {}
            }
            circle.dot.q-max cx=(px(max)) cy=(px(y)) r="2.8" {}
        }
    }
}

/// The same upright at `x`.
pub(super) fn upright(five: &Five, y: &Axis, x: f64, width: f64) -> Markup {
    let (left, right) = (x - width / 2.0, x + width / 2.0);
    let [min, p25, p50, p75, end, max] = [
        five.min,
        five.p25,
        five.p50,
        five.p75,
        five.whisker(),
        five.max,
    ]
    .map(|ns| y.at(ns));
    let (first, second) = if five.has_box() {
        (p25, p75)
    } else {
        (end, end)
    };
    let whiskers = format!(
        "M{x} {}V{}M{x} {}V{}",
        px(min),
        px(first),
        px(second),
        px(end),
        x = px(x)
    );
    html! {
        path.whisker d=(whiskers) {}
        @if five.has_box() {
            rect.box x=(px(left)) y=(px(p75)) width=(px(width)) height=(px((p25 - p75).max(1.0))) {}
            line.median x1=(px(left)) x2=(px(right)) y1=(px(p50)) y2=(px(p50)) {}
        }
        circle.dot.q-max cx=(px(x)) cy=(px(max)) r="1.8" {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_samples_have_no_box_and_no_p95() {
        let five = |count| Five {
            count,
            min: 1e6,
            p25: 2e6,
            p50: 3e6,
            p75: 4e6,
            p95: 9e6,
            max: 9.5e6,
        };
        let drawn = |count| {
            let x = Axis::durations_across(&Frame::NARROW, 1e6, 1e7);
            lying(&five(count), &x, 50.0, 20.0).into_string()
        };
        assert!(!drawn(7).contains("rect") && drawn(8).contains("rect"));
        assert_eq!((five(19).whisker(), five(20).whisker()), (9.5e6, 9e6));
        assert!(!five(89).in_words().contains("95th") && five(90).in_words().contains("95th"));
    }
}
