//! The detector of whole series: it fits nothing and sees every row.

use detectors::whole::Whole;
use detectors::{Params, Series};

use super::data::LabelledSeries;
use super::error::QualityError;
use super::scorer::{Scored, in_order, is_later};

/// The only detector of this mode.
pub const NAME: &str = "whole";

/// The detector of that name.
///
/// # Errors
/// Another name, or an alarm rate that cannot be used.
pub fn detector(name: &str, alarm_rate: f64) -> Result<Whole, QualityError> {
    let params = Params {
        model: (name != NAME).then(|| name.to_owned()),
        alarm_rate: Some(alarm_rate),
        ..Params::default()
    };
    Whole::new(&params).map_err(|source| QualityError::Params {
        model: name.to_owned(),
        source,
    })
}

/// Scores every row. One that is not later than all before is left out and gets the score of the row
/// before it.
pub fn score(whole: &Whole, series: &LabelledSeries) -> Scored {
    let (timestamps, values) = in_order(&series.timestamps, &series.values);
    let detected = Series::new(&timestamps, &values)
        .map_err(|error| error.to_string())
        .and_then(|series| whole.detect(&series).map_err(|error| error.to_string()));
    match detected {
        Ok(scores) => {
            let points = scores.points.iter();
            let pairs = points.map(|point| (point.anomaly_score, point.p_value));
            of_rows(series, pairs)
        }
        Err(reason) => Scored::refused(series.len(), reason),
    }
}

/// The score and p-value of every row, from those of the rows that are in order.
pub(super) fn of_rows(
    series: &LabelledSeries,
    mut in_order: impl Iterator<Item = (f64, f64)>,
) -> Scored {
    let mut scored = Scored::with_capacity(series.len());
    let mut last = (0.0, 1.0);
    for is_later in is_later(&series.timestamps) {
        if is_later {
            last = in_order.next().unwrap_or(last);
        } else {
            scored.out_of_order += 1;
        }
        scored.push(last.0, last.1);
    }
    scored
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_out_of_order_has_the_score_of_the_row_before() {
        let series = LabelledSeries {
            timestamps: vec![0, 10, 5, 20, 30],
            values: vec![1.0, 2.0, 900.0, 1.5, 30.0],
            labels: vec![false; 5],
        };
        let scored = score(&detector(NAME, 1e-3).unwrap(), &series);
        assert_eq!(scored.out_of_order, 1);
        assert_eq!(scored.anomaly_scores.len(), 5);
        assert_eq!(scored.p_values[2], scored.p_values[1]);
        assert_ne!(scored.p_values[3], scored.p_values[4]);
    }

    #[test]
    fn there_is_no_other_detector() {
        assert!(detector("robust", 1e-3).is_err());
    }
}
