//! The key that a server asks for. It comes from the environment, and goes into requests and nowhere else: not into
//! results, messages or what a process list shows.

use std::fmt;

use reqwest::header::HeaderValue;

/// A key, by the environment variable that has it.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// The key in the environment variable `name`.
    ///
    /// # Errors
    /// A sentence that names the variable and not what is in it.
    pub fn from_env(name: &str) -> Result<Self, String> {
        match std::env::var(name) {
            Ok(key) => Self::new(key).ok_or_else(|| format!("what {name} has is no API key")),
            Err(_) => Err(format!("there is no environment variable {name}")),
        }
    }

    /// The key `key`, if it can be a header's value.
    #[must_use]
    pub fn new(key: String) -> Option<Self> {
        let is_key = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic());
        is_key.then_some(Self(key))
    }

    /// The value of the header `Authorization`.
    #[must_use]
    pub fn authorization(&self) -> HeaderValue {
        let value = HeaderValue::from_str(&format!("Bearer {}", self.0));
        let mut value = value.expect("visible ASCII is a header's value");
        value.set_sensitive(true);
        value
    }

    /// The header field as it is on the wire.
    pub(crate) fn field(&self) -> String {
        format!("Authorization: Bearer {}\r\n", self.0)
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_shown_on_the_wire_alone() {
        let key = ApiKey::new("tmk_a_b".to_owned()).unwrap();
        assert_eq!(key.field(), "Authorization: Bearer tmk_a_b\r\n");
        assert!(!format!("{key:?} {:?}", key.authorization()).contains("tmk"));
        for text in ["", "a b", "a\r\nX: y", "ä"] {
            assert_eq!(ApiKey::new(text.to_owned()), None);
        }
        let missing = ApiKey::from_env("TIDEMARK_NO_SUCH_VARIABLE").unwrap_err();
        assert!(missing.contains("TIDEMARK_NO_SUCH_VARIABLE"));
    }
}
