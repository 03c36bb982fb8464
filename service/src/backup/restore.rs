//! `tidemark restore`: a store that is there when all of it has been verified, or not at all.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::progress::Progress;
use super::{is_stream, sentence, store_of};
use crate::config::RestoreConfig;
use crate::private_folder;
use crate::store::backup::{self, CARRIED_FILES, Inconsistencies, Reader};
use crate::store::{BackupError, CarriedFile};

/// Restores a backup, or only verifies it, and says on stdout what is in it.
///
/// # Errors
/// A sentence; then the folder is as it was.
pub fn restore(config: &RestoreConfig) -> Result<(), String> {
    let shown = config.from.display();
    let input: Box<dyn Read> = if is_stream(&config.from) {
        Box::new(io::stdin().lock())
    } else {
        let file = File::open(&config.from);
        Box::new(file.map_err(|error| format!("{shown} cannot be read: {error}"))?)
    };
    let what = if config.dry_run { "read" } else { "restored" };
    let input = io::BufReader::with_capacity(256 * 1024, input);
    let mut input = Progress::new(what, input, io::sink());
    let named = |error: BackupError| match error {
        BackupError::Store(error) => error.to_string(),
        other => format!("{shown}: {other}"),
    };
    let summary = if config.dry_run {
        let verified = Reader::open(&mut input).and_then(Reader::verify);
        verified.map_err(named)?
    } else {
        let place = Place::take(&config.data_dir)?;
        let mut reader = Reader::open(&mut input).map_err(named)?;
        let store = store_of(&place.folder);
        let (files, found) = backup::restore(&mut reader, &store).map_err(named)?;
        report(&found, config.accept_inconsistent).map_err(named)?;
        let summary = reader.found().clone();
        drop(reader);
        place.keep(&files)?;
        summary
    };
    let (_, told) = input.end();
    // It is restored, whether or not anybody can be told.
    let _ = writeln!(
        io::stdout(),
        "{shown}: {}\n{what} {told}",
        sentence(&summary)
    );
    Ok(())
}

fn report(found: &Inconsistencies, is_accepted: bool) -> Result<(), BackupError> {
    for damaged in &found.damaged {
        eprintln!("tidemark: restored as it was, damaged: {damaged}");
    }
    if found.count == 0 {
        return Ok(());
    }
    let told = found.sentences.join("; ");
    let told = format!("{told} ({} in all)", found.count);
    if is_accepted {
        eprintln!("tidemark: restored although {told}");
        return Ok(());
    }
    Err(BackupError::Inconsistent(format!(
        "{told}; --accept-inconsistent restores it nevertheless"
    )))
}

/// A folder in the data folder where a store may grow; removed unless the store is kept.
struct Place {
    data_dir: PathBuf,
    /// The topmost folder that had to be made.
    made: Option<PathBuf>,
    folder: PathBuf,
    /// Held while this process uses the folder: one that nobody holds was left by a restore that was
    /// killed.
    _lock: File,
    is_kept: bool,
}

impl Place {
    fn take(data_dir: &Path) -> Result<Self, String> {
        let taken = [store_of(data_dir)].into_iter();
        let taken = taken.chain(CARRIED_FILES.map(|name| data_dir.join(name)));
        for path in taken {
            if path.symlink_metadata().is_ok() {
                return Err(format!(
                    "{} is there already: restore into another folder, or move it away first",
                    path.display()
                ));
            }
        }
        let unusable = |path: &Path, error: &dyn std::fmt::Display| {
            format!("{} cannot be used: {error}", path.display())
        };
        let made = data_dir
            .ancestors()
            .take_while(|path| !path.as_os_str().is_empty() && path.symlink_metadata().is_err());
        let made = made.last().map(Path::to_owned);
        let folder = data_dir.join("restoring");
        private_folder::make(&folder).map_err(|error| unusable(&folder, &error))?;
        let lock = File::open(&folder).map_err(|error| unusable(&folder, &error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(format!(
                    "another restore into {} is under way",
                    data_dir.display()
                ));
            }
            Err(TryLockError::Error(error)) => return Err(unusable(&folder, &error)),
        }
        let place = Self {
            data_dir: data_dir.to_owned(),
            made,
            folder,
            _lock: lock,
            is_kept: false,
        };
        let left = store_of(&place.folder);
        if left.symlink_metadata().is_ok() {
            std::fs::remove_dir_all(&left).map_err(|error| unusable(&left, &error))?;
        }
        Ok(place)
    }

    /// Gives everything its name: the files first, since a server with its keys and no store is
    /// harmless, and one with a store and without its keys is not.
    fn keep(mut self, files: &[CarriedFile]) -> Result<(), String> {
        let unwritable = |path: &Path, error: io::Error| {
            format!("{} cannot be written: {error}", path.display())
        };
        let mut named = Named(Vec::new());
        for file in files {
            let path = self.data_dir.join(&file.name);
            named
                .write(&path, &file.bytes)
                .map_err(|error| unwritable(&path, error))?;
        }
        let store = store_of(&self.data_dir);
        std::fs::rename(store_of(&self.folder), &store)
            .map_err(|error| unwritable(&store, error))?;
        named.0.clear();
        self.is_kept = true;
        File::open(&self.data_dir)
            .and_then(|folder| folder.sync_all())
            .map_err(|error| unwritable(&self.data_dir, error))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let removed = match &self.made {
            Some(made) if !self.is_kept => std::fs::remove_dir_all(made),
            _ => std::fs::remove_dir_all(&self.folder),
        };
        if let Err(error) = removed {
            eprintln!("tidemark: {} stays behind: {error}", self.folder.display());
        }
    }
}

/// Files that were made, removed again unless the list is emptied.
struct Named(Vec<PathBuf>);

impl Named {
    fn write(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut options = File::options();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        self.0.push(path.to_owned());
        file.write_all(bytes)?;
        file.sync_all()
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        for path in &self.0 {
            if let Err(error) = std::fs::remove_file(path) {
                eprintln!("tidemark: {} stays behind: {error}", path.display());
            }
        }
    }
}
