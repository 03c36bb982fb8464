//! Where the level of a series will be: about where it always was, where it was last, or further
//! along its trend. The history itself decides, by forecasts of its second half from what came
//! before each (rolling-origin evaluation, Tashman 2000).

use crate::stats::order::median_of;

/// Fewer blocks leave the level where it always was.
const BLOCKS_MIN: usize = 6;

/// The last level has to have the smaller error by this factor: it is the noisier estimate, and its
/// band widens. From few blocks it has to be the clearly better one.
fn last_better_by(n_blocks: usize) -> f64 {
    if n_blocks < BLOCKS_MANY { 0.6 } else { 0.9 }
}

/// Blocks that tell a wandering level from chance.
const BLOCKS_MANY: usize = 12;

/// A trend, which runs away if it is wrong, by this.
const TREND_BETTER_BY: f64 = 0.6;

/// How the level goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Course {
    /// Returns to where it always was.
    Steady,
    /// Stays where it was last, and wanders.
    Wandering,
    /// Goes on along a line.
    Trending,
}

/// Medians of stretches of a series, in order of time.
#[derive(Debug, Clone)]
pub(crate) struct Blocks {
    /// Middle of each block in ticks from the first point.
    pub(crate) times: Vec<f64>,
    pub(crate) medians: Vec<f64>,
}

impl Blocks {
    /// Cuts the time range into `n` equal stretches; those without a point are left out.
    pub(crate) fn of(ticks: &[i64], values: &[f64], n: usize) -> Self {
        let mut blocks = Self {
            times: Vec::with_capacity(n),
            medians: Vec::with_capacity(n),
        };
        let (Some(&first), Some(&last)) = (ticks.first(), ticks.last()) else {
            return blocks;
        };
        let length = (last - first) as f64 / n as f64;
        let mut from = 0;
        for block in 0..n {
            let end = (block + 1) as f64 * length;
            let to = if block + 1 == n {
                ticks.len()
            } else {
                from + ticks[from..].partition_point(|tick| ((tick - first) as f64) < end)
            };
            if to > from {
                blocks.times.push((block as f64 + 0.5) * length);
                blocks
                    .medians
                    .push(median_of(&mut values[from..to].to_vec()));
            }
            from = to;
        }
        blocks
    }

    /// The course that would have forecast the later blocks best.
    pub(crate) fn course(&self) -> Course {
        let n = self.medians.len();
        if n < BLOCKS_MIN {
            return Course::Steady;
        }
        let (mut steady, mut wandering, mut trending) = (0.0, 0.0, 0.0);
        for origin in n / 3..n - 1 {
            let known = &self.medians[..=origin];
            let center = median_of(&mut known.to_vec());
            let line = Line::through(&self.times[..=origin], known);
            for ahead in origin + 1..n.min(origin + 1 + n / 4) {
                let actual = self.medians[ahead];
                steady += (actual - center).abs();
                wandering += (actual - known[origin]).abs();
                trending += (actual - line.at(self.times[ahead])).abs();
            }
        }
        if trending < TREND_BETTER_BY * steady.min(wandering) {
            Course::Trending
        } else if wandering < last_better_by(n) * steady {
            Course::Wandering
        } else {
            Course::Steady
        }
    }

    /// Growth of the variance of the level per tick: that of a random walk with the observed
    /// differences between blocks far apart, less what blocks side by side differ by.
    pub(crate) fn variance_per_tick(&self) -> f64 {
        let n = self.medians.len();
        if n < BLOCKS_MIN {
            return 0.0;
        }
        let far = n / 2;
        let squares = |lag: usize| {
            let sum: f64 = (lag..n)
                .map(|i| (self.medians[i] - self.medians[i - lag]).powi(2))
                .sum();
            sum / (n - lag) as f64
        };
        let ticks = (self.times[n - 1] - self.times[0]) / (n - 1) as f64 * (far - 1).max(1) as f64;
        ((squares(far) - squares(1)) / ticks.max(1.0)).max(0.0)
    }
}

/// A line by the medians of pairwise slopes and of what is left (Theil 1950; Sen 1968).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line {
    pub(crate) slope: f64,
    pub(crate) intercept: f64,
}

impl Line {
    /// Through at least one point, at most a few dozen: every pair is looked at.
    pub(crate) fn through(times: &[f64], values: &[f64]) -> Self {
        let mut slopes = Vec::with_capacity(times.len() * times.len() / 2);
        for (i, (t, v)) in times.iter().zip(values).enumerate() {
            for (earlier, value) in times[..i].iter().zip(values) {
                slopes.push((v - value) / (t - earlier).max(1e-9));
            }
        }
        let slope = if slopes.is_empty() {
            0.0
        } else {
            median_of(&mut slopes)
        };
        let mut rest: Vec<f64> = times
            .iter()
            .zip(values)
            .map(|(t, v)| v - slope * t)
            .collect();
        Self {
            slope,
            intercept: if rest.is_empty() {
                0.0
            } else {
                median_of(&mut rest)
            },
        }
    }

    pub(crate) fn at(&self, time: f64) -> f64 {
        self.intercept + self.slope * time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(i: usize) -> f64 {
        ((i * 7_919) % 101) as f64 / 50.0 - 1.0
    }

    fn course(value: impl Fn(usize) -> f64) -> Course {
        let ticks: Vec<i64> = (0..960).map(|i| 60 * i).collect();
        let values: Vec<f64> = (0..960).map(value).collect();
        Blocks::of(&ticks, &values, 16).course()
    }

    #[test]
    fn each_course_is_told_from_the_others() {
        assert_eq!(course(noise), Course::Steady);
        assert_eq!(course(|i| noise(i) + 0.02 * i as f64), Course::Trending);
    }

    /// Sums of the bits of a linear congruential generator.
    #[test]
    fn random_walks_wander_and_noise_does_not() {
        let mut state = 1_u64;
        let mut bit = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as f64 / f64::from(1_u32 << 31) - 0.5
        };
        let ticks: Vec<i64> = (0..960).map(|i| 60 * i).collect();
        let (mut walks, mut noises) = (0, 0);
        for _ in 0..200 {
            let noise: Vec<f64> = ticks.iter().map(|_| bit()).collect();
            let mut level = 0.0;
            let walk: Vec<f64> = noise
                .iter()
                .map(|step| {
                    level += step;
                    level
                })
                .collect();
            let course = |values: &[f64]| Blocks::of(&ticks, values, 16).course();
            walks += usize::from(course(&walk) != Course::Steady);
            noises += usize::from(course(&noise) == Course::Steady);
        }
        assert!(walks >= 130 && noises >= 190, "{walks} {noises}");
    }

    #[test]
    fn a_single_step_or_outlier_is_no_trend() {
        assert_ne!(
            course(|i| noise(i) + if i > 500 { 9.0 } else { 0.0 }),
            Course::Trending
        );
        assert_eq!(
            course(|i| noise(i) + if i == 500 { 1e9 } else { 0.0 }),
            Course::Steady
        );
    }

    #[test]
    fn only_a_wandering_level_has_a_growing_variance() {
        let ticks: Vec<i64> = (0..960).map(|i| 60 * i).collect();
        let still: Vec<f64> = (0..960).map(noise).collect();
        let line: Vec<f64> = (0..960).map(|i| 0.01 * i as f64).collect();
        let growth = |values: &[f64]| Blocks::of(&ticks, values, 16).variance_per_tick();
        assert!(growth(&line) > 100.0 * growth(&still));
    }

    #[test]
    fn few_or_missing_blocks_do_no_harm() {
        assert_eq!(Blocks::of(&[], &[], 8).course(), Course::Steady);
        let blocks = Blocks::of(&[0, i64::MAX], &[1.0, 2.0], 8);
        assert_eq!((blocks.medians.len(), blocks.course()), (2, Course::Steady));
        assert_eq!(blocks.variance_per_tick(), 0.0);
    }

    #[test]
    fn the_line_ignores_outliers() {
        let times: Vec<f64> = (0..20).map(f64::from).collect();
        let mut values: Vec<f64> = times.iter().map(|t| 3.0 + 2.0 * t).collect();
        values[4] = 1e6;
        values[11] = -1e6;
        let line = Line::through(&times, &values);
        assert!((line.slope - 2.0).abs() < 1e-9 && (line.at(0.0) - 3.0).abs() < 1e-9);
    }
}
