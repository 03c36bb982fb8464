//! `POST /update/{series_id}`: points in, verdicts from before each was learnt out; and what freezes
//! the state that has learnt them, `POST /series/{series_id}/versions`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::decode::{decode, present, required};
use crate::fit::{FitReply, Seasonality};
use crate::predict::{PointReply, VerdictColumns};
use crate::problem::{Code, FieldError, Loc};
use crate::timestamp::Timestamp;
use crate::{Columns, Rejection, VersionSelector};

/// What the query of an update says of the start of an online state.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Start {
    /// The version to start from.
    pub from: Option<VersionSelector>,
    /// The share of normal points that may alarm.
    pub alarm_rate: Option<f64>,
    /// IANA time zone of the calendar.
    pub timezone: Option<String>,
    /// What one tick of a timestamp is.
    pub time_unit: Option<String>,
    /// Periods in `time_unit`.
    pub seasonality: Option<Seasonality>,
}

/// The query of an update.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UpdateQuery {
    /// How to start.
    pub start: Start,
    /// The columns of the reply.
    pub fields: Option<Columns>,
}

impl UpdateQuery {
    /// Reads a query string.
    ///
    /// # Errors
    /// `invalid_query` or `invalid_version`, naming the parameter.
    pub fn read(query: &str) -> Result<Self, Rejection> {
        let names = [
            "from",
            "alarm_rate",
            "timezone",
            "time_unit",
            "seasonality",
            "fields",
        ];
        let [from, alarm_rate, timezone, time_unit, seasonality, fields] =
            crate::query::read(query, names)?;
        let from = from.map(|text| VersionSelector::parse_named("from", &text));
        Ok(Self {
            start: Start {
                from: from.transpose()?,
                alarm_rate: alarm_rate.map(|text| number(&text)).transpose()?,
                timezone: timezone.map(Cow::into_owned),
                time_unit: time_unit.map(Cow::into_owned),
                seasonality: seasonality.map(|text| seasons(&text)).transpose()?,
            },
            fields: fields.map(|list| Columns::parse(&list)).transpose()?,
        })
    }
}

impl Start {
    /// The first parameter that is given, in the order of the fields.
    #[must_use]
    pub fn first_given(&self) -> Option<&'static str> {
        let from = self.from.is_some().then_some("from");
        from.or_else(|| self.first_of_params())
    }

    /// As [`Start::first_given`], of those that a version has of its own.
    #[must_use]
    pub fn first_of_params(&self) -> Option<&'static str> {
        let given = [
            ("alarm_rate", self.alarm_rate.is_some()),
            ("timezone", self.timezone.is_some()),
            ("time_unit", self.time_unit.is_some()),
            ("seasonality", self.seasonality.is_some()),
        ];
        let mut given = given.into_iter();
        given.find_map(|(name, given)| given.then_some(name))
    }
}

fn number(text: &str) -> Result<f64, Rejection> {
    text.trim()
        .parse()
        .map_err(|_| invalid("alarm_rate", format!("{text:?} is not a number")))
}

/// `auto`, or periods with commas between them; an empty list is no season.
fn seasons(text: &str) -> Result<Seasonality, Rejection> {
    match text.trim() {
        "auto" => return Ok(Seasonality::Auto),
        "" => return Ok(Seasonality::Periods(Vec::new())),
        _ => {}
    }
    let periods = text.split(',').map(|period| period.trim().parse());
    let periods: Result<_, _> = periods.collect();
    periods.map(Seasonality::Periods).map_err(|_| {
        let reason = format!("{text:?} is neither auto nor a list of periods such as 86400,604800");
        invalid("seasonality", reason)
    })
}

fn invalid(name: &str, reason: String) -> Rejection {
    let error = FieldError::new([Loc::from("query"), Loc::from(name)], reason);
    Rejection::one(Code::InvalidQuery, error)
}

/// One line of NDJSON.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(default, deserialize_with = "present")]
    timestamp: Option<Timestamp>,
    #[serde(default, deserialize_with = "present")]
    value: Option<f64>,
}

/// Reads a line of NDJSON, the `index`-th that is not blank.
///
/// # Errors
/// What is wrong with it, located in that line.
pub fn read_line(index: usize, line: &[u8]) -> Result<(Timestamp, f64), Rejection> {
    let read = || {
        let line: Line = decode(line)?;
        let timestamp = required(line.timestamp, "timestamp")?;
        Ok((timestamp, required(line.value, "value")?))
    };
    read().map_err(|rejection: Rejection| rejection.at_line(index))
}

/// The verdict on one point, from before it was learnt.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UpdateReply<'a> {
    /// As of a predict; `model_version` and `model_hash` are of what the state was started from.
    #[serde(flatten)]
    pub point: PointReply<'a>,
    /// Points learnt so far, this one included if it was.
    pub state_seq: u64,
    /// Whether the point was later than the last one, and so learnt.
    pub learnt: bool,
    /// Whether this alarm is the first of its event, or much stronger than the one before.
    pub alert: bool,
}

/// The verdicts on many points; see `UpdateReply`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UpdateColumnsReply<'a> {
    /// The version from which the state was started, 0 for nothing, as a bare number.
    #[serde(serialize_with = "crate::version_as_text")]
    #[schema(schema_with = crate::schema::version_or_none)]
    pub model_version: u64,
    /// Hash of what the state was started from.
    #[schema(schema_with = crate::schema::model_hash)]
    pub model_hash: &'a str,
    /// As of a predict.
    #[serde(flatten)]
    pub verdicts: VerdictColumns<'a>,
    /// How many of the points were learnt.
    pub n_learnt: usize,
    /// How many of them are alerts.
    pub n_alerts: usize,
    /// See `UpdateReply::state_seq`.
    pub state_seq: &'a [u64],
    /// See `UpdateReply::learnt`.
    pub learnt: &'a [bool],
    /// See `UpdateReply::alert`.
    pub alert: &'a [bool],
}

/// The body of a request for a new version that is not fitted.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VersionRequest {
    #[serde(default, deserialize_with = "present")]
    from: Option<String>,
}

impl VersionRequest {
    /// Checks where the version is to come from.
    ///
    /// # Errors
    /// `missing_field`, or `parameter_out_of_range` for anything but `online`.
    pub fn check(self) -> Result<(), Rejection> {
        let from = required(self.from, "from")?;
        if from == "online" {
            return Ok(());
        }
        let reason = format!("{from:?} is not where a version comes from: expected \"online\"");
        let error = FieldError::new([Loc::from("body"), Loc::from("from")], reason);
        Err(Rejection::one(Code::ParameterOutOfRange, error))
    }
}

/// The reply of a version that an online state was frozen into.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FrozenReply<'a> {
    /// As of a fit.
    #[serde(flatten)]
    pub version: FitReply<'a>,
    /// Points learnt by updates when it was frozen.
    pub state_seq: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_says_how_to_start() {
        let query = UpdateQuery::read(
            "from=v2&alarm_rate=0.01&timezone=Europe/Rome&time_unit=ms&seasonality=60,3600&fields=p_value",
        )
        .unwrap();
        let start = Start {
            from: Some(VersionSelector::Exactly(2)),
            alarm_rate: Some(0.01),
            timezone: Some("Europe/Rome".into()),
            time_unit: Some("ms".into()),
            seasonality: Some(Seasonality::Periods(vec![60, 3600])),
        };
        assert_eq!(query.start, start);
        assert!(query.fields.is_some_and(|f| f.has(crate::Column::PValue)));
        assert_eq!(UpdateQuery::read("").unwrap(), UpdateQuery::default());
        for (text, seasonality) in [
            ("auto", Seasonality::Auto),
            ("", Seasonality::Periods(vec![])),
        ] {
            let query = UpdateQuery::read(&format!("seasonality={text}")).unwrap();
            assert_eq!(query.start.seasonality, Some(seasonality), "{text:?}");
        }
    }

    #[test]
    fn a_query_is_refused_by_name() {
        for (query, name, code) in [
            ("from=latest", "from", Code::InvalidVersion),
            ("version=1", "version", Code::InvalidQuery),
            ("alarm_rate=often", "alarm_rate", Code::InvalidQuery),
            ("seasonality=60;70", "seasonality", Code::InvalidQuery),
            ("fields=reasons", "fields", Code::InvalidQuery),
            ("explain=true", "explain", Code::InvalidQuery),
        ] {
            let refused = UpdateQuery::read(query).unwrap_err();
            let loc = [Loc::from("query"), Loc::from(name)];
            assert_eq!((refused.code, &refused.errors[0].loc[..]), (code, &loc[..]));
        }
    }

    #[test]
    fn what_is_given_is_named_in_order() {
        let given = |query: &str| {
            let start = UpdateQuery::read(query).unwrap().start;
            (start.first_given(), start.first_of_params())
        };
        assert_eq!(given(""), (None, None));
        assert_eq!(given("from=1"), (Some("from"), None));
        let both = "time_unit=s&timezone=UTC&from=0";
        assert_eq!(given(both), (Some("from"), Some("timezone")));
    }

    #[test]
    fn lines_are_read_one_by_one_and_refused_one_by_one() {
        let lines = [
            r#"{"timestamp":1,"value":2}"#,
            r#"{"timestamp":"2"}"#,
            "[1]",
            r#"{"timestamp":3,"value":1,"x":1}"#,
        ];
        let read: Vec<_> = lines
            .iter()
            .enumerate()
            .map(|(index, line)| read_line(index, line.as_bytes()))
            .collect();
        assert_eq!(read[0], Ok((Timestamp::parse("1").unwrap(), 2.0)));
        let refused = |index: usize| {
            let rejection = read[index].as_ref().unwrap_err();
            (rejection.code, rejection.detail.as_str())
        };
        let missing = "body[1].value: `value` is missing";
        assert_eq!(refused(1), (Code::MissingField, missing));
        assert_eq!(refused(2).0, Code::InvalidType);
        assert_eq!(refused(3).0, Code::UnknownField);
        assert!(refused(3).1.starts_with("body[3].x: "), "{}", refused(3).1);
    }

    #[test]
    fn a_version_comes_from_the_online_state() {
        let check = |body: &str| {
            let request: VersionRequest = decode(body.as_bytes())?;
            request.check()
        };
        assert_eq!(check(r#"{"from":"online"}"#), Ok(()));
        for (body, code) in [
            ("{}", Code::MissingField),
            (r#"{"from":"offline"}"#, Code::ParameterOutOfRange),
            (r#"{"from":1}"#, Code::InvalidType),
            (r#"{"from":"online","x":1}"#, Code::UnknownField),
        ] {
            assert_eq!(check(body).unwrap_err().code, code, "{body}");
        }
    }
}
