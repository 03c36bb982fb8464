//! The self-join: for every stretch of a series, how far the few most similar others are.
//!
//! ```text
//! raw(i)   = k-th smallest over j of ‖x_i − x_j‖²
//! shape(i) = k-th smallest over j of ‖z(x_i) − z(x_j)‖²,    z(x) = (x − mean) / max(sd, floor)
//! ```
//!
//! over all stretches j of the reference that overlap stretch i by half or less (the matrix profile
//! of Yeh et al., *Matrix Profile I*, ICDM 2016, with the k-th neighbour in place of the first, so
//! that an anomaly that comes back once or twice stays one, and the raw distance beside that of
//! shapes). The reference is every stretch, or, of a long series, runs of consecutive ones spread
//! evenly over it: the cost is then linear in the length, and the neighbours of a series ten times
//! as long are not nearer for that alone.
//!
//! Along a diagonal one difference enters and one leaves (as in STOMP: Zhu et al., *Matrix Profile
//! II*, ICDM 2016): a distance costs two products. What differs here: squared differences are
//! carried along, not inner products, which would take small distances of large numbers away from
//! each other; a row is taken at once, so that its distances do not wait for one another; every
//! [`BLOCK`] rows they are computed anew, which bounds what rounding can add up to and makes blocks
//! independent.

use std::ops::Range;

use super::constants::CONSTANTS;
use super::smallest::Smallest;
use super::workers::Workers;

/// Rows in a block, which one worker does.
const BLOCK: usize = 256;

const M: usize = CONSTANTS.stretch_cells;

/// Stretches that begin less than so many cells apart are no neighbours: they are half the same.
const APART: usize = M / 2;

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compared {
    /// The values.
    Values,
    /// The values and, apart, their shapes.
    ValuesAndShapes,
}

/// Distances to the k-th neighbour, a number for every stretch.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Distances {
    pub(super) raw: Vec<f64>,
    /// Empty where shapes are not compared.
    pub(super) shape: Vec<f64>,
}

/// Compares the stretches of a standardised series with each other; `O(n · reference)`, with
/// `O(n + run)` numbers kept.
pub(super) fn self_join(series: &[f64], compared: Compared, workers: &impl Workers) -> Distances {
    let stretches = (series.len() + 1).saturating_sub(M);
    let join = Join {
        series,
        shapes: match compared {
            Compared::Values => Shapes::default(),
            Compared::ValuesAndShapes => Shapes::of(series),
        },
        reference: reference(stretches),
    };
    let blocks = workers.map(stretches.div_ceil(BLOCK), |block| {
        join.block(block * BLOCK..((block + 1) * BLOCK).min(stretches))
    });
    let distance = |smallest: Smallest| smallest.last().max(0.0).sqrt();
    let (mut raw, mut shape) = (Vec::with_capacity(stretches), Vec::new());
    for block in blocks {
        raw.extend(block.raw.into_iter().map(distance));
        shape.extend(block.shape.into_iter().map(distance));
    }
    Distances { raw, shape }
}

/// The stretches that all are compared with, in runs of consecutive ones.
fn reference(stretches: usize) -> Vec<Range<usize>> {
    let run = CONSTANTS.reference_run;
    let runs = if stretches <= CONSTANTS.reference_max {
        return (0..stretches.div_ceil(run))
            .map(|index| index * run..((index + 1) * run).min(stretches))
            .collect();
    } else {
        CONSTANTS.reference_max / run
    };
    (0..runs)
        .map(|index| {
            let start = index * (stretches - run) / (runs - 1);
            start..start + run
        })
        .collect()
}

struct Join<'a> {
    series: &'a [f64],
    shapes: Shapes,
    reference: Vec<Range<usize>>,
}

/// The nearest of the rows of a block.
struct Block {
    raw: Vec<Smallest>,
    shape: Vec<Smallest>,
}

/// What the distance of shapes needs of every stretch, in columns; empty where they are not compared.
#[derive(Debug, Clone, Default)]
struct Shapes {
    mean: Vec<f64>,
    /// Σ(x − mean)².
    squares: Vec<f64>,
    /// 1 / max(sd, floor).
    weight: Vec<f64>,
    /// ‖z‖².
    length: Vec<f64>,
}

impl Shapes {
    fn of(series: &[f64]) -> Self {
        let mut shapes = Self::default();
        for stretch in series.windows(M) {
            let mean = stretch.iter().sum::<f64>() / M as f64;
            let squares: f64 = stretch.iter().map(|x| (x - mean) * (x - mean)).sum();
            let deviation = (squares / M as f64).sqrt();
            let weight = 1.0 / deviation.max(CONSTANTS.shape_deviation_min);
            shapes.mean.push(mean);
            shapes.squares.push(squares);
            shapes.weight.push(weight);
            shapes.length.push(squares * weight * weight);
        }
        shapes
    }
}

impl Join<'_> {
    fn block(&self, rows: Range<usize>) -> Block {
        let of_rows = |rows: usize| vec![Smallest::NONE; rows];
        let mut block = Block {
            raw: of_rows(rows.len()),
            shape: of_rows(self.shapes.mean.len().min(rows.len())),
        };
        let longest = self.reference.iter().map(Range::len).max().unwrap_or(0);
        let mut buffers = [vec![0.0; longest], vec![0.0; longest], vec![0.0; longest]];
        for run in &self.reference {
            let [distances, next, scratch] = buffers.each_mut().map(|b| &mut b[..run.len()]);
            let (mut distances, mut next) = (distances, next);
            for (distance, column) in distances.iter_mut().zip(run.clone()) {
                *distance = self.distance(rows.start, column);
            }
            for row in rows.clone() {
                if row > rows.start {
                    self.advance(row, run, distances, next);
                    std::mem::swap(&mut distances, &mut next);
                }
                for part in apart(row, run) {
                    let columns = run.start + part.start..run.start + part.end;
                    let distances = &distances[part];
                    block.raw[row - rows.start].take_all(distances);
                    if let Some(nearest) = block.shape.get_mut(row - rows.start) {
                        let scratch = &mut scratch[..distances.len()];
                        self.shape_distances(row, columns, distances, scratch);
                        nearest.take_all(scratch);
                    }
                }
            }
        }
        block
    }

    /// ‖x_row − x_column‖².
    fn distance(&self, row: usize, column: usize) -> f64 {
        let (a, b) = (&self.series[row..row + M], &self.series[column..column + M]);
        a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
    }

    /// The squared distances of a row from those of the row before it.
    fn advance(&self, row: usize, run: &Range<usize>, before: &[f64], distances: &mut [f64]) {
        let Some((first, distances)) = distances.split_first_mut() else {
            return;
        };
        *first = self.distance(row, run.start);
        let (enters, leaves) = (self.series[row + M - 1], self.series[row - 1]);
        let entering = &self.series[run.start + M..run.end + M - 1];
        let leaving = &self.series[run.start..run.end - 1];
        let columns = distances
            .iter_mut()
            .zip(before)
            .zip(entering.iter().zip(leaving));
        for ((distance, before), (entering, leaving)) in columns {
            let (enters, leaves) = (enters - entering, leaves - leaving);
            *distance = before + (enters * enters - leaves * leaves);
        }
    }

    /// The squared distances of the shapes of a row and of columns, from those of their values.
    fn shape_distances(
        &self,
        row: usize,
        columns: Range<usize>,
        raw: &[f64],
        distances: &mut [f64],
    ) {
        let shapes = &self.shapes;
        let (mean, squares) = (shapes.mean[row], shapes.squares[row]);
        let (weight, length) = (shapes.weight[row], shapes.length[row]);
        let moments = shapes.mean[columns.clone()]
            .iter()
            .zip(&shapes.squares[columns.clone()]);
        let scales = shapes.weight[columns.clone()]
            .iter()
            .zip(&shapes.length[columns]);
        let columns = distances.iter_mut().zip(raw).zip(moments.zip(scales));
        for ((distance, raw), ((b_mean, b_squares), (b_weight, b_length))) in columns {
            let apart = mean - b_mean;
            let twice_product = squares + b_squares + M as f64 * (apart * apart) - raw;
            *distance = length + b_length - twice_product * (weight * b_weight);
        }
    }
}

/// The parts of a run, counted from its start, that are no part of the row's own stretch.
fn apart(row: usize, run: &Range<usize>) -> [Range<usize>; 2] {
    let place = |column: usize| column.clamp(run.start, run.end) - run.start;
    [
        0..place((row + 1).saturating_sub(APART)),
        place(row + APART)..run.len(),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::workers::InTurn;
    use super::*;

    fn series(n: usize) -> Vec<f64> {
        let noise = |i: usize| ((i * 7919 + i * i * 31) % 1009) as f64 / 1009.0;
        (0..n).map(|i| (i % 37) as f64 / 20.0 + noise(i)).collect()
    }

    /// By the definition.
    fn slowly(series: &[f64], distance: impl Fn(&[f64], &[f64]) -> f64) -> Vec<f64> {
        let windows: Vec<&[f64]> = series.windows(M).collect();
        let of_row = |i: usize| {
            let others = (0..windows.len()).filter(|j| i.abs_diff(*j) >= APART);
            let mut all: Vec<f64> = others.map(|j| distance(windows[i], windows[j])).collect();
            all.sort_by(f64::total_cmp);
            all[CONSTANTS.neighbours - 1].sqrt()
        };
        (0..windows.len()).map(of_row).collect()
    }

    fn squared(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
    }

    fn shape_of(stretch: &[f64]) -> Vec<f64> {
        let shape = Shapes::of(stretch);
        let scaled = stretch
            .iter()
            .map(|x| (x - shape.mean[0]) * shape.weight[0]);
        scaled.collect()
    }

    #[test]
    fn distances_are_those_of_the_definition() {
        let series = series(700);
        let found = self_join(&series, Compared::ValuesAndShapes, &InTurn);
        let shapes = |a: &[f64], b: &[f64]| squared(&shape_of(a), &shape_of(b));
        for (found, expected) in [
            (&found.raw, slowly(&series, squared)),
            (&found.shape, slowly(&series, shapes)),
        ] {
            assert_eq!(found.len(), expected.len());
            for (a, b) in found.iter().zip(&expected) {
                assert!((a - b).abs() < 1e-9 * b, "{a} {b}");
            }
        }
        let raw = self_join(&series, Compared::Values, &InTurn);
        assert_eq!((raw.raw, raw.shape), (found.raw, vec![]));
    }

    #[test]
    fn a_long_series_is_compared_with_runs_from_its_start_to_its_end() {
        for stretches in [
            CONSTANTS.reference_max,
            CONSTANTS.reference_max + 1,
            1_000_000,
        ] {
            let runs = reference(stretches);
            assert_eq!(
                runs.iter().map(Range::len).sum::<usize>(),
                CONSTANTS.reference_max
            );
            assert_eq!((runs[0].start, runs[runs.len() - 1].end), (0, stretches));
            assert!(runs.windows(2).all(|pair| pair[0].end <= pair[1].start));
        }
    }

    #[test]
    fn too_few_cells_have_no_stretch() {
        let found = self_join(&series(M - 1), Compared::ValuesAndShapes, &InTurn);
        assert!(found.raw.is_empty() && found.shape.is_empty());
    }
}
