//! Latency distribution in 30 equal bins between the smallest and the largest value; the last bin
//! is closed at both ends.

use maud::{Markup, html};

use super::axis::Axis;
use super::{BOTTOM, LEFT, NARROW, TOP, WIDTH, empty, figure, ms, px, x_title, y_title};
use crate::stats::Sorted;

const BINS: usize = 30;

/// Draws the distribution of `latencies` in milliseconds, with median and 95th percentile.
pub(in crate::report) fn histogram(title: &str, latencies: &Sorted) -> Markup {
    let (Some(p50), Some(p95)) = (latencies.quantile(0.50), latencies.quantile(0.95)) else {
        return empty(title);
    };
    let bins = bin(latencies);
    let x = Axis::horizontal(&NARROW, bins[0].low, bins[BINS - 1].high);
    let most = bins.iter().map(|bin| bin.count).max().unwrap_or(0);
    let y = Axis::counts(&NARROW, most as u64);
    let drawing = html! {
        (y.draw_left(&NARROW))
        @for bin in bins.iter().filter(|bin| bin.count > 0) {
            @let left = x.at(bin.low);
            @let top = y.at(bin.count as f64);
            rect.bar x=(px(left + 0.5)) y=(px(top)) width=(px((x.at(bin.high) - left - 1.0).max(0.5)))
                height=(px(BOTTOM - top)) rx="1" {
                title { (ms(bin.low)) "–" (ms(bin.high)) " ms: " (calls(bin.count)) }
            }
        }
        (x.draw_below(&NARROW))
        (marker(x.at(p50), TOP - 16.0, Side::Left, &format!("p50 {}", ms(p50))))
        (marker(x.at(p95), TOP - 4.0, Side::Right, &format!("p95 {}", ms(p95))))
        (x_title(&NARROW, "Latency (ms)"))
        (y_title(&NARROW, "Calls"))
    };
    let summary = format!(
        "{} in {BINS} bins, median {} ms, 95th percentile {} ms",
        calls(latencies.values().len()),
        ms(p50),
        ms(p95)
    );
    figure(title, "", &summary, &drawing)
}

/// On which side of its line a label stands when there is room on both.
#[derive(Debug, Clone, Copy)]
enum Side {
    Left,
    Right,
}

/// A labelled vertical line.
fn marker(x: f64, label_y: f64, preferred: Side, label: &str) -> Markup {
    const LABEL_WIDTH: f64 = 58.0;
    let left = match preferred {
        Side::Left => x - LABEL_WIDTH >= LEFT,
        Side::Right => x + LABEL_WIDTH > WIDTH,
    };
    let (label_x, anchor) = if left {
        (x - 4.0, "end")
    } else {
        (x + 4.0, "start")
    };
    html! {
        line.marker x1=(px(x)) x2=(px(x)) y1=(px(label_y - 8.0)) y2=(px(BOTTOM)) {}
        text.marker-label x=(px(label_x)) y=(px(label_y)) text-anchor=(anchor) { (label) }
    }
}

fn calls(count: usize) -> String {
    match count {
        1 => "1 call".to_owned(),
        n => format!("{n} calls"),
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Bin {
    low: f64,
    high: f64,
    count: usize,
}

/// Equal values, which have no range of their own, get one of 1 ms around them.
fn bin(sample: &Sorted) -> [Bin; BINS] {
    let (low, high) = match (sample.min(), sample.max()) {
        (Some(min), Some(max)) if min < max => (min, max),
        (min, _) => (min.unwrap_or(0.0) - 0.5, min.unwrap_or(0.0) + 0.5),
    };
    let edge = |i: usize| low + (high - low) * (i as f64 / BINS as f64);
    let mut bins = std::array::from_fn(|i| Bin {
        low: edge(i),
        high: edge(i + 1),
        count: 0,
    });
    for value in sample.values() {
        let share = (value - low) / (high - low);
        let i = ((share * BINS as f64) as usize).min(BINS - 1);
        bins[i].count += 1;
    }
    bins
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_falls_into_one_of_thirty_bins() {
        let sample = Sorted::new((0..=300).map(f64::from).collect());
        let bins = bin(&sample);
        assert_eq!(bins.iter().map(|bin| bin.count).sum::<usize>(), 301);
        assert_eq!((bins[0].low, bins[0].high, bins[0].count), (0.0, 10.0, 10));
        assert_eq!(
            (bins[29].high, bins[29].count),
            (300.0, 11),
            "closed at the top"
        );
    }

    #[test]
    fn equal_values_stand_in_the_middle() {
        let bins = bin(&Sorted::new(vec![7.0; 4]));
        assert_eq!((bins[0].low, bins[29].high), (6.5, 7.5));
        assert_eq!(bins[15].count, 4);
    }

    #[test]
    fn labels_stay_within_the_picture() {
        let anchor = |x, side| {
            let svg = marker(x, TOP, side, "p").into_string();
            svg.contains(r#"text-anchor="end""#)
        };
        assert!(anchor(WIDTH / 2.0, Side::Left) && !anchor(LEFT, Side::Left));
        assert!(!anchor(WIDTH / 2.0, Side::Right) && anchor(WIDTH - 20.0, Side::Right));
    }

    #[test]
    fn draws_a_bar_a_filled_bin() {
        let svg = histogram("T", &Sorted::new(vec![1.0, 2.0, 2.0])).into_string();
        assert_eq!(svg.matches("class=\"bar\"").count(), 2);
        assert!(
            svg.contains("2 calls") && svg.contains("Latency (ms)"),
            "{svg}"
        );
        assert!(
            histogram("T", &Sorted::default())
                .into_string()
                .contains("no calls")
        );
    }
}
