//! Whose series a key reaches.

use std::fmt;
use std::str::FromStr;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

/// Longest name of a tenant.
const MAX_BYTES: usize = 64;
/// The tenant whose series have no prefix: those of a store that was filled without keys.
const DEFAULT: &str = "default";

/// A tenant of `[A-Za-z0-9._:@-]{1,64}`, neither `.` nor `..`: the characters of series ids, so that
/// `/` separates the two.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "CompactString", into = "CompactString")]
pub struct TenantName(CompactString);

impl TenantName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the ids of its series in the store; nothing of the tenant `default`.
    #[must_use]
    pub fn prefix(&self) -> Option<&str> {
        (self.0 != DEFAULT).then_some(&self.0)
    }
}

impl TryFrom<CompactString> for TenantName {
    type Error = String;

    fn try_from(name: CompactString) -> Result<Self, String> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:@-".contains(&byte);
        if (1..=MAX_BYTES).contains(&name.len())
            && name.bytes().all(is_allowed)
            && ![".", ".."].contains(&name.as_str())
        {
            return Ok(Self(name));
        }
        Err(format!(
            "{name:?} is not the name of a tenant: expected 1 to {MAX_BYTES} characters of A-Z a-z 0-9 . _ : @ - \
             and neither `.` nor `..`"
        ))
    }
}

impl From<TenantName> for CompactString {
    fn from(name: TenantName) -> Self {
        name.0
    }
}

impl FromStr for TenantName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::try_from(CompactString::from(text))
    }
}

impl fmt::Display for TenantName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_no_separator() {
        for name in ["a", "A-Z.a_z:0@9", &"x".repeat(64)] {
            assert_eq!(name.parse::<TenantName>().unwrap().prefix(), Some(name));
        }
        assert_eq!("default".parse::<TenantName>().unwrap().prefix(), None);
        for name in ["", ".", "..", "a/b", "a b", "ä", "a\0", &"x".repeat(65)] {
            assert!(name.parse::<TenantName>().is_err(), "{name:?}");
        }
    }
}
