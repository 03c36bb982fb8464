//! A score and a p-value for every row of a series: by a model fitted on its first rows, by a detector
//! of whole series, by either in a running service, or by a baseline.

use std::sync::Arc;

use detectors::whole::Whole;
use detectors::{CheckedParams, Params, Series};

use super::baselines;
use super::data::LabelledSeries;
use super::error::QualityError;
use super::index::IndexEntry;
use super::mode::Mode;
use super::online;
use super::via::Via;
use super::via_http::{Remote, Service};
use super::{Settings, whole};

/// A model, a detector or a baseline.
#[derive(Debug, Clone)]
pub enum Scorer {
    /// A model of ours.
    Model(Model),
    /// Our detector of whole series.
    Whole(Whole),
    /// One of these in a running service.
    Remote(Remote),
    /// Scores that know nothing.
    Random,
    /// Outside the range of all rows so far.
    Range,
    /// Deviation from the last rows' mean in their standard deviations.
    WindowedGaussian,
}

/// A model by its name, with parameters that hold together.
#[derive(Debug, Clone)]
pub struct Model {
    name: String,
    params: CheckedParams,
}

/// What a scorer says about every row, each column of shape `[n]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scored {
    /// Higher is more anomalous; finite.
    pub anomaly_scores: Vec<f64>,
    /// Probability of a row at least as extreme where nothing is wrong.
    pub p_values: Vec<f64>,
    /// Why the fit was refused, where it was; all scores are then 0 and all p-values 1.
    pub refused: Option<String>,
    /// Rows left out of the fit because they are not later than the row before.
    pub out_of_order: usize,
    /// Rows of the fit that could not be scored; their scores are 0 and their p-values 1.
    pub unscored: usize,
}

impl Scored {
    pub(super) fn with_capacity(rows: usize) -> Self {
        Self {
            anomaly_scores: Vec::with_capacity(rows),
            p_values: Vec::with_capacity(rows),
            ..Self::default()
        }
    }

    /// No row scored.
    pub(super) fn refused(rows: usize, reason: String) -> Self {
        Self {
            anomaly_scores: vec![0.0; rows],
            p_values: vec![1.0; rows],
            refused: Some(reason),
            ..Self::default()
        }
    }

    pub(super) fn extend(&mut self, pairs: impl Iterator<Item = (f64, f64)>) {
        for (anomaly_score, p_value) in pairs {
            self.push(anomaly_score, p_value);
        }
    }

    pub(super) fn push(&mut self, anomaly_score: f64, p_value: f64) {
        self.anomaly_scores.push(anomaly_score);
        self.p_values.push(p_value);
    }
}

/// The models or detectors asked for, in their order, and after them the baselines.
///
/// # Errors
/// A model or an alarm rate that cannot be used; a service that cannot be reached.
pub fn all(settings: &Settings) -> Result<Vec<Scorer>, QualityError> {
    let alarm_rate = settings.alarm_rate;
    let here = |name: &String| match settings.mode {
        Mode::Online => Model::new(name, alarm_rate).map(Scorer::Model),
        Mode::Whole => whole::detector(name, alarm_rate).map(Scorer::Whole),
    };
    let here = settings.models.iter().map(here);
    let mut scorers: Vec<Scorer> = here.collect::<Result<_, _>>()?;
    if let Via::Http(base) = &settings.via {
        let service = Arc::new(Service::reach(base)?);
        let remote = |(place, scorer)| Remote::new(&service, place, scorer, alarm_rate);
        let remotes = scorers.iter().enumerate().map(remote);
        scorers = remotes.map(Scorer::Remote).collect();
    }
    scorers.extend([Scorer::Random, Scorer::Range, Scorer::WindowedGaussian]);
    Ok(scorers)
}

impl Scorer {
    /// Name for the table.
    pub fn name(&self) -> &str {
        match self {
            Self::Model(model) => &model.name,
            Self::Whole(_) => whole::NAME,
            Self::Remote(remote) => remote.name(),
            Self::Random => "random score",
            Self::Range => "outside the range so far",
            Self::WindowedGaussian => "windowed Gaussian",
        }
    }

    /// Whether it is ours and no baseline.
    pub fn is_ours(&self) -> bool {
        matches!(self, Self::Model(_) | Self::Whole(_) | Self::Remote(_))
    }

    /// Scores every row: from itself and the rows before it alone, those of a fit included, save for
    /// a detector of whole series; rows of the fit as if they had been left out of it, where the model
    /// can tell.
    ///
    /// # Errors
    /// A service that fails; nothing else can.
    pub fn score(
        &self,
        series: &LabelledSeries,
        entry: &IndexEntry,
    ) -> Result<Scored, QualityError> {
        Ok(match self {
            Self::Model(model) => model.score(series, entry.train_len),
            Self::Whole(detector) => whole::score(detector, series),
            Self::Remote(remote) => remote.score(series, entry)?,
            Self::Random => baselines::random(&entry.file, series.len()),
            Self::Range => baselines::outside_range(&series.values),
            Self::WindowedGaussian => baselines::windowed_gaussian(&series.values),
        })
    }
}

impl Model {
    fn new(name: &str, alarm_rate: f64) -> Result<Self, QualityError> {
        let params = Params {
            model: Some(name.to_owned()),
            alarm_rate: Some(alarm_rate),
            ..Params::default()
        };
        let checked = params.check().map_err(|source| QualityError::Params {
            model: name.to_owned(),
            source,
        })?;
        Ok(Self {
            name: name.to_owned(),
            params: checked,
        })
    }

    pub(super) fn judges_windows(&self) -> bool {
        self.params.judges_windows()
    }

    fn score(&self, series: &LabelledSeries, train_len: usize) -> Scored {
        if self.name == online::MODEL {
            return online::score(&self.params, series, train_len);
        }
        let rows = series.len();
        let mut scored = Scored::with_capacity(rows);
        let (timestamps, values) = (&series.timestamps, &series.values);
        let is_later: Vec<bool> = is_later(&timestamps[..train_len]).collect();
        let (fit_timestamps, fit_values) = in_order(&timestamps[..train_len], &values[..train_len]);
        let out_of_order = train_len - fit_values.len();
        scored.out_of_order = out_of_order;
        let fitted = Series::new(&fit_timestamps, &fit_values)
            .map_err(|error| error.to_string())
            .and_then(|prefix| self.params.fit(&prefix).map_err(|error| error.to_string()));
        match fitted {
            Ok(fitted) if !fitted.is_windowed() => {
                fitted.score_columns(timestamps, values, |score| {
                    scored.push(score.anomaly_score, score.p_value);
                });
            }
            Ok(fitted) => {
                let mut history = Vec::with_capacity(fit_values.len());
                fitted.score_history(&fit_timestamps, &fit_values, 0, |score| history.push(score));
                let mut history = history.into_iter();
                for (row, &is_later) in is_later.iter().enumerate() {
                    // A row that was left out of the fit has no place in its history, and stands alone.
                    let score = if is_later {
                        history.next().flatten()
                    } else {
                        Some(fitted.score(timestamps[row], values[row]))
                    };
                    let (anomaly_score, p_value) =
                        score.map_or((0.0, 1.0), |score| (score.anomaly_score, score.p_value));
                    scored.push(anomaly_score, p_value);
                }
                fitted.score_columns(&timestamps[train_len..], &values[train_len..], |score| {
                    scored.push(score.anomaly_score, score.p_value);
                });
            }
            Err(reason) => {
                return Scored {
                    out_of_order,
                    ..Scored::refused(rows, reason)
                };
            }
        }
        scored
    }
}

/// The rows that are later than every row before them: what a fit accepts.
pub(super) fn in_order(timestamps: &[i64], values: &[f64]) -> (Vec<i64>, Vec<f64>) {
    let rows = timestamps.iter().zip(values).zip(is_later(timestamps));
    rows.filter_map(|((&timestamp, &value), is_later)| is_later.then_some((timestamp, value)))
        .unzip()
}

/// Whether each row is later than every row before it.
pub(super) fn is_later(timestamps: &[i64]) -> impl Iterator<Item = bool> {
    timestamps.iter().scan(-1, |latest, &timestamp| {
        let is_later = timestamp > *latest;
        *latest = timestamp.max(*latest);
        Some(is_later)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_repeat_a_time_or_go_back_are_left_out_of_the_fit() {
        let is_later: Vec<bool> = is_later(&[0, 10, 10, 5, 11, 12]).collect();
        assert_eq!(is_later, [true, true, false, false, true, true]);
    }
}
