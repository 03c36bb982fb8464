//! Latency over time: quantiles a window, single responses behind them, failures as crosses.

use maud::{Markup, html};

use super::Chart;
use super::axis::Axis;
use super::frame::Frame;
use super::legend::{Entry, Mark, cross, legend};
use super::outcomes::{class_name, css};
use super::over_time::{Moment, RunTime};
use super::y_title;
use crate::load::response::OutcomeClass;
use crate::report::figures;
use crate::tally::stats::{RunStats, SamplePoint, Window};

const NAME: (&str, &str) = ("latency_over_time", "Latency over time");

/// More dots than this are a carpet, and heavy to draw.
const MOST_DOTS: usize = 1_500;
/// Crosses carry a tooltip each.
const MOST_CROSSES: usize = 400;

/// A quantile that is drawn as a line, and the replies that a window needs for it.
struct Line {
    class: &'static str,
    name: &'static str,
    needs: u64,
    read: fn(&Window) -> Option<u64>,
}

/// Of fewer replies a window, a quantile is another name for its maximum (or, for the median, noise).
/// These are fewer than a number needs that stands alone: a line has neighbours to be judged by.
const LINES: [Line; 4] = [
    Line {
        class: "q-max",
        name: "max",
        needs: 1,
        read: |w| w.max_ns,
    },
    Line {
        class: "q-p99",
        name: "p99",
        needs: 100,
        read: |w| w.p99_ns,
    },
    Line {
        class: "q-p95",
        name: "p95",
        needs: 20,
        read: |w| w.p95_ns,
    },
    Line {
        class: "q-p50",
        name: "p50",
        needs: 8,
        read: |w| w.p50_ns,
    },
];

impl Line {
    fn at(&self, window: &Window) -> Option<u64> {
        let replies = window.outcomes.get(&OutcomeClass::Ok).copied();
        (self.read)(window).filter(|_| replies.unwrap_or_default() >= self.needs)
    }
}

/// Draws the latency from the intended start, by when outcomes were known.
pub(in crate::report) fn latency_over_time(stats: &RunStats, moments: &[Moment]) -> Chart {
    if stats.requests == 0 {
        return Chart::empty_wide(NAME, "no requests");
    }
    let (drawn, missing): (Vec<&Line>, Vec<&Line>) = LINES.iter().partition(|line| {
        let windows = &stats.timeline.windows;
        windows.iter().any(|window| line.at(window).is_some())
    });
    let ends = [stats.ok.last.min_ns, stats.ok.last.max_ns];
    let summary = match ends.map(|ns| ns.map(|ns| figures::duration(ns as f64))) {
        [Some(min), Some(max)] => format!("successful replies took {min} to {max}"),
        _ => "no successful reply".to_owned(),
    };
    let mut note = format!(
        "from the intended start; windows of {}",
        figures::exact(stats.timeline.window_ns as f64)
    );
    if !missing.is_empty() && stats.count(OutcomeClass::Ok) > 0 {
        let names: Vec<_> = missing.iter().map(|line| line.name).collect();
        note += &format!("; too few replies a window for {}", names.join(", "));
    }
    Chart::wide(NAME, summary, |frame| draw(frame, stats, (&drawn, moments))).with_note(note)
}

fn draw(
    frame: Frame,
    stats: &RunStats,
    (lines, moments): (&[&Line], &[Moment]),
) -> (Frame, Markup) {
    let (ok, failed): (Vec<_>, Vec<_>) = stats
        .sample
        .iter()
        .partition(|point| point.class == OutcomeClass::Ok);
    let entries = entries(lines, &ok, &failed);
    let (area, key) = legend(frame, &entries);
    let (low, high) = range(stats);
    let y = Axis::durations_up(&area, low, high);
    let time = RunTime::new(area, stats);
    let markup = html! {
        (key)
        (y.draw_left(&area))
        (dots(&thinned(&ok, MOST_DOTS), &time, &y))
        @for line in lines { (time.line(line.class, &y, |window| line.at(window))) }
        (time.tooltips())
        (time.moments(moments))
        @for point in thinned(&failed, MOST_CROSSES) {
            g {
                title { "request " (point.index) ": " (class_name(point.class)) " after "
                    (figures::duration(point.latency_ns as f64)) }
                (cross(time.x.at(point.at_ns as f64), y.at(point.latency_ns as f64), css(point.class)))
            }
        }
        (time.draw())
        (y_title(&area, "Latency"))
    };
    (frame, markup)
}

fn entries(lines: &[&Line], ok: &[&SamplePoint], failed: &[&SamplePoint]) -> Vec<Entry> {
    let key = |line: &&Line| Entry(Mark::Line, line.class, line.name.to_owned());
    let mut entries: Vec<_> = lines.iter().rev().map(key).collect();
    if !ok.is_empty() {
        entries.push(Entry(Mark::Dot, "o-ok", "one reply".to_owned()));
    }
    for class in OutcomeClass::ALL {
        if failed.iter().any(|point| point.class == class) {
            entries.push(Entry(Mark::Cross, css(class), class_name(class).to_owned()));
        }
    }
    entries
}

/// Every dot is a line of no length with round ends: one path is a tenth of so many circles.
fn dots(points: &[&SamplePoint], time: &RunTime<'_>, y: &Axis) -> Markup {
    let place = |point: &&SamplePoint| {
        let (x, y) = (time.x.at(point.at_ns as f64), y.at(point.latency_ns as f64));
        format!("M{:.1} {:.1}h0", x, y)
    };
    let d: String = points.iter().map(place).collect();
    html! { @if !d.is_empty() { path.dots d=(d) {} } }
}

/// What the windows and the sample reach; the sample has the failures, which windows leave out.
fn range(stats: &RunStats) -> (f64, f64) {
    let windows = stats.timeline.windows.iter();
    let of_windows = windows.flat_map(|window| [window.min_ns, window.max_ns]);
    let all = of_windows
        .flatten()
        .chain(stats.sample.iter().map(|point| point.latency_ns));
    let (low, high) = all.fold((u64::MAX, 0), |(low, high), ns| (low.min(ns), high.max(ns)));
    if low > high {
        return (1e6, 1e7);
    }
    (low as f64, high as f64)
}

/// Every k-th point, and the longest.
fn thinned<'a>(points: &[&'a SamplePoint], most: usize) -> Vec<&'a SamplePoint> {
    let every = points.len().div_ceil(most).max(1);
    let longest = points.iter().max_by_key(|point| point.latency_ns);
    let kept = points
        .iter()
        .step_by(every)
        .chain(longest.filter(|_| every > 1));
    kept.copied().collect()
}
