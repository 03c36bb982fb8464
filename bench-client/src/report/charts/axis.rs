//! A linear axis with ticks at 1, 2 or 5 times a power of ten (P. S. Heckbert, "Nice Numbers for
//! Graph Labels", *Graphics Gems*, 1990).

use maud::{Markup, html};

use super::{BOTTOM, LEFT, RIGHT, TOP, px};

/// A range of values laid over a range of pixels.
#[derive(Debug)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    step: f64,
    from_px: f64,
    to_px: f64,
}

impl Axis {
    /// A horizontal axis of values within `low..=high`, widened to whole ticks.
    pub(super) fn horizontal(low: f64, high: f64) -> Self {
        Self::nice(low, high, 5.0, 0.0, LEFT, RIGHT)
    }

    /// A vertical axis of counts from 0 to `most`, ticks on whole numbers.
    pub(super) fn counts(most: usize) -> Self {
        Self::nice(0.0, most.max(1) as f64, 4.0, 1.0, BOTTOM, TOP)
    }

    fn nice(
        low: f64,
        high: f64,
        intervals: f64,
        least_step: f64,
        from_px: f64,
        to_px: f64,
    ) -> Self {
        let step = nice_step((high - low) / intervals).max(least_step);
        Self {
            low: (low / step).floor() * step,
            high: (high / step).ceil() * step,
            step,
            from_px,
            to_px,
        }
    }

    /// Where `value` lies, in pixels.
    pub(super) fn at(&self, value: f64) -> f64 {
        let share = (value - self.low) / (self.high - self.low);
        self.from_px + share * (self.to_px - self.from_px)
    }

    fn ticks(&self) -> impl Iterator<Item = (f64, String)> + '_ {
        let count = ((self.high - self.low) / self.step).round() as usize;
        let decimals = (-self.step.log10().floor()).max(0.0) as usize;
        (0..=count).map(move |i| {
            let value = self.low + i as f64 * self.step;
            (self.at(value), format!("{value:.decimals$}"))
        })
    }

    /// Ticks, labels and base line below the drawing area.
    pub(super) fn draw_below(&self) -> Markup {
        html! {
            line.axis x1=(px(LEFT)) x2=(px(RIGHT)) y1=(px(BOTTOM)) y2=(px(BOTTOM)) {}
            @for (x, label) in self.ticks() {
                line.axis x1=(px(x)) x2=(px(x)) y1=(px(BOTTOM)) y2=(px(BOTTOM + 4.0)) {}
                text.tick x=(px(x)) y=(px(BOTTOM + 17.0)) text-anchor="middle" { (label) }
            }
        }
    }

    /// Horizontal grid lines with labels at the left.
    pub(super) fn draw_left(&self) -> Markup {
        html! {
            @for (y, label) in self.ticks() {
                line.grid x1=(px(LEFT)) x2=(px(RIGHT)) y1=(px(y)) y2=(px(y)) {}
                text.tick x=(px(LEFT - 6.0)) y=(px(y + 4.0)) text-anchor="end" { (label) }
            }
        }
    }

    /// Vertical grid lines.
    pub(super) fn draw_grid(&self) -> Markup {
        html! {
            @for (x, _) in self.ticks() {
                line.grid x1=(px(x)) x2=(px(x)) y1=(px(TOP)) y2=(px(BOTTOM)) {}
            }
        }
    }
}

/// The smallest of 1, 2, 5 × 10ᵏ that is at least `rough`.
fn nice_step(rough: f64) -> f64 {
    let magnitude = 10_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * magnitude);
    // The tolerance keeps 5.000000001 (a rounding of 5) from becoming 10.
    let fits = |step: &f64| *step >= rough * (1.0 - 1e-9);
    steps.into_iter().find(fits).unwrap_or(10.0 * magnitude)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<String> {
        axis.ticks().map(|(_, label)| label).collect()
    }

    #[test]
    fn ticks_are_round_and_cover_the_values() {
        let wide = Axis::horizontal(89.86, 871.74);
        assert_eq!(labels(&wide), ["0", "200", "400", "600", "800", "1000"]);
        let narrow = Axis::horizontal(1.03, 1.27);
        assert_eq!(
            labels(&narrow),
            ["1.00", "1.05", "1.10", "1.15", "1.20", "1.25", "1.30"]
        );
        assert_eq!((wide.at(0.0), wide.at(1_000.0)), (LEFT, RIGHT));
    }

    #[test]
    fn counts_have_whole_ticks() {
        assert_eq!(labels(&Axis::counts(0)), ["0", "1"]);
        assert_eq!(labels(&Axis::counts(3)), ["0", "1", "2", "3"]);
        assert_eq!(labels(&Axis::counts(100)), ["0", "50", "100"]);
        assert_eq!(Axis::counts(4).at(0.0), BOTTOM);
    }
}
