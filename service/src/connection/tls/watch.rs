//! Looks whether the files have changed: by their contents, because a file that is exchanged may keep its time and
//! length, and behind a link its name.

use std::io;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::certificate::Certificate;
use super::{CertificateFiles, Current};

/// Between two looks.
const EVERY: Duration = Duration::from_secs(1);

/// What the files held at one moment. Not kept: the key is in it.
pub(super) struct Seen {
    pub(super) certificates: Vec<u8>,
    pub(super) key: Vec<u8>,
}

impl Seen {
    /// # Errors
    /// A sentence that names the file.
    pub(super) fn read(files: &CertificateFiles) -> Result<Self, String> {
        let read = |path: &Path| {
            std::fs::read(path).map_err(|error| format!("{path:?} cannot be read: {error}"))
        };
        Ok(Self {
            certificates: read(&files.certificates)?,
            key: read(&files.key)?,
        })
    }

    pub(super) fn hash(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(self.certificates.len() as u64).to_le_bytes());
        hasher.update(&self.certificates).update(&self.key);
        hasher.finalize()
    }
}

/// Looks at `files` until `current` is gone.
///
/// # Errors
/// When there is no thread to be had.
pub(super) fn start(
    files: CertificateFiles,
    in_use: blake3::Hash,
    current: &Arc<Current>,
) -> io::Result<()> {
    let current = Arc::downgrade(current);
    let watch = Watch {
        files,
        judged: Ok(in_use),
        changed: None,
    };
    let thread = std::thread::Builder::new().name("tidemark-tls".into());
    thread.spawn(move || watch.run(&current)).map(drop)
}

struct Watch {
    files: CertificateFiles,
    /// What was taken or refused last, which is not said again.
    judged: Result<blake3::Hash, String>,
    /// What differs from that since the last look. Two files are written one after the other: what stays is judged.
    changed: Option<Result<blake3::Hash, String>>,
}

impl Watch {
    fn run(mut self, current: &Weak<Current>) {
        loop {
            std::thread::sleep(EVERY);
            let Some(current) = current.upgrade() else {
                return;
            };
            self.look(&current);
        }
    }

    fn look(&mut self, current: &Current) {
        let seen = Seen::read(&self.files);
        let found = match &seen {
            Ok(seen) => Ok(seen.hash()),
            Err(error) => Err(error.clone()),
        };
        if found == self.judged {
            self.changed = None;
            return;
        }
        let certificate = seen.and_then(|seen| Certificate::parse(&self.files, &seen));
        match certificate {
            Ok(certificate) => {
                current.exchange(certificate);
                tracing::info!("new TLS sessions begin with the changed certificate");
            }
            Err(_) if self.changed.as_ref() != Some(&found) => {
                self.changed = Some(found);
                return;
            }
            Err(reason) => {
                tracing::error!(
                    reason,
                    "the changed TLS certificate is refused, the one before stays in use"
                );
            }
        }
        self.changed = None;
        self.judged = found;
    }
}
