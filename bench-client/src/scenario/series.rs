//! Series of which an answer tells whose model gave it: each lives at a level of its own, far from
//! all others.

use super::context::{Call, Context, ScenarioError, call};
use crate::client::{Client, Outcome as Reply};
use crate::payload::{FitBody, PredictBody};

/// Points in the history of a series.
const POINTS: usize = 24;
/// How far a history is from its level at most.
const SPREAD: f64 = 1.0;
/// How far the expected value may be from the level of the model that gave it. Levels are a hundred
/// times further apart.
const NEAR: f64 = 10.0;
/// Distance of two levels.
pub(super) const STEP: f64 = 1_000.0;

const START: i64 = 1_700_000_000;

/// A history around `level`, without trend or season.
pub(super) fn history(level: f64, points: usize) -> FitBody {
    // 1, 7, 5, 3, … thirteenths: equal in both halves, equal to none of its neighbours.
    let offset = |i: usize| ((i * 6 + 1) % 13) as f64 / 6.0 - 1.0;
    FitBody {
        timestamps: (START..).step_by(60).take(points).collect(),
        values: (0..points).map(|i| level + SPREAD * offset(i)).collect(),
    }
}

/// A point at `value`, the first after a history.
pub(super) fn point(value: f64) -> PredictBody {
    PredictBody {
        timestamp: (START + 60 * POINTS as i64).to_string(),
        value,
    }
}

/// What an answer says of the model that gave it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    pub(super) anomaly: bool,
    pub(super) version: Option<u64>,
    /// Where the model sees the series, where the server says so.
    pub(super) expected: Option<f64>,
}

impl Answer {
    /// What a 200 says; none for anything else, and for a body that is no answer.
    pub(super) fn of(reply: &Reply) -> Option<Self> {
        let Reply::Reply { body, .. } = reply else {
            return None;
        };
        if !reply.is_ok() {
            return None;
        }
        let json: serde_json::Value = serde_json::from_slice(body).ok()?;
        let version = json["model_version"].as_str();
        Some(Self {
            anomaly: json["anomaly"].as_bool()?,
            version: version.and_then(|v| v.trim_start_matches('v').parse().ok()),
            expected: json["expected_value"].as_f64(),
        })
    }

    /// Whether it can be the answer of a model at `level` to a point at `value`.
    pub(super) fn is_of(&self, level: f64, value: f64) -> bool {
        let expected = self.expected.is_none_or(|at| (at - level).abs() <= NEAR);
        expected && self.anomaly == ((value - level).abs() > NEAR)
    }
}

/// Fits `series` at `level`.
pub(super) async fn fit(client: &Client, series: &str, level: f64) -> Result<Call, ScenarioError> {
    let body = history(level, POINTS);
    Ok(call(client, client.post_json(&["fit", series], None, &body)?).await)
}

/// Asks the latest version of `series` about `value`.
pub(super) async fn predict(
    client: &Client,
    series: &str,
    value: f64,
) -> Result<Call, ScenarioError> {
    predict_by(client, series, "version=0", value).await
}

/// Asks what `query` names of `series` about `value`.
pub(super) async fn predict_by(
    client: &Client,
    series: &str,
    query: &str,
    value: f64,
) -> Result<Call, ScenarioError> {
    let path = ["predict", series];
    let request = client.post_json(&path, Some(query), &point(value))?;
    Ok(call(client, request).await)
}

impl Context<'_> {
    /// Fits a series at a level, which has to work.
    pub(super) fn fit(
        &self,
        client: &Client,
        series: &str,
        level: f64,
    ) -> Result<Call, ScenarioError> {
        let call = self.wait(fit(client, series, level))??;
        match call.reply.failure() {
            None => Ok(call),
            Some(why) => Err(ScenarioError::Preparation {
                what: format!("the fit of {series}"),
                why,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_another_model_is_told() {
        let answer = |anomaly, expected| Answer {
            anomaly,
            version: Some(1),
            expected,
        };
        assert!(answer(false, None).is_of(1_000.0, 1_000.0));
        assert!(!answer(false, None).is_of(1_000.0, 2_000.0));
        assert!(!answer(true, None).is_of(1_000.0, 1_000.0));
        assert!(answer(false, Some(1_000.4)).is_of(1_000.0, 1_000.0));
        assert!(!answer(false, Some(2_000.0)).is_of(1_000.0, 1_000.0));
    }

    #[test]
    fn a_history_stays_near_its_level() {
        let body = history(500.0, POINTS);
        assert!(body.values.iter().all(|v| (v - 500.0).abs() <= SPREAD));
        assert_ne!(body.values[0], body.values[1]);
    }
}
