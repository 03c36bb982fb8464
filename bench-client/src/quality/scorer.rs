//! A score and a p-value for every row of a series: by a model fitted on its first rows, or by a
//! baseline.

use detectors::online::Online;
use detectors::{CheckedParams, Params, Seasons, Series};

use super::baselines;
use super::data::LabelledSeries;
use super::error::QualityError;
use super::index::IndexEntry;

/// A model or a baseline.
#[derive(Debug, Clone)]
pub enum Scorer {
    /// A model of ours.
    Model(Model),
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
}

impl Scored {
    pub(super) fn with_capacity(rows: usize) -> Self {
        Self {
            anomaly_scores: Vec::with_capacity(rows),
            p_values: Vec::with_capacity(rows),
            ..Self::default()
        }
    }

    pub(super) fn push(&mut self, anomaly_score: f64, p_value: f64) {
        self.anomaly_scores.push(anomaly_score);
        self.p_values.push(p_value);
    }
}

/// The models asked for, in their order, and after them the baselines.
///
/// # Errors
/// A model or an alarm rate that cannot be used.
pub fn all(models: &[String], alarm_rate: f64) -> Result<Vec<Scorer>, QualityError> {
    let model = |name: &String| {
        let params = Params {
            model: Some(name.clone()),
            alarm_rate: Some(alarm_rate),
            ..Params::default()
        };
        let checked = params.check().map_err(|source| QualityError::Params {
            model: name.clone(),
            source,
        })?;
        Ok(Scorer::Model(Model {
            name: name.clone(),
            params: checked,
        }))
    };
    let mut scorers: Vec<Scorer> = models.iter().map(model).collect::<Result<_, _>>()?;
    scorers.extend([Scorer::Random, Scorer::Range, Scorer::WindowedGaussian]);
    Ok(scorers)
}

impl Scorer {
    /// Name for the table.
    pub fn name(&self) -> &str {
        match self {
            Self::Model(model) => &model.name,
            Self::Random => "random score",
            Self::Range => "outside the range so far",
            Self::WindowedGaussian => "windowed Gaussian",
        }
    }

    /// Scores every row, each from itself and the rows before it alone, those of the fit included.
    pub fn score(&self, series: &LabelledSeries, entry: &IndexEntry) -> Scored {
        match self {
            Self::Model(model) => model.score(series, entry.train_len),
            Self::Random => baselines::random(&entry.file, series.len()),
            Self::Range => baselines::outside_range(&series.values),
            Self::WindowedGaussian => baselines::windowed_gaussian(&series.values),
        }
    }
}

impl Model {
    fn score(&self, series: &LabelledSeries, train_len: usize) -> Scored {
        if self.name == ONLINE {
            return self.score_online(series, train_len);
        }
        let rows = series.len();
        let mut scored = Scored::with_capacity(rows);
        let (timestamps, values) =
            in_order(&series.timestamps[..train_len], &series.values[..train_len]);
        scored.out_of_order = train_len - values.len();
        let fitted = Series::new(&timestamps, &values)
            .map_err(|error| error.to_string())
            .and_then(|prefix| self.params.fit(&prefix).map_err(|error| error.to_string()));
        match fitted {
            Ok(fitted) => {
                fitted.score_columns(&series.timestamps, &series.values, |score| {
                    scored.push(score.anomaly_score, score.p_value);
                });
            }
            Err(reason) => {
                scored.anomaly_scores = vec![0.0; rows];
                scored.p_values = vec![1.0; rows];
                scored.refused = Some(reason);
            }
        }
        scored
    }
}

/// The model that learns from every row it scores.
const ONLINE: &str = "tail_views";

impl Model {
    /// The first rows tell the seasons; then every row is scored and learnt, from the first on.
    fn score_online(&self, series: &LabelledSeries, train_len: usize) -> Scored {
        let (timestamps, values) =
            in_order(&series.timestamps[..train_len], &series.values[..train_len]);
        let mut scored = Scored::with_capacity(series.len());
        scored.out_of_order = train_len - values.len();
        let periods = Series::new(&timestamps, &values)
            .ok()
            .and_then(|prefix| self.params.fit(&prefix).ok())
            .map_or_else(Vec::new, |fitted| fitted.summary().periods);
        let start = Params {
            alarm_rate: Some(self.params.alarm_rate()),
            seasons: Some(Seasons::Periods(periods)),
            ..Params::default()
        };
        let Ok(start) = start.check() else {
            return scored;
        };
        let mut online = Online::new(&start, series.timestamps.first().copied().unwrap_or(0));
        for (timestamp, value) in series.timestamps.iter().zip(&series.values) {
            let score = online.observe(*timestamp, *value).score;
            scored.push(score.anomaly_score, score.p_value);
        }
        scored
    }
}

/// The rows that are later than every row before them: what a fit accepts.
fn in_order(timestamps: &[i64], values: &[f64]) -> (Vec<i64>, Vec<f64>) {
    let mut latest = -1;
    let later = |(&timestamp, &value): (&i64, &f64)| {
        let is_later = timestamp > latest;
        latest = latest.max(timestamp);
        is_later.then_some((timestamp, value))
    };
    timestamps.iter().zip(values).filter_map(later).unzip()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_repeat_a_time_or_go_back_are_left_out_of_the_fit() {
        let (timestamps, values) =
            in_order(&[0, 10, 10, 5, 11, 12], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(timestamps, [0, 10, 11, 12]);
        assert_eq!(values, [0.0, 1.0, 4.0, 5.0]);
    }
}
