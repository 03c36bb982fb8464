//! The file of keys: TOML, so that an operator can read it, written by `tidemark keys` alone.
//!
//! It is replaced, never changed: written beside, synced, renamed, and the folder synced. Whoever reads it sees the
//! old keys or the new ones. Commands that change it wait for each other at a lock file beside it, which stays.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::follow::is_absent;
use super::{ApiKey, Scopes, TenantName};
use crate::private_folder;

const FORMAT: u32 = 1;
/// So many keys of a tenant and the same scopes are live: the one in use and the one that replaces it.
const LIVE_MAX: usize = 2;
const HEAD: &str = "# Digests of API keys, never the keys. Written by `tidemark keys`; tenant and scopes are part of\n\
                    # the digest, so a line that is changed by hand makes its key useless.\n";

/// What is kept of a key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRecord {
    /// The part of the key that is no secret.
    pub id: String,
    /// Whose series it reaches.
    pub tenant: TenantName,
    /// What it may be used for.
    pub scopes: Scopes,
    /// When it was made.
    pub created: Timestamp,
    /// When it was revoked, if it was. Before the digest: no cut end of a file makes a key live again.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub revoked: Option<Timestamp>,
    /// BLAKE3 of key, tenant and scopes in hexadecimal digits.
    pub digest: Digest,
}

/// All keys of a server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyFile {
    format: u32,
    /// Keys that the file has: a file that lost its end does not open.
    count: usize,
    #[serde(rename = "key", default)]
    keys: Vec<KeyRecord>,
}

/// Why keys cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The system does not let us.
    #[error("{path} cannot be {what}: {error}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was to be done with it.
        what: &'static str,
        /// What the system says.
        error: io::Error,
    },
    /// It is not a file of keys.
    #[error("{path} is damaged: {reason}", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The change is refused.
    #[error("{0}")]
    Refused(String),
}

impl KeyFile {
    fn empty() -> Self {
        Self {
            format: FORMAT,
            count: 0,
            keys: Vec::new(),
        }
    }

    /// The keys in the file at `path`; none if there is no file.
    ///
    /// # Errors
    /// When it cannot be read or is damaged.
    pub fn read(path: &Path) -> Result<Option<Self>, KeyFileError> {
        match fs::read(path) {
            Ok(bytes) => Self::open(&bytes)
                .map(Some)
                .map_err(|reason| KeyFileError::Damaged {
                    path: path.to_owned(),
                    reason,
                }),
            Err(error) if is_absent(error.kind()) => Ok(None),
            Err(error) => Err(io_error(path, "read", error)),
        }
    }

    /// The keys in the text of a file.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn open(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
        // Without the text around the place: it would carry digests into logs.
        let file: Self = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        if file.format != FORMAT {
            return Err(format!("its format is {}, known is {FORMAT}", file.format));
        }
        if file.keys.len() != file.count {
            let (found, count) = (file.keys.len(), file.count);
            return Err(format!("it has {found} keys and should have {count}"));
        }
        let mut ids = HashSet::new();
        match file.keys.iter().find(|key| !ids.insert(&key.id)) {
            Some(key) => Err(format!("the key {} is there twice", key.id)),
            None => Ok(file),
        }
    }

    /// The keys, in the order in which they were made.
    #[must_use]
    pub fn keys(&self) -> &[KeyRecord] {
        &self.keys
    }

    /// Adds a new key, which is told here and nowhere else.
    ///
    /// # Errors
    /// When the tenant has as many live keys of these scopes as it may.
    pub fn create(
        &mut self,
        tenant: &TenantName,
        scopes: Scopes,
        created: Timestamp,
    ) -> Result<ApiKey, KeyFileError> {
        let is_same = |key: &&KeyRecord| {
            key.revoked.is_none() && key.tenant == *tenant && key.scopes == scopes
        };
        let live: Vec<&str> = self
            .keys
            .iter()
            .filter(is_same)
            .map(|key| key.id.as_str())
            .collect();
        if live.len() >= LIVE_MAX {
            return Err(KeyFileError::Refused(format!(
                "tenant {tenant} has {} live keys with the scopes {scopes} already, {}: revoke the one that is not used \
                 any more",
                live.len(),
                live.join(" and ")
            )));
        }
        let key = loop {
            let key = ApiKey::new().map_err(KeyFileError::Refused)?;
            if !self.keys.iter().any(|other| other.id == key.id()) {
                break key;
            }
        };
        self.keys.push(KeyRecord {
            id: key.id().to_owned(),
            tenant: tenant.clone(),
            scopes,
            created,
            revoked: None,
            digest: Digest(key.digest(tenant, scopes)),
        });
        self.count = self.keys.len();
        Ok(key)
    }

    /// Revokes the key of this id; whether it was live. What was revoked stays in the file, with its time.
    ///
    /// # Errors
    /// When there is no such key.
    pub fn revoke(&mut self, id: &str, at: Timestamp) -> Result<bool, KeyFileError> {
        let key = self.keys.iter_mut().find(|key| key.id == id);
        let Some(key) = key else {
            let words = "there is no key of that id; `tidemark keys list` tells those there are";
            return Err(KeyFileError::Refused(words.to_owned()));
        };
        let was_live = key.revoked.is_none();
        key.revoked.get_or_insert(at);
        Ok(was_live)
    }

    /// Changes the file at `path` while no other command does; it is made if it is not there.
    ///
    /// # Errors
    /// When it cannot be read or written, or `change` refuses. The file is as it was then.
    pub fn change<T>(
        path: &Path,
        change: impl FnOnce(&mut Self) -> Result<T, KeyFileError>,
    ) -> Result<T, KeyFileError> {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        private_folder::make(folder).map_err(|error| io_error(folder, "made", error))?;
        let lock = beside(path, "lock");
        let locked = private().append(true).open(&lock);
        let locked = locked.and_then(|file| file.lock().map(|()| file));
        // Given back when it is closed, also by the end of a process that was killed.
        let _locked = locked.map_err(|error| io_error(&lock, "locked", error))?;
        let mut file = Self::read(path)?.unwrap_or_else(Self::empty);
        let before = file.clone();
        let told = change(&mut file)?;
        if file != before || !path.exists() {
            file.write(path, folder)?;
        }
        Ok(told)
    }

    fn write(&self, path: &Path, folder: &Path) -> Result<(), KeyFileError> {
        let text = toml::to_string(self).map_err(|error| {
            KeyFileError::Refused(format!("the keys cannot be written as TOML: {error}"))
        })?;
        let unfinished = beside(path, "new");
        // What an end in between has left behind may have another's mode.
        let removed = fs::remove_file(&unfinished);
        let written = match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => private().write(true).create_new(true).open(&unfinished),
        };
        let written = written.and_then(|mut file| {
            file.write_all(HEAD.as_bytes())?;
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
        written.map_err(|error| io_error(&unfinished, "written", error))?;
        let renamed = fs::rename(&unfinished, path).and_then(|()| File::open(folder)?.sync_all());
        renamed.map_err(|error| io_error(path, "replaced", error))
    }
}

/// How files of ours are made: for their owner alone.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).mode(0o600);
    options
}

fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(what);
    PathBuf::from(name)
}

fn io_error(path: &Path, what: &'static str, error: io::Error) -> KeyFileError {
    KeyFileError::Io {
        path: path.to_owned(),
        what,
        error,
    }
}

/// A digest that is written in hexadecimal digits, and compared in constant time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(pub blake3::Hash);

impl TryFrom<String> for Digest {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let hash = blake3::Hash::from_hex(text);
        hash.map(Self)
            .map_err(|_| "a digest is 64 hexadecimal digits".to_owned())
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.0.to_hex().as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn create(path: &Path, tenant: &str, scopes: &str) -> Result<ApiKey, KeyFileError> {
        let (tenant, scopes) = (tenant.parse().unwrap(), scopes.parse().unwrap());
        KeyFile::change(path, |file| file.create(&tenant, scopes, Timestamp::now()))
    }

    #[test]
    fn a_file_has_digests_for_its_owner_and_no_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made/keys.toml");
        let key = create(&path, "a", "fit,predict").unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let secret = key.reveal().rsplit_once('_').unwrap().1;
        assert!(text.contains(key.id()) && !text.contains(secret), "{text}");
        for file in [&path, &beside(&path, "lock")] {
            let mode = fs::metadata(file).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{}", file.display());
        }
        assert!(!beside(&path, "new").exists());
        let file = KeyFile::read(&path).unwrap().unwrap();
        assert_eq!(file.keys().len(), 1);
        let digest = key.digest(&file.keys()[0].tenant, file.keys()[0].scopes);
        assert_eq!(file.keys()[0].digest.0, digest);
    }

    #[test]
    fn a_third_live_key_is_refused_until_one_is_revoked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.toml");
        let first = create(&path, "a", "fit").unwrap();
        create(&path, "a", "fit").unwrap();
        let before = fs::read(&path).unwrap();
        let refused = create(&path, "a", "fit").unwrap_err().to_string();
        assert!(
            refused.contains(first.id()) && refused.contains("revoke"),
            "{refused}"
        );
        assert_eq!(fs::read(&path).unwrap(), before);
        create(&path, "a", "fit,predict").unwrap();
        create(&path, "b", "fit").unwrap();
        let revoke = || KeyFile::change(&path, |file| file.revoke(first.id(), Timestamp::now()));
        assert!(revoke().unwrap() && !revoke().unwrap());
        create(&path, "a", "fit").unwrap();
        let other = KeyFile::change(&path, |file| file.revoke("00000000", Timestamp::now()));
        assert!(other.unwrap_err().to_string().contains("no key of that id"));
    }

    #[test]
    fn every_cut_end_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.toml");
        for tenant in ["a", "b"] {
            let key = create(&path, tenant, "fit").unwrap();
            KeyFile::change(&path, |file| file.revoke(key.id(), Timestamp::now())).unwrap();
        }
        let whole = fs::read(&path).unwrap();
        let keys = KeyFile::open(&whole).unwrap();
        for length in 0..whole.len() {
            // The last line may lose its end of line and nothing else.
            match KeyFile::open(&whole[..length]) {
                Ok(cut) => assert_eq!(cut, keys, "length {length}"),
                Err(reason) => assert!(!reason.is_empty()),
            }
        }
        for (text, words) in [
            ("format = 2\ncount = 0", "known is 1"),
            ("format = 1\ncount = 0\nmore = 1", "unknown field"),
            ("format = 1\ncount = 1", "should have 1"),
            ("", "missing field"),
        ] {
            let reason = KeyFile::open(text.as_bytes()).unwrap_err();
            assert!(reason.contains(words), "{text}: {reason}");
        }
    }

    #[test]
    fn commands_at_once_lose_no_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.toml");
        std::thread::scope(|scope| {
            for tenant in 0..8 {
                let path = &path;
                scope.spawn(move || create(path, &tenant.to_string(), "fit").unwrap());
            }
        });
        assert_eq!(KeyFile::read(&path).unwrap().unwrap().keys().len(), 8);
    }
}
