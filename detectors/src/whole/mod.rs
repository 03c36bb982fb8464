//! Whole series: every point judged by all others, those after it as well.
//!
//! Two kinds of evidence, each strong where the other is weak, are brought to one scale, −log₁₀ of a
//! tail probability, and added up:
//!
//! ```text
//! evidence(t) = Σ_r surprise(raw_r)  +  mean_r surprise(shape_r)  +  1½ · Σ_f mean_{v in f} excess(v)
//! ```
//!
//! - **Stretches** (`resolution`): the distance of the stretch around t to the third most similar
//!   other one, at resolutions r of 2, 4, 8 and 16 points a cell, that is for stretches of 48 to 384
//!   points, averaged over the length of a stretch. Waveforms. Shapes, with level and amplitude taken
//!   out, have together the weight of one resolution.
//! - **Views** (`views`): four families f of statistics of few points. Spikes, levels, hours of the
//!   day. They count from their outermost 3 % on (`surprise`), and one and a half times, since they
//!   are silent elsewhere.
//!
//! What the sum is where nothing is wrong is estimated from the series itself (`null`), which makes
//! it a p-value. Adding up logarithms of p-values is Fisher's combination (*Statistical methods for
//! research workers*, 1932); since the parts depend on each other, the null distribution is not χ² but
//! is estimated. A sum of rescaled distances and deviations was tried and is far worse: in the unit of
//! one, the other is either everything or nothing.
//!
//! The decision is p < alarm rate. Bounds are told as well, because every reply has them: the expected
//! value ± the distance that a share of `alarm_rate` of all points exceeds, drawn in or out to have the
//! value on the side that the decision says. They show the reach; they do not decide.
//!
//! Cost: about n²/3 distances of a few instructions each up to 65,536 points, and `O(n)` beyond, since each
//! stretch is then compared with [`reference_max`](Constants::reference_max) others. Memory is `O(n)`.
//! The result has the same bits for any number of threads ([`Workers`]).

mod band;
mod constants;
mod join;
#[cfg(test)]
mod laws;
mod null;
mod params;
mod resolution;
mod running;
mod scores;
mod season;
mod smallest;
mod surprise;
mod views;
mod workers;

pub use constants::{CONSTANTS, Constants};
pub use scores::Scores;
pub use workers::{InTurn, Workers};

use crate::auto::Choice;
use crate::fitted::{Calibration, Fitted, Warning};
use crate::models::verdict::Rate;
use crate::models::{FitError, Sensitivity, robust};
use crate::params::{Direction, ParamError, Params};
use crate::series::Series;
use crate::stats::empirical::SAMPLE_MIN;
use crate::stats::moments::{Moments, max_magnitude, power_of_two_near_inverse};
use band::Bands;
use null::Null;
use params::Asked;
use season::Times;

/// Fewest points of which anything can be said.
const POINTS_MIN: usize = 3;

/// Ranks in the body, and an exponential tail beyond it.
const METHOD: &str = "rank_exponential";

/// A step is a gap from so many median ones on.
const GAP: i64 = 2;

/// A detector of anomalies in whole series.
///
/// ```
/// use detectors::whole::Whole;
/// use detectors::{Params, Series};
///
/// let timestamps: Vec<i64> = (0..1_000).map(|i| 60 * i).collect();
/// let mut values: Vec<f64> = (0..1_000).map(|i| f64::from(i * 37 % 40)).collect();
/// values[500] = 90.0;
/// let whole = Whole::new(&Params::default())?;
/// let scores = whole.detect(&Series::new(&timestamps, &values)?)?;
/// assert!(scores.points[500].anomaly && !scores.points[100].anomaly);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Whole {
    asked: Asked,
}

impl Whole {
    /// A detector with `alarm_rate`, `seasons`, `timezone` and `time_unit` of the parameters.
    ///
    /// # Errors
    ///
    /// The first field that cannot be used, or that a whole series has no use for.
    pub fn new(params: &Params) -> Result<Self, ParamError> {
        params::check(params).map(|asked| Self { asked })
    }

    /// Judges every point of a series, on this thread.
    ///
    /// # Errors
    ///
    /// Fewer than three points, or a season asked for that does not fit the series.
    pub fn detect(&self, series: &Series<'_>) -> Result<Scores, FitError> {
        self.detect_with(series, &InTurn)
    }

    /// The same with others to do the work; the result has the same bits.
    ///
    /// # Errors
    ///
    /// As [`detect`](Self::detect).
    pub fn detect_with(
        &self,
        series: &Series<'_>,
        workers: &impl Workers,
    ) -> Result<Scores, FitError> {
        let n = series.len();
        if n < POINTS_MIN {
            return Err(FitError::TooFewPoints {
                needed: POINTS_MIN,
                got: n,
            });
        }
        let ticks_per_second = self.asked.time_unit.ticks_per_second();
        let times = Times::new(
            series.timestamps(),
            self.asked.zone.as_ref(),
            ticks_per_second,
        );
        let periods = times.periods(&self.asked.seasons)?;
        let values = series.values();
        if values.iter().all(|value| *value == values[0]) {
            return Ok(self.constant(series));
        }
        if n < SAMPLE_MIN {
            return self.short(series);
        }
        let standardized = standardized(values);
        let seasonal: Vec<Vec<f64>> = periods
            .iter()
            .map(|period| times.without(*period, &standardized))
            .collect();
        let (evidence, windows) = evidence(&standardized, &seasonal, workers);
        let null = Null::of(&evidence, windows.len());
        let rest = seasonal.last().unwrap_or(&standardized);
        let bands = Bands::around(values, &standardized, rest, self.asked.alarm_rate);
        let rate = Rate::new(self.asked.alarm_rate);
        let points = (0..n).map(|i| {
            let tail = null.at_or_above(evidence[i]);
            bands.verdict(i, values[i], tail, rate)
        });
        Ok(Scores {
            points: points.collect(),
            warnings: self.warnings(n, &times),
            periods,
            windows,
            ..self.nothing(n)
        })
    }

    /// Of `n` points nothing is said yet.
    fn nothing(&self, n: usize) -> Scores {
        Scores {
            points: Vec::new(),
            alarm_rate: self.asked.alarm_rate,
            time_unit: self.asked.time_unit,
            periods: Vec::new(),
            windows: Vec::new(),
            calibration: Calibration {
                n: n as u64,
                method: METHOD,
                min_attainable_alarm_rate: 1.0 / (n as f64 + 1.0),
            },
            warnings: Vec::new(),
        }
    }

    /// No point differs from any other.
    fn constant(&self, series: &Series<'_>) -> Scores {
        let rate = Rate::new(self.asked.alarm_rate);
        let points = series.values().iter();
        Scores {
            points: points.map(|value| band::of_itself(*value, rate)).collect(),
            warnings: vec![Warning {
                code: "values_constant",
                detail: "all values are equal, so that none of them stands out".to_owned(),
            }],
            ..self.nothing(series.len())
        }
    }

    /// Too few points for ranks: distances from the median, by an assumed distribution.
    fn short(&self, series: &Series<'_>) -> Result<Scores, FitError> {
        let sensitivity = Sensitivity {
            alarm_rate: self.asked.alarm_rate,
            direction: Direction::Both,
        };
        let model = Fitted::from(robust::fit(series.values(), sensitivity, Choice::Named)?);
        let points = series.timestamps().iter().zip(series.values());
        let n = series.len();
        Ok(Scores {
            points: points
                .map(|(tick, value)| model.score(*tick, *value))
                .collect(),
            calibration: model.summary().calibration,
            warnings: vec![Warning {
                code: "short_series",
                detail: format!(
                    "{n} points are too few to look for more than a distance from the median; from \
                     {SAMPLE_MIN} on, levels, variability and changes are looked at, from {} on, \
                     stretches are compared",
                    stretches_from()
                ),
            }],
            ..self.nothing(n)
        })
    }

    fn warnings(&self, n: usize, times: &Times<'_>) -> Vec<Warning> {
        let mut warnings = Vec::new();
        let mut warn = |code, detail| warnings.push(Warning { code, detail });
        if n < stretches_from() {
            warn(
                "short_series",
                format!(
                    "{n} points are too few to compare stretches with each other, for which {} are \
                     needed; levels, variability and changes were looked at",
                    stretches_from()
                ),
            );
        }
        let attainable = 1.0 / (n as f64 + 1.0);
        if self.asked.alarm_rate < attainable {
            warn(
                "alarm_rate_beyond_data",
                format!(
                    "with {n} points, alarm rates below {attainable:.3e} rest on the tail assumed and \
                     not on the data; {:e} was asked for",
                    self.asked.alarm_rate
                ),
            );
        }
        let gaps = times.steps_from(GAP);
        if gaps > 0 {
            warn(
                "gaps",
                format!(
                    "{gaps} steps are {GAP} or more times as long as the median one; stretches and \
                     views are of consecutive points, whatever lies between them"
                ),
            );
        }
        warnings
    }
}

/// Points from which stretches are compared.
fn stretches_from() -> usize {
    let window = resolution::window(CONSTANTS.points_per_cell[0]);
    (CONSTANTS.stretches_min + 1) * window
}

/// Values about 0 in units of their standard deviation; not all of them are equal.
fn standardized(values: &[f64]) -> Vec<f64> {
    // A power of two changes no digit, and differences and squares stay in range.
    let shrink = power_of_two_near_inverse(max_magnitude(values));
    let shrunk: Vec<f64> = values.iter().map(|value| value * shrink).collect();
    let moments = Moments::of(&shrunk);
    let deviation = moments.population_std().max(f64::MIN_POSITIVE);
    let standardized = shrunk
        .iter()
        .map(|value| (value - moments.mean) / deviation);
    standardized.collect()
}

/// The evidence against every point, and the stretches it rests on.
fn evidence(
    series: &[f64],
    seasonal: &[Vec<f64>],
    workers: &impl Workers,
) -> (Vec<f64>, Vec<usize>) {
    let mut evidence = vec![0.0; series.len()];
    let mut add = |part: &[f64], weight: f64| {
        for (sum, part) in evidence.iter_mut().zip(part) {
            *sum += weight * part;
        }
    };
    for family in views::families(series, seasonal, workers) {
        add(&family, CONSTANTS.view_weight);
    }
    let mut windows = Vec::new();
    let mut shapes = Vec::new();
    for points_per_cell in CONSTANTS.points_per_cell {
        if !resolution::has(series.len(), points_per_cell) {
            break;
        }
        windows.push(resolution::window(points_per_cell));
        let found = resolution::resolution(series, points_per_cell, workers);
        add(&found.raw, 1.0);
        shapes.extend(found.shape);
    }
    for shape in &shapes {
        add(shape, 1.0 / shapes.len() as f64);
    }
    (evidence, windows)
}
