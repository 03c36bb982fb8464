//! Views of a series in which an anomaly may stand out although no stretch of it is unlike all others:
//! four families, each the mean of what its views say beyond their tails.
//!
//! | family | views |
//! |---|---|
//! | level | running means |
//! | season | what is left without the shape of a day or a week, and its running means |
//! | variability | running standard deviations and ranges |
//! | dynamics | changes over a few points, and the bend from one point to the next |
//!
//! All look to both sides of a point, which a detector that sees the whole series may.

use super::constants::CONSTANTS;
use super::running;
use super::surprise::beyond_tails;
use super::workers::Workers;

/// A family of views.
#[derive(Debug, Clone, Copy)]
enum Family {
    Level,
    Season,
    Variability,
    Dynamics,
}

/// The longest view is at most so large a part of the series.
const PART_MAX: usize = 4;

/// What each family says of every point: the mean over its views, 0 where it has none.
///
/// `seasonal` are the standardised series less one season each.
pub(super) fn families(
    series: &[f64],
    seasonal: &[Vec<f64>],
    workers: &impl Workers,
) -> Vec<Vec<f64>> {
    let families = [
        Family::Level,
        Family::Season,
        Family::Variability,
        Family::Dynamics,
    ];
    workers.map(families.len(), |index| {
        let mut mean = Mean::of(series.len());
        let long = |points: &&usize| **points * PART_MAX <= series.len();
        match families[index] {
            Family::Level => {
                for points in CONSTANTS.means.iter().filter(long) {
                    mean.add(&running::means(series, *points));
                }
            }
            Family::Season => {
                for rest in seasonal {
                    for points in CONSTANTS.seasonal_means.iter().filter(long) {
                        mean.add(&running::means(rest, *points));
                    }
                }
            }
            Family::Variability => {
                for points in CONSTANTS.deviations.iter().filter(long) {
                    mean.add(&running::deviations(series, *points));
                }
                for points in CONSTANTS.ranges.iter().filter(long) {
                    mean.add(&running::ranges(series, *points));
                }
            }
            Family::Dynamics => {
                for points in CONSTANTS.changes.iter().filter(long) {
                    mean.add(&changes(series, *points));
                }
                mean.add(&bends(series));
            }
        }
        mean.value()
    })
}

/// The mean of what views say, one view in memory at a time.
struct Mean {
    sum: Vec<f64>,
    views: usize,
}

impl Mean {
    fn of(points: usize) -> Self {
        Self {
            sum: vec![0.0; points],
            views: 0,
        }
    }

    fn add(&mut self, view: &[f64]) {
        self.views += 1;
        for (sum, excess) in self.sum.iter_mut().zip(beyond_tails(view)) {
            *sum += excess;
        }
    }

    fn value(mut self) -> Vec<f64> {
        let views = self.views.max(1) as f64;
        self.sum.iter_mut().for_each(|sum| *sum /= views);
        self.sum
    }
}

/// Each value less that of so many points before; 0 where there is none.
fn changes(series: &[f64], points: usize) -> Vec<f64> {
    let differences = series.iter().skip(points).zip(series).map(|(b, a)| b - a);
    std::iter::repeat_n(0.0, points.min(series.len()))
        .chain(differences)
        .collect()
}

/// Each value less the mean of its two neighbours; 0 at the ends.
fn bends(series: &[f64]) -> Vec<f64> {
    let mut bends = vec![0.0; series.len()];
    for (bend, three) in bends.iter_mut().skip(1).zip(series.windows(3)) {
        *bend = three[1] - 0.5 * (three[0] + three[2]);
    }
    bends
}

#[cfg(test)]
mod tests {
    use super::super::workers::InTurn;
    use super::*;

    #[test]
    fn changes_and_bends_end_with_the_series() {
        assert_eq!(changes(&[1.0, 3.0, 6.0], 1), [0.0, 2.0, 3.0]);
        assert_eq!(changes(&[1.0, 3.0], 5), [0.0, 0.0]);
        assert_eq!(bends(&[1.0, 3.0, 1.0, 1.0]), [0.0, 2.0, -1.0, 0.0]);
        assert!(bends(&[]).is_empty() && bends(&[1.0]) == [0.0]);
    }

    /// The family whose evidence at a point is the strongest.
    fn loudest(series: &[f64], seasonal: &[Vec<f64>], point: usize) -> usize {
        let families = families(series, seasonal, &InTurn);
        (0..families.len())
            .max_by(|a, b| families[*a][point].total_cmp(&families[*b][point]))
            .unwrap()
    }

    #[test]
    fn each_family_sees_what_it_is_for() {
        let noise = |i: usize| ((i * 7919 + i * i * 31) % 1009) as f64 / 1009.0 - 0.5;
        let plain: Vec<f64> = (0..3_000).map(noise).collect();
        let mut level = plain.clone();
        level[1_500..1_530].iter_mut().for_each(|v| *v += 0.6);
        assert_eq!(loudest(&level, &[], 1_515), 0);
        let mut rest = plain.clone();
        rest[1_500] = 9.0;
        assert_eq!(loudest(&plain, &[rest], 1_500), 1);
        let mut still = plain.clone();
        still[1_500..1_600].iter_mut().for_each(|v| *v *= 0.01);
        assert_eq!(loudest(&still, &[], 1_550), 2);
        let wave = |i: usize| (i as f64 / 40.0).sin() + 0.01 * noise(i);
        let mut jump: Vec<f64> = (0..3_000).map(wave).collect();
        jump[1_500] += 0.5;
        assert_eq!(loudest(&jump, &[], 1_500), 3);
    }
}
