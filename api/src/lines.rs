//! NDJSON: a JSON text a line, each answered by one line.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::decode::{decode, present, required};
use crate::predict::PointReply;
use crate::problem::{Code, FieldError, Loc, Problem};
use crate::timestamp::Timestamp;
use crate::{Alias, Rejection, SeriesId, VersionSelector};

/// What is wrong with a line, in the place of its answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct LineProblem<'a> {
    /// The series that the line names, where lines name series.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub series_id: Option<&'a str>,
    /// The problem. `errors` counts lines from 0 without blank ones, as the lines of the reply are counted.
    #[serde(flatten)]
    pub problem: Problem<'a>,
    /// The number of the line from 1, blank ones counted.
    #[schema(minimum = 1)]
    pub line: u64,
}

/// The verdict on a point of one of many series.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SeriesPointReply<'a> {
    /// The series.
    #[schema(schema_with = crate::schema::series_id)]
    pub series_id: &'a str,
    /// As of a predict.
    #[serde(flatten)]
    pub point: PointReply<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(default, deserialize_with = "present")]
    series_id: Option<String>,
    #[serde(default, deserialize_with = "present")]
    timestamp: Option<Timestamp>,
    #[serde(default, deserialize_with = "present")]
    value: Option<f64>,
    #[serde(default, deserialize_with = "present")]
    version: Option<String>,
    #[serde(default, deserialize_with = "present")]
    alias: Option<String>,
}

/// The id alone, of a line that is not read otherwise.
#[derive(Deserialize)]
struct Named {
    series_id: String,
}

/// A point of one of many series.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesPoint {
    /// The series; an id.
    pub series_id: String,
    /// When.
    pub timestamp: Timestamp,
    /// What.
    pub value: f64,
    /// The version to ask, if the line has one.
    pub version: Option<VersionSelector>,
    /// The alias of the version to ask, if the line has one.
    pub alias: Option<String>,
}

impl SeriesPoint {
    /// Reads a line, the `index`-th that is not blank.
    ///
    /// # Errors
    /// What is wrong with it, located in that line.
    pub fn read(index: usize, line: &[u8]) -> Result<Self, Rejection> {
        read(line).map_err(|rejection| rejection.at_line(index))
    }

    /// The id in a line that is refused, if it is there and is one.
    #[must_use]
    pub fn id_in(line: &[u8]) -> Option<String> {
        let named: Named = serde_json::from_slice(line).ok()?;
        SeriesId::parse(&named.series_id).ok()?;
        Some(named.series_id)
    }
}

fn read(line: &[u8]) -> Result<SeriesPoint, Rejection> {
    let line: Line = decode(line)?;
    let series_id = required(line.series_id, "series_id")?;
    SeriesId::parse_at(&series_id, "body")?;
    let timestamp = required(line.timestamp, "timestamp")?;
    let value = required(line.value, "value")?;
    let version = line.version.as_deref();
    let version = version.map(|text| VersionSelector::parse_at(["body", "version"], text));
    let version = version.transpose()?;
    if let Some(alias) = &line.alias {
        Alias::parse(alias, ["body", "alias"])?;
        if version.is_some() {
            let reason = "`alias` names a version, and so does `version`: send one of them";
            let error = FieldError::new([Loc::from("body"), Loc::from("alias")], reason);
            return Err(Rejection::one(Code::ParameterConflict, error));
        }
    }
    Ok(SeriesPoint {
        series_id,
        timestamp,
        value,
        version,
        alias: line.alias,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_its_series_and_what_is_asked_of_it() {
        let read = |line: &str| SeriesPoint::read(0, line.as_bytes()).unwrap();
        let plain = read(r#"{"series_id":"a:b","timestamp":"5","value":1.5}"#);
        assert_eq!((plain.series_id.as_str(), plain.value), ("a:b", 1.5));
        assert_eq!((plain.version, &plain.alias), (None, &None));
        let version = read(r#"{"value":1,"version":"v2","series_id":"a","timestamp":5}"#);
        assert_eq!(version.version, Some(VersionSelector::Exactly(2)));
        let alias = read(r#"{"series_id":"a","timestamp":5,"value":1,"alias":"champion"}"#);
        assert_eq!(alias.alias.as_deref(), Some("champion"));
    }

    #[test]
    fn a_line_is_refused_in_its_place_and_still_named() {
        for (line, code, place, id) in [
            (
                r#"{"timestamp":5,"value":1}"#,
                Code::MissingField,
                "series_id",
                None,
            ),
            (
                r#"{"series_id":"a b","timestamp":5,"value":1}"#,
                Code::InvalidSeriesId,
                "series_id",
                None,
            ),
            (
                r#"{"series_id":7,"timestamp":5,"value":1}"#,
                Code::InvalidType,
                "series_id",
                None,
            ),
            (
                r#"{"series_id":"a","value":1}"#,
                Code::MissingField,
                "timestamp",
                Some("a"),
            ),
            (
                r#"{"series_id":"a","timestamp":5,"value":"1"}"#,
                Code::ValueNotANumber,
                "value",
                Some("a"),
            ),
            (
                r#"{"series_id":"a","timestamp":5,"value":1,"version":"x"}"#,
                Code::InvalidVersion,
                "version",
                Some("a"),
            ),
            (
                r#"{"series_id":"a","timestamp":5,"value":1,"version":1}"#,
                Code::InvalidType,
                "version",
                Some("a"),
            ),
            (
                r#"{"series_id":"a","timestamp":5,"value":1,"alias":"latest"}"#,
                Code::InvalidAlias,
                "alias",
                Some("a"),
            ),
            (
                r#"{"series_id":"a","timestamp":5,"value":1,"alias":"b","version":"1"}"#,
                Code::ParameterConflict,
                "alias",
                Some("a"),
            ),
            (
                r#"{"series_id":"a","timestamp":5,"value":1,"x":1}"#,
                Code::UnknownField,
                "x",
                Some("a"),
            ),
        ] {
            let refused = SeriesPoint::read(3, line.as_bytes()).unwrap_err();
            let loc = [Loc::from("body"), Loc::from(3), Loc::from(place)];
            assert_eq!(
                (refused.code, &refused.errors[0].loc[..]),
                (code, &loc[..]),
                "{line}"
            );
            assert_eq!(SeriesPoint::id_in(line.as_bytes()).as_deref(), id, "{line}");
        }
    }
}
