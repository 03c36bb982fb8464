//! Follows the file of keys, so that rotation and revocation need no restart.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::{KeyFile, KeyRing};

/// A revoked key is served for so long at most, and for as long as one read of the file takes.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Reads the file at `path`, if it is there or `has_to_be`, and follows it on a thread of its own for as long as anybody
/// has the ring.
///
/// # Errors
/// A sentence for the operator, when the file cannot be read or is damaged, or when there is no thread.
pub(crate) fn follow(path: PathBuf, has_to_be: bool) -> Result<Arc<KeyRing>, String> {
    let ring = Arc::new(KeyRing::default());
    let words = |reason: &dyn std::fmt::Display| {
        format!(
            "the API keys in {} cannot be read: {reason}",
            path.display()
        )
    };
    let found = Found::at(&path);
    match &found {
        Ok(found) => {
            let file = found.open().map_err(|reason| words(&reason))?;
            tell(&path, found, &file);
            ring.replace(&file);
        }
        Err(error) if is_absent(error.kind()) && !has_to_be => {}
        Err(error) => return Err(words(error)),
    }
    let follower = Follower {
        path,
        ring: Arc::downgrade(&ring),
        seen: found.map_err(|error| error.kind()),
    };
    let thread = std::thread::Builder::new().name("tidemark-keys".into());
    let thread = thread.spawn(move || follower.run());
    thread.map_err(|error| format!("there is no thread to follow the API keys: {error}"))?;
    Ok(ring)
}

/// Whether there is no file; what else is wrong with its folder, the store says.
pub(super) fn is_absent(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Who else may write a file.
const WRITABLE_BY_OTHERS: u32 = 0o022;
/// Who else may read it.
const READABLE_BY_OTHERS: u32 = 0o044;

/// A file of keys as it was found.
#[derive(Debug, PartialEq)]
struct Found {
    bytes: Vec<u8>,
    mode: u32,
}

impl Found {
    fn at(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mode = file.metadata()?.mode() & 0o777;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(Self { bytes, mode })
    }

    /// The keys in it, unless somebody else may have put them there.
    fn open(&self) -> Result<KeyFile, String> {
        if self.mode & WRITABLE_BY_OTHERS != 0 {
            let mode = self.mode;
            return Err(format!(
                "others may write it (mode {mode:04o}) and so give keys to themselves; chmod 600 it"
            ));
        }
        KeyFile::open(&self.bytes)
    }
}

fn tell(path: &Path, found: &Found, file: &KeyFile) {
    let live = file.keys().iter().filter(|key| key.revoked.is_none());
    tracing::info!(live = live.count(), "callers have to authenticate");
    if found.mode & READABLE_BY_OTHERS != 0 {
        // No reason to refuse: it has digests of random keys, and secrets are mounted like that.
        tracing::warn!(
            path = %path.display(), mode = format_args!("{:04o}", found.mode),
            "others may read the file of API keys, with the names of tenants and the digests in it: chmod 600 it"
        );
    }
}

struct Follower {
    path: PathBuf,
    ring: Weak<KeyRing>,
    /// What the last look has found, or why there were none. What is the same again is not told again.
    seen: Result<Found, io::ErrorKind>,
}

impl Follower {
    fn run(mut self) {
        loop {
            std::thread::sleep(LOOK_EVERY);
            let Some(ring) = self.ring.upgrade() else {
                return;
            };
            self.look(&ring);
        }
    }

    /// Compares the bytes and not the times of the file: two changes may have one time.
    fn look(&mut self, ring: &KeyRing) {
        let found = Found::at(&self.path).map_err(|error| error.kind());
        if self.seen == found {
            return;
        }
        match &found {
            Ok(found) => match found.open() {
                Ok(file) => {
                    ring.replace(&file);
                    tell(&self.path, found, &file);
                }
                Err(reason) => self.keep(ring, &reason),
            },
            Err(kind) if is_absent(*kind) && !ring.is_on() => {}
            Err(kind) => self.keep(ring, kind),
        }
        self.seen = found;
    }

    /// The last keys stay in force. Where there are none yet, nobody gets in: who puts a file there wants keys.
    fn keep(&self, ring: &KeyRing, reason: &dyn std::fmt::Display) {
        ring.close();
        tracing::error!(
            path = %self.path.display(), %reason,
            "the file of API keys cannot be read: the keys read last stay in force"
        );
    }
}
