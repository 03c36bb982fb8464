//! `tidemark backup`: from the server that has the store open, or from the store itself.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::progress::Progress;
use super::target::Target;
use super::{is_stream, sentence};
use crate::config::BackupConfig;
use crate::control::{self, Backup, SOCKET};
use crate::store::backup::{CARRIED_FILES, Reader, as_it_is};
use crate::store::{CarriedFile, EmbeddedStore, Store as _, StoreError};

/// No file that is carried along is larger; they are kept in memory.
const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// The folder of the store in a data folder.
pub(crate) fn store_of(data_dir: &Path) -> PathBuf {
    data_dir.join("store")
}

/// Reads the files that a backup carries along, as far as they are there.
///
/// # Errors
/// When one is there and cannot be read.
pub(crate) fn carried_files(data_dir: &Path) -> Result<Vec<CarriedFile>, StoreError> {
    let read = |name: &str| {
        let path = data_dir.join(name);
        let unreadable =
            |reason: String| StoreError::Unavailable(format!("{}: {reason}", path.display()));
        match std::fs::metadata(&path) {
            Ok(found) if found.len() > MAX_FILE_BYTES => {
                return Err(unreadable(format!("{} bytes are too many", found.len())));
            }
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error.to_string())),
        }
        let bytes = std::fs::read(&path).map_err(|error| unreadable(error.to_string()))?;
        let name = name.to_owned();
        Ok(Some(CarriedFile { name, bytes }))
    };
    CARRIED_FILES
        .into_iter()
        .filter_map(|name| read(name).transpose())
        .collect()
}

/// Makes a backup, verifies it on its way, and says what is in it: on stdout, or on stderr if the
/// backup itself goes to stdout.
///
/// # Errors
/// A sentence; then there is no file of that name, or the one that was there.
pub fn make(config: &BackupConfig) -> Result<(), String> {
    let target = Target::open(&config.to, config.force)?;
    let source = source(&config.data_dir)?;
    let by = if source.is_served {
        "by the running server"
    } else {
        "no server runs"
    };
    let mut copied = Progress::new("backed up", source, target);
    let verified = Reader::open(&mut copied).and_then(Reader::verify);
    if let Some(error) = copied.failed {
        return Err(format!(
            "{} cannot be written: {error}",
            config.to.display()
        ));
    }
    let summary = verified.map_err(|error| error.to_string())?;
    let (target, told) = copied.end();
    target.keep()?;
    let told = format!(
        "{}: {}\n{told} ({by})",
        config.to.display(),
        sentence(&summary)
    );
    // The backup is there, whether or not anybody can be told.
    let _ = if is_stream(&config.to) {
        writeln!(std::io::stderr(), "{told}")
    } else {
        writeln!(std::io::stdout(), "{told}")
    };
    Ok(())
}

fn source(data_dir: &Path) -> Result<Backup, String> {
    let socket = data_dir.join(SOCKET);
    match control::request_backup(data_dir) {
        Ok(Some(backup)) => return Ok(backup),
        Ok(None) => {}
        Err(error) => {
            return Err(format!(
                "the server at {} cannot be asked: {error}",
                socket.display()
            ));
        }
    }
    let folder = store_of(data_dir);
    // Opening would make it.
    if !folder.is_dir() {
        return Err(format!("there is no store at {}", folder.display()));
    }
    let files = carried_files(data_dir).map_err(|error| error.to_string())?;
    let store = EmbeddedStore::open(&as_it_is(&folder)).map_err(|error| match error {
        StoreError::Locked(_) => format!(
            "{error}, and it cannot be asked through {}: it is starting or stopping, or its log says why it has \
             no such socket",
            socket.display()
        ),
        other => other.to_string(),
    })?;
    control::make_backup(Box::new(move |out| store.back_up(&files, out)))
        .map_err(|error| error.to_string())
}
