//! What the colours of a chart stand for, in rows above its area.

use maud::{Markup, html};

use super::frame::Frame;
use super::px;

/// How an entry is drawn in the chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Line,
    Area,
    Dot,
    Cross,
}

/// One entry: its mark, its class in the style sheet, what it stands for.
#[derive(Debug, Clone)]
pub(super) struct Entry(pub(super) Mark, pub(super) &'static str, pub(super) String);

/// Lays out the entries and gives the frame that is left below them.
pub(super) fn legend(frame: Frame, entries: &[Entry]) -> (Frame, Markup) {
    let mut places = Vec::with_capacity(entries.len());
    let (mut x, mut row) = (frame.left, 0);
    for Entry(_, _, label) in entries {
        // Wide enough for the widest of the usual fonts.
        let width = 24.0 + 7.2 * label.chars().count() as f64 + 12.0;
        if x + width > frame.width && x > frame.left {
            (x, row) = (frame.left, row + 1);
        }
        places.push((x, 12.0 + 18.0 * f64::from(row)));
        x += width;
    }
    let rows = if entries.is_empty() {
        0
    } else {
        row as usize + 1
    };
    let markup = html! {
        @for (Entry(mark, class, label), (x, y)) in entries.iter().zip(places) {
            (sign(*mark, class, x, y))
            text.legend x=(px(x + 22.0)) y=(px(y + 4.0)) { (label) }
        }
    };
    (frame.below_legend(rows), markup)
}

fn sign(mark: Mark, class: &str, x: f64, y: f64) -> Markup {
    html! {
        @match mark {
            Mark::Line => line class={ "line " (class) } x1=(px(x)) x2=(px(x + 16.0)) y1=(px(y)) y2=(px(y)) {},
            Mark::Area => rect class={ "area " (class) } x=(px(x + 2.0)) y=(px(y - 6.0)) width="12" height="12" {},
            Mark::Dot => circle class={ "dot " (class) } cx=(px(x + 8.0)) cy=(px(y)) r="3" {},
            Mark::Cross => (cross(x + 8.0, y, class)),
        }
    }
}

/// A mark that cannot be taken for a dot, whatever its colour.
pub(super) fn cross(x: f64, y: f64, class: &str) -> Markup {
    let d = format!("M{} {}l6 6m0 -6l-6 6", px(x - 3.0), px(y - 3.0));
    html! { path class={ "cross " (class) } d=(d) {} }
}
