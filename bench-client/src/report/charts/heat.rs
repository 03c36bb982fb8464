//! A grid of values, each cell coloured by its value and with the value in it.
//!
//! The scale goes from light to dark through one order of hues (the `viridis` family's idea: lightness
//! alone tells the order, so that it reads without colour and by every kind of colour vision).

use maud::{Markup, html};

use super::frame::Frame;
use super::{Chart, px, x_title, y_title};
use crate::report::figures;

/// Steps of the scale, each a class of the style sheet.
const STEPS: usize = 9;
/// Least height of a cell, and of all rows together: the name of the axis stands beside them.
const CELL_HEIGHT: f64 = 34.0;
const ROWS_HEIGHT: f64 = 130.0;
/// Room for the scale below the axis.
const SCALE_HEIGHT: f64 = 44.0;

/// What a grid shows.
#[derive(Debug, Clone, Copy)]
pub(in crate::report) struct Grid<'a> {
    /// The name of the horizontal axis.
    pub(in crate::report) x_label: &'a str,
    /// Its values, left to right.
    pub(in crate::report) xs: &'a [String],
    /// The name of the vertical axis.
    pub(in crate::report) y_label: &'a str,
    /// Its values, top to bottom.
    pub(in crate::report) ys: &'a [String],
    /// The statistic with its unit.
    pub(in crate::report) statistic: &'a str,
    /// A row a value of the vertical axis; none where nothing was measured, or too little.
    pub(in crate::report) cells: &'a [Vec<Option<f64>>],
}

impl Grid<'_> {
    fn at(&self, x: usize, y: usize) -> Option<f64> {
        let value = *self.cells.get(y)?.get(x)?;
        value.filter(|value| value.is_finite())
    }

    fn range(&self) -> Option<(f64, f64)> {
        let places = (0..self.ys.len()).flat_map(|y| (0..self.xs.len()).map(move |x| (x, y)));
        let values = places.filter_map(|(x, y)| self.at(x, y));
        values.fold(None, |range, value| match range {
            None => Some((value, value)),
            Some((low, high)) => Some((low.min(value), high.max(value))),
        })
    }
}

/// How values become steps: by their ratios when they span more than a decade, else by differences.
struct Scale {
    low: f64,
    high: f64,
    log: bool,
}

impl Scale {
    fn new((low, high): (f64, f64)) -> Self {
        let log = low > 0.0 && high / low > 10.0;
        Self { low, high, log }
    }

    fn step(&self, value: f64) -> usize {
        if self.high <= self.low {
            return STEPS / 2;
        }
        let share = if self.log {
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        ((share * STEPS as f64) as usize).min(STEPS - 1)
    }

    /// The value in the middle of all values.
    fn middle(&self) -> f64 {
        if self.log {
            (self.low * self.high).sqrt()
        } else {
            f64::midpoint(self.low, self.high)
        }
    }
}

/// Draws the grid with its scale.
pub(in crate::report) fn heat(title: &str, grid: &Grid<'_>) -> Chart {
    let name = ("heatmap", title);
    let Some(range) = grid.range() else {
        return Chart::empty(name, "nothing measured");
    };
    let scale = Scale::new(range);
    let rows = grid.ys.len() as f64;
    let cell_height = CELL_HEIGHT.max(ROWS_HEIGHT / rows);
    let longest = grid.ys.iter().map(|y| y.chars().count()).max().unwrap_or(0);
    let left = (7.5 * longest as f64 + 40.0).max(62.0);
    let columns = grid.xs.len() as f64;
    let width = (left + 14.0 + columns * 72.0).clamp(380.0, 960.0);
    let height = 8.0 + rows * cell_height + 46.0 + SCALE_HEIGHT;
    let frame = Frame {
        top: 8.0,
        bottom: 8.0 + rows * cell_height,
        height: height - SCALE_HEIGHT,
        ..Frame::of(width, height, left)
    };
    let drawing = html! {
        @for (y, label) in grid.ys.iter().enumerate() {
            @let middle = frame.top + cell_height * (y as f64 + 0.5);
            text.row-label x=(px(left - 8.0)) y=(px(middle + 4.0)) text-anchor="end" { (label) }
            @for x in 0..grid.xs.len() { (cell(grid, &frame, &scale, (x, y))) }
        }
        @for (x, label) in grid.xs.iter().enumerate() {
            @let slot = frame.area_width() / columns;
            text.row-label x=(px(left + slot * (x as f64 + 0.5))) y=(px(frame.bottom + 17.0))
                text-anchor="middle" { (label) }
        }
        (x_title(&frame, grid.x_label))
        (y_title(&frame, grid.y_label))
        (key(&frame, &scale, height))
    };
    let summary = format!(
        "{} from {} to {} over {} × {} cells",
        grid.statistic,
        figures::significant(range.0),
        figures::significant(range.1),
        grid.xs.len(),
        grid.ys.len()
    );
    let whole = Frame { height, ..frame };
    Chart::narrow(name, summary, (whole, drawing)).with_note(grid.statistic)
}

fn cell(grid: &Grid<'_>, frame: &Frame, scale: &Scale, (x, y): (usize, usize)) -> Markup {
    let slot = frame.area_width() / grid.xs.len() as f64;
    let high = (frame.bottom - frame.top) / grid.ys.len() as f64;
    let (left, top) = (frame.left + slot * x as f64, frame.top + high * y as f64);
    let value = grid.at(x, y);
    let class = value.map_or_else(
        || "none".to_owned(),
        |value| format!("{}", scale.step(value)),
    );
    let shown = value.map_or_else(|| figures::UNKNOWN.to_owned(), figures::significant);
    let ink = match value.map(|value| scale.step(value)) {
        None => "tick",
        Some(step) if step >= STEPS / 2 => "on-dark",
        Some(_) => "on-light",
    };
    html! {
        g {
            title { (grid.x_label) " " (grid.xs[x]) ", " (grid.y_label) " " (grid.ys[y]) ": " (shown) }
            rect class={ "cell heat-" (class) } x=(px(left + 1.0)) y=(px(top + 1.0))
                width=(px(slot - 2.0)) height=(px(high - 2.0)) rx="2" {}
            text class=(ink) x=(px(left + slot / 2.0))
                y=(px(top + high / 2.0 + 4.0)) text-anchor="middle" { (shown) }
        }
    }
}

/// The scale with the values at its ends and in its middle.
fn key(frame: &Frame, scale: &Scale, height: f64) -> Markup {
    let width = (frame.area_width() * 0.7).min(280.0) / STEPS as f64;
    let left = frame.center_x() - width * STEPS as f64 / 2.0;
    let labels = [(0.0, scale.low), (0.5, scale.middle()), (1.0, scale.high)];
    html! {
        @for step in 0..STEPS {
            rect class={ "heat-" (step) } x=(px(left + width * step as f64)) y=(px(height - 34.0))
                width=(px(width)) height="12" {}
        }
        @for (share, value) in labels {
            text.tick x=(px(left + width * STEPS as f64 * share)) y=(px(height - 6.0))
                text-anchor="middle" { (figures::significant(value)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_is_darker_and_the_ends_are_the_ends() {
        for range in [(1.0, 2.0), (1.0, 1e4), (0.0, 5.0), (-3.0, 3.0)] {
            let scale = Scale::new(range);
            assert_eq!((scale.step(range.0), scale.step(range.1)), (0, STEPS - 1));
            assert_eq!(scale.step(scale.middle()), STEPS / 2, "{range:?}");
        }
        assert_eq!(Scale::new((7.0, 7.0)).step(7.0), STEPS / 2);
    }
}
