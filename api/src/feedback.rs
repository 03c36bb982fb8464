//! `/series/{series_id}/feedback`: what users say of stretches of a series, which the next fit obeys.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::limits::FEEDBACK_NOTE_MAX_BYTES;
use crate::problem::{Code, FieldError, Loc};
use crate::timestamp::Timestamp;
use crate::{Rejection, decode};

/// The body of a `POST`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedbackRequest {
    /// The point.
    #[serde(default, deserialize_with = "decode::present")]
    timestamp: Option<Timestamp>,
    /// The first time of a stretch.
    #[serde(default, deserialize_with = "decode::present")]
    from: Option<Timestamp>,
    /// The last time of a stretch.
    #[serde(default, deserialize_with = "decode::present")]
    to: Option<Timestamp>,
    #[serde(default, deserialize_with = "decode::present")]
    label: Option<String>,
    /// For people.
    #[serde(default)]
    note: Option<String>,
}

/// What a stretch is said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FeedbackLabel {
    /// As it should be: its like is not to alarm.
    Expected,
    /// Not normal: fits leave it out.
    Anomaly,
    /// Of no meaning, such as an outage of the measurement: fits leave it out.
    Ignore,
}

/// Feedback as it is told, and as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Feedback {
    /// Its id; later ones are greater.
    #[schema(schema_with = crate::schema::feedback_id)]
    pub feedback_id: String,
    /// What the stretch is said to be.
    pub label: FeedbackLabel,
    /// The first time of the stretch, as it was sent: ticks of the series or an instant of RFC 3339.
    pub from: String,
    /// The last time of the stretch.
    pub to: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub note: Option<String>,
    /// When it was given, Unix seconds.
    pub created_at: i64,
}

/// A page of the feedback of a series, in the order in which it was given.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FeedbacksReply<'a> {
    /// The series.
    #[schema(schema_with = crate::schema::series_id)]
    pub series_id: &'a str,
    /// The feedback.
    pub feedback: Vec<Feedback>,
    /// Where the next page begins; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = crate::schema::feedback_id, required = false)]
    pub next_cursor: Option<String>,
}

/// Points of a history that a fit treated as feedback says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FeedbackObeyed {
    /// Points whose like does not alarm.
    pub expected: usize,
    /// Points left out as anomalies.
    pub anomaly: usize,
    /// Points left out for having no meaning.
    pub ignore: usize,
}

impl FeedbackRequest {
    /// The feedback, checked.
    ///
    /// # Errors
    /// What is missing, too much or out of order, by its field.
    pub fn check(self, feedback_id: String, created_at: i64) -> Result<Feedback, Rejection> {
        let refuse = |code, field: &str, reason: String| {
            let loc = [Loc::from("body"), Loc::from(field)];
            Rejection::one(code, FieldError::new(loc, reason))
        };
        let missing =
            |field: &str| refuse(Code::MissingField, field, format!("`{field}` is missing"));
        let (from, to) = match (self.timestamp, self.from, self.to) {
            (Some(timestamp), None, None) => (timestamp, timestamp),
            (Some(_), ..) => {
                let reason = "it does not go with `from` and `to`".to_owned();
                return Err(refuse(Code::ConflictingFields, "timestamp", reason));
            }
            (None, Some(from), Some(to)) => (from, to),
            (None, Some(_), None) => return Err(missing("to")),
            (None, None, Some(_)) => return Err(missing("from")),
            (None, None, None) => return Err(missing("timestamp")),
        };
        match from.before(to) {
            Some(true) => {}
            Some(false) => {
                let reason = format!("it is before `from`, {from}");
                return Err(refuse(Code::ParameterOutOfRange, "to", reason));
            }
            None => {
                let reason = "`from` and `to` are both ticks or both instants".to_owned();
                return Err(refuse(Code::ConflictingFields, "to", reason));
            }
        }
        let label = decode::required(self.label, "label")?;
        let label = match label.as_str() {
            "expected" => FeedbackLabel::Expected,
            "anomaly" => FeedbackLabel::Anomaly,
            "ignore" => FeedbackLabel::Ignore,
            other => {
                let reason = format!("{other:?} is not \"expected\", \"anomaly\" or \"ignore\"");
                return Err(refuse(Code::ParameterOutOfRange, "label", reason));
            }
        };
        if let Some(note) = &self.note
            && note.len() > FEEDBACK_NOTE_MAX_BYTES
        {
            let reason = format!(
                "it has {} bytes, up to {FEEDBACK_NOTE_MAX_BYTES} are kept",
                note.len()
            );
            return Err(refuse(Code::ParameterOutOfRange, "note", reason));
        }
        Ok(Feedback {
            feedback_id,
            label,
            from: from.to_string(),
            to: to.to_string(),
            note: self.note,
            created_at,
        })
    }
}

impl Feedback {
    /// First and last tick, so many to a second.
    ///
    /// # Errors
    /// A sentence, of a time that does not read or that the unit cannot tell.
    pub fn ticks(&self, per_second: i64) -> Result<(i64, i64), String> {
        let ticks = |text: &str| {
            let ticks = Timestamp::parse(text)?.ticks(per_second);
            ticks.ok_or_else(|| format!("{text} is past the last time that the unit can tell"))
        };
        Ok((ticks(&self.from)?, ticks(&self.to)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(body: &str) -> Result<Feedback, (Code, String)> {
        let request: FeedbackRequest = crate::decode(body.as_bytes()).unwrap();
        let checked = request.check("1".to_owned(), 0);
        checked.map_err(|rejection| (rejection.code, rejection.detail))
    }

    #[test]
    fn a_point_is_a_stretch_of_one_and_times_stay_as_they_were_sent() {
        let point = checked(r#"{"timestamp":"1700000000","label":"expected"}"#).unwrap();
        assert_eq!(
            (point.from.as_str(), point.to.as_str()),
            ("1700000000", "1700000000")
        );
        assert_eq!(point.ticks(1_000), Ok((1_700_000_000, 1_700_000_000)));
        let stretch = r#"{"from":"2023-11-14T22:13:20Z","to":"2023-11-14T22:13:21.5Z","label":"ignore","note":"n"}"#;
        let stretch = checked(stretch).unwrap();
        assert_eq!(stretch.from, "2023-11-14T22:13:20Z");
        assert_eq!(
            stretch.ticks(1_000),
            Ok((1_700_000_000_000, 1_700_000_001_500))
        );
        assert_eq!(stretch.note.as_deref(), Some("n"));
    }

    #[test]
    fn what_does_not_hold_is_refused_by_its_field() {
        for (body, code, field) in [
            (r#"{"label":"expected"}"#, Code::MissingField, "timestamp"),
            (r#"{"timestamp":1}"#, Code::MissingField, "label"),
            (r#"{"from":1,"label":"ignore"}"#, Code::MissingField, "to"),
            (
                r#"{"timestamp":1,"to":2,"label":"ignore"}"#,
                Code::ConflictingFields,
                "timestamp",
            ),
            (
                r#"{"from":2,"to":1,"label":"ignore"}"#,
                Code::ParameterOutOfRange,
                "to",
            ),
            (
                r#"{"from":2,"to":"2023-11-14T22:13:20Z","label":"ignore"}"#,
                Code::ConflictingFields,
                "to",
            ),
            (
                r#"{"timestamp":1,"label":"odd"}"#,
                Code::ParameterOutOfRange,
                "label",
            ),
        ] {
            let (found, detail) = checked(body).unwrap_err();
            assert_eq!(found, code, "{body}");
            assert!(detail.starts_with(&format!("body.{field}:")), "{detail}");
        }
    }
}
