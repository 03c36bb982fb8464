//! What goes over the wire, as far as it is needed here.

use serde::{Deserialize, Serialize};

/// The columns of verdicts that are asked for.
pub(super) const FIELDS: &str = "fields=anomaly_score,p_value";

/// The body of a fit, a detection, a predict or an update.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Rows<'a> {
    timestamps: &'a [i64],
    values: &'a [f64],
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alarm_rate: Option<f64>,
}

/// The reply to a fit.
#[derive(Debug, Deserialize)]
pub(super) struct Fitted {
    pub(super) version: String,
    pub(super) periods: Vec<i64>,
}

/// The reply to rows.
#[derive(Debug, Deserialize)]
pub(super) struct Verdicts {
    pub(super) anomaly_score: Vec<f64>,
    pub(super) p_value: Vec<f64>,
    /// Of an update only.
    #[serde(default)]
    pub(super) n_learnt: usize,
}

/// A refusal.
#[derive(Debug, Deserialize)]
pub(super) struct Problem {
    pub(super) detail: String,
    #[serde(default)]
    errors: Vec<FieldError>,
}

#[derive(Debug, Deserialize)]
struct FieldError {
    /// Names and, in lists, indices.
    loc: Vec<serde_json::Value>,
}

impl<'a> Rows<'a> {
    pub(super) fn new(timestamps: &'a [i64], values: &'a [f64]) -> Self {
        Self {
            timestamps,
            values,
            model: None,
            alarm_rate: None,
        }
    }

    pub(super) fn model(self, name: &'a str) -> Self {
        Self {
            model: Some(name),
            ..self
        }
    }

    pub(super) fn alarm_rate(self, rate: f64) -> Self {
        Self {
            alarm_rate: Some(rate),
            ..self
        }
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }
}

impl Verdicts {
    /// Score and p-value of each row.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (f64, f64)> {
        let scores = self.anomaly_score.iter().copied();
        scores.zip(self.p_value.iter().copied())
    }
}

impl Problem {
    /// Whether the rows are what was refused, and not a name or a parameter.
    pub(super) fn is_of_rows(&self) -> bool {
        let is_column = |error: &FieldError| {
            let field = error.loc.get(1).and_then(serde_json::Value::as_str);
            matches!(field, Some("timestamps" | "values"))
        };
        self.errors.iter().any(is_column)
    }
}
