//! Accuracy of a detector on labelled series: the metrics, without any I/O.
//!
//! | metric | asks | module |
//! |---|---|---|
//! | VUS-PR | how well do the scores rank, events' edges being vague | [`vus_pr`] |
//! | AUC-PR | how well do the scores rank, point by point | [`average_precision`] |
//! | event-F1 | how many events are found in time, at how many false alerts | [`event_f1`] |
//! | UCR accuracy | is the highest score at the one event | [`ucr`] |
//! | false alarms | do as many normal points alarm as was asked for | [`false_alarms`] |
//! | NAB | how early and how cleanly is each labelled window found | [`nab`] |
//!
//! [`bootstrap`] says how far a mean over series may be off by the choice of the series.
//! Point-adjusted F1 is deliberately absent: it counts a whole event as found once any of its points
//! is flagged, however late, so that random scores do well by it (Kim et al., *Towards a rigorous
//! evaluation of time-series anomaly detection*, AAAI 2022).
//!
//! Higher scores mean more anomalous. A metric that a series does not define (no event, say) is
//! `None`, so that it is left out of a mean instead of counting as zero.
//!
//! ```
//! use detectors::eval::{LabelledScores, average_precision, event_f1};
//!
//! let labels = [false, false, true, true, false, false];
//! let scores = [0.1, 0.3, 0.9, 0.8, 0.2, 0.1];
//! let scored = LabelledScores::new(&labels, &scores)?;
//! assert_eq!(average_precision::average_precision(scored), Some(1.0));
//! assert!(LabelledScores::new(&labels, &[f64::NAN; 6]).is_err());
//! # Ok::<(), detectors::eval::EvalError>(())
//! ```

pub mod average_precision;
pub mod bootstrap;
pub mod event_f1;
pub mod events;
pub mod false_alarms;
pub mod nab;
pub mod period;
pub mod ucr;
pub mod vus_pr;

/// Why columns cannot be evaluated. An index is that of the first offending point.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum EvalError {
    /// Labels and what they are compared with differ in length.
    #[error("{labels} labels but {others} scores or p-values")]
    LengthMismatch {
        /// Number of labels.
        labels: usize,
        /// Number of scores, p-values or flags.
        others: usize,
    },
    /// A score is NaN or infinite.
    #[error("score {index} is not a finite number")]
    ScoreNotFinite {
        /// Index of the point.
        index: usize,
    },
    /// A p-value is NaN or outside `[0, 1]`.
    #[error("p-value {index} is not a probability")]
    NotAProbability {
        /// Index of the point.
        index: usize,
    },
    /// A window begins before the one before it ends, or ends beyond the series.
    #[error("window {index} overlaps another one or reaches beyond the series")]
    WindowOutOfOrder {
        /// Index of the window.
        index: usize,
    },
    /// A window begins or ends at a time that is not in the series.
    #[error("window {index} begins or ends at a time that the series does not have")]
    WindowNotInSeries {
        /// Index of the window.
        index: usize,
    },
}

/// A label and a finite score for every point of a series, in time order.
#[derive(Debug, Clone, Copy)]
pub struct LabelledScores<'a> {
    labels: &'a [bool],
    scores: &'a [f64],
}

impl<'a> LabelledScores<'a> {
    /// Checks the columns; `O(n)`, nothing is copied.
    ///
    /// # Errors
    ///
    /// Columns of different length, or a score that is NaN or infinite.
    pub fn new(labels: &'a [bool], scores: &'a [f64]) -> Result<Self, EvalError> {
        same_length(labels.len(), scores.len())?;
        match scores.iter().position(|score| !score.is_finite()) {
            Some(index) => Err(EvalError::ScoreNotFinite { index }),
            None => Ok(Self { labels, scores }),
        }
    }

    /// The part from point `first` on; empty where `first` lies beyond the end.
    #[must_use]
    pub fn from(self, first: usize) -> Self {
        self.part(first..self.len())
    }

    /// The points of a range, as far as the series has them.
    #[must_use]
    pub fn part(self, range: std::ops::Range<usize>) -> Self {
        let end = range.end.min(self.len());
        let start = range.start.min(end);
        Self {
            labels: &self.labels[start..end],
            scores: &self.scores[start..end],
        }
    }

    /// Whether each point is anomalous, shape `[n]`.
    pub fn labels(&self) -> &'a [bool] {
        self.labels
    }

    /// Scores, shape `[n]`; higher is more anomalous.
    pub fn scores(&self) -> &'a [f64] {
        self.scores
    }

    /// Number of points.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no point at all.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
}

fn same_length(labels: usize, others: usize) -> Result<(), EvalError> {
    if labels == others {
        Ok(())
    } else {
        Err(EvalError::LengthMismatch { labels, others })
    }
}

/// Indices of the points, highest score first; points of equal score keep their order.
fn by_falling_score(scores: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    // Not `total_cmp`, which would put 0.0 before −0.0 and so split a tie.
    order.sort_by(|&a, &b| {
        scores[b]
            .partial_cmp(&scores[a])
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_that_do_not_fit_are_errors() {
        let error = |labels: &[bool], scores: &[f64]| LabelledScores::new(labels, scores).err();
        assert_eq!(
            error(&[true], &[]),
            Some(EvalError::LengthMismatch {
                labels: 1,
                others: 0
            })
        );
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(
                error(&[true; 3], &[0.0, bad, bad]),
                Some(EvalError::ScoreNotFinite { index: 1 })
            );
        }
        assert_eq!(error(&[], &[]), None);
    }

    #[test]
    fn a_part_ends_with_the_series() {
        let scored = LabelledScores::new(&[false, true, true], &[1.0, 2.0, 3.0]).unwrap();
        assert_eq!(scored.from(1).scores(), [2.0, 3.0]);
        assert_eq!(scored.part(1..2).labels(), [true]);
        assert_eq!(scored.part(2..99).len(), 1);
        assert!(scored.from(99).is_empty());
    }

    #[test]
    fn equal_scores_keep_their_order() {
        assert_eq!(by_falling_score(&[-0.0, 1.0, 0.0, 1.0]), [1, 3, 0, 2]);
    }
}
