//! Calls by status code, a bar each; a call without a reply stands at −1.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::axis::Axis;
use super::{BOTTOM, LEFT, NARROW, RIGHT, empty, figure, px, x_title, y_title};
use crate::record::NO_REPLY;

/// Draws the number of calls a code.
pub(in crate::report) fn status_codes(title: &str, counts: &BTreeMap<i32, usize>) -> Markup {
    let Some(most) = counts.values().max() else {
        return empty(title);
    };
    let y = Axis::counts(&NARROW, *most as u64);
    let slot = (RIGHT - LEFT) / counts.len() as f64;
    let width = (slot * 0.6).min(72.0);
    let drawing = html! {
        (y.draw_left(&NARROW))
        @for (i, (code, count)) in counts.iter().enumerate() {
            @let middle = px(LEFT + slot * (i as f64 + 0.5));
            @let top = y.at(*count as f64);
            rect class={ "bar " (class(*code)) } x=(px(LEFT + slot * (i as f64 + 0.5) - width / 2.0))
                y=(px(top)) width=(px(width)) height=(px(BOTTOM - top)) rx="2" {
                title { (label(*code)) " (" (meaning(*code)) "): " (count) " calls" }
            }
            text.value x=(middle) y=(px(top - 5.0)) text-anchor="middle" { (count) }
            text.tick x=(middle) y=(px(BOTTOM + 17.0)) text-anchor="middle" { (label(*code)) }
        }
        line.axis x1=(px(LEFT)) x2=(px(RIGHT)) y1=(px(BOTTOM)) y2=(px(BOTTOM)) {}
        (x_title(&NARROW, "Status code (−1: no reply)"))
        (y_title(&NARROW, "Calls"))
    };
    let parts = counts
        .iter()
        .map(|(code, count)| format!("{}: {count}", label(*code)));
    let summary = parts.collect::<Vec<_>>().join(", ");
    figure(title, "", &summary, &drawing)
}

fn label(code: i32) -> String {
    code.to_string().replace('-', "−")
}

fn meaning(code: i32) -> &'static str {
    match code {
        NO_REPLY => "no reply",
        200 => "success",
        _ => "failure",
    }
}

fn class(code: i32) -> &'static str {
    match code {
        200 => "good",
        400..=499 => "caution",
        _ => "bad",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_reply_stands_first_at_minus_one() {
        let counts = BTreeMap::from([(200, 7), (-1, 2), (500, 1)]);
        let svg = status_codes("T", &counts).into_string();
        assert_eq!(svg.matches("<rect").count(), 3);
        assert!(svg.contains("−1: 2, 200: 7, 500: 1"), "{svg}");
        assert!(svg.find(">−1<").unwrap() < svg.find(">200<").unwrap());
        assert!(svg.contains("−1 (no reply): 2 calls"));
    }
}
