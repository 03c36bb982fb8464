//! Charts as inline SVG: no script, no outside resource, colours from the page's style sheet so
//! that they follow its light and dark themes, exact values in `<title>` tooltips.
//!
//! The drawing area is about as wide as a telephone, so that text keeps its size there; wide
//! pages put three charts side by side rather than enlarge them.

mod axis;
mod box_plot;
mod histogram;
mod status_codes;

use maud::{Markup, html};

pub(super) use self::box_plot::box_plot;
pub(super) use self::histogram::histogram;
pub(super) use self::status_codes::status_codes;

const WIDTH: f64 = 380.0;
const HEIGHT: f64 = 268.0;
const LEFT: f64 = 44.0;
const RIGHT: f64 = WIDTH - 14.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = HEIGHT - 46.0;

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
fn x_title(text: &str) -> Markup {
    html! {
        text.axis-title x=(px(f64::midpoint(LEFT, RIGHT))) y=(px(HEIGHT - 6.0))
            text-anchor="middle" { (text) }
    }
}

/// The name of the vertical axis.
fn y_title(text: &str) -> Markup {
    let y = f64::midpoint(TOP, BOTTOM);
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
