//! JSON bodies: decoded in one pass when they are right, explained in a second when they are not.
//!
//! The hot path is plain `serde_json`. Only a body that failed is read again with its path
//! tracked, so that the refusal can name the field and the first offending index.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::error::Category;
use serde_path_to_error::Segment;

use crate::problem::{Code, FieldError, Loc};

/// Why a request is refused, before a request id and headers make it a problem document.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejection {
    /// The row of the table.
    pub code: Code,
    /// For people: the first error with its place in front.
    pub detail: String,
    /// The offending places, the first one first.
    pub errors: Vec<FieldError>,
}

impl Rejection {
    /// A rejection without a place. A long detail is cut: much of it is what the caller has sent.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let mut detail = detail.into();
        cut(&mut detail, TOLD_MAX_BYTES);
        Self {
            code,
            detail,
            errors: Vec::new(),
        }
    }

    /// A rejection for one place; what is long is cut as by [`Rejection::new`].
    #[must_use]
    pub fn one(code: Code, mut error: FieldError) -> Self {
        error.kind = code.slug();
        cut(&mut error.msg, TOLD_MAX_BYTES);
        for step in &mut error.loc {
            if let Loc::Name(name) = step {
                cut(name, NAME_MAX_BYTES);
            }
        }
        Self {
            code,
            detail: format!("{}: {}", place(&error.loc), error.msg),
            errors: vec![error],
        }
    }

    /// The same of a line of a body with many.
    #[must_use]
    pub fn at_line(mut self, index: usize) -> Self {
        for error in &mut self.errors {
            let after_body = error.loc.len().min(1);
            error.loc.insert(after_body, Loc::Index(index));
        }
        if let Some(first) = self.errors.first() {
            self.detail = format!("{}: {}", place(&first.loc), first.msg);
        }
        self
    }

    /// `lengths_differ`, located at the first index that only one column has.
    #[must_use]
    pub fn lengths_differ(timestamps: usize, values: usize) -> Self {
        let longer = if timestamps > values {
            "timestamps"
        } else {
            "values"
        };
        Self::one(
            Code::LengthsDiffer,
            FieldError::new(
                [
                    Loc::from("body"),
                    Loc::from(longer),
                    Loc::from(timestamps.min(values)),
                ],
                format!("there are {timestamps} timestamps and {values} values"),
            ),
        )
    }
}

/// Most bytes of a sentence that a refusal tells.
const TOLD_MAX_BYTES: usize = 1_024;
/// Most bytes of a name in a place: longer than any of ours.
const NAME_MAX_BYTES: usize = 128;

/// Cuts `text` to `max` bytes. A name or a string of 60 MB would be sent back three times.
fn cut(text: &mut String, max: usize) {
    const MARK: &str = "…";
    if text.len() > max {
        text.truncate(text.floor_char_boundary(max - MARK.len()));
        text.push_str(MARK);
        text.shrink_to_fit();
    }
}

/// `text` in quotes, the begin of it if it is long.
pub(crate) fn quoted(text: &str) -> String {
    let mut text = text.to_owned();
    cut(&mut text, NAME_MAX_BYTES);
    format!("{text:?}")
}

/// Writes a location as `body.timestamps[4]`.
fn place(loc: &[Loc]) -> String {
    let mut text = String::new();
    for step in loc {
        match step {
            Loc::Index(index) => text.push_str(&format!("[{index}]")),
            Loc::Name(name) if text.is_empty() => text.push_str(name),
            Loc::Name(name) => {
                text.push('.');
                text.push_str(name);
            }
        }
    }
    text
}

/// Decodes a JSON body.
///
/// # Errors
/// A rejection that names the field, the first offending index and the reason.
pub fn decode<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Rejection> {
    // A derived struct also reads an array, field by field in order of declaration: not here.
    if body.trim_ascii_start().first() == Some(&b'[') {
        return Err(not_an_object(body));
    }
    serde_json::from_slice(body).map_err(|first| explain::<T>(body, &first))
}

/// A field that may be left out but not be null: the type in it is the type it has.
pub(crate) fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A field whose object is written as one; null is as good as left out.
pub(crate) fn object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let found = Option::<Object<T>>::deserialize(deserializer)?;
    Ok(found.map(|object| object.0))
}

/// As [`object`], a list of them.
pub(crate) fn objects<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<T>>, D::Error> {
    let found = Option::<Vec<Object<T>>>::deserialize(deserializer)?;
    Ok(found.map(|list| list.into_iter().map(|object| object.0).collect()))
}

/// A struct that is read from an object alone: a derived one reads an array, too.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

/// A field that may not be left out.
pub(crate) fn required<T>(field: Option<T>, name: &str) -> Result<T, Rejection> {
    field.ok_or_else(|| {
        Rejection::one(
            Code::MissingField,
            FieldError::new(
                [Loc::from("body"), Loc::from(name)],
                format!("`{name}` is missing"),
            ),
        )
    })
}

fn not_an_object(body: &[u8]) -> Rejection {
    let (code, reason) = match serde_json::from_slice::<IgnoredAny>(body) {
        Ok(_) => (Code::InvalidType, "expected a JSON object".to_owned()),
        Err(error) => (Code::MalformedJson, error.to_string()),
    };
    Rejection::one(code, FieldError::new([Loc::from("body")], reason))
}

fn explain<'a, T: Deserialize<'a>>(body: &'a [u8], first: &serde_json::Error) -> Rejection {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let (path, message, category) =
        match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
            Err(error) => (
                error.path().clone(),
                error.inner().to_string(),
                error.inner().classify(),
            ),
            // The value is whole, so what is wrong comes after it.
            Ok(_) => {
                return Rejection::one(
                    Code::MalformedJson,
                    FieldError::new([Loc::from("body")], first.to_string()),
                );
            }
        };
    let mut loc = vec![Loc::from("body")];
    for segment in path.iter() {
        match segment {
            Segment::Seq { index } => loc.push(Loc::Index(*index)),
            Segment::Map { key } => loc.push(Loc::Name(key.clone())),
            Segment::Enum { variant } => loc.push(Loc::Name(variant.clone())),
            Segment::Unknown => {}
        }
    }
    let code = match category {
        Category::Syntax | Category::Eof | Category::Io => syntax_code(body, first, &message),
        Category::Data => data_code(&loc, &message),
    };
    if matches!(
        code,
        Code::UnknownField | Code::DuplicateField | Code::MissingField
    ) && let Some(name) = message.split('`').nth(1)
        && loc.last() != Some(&Loc::from(name))
    {
        loc.push(Loc::from(name));
    }
    Rejection::one(code, FieldError::new(loc, message))
}

fn syntax_code(body: &[u8], error: &serde_json::Error, message: &str) -> Code {
    let not_finite = message.starts_with("number out of range") || names_no_number(body, error);
    if not_finite {
        Code::ValueNotFinite
    } else {
        Code::MalformedJson
    }
}

fn data_code(loc: &[Loc], message: &str) -> Code {
    if message.starts_with("unknown field") {
        return Code::UnknownField;
    }
    if message.starts_with("duplicate field") {
        return Code::DuplicateField;
    }
    if message.starts_with("missing field") {
        return Code::MissingField;
    }
    // Of `from` and `to`, which other bodies have for something else.
    if message.contains(" is not a time: ") {
        return Code::TimestampInvalid;
    }
    let column = matches!(loc.get(2), Some(Loc::Index(_)));
    match loc.get(1) {
        Some(Loc::Name(field)) if field == "timestamp" || (field == "timestamps" && column) => {
            Code::TimestampInvalid
        }
        Some(Loc::Name(field)) if field == "value" || (field == "values" && column) => {
            Code::ValueNotANumber
        }
        Some(Loc::Name(field)) if field == "exclude" && loc.len() > 3 => Code::TimestampInvalid,
        _ => Code::InvalidType,
    }
}

/// Whether the parser stopped at `NaN`, `Infinity` or `-Infinity`, which other writers of JSON emit.
fn names_no_number(body: &[u8], error: &serde_json::Error) -> bool {
    let line_start = body
        .split_inclusive(|b| *b == b'\n')
        .take(error.line().saturating_sub(1))
        .map(<[u8]>::len)
        .sum::<usize>();
    let at = (line_start + error.column()).min(body.len());
    let window = &body[at.saturating_sub(2)..(at + "Infinity".len()).min(body.len())];
    let token = window
        .iter()
        .position(|b| matches!(b, b'N' | b'I'))
        .map(|start| &window[start..]);
    token.is_some_and(|token| token.starts_with(b"NaN") || token.starts_with(b"Inf"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FitRequest, PredictRequest};

    fn refused<'a, T: Deserialize<'a> + std::fmt::Debug>(body: &'a str) -> (Code, String) {
        let rejection = decode::<T>(body.as_bytes()).expect_err(body);
        (rejection.code, place(&rejection.errors[0].loc))
    }

    #[test]
    fn a_fit_refusal_names_field_index_and_reason() {
        let cases = [
            (
                r#"{"timestamps":[1,2,3],"values":[1,null,3]}"#,
                Code::ValueNotANumber,
                "body.values[1]",
            ),
            (
                r#"{"timestamps":[1,2,3],"values":[1,2,"3"]}"#,
                Code::ValueNotANumber,
                "body.values[2]",
            ),
            (
                r#"{"timestamps":[1,2,3],"values":[true,2,3]}"#,
                Code::ValueNotANumber,
                "body.values[0]",
            ),
            (
                r#"{"timestamps":[1,2,3],"values":[1,2,1e999]}"#,
                Code::ValueNotFinite,
                "body.values[2]",
            ),
            (
                r#"{"timestamps":[1,2,3],"values":[1,-1e999,2]}"#,
                Code::ValueNotFinite,
                "body.values[1]",
            ),
            (
                r#"{"timestamps":[1,2,3],"values":[1,NaN,2]}"#,
                Code::ValueNotFinite,
                "body.values[1]",
            ),
            (
                r#"{"timestamps":[1,2,3],"values":[NaN]}"#,
                Code::ValueNotFinite,
                "body.values[0]",
            ),
            (
                r#"{"timestamps":[1,2,3],"values":[1, Infinity]}"#,
                Code::ValueNotFinite,
                "body.values[1]",
            ),
            (
                r#"{"timestamps":[1,2,3],"values":[1,-Infinity]}"#,
                Code::ValueNotFinite,
                "body.values[1]",
            ),
            (
                "{\"timestamps\":[1,2,3],\n\"values\":[1,\nNaN]}",
                Code::ValueNotFinite,
                "body.values[1]",
            ),
            (
                r#"{"timestamps":[1,2.5,3],"values":[1,2,3]}"#,
                Code::TimestampInvalid,
                "body.timestamps[1]",
            ),
            (
                r#"{"timestamps":[1,"2",3],"values":[1,2,3]}"#,
                Code::TimestampInvalid,
                "body.timestamps[1]",
            ),
            (
                r#"{"timestamps":[1,99999999999999999999],"values":[1,2]}"#,
                Code::TimestampInvalid,
                "body.timestamps[1]",
            ),
            (
                r#"{"timestamps":null,"values":[1,2,3]}"#,
                Code::InvalidType,
                "body.timestamps",
            ),
            (
                r#"{"timestamps":[1],"values":"x"}"#,
                Code::InvalidType,
                "body.values",
            ),
            (
                r#"{"timestamps":[1],"timestamps":[1],"values":[1]}"#,
                Code::DuplicateField,
                "body.timestamps",
            ),
            (
                r#"{"timestamps":[1],"valeus":[1]}"#,
                Code::UnknownField,
                "body.valeus",
            ),
            (
                r#"{"timestamps":[1],"values":[1],"alarm_rate":"x"}"#,
                Code::InvalidType,
                "body.alarm_rate",
            ),
            (
                r#"{"timestamps":[1],"values":[1],"min_deviation":[1,2]}"#,
                Code::InvalidType,
                "body.min_deviation",
            ),
            (
                r#"{"timestamps":[1],"values":[1],"min_deviation":{"rel":1e999}}"#,
                Code::ValueNotFinite,
                "body.min_deviation.rel",
            ),
            (
                r#"{"timestamps":[1],"values":[1],"seasonality":[60,1.5]}"#,
                Code::InvalidType,
                "body.seasonality[1]",
            ),
            (
                r#"{"timestamps":[1],"values":[1],"exclude":[{"from":1,"to":2},[3,4]]}"#,
                Code::InvalidType,
                "body.exclude[1]",
            ),
            (
                r#"{"timestamps":[1],"values":[1],"exclude":[{"from":1,"to":2},{"to":2}]}"#,
                Code::MissingField,
                "body.exclude[1].from",
            ),
            (
                r#"{"timestamps":[1],"values":[1],"exclude":[{"from":1,"to":"x"}]}"#,
                Code::TimestampInvalid,
                "body.exclude[0].to",
            ),
            (
                r#"{"timestamps":[1,2"#,
                Code::MalformedJson,
                "body.timestamps",
            ),
            (
                r#"{"timestamps":[1],"values":[1]} x"#,
                Code::MalformedJson,
                "body",
            ),
            ("", Code::MalformedJson, "body"),
            ("[]", Code::InvalidType, "body"),
            ("[1,", Code::MalformedJson, "body"),
            ("timestamps=1&values=2", Code::MalformedJson, "body"),
            ("1", Code::InvalidType, "body"),
            ("null", Code::InvalidType, "body"),
        ];
        for (body, code, at) in cases {
            assert_eq!(refused::<FitRequest>(body), (code, at.to_owned()), "{body}");
        }
    }

    #[test]
    fn a_predict_refusal_names_field_and_reason() {
        let cases = [
            (
                r#"{"timestamp":"x","value":1}"#,
                Code::TimestampInvalid,
                "body.timestamp",
            ),
            (
                r#"{"timestamp":null,"value":1}"#,
                Code::TimestampInvalid,
                "body.timestamp",
            ),
            (
                r#"{"timestamp":"1","value":NaN}"#,
                Code::ValueNotFinite,
                "body.value",
            ),
            (
                r#"{"timestamp":"1","value":1e400}"#,
                Code::ValueNotFinite,
                "body.value",
            ),
            (
                r#"{"timestamp":"1","value":"1"}"#,
                Code::ValueNotANumber,
                "body.value",
            ),
            (
                r#"{"timestamps":["1","x"],"values":[1,2]}"#,
                Code::TimestampInvalid,
                "body.timestamps[1]",
            ),
        ];
        for (body, code, at) in cases {
            assert_eq!(
                refused::<PredictRequest>(body),
                (code, at.to_owned()),
                "{body}"
            );
        }
    }

    #[test]
    fn a_refusal_is_short_whatever_was_sent() {
        let long = "ä".repeat(100_000);
        let bodies = [
            format!(r#"{{"{long}":1}}"#),
            format!(r#"{{"timestamp":"{long}","value":1}}"#),
            format!(r#"{{"timestamp":{{"{long}":1}}}}"#),
        ];
        for body in bodies {
            let rejection = decode::<PredictRequest>(body.as_bytes()).unwrap_err();
            let told = format!("{rejection:?}").len();
            assert!(told < 4 * TOLD_MAX_BYTES, "{told}: {:?}", rejection.code);
        }
        let refused = Rejection::new(Code::NotFound, long);
        assert!(refused.detail.len() <= TOLD_MAX_BYTES && refused.detail.ends_with('…'));
    }

    #[test]
    fn missing_and_mixed_fields_are_named() {
        let points = |body: &str| {
            decode::<PredictRequest>(body.as_bytes())
                .unwrap()
                .into_points()
        };
        assert_eq!(
            points("{}").unwrap_err().errors[0].loc[1],
            Loc::from("timestamp")
        );
        assert_eq!(
            points(r#"{"timestamp":"1"}"#).unwrap_err().errors[0].loc[1],
            Loc::from("value")
        );
        assert_eq!(
            points(r#"{"timestamps":[1]}"#).unwrap_err().errors[0].loc[1],
            Loc::from("values")
        );
        assert_eq!(
            points(r#"{"timestamps":[1],"value":1}"#).unwrap_err().code,
            Code::ConflictingFields
        );
        assert_eq!(
            points(r#"{"timestamps":[1,2],"values":[1]}"#)
                .unwrap_err()
                .code,
            Code::LengthsDiffer
        );
    }

    #[test]
    fn doubles_keep_every_bit() {
        let texts = [
            "0.1234567890123456717",
            "9007199254740993.1",
            "2.2250738585072011e-308",
            "5e-324",
        ];
        let body = format!(
            r#"{{"timestamps":[1,2,3,4],"values":[{}]}}"#,
            texts.join(",")
        );
        let (_, values) = decode::<FitRequest>(body.as_bytes())
            .unwrap()
            .take_columns()
            .unwrap();
        let parsed: Vec<f64> = texts.iter().map(|text| text.parse().unwrap()).collect();
        assert_eq!(values, parsed);
    }
}
