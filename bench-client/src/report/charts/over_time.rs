//! What charts over time share: places of windows, lines with gaps, tooltips.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::axis::Axis;
use super::frame::Frame;
use super::{px, x_title};
use crate::report::figures;
use crate::tally::stats::{RunStats, Window};

/// Tooltips of more windows than this would make up most of the page.
const MOST_TOOLTIPS: usize = 400;

/// Something that was done at one moment of a run.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::report) struct Moment {
    /// Since the start.
    pub(in crate::report) ns: u64,
    /// One line.
    pub(in crate::report) what: String,
}

/// The horizontal axis of a run.
pub(super) struct RunTime<'a> {
    pub(super) x: Axis,
    unit: &'static str,
    stats: &'a RunStats,
    frame: Frame,
}

impl<'a> RunTime<'a> {
    pub(super) fn new(frame: Frame, stats: &'a RunStats) -> Self {
        let (x, unit) = Axis::time(&frame, stats.wall_ns);
        Self {
            x,
            unit,
            stats,
            frame,
        }
    }

    /// Windows with their start and end in nanoseconds; the last ends with the run.
    pub(super) fn windows(&self) -> impl Iterator<Item = (f64, f64, &'a Window)> + use<'a> {
        let length = self.stats.timeline.window_ns.max(1);
        let wall = self.stats.wall_ns;
        let windows = self.stats.timeline.windows.iter().zip(0_u64..);
        windows.map(move |(window, i)| {
            let from = i * length;
            let to = (from + length).min(wall.max(from + 1));
            (from as f64, to as f64, window)
        })
    }

    /// The axis with its name.
    pub(super) fn draw(&self) -> Markup {
        html! {
            (self.x.draw_below(&self.frame))
            (x_title(&self.frame, &format!("Time since the start ({})", self.unit)))
        }
    }

    /// A line through the middles of windows, interrupted where there is no value.
    pub(super) fn line(
        &self,
        class: &str,
        y: &Axis,
        value: impl Fn(&Window) -> Option<u64>,
    ) -> Markup {
        let mut d = String::new();
        let mut drawing = false;
        for (from, to, window) in self.windows() {
            let Some(value) = value(window) else {
                drawing = false;
                continue;
            };
            let (x, y) = (
                px(self.x.at(f64::midpoint(from, to))),
                px(y.at(value as f64)),
            );
            // A lone window is a dot: a line of no length with round ends.
            let step = if drawing { "L" } else { "M" };
            let _ = write!(d, "{step}{x} {y}");
            if !drawing {
                d.push_str("h0");
            }
            drawing = true;
        }
        html! { @if !d.is_empty() { path class={ "line " (class) } d=(d) {} } }
    }

    /// Lines from top to bottom at what was done, numbered in its order.
    pub(super) fn moments(&self, moments: &[Moment]) -> Markup {
        html! {
            @for (i, moment) in moments.iter().enumerate() {
                @let x = px(self.x.at(moment.ns as f64));
                g.moment {
                    title { (figures::duration(moment.ns as f64)) ": " (moment.what) }
                    path d={ "M" (x) " " (px(self.frame.top)) "V" (px(self.frame.bottom)) } {}
                    text x=(x) dx="3" y=(px(self.frame.top + 10.0)) { (i + 1) }
                }
            }
        }
    }

    /// Invisible bars that say what happened in each window.
    pub(super) fn tooltips(&self) -> Markup {
        let many = self.stats.timeline.windows.len() > MOST_TOOLTIPS;
        html! {
            @if !many {
                @for (from, to, window) in self.windows() {
                    rect.tip x=(px(self.x.at(from))) width=(px(self.x.at(to) - self.x.at(from)))
                        y=(px(self.frame.top)) height=(px(self.frame.bottom - self.frame.top)) {
                        title { (in_words(from, to, window)) }
                    }
                }
            }
        }
    }
}

fn in_words(from: f64, to: f64, window: &Window) -> String {
    let mut words = format!(
        "{} to {}: {} sent",
        figures::duration(from),
        figures::duration(to),
        window.sent
    );
    for (class, n) in &window.outcomes {
        let _ = write!(words, ", {n} {}", super::class_name(*class));
    }
    if let (Some(p50), Some(max)) = (window.p50_ns, window.max_ns) {
        let (p50, max) = (figures::duration(p50 as f64), figures::duration(max as f64));
        let _ = write!(words, "; median {p50}, longest {max}");
    }
    words
}
