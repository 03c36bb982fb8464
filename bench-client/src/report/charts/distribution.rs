//! The distribution of a run's latencies, from the bins that `stats.json` has.

use maud::{Markup, html};

use super::Chart;
use super::axis::Axis;
use super::frame::Frame;
use super::{px, x_title, y_title};
use crate::report::figures;
use crate::tally::stats::{Bin, LatencyStats};

const BARS: usize = 44;

/// The value below which a share `q` lies, read off the bins, within the exact extremes.
pub(super) fn quantile(latency: &LatencyStats, q: f64) -> Option<f64> {
    let (min, max) = (latency.min_ns? as f64, latency.max_ns? as f64);
    let total: u64 = latency.bins.iter().map(|bin| bin.count).sum();
    let rank = q * total as f64;
    let mut below = 0.0;
    for bin in &latency.bins {
        let count = bin.count as f64;
        if below + count >= rank && count > 0.0 {
            let share = ((rank - below) / count).clamp(0.0, 1.0);
            let value = bin.from_ns as f64 + share * (bin.to_ns.saturating_sub(bin.from_ns)) as f64;
            return Some(value.clamp(min, max));
        }
        below += count;
    }
    Some(max)
}

/// Draws a bar a range of durations, the ranges equally wide on the logarithmic axis.
pub(in crate::report) fn latency_histogram(latency: &LatencyStats) -> Chart {
    const NAME: (&str, &str) = ("latency_histogram", "Latency distribution");
    let (Some(min), Some(max)) = (latency.min_ns, latency.max_ns) else {
        return Chart::empty(NAME, "no successful reply");
    };
    let frame = Frame::LABELLED;
    let x = Axis::durations_across(&frame, min as f64, max as f64);
    let bars = bars(&latency.bins, x.ends());
    let most = bars.iter().map(|bar| bar.count).fold(0.0, f64::max);
    let y = Axis::counts(&frame, most.ceil() as u64);
    let marks = marks(latency);
    let drawing = html! {
        (y.draw_left(&frame))
        @for bar in bars.iter().filter(|bar| bar.count > 0.0) {
            @let (left, top) = (x.at(bar.from), y.at(bar.count));
            rect.bar x=(px(left + 0.4)) y=(px(top)) width=(px((x.at(bar.to) - left - 0.8).max(0.5)))
                height=(px((frame.bottom - top).max(0.75))) {
                title { (figures::duration(bar.from)) " to " (figures::duration(bar.to)) ": about "
                    (figures::count(bar.count.round() as u64)) " replies" }
            }
        }
        (x.draw_below(&frame))
        @for (i, (name, ns)) in marks.iter().enumerate() {
            (marker(&frame, x.at(*ns), 10.0 + 13.0 * i as f64, name))
        }
        (x_title(&frame, "Latency of 2xx replies, logarithmic"))
        (y_title(&frame, "Replies"))
    };
    let summary = format!(
        "{} replies between {} and {}",
        figures::count(latency.count),
        figures::duration(min as f64),
        figures::duration(max as f64)
    );
    Chart::narrow(NAME, summary, (frame, drawing))
}

/// Quantiles that there are enough replies for.
fn marks(latency: &LatencyStats) -> Vec<(String, f64)> {
    let said = [0.5, 0.99]
        .into_iter()
        .filter_map(|q| latency.at(q))
        .filter(|quantile| quantile.enough);
    let mark = |quantile: &crate::tally::stats::Quantile| {
        let ns = quantile.value_ns as f64;
        let name = figures::quantile_name(quantile.q);
        (format!("{name} {}", figures::duration(ns)), ns)
    };
    said.map(mark).collect()
}

/// A labelled vertical line; its label stands at the side that has room.
fn marker(frame: &Frame, x: f64, y: f64, label: &str) -> Markup {
    let (label_x, anchor) = if x > frame.center_x() {
        (x - 4.0, "end")
    } else {
        (x + 4.0, "start")
    };
    html! {
        line.marker x1=(px(x)) x2=(px(x)) y1=(px(y - 8.0)) y2=(px(frame.bottom)) {}
        text.marker-label x=(px(label_x)) y=(px(y)) text-anchor=(anchor) { (label) }
    }
}

struct Bar {
    from: f64,
    to: f64,
    count: f64,
}

/// Shares the counts out by how much of a bin, on the logarithmic axis, lies in each bar: bins that
/// end where bars do not would otherwise leave a comb.
fn bars(bins: &[Bin], (low, high): (f64, f64)) -> Vec<Bar> {
    let edge = |i: usize| low * (high / low).powf(i as f64 / BARS as f64);
    let mut bars: Vec<_> = (0..BARS)
        .map(|i| Bar {
            from: edge(i),
            to: edge(i + 1),
            count: 0.0,
        })
        .collect();
    let place = |ns: f64| (ns.clamp(low, high) / low).ln() / (high / low).ln() * BARS as f64;
    for bin in bins {
        let (from, to) = (place(bin.from_ns as f64), place(bin.to_ns as f64));
        let first = (from.floor() as usize).min(BARS - 1);
        if to - from < 1e-9 {
            bars[first].count += bin.count as f64;
            continue;
        }
        let last = (to.ceil() as usize).clamp(first + 1, BARS);
        for (i, bar) in bars.iter_mut().enumerate().take(last).skip(first) {
            let overlap = (to.min(i as f64 + 1.0) - from.max(i as f64)).max(0.0);
            bar.count += bin.count as f64 * overlap / (to - from);
        }
    }
    bars
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bin(from_ns: u64, to_ns: u64, count: u64) -> Bin {
        Bin {
            from_ns,
            to_ns,
            count,
        }
    }

    #[test]
    fn no_reply_is_lost_between_bars() {
        let bins = [
            bin(0, 3, 7),
            bin(1_000_000, 1_020_000, 100),
            bin(9_000_000, 20_000_000, 5),
        ];
        let bars = bars(&bins, (1e6, 1e7));
        let total: f64 = bars.iter().map(|bar| bar.count).sum();
        assert!((total - 112.0).abs() < 1e-6, "{total}");
        assert!(
            bars[0].count >= 107.0 - 1e-6,
            "what is too short stands at the end"
        );
    }

    #[test]
    fn quantiles_stay_within_the_extremes() {
        let latency = LatencyStats {
            count: 4,
            min_ns: Some(105),
            max_ns: Some(205),
            bins: vec![bin(100, 110, 2), bin(200, 210, 2)],
            ..LatencyStats::default()
        };
        assert_eq!(quantile(&latency, 0.0), Some(105.0));
        assert_eq!(quantile(&latency, 0.5), Some(110.0));
        assert_eq!(quantile(&latency, 1.0), Some(205.0));
        assert_eq!(quantile(&LatencyStats::default(), 0.5), None);
    }
}
