//! Charts as inline SVG: no script, no outside resource, colours from the page's style sheet so
//! that they follow its light and dark themes, exact values in `<title>` tooltips.
//!
//! A drawing area is about as wide as a telephone, so that text keeps its size there; wide pages
//! put three charts side by side rather than enlarge them. A chart over time is drawn twice, for
//! a page's width and for a telephone's, and the page shows the one that fits.

mod axis;
mod box_plot;
mod boxes;
mod chart;
mod distribution;
mod frame;
mod heat;
mod histogram;
mod latency;
mod legend;
mod levels;
mod outcomes;
mod over_time;
mod percentiles;
mod server_side;
mod status_codes;
mod throughput;
mod windows;

use maud::{Markup, html};

pub(super) use self::box_plot::box_plot;
pub(super) use self::boxes::{Row, box_rows};
pub(super) use self::chart::Chart;
pub(super) use self::distribution::latency_histogram;
pub(super) use self::heat::{Grid, heat};
pub(super) use self::histogram::histogram;
pub(super) use self::latency::latency_over_time;
pub(super) use self::levels::{errors_by_level, latency_by_level, throughput_by_level};
pub(super) use self::outcomes::{class_name, outcomes, statuses};
pub(super) use self::over_time::Moment;
pub(super) use self::percentiles::percentiles;
pub(super) use self::server_side::server_over_time;
pub(super) use self::status_codes::status_codes;
pub(super) use self::throughput::throughput_over_time;
pub(super) use self::windows::boxes_over_time;

use self::frame::Frame;

const NARROW: Frame = Frame::NARROW;
const WIDTH: f64 = NARROW.width;
const HEIGHT: f64 = NARROW.height;
const LEFT: f64 = NARROW.left;
const RIGHT: f64 = NARROW.right;
const TOP: f64 = NARROW.top;
const BOTTOM: f64 = NARROW.bottom;

/// A captioned chart; `summary` is what a screen reader says of it.
fn figure(title: &str, note: &str, summary: &str, drawing: &Markup) -> Markup {
    let view_box = format!("0 0 {WIDTH} {HEIGHT}");
    html! {
        figure {
            figcaption { (title) @if !note.is_empty() { span.note { (note) } } }
            svg.chart role="img" aria-label={ (title) ": " (summary) } viewBox=(view_box) {
                (drawing)
            }
        }
    }
}

/// A chart of a phase without any call.
fn empty(title: &str) -> Markup {
    let drawing = html! {
        text.none x=(WIDTH / 2.0) y=(HEIGHT / 2.0) text-anchor="middle" { "no calls" }
    };
    figure(title, "", "no calls", &drawing)
}

/// The name of the horizontal axis.
fn x_title(frame: &Frame, text: &str) -> Markup {
    html! {
        text.axis-title x=(px(frame.center_x())) y=(px(frame.height - 6.0))
            text-anchor="middle" { (text) }
    }
}

/// The name of the vertical axis.
fn y_title(frame: &Frame, text: &str) -> Markup {
    let y = f64::midpoint(frame.top, frame.bottom);
    html! {
        text.axis-title x="12" y=(px(y)) text-anchor="middle"
            transform={ "rotate(-90 12 " (px(y)) ")" } { (text) }
    }
}

/// A coordinate to a hundredth of a pixel.
fn px(value: f64) -> String {
    let rounded = (value * 100.0).round() / 100.0;
    format!("{rounded}")
}

/// Milliseconds with about three significant digits, for labels.
pub(super) fn ms(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        medium if medium >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!([px(1.0), px(1.239), px(-0.5)], ["1", "1.24", "-0.5"]);
        let shown = [ms(0.123), ms(1.0), ms(12.34), ms(694.04)];
        assert_eq!(shown, ["0.12", "1.00", "12.3", "694"]);
    }
}
