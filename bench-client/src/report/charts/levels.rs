//! Charts of a sweep: levels side by side, as far apart as the next, the knee marked.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::axis::{Axis, base_line};
use super::boxes::{Five, upright};
use super::frame::Frame;
use super::legend::{Entry, Mark, legend};
use super::outcomes::{class_name, css};
use super::{Chart, px, x_title, y_title};
use crate::load::response::OutcomeClass;
use crate::report::figures;
use crate::tally::stats::RunStats;

/// A level: its label and its figures.
type Level<'a> = (&'a str, &'a RunStats);

/// The places of levels.
struct Places<'a> {
    frame: Frame,
    levels: &'a [Level<'a>],
    knee: Option<usize>,
}

impl Places<'_> {
    fn slot(&self) -> f64 {
        self.frame.area_width() / self.levels.len().max(1) as f64
    }

    fn x(&self, i: usize) -> f64 {
        self.frame.left + self.slot() * (i as f64 + 0.5)
    }

    /// Labels, no more than there is room for, and the name of the axis.
    fn draw(&self, what: &str) -> Markup {
        let longest = self
            .levels
            .iter()
            .map(|(label, _)| label.chars().count())
            .max();
        let room = (7.5 * longest.unwrap_or(0) as f64 + 8.0) / self.slot();
        let every = (room.ceil() as usize).max(1);
        html! {
            (base_line(&self.frame))
            @for (i, (label, _)) in self.levels.iter().enumerate() {
                @if i % every == 0 || self.knee == Some(i) {
                    text.tick x=(px(self.x(i))) y=(px(self.frame.bottom + 17.0)) text-anchor="middle" { (label) }
                }
            }
            (x_title(&self.frame, what))
        }
    }

    /// A band behind the knee.
    fn mark(&self) -> Markup {
        let at = self.knee.filter(|at| *at < self.levels.len());
        html! {
            @if let Some(at) = at {
                @let (x, slot) = (self.x(at), self.slot().min(60.0));
                rect.knee x=(px(x - slot / 2.0)) width=(px(slot)) y=(px(self.frame.top))
                    height=(px(self.frame.bottom - self.frame.top)) {}
                text.marker-label x=(px(x)) y=(px(self.frame.top + 12.0)) text-anchor="middle" { "knee" }
            }
        }
    }

    fn line(&self, class: &str, y: &Axis, value: impl Fn(&RunStats) -> Option<f64>) -> Markup {
        let mut d = String::new();
        let values = self.levels.iter().map(|(_, stats)| value(stats));
        let values: Vec<_> = values.collect();
        for (i, value) in values.iter().enumerate() {
            if let Some(value) = value {
                let step = if d.is_empty() { "M" } else { "L" };
                let _ = write!(d, "{step}{} {}", px(self.x(i)), px(y.at(*value)));
            }
        }
        html! {
            @if !d.is_empty() { path class={ "line " (class) } d=(d) {} }
            @for (i, value) in values.iter().enumerate() {
                @if let Some(value) = value {
                    circle class={ "dot " (class) } cx=(px(self.x(i))) cy=(px(y.at(*value))) r="3.2" {
                        title { (self.levels[i].0) ": " (figures::rate(Some(*value))) }
                    }
                }
            }
        }
    }
}

/// Requests a second that were completed, and that were good.
pub(in crate::report) fn throughput_by_level(
    what: &str,
    levels: &[Level<'_>],
    knee: Option<usize>,
) -> Chart {
    const NAME: (&str, &str) = ("throughput_by_level", "Throughput");
    if levels.is_empty() {
        return Chart::empty(NAME, "no levels");
    }
    let entries = [
        Entry(Mark::Line, "q-p50", "good replies".to_owned()),
        Entry(Mark::Line, "service", "all outcomes".to_owned()),
    ];
    let (frame, key) = legend(Frame::LABELLED, &entries);
    let places = Places {
        frame,
        levels,
        knee,
    };
    let rates = levels
        .iter()
        .flat_map(|(_, stats)| [stats.completed_rps, stats.goodput_rps]);
    let y = Axis::from_zero(&frame, rates.flatten().fold(0.0, f64::max));
    let drawing = html! {
        (key) (places.mark()) (y.draw_left(&frame))
        (places.line("service", &y, |stats| stats.completed_rps))
        (places.line("q-p50", &y, |stats| stats.goodput_rps))
        (places.draw(what)) (y_title(&frame, "Requests a second"))
    };
    let words = levels
        .iter()
        .map(|(label, stats)| format!("{label}: {}", figures::rate(stats.goodput_rps)));
    Chart::narrow(NAME, words.collect::<Vec<_>>().join(", "), (frame, drawing))
}

/// A box plot of 2xx replies a level.
pub(in crate::report) fn latency_by_level(
    what: &str,
    levels: &[Level<'_>],
    knee: Option<usize>,
) -> Chart {
    const NAME: (&str, &str) = ("latency_by_level", "Latency");
    let fives: Vec<_> = levels
        .iter()
        .map(|(_, stats)| Five::of(&stats.ok.last))
        .collect();
    if fives.iter().all(Option::is_none) {
        return Chart::empty(NAME, "no successful reply");
    }
    let frame = Frame::LABELLED.below_legend(0);
    let places = Places {
        frame,
        levels,
        knee,
    };
    let known = || fives.iter().flatten();
    let low = known().map(|five| five.min).fold(f64::INFINITY, f64::min);
    let y = Axis::durations_up(
        &frame,
        low,
        known().map(|five| five.max).fold(0.0, f64::max),
    );
    let width = (places.slot() * 0.5).clamp(3.0, 30.0);
    let drawing = html! {
        (places.mark()) (y.draw_left(&frame))
        @for (i, five) in fives.iter().enumerate() {
            @if let Some(five) = five {
                g { title { (levels[i].0) ": " (five.in_words()) } (upright(five, &y, places.x(i), width)) }
            }
        }
        (places.draw(what)) (y_title(&frame, "Latency of 2xx replies"))
    };
    let words = levels.iter().zip(&fives).filter_map(|((label, _), five)| {
        let five = five.as_ref()?;
        Some(format!("{label}: {}", five.in_words()))
    });
    Chart::narrow(NAME, words.collect::<Vec<_>>().join("; "), (frame, drawing))
        .with_note("box: quartiles; whiskers: minimum to p95; dot: max")
}

/// The share of requests without a 2xx reply, by class.
pub(in crate::report) fn errors_by_level(
    what: &str,
    levels: &[Level<'_>],
    knee: Option<usize>,
) -> Chart {
    const NAME: (&str, &str) = ("errors_by_level", "Error rate");
    if levels.is_empty() {
        return Chart::empty(NAME, "no levels");
    }
    let classes: Vec<_> = OutcomeClass::ALL
        .into_iter()
        .filter(|class| *class != OutcomeClass::Ok)
        .filter(|class| levels.iter().any(|(_, stats)| stats.count(*class) > 0))
        .collect();
    let key = |class: &OutcomeClass| Entry(Mark::Area, css(*class), class_name(*class).to_owned());
    let entries: Vec<_> = classes.iter().map(key).collect();
    let (frame, key) = legend(Frame::LABELLED, &entries);
    let places = Places {
        frame,
        levels,
        knee,
    };
    let percent = |stats: &RunStats, n: u64| 100.0 * n as f64 / stats.requests.max(1) as f64;
    let most = levels.iter().filter_map(|(_, stats)| stats.error_rate());
    let y = Axis::from_zero(&frame, 100.0 * most.fold(0.0, f64::max));
    let width = (places.slot() * 0.5).clamp(3.0, 30.0);
    let drawing = html! {
        (key) (places.mark()) (y.draw_left(&frame))
        @for (i, (label, stats)) in levels.iter().enumerate() {
            @for (k, class) in classes.iter().enumerate() {
                @let below: u64 = classes[..k].iter().map(|class| stats.count(*class)).sum();
                @let n = stats.count(*class);
                @let (top, bottom) = (y.at(percent(stats, below + n)), y.at(percent(stats, below)));
                @if n > 0 {
                    rect class={ "area " (css(*class)) } x=(px(places.x(i) - width / 2.0)) width=(px(width))
                        y=(px(top)) height=(px(bottom - top)) {
                        title { (label) ": " (n) " " (class_name(*class)) " of " (stats.requests) }
                    }
                }
            }
        }
        (places.draw(what)) (y_title(&frame, "Without 2xx (%)"))
    };
    let words = levels
        .iter()
        .map(|(label, stats)| format!("{label}: {}", figures::percent(stats.error_rate())));
    Chart::narrow(NAME, words.collect::<Vec<_>>().join(", "), (frame, drawing))
}
