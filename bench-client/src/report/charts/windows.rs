//! Box plots side by side, one a window of the run: a steady state keeps its height, a drift
//! climbs, a stall stands out.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::axis::Axis;
use super::boxes::{Five, upright};
use super::frame::Frame;
use super::over_time::RunTime;
use super::{Chart, px, y_title};
use crate::load::response::OutcomeClass;
use crate::report::figures;
use crate::tally::stats::{RunStats, Window};

const NAME: (&str, &str) = ("latency_boxes_over_time", "Dynamics: box plots over time");

/// Boxes that are narrower than this are drawn as bands.
const NARROWEST: f64 = 5.0;

impl Five {
    fn of_window(window: &Window) -> Option<Self> {
        let [min, p25, p50, p75, p95, max] = [
            window.min_ns,
            window.p25_ns,
            window.p50_ns,
            window.p75_ns,
            window.p95_ns,
            window.max_ns,
        ]
        .map(|ns| ns.map(|ns| ns as f64));
        let replies = window.outcomes.get(&OutcomeClass::Ok).copied();
        Some(Self {
            count: replies.unwrap_or_default(),
            min: min?,
            p25: p25?,
            p50: p50?,
            p75: p75?,
            p95: p95?,
            max: max?,
        })
    }
}

/// Draws the latency of 2xx replies in every window.
pub(in crate::report) fn boxes_over_time(stats: &RunStats) -> Chart {
    let windows = &stats.timeline.windows;
    let fives: Vec<_> = windows.iter().filter_map(Five::of_window).collect();
    if fives.is_empty() {
        return Chart::empty_wide(NAME, "no successful reply");
    }
    let summary = format!("{} of {} windows have a reply", fives.len(), windows.len());
    let low = fives
        .iter()
        .map(|five| five.min)
        .fold(f64::INFINITY, f64::min);
    let high = fives.iter().map(|five| five.max).fold(0.0, f64::max);
    let note = format!(
        "a box plot for every {}: quartiles and median, whiskers from the minimum to p95, dot at the maximum",
        figures::exact(stats.timeline.window_ns as f64)
    );
    Chart::wide(NAME, summary, |frame| draw(frame, stats, (low, high))).with_note(note)
}

fn draw(frame: Frame, stats: &RunStats, (low, high): (f64, f64)) -> (Frame, Markup) {
    let area = frame.below_legend(0);
    let time = RunTime::new(area, stats);
    let y = Axis::durations_up(&area, low, high);
    let length = stats.timeline.window_ns.max(1) as f64;
    let slot = time.x.at(length) - time.x.at(0.0);
    let width = (slot * 0.62).min(26.0);
    let markup = html! {
        (y.draw_left(&area))
        @if width < NARROWEST {
            (bands(&time, &y))
        } @else {
            @for (from, to, window) in time.windows() {
                @if let Some(five) = Five::of_window(window) {
                    // The last window may be a sliver; its box keeps within it.
                    @let fit = width.min((time.x.at(to) - time.x.at(from)).max(2.0));
                    (upright(&five, &y, time.x.at(f64::midpoint(from, to)), fit))
                }
            }
        }
        (time.tooltips())
        (time.draw())
        (y_title(&area, "Latency"))
    };
    (frame, markup)
}

/// What the boxes are when there are too many: the quartiles as a band a window, thin ones for the
/// whiskers, a dash at the median, dots at the maxima.
fn bands(time: &RunTime<'_>, y: &Axis) -> Markup {
    let [mut whiskers, mut boxes, mut medians, mut dots] = [const { String::new() }; 4];
    let bar = |d: &mut String, (left, right): (f64, f64), (low, high): (f64, f64)| {
        let (top, bottom) = (y.at(high), y.at(low));
        let height = (bottom - top).max(0.8);
        let width = px(right - left);
        let _ = write!(
            d,
            "M{} {}h{width}v{}h-{width}z",
            px(left),
            px(top),
            px(height)
        );
    };
    for (from, to, window) in time.windows() {
        let Some(five) = Five::of_window(window) else {
            continue;
        };
        let sides = (time.x.at(from), time.x.at(to));
        bar(&mut whiskers, sides, (five.min, five.whisker()));
        if five.has_box() {
            bar(&mut boxes, sides, (five.p25, five.p75));
        }
        let middle = px(f64::midpoint(sides.0, sides.1));
        let _ = write!(
            medians,
            "M{} {}H{}",
            px(sides.0),
            px(y.at(five.p50)),
            px(sides.1)
        );
        let _ = write!(dots, "M{middle} {}h0", px(y.at(five.max)));
    }
    html! {
        path.band-outer d=(whiskers) {}
        path.band-inner d=(boxes) {}
        path.band-median d=(medians) {}
        path.maxima d=(dots) {}
    }
}
