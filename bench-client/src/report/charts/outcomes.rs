//! How requests ended: by class and by status.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::Chart;
use super::axis::{Axis, base_line};
use super::frame::Frame;
use super::{px, x_title, y_title};
use crate::load::response::OutcomeClass;
use crate::report::figures;
use crate::tally::stats::RunStats;

/// What a class is called.
pub(in crate::report) fn class_name(class: OutcomeClass) -> &'static str {
    match class {
        OutcomeClass::Ok => "ok",
        OutcomeClass::Shed => "shed",
        OutcomeClass::Refused => "refused",
        OutcomeClass::Failed => "failed",
        OutcomeClass::TimedOut => "timed out",
        OutcomeClass::Transport => "no connection",
    }
}

/// Its colour, as a class of the style sheet.
pub(super) fn css(class: OutcomeClass) -> &'static str {
    match class {
        OutcomeClass::Ok => "o-ok",
        OutcomeClass::Shed => "o-shed",
        OutcomeClass::Refused => "o-refused",
        OutcomeClass::Failed => "o-failed",
        OutcomeClass::TimedOut => "o-timed-out",
        OutcomeClass::Transport => "o-transport",
    }
}

/// Draws a bar a class, with count and share. All classes are there: none failed is a result too.
pub(in crate::report) fn outcomes(stats: &RunStats) -> Chart {
    const NAME: (&str, &str) = ("outcomes", "Outcomes");
    if stats.requests == 0 {
        return Chart::empty(NAME, "no requests");
    }
    let frame = Frame::of(380.0, 268.0, 96.0);
    // Room for count and share at the end of the longest bar.
    let right = frame.right - 104.0;
    let slot = (frame.height - 36.0) / OutcomeClass::ALL.len() as f64;
    let length = |n: u64| (right - frame.left) * n as f64 / stats.requests as f64;
    let share = |n: u64| figures::percent(Some(n as f64 / stats.requests as f64));
    let drawing = html! {
        @for (i, class) in OutcomeClass::ALL.into_iter().enumerate() {
            @let n = stats.count(class);
            @let y = 18.0 + slot * (i as f64 + 0.5);
            text.row-label x=(px(frame.left - 10.0)) y=(px(y + 4.0)) text-anchor="end" { (class_name(class)) }
            @if n > 0 {
                rect class={ "area " (css(class)) } x=(px(frame.left)) y=(px(y - 9.0))
                    width=(px(length(n).max(1.5))) height="18" rx="2" {}
            }
            text.value x=(px(frame.left + length(n) + 8.0)) y=(px(y + 4.0)) {
                (figures::count(n)) @if n > 0 { tspan.soft { "  " (share(n)) } }
            }
        }
        line.axis x1=(px(frame.left)) x2=(px(frame.left)) y1="14" y2=(px(frame.height - 14.0)) {}
    };
    let parts =
        OutcomeClass::ALL.map(|class| format!("{} {}", class_name(class), stats.count(class)));
    Chart::narrow(NAME, parts.join(", "), (frame, drawing))
}

/// Draws a bar a status, −1 standing for no reply.
pub(in crate::report) fn statuses(stats: &RunStats) -> Chart {
    const NAME: (&str, &str) = ("status_codes", "Status codes");
    let counts: BTreeMap<i32, u64> = shown(&stats.statuses);
    let Some(most) = counts.values().max() else {
        return Chart::empty(NAME, "no requests");
    };
    let frame = Frame::LABELLED;
    let y = Axis::counts(&frame, *most);
    let slot = frame.area_width() / counts.len() as f64;
    let drawing = html! {
        (y.draw_left(&frame))
        @for (i, (status, n)) in counts.iter().enumerate() {
            (bar(&frame, &y, (i, slot), (*status, *n)))
        }
        (base_line(&frame))
        (x_title(&frame, "HTTP status (−1: no reply)"))
        (y_title(&frame, "Requests"))
    };
    let parts = counts
        .iter()
        .map(|(status, n)| format!("{}: {n}", label(*status)));
    let summary = parts.collect::<Vec<_>>().join(", ");
    let chart = Chart::narrow(NAME, summary, (frame, drawing));
    match stats.statuses.len() - counts.len() {
        0 => chart,
        hidden => chart.with_note(format!("{hidden} rarer statuses are in stats.json")),
    }
}

fn bar(frame: &Frame, y: &Axis, (i, slot): (usize, f64), (status, n): (i32, u64)) -> Markup {
    let width = (slot * 0.6).min(64.0);
    let middle = frame.left + slot * (i as f64 + 0.5);
    let top = y.at(n as f64);
    // Of one in a hundred thousand, a hair is still to be seen.
    let height = (frame.bottom - top).max(1.5);
    html! {
        rect class={ "area " (css(class_of(status))) } x=(px(middle - width / 2.0)) y=(px(frame.bottom - height))
            width=(px(width)) height=(px(height)) rx="2" { title { (label(status)) ": " (n) " requests" } }
        text.value x=(px(middle)) y=(px(frame.bottom - height - 5.0)) text-anchor="middle" { (figures::count(n)) }
        text.tick x=(px(middle)) y=(px(frame.bottom + 17.0)) text-anchor="middle" { (label(status)) }
    }
}

/// The most frequent statuses: more bars than this have no room for their numbers.
fn shown(statuses: &BTreeMap<i32, u64>) -> BTreeMap<i32, u64> {
    const MOST: usize = 6;
    let mut ordered: Vec<_> = statuses.iter().map(|(status, n)| (*status, *n)).collect();
    ordered.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    ordered.into_iter().take(MOST).collect()
}

fn label(status: i32) -> String {
    status.to_string().replace('-', "−")
}

fn class_of(status: i32) -> OutcomeClass {
    u16::try_from(status).map_or(OutcomeClass::Transport, OutcomeClass::of_status)
}
