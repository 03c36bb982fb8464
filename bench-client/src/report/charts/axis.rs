//! Axes: linear ones with ticks at 1, 2 or 5 times a power of ten (P. S. Heckbert, "Nice Numbers
//! for Graph Labels", *Graphics Gems*, 1990), logarithmic ones of durations, and time.

use maud::{Markup, html};

use super::frame::Frame;
use super::px;
use crate::report::figures;

/// Durations below this, which no clock of ours resolves, stand at it on a logarithmic axis.
const SHORTEST_NS: f64 = 1_000.0;

/// A range of values laid over a range of pixels.
#[derive(Debug)]
pub(super) struct Axis {
    scale: Scale,
    low: f64,
    high: f64,
    from_px: f64,
    to_px: f64,
    ticks: Vec<(f64, String)>,
}

#[derive(Debug, Clone, Copy)]
enum Scale {
    Linear,
    Log,
}

impl Axis {
    /// A horizontal axis of values within `low..=high`, widened to whole ticks.
    pub(super) fn horizontal(frame: &Frame, low: f64, high: f64) -> Self {
        Self::nice((low, high), 5.0, 0.0, (frame.left, frame.right))
    }

    /// A vertical axis of counts from 0 to `most`, ticks on whole numbers.
    pub(super) fn counts(frame: &Frame, most: u64) -> Self {
        Self::nice(
            (0.0, most.max(1) as f64),
            4.0,
            1.0,
            (frame.bottom, frame.top),
        )
    }

    /// A vertical axis from 0 to `most` of whatever is not a count.
    pub(super) fn from_zero(frame: &Frame, most: f64) -> Self {
        let most = if most > 0.0 { most } else { 1.0 };
        Self::nice((0.0, most), 4.0, 0.0, (frame.bottom, frame.top))
    }

    /// A vertical logarithmic axis of durations in nanoseconds.
    pub(super) fn durations_up(frame: &Frame, low: f64, high: f64) -> Self {
        Self::log((low, high), (frame.bottom, frame.top), 5.0)
    }

    /// A horizontal one.
    pub(super) fn durations_across(frame: &Frame, low: f64, high: f64) -> Self {
        Self::log(
            (low, high),
            (frame.left, frame.right),
            frame.area_width() / 56.0,
        )
    }

    /// A horizontal axis of a run's nanoseconds, with the unit of its labels.
    pub(super) fn time(frame: &Frame, span_ns: u64) -> (Self, &'static str) {
        let (unit_ns, unit) = match span_ns {
            ..=180_000_000_000 => (1e9, "s"),
            180_000_000_001..=10_800_000_000_000 => (60e9, "min"),
            _ => (3600e9, "h"),
        };
        let high = (span_ns as f64).max(1e6);
        let intervals = (frame.area_width() / 90.0).round();
        let step = nice_step(high / unit_ns / intervals);
        let decimals = decimals(step);
        let last = (high / unit_ns / step * (1.0 + 1e-9)).floor() as usize;
        let tick = |i: usize| {
            let value = i as f64 * step;
            (value * unit_ns, format!("{value:.decimals$}"))
        };
        let axis = Self {
            scale: Scale::Linear,
            low: 0.0,
            high,
            from_px: frame.left,
            to_px: frame.right,
            ticks: (0..=last).map(tick).collect(),
        };
        (axis, unit)
    }

    /// A horizontal axis of quantiles, 0 to 1 − 10^−`nines`, on which every nine is as far from the
    /// next.
    pub(super) fn nines(frame: &Frame, nines: f64) -> Self {
        let named = [0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999_999];
        let within = |q: &f64| nines_of(*q) <= nines + 1e-9;
        let label = |q: f64| (nines_of(q), figures::quantile_name(q));
        Self {
            scale: Scale::Linear,
            low: 0.0,
            high: nines,
            from_px: frame.left,
            to_px: frame.right,
            ticks: named.into_iter().filter(within).map(label).collect(),
        }
    }

    fn nice((low, high): (f64, f64), intervals: f64, least_step: f64, px: (f64, f64)) -> Self {
        let step = nice_step((high - low) / intervals).max(least_step);
        let (low, high) = ((low / step).floor() * step, (high / step).ceil() * step);
        let count = ((high - low) / step).round() as usize;
        let decimals = decimals(step);
        let tick = |i: usize| {
            let value = low + i as f64 * step;
            (value, label(value, decimals))
        };
        Self {
            scale: Scale::Linear,
            low,
            high,
            from_px: px.0,
            to_px: px.1,
            ticks: (0..=count).map(tick).collect(),
        }
    }

    /// From and to 1, 2 or 5 times a power of ten. When there are more of these than `most`, only
    /// powers of ten have a label, or every second or third of them.
    fn log((low, high): (f64, f64), px: (f64, f64), most: f64) -> Self {
        let low = step_down(low.max(SHORTEST_NS));
        let mut high = step_up(high.max(SHORTEST_NS));
        if high <= low {
            high = step_up(low * 1.5);
        }
        let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
        let ticks = |factors: &[f64], every: usize| -> Vec<f64> {
            (first..=last)
                .step_by(every)
                .flat_map(|exponent| factors.iter().map(move |f| f * 10_f64.powi(exponent)))
                .filter(|v| *v >= low * 0.999 && *v <= high * 1.001)
                .collect()
        };
        let choices = [
            ticks(&[1.0, 2.0, 5.0], 1),
            ticks(&[1.0], 1),
            ticks(&[1.0], 2),
        ];
        let fits = |ticks: &Vec<f64>| ticks.len() as f64 <= most + 1.0;
        let chosen = choices.into_iter().find(fits);
        let chosen = chosen.unwrap_or_else(|| ticks(&[1.0], 3));
        Self {
            scale: Scale::Log,
            low,
            high,
            from_px: px.0,
            to_px: px.1,
            ticks: chosen
                .into_iter()
                .map(|ns| (ns, figures::exact(ns)))
                .collect(),
        }
    }

    /// Where `value` lies, in pixels. On a logarithmic axis what is too short stands at its end.
    pub(super) fn at(&self, value: f64) -> f64 {
        let share = match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Log => {
                let over = value.clamp(self.low, self.high) / self.low;
                over.ln() / (self.high / self.low).ln()
            }
        };
        self.from_px + share * (self.to_px - self.from_px)
    }

    /// The ends of the axis.
    pub(super) fn ends(&self) -> (f64, f64) {
        (self.low, self.high)
    }

    fn ticks(&self) -> impl Iterator<Item = (f64, &str)> {
        let ticks = self.ticks.iter();
        ticks.map(|(value, label)| (self.at(*value), label.as_str()))
    }

    /// Ticks, labels and base line below the drawing area. A label at the edge keeps within the
    /// picture.
    pub(super) fn draw_below(&self, frame: &Frame) -> Markup {
        let place = |x: f64, label: &str| {
            let half = 3.6 * label.chars().count() as f64;
            x.clamp(half, (frame.width - half).max(half))
        };
        html! {
            (base_line(frame))
            @for (x, label) in self.ticks() {
                line.axis x1=(px(x)) x2=(px(x)) y1=(px(frame.bottom)) y2=(px(frame.bottom + 4.0)) {}
                text.tick x=(px(place(x, label))) y=(px(frame.bottom + 17.0)) text-anchor="middle" { (label) }
            }
        }
    }

    /// Horizontal grid lines with labels at the left.
    pub(super) fn draw_left(&self, frame: &Frame) -> Markup {
        html! {
            @for (y, label) in self.ticks() {
                line.grid x1=(px(frame.left)) x2=(px(frame.right)) y1=(px(y)) y2=(px(y)) {}
                text.tick x=(px(frame.left - 6.0)) y=(px(y + 4.0)) text-anchor="end" { (label) }
            }
        }
    }

    /// Vertical grid lines.
    pub(super) fn draw_grid(&self, frame: &Frame) -> Markup {
        html! {
            @for (x, _) in self.ticks() {
                line.grid x1=(px(x)) x2=(px(x)) y1=(px(frame.top)) y2=(px(frame.bottom)) {}
            }
        }
    }
}

/// The line that values stand on.
pub(super) fn base_line(frame: &Frame) -> Markup {
    html! {
        line.axis x1=(px(frame.left)) x2=(px(frame.right)) y1=(px(frame.bottom)) y2=(px(frame.bottom)) {}
    }
}

/// How many nines a quantile has: 0.99 has 2.
pub(super) fn nines_of(q: f64) -> f64 {
    -(1.0 - q).max(1e-12).log10()
}

fn label(value: f64, decimals: usize) -> String {
    if value >= 1e3 && decimals == 0 {
        return figures::count(value.round() as u64);
    }
    format!("{value:.decimals$}")
}

fn decimals(step: f64) -> usize {
    (-step.log10().floor()).max(0.0) as usize
}

/// The smallest of 1, 2, 5 × 10ᵏ that is at least `rough`.
fn nice_step(rough: f64) -> f64 {
    let magnitude = 10_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * magnitude);
    // The tolerance keeps 5.000000001 (a rounding of 5) from becoming 10.
    let fits = |step: &f64| *step >= rough * (1.0 - 1e-9);
    steps.into_iter().find(fits).unwrap_or(10.0 * magnitude)
}

fn step_up(value: f64) -> f64 {
    nice_step(value)
}

/// The largest of 1, 2, 5 × 10ᵏ that is at most `value`.
fn step_down(value: f64) -> f64 {
    let magnitude = 10_f64.powf(value.log10().floor());
    let steps = [5.0, 2.0, 1.0].map(|factor| factor * magnitude);
    let fits = |step: &f64| *step <= value * (1.0 + 1e-9);
    steps.into_iter().find(fits).unwrap_or(magnitude)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Frame = Frame::NARROW;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks().map(|(_, label)| label).collect()
    }

    #[test]
    fn ticks_are_round_and_cover_the_values() {
        let wide = Axis::horizontal(&FRAME, 89.86, 871.74);
        assert_eq!(labels(&wide), ["0", "200", "400", "600", "800", "1,000"]);
        let narrow = Axis::horizontal(&FRAME, 1.03, 1.27);
        assert_eq!(
            labels(&narrow),
            ["1.00", "1.05", "1.10", "1.15", "1.20", "1.25", "1.30"]
        );
        assert_eq!((wide.at(0.0), wide.at(1_000.0)), (FRAME.left, FRAME.right));
    }

    #[test]
    fn counts_have_whole_ticks() {
        assert_eq!(labels(&Axis::counts(&FRAME, 0)), ["0", "1"]);
        assert_eq!(labels(&Axis::counts(&FRAME, 3)), ["0", "1", "2", "3"]);
        assert_eq!(labels(&Axis::counts(&FRAME, 100)), ["0", "50", "100"]);
        assert_eq!(Axis::counts(&FRAME, 4).at(0.0), FRAME.bottom);
    }

    #[test]
    fn decades_are_equally_far_apart() {
        let axis = Axis::durations_up(&FRAME, 1.2e6, 0.8e9);
        assert_eq!(labels(&axis), ["1 ms", "10 ms", "100 ms", "1 s"]);
        let gap = |a: f64, b: f64| axis.at(a) - axis.at(b);
        assert!((gap(1e6, 1e7) - gap(1e8, 1e9)).abs() < 1e-9);
        let close = Axis::durations_up(&FRAME, 1.1e6, 4.0e6);
        assert_eq!(labels(&close), ["1 ms", "2 ms", "5 ms"]);
        let many = Axis::durations_up(&FRAME, 1e3, 600e9);
        assert!(labels(&many).len() <= 6, "{many:?}");
    }

    #[test]
    fn no_range_is_still_an_axis() {
        for value in [0.0, 1.0, 1e6, 5e9] {
            let axis = Axis::durations_up(&FRAME, value, value);
            assert!(axis.at(value).is_finite(), "{axis:?}");
            assert!(labels(&axis).len() >= 2);
        }
        let (time, unit) = Axis::time(&FRAME, 0);
        assert!(time.at(0.0).is_finite() && unit == "s");
    }

    #[test]
    fn time_has_the_unit_of_its_length() {
        let (minute, unit) = Axis::time(&FRAME, 60_000_000_000);
        assert_eq!((labels(&minute), unit), (vec!["0", "20", "40", "60"], "s"));
        let (hour, unit) = Axis::time(&FRAME, 3_600_000_000_000);
        assert_eq!((labels(&hour), unit), (vec!["0", "20", "40", "60"], "min"));
        let (day, unit) = Axis::time(&FRAME, 86_400_000_000_000);
        assert_eq!((labels(&day), unit), (vec!["0", "10", "20"], "h"));
    }

    #[test]
    fn nines_are_equally_far_apart() {
        let axis = Axis::nines(&FRAME, 3.2);
        assert_eq!(labels(&axis), ["p50", "p90", "p99", "p99.9"]);
        let at = |q| axis.at(nines_of(q));
        assert!((at(0.99) - at(0.9) - (at(0.999) - at(0.99))).abs() < 1e-6);
    }
}
