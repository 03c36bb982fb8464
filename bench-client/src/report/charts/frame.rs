//! Where in its picture a chart draws.

/// The size of a picture and the area within it that values are laid over, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::report) struct Frame {
    /// Width of the picture.
    pub(super) width: f64,
    /// Its height.
    pub(super) height: f64,
    /// Left edge of the area.
    pub(super) left: f64,
    /// Right edge.
    pub(super) right: f64,
    /// Upper edge.
    pub(super) top: f64,
    /// Lower edge.
    pub(super) bottom: f64,
}

/// Room at the left for durations with their units, and the axis' name.
const UNITS: f64 = 74.0;

impl Frame {
    /// About as wide as a telephone, so that text keeps its size there.
    pub(super) const NARROW: Self = Self::of(380.0, 268.0, 44.0);
    /// The same with room for longer labels at the left.
    pub(super) const LABELLED: Self = Self::of(380.0, 268.0, UNITS);
    /// The width of a page.
    pub(super) const WIDE: Self = Self::of(960.0, 290.0, UNITS);

    pub(super) const fn of(width: f64, height: f64, left: f64) -> Self {
        Self {
            width,
            height,
            left,
            right: width - 14.0,
            top: 30.0,
            bottom: height - 46.0,
        }
    }

    /// The same with `rows` of legend above.
    pub(super) fn below_legend(self, rows: usize) -> Self {
        Self {
            top: 14.0 + 18.0 * rows as f64,
            ..self
        }
    }

    pub(super) fn area_width(&self) -> f64 {
        self.right - self.left
    }

    pub(super) fn center_x(&self) -> f64 {
        f64::midpoint(self.left, self.right)
    }
}
