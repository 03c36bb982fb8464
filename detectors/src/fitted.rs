//! A fitted model, whichever it is.

use crate::auto;
use crate::codec::{self, DecodeError};
use crate::models::banded::{self, Banded};
use crate::models::location_scale::{Kind, LocationScale, Reference};
use crate::models::verdict::Band;
use crate::models::windowed::Windowed;
use crate::online::tail_views::{TailViews, WARM_UP};
use crate::params::{Direction, TimeUnit};
use crate::score::{Score, Status};
use crate::seasons::{Clock, Seasonality};

/// A fitted model: what [`CheckedParams::fit`](crate::CheckedParams::fit) returns.
///
/// At most 80 bytes, because a service holds millions: a model that needs more is boxed inside.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    pub(crate) inner: Inner,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Inner {
    LocationScale(LocationScale),
    Banded(Banded),
    Windowed(Box<Windowed>),
    TailViews(Box<TailViews>),
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
    /// Seasonal periods in ticks, shortest first; empty for a model without season.
    pub periods: Vec<i64>,
    /// What one tick of a timestamp is.
    pub time_unit: TimeUnit,
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
    /// Number of points they rest on.
    pub n: u64,
    /// `"normal_tail"`, `"student_t"`, or `"rank_pareto"`: ranks among held-out deviations, and
    /// generalised Pareto tails beyond them; of a whole series `"rank_exponential"`.
    pub method: &'static str,
    /// Smallest alarm rate the data can vouch for, 1/(n + 1). Below it p-values go on, but rest on
    /// the tail of a distribution.
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
    /// `timestamp` is in the ticks of the training data; the models that know no season take no
    /// notice of it. A value that is NaN or infinite is an anomaly with the smallest p-value.
    #[inline]
    pub fn score(&self, timestamp: i64, value: f64) -> Score {
        match &self.inner {
            Inner::LocationScale(model) => model.score(value),
            Inner::Banded(model) => model.score(timestamp, value),
            Inner::Windowed(model) => model.score(timestamp, value),
            Inner::TailViews(state) => state.judge(timestamp, value).score,
        }
    }

    /// Scores columns in order.
    ///
    /// The scores are those of [`score`](Self::score) bit for bit, save those of a model that judges
    /// windows ([`is_windowed`](Self::is_windowed)): there `score` takes the point for the first
    /// after the training, and each point of a column follows the one before it.
    ///
    /// Columns of different length are read as far as the shorter one goes.
    pub fn score_columns(&self, timestamps: &[i64], values: &[f64], mut each: impl FnMut(Score)) {
        let (timestamps, values) = same_length(timestamps, values);
        match &self.inner {
            Inner::LocationScale(model) => model.score_column(values, each),
            Inner::Banded(model) => {
                for (timestamp, value) in timestamps.iter().zip(values) {
                    each(model.score(*timestamp, *value));
                }
            }
            Inner::Windowed(model) => model.score_columns(timestamps, values, each),
            Inner::TailViews(state) => state.judge_columns(timestamps, values, each),
        }
    }

    /// Scores the points from index `from` on of the history that the model was fitted to, in order.
    ///
    /// The scores are those of [`score_columns`](Self::score_columns), save those of a model that
    /// judges windows. There the first points of the history, before which there is no whole window,
    /// get `None`; and a window that the model has kept is judged as if it had not been there, if
    /// that can be told: every window is like itself. A model that learns from what it scores starts
    /// from nothing and learns the history again.
    ///
    /// Columns of different length are read as far as the shorter one goes.
    pub fn score_history(
        &self,
        timestamps: &[i64],
        values: &[f64],
        from: usize,
        mut each: impl FnMut(Option<Score>),
    ) {
        let (timestamps, values) = same_length(timestamps, values);
        let from = from.min(values.len());
        match &self.inner {
            Inner::Windowed(model) => model.score_history(timestamps, values, from, each),
            Inner::TailViews(state) => {
                let mut state = state.unlearnt();
                for (index, (tick, value)) in timestamps.iter().zip(values).enumerate() {
                    let score = state.learn(*tick, *value).score;
                    if index >= from {
                        each(Some(score));
                    }
                }
            }
            Inner::LocationScale(_) | Inner::Banded(_) => {
                self.score_columns(&timestamps[from..], &values[from..], |score| {
                    each(Some(score));
                });
            }
        }
    }

    /// The verdicts alone, [`Score::anomaly`] of every point: a comparison with the bounds.
    ///
    /// Columns of different length are read as far as the shorter one goes.
    pub fn anomalies(&self, timestamps: &[i64], values: &[f64]) -> Vec<bool> {
        let (timestamps, values) = same_length(timestamps, values);
        let points = timestamps.iter().zip(values);
        match &self.inner {
            Inner::LocationScale(model) => values.iter().map(|v| model.is_anomaly(*v)).collect(),
            Inner::Banded(model) => points.map(|(t, v)| model.is_anomaly(*t, *v)).collect(),
            Inner::Windowed(model) => {
                let mut verdicts = Vec::with_capacity(values.len());
                model.score_columns(timestamps, values, |score| verdicts.push(score.anomaly));
                verdicts
            }
            Inner::TailViews(state) => {
                let mut verdicts = Vec::with_capacity(values.len());
                state.judge_columns(timestamps, values, |score| verdicts.push(score.anomaly));
                verdicts
            }
        }
    }

    /// Whether a point is judged with those before it; see [`score_columns`](Self::score_columns).
    pub fn is_windowed(&self) -> bool {
        matches!(self.inner, Inner::Windowed(_) | Inner::TailViews(_))
    }

    /// Whether it learns from the points of a column as it scores them.
    pub(crate) fn learns(&self) -> bool {
        matches!(self.inner, Inner::TailViews(_))
    }

    /// The band at a time in ticks; of a model that judges windows the one right after training, at
    /// any time.
    pub fn interval(&self, timestamp: i64) -> Interval {
        match &self.inner {
            Inner::LocationScale(model) => Interval {
                expected: model.center,
                lower: model.lower,
                upper: model.upper,
            },
            Inner::Banded(model) => Interval::from(model.at(timestamp).band),
            Inner::Windowed(model) => Interval::from(model.band()),
            Inner::TailViews(state) => Interval::from(state.band()),
        }
    }

    /// How much the model knows about a time in ticks.
    pub fn status(&self, timestamp: i64) -> Status {
        match &self.inner {
            Inner::LocationScale(_) => Status::Ok,
            Inner::Banded(model) => model.status(timestamp),
            Inner::Windowed(model) => model.status(timestamp),
            Inner::TailViews(state) => state.status(),
        }
    }

    /// What one tick of a timestamp is.
    pub fn time_unit(&self) -> TimeUnit {
        match &self.inner {
            Inner::LocationScale(_) => TimeUnit::Seconds,
            Inner::Banded(model) => model.time_unit,
            Inner::Windowed(model) => model.time_unit,
            Inner::TailViews(state) => state.time_unit,
        }
    }

    /// Share of normal points that may alarm.
    pub fn alarm_rate(&self) -> f64 {
        match &self.inner {
            Inner::LocationScale(model) => model.alarm_rate,
            Inner::Banded(model) => model.rate.alarm_rate,
            Inner::Windowed(model) => model.rate.alarm_rate,
            Inner::TailViews(state) => state.rate.alarm_rate,
        }
    }

    /// What the model is, for people.
    pub fn summary(&self) -> Summary {
        match &self.inner {
            Inner::LocationScale(model) => summary_of_location_scale(model),
            Inner::Banded(model) => summary_of_banded(model),
            Inner::Windowed(model) => summary_of_windowed(model),
            Inner::TailViews(state) => summary_of_tail_views(state),
        }
    }

    /// Bytes the model holds beyond its own size, for a memory budget.
    pub fn heap_bytes(&self) -> usize {
        match &self.inner {
            Inner::LocationScale(_) => 0,
            Inner::Banded(model) => model.heap_bytes(),
            Inner::Windowed(model) => model.heap_bytes(),
            Inner::TailViews(state) => state.heap_bytes(),
        }
    }

    /// The clock its seasons follow; UTC for a model without season.
    pub(crate) fn clock(&self) -> Clock {
        match &self.inner {
            Inner::LocationScale(_) | Inner::Windowed(_) => Clock::default(),
            Inner::Banded(model) => {
                let seasonality = model.seasonality();
                seasonality.map_or_else(Clock::default, |s| s.clock.clone())
            }
            Inner::TailViews(state) => state.clock.clone(),
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

impl From<Banded> for Fitted {
    fn from(model: Banded) -> Self {
        Self {
            inner: Inner::Banded(model),
        }
    }
}

impl From<Windowed> for Fitted {
    fn from(model: Windowed) -> Self {
        Self {
            inner: Inner::Windowed(Box::new(model)),
        }
    }
}

impl From<TailViews> for Fitted {
    fn from(state: TailViews) -> Self {
        Self {
            inner: Inner::TailViews(Box::new(state)),
        }
    }
}

impl From<Band> for Interval {
    fn from(band: Band) -> Self {
        Self {
            expected: band.expected,
            lower: band.lower,
            upper: band.upper,
        }
    }
}

fn same_length<'a>(timestamps: &'a [i64], values: &'a [f64]) -> (&'a [i64], &'a [f64]) {
    let n = timestamps.len().min(values.len());
    (&timestamps[..n], &values[..n])
}

fn summary_of_location_scale(model: &LocationScale) -> Summary {
    let mut warnings = beyond_data(model.n, model.alarm_rate, "assumed");
    if model.kind == Kind::RobustTied {
        let detail = "more than half of the values are equal, so the median absolute deviation is \
                      0; the scale is the mean absolute deviation, which outliers widen";
        warnings.push(Warning {
            code: "mad_is_zero",
            detail: detail.to_owned(),
        });
    }
    Summary {
        model: match model.kind {
            Kind::Gaussian => "gaussian",
            Kind::Robust | Kind::RobustTied => "robust",
        },
        alarm_rate: model.alarm_rate,
        direction: model.direction,
        periods: Vec::new(),
        time_unit: TimeUnit::Seconds,
        calibration: calibration(
            model.n,
            match model.reference {
                Reference::Normal => "normal_tail",
                Reference::StudentT(_) => "student_t",
            },
        ),
        warnings,
        chosen_because: auto::reason(model.choice, model.n),
    }
}

fn summary_of_banded(model: &Banded) -> Summary {
    let (method, tail) = match &model.rest.reference {
        banded::Reference::Normal => ("normal_tail", "assumed"),
        banded::Reference::StudentT(_) => ("student_t", "assumed"),
        banded::Reference::Empirical(_) => ("rank_pareto", "fitted to the tail"),
    };
    let mut warnings = beyond_data(model.n.into(), model.rate.alarm_rate, tail);
    let is_seasonal = model.kind == banded::Kind::Seasonal;
    if is_seasonal && model.seasonality().is_none() {
        let detail = "no season was found in the history, so the model has none; name its periods \
                      with seasonality, or give a longer history";
        warnings.push(Warning {
            code: "no_season",
            detail: detail.to_owned(),
        });
    }
    Summary {
        model: model.kind.name(),
        alarm_rate: model.rate.alarm_rate,
        direction: model.direction,
        periods: model
            .seasonality()
            .map_or_else(Vec::new, Seasonality::periods),
        time_unit: model.time_unit,
        calibration: calibration(model.n.into(), method),
        warnings,
        chosen_because: auto::reason(model.choice, model.n.into()),
    }
}

fn summary_of_windowed(model: &Windowed) -> Summary {
    Summary {
        model: model.core.shape().name(),
        alarm_rate: model.rate.alarm_rate,
        direction: Direction::Both,
        periods: Vec::new(),
        time_unit: model.time_unit,
        calibration: calibration(model.n, "rank_pareto"),
        warnings: beyond_data(model.n, model.rate.alarm_rate, "fitted to the tail"),
        chosen_because: auto::reason(model.choice, model.n),
    }
}

fn summary_of_tail_views(state: &TailViews) -> Summary {
    let mut warnings = Vec::new();
    if state.status() == Status::WarmingUp {
        let detail = format!(
            "{} points were learnt; until there are {WARM_UP} nothing is an anomaly",
            state.learnt
        );
        warnings.push(Warning {
            code: "warming_up",
            detail,
        });
    }
    let (n, rate) = (state.null.n, state.rate.alarm_rate);
    warnings.extend(beyond_data(n, rate, "fitted to the tail"));
    let mut periods = state.periods().to_vec();
    periods.dedup();
    Summary {
        model: "tail_views",
        alarm_rate: rate,
        direction: Direction::Both,
        periods,
        time_unit: state.time_unit,
        calibration: calibration(n, "rank_pareto"),
        warnings,
        chosen_because: auto::reason(state.choice, state.learnt),
    }
}

fn calibration(n: u64, method: &'static str) -> Calibration {
    Calibration {
        n,
        method,
        min_attainable_alarm_rate: resolution(n),
    }
}

/// The share of one more point among n.
fn resolution(n: u64) -> f64 {
    1.0 / (n as f64 + 1.0)
}

fn beyond_data(n: u64, alarm_rate: f64, tail: &str) -> Vec<Warning> {
    let attainable = resolution(n);
    if alarm_rate >= attainable {
        return Vec::new();
    }
    let detail = format!(
        "with {n} points, alarm rates below {attainable:.3e} rest on the distribution {tail} and \
         not on the data; {alarm_rate:e} was asked for"
    );
    vec![Warning {
        code: "alarm_rate_beyond_data",
        detail,
    }]
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
        let values: Vec<f64> = (0..40).map(|i| f64::from(i * i % 37)).collect();
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
