//! Unchecked parameters → [`Params::check`] → [`CheckedParams`]: only checked ones can fit.
//!
//! The split is that of linfa's `ParamGuard`. The trait itself is not implemented, because its
//! `check_ref` hands out a reference to checked parameters, which a plain struct of optional fields
//! does not contain.

#[cfg(test)]
mod tests;
mod types;

use jiff::tz::TimeZone;

use crate::fitted::Fitted;
use crate::models::shingles::Shape;
use crate::models::{self, FitError};
use crate::seasons::{PERIODS_MAX, clock};
use crate::series::Series;

pub use types::{
    Direction, Excluded, Feedback, MinDeviation, Seasons, TimeUnit, UnknownDirection,
    UnknownTimeUnit,
};

/// Names a user may ask for.
pub const MODELS: &[&str] = &[
    "auto",
    "gaussian",
    "robust",
    "ewma",
    "holt_winters",
    "seasonal",
    "pca",
    "gmm",
    "kmeans",
    "one_class_svm",
    "forest",
    "spectral_residual",
    "nearest",
    "tail_views",
];

/// Stretches that can be left out of one history.
pub const EXCLUDED_MAX: usize = 1_000;

/// Alarm rate where none is given.
pub const ALARM_RATE_DEFAULT: f64 = 0.001;

/// Smallest alarm rate accepted: below it p-values run into the smallest normal `f64`.
pub const ALARM_RATE_MIN: f64 = 1e-300;

/// Largest alarm rate accepted: beyond it a one-sided bound would lie on the other side of the
/// expected value.
pub const ALARM_RATE_MAX: f64 = 0.5;

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
    /// Smallest deviation that may alarm; default none.
    pub min_deviation: Option<MinDeviation>,
    /// Seasons of `seasonal`, `holt_winters` and `auto`; default those found in the history.
    pub seasons: Option<Seasons>,
    /// IANA time zone whose clock the seasons follow; default UTC.
    pub timezone: Option<String>,
    /// What one tick of a timestamp is; default seconds.
    pub time_unit: Option<TimeUnit>,
    /// Stretches left out of the history, such as outages.
    pub exclude: Vec<Excluded>,
    /// What users said of the history; what is excluded stays so.
    pub feedback: Feedback,
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
    /// Name of the field of [`Params`], as a request has it.
    pub field: &'static str,
    /// Index of the entry, where the field is a list.
    pub index: Option<usize>,
    /// Class of the error.
    pub kind: ParamErrorKind,
    /// A sentence for the user.
    pub reason: String,
}

impl ParamError {
    fn new(field: &'static str, kind: ParamErrorKind, reason: impl Into<String>) -> Self {
        Self {
            field,
            index: None,
            kind,
            reason: reason.into(),
        }
    }

    fn at(self, index: usize) -> Self {
        Self {
            index: Some(index),
            ..self
        }
    }
}

/// The model asked for, resolved.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Model {
    Auto,
    Gaussian(Threshold),
    Robust,
    Ewma,
    HoltWinters,
    Seasonal,
    Windowed(Shape),
    TailViews,
}

/// How the width of a gaussian band is given.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Threshold {
    Sigma(f64),
    AlarmRate,
}

/// Parameters that hold together.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedParams {
    model: Model,
    alarm_rate: f64,
    direction: Direction,
    min_deviation: MinDeviation,
    seasons: Seasons,
    zone: Option<TimeZone>,
    time_unit: TimeUnit,
    exclude: Vec<Excluded>,
    feedback: Feedback,
}

impl Model {
    fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Gaussian(_) => "gaussian",
            Self::Robust => "robust",
            Self::Ewma => "ewma",
            Self::HoltWinters => "holt_winters",
            Self::Seasonal => "seasonal",
            Self::Windowed(shape) => shape.name(),
            Self::TailViews => "tail_views",
        }
    }

    /// Whether it looks for seasons at all.
    fn has_seasons(self) -> bool {
        matches!(
            self,
            Self::Auto | Self::HoltWinters | Self::Seasonal | Self::TailViews
        )
    }

    /// Seasons it can have.
    fn periods_max(self) -> usize {
        match self {
            Self::HoltWinters => 1,
            Self::TailViews => 2,
            Self::Auto
            | Self::Gaussian(_)
            | Self::Robust
            | Self::Ewma
            | Self::Seasonal
            | Self::Windowed(_) => PERIODS_MAX,
        }
    }
}

impl Params {
    /// Checks every field and how they go together.
    ///
    /// # Errors
    ///
    /// The first field that cannot be used.
    pub fn check(&self) -> Result<CheckedParams, ParamError> {
        let alarm_rate = self.check_alarm_rate()?;
        let model = self.check_model()?;
        self.check_sigma_is_for(model)?;
        Ok(CheckedParams {
            model,
            alarm_rate,
            direction: self.check_direction(model)?,
            min_deviation: self.check_min_deviation(model)?,
            seasons: self.check_seasons(model)?,
            zone: self.check_zone(model)?,
            time_unit: self.time_unit.unwrap_or_default(),
            exclude: self.check_exclude()?,
            feedback: self.feedback.clone(),
        })
    }

    fn check_model(&self) -> Result<Model, ParamError> {
        Ok(match self.model.as_deref().unwrap_or("auto") {
            "auto" => Model::Auto,
            "gaussian" => Model::Gaussian(self.check_threshold()?),
            "robust" => Model::Robust,
            "ewma" => Model::Ewma,
            "holt_winters" => Model::HoltWinters,
            "seasonal" => Model::Seasonal,
            "pca" => Model::Windowed(Shape::Pca),
            "gmm" => Model::Windowed(Shape::Gmm),
            "kmeans" => Model::Windowed(Shape::Kmeans),
            "one_class_svm" => Model::Windowed(Shape::OneClassSvm),
            "forest" => Model::Windowed(Shape::Forest),
            "spectral_residual" => Model::Windowed(Shape::SpectralResidual),
            "nearest" => Model::Windowed(Shape::Nearest),
            "tail_views" => Model::TailViews,
            other => {
                let reason = format!("no model {other:?}; there are {}", MODELS.join(", "));
                return Err(ParamError::new(
                    "model",
                    ParamErrorKind::UnknownModel,
                    reason,
                ));
            }
        })
    }

    pub(crate) fn check_alarm_rate(&self) -> Result<f64, ParamError> {
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

    fn check_sigma_is_for(&self, model: Model) -> Result<(), ParamError> {
        if self.sigma.is_none() || matches!(model, Model::Gaussian(_)) {
            return Ok(());
        }
        let reason = format!(
            "model {:?} does not take sigma: a number of standard deviations is a rule of the \
             \"gaussian\" model; name that model, or give alarm_rate",
            model.name()
        );
        Err(ParamError::new(
            "sigma",
            ParamErrorKind::Unsupported,
            reason,
        ))
    }

    fn check_direction(&self, model: Model) -> Result<Direction, ParamError> {
        let direction = self.direction.unwrap_or_default();
        if direction != Direction::Both {
            refuse_window("direction", model)?;
        }
        Ok(direction)
    }

    fn check_min_deviation(&self, model: Model) -> Result<MinDeviation, ParamError> {
        let Some(least) = self.min_deviation else {
            return Ok(MinDeviation::default());
        };
        refuse_window("min_deviation", model)?;
        for (name, part) in [("abs", least.abs), ("rel", least.rel)] {
            if !part.is_finite() || part < 0.0 {
                let reason =
                    format!("{name} is {part}, out of range; must be a finite number, 0 or more");
                let kind = ParamErrorKind::OutOfRange;
                return Err(ParamError::new("min_deviation", kind, reason));
            }
        }
        Ok(least)
    }

    fn check_seasons(&self, model: Model) -> Result<Seasons, ParamError> {
        if self.seasons.is_some() {
            refuse_unless_seasonal("seasonality", model)?;
        }
        let is_none =
            matches!(&self.seasons, Some(Seasons::Periods(periods)) if periods.is_empty());
        if is_none && model == Model::TailViews {
            let reason = "model \"tail_views\" always looks at two cycles; name them, or leave \
                          seasonality out for the day and the week";
            let kind = ParamErrorKind::Unsupported;
            return Err(ParamError::new("seasonality", kind, reason));
        }
        self.check_periods(model.periods_max(), &format!("model {:?}", model.name()))
    }

    /// The seasons, of which `who` has so many at most.
    pub(crate) fn check_periods(&self, most: usize, who: &str) -> Result<Seasons, ParamError> {
        let Some(Seasons::Periods(periods)) = &self.seasons else {
            return Ok(Seasons::Auto);
        };
        let refuse =
            |reason: String| ParamError::new("seasonality", ParamErrorKind::OutOfRange, reason);
        if periods.len() > most {
            let n = periods.len();
            return Err(refuse(format!("{n} periods, but {who} has {most} at most")));
        }
        if let Some(index) = periods.iter().position(|period| *period <= 0) {
            let reason = format!("{} is out of range; a period is above 0", periods[index]);
            return Err(refuse(reason).at(index));
        }
        let mut sorted = periods.clone();
        sorted.sort_unstable();
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(refuse(format!("{} is there twice", pair[0])));
        }
        Ok(Seasons::Periods(sorted))
    }

    fn check_zone(&self, model: Model) -> Result<Option<TimeZone>, ParamError> {
        if self.timezone.is_some() {
            refuse_unless_seasonal("timezone", model)?;
        }
        self.check_zone_name()
    }

    pub(crate) fn check_zone_name(&self) -> Result<Option<TimeZone>, ParamError> {
        let Some(name) = &self.timezone else {
            return Ok(None);
        };
        match clock::zone(name) {
            Some(zone) => Ok(Some(zone)),
            None => {
                let reason = format!(
                    "{name:?} is not a time zone of the IANA database, such as \"Europe/Berlin\""
                );
                Err(ParamError::new(
                    "timezone",
                    ParamErrorKind::OutOfRange,
                    reason,
                ))
            }
        }
    }

    fn check_exclude(&self) -> Result<Vec<Excluded>, ParamError> {
        let refuse =
            |reason: String| ParamError::new("exclude", ParamErrorKind::OutOfRange, reason);
        if self.exclude.len() > EXCLUDED_MAX {
            let n = self.exclude.len();
            return Err(refuse(format!("{n} stretches; {EXCLUDED_MAX} at most")));
        }
        match self.exclude.iter().position(|range| range.from > range.to) {
            Some(index) => {
                let Excluded { from, to } = self.exclude[index];
                Err(refuse(format!("from {from} is after to {to}")).at(index))
            }
            None => Ok(self.exclude.clone()),
        }
    }
}

fn refuse_window(field: &'static str, model: Model) -> Result<(), ParamError> {
    if !matches!(model, Model::Windowed(_) | Model::TailViews) {
        return Ok(());
    }
    let reason = format!(
        "model {:?} judges whole windows, which lie on no side of an expected value",
        model.name()
    );
    Err(ParamError::new(field, ParamErrorKind::Unsupported, reason))
}

fn refuse_unless_seasonal(field: &'static str, model: Model) -> Result<(), ParamError> {
    if model.has_seasons() {
        return Ok(());
    }
    let reason = format!(
        "model {:?} has no season; \"auto\", \"seasonal\", \"holt_winters\" and \"tail_views\" take \
         {field}",
        model.name()
    );
    Err(ParamError::new(field, ParamErrorKind::Unsupported, reason))
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
        self.model.name()
    }

    /// Whether the model asked for judges a point in a window of those before it.
    pub fn judges_windows(&self) -> bool {
        matches!(self.model, Model::Windowed(_))
    }

    /// What one tick of a timestamp is.
    pub fn time_unit(&self) -> TimeUnit {
        self.time_unit
    }

    pub(crate) fn min_deviation(&self) -> MinDeviation {
        self.min_deviation
    }

    pub(crate) fn seasons(&self) -> &Seasons {
        &self.seasons
    }

    pub(crate) fn zone(&self) -> Option<&TimeZone> {
        self.zone.as_ref()
    }

    pub(crate) fn feedback(&self) -> &Feedback {
        &self.feedback
    }

    pub(crate) fn exclude(&self) -> &[Excluded] {
        &self.exclude
    }

    /// Width of the band in standard deviations, where that was asked for.
    pub fn sigma(&self) -> Option<f64> {
        match self.model {
            Model::Gaussian(Threshold::Sigma(sigma)) => Some(sigma),
            Model::Auto
            | Model::Gaussian(Threshold::AlarmRate)
            | Model::Robust
            | Model::Ewma
            | Model::HoltWinters
            | Model::Seasonal
            | Model::Windowed(_)
            | Model::TailViews => None,
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
