//! Judge a whole series: check it, detect, and keep nothing. All CPU, no waiting; on the compute pool.

use detectors::whole::{Scores, Whole, Workers};
use detectors::{FitError, ParamError, Params, Series, SeriesError};

/// A series and how to judge it, checked by [`Detection::run`].
pub struct Detection {
    /// Ticks since 1970.
    pub timestamps: Vec<i64>,
    /// As many values.
    pub values: Vec<f64>,
    /// Unchecked parameters.
    pub params: Params,
    /// Points that the caller wants the series to have.
    pub min_points: usize,
}

/// Why a series cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum DetectionError {
    /// The columns are not a series.
    #[error(transparent)]
    Series(#[from] SeriesError),
    /// A parameter does not hold.
    #[error(transparent)]
    Params(#[from] ParamError),
    /// The series is shorter than was asked for.
    #[error("there are {got} points, min_points is {needed}")]
    TooFewPoints {
        /// Points sent.
        got: usize,
        /// Points asked for.
        needed: usize,
    },
    /// Nothing can be said of the series, or a season does not fit it.
    #[error(transparent)]
    Detect(#[from] FitError),
}

impl Detection {
    /// Judges every point.
    ///
    /// # Errors
    /// When the columns are no series or too short, or a parameter does not hold.
    pub fn run(&self, workers: &impl Workers) -> Result<Scores, DetectionError> {
        let series = Series::new(&self.timestamps, &self.values)?;
        let whole = Whole::new(&self.params)?;
        if series.len() < self.min_points {
            return Err(DetectionError::TooFewPoints {
                got: series.len(),
                needed: self.min_points,
            });
        }
        Ok(whole.detect_with(&series, workers)?)
    }
}
