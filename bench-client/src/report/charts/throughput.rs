//! Throughput over time: outcomes a second by class, stacked, with the rate that was sent over them.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::Chart;
use super::axis::Axis;
use super::frame::Frame;
use super::legend::{Entry, Mark, legend};
use super::outcomes::{class_name, css};
use super::over_time::{Moment, RunTime};
use super::{px, y_title};
use crate::load::response::OutcomeClass;
use crate::report::figures;
use crate::tally::stats::{RunStats, Window};

const NAME: (&str, &str) = ("throughput_over_time", "Throughput over time");

/// Draws requests sent and outcomes known, a second.
pub(in crate::report) fn throughput_over_time(stats: &RunStats, moments: &[Moment]) -> Chart {
    if stats.requests == 0 {
        return Chart::empty_wide(NAME, "no requests");
    }
    let summary = format!(
        "{} requests over {}, {} completed on average",
        figures::count(stats.requests),
        figures::duration(stats.wall_ns as f64),
        figures::rate(stats.completed_rps)
    );
    Chart::wide(NAME, summary, |frame| draw(frame, stats, moments))
        .with_note("requests sent, and outcomes by when they were known")
}

fn draw(frame: Frame, stats: &RunStats, moments: &[Moment]) -> (Frame, Markup) {
    let classes: Vec<_> = OutcomeClass::ALL
        .into_iter()
        .filter(|class| stats.count(*class) > 0)
        .collect();
    let mut entries: Vec<_> = classes
        .iter()
        .map(|class| Entry(Mark::Area, css(*class), class_name(*class).to_owned()))
        .collect();
    entries.push(Entry(Mark::Line, "sent", "sent".to_owned()));
    let (area, key) = legend(frame, &entries);
    let time = RunTime::new(area, stats);
    let slots = slots(&time, stats);
    let most = slots
        .iter()
        .map(|slot| slot.rate(slot.most()))
        .fold(0.0, f64::max);
    let y = Axis::from_zero(&area, most);
    let markup = html! {
        (key)
        (y.draw_left(&area))
        @for (i, class) in classes.iter().enumerate() {
            path class={ "area " (css(*class)) } d=(layer(&slots, &classes[..i], *class, &time, &y)) {}
        }
        (sent(&slots, &time, &y))
        (time.tooltips())
        (time.moments(moments))
        (time.draw())
        (y_title(&area, "Requests a second"))
    };
    (frame, markup)
}

/// A window with the time that it covers.
struct Slot<'a> {
    from: f64,
    to: f64,
    window: &'a Window,
}

impl Slot<'_> {
    fn rate(&self, n: u64) -> f64 {
        n as f64 / ((self.to - self.from) / 1e9)
    }

    fn outcomes(&self, classes: &[OutcomeClass]) -> u64 {
        let of = |class| self.window.outcomes.get(class).copied().unwrap_or_default();
        classes.iter().map(of).sum()
    }

    fn most(&self) -> u64 {
        self.window.sent.max(self.outcomes(&OutcomeClass::ALL))
    }
}

/// The windows; the rest at the end, when it is less than half of one, has no rate worth drawing.
fn slots<'a>(time: &RunTime<'a>, stats: &RunStats) -> Vec<Slot<'a>> {
    let half = stats.timeline.window_ns as f64 / 2.0;
    let mut slots: Vec<_> = time
        .windows()
        .map(|(from, to, window)| Slot { from, to, window })
        .collect();
    if slots.len() > 1 && slots.last().is_some_and(|last| last.to - last.from < half) {
        slots.pop();
    }
    slots
}

/// The outline of one class on top of those below it.
fn layer(
    slots: &[Slot<'_>],
    below: &[OutcomeClass],
    class: OutcomeClass,
    time: &RunTime<'_>,
    y: &Axis,
) -> String {
    let mut d = String::new();
    let upper = |slot: &Slot<'_>| slot.rate(slot.outcomes(below) + slot.outcomes(&[class]));
    let lower = |slot: &Slot<'_>| slot.rate(slot.outcomes(below));
    for (i, slot) in slots.iter().enumerate() {
        let step = if i == 0 { "M" } else { "L" };
        let (from, to) = (px(time.x.at(slot.from)), px(time.x.at(slot.to)));
        let _ = write!(d, "{step}{from} {}H{to}", px(y.at(upper(slot))));
    }
    for slot in slots.iter().rev() {
        let (from, to) = (px(time.x.at(slot.from)), px(time.x.at(slot.to)));
        let _ = write!(d, "L{to} {}H{from}", px(y.at(lower(slot))));
    }
    d + "Z"
}

fn sent(slots: &[Slot<'_>], time: &RunTime<'_>, y: &Axis) -> Markup {
    let mut d = String::new();
    for (i, slot) in slots.iter().enumerate() {
        let step = if i == 0 { "M" } else { "L" };
        let (from, to) = (px(time.x.at(slot.from)), px(time.x.at(slot.to)));
        let _ = write!(
            d,
            "{step}{from} {}H{to}",
            px(y.at(slot.rate(slot.window.sent)))
        );
    }
    html! { path.line.sent d=(d) {} }
}
