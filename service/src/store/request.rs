//! Requests that name themselves: sent again under the same key, they get the answer they had.
//!
//! | keyspace | key | value |
//! |---|---|---|
//! | `idempotency` | series, 0x00, digest of the key | sealed [`KeptAnswer`] |
//! | `idempotency` | 0x00, milliseconds since 1970 (u64, big endian), the key above | nothing: the order of ages |
//! | `idempotency` | 0x01, `count` | sealed number of entries in that order |

use serde::{Deserialize, Serialize};

use super::sealed;

const MAGIC: [u8; 4] = *b"TANS";
const FORMAT: u16 = 1;

/// Bytes of a digest. Who finds two keys or two bodies of one digest has confused nobody else:
/// both are his own.
const DIGEST: usize = 16;

/// The digest of a key, and of whose key it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestKey(pub [u8; DIGEST]);

impl RequestKey {
    /// The key `key` of `tenant`, whose keys are no other tenant's.
    #[must_use]
    pub fn new(tenant: &[u8], key: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(tenant.len() as u64).to_le_bytes());
        hasher.update(tenant);
        hasher.update(key.as_bytes());
        Self(first(&hasher.finalize()))
    }
}

/// The digest of a request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BodyDigest([u8; DIGEST]);

impl BodyDigest {
    /// The digest of `body`: about a millisecond a megabyte.
    #[must_use]
    pub fn of(body: &[u8]) -> Self {
        Self(first(&blake3::hash(body)))
    }
}

fn first(hash: &blake3::Hash) -> [u8; DIGEST] {
    *hash.as_bytes().first_chunk().expect("a hash has 32 bytes")
}

/// A request that is to be answered once.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Its key.
    pub key: RequestKey,
    /// What it asks for.
    pub body: BodyDigest,
    /// What it is answered.
    pub answer: Answer,
}

/// An answer as it is known before the version has a number: the bytes around that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// What comes before the number.
    pub before: Vec<u8>,
    /// What comes after it.
    pub after: Vec<u8>,
}

impl Answer {
    /// The whole answer.
    #[must_use]
    pub fn of_version(&self, version: u64) -> Vec<u8> {
        let number = version.to_string();
        [&self.before, number.as_bytes(), &self.after].concat()
    }

    pub(super) fn len(&self) -> usize {
        self.before.len() + self.after.len()
    }
}

/// An answer that was given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeptAnswer {
    /// What was asked for.
    pub body: BodyDigest,
    /// The version that was made.
    pub version: u64,
    /// When, by the system's clock, in milliseconds since 1970.
    pub at_ms: u64,
    /// The answer around the number of the version.
    pub answer: Answer,
}

impl KeptAnswer {
    /// Seals the answer.
    #[must_use]
    pub fn seal(&self) -> Vec<u8> {
        sealed::seal(MAGIC, FORMAT, self)
    }

    /// Opens a sealed answer.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the bytes.
    pub fn open(bytes: &[u8]) -> Result<Self, String> {
        sealed::open(MAGIC, FORMAT, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_its_tenants_own() {
        assert_eq!(RequestKey::new(b"t", "k"), RequestKey::new(b"t", "k"));
        let keys = [("", "ab"), ("a", "b"), ("ab", ""), ("b", "a")]
            .map(|(t, k)| RequestKey::new(t.as_bytes(), k));
        for (i, key) in keys.iter().enumerate() {
            assert!(!keys[..i].contains(key), "{i}");
        }
    }

    #[test]
    fn every_flipped_bit_and_every_truncation_is_noticed() {
        let kept = KeptAnswer {
            body: BodyDigest::of(b"{}"),
            version: 12,
            at_ms: 1_769_846_400_123,
            answer: Answer {
                before: b"{\"version\":\"".to_vec(),
                after: b"\"}".to_vec(),
            },
        };
        let sealed = kept.seal();
        assert_eq!(KeptAnswer::open(&sealed).unwrap(), kept);
        assert_eq!(kept.answer.of_version(12), b"{\"version\":\"12\"}");
        for bit in 0..sealed.len() * 8 {
            let mut damaged = sealed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(KeptAnswer::open(&damaged).is_err(), "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert!(
                KeptAnswer::open(&sealed[..length]).is_err(),
                "length {length}"
            );
        }
    }
}
