//! The key that a caller sends: `tmk_<id>_<secret>`.
//!
//! The id is public and finds the record; the secret has 256 random bits, so that a fast hash of it is as hard to
//! turn around as a slow one would be. The digest covers tenant and scopes, too: a record that was changed by hand or
//! by a flipped bit gives its key to nobody.

use std::fmt;

use data_encoding::BASE32_DNSSEC;

use super::{Scopes, TenantName};

const PREFIX: &str = "tmk_";
/// Bytes of an id before they are written in 8 characters.
const ID_BYTES: usize = 5;
const SECRET_BYTES: usize = 32;
/// Room for a key, the longest tenant and all scopes.
const TEXT_BYTES: usize = 192;
/// Characters of the id and of the secret.
const ID_LEN: usize = 8;
const SECRET_LEN: usize = 52;

/// A key as it is sent. Shown whole by [`ApiKey::reveal`] alone.
#[derive(Clone)]
pub struct ApiKey(String);

impl ApiKey {
    /// A new key from the system's randomness.
    ///
    /// # Errors
    /// When the system has none to give.
    pub fn new() -> Result<Self, String> {
        let (mut id, mut secret) = ([0; ID_BYTES], [0; SECRET_BYTES]);
        let filled = getrandom::fill(&mut id).and_then(|()| getrandom::fill(&mut secret));
        filled.map_err(|error| format!("there is no randomness to make a key of: {error}"))?;
        // Letters and digits alone: a double click takes all of it.
        let [id, secret] = [&id[..], &secret[..]].map(|bytes| BASE32_DNSSEC.encode(bytes));
        Ok(Self(format!("{PREFIX}{id}_{secret}")))
    }

    /// The key, if `text` has the form of one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        id_of(text).map(|_| Self(text.to_owned()))
    }

    /// Its id, which is no secret.
    #[must_use]
    pub fn id(&self) -> &str {
        id_of(&self.0).expect("it has the form of a key")
    }

    /// The key, for the one moment at which it is told.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    #[must_use]
    pub fn digest(&self, tenant: &TenantName, scopes: Scopes) -> blake3::Hash {
        digest(&self.0, tenant, scopes)
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({}, …)", self.id())
    }
}

/// The id in a key; none if it has not the form of one.
pub(super) fn id_of(key: &str) -> Option<&str> {
    let (id, secret) = key.strip_prefix(PREFIX)?.split_once('_')?;
    let is_text = |text: &str, len| {
        let of_text = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'v');
        // All are looked at, without a branch: many at once.
        text.len() == len && text.bytes().fold(true, |all, byte| all & of_text(byte))
    };
    (is_text(id, ID_LEN) && is_text(secret, SECRET_LEN)).then_some(id)
}

/// The digest of a key for a tenant and scopes. Zero bytes are in none of the three.
pub(super) fn digest(key: &str, tenant: &TenantName, scopes: Scopes) -> blake3::Hash {
    // In one piece: so little text takes longer to put into a hasher than to hash.
    let mut text = Vec::with_capacity(TEXT_BYTES);
    let mut add = |part: &str| {
        text.extend_from_slice(part.as_bytes());
        text.push(0);
    };
    add(key);
    add(tenant.as_str());
    scopes.iter().for_each(|scope| add(scope.as_str()));
    blake3::hash(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_its_own_text_and_shows_no_secret() {
        let key = ApiKey::new().unwrap();
        let text = key.reveal().to_owned();
        assert_eq!(text.len(), PREFIX.len() + ID_LEN + 1 + SECRET_LEN);
        assert_eq!(ApiKey::parse(&text).unwrap().id(), key.id());
        let secret = &text[text.len() - SECRET_LEN..];
        assert!(!format!("{key:?}").contains(secret));
        assert_ne!(ApiKey::new().unwrap().reveal(), text);
    }

    #[test]
    fn what_has_another_form_is_no_key() {
        let key = ApiKey::new().unwrap().reveal().to_owned();
        let other = [
            String::new(),
            PREFIX.to_owned(),
            key.to_uppercase(),
            key[1..].to_owned(),
            key[..key.len() - 1].to_owned(),
            format!("{key}0"),
            key.replace("tmk_", "tmk"),
            key.replacen('_', "\0", 2),
        ];
        for text in other {
            assert!(ApiKey::parse(&text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn a_digest_is_of_key_tenant_and_scopes() {
        let key = ApiKey::new().unwrap();
        let of = |tenant: &str, scopes: &str| {
            key.digest(&tenant.parse().unwrap(), scopes.parse().unwrap())
        };
        let digest = of("a", "fit");
        assert_eq!(digest, of("a", "fit"));
        for other in [of("b", "fit"), of("a", "predict"), of("a", "fit,predict")] {
            assert_ne!(digest, other);
        }
    }
}
