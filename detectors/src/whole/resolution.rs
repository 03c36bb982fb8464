//! One resolution of the self-join: points averaged into cells, stretches compared, and the novelty
//! of the stretches told for every point.
//!
//! A stretch has always the same number of cells, so that one twice as long costs a quarter: it is
//! compared at half the resolution (piecewise aggregate approximation: Keogh et al., *Dimensionality
//! reduction for fast similarity search in large time series databases*, KAIS 3, 2001). What a
//! stretch loses by that is what a shorter stretch or a view sees.

use super::constants::CONSTANTS;
use super::join::{Compared, self_join};
use super::running;
use super::surprise;
use super::workers::Workers;

/// Surprise of every point, by the stretches around it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Resolution {
    /// Of values.
    pub(super) raw: Vec<f64>,
    /// Of shapes, where they are compared at this resolution.
    pub(super) shape: Option<Vec<f64>>,
}

/// Points in a stretch of cells of so many points.
pub(super) fn window(points_per_cell: usize) -> usize {
    CONSTANTS.stretch_cells * points_per_cell
}

/// Whether a series of `n` points has stretches enough to compare.
pub(super) fn has(n: usize, points_per_cell: usize) -> bool {
    n >= (CONSTANTS.stretches_min + 1) * window(points_per_cell)
}

/// Compares the stretches of a standardised series at one resolution; [`has`] holds.
pub(super) fn resolution(
    series: &[f64],
    points_per_cell: usize,
    workers: &impl Workers,
) -> Resolution {
    let cells: Vec<f64> = series
        .chunks_exact(points_per_cell)
        .map(|points| points.iter().sum::<f64>() / points_per_cell as f64)
        .collect();
    let compared = if points_per_cell >= CONSTANTS.shape_points_per_cell {
        Compared::ValuesAndShapes
    } else {
        Compared::Values
    };
    let distances = self_join(&cells, compared, workers);
    let profiles = [distances.raw, distances.shape];
    let mut surprises = workers.map(profiles.len(), |index| {
        let profile = &profiles[index];
        (!profile.is_empty()).then(|| {
            let of_points = spread(profile, points_per_cell, series.len());
            surprise::of_large(&running::means(&of_points, window(points_per_cell)))
        })
    });
    let shape = surprises.pop().flatten();
    Resolution {
        raw: surprises.pop().flatten().unwrap_or_default(),
        shape,
    }
}

/// The novelty of stretches at every point: of the stretch in whose middle the point lies, linear in
/// between, and of the outermost one at the ends.
fn spread(novelties: &[f64], points_per_cell: usize, n: usize) -> Vec<f64> {
    let last = novelties.len() - 1;
    let first_middle = window(points_per_cell) as f64 / 2.0;
    (0..n)
        .map(|point| {
            let place = (point as f64 - first_middle) / points_per_cell as f64;
            let place = place.clamp(0.0, last as f64);
            let left = place as usize;
            let (a, b) = (novelties[left], novelties[(left + 1).min(last)]);
            a + (b - a) * (place - left as f64)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::workers::InTurn;
    use super::*;

    #[test]
    fn novelty_lies_in_the_middle_of_its_stretch() {
        let spread = spread(&[0.0, 2.0, 4.0], 2, 60);
        assert_eq!(spread[..25], [0.0; 25]);
        assert_eq!(spread[24..30], [0.0, 1.0, 2.0, 3.0, 4.0, 4.0]);
    }

    #[test]
    fn a_stretch_unlike_the_others_is_the_most_surprising() {
        let mut series: Vec<f64> = (0..4_000).map(|i| (i % 50) as f64 / 14.0 - 1.7).collect();
        // Back to front, so that neither value nor change is new.
        series[2_000..2_050].reverse();
        for points_per_cell in CONSTANTS.points_per_cell {
            let found = resolution(&series, points_per_cell, &InTurn);
            let window = window(points_per_cell);
            for surprises in std::iter::once(&found.raw).chain(&found.shape) {
                let most = (0..4_000).max_by(|a, b| surprises[*a].total_cmp(&surprises[*b]));
                let most = most.unwrap();
                assert!(
                    (2_000 - window..2_050 + window).contains(&most),
                    "{points_per_cell}: {most}"
                );
            }
        }
    }
}
