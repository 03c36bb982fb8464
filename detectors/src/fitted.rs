//! A fitted model, whichever it is.

use crate::auto;
use crate::codec::{self, DecodeError};
use crate::models::location_scale::{Kind, LocationScale, Reference};
use crate::params::Direction;
use crate::score::{Score, Status};

/// A fitted model: what [`CheckedParams::fit`](crate::CheckedParams::fit) returns.
///
/// At most 80 bytes, because a service holds millions: a model that needs more is boxed inside.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    inner: Inner,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Inner {
    LocationScale(LocationScale),
}

/// The band of normal values at one time, in the unit of the series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The value expected.
    pub expected: f64,
    /// Lowest normal value; `-f64::MAX` where there is no bound below.
    pub lower: f64,
    /// Highest normal value; `f64::MAX` where there is no bound above.
    pub upper: f64,
}

/// What a model is, for people.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Name of the model that was fitted: never `auto`.
    pub model: &'static str,
    /// Share of normal points that may alarm.
    pub alarm_rate: f64,
    /// Sides that may alarm.
    pub direction: Direction,
    /// Seasonal periods in seconds; empty for a model without season.
    pub periods: Vec<i64>,
    /// What the p-values rest on.
    pub calibration: Calibration,
    /// What a user should know about this fit.
    pub warnings: Vec<Warning>,
    /// Why `auto` chose this model; `None` where the user named it.
    pub chosen_because: Option<String>,
}

/// What the p-values of a model rest on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Calibration {
    /// Number of points the model was fitted to.
    pub n: u64,
    /// `"normal_tail"` or `"student_t"`.
    pub method: &'static str,
    /// Smallest p-value the model can give. A distribution's tail has no end, so here it is the
    /// smallest normal `f64`; where it rests on ranks it would be about 1/n.
    pub min_attainable_alarm_rate: f64,
}

/// Something a user should know about a fit, which is valid all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Stable code.
    pub code: &'static str,
    /// A sentence for the user.
    pub detail: String,
}

impl Fitted {
    /// Scores one point: a pure function of the model's bytes and the point.
    ///
    /// `timestamp` is in Unix seconds; the models that know no season take no notice of it. A value
    /// that is NaN or infinite is an anomaly with the smallest p-value.
    #[inline]
    pub fn score(&self, _timestamp: i64, value: f64) -> Score {
        match &self.inner {
            Inner::LocationScale(model) => model.score(value),
        }
    }

    /// Scores columns in order; the scores are those of [`score`](Self::score) bit for bit.
    ///
    /// Columns of different length are read as far as the shorter one goes.
    pub fn score_columns(&self, timestamps: &[i64], values: &[f64], each: impl FnMut(Score)) {
        let (_, values) = same_length(timestamps, values);
        match &self.inner {
            Inner::LocationScale(model) => model.score_column(values, each),
        }
    }

    /// The verdicts alone, [`Score::anomaly`] of every point: a comparison with the bounds.
    ///
    /// Columns of different length are read as far as the shorter one goes.
    pub fn anomalies<'a>(
        &'a self,
        timestamps: &'a [i64],
        values: &'a [f64],
    ) -> impl ExactSizeIterator<Item = bool> + 'a {
        let (_, values) = same_length(timestamps, values);
        let Inner::LocationScale(model) = &self.inner;
        values.iter().map(|&value| model.is_anomaly(value))
    }

    /// The band at a time in Unix seconds.
    pub fn interval(&self, _timestamp: i64) -> Interval {
        let Inner::LocationScale(model) = &self.inner;
        Interval {
            expected: model.center,
            lower: model.lower,
            upper: model.upper,
        }
    }

    /// How much the model knows about a time in Unix seconds.
    pub fn status(&self, _timestamp: i64) -> Status {
        match &self.inner {
            Inner::LocationScale(_) => Status::Ok,
        }
    }

    /// What the model is, for people.
    pub fn summary(&self) -> Summary {
        let Inner::LocationScale(model) = &self.inner;
        Summary {
            model: match model.kind {
                Kind::Gaussian => "gaussian",
                Kind::Robust | Kind::RobustTied => "robust",
            },
            alarm_rate: model.alarm_rate,
            direction: model.direction,
            periods: Vec::new(),
            calibration: Calibration {
                n: model.n,
                method: match model.reference {
                    Reference::Normal => "normal_tail",
                    Reference::StudentT(_) => "student_t",
                },
                min_attainable_alarm_rate: f64::MIN_POSITIVE,
            },
            warnings: warnings_of(model),
            chosen_because: auto::reason(model.choice, model.n),
        }
    }

    /// Bytes the model holds beyond its own size, for a memory budget.
    pub fn heap_bytes(&self) -> usize {
        match &self.inner {
            Inner::LocationScale(_) => 0,
        }
    }

    /// The model's bytes: the same for the same data and parameters, on every machine.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(&self.inner)
    }

    /// Reads a model's bytes. What comes out obeys the laws of a fitted model.
    ///
    /// # Errors
    ///
    /// Damaged bytes, another kind of bytes, a newer format, or numbers no fit can give.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        codec::decode(bytes).map(|inner| Self { inner })
    }
}

impl From<LocationScale> for Fitted {
    fn from(model: LocationScale) -> Self {
        Self {
            inner: Inner::LocationScale(model),
        }
    }
}

fn same_length<'a>(timestamps: &'a [i64], values: &'a [f64]) -> (&'a [i64], &'a [f64]) {
    let n = timestamps.len().min(values.len());
    (&timestamps[..n], &values[..n])
}

fn warnings_of(model: &LocationScale) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let resolution = 1.0 / (model.n as f64 + 1.0);
    if model.alarm_rate < resolution {
        let detail = format!(
            "with {} points, alarm rates below {resolution:.3e} rest on the distribution assumed \
             and not on the data; {:e} was asked for",
            model.n, model.alarm_rate
        );
        warnings.push(Warning {
            code: "alarm_rate_beyond_data",
            detail,
        });
    }
    if model.kind == Kind::RobustTied {
        let detail = "more than half of the values are equal, so the median absolute deviation is \
                      0; the scale is the mean absolute deviation, which outliers widen";
        warnings.push(Warning {
            code: "mad_is_zero",
            detail: detail.to_owned(),
        });
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Params, Series};

    #[test]
    fn a_model_is_small() {
        assert!(size_of::<Fitted>() <= 80, "{}", size_of::<Fitted>());
    }

    fn fitted(params: &Params, values: &[f64]) -> Summary {
        let timestamps: Vec<i64> = (0..values.len() as i64).collect();
        let series = Series::new(&timestamps, values).unwrap();
        params.check().unwrap().fit(&series).unwrap().summary()
    }

    #[test]
    fn a_summary_names_what_was_fitted() {
        let values: Vec<f64> = (0..40).map(|i| f64::from(i % 7)).collect();
        let summary = fitted(&Params::default(), &values);
        assert_eq!(
            (summary.model, summary.calibration.method),
            ("robust", "student_t")
        );
        assert_eq!((summary.calibration.n, summary.alarm_rate), (40, 0.001));
        assert!(summary.chosen_because.is_some());
        let sigma = Params {
            model: Some("gaussian".to_owned()),
            sigma: Some(3.0),
            ..Params::default()
        };
        let summary = fitted(&sigma, &values);
        assert_eq!(
            (summary.model, summary.calibration.method),
            ("gaussian", "normal_tail")
        );
        assert_eq!(summary.chosen_because, None);
    }

    #[test]
    fn warnings_come_when_they_are_true() {
        let codes = |rate, values: &[f64]| {
            let robust = Params {
                model: Some("robust".to_owned()),
                alarm_rate: Some(rate),
                ..Params::default()
            };
            let warnings = fitted(&robust, values).warnings;
            warnings
                .iter()
                .map(|warning| warning.code)
                .collect::<Vec<_>>()
        };
        let spread: Vec<f64> = (0..99).map(|i| f64::from(i % 7)).collect();
        assert_eq!(codes(0.01, &spread), Vec::<&str>::new());
        assert_eq!(codes(0.009_99, &spread), ["alarm_rate_beyond_data"]);
        assert_eq!(codes(0.3, &[1.0, 1.0, 1.0, 2.0]), ["mad_is_zero"]);
    }

    #[test]
    fn columns_of_different_length_end_with_the_shorter() {
        let values = [1.0, 2.0, 4.0];
        let series = Series::new(&[0, 1, 2], &values).unwrap();
        let model = Params::default().check().unwrap().fit(&series).unwrap();
        let mut count = 0;
        model.score_columns(&[0, 1], &values, |_| count += 1);
        assert_eq!((count, model.anomalies(&[0; 9], &values).len()), (2, 3));
    }
}
