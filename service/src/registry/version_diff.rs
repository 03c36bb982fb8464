//! What differs between two versions of a series: a pure function of what is known of each.

use api::feedback::FeedbackObeyed;
use api::version_diff::{VersionBand, VersionBands, VersionChange, VersionDiff};
use detectors::Fitted;
use serde_json::{Value, json};

/// What is compared of a version.
pub struct Compared<'a> {
    /// Its number.
    pub version: u64,
    /// The model.
    pub fitted: &'a Fitted,
    /// Points it was fitted on.
    pub points_used: u64,
    /// First timestamp of those.
    pub trained_from: i64,
    /// Last timestamp of those.
    pub trained_to: i64,
    /// Points that were treated as feedback says, if that is known.
    pub feedback: Option<FeedbackObeyed>,
}

impl Compared<'_> {
    fn members(&self) -> Vec<(&'static str, Value)> {
        let summary = self.fitted.summary();
        let calibration = summary.calibration;
        let obeyed =
            |points: fn(&FeedbackObeyed) -> usize| json!(self.feedback.as_ref().map(points));
        vec![
            ("model", json!(summary.model)),
            ("alarm_rate", json!(summary.alarm_rate)),
            ("direction", json!(summary.direction.as_str())),
            ("time_unit", json!(summary.time_unit.as_str())),
            ("periods", json!(summary.periods)),
            ("points_used", json!(self.points_used)),
            ("trained_from", json!(self.trained_from)),
            ("trained_to", json!(self.trained_to)),
            ("calibration.n", json!(calibration.n)),
            ("calibration.method", json!(calibration.method)),
            (
                "calibration.min_attainable_alarm_rate",
                json!(calibration.min_attainable_alarm_rate),
            ),
            ("feedback.expected", obeyed(|it| it.expected)),
            ("feedback.anomaly", obeyed(|it| it.anomaly)),
            ("feedback.ignore", obeyed(|it| it.ignore)),
        ]
    }

    fn band(&self, at: i64) -> VersionBand {
        let interval = self.fitted.interval(at);
        VersionBand {
            expected_value: interval.expected,
            lower_bound: interval.lower,
            upper_bound: interval.upper,
        }
    }
}

/// What differs between `from` and `to`; both bands are those at the last training time of `to`.
#[must_use]
pub fn version_diff(from: &Compared<'_>, to: &Compared<'_>) -> VersionDiff {
    let both = from.members().into_iter().zip(to.members());
    let changes = both.filter(|((_, before), (_, now))| before != now);
    let changes = changes.map(|((field, from), (_, to))| VersionChange {
        field: field.to_owned(),
        from,
        to,
    });
    VersionDiff {
        from: from.version.to_string(),
        to: to.version.to_string(),
        changes: changes.collect(),
        normal: VersionBands {
            at: to.trained_to,
            from: from.band(to.trained_to),
            to: to.band(to.trained_to),
        },
    }
}

#[cfg(test)]
mod tests {
    use detectors::{Excluded, Feedback, Params, Series};

    use super::*;

    fn fitted(feedback: Feedback) -> Fitted {
        let timestamps: Vec<i64> = (0..200).collect();
        let mut values: Vec<f64> = (0..200).map(|i| f64::from(i * 7919 % 101)).collect();
        values[150] = 900.0;
        let series = Series::new(&timestamps, &values).unwrap();
        let params = Params {
            model: Some("robust".to_owned()),
            feedback,
            ..Params::default()
        };
        params.check().unwrap().fit(&series).unwrap()
    }

    fn facts(version: u64, fitted: &Fitted, expected: usize) -> Compared<'_> {
        Compared {
            version,
            fitted,
            points_used: 200,
            trained_from: 0,
            trained_to: 199,
            feedback: Some(FeedbackObeyed {
                expected,
                ..FeedbackObeyed::default()
            }),
        }
    }

    #[test]
    fn feedback_and_what_it_did_to_the_band_is_shown() {
        let before = fitted(Feedback::default());
        let after = fitted(Feedback {
            expected: vec![Excluded { from: 150, to: 150 }],
            left_out: Vec::new(),
        });
        let diff = version_diff(&facts(1, &before, 0), &facts(2, &after, 1));
        let change = VersionChange {
            field: "feedback.expected".to_owned(),
            from: json!(0),
            to: json!(1),
        };
        assert_eq!(diff.changes, [change]);
        assert_eq!(
            (diff.from.as_str(), diff.to.as_str(), diff.normal.at),
            ("1", "2", 199)
        );
        let VersionBands { from, to, .. } = diff.normal;
        assert_eq!(from.expected_value, to.expected_value);
        assert!(to.upper_bound > 900.0 && from.upper_bound < to.upper_bound);
    }

    #[test]
    fn a_version_does_not_differ_from_itself() {
        let one = fitted(Feedback::default());
        assert_eq!(
            version_diff(&facts(1, &one, 0), &facts(1, &one, 0)).changes,
            []
        );
    }
}
