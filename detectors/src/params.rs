//! Unchecked parameters → [`Params::check`] → [`CheckedParams`]: only checked ones can fit.
//!
//! The split is that of linfa's `ParamGuard`. The trait itself is not implemented, because its
//! `check_ref` hands out a reference to checked parameters, which a plain struct of optional fields
//! does not contain.

use std::fmt;
use std::str::FromStr;

use crate::fitted::Fitted;
use crate::models::{self, FitError};
use crate::series::Series;

/// Names a user may ask for.
pub const MODELS: &[&str] = &["auto", "gaussian", "robust"];

/// Alarm rate where none is given.
pub const ALARM_RATE_DEFAULT: f64 = 0.001;

/// Smallest alarm rate accepted: below it p-values run into the smallest normal `f64`.
pub const ALARM_RATE_MIN: f64 = 1e-300;

/// Largest alarm rate accepted: beyond it a one-sided bound would lie on the other side of the
/// expected value.
pub const ALARM_RATE_MAX: f64 = 0.5;

/// On which side of the expected value a point may raise an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// On either side.
    #[default]
    Both,
    /// Above only.
    Above,
    /// Below only.
    Below,
}

impl Direction {
    /// `"both"`, `"above"` or `"below"`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::Above => "above",
            Self::Below => "below",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A direction other than `both`, `above` and `below`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("direction must be \"both\", \"above\" or \"below\"")]
pub struct UnknownDirection;

impl FromStr for Direction {
    type Err = UnknownDirection;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "both" => Ok(Self::Both),
            "above" => Ok(Self::Above),
            "below" => Ok(Self::Below),
            _ => Err(UnknownDirection),
        }
    }
}

/// What a user asks for, unchecked; `None` takes the default.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Params {
    /// One of [`MODELS`]; default `auto`.
    pub model: Option<String>,
    /// Share of normal points that may alarm, in `[1e-300, 0.5]`; default 0.001.
    pub alarm_rate: Option<f64>,
    /// Width of the band in population standard deviations, > 0; `gaussian` only, and instead of
    /// `alarm_rate`.
    pub sigma: Option<f64>,
    /// Sides that may alarm; default both.
    pub direction: Option<Direction>,
}

/// The class of a parameter error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamErrorKind {
    /// No such model.
    UnknownModel,
    /// A number outside its range.
    OutOfRange,
    /// Two parameters that exclude each other.
    Conflict,
    /// The model asked for does not take this parameter.
    Unsupported,
}

/// A parameter that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct ParamError {
    /// Name of the field of [`Params`].
    pub field: &'static str,
    /// Class of the error.
    pub kind: ParamErrorKind,
    /// A sentence for the user.
    pub reason: String,
}

impl ParamError {
    fn new(field: &'static str, kind: ParamErrorKind, reason: impl Into<String>) -> Self {
        Self {
            field,
            kind,
            reason: reason.into(),
        }
    }
}

/// The model asked for, resolved.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Model {
    Auto,
    Gaussian(Threshold),
    Robust,
}

/// How the width of a gaussian band is given.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Threshold {
    Sigma(f64),
    AlarmRate,
}

/// Parameters that hold together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CheckedParams {
    model: Model,
    alarm_rate: f64,
    direction: Direction,
}

impl Params {
    /// Checks every field and how they go together.
    ///
    /// # Errors
    ///
    /// The first field that cannot be used.
    pub fn check(&self) -> Result<CheckedParams, ParamError> {
        let alarm_rate = self.check_alarm_rate()?;
        let model = match self.model.as_deref().unwrap_or("auto") {
            "auto" => self.refuse_sigma("auto").map(|()| Model::Auto)?,
            "robust" => self.refuse_sigma("robust").map(|()| Model::Robust)?,
            "gaussian" => Model::Gaussian(self.check_threshold()?),
            other => {
                let reason = format!("no model {other:?}; there are {}", MODELS.join(", "));
                return Err(ParamError::new(
                    "model",
                    ParamErrorKind::UnknownModel,
                    reason,
                ));
            }
        };
        Ok(CheckedParams {
            model,
            alarm_rate,
            direction: self.direction.unwrap_or_default(),
        })
    }

    fn check_alarm_rate(&self) -> Result<f64, ParamError> {
        let alarm_rate = self.alarm_rate.unwrap_or(ALARM_RATE_DEFAULT);
        if (ALARM_RATE_MIN..=ALARM_RATE_MAX).contains(&alarm_rate) {
            return Ok(alarm_rate);
        }
        let reason = format!(
            "{alarm_rate} is out of range; must be between {ALARM_RATE_MIN:e} and {ALARM_RATE_MAX}"
        );
        Err(ParamError::new(
            "alarm_rate",
            ParamErrorKind::OutOfRange,
            reason,
        ))
    }

    fn check_threshold(&self) -> Result<Threshold, ParamError> {
        let Some(sigma) = self.sigma else {
            return Ok(Threshold::AlarmRate);
        };
        if self.alarm_rate.is_some() {
            let reason = "give sigma or alarm_rate, not both: each fixes the width of the band";
            return Err(ParamError::new("sigma", ParamErrorKind::Conflict, reason));
        }
        if !sigma.is_finite() || sigma <= 0.0 {
            let reason = format!("{sigma} is out of range; must be a finite number above 0");
            return Err(ParamError::new("sigma", ParamErrorKind::OutOfRange, reason));
        }
        Ok(Threshold::Sigma(sigma))
    }

    fn refuse_sigma(&self, model: &str) -> Result<(), ParamError> {
        if self.sigma.is_none() {
            return Ok(());
        }
        let reason = format!(
            "model {model:?} does not take sigma: a number of standard deviations is a rule of the \
             \"gaussian\" model; name that model, or give alarm_rate"
        );
        Err(ParamError::new(
            "sigma",
            ParamErrorKind::Unsupported,
            reason,
        ))
    }
}

impl CheckedParams {
    /// Fits the model to a series.
    ///
    /// # Errors
    ///
    /// All values equal, or fewer points than the model can be fitted to.
    pub fn fit(&self, series: &Series<'_>) -> Result<Fitted, FitError> {
        models::fit(self, series)
    }

    /// Sides that may alarm.
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// Name of the model asked for.
    pub fn model(&self) -> &'static str {
        match self.model {
            Model::Auto => "auto",
            Model::Gaussian(_) => "gaussian",
            Model::Robust => "robust",
        }
    }

    /// Width of the band in standard deviations, where that was asked for.
    pub fn sigma(&self) -> Option<f64> {
        match self.model {
            Model::Gaussian(Threshold::Sigma(sigma)) => Some(sigma),
            Model::Auto | Model::Gaussian(Threshold::AlarmRate) | Model::Robust => None,
        }
    }

    /// The alarm rate asked for; it has no effect where [`sigma`](Self::sigma) is given.
    pub fn alarm_rate(&self) -> f64 {
        self.alarm_rate
    }

    pub(crate) fn kind(&self) -> Model {
        self.model
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(model: &str, alarm_rate: Option<f64>, sigma: Option<f64>) -> Params {
        Params {
            model: Some(model.to_owned()),
            alarm_rate,
            sigma,
            direction: None,
        }
    }

    fn refused(params: &Params) -> (&'static str, ParamErrorKind) {
        let error = params.check().unwrap_err();
        (error.field, error.kind)
    }

    #[test]
    fn nothing_given_takes_the_defaults() {
        let checked = Params::default().check().unwrap();
        assert_eq!((checked.model(), checked.sigma()), ("auto", None));
        assert_eq!(
            (checked.alarm_rate(), checked.direction()),
            (0.001, Direction::Both)
        );
    }

    #[test]
    fn every_listed_model_can_be_asked_for() {
        for model in MODELS {
            assert_eq!(params(model, None, None).check().unwrap().model(), *model);
        }
        assert_eq!(
            params("gaussian", None, Some(2.5)).check().unwrap().sigma(),
            Some(2.5)
        );
    }

    #[test]
    fn an_unknown_model_is_named_with_those_there_are() {
        let error = params("magic", None, None).check().unwrap_err();
        assert_eq!(
            (error.field, error.kind),
            ("model", ParamErrorKind::UnknownModel)
        );
        assert_eq!(
            error.reason,
            "no model \"magic\"; there are auto, gaussian, robust"
        );
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        for rate in [0.0, -0.1, 0.500_001, 1e-301, f64::NAN, f64::INFINITY] {
            let refused = refused(&params("auto", Some(rate), None));
            assert_eq!(
                refused,
                ("alarm_rate", ParamErrorKind::OutOfRange),
                "{rate}"
            );
        }
        for sigma in [0.0, -3.0, f64::NAN, f64::INFINITY] {
            let refused = refused(&params("gaussian", None, Some(sigma)));
            assert_eq!(refused, ("sigma", ParamErrorKind::OutOfRange), "{sigma}");
        }
        for rate in [ALARM_RATE_MIN, ALARM_RATE_MAX] {
            assert!(params("auto", Some(rate), None).check().is_ok());
        }
        let error = params("auto", Some(0.7), None).check().unwrap_err();
        assert_eq!(
            error.to_string(),
            "alarm_rate: 0.7 is out of range; must be between 1e-300 and 0.5"
        );
    }

    #[test]
    fn sigma_belongs_to_gaussian_alone() {
        let both = params("gaussian", Some(0.01), Some(3.0));
        assert_eq!(refused(&both), ("sigma", ParamErrorKind::Conflict));
        for model in ["auto", "robust"] {
            let refused = refused(&params(model, None, Some(3.0)));
            assert_eq!(refused, ("sigma", ParamErrorKind::Unsupported));
        }
        let unnamed = Params {
            sigma: Some(3.0),
            ..Params::default()
        };
        assert_eq!(refused(&unnamed), ("sigma", ParamErrorKind::Unsupported));
    }

    #[test]
    fn direction_reads_what_it_writes() {
        for direction in [Direction::Both, Direction::Above, Direction::Below] {
            assert_eq!(direction.to_string().parse(), Ok(direction));
        }
        assert_eq!("Both".parse::<Direction>(), Err(UnknownDirection));
    }
}
