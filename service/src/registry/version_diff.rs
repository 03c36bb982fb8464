//! What differs between two versions of a series: a pure function of what is known of each.

use std::sync::Arc;

use api::VersionSelector;
use api::feedback::FeedbackObeyed;
use api::version_diff::{VersionBand, VersionBands, VersionChange, VersionDiff};
use detectors::Fitted;
use serde_json::{Value, json};

use super::lookup::find;
use super::{Registry, RegistryError, ServedModel};
use crate::store::StoredVersion;

/// What is compared of a version.
pub(super) struct Compared<'a> {
    /// Its number.
    pub(super) version: u64,
    /// The model.
    pub(super) fitted: &'a Fitted,
    /// Points it was fitted on.
    pub(super) points_used: u64,
    /// First timestamp of those.
    pub(super) trained_from: i64,
    /// Last timestamp of those.
    pub(super) trained_to: i64,
    /// Points that were treated as feedback says, if that is known.
    pub(super) feedback: Option<FeedbackObeyed>,
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

    /// The band at a time in the unit of `of`.
    fn band(&self, at: i64, of: &Fitted) -> VersionBand {
        let per_second = |fitted: &Fitted| i128::from(fitted.time_unit().ticks_per_second());
        let at = i128::from(at) * per_second(self.fitted) / per_second(of);
        let interval = self.fitted.interval(i64::try_from(at).unwrap_or(i64::MAX));
        VersionBand {
            expected_value: interval.expected,
            lower_bound: interval.lower,
            upper_bound: interval.upper,
        }
    }
}

/// What differs between `from` and `to`; both bands are those at the last training time of `to`.
#[must_use]
pub(super) fn version_diff(from: &Compared<'_>, to: &Compared<'_>) -> VersionDiff {
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
            from: from.band(to.trained_to, to.fitted),
            to: to.band(to.trained_to, to.fitted),
        },
    }
}

impl Registry {
    /// What differs between the version `from` and the version `to` of a series.
    ///
    /// # Errors
    /// When one of them is not known, a record is damaged, or the store cannot be read.
    pub async fn version_diff(
        &self,
        series: &str,
        (from, to): (VersionSelector, VersionSelector),
    ) -> Result<VersionDiff, RegistryError> {
        let (store, name) = (Arc::clone(&self.store), series.to_owned());
        let read = move || {
            let stored = [find(&*store, &name, from)?, find(&*store, &name, to)?];
            let [from, to] = stored.each_ref();
            let from = (from, ServedModel::from_stored(&name, from)?);
            let to = (to, ServedModel::from_stored(&name, to)?);
            Ok(version_diff(&compared(&from), &compared(&to)))
        };
        self.reads.run(read).await
    }
}

fn compared<'a>((stored, model): &'a (&StoredVersion, ServedModel)) -> Compared<'a> {
    let record = &stored.record;
    Compared {
        version: stored.version,
        fitted: &model.fitted,
        points_used: record.points_used,
        trained_from: record.trained_from,
        trained_to: record.trained_to,
        feedback: record.metadata.feedback,
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
