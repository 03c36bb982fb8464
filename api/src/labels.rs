//! Labels: what a caller calls a series besides its id, to find it by.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use crate::Rejection;
use crate::limits::{LABEL_KEY_MAX_BYTES, LABEL_VALUE_MAX_BYTES, LABELS_MAX};
use crate::problem::{Code, FieldError, Loc};

/// Labels as a body has them, unchecked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Labels(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LabelsVisitor;
        impl<'de> Visitor<'de> for LabelsVisitor {
            type Value = Labels;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Labels, A::Error> {
                let mut labels = BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<String, String>()? {
                    if labels.contains_key(&key) {
                        return Err(de::Error::custom(format!("duplicate field `{key}`")));
                    }
                    labels.insert(key, value);
                }
                Ok(Labels(labels))
            }
        }
        deserializer.deserialize_map(LabelsVisitor)
    }
}

fn too_many() -> String {
    format!("there are more than {LABELS_MAX} labels")
}

impl Labels {
    /// The labels, each a valid one.
    ///
    /// # Errors
    /// `invalid_label`, located at `["body","labels",key]`, or at `["body","labels"]` if there are too many.
    pub fn check(self) -> Result<BTreeMap<String, String>, Rejection> {
        if self.0.len() > LABELS_MAX {
            let loc = ["body", "labels"].map(Loc::from);
            return Err(Rejection::one(
                Code::InvalidLabel,
                FieldError::new(loc, too_many()),
            ));
        }
        for (key, value) in &self.0 {
            check(key, value).map_err(|reason| {
                let loc = ["body", "labels", key].map(Loc::from);
                Rejection::one(Code::InvalidLabel, FieldError::new(loc, reason))
            })?;
        }
        Ok(self.0)
    }
}

/// Checks all labels of one version.
///
/// # Errors
/// A sentence that says what is wrong with them.
pub fn check_all<'a>(
    labels: impl ExactSizeIterator<Item = (&'a str, &'a str)>,
) -> Result<(), String> {
    if labels.len() > LABELS_MAX {
        return Err(too_many());
    }
    let mut labels = labels;
    labels.try_for_each(|(key, value)| check(key, value))
}

/// Reads the value of `?label=`: key, `=` and value.
///
/// # Errors
/// `invalid_label`, located at `["query","label"]`.
pub fn parse_filter(text: &str) -> Result<(&str, &str), Rejection> {
    let refuse = |reason: String| {
        let loc = ["query", "label"].map(Loc::from);
        Rejection::one(Code::InvalidLabel, FieldError::new(loc, reason))
    };
    let (key, value) = text
        .split_once('=')
        .ok_or_else(|| refuse(format!("{text:?} is not key=value")))?;
    check(key, value).map_err(refuse)?;
    Ok((key, value))
}

fn check(key: &str, value: &str) -> Result<(), String> {
    let is_name = key
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"._/-".contains(&b));
    if key.is_empty() || key.len() > LABEL_KEY_MAX_BYTES || !is_name {
        return Err(format!(
            "{key:?} is not the key of a label: expected 1 to {LABEL_KEY_MAX_BYTES} of A-Z a-z 0-9 . _ / -"
        ));
    }
    if value.len() > LABEL_VALUE_MAX_BYTES {
        return Err(format!(
            "the value of {key} has {} bytes, a label has up to {LABEL_VALUE_MAX_BYTES}",
            value.len()
        ));
    }
    if value.chars().any(char::is_control) {
        return Err(format!("the value of {key} has a control character"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FitRequest, decode};

    fn refused(labels: &str) -> (Code, String) {
        let body = format!(r#"{{"timestamps":[1],"values":[1],"labels":{labels}}}"#);
        let request = decode::<FitRequest>(body.as_bytes());
        let outcome = request.and_then(|request| request.labels.unwrap_or_default().check());
        let rejection = outcome.expect_err(labels);
        let loc = rejection.errors[0].loc.iter().map(|step| match step {
            Loc::Name(name) => name.clone(),
            Loc::Index(index) => index.to_string(),
        });
        (rejection.code, loc.collect::<Vec<_>>().join("."))
    }

    #[test]
    fn a_refusal_names_the_label() {
        let long = |n: usize| "x".repeat(n);
        let many: Vec<String> = (0..33).map(|i| format!(r#""k{i}":"""#)).collect();
        for (labels, code, loc) in [
            (r#"{"":"x"}"#.to_owned(), Code::InvalidLabel, "body.labels."),
            (
                r#"{"a b":"x"}"#.into(),
                Code::InvalidLabel,
                "body.labels.a b",
            ),
            (r#"{"ä":"x"}"#.into(), Code::InvalidLabel, "body.labels.ä"),
            (
                r#"{"a=b":"x"}"#.into(),
                Code::InvalidLabel,
                "body.labels.a=b",
            ),
            (
                format!(r#"{{"a":"{}"}}"#, long(257)),
                Code::InvalidLabel,
                "body.labels.a",
            ),
            (
                r#"{"a":"\u0000"}"#.into(),
                Code::InvalidLabel,
                "body.labels.a",
            ),
            (r#"{"a":1}"#.into(), Code::InvalidType, "body.labels.a"),
            (r#"{"a":null}"#.into(), Code::InvalidType, "body.labels.a"),
            (r#"["a"]"#.into(), Code::InvalidType, "body.labels"),
            (
                r#"{"a":"1","a":"2"}"#.into(),
                Code::DuplicateField,
                "body.labels.a",
            ),
            (
                format!("{{{}}}", many.join(",")),
                Code::InvalidLabel,
                "body.labels",
            ),
        ] {
            let (told, at) = refused(&labels);
            assert_eq!(told, code, "{labels}");
            assert!(at.starts_with(loc), "{labels}: {at}");
        }
        let key = long(64);
        assert_eq!(refused(&format!(r#"{{"{key}":""}}"#)).0, Code::InvalidLabel);
    }

    #[test]
    fn filters_are_a_key_and_a_value() {
        assert_eq!(parse_filter("team=a=b").unwrap(), ("team", "a=b"));
        assert_eq!(parse_filter("a/b.c=").unwrap(), ("a/b.c", ""));
        for text in ["", "team", "=x", "a b=x", "a=\n"] {
            let rejection = parse_filter(text).unwrap_err();
            assert_eq!(rejection.code, Code::InvalidLabel, "{text:?}");
        }
    }
}
