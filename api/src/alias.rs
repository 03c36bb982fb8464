//! Aliases: names of a series' versions that can be pointed elsewhere.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::decode::{present, required};
use crate::limits::ALIAS_MAX_BYTES;
use crate::problem::{Code, FieldError, Loc};
use crate::{Rejection, VersionSelector};

/// An alias of `[a-z][a-z0-9_-]{0,63}` that is not `latest`, and does not read as a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Alias<'a>(&'a str);

impl<'a> Alias<'a> {
    /// Checks `raw`, which stands at `place` (`["path","alias"]`, `["query","alias"]`, …).
    ///
    /// # Errors
    /// `invalid_alias`, located at `place`.
    pub fn parse(raw: &'a str, place: [&str; 2]) -> Result<Self, Rejection> {
        let refuse = |reason: String| {
            let error = FieldError::new(place.map(Loc::from), reason);
            Err(Rejection::one(Code::InvalidAlias, error))
        };
        let is_name = raw.starts_with(|c: char| c.is_ascii_lowercase())
            && raw
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b));
        if !is_name || raw.len() > ALIAS_MAX_BYTES {
            return refuse(format!(
                "{raw:?} is not an alias: expected a-z followed by up to {} of a-z 0-9 _ -",
                ALIAS_MAX_BYTES - 1
            ));
        }
        if raw == "latest" {
            return refuse("`latest` is the newest version by itself".into());
        }
        if VersionSelector::parse(raw).is_ok() {
            return refuse(format!("{raw:?} would read as a version"));
        }
        Ok(Self(raw))
    }

    /// The alias as text.
    #[must_use]
    pub fn as_str(self) -> &'a str {
        self.0
    }
}

/// The body of a `PUT` on an alias.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AliasRequest {
    #[serde(default, deserialize_with = "present")]
    version: Option<String>,
}

impl AliasRequest {
    /// The version to point to.
    ///
    /// # Errors
    /// `missing_field`, or `invalid_version` located at `["body","version"]`; also for `0`: an alias
    /// points to one version.
    pub fn version(self) -> Result<u64, Rejection> {
        let text = required(self.version, "version")?;
        match VersionSelector::parse_at(["body", "version"], &text)? {
            VersionSelector::Exactly(version) => Ok(version),
            VersionSelector::Latest => {
                let loc = [Loc::from("body"), Loc::from("version")];
                let reason = "an alias points to one version: 0 is none";
                Err(Rejection::one(
                    Code::InvalidVersion,
                    FieldError::new(loc, reason),
                ))
            }
        }
    }
}

/// Where an alias points.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AliasReply<'a> {
    /// The series.
    #[schema(schema_with = crate::schema::series_id)]
    pub series_id: &'a str,
    /// The alias.
    #[schema(schema_with = crate::schema::alias)]
    pub alias: &'a str,
    /// The bare number.
    #[serde(serialize_with = "crate::version_as_text")]
    #[schema(schema_with = crate::schema::version)]
    pub version: u64,
    /// Wall clock of the last change, Unix seconds.
    pub updated_at: i64,
    /// The entity tag of this state, quoted as in the `ETag` header.
    #[schema(schema_with = crate::schema::etag)]
    pub etag: &'a str,
}

/// All aliases of a series, in the order of their names.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AliasesReply<'a> {
    /// The series.
    #[schema(schema_with = crate::schema::series_id)]
    pub series_id: &'a str,
    /// Its aliases.
    pub aliases: Vec<AliasReply<'a>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_pattern() {
        for name in [
            "a",
            "champion",
            "a-b_9",
            "v",
            "v1x",
            "latest-1",
            &"x".repeat(64),
        ] {
            assert_eq!(
                Alias::parse(name, ["path", "alias"]).unwrap().as_str(),
                name
            );
        }
        for name in [
            "",
            "latest",
            "v1",
            "12",
            "1a",
            "-a",
            "_a",
            "A",
            "Champion",
            "a.b",
            "a b",
            "ä",
            "a/b",
            &"x".repeat(65),
        ] {
            let refused = Alias::parse(name, ["query", "alias"]).unwrap_err();
            assert_eq!(refused.code, Code::InvalidAlias, "{name:?}");
            assert_eq!(
                refused.errors[0].loc,
                [Loc::from("query"), Loc::from("alias")]
            );
        }
    }
}
