//! Box plot with every point below it: box from the lower to the upper quartile, line at the
//! median, dashed line at the mean, whiskers to the outermost points within 1.5 interquartile
//! ranges of the box (J. W. Tukey, *Exploratory Data Analysis*, 1977).
//!
//! The points' heights carry no value. They follow the fractional parts of multiples of the
//! golden ratio, which spreads neighbours apart and draws the same picture every time.

use maud::{Markup, html};

use super::axis::Axis;
use super::{BOTTOM, LEFT, NARROW, RIGHT, TOP, empty, figure, ms, px, x_title};
use crate::record::CallRecord;
use crate::stats::Sorted;

/// A page with more points than this shows every k-th in order of latency, and says so.
const MOST_POINTS: usize = 5_000;
const GOLDEN_RATIO: f64 = 1.618_033_988_749_895;

const BOX_TOP: f64 = TOP + 12.0;
const BOX_BOTTOM: f64 = BOX_TOP + 62.0;
const POINTS_TOP: f64 = BOX_BOTTOM + 22.0;
const POINTS_BOTTOM: f64 = BOTTOM - 12.0;

/// Draws the latencies of `records`.
pub(in crate::report) fn box_plot(title: &str, records: &[CallRecord]) -> Markup {
    let latencies = Sorted::new(records.iter().map(|record| record.delta_ms).collect());
    let Some(tukey) = Tukey::of(&latencies) else {
        return empty(title);
    };
    let x = match latencies.values() {
        [first, .., last] if first < last => Axis::horizontal(&NARROW, *first, *last),
        _ => Axis::horizontal(&NARROW, tukey.median - 0.5, tukey.median + 0.5),
    };
    let (shown, every) = thinned(records);
    let drawing = html! {
        (x.draw_grid(&NARROW))
        (tukey.draw(&x))
        @for record in shown {
            circle.point.failed[!record.ok] cx=(px(x.at(record.delta_ms)))
                cy=(px(height(record.call_index))) r="2.6" {
                title {
                    "call " (record.call_index) ", " (record.series_id) ": "
                    (ms(record.delta_ms)) " ms, " (status(record))
                }
            }
        }
        (x.draw_below(&NARROW))
        (x_title(&NARROW, "Latency (ms)"))
    };
    let note = match every {
        1 => String::new(),
        k => format!("one point in {k} of {} shown", records.len()),
    };
    figure(title, &note, &tukey.in_words(), &drawing)
}

fn status(record: &CallRecord) -> String {
    let no_reply = || "no reply".to_owned();
    record
        .status_code
        .map_or_else(no_reply, |code| format!("status {code}"))
}

fn height(call_index: usize) -> f64 {
    let share = (call_index as f64 * GOLDEN_RATIO).fract();
    POINTS_TOP + share * (POINTS_BOTTOM - POINTS_TOP)
}

/// Every k-th record in order of latency, both extremes among them, and that k.
fn thinned(records: &[CallRecord]) -> (Vec<&CallRecord>, usize) {
    let every = records.len().div_ceil(MOST_POINTS).max(1);
    let mut ordered: Vec<_> = records.iter().collect();
    if every == 1 {
        return (ordered, 1);
    }
    ordered.sort_by(|a, b| a.delta_ms.total_cmp(&b.delta_ms));
    let last = ordered.len() - 1;
    let keep = |i: &usize| i.is_multiple_of(every) || *i == last;
    let shown = (0..ordered.len()).filter(keep).map(|i| ordered[i]);
    (shown.collect(), every)
}

#[derive(Debug, PartialEq)]
struct Tukey {
    whisker_low: f64,
    q1: f64,
    median: f64,
    q3: f64,
    whisker_high: f64,
    mean: f64,
}

impl Tukey {
    fn of(sample: &Sorted) -> Option<Self> {
        let (q1, q3) = (sample.quantile(0.25)?, sample.quantile(0.75)?);
        let reach = 1.5 * (q3 - q1);
        let mut inside = sample.values().iter().copied();
        let mut inside_from_above = sample.values().iter().rev().copied();
        Some(Self {
            whisker_low: inside.find(|v| *v >= q1 - reach)?,
            q1,
            median: sample.quantile(0.5)?,
            q3,
            whisker_high: inside_from_above.find(|v| *v <= q3 + reach)?,
            mean: sample.mean()?,
        })
    }

    fn in_words(&self) -> String {
        format!(
            "median {} ms, quartiles {} and {} ms, whiskers {} and {} ms, mean {} ms",
            ms(self.median),
            ms(self.q1),
            ms(self.q3),
            ms(self.whisker_low),
            ms(self.whisker_high),
            ms(self.mean)
        )
    }

    fn draw(&self, x: &Axis) -> Markup {
        let middle = px(f64::midpoint(BOX_TOP, BOX_BOTTOM));
        let cap = (px(BOX_TOP + 16.0), px(BOX_BOTTOM - 16.0));
        let (low, high) = (px(x.at(self.whisker_low)), px(x.at(self.whisker_high)));
        let (q1, q3) = (x.at(self.q1), x.at(self.q3));
        let (median, mean) = (px(x.at(self.median)), x.at(self.mean));
        let label_x = mean.clamp(LEFT + 36.0, RIGHT - 36.0);
        html! {
            g {
                title { (self.in_words()) }
                line.whisker x1=(low) x2=(px(q1)) y1=(middle) y2=(middle) {}
                line.whisker x1=(px(q3)) x2=(high) y1=(middle) y2=(middle) {}
                line.whisker x1=(low) x2=(low) y1=(cap.0) y2=(cap.1) {}
                line.whisker x1=(high) x2=(high) y1=(cap.0) y2=(cap.1) {}
                rect.box x=(px(q1)) y=(px(BOX_TOP)) width=(px((q3 - q1).max(1.0)))
                    height=(px(BOX_BOTTOM - BOX_TOP)) rx="2" {}
                line.median x1=(median) x2=(median) y1=(px(BOX_TOP)) y2=(px(BOX_BOTTOM)) {}
                line.mean x1=(px(mean)) x2=(px(mean)) y1=(px(BOX_TOP - 4.0))
                    y2=(px(BOX_BOTTOM + 4.0)) stroke-dasharray="4 3" {}
            }
            text.marker-label x=(px(label_x)) y=(px(BOX_TOP - 9.0)) text-anchor="middle" {
                "mean " (ms(self.mean))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(call_index: usize, delta_ms: f64) -> CallRecord {
        CallRecord {
            call_index,
            series_id: "<s>".into(),
            status_code: Some(200),
            ok: true,
            delta_ms,
            start_epoch_ms: 0.0,
            end_epoch_ms: 0.0,
            error: None,
            body_preview: None,
            since_intended_ms: delta_ms,
        }
    }

    #[test]
    fn whiskers_end_at_points_within_reach() {
        let sample = Sorted::new(vec![1.0, 10.0, 11.0, 12.0, 13.0, 14.0, 40.0]);
        let tukey = Tukey::of(&sample).unwrap();
        assert_eq!((tukey.q1, tukey.median, tukey.q3), (10.5, 12.0, 13.5));
        assert_eq!((tukey.whisker_low, tukey.whisker_high), (10.0, 14.0));
        assert_eq!(Tukey::of(&Sorted::default()), None);
    }

    #[test]
    fn draws_every_point_and_a_dashed_mean_and_escapes_names() {
        let records: Vec<_> = (0..100).map(|i| record(i, i as f64)).collect();
        let svg = box_plot("T", &records).into_string();
        assert_eq!(svg.matches("<circle").count(), 100);
        assert_eq!(svg.matches("stroke-dasharray").count(), 1);
        assert!(svg.contains("&lt;s&gt;") && !svg.contains("<s>"));
    }

    #[test]
    fn equal_values_have_a_finite_place() {
        let svg = box_plot("T", &[record(0, 3.0), record(1, 3.0)]).into_string();
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[test]
    fn many_points_are_thinned_with_both_extremes_kept() {
        let records: Vec<_> = (0..12_001).map(|i| record(i, i as f64)).collect();
        let (shown, every) = thinned(&records);
        assert_eq!((every, shown.len()), (3, 4_001));
        assert_eq!(shown[0].delta_ms, 0.0);
        assert_eq!(shown.last().unwrap().delta_ms, 12_000.0);
        assert!(
            box_plot("T", &records)
                .into_string()
                .contains("one point in 3 of 12001")
        );
    }
}
