//! Which version of a series a caller means.

use crate::Rejection;
use crate::problem::{Code, FieldError, Loc};

/// The version a request names: `^[vV]?\d+$` after trimming, where 0 means the latest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionSelector {
    /// The newest version at the time the request is served.
    Latest,
    /// One immutable version, counted from 1.
    Exactly(u64),
}

impl VersionSelector {
    /// Reads the value of `?version=`.
    ///
    /// A number past `u64` is well formed and no version can carry it: it saturates, and the
    /// look-up answers 404 as for any other unknown version.
    ///
    /// # Errors
    /// `invalid_version`, located at `["query","version"]`.
    pub fn parse(text: &str) -> Result<Self, Rejection> {
        Self::parse_named("version", text)
    }

    /// As [`VersionSelector::parse`] for a parameter of another name.
    ///
    /// # Errors
    /// `invalid_version`, located at `["query",name]`.
    pub fn parse_named(name: &str, text: &str) -> Result<Self, Rejection> {
        Self::parse_at(["query", name], text)
    }

    /// As [`VersionSelector::parse`] for a version that stands at `place`.
    ///
    /// # Errors
    /// `invalid_version`, located at `place`.
    pub fn parse_at(place: [&str; 2], text: &str) -> Result<Self, Rejection> {
        let trimmed = text.trim();
        let digits = trimmed.strip_prefix(['v', 'V']).unwrap_or(trimmed);
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Rejection::one(
                Code::InvalidVersion,
                FieldError::new(
                    place.map(Loc::from),
                    format!(
                        "{text:?} is not a version: expected digits with an optional leading v, 0 for the latest"
                    ),
                ),
            ));
        }
        Ok(match digits.parse().unwrap_or(u64::MAX) {
            0 => Self::Latest,
            version => Self::Exactly(version),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::VersionSelector::{self, Exactly, Latest};

    #[test]
    fn reads_the_forms_of_the_contract() {
        for (text, version) in [
            ("0", Latest),
            ("v0", Latest),
            ("V00", Latest),
            ("1", Exactly(1)),
            ("v17", Exactly(17)),
            (" V3 ", Exactly(3)),
            ("007", Exactly(7)),
            ("99999999999999999999999", Exactly(u64::MAX)),
        ] {
            assert_eq!(VersionSelector::parse(text).unwrap(), version, "{text:?}");
        }
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "", " ", "v", "vv1", "-1", "+1", "1.0", "latest", "1 2", "v 1", "١",
        ] {
            assert!(VersionSelector::parse(text).is_err(), "{text:?}");
        }
    }
}
