//! Every number that was chosen, in one place. They are the same for every series.

/// The constants of the whole-series detector; what they do is told where they are used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Constants {
    /// Cells in a stretch, whatever the resolution.
    pub stretch_cells: usize,
    /// Points averaged into one cell, a resolution each: stretches of 48, 96, 192 and 384 points.
    pub points_per_cell: [usize; 4],
    /// The finest resolution at which shapes are compared.
    pub shape_points_per_cell: usize,
    /// Least standard deviation by which a shape is divided, in standard deviations of the series.
    pub shape_deviation_min: f64,
    /// The distance to so many other stretches is a stretch's novelty.
    pub neighbours: usize,
    /// Stretches that each is compared with at most …
    pub reference_max: usize,
    /// … in runs of so many consecutive ones.
    pub reference_run: usize,
    /// Stretches of a resolution, in lengths of one, below which it says nothing.
    pub stretches_min: usize,
    /// What a family of views counts, where a resolution counts 1.
    pub view_weight: f64,
    /// Share of the series in the tail of a view, on each side.
    pub tail_share: f64,
    /// Share of the points in the body of the fused evidence, from which its tail is told.
    pub null_body: f64,
    /// Least scale of that tail, in powers of ten, for the views and for each resolution.
    pub null_scale_min: f64,
    /// Points that running means are taken over.
    pub means: [usize; 5],
    /// Points that running standard deviations are taken over.
    pub deviations: [usize; 2],
    /// Points that running ranges are taken over.
    pub ranges: [usize; 3],
    /// Distances, in points, of changes.
    pub changes: [usize; 3],
    /// Points that what is left without its season is averaged over.
    pub seasonal_means: [usize; 3],
    /// Cycles of a season that the series must hold.
    pub cycles_min: f64,
    /// Points around each that the expected value is the median of.
    pub expected_points: usize,
}

/// The constants, as chosen on 104 labelled series of eight collections together.
pub const CONSTANTS: Constants = Constants {
    stretch_cells: 24,
    points_per_cell: [2, 4, 8, 16],
    shape_points_per_cell: 4,
    shape_deviation_min: 0.05,
    neighbours: 3,
    reference_max: 32_768,
    reference_run: 2_048,
    stretches_min: 3,
    view_weight: 1.5,
    tail_share: 0.03,
    null_body: 0.85,
    null_scale_min: 0.2,
    means: [1, 3, 6, 12, 24],
    deviations: [12, 48],
    ranges: [12, 48, 96],
    changes: [1, 3, 12],
    seasonal_means: [1, 6, 24],
    cycles_min: 2.5,
    expected_points: 25,
};
