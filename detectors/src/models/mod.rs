//! The models, and the step from checked parameters to a fitted one.

pub(crate) mod gaussian;
pub(crate) mod location_scale;
pub(crate) mod robust;

use crate::auto;
use crate::fitted::Fitted;
use crate::params::{CheckedParams, Direction, Model};
use crate::series::Series;
use location_scale::Choice;

/// Why a series cannot be fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FitError {
    /// All values are equal, so there is no scale to measure a deviation by.
    #[error("all values are equal")]
    Constant,
    /// Too few points for the model.
    #[error("the model needs {needed} points, there are {got}")]
    TooFewPoints {
        /// Points the model needs.
        needed: usize,
        /// Points of the series.
        got: usize,
    },
}

/// What a band is asked to be: the share of normal points outside it, and the sides it has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sensitivity {
    pub(crate) alarm_rate: f64,
    pub(crate) direction: Direction,
}

pub(crate) fn fit(params: &CheckedParams, series: &Series<'_>) -> Result<Fitted, FitError> {
    let values = series.values();
    let sensitivity = Sensitivity {
        alarm_rate: params.alarm_rate(),
        direction: params.direction(),
    };
    let core = match params.kind() {
        Model::Auto => auto::fit(values, sensitivity),
        Model::Gaussian(threshold) => gaussian::fit(values, threshold, sensitivity, Choice::Named),
        Model::Robust => robust::fit(values, sensitivity, Choice::Named),
    }?;
    Ok(Fitted::from(core))
}

/// Refuses what no location-scale model can be fitted to.
fn require(values: &[f64], needed: usize) -> Result<(), FitError> {
    if values.len() < needed {
        return Err(FitError::TooFewPoints {
            needed,
            got: values.len(),
        });
    }
    if values.iter().all(|&value| value == values[0]) {
        return Err(FitError::Constant);
    }
    Ok(())
}
