//! The keys in memory. Once there are any, there are keys until the process ends.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use compact_str::CompactString;

use super::api_key::{digest, id_of};
use super::{KeyFile, Scope, Scopes, TenantName};

/// Who a request is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Whose series it reaches.
    pub tenant: TenantName,
    scopes: Scopes,
}

impl Identity {
    /// Whether it may ask for what needs `scope`.
    #[must_use]
    pub fn has(&self, scope: Scope) -> bool {
        self.scopes.has(scope)
    }
}

/// Why a key that was sent is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotValid {
    /// It was never given out, or has another secret.
    Unknown,
    /// It was revoked.
    Revoked,
}

struct Entry {
    identity: Arc<Identity>,
    digest: blake3::Hash,
    is_revoked: bool,
}

type Entries = HashMap<CompactString, Entry, ahash::RandomState>;

/// The keys that a server knows.
#[derive(Default)]
pub struct KeyRing {
    is_on: AtomicBool,
    entries: RwLock<Entries>,
}

impl KeyRing {
    /// Whether callers have to authenticate.
    #[must_use]
    pub fn is_on(&self) -> bool {
        // What is read after it is behind the lock; a request that came before the switch may be served.
        self.is_on.load(Ordering::Acquire)
    }

    /// From now on these keys and no others. There is no way back to none.
    pub fn replace(&self, file: &KeyFile) {
        let entries = file.keys().iter().map(|key| {
            let entry = Entry {
                identity: Arc::new(Identity {
                    tenant: key.tenant.clone(),
                    scopes: key.scopes,
                }),
                digest: key.digest.0,
                is_revoked: key.revoked.is_some(),
            };
            (CompactString::from(&key.id), entry)
        });
        let entries = entries.collect();
        *self.entries.write().unwrap_or_else(PoisonError::into_inner) = entries;
        self.close();
    }

    /// From now on callers have to authenticate, with the keys there are.
    pub fn close(&self) {
        self.is_on.store(true, Ordering::Release);
    }

    /// Who sends this key.
    ///
    /// # Errors
    /// Why it is not taken.
    pub fn look_up(&self, key: &str) -> Result<Arc<Identity>, NotValid> {
        let id = id_of(key).ok_or(NotValid::Unknown)?;
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.get(id).ok_or(NotValid::Unknown)?;
        let identity = &entry.identity;
        // Compared in constant time. That an id exists may be told by the time: it is no secret.
        if digest(key, &identity.tenant, identity.scopes) != entry.digest {
            return Err(NotValid::Unknown);
        }
        if entry.is_revoked {
            return Err(NotValid::Revoked);
        }
        Ok(Arc::clone(identity))
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_key_is_known_by_its_secret_until_it_is_revoked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.toml");
        let (tenant, scopes) = ("a".parse().unwrap(), "fit".parse().unwrap());
        let keys: Vec<_> = (0..2)
            .map(|_| {
                KeyFile::change(&path, |file| file.create(&tenant, scopes, Timestamp::now()))
                    .unwrap()
            })
            .collect();
        let ring = KeyRing::default();
        assert!(!ring.is_on());
        let load = || ring.replace(&KeyFile::read(&path).unwrap().unwrap());
        load();
        assert!(ring.is_on());
        let [first, second] = [0, 1].map(|i| keys[i].reveal());
        let identity = ring.look_up(first).unwrap();
        assert_eq!(identity.tenant, tenant);
        assert_eq!(
            Scope::ALL.map(|scope| identity.has(scope)),
            [true, false, false]
        );
        // The id of one with the secret of the other.
        let crossed = [&first[..13], &second[13..]].concat();
        for wrong in [&crossed, "", "tmk_", &second[1..]] {
            assert_eq!(ring.look_up(wrong), Err(NotValid::Unknown), "{wrong}");
        }
        KeyFile::change(&path, |file| file.revoke(keys[0].id(), Timestamp::now())).unwrap();
        load();
        assert_eq!(ring.look_up(first), Err(NotValid::Revoked));
        assert!(ring.look_up(second).is_ok());
    }

    /// A bit that flips in the file gives no key to another tenant and no further scope to a key.
    #[test]
    fn a_changed_record_makes_its_key_useless() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.toml");
        let (tenant, scopes) = ("acme".parse().unwrap(), "fit".parse().unwrap());
        let key = KeyFile::change(&path, |file| file.create(&tenant, scopes, Timestamp::now()));
        let key = key.unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        for (from, to) in [("\"acme\"", "\"acmd\""), ("\"fit\"", "\"admin\"")] {
            let changed = text.replace(from, to);
            assert_ne!(changed, text);
            let ring = KeyRing::default();
            ring.replace(&KeyFile::open(changed.as_bytes()).unwrap());
            assert_eq!(ring.look_up(key.reveal()), Err(NotValid::Unknown), "{to}");
        }
    }
}
